use rollcall_impl::{Dropped, Guard, Guards, Sound};
use rollcall_model::scopes;

use super::*;
use crate::world::World;

fn walked<G: Guards + Send + Sync>(guards: G, scope: &str, walks: u64, threads: usize) -> Walked {
    let plan = scopes::named(scope).expect("there is such a scope");
    let walks = Walks {
        scope: &plan.scope,
        properties: &plan.properties,
        seed: 1,
        walks,
        steps: 60,
        threads,
        until: None,
        fail_fast: false,
        has: &|_| true,
    };
    walk(&walks, || World::new(guards), &AtomicBool::new(false))
}

/// A guard that our own store drops, the scope in which that shows, and the length of its exhibit's
/// trace, which is the shortest possible.
const PLANTED: &[(Guard, &str, usize)] = &[
    (Guard::TombstoneRefusesStale, "leader_removed_after_handover_smoke", 6),
    (Guard::TombstoneAtNewEpoch, "replace_one_by_one_smoke", 4),
    (Guard::NoDuplicateChange, "grow_and_shrink_smoke", 3),
];

#[test]
fn a_right_store_violates_nothing() {
    for scope in ["three_voters_to_one_smoke", "old_term_entries_smoke", "split_in_joint_state_smoke"] {
        let walked = walked(Sound, scope, 20, 1);
        assert_eq!(walked.not_begun, None, "{scope}");
        assert!(walked.found.is_empty(), "{scope}: {:?}", walked.found);
        assert!(walked.walks == 20 && walked.steps > 100 && walked.kinds.len() > 3, "{scope}: {walked:?}");
    }
}

/// Each dropped guard is found, on a schedule as short as the exhibit's, with one thread and with
/// two.
#[test]
fn a_guard_that_is_dropped_is_found_and_its_schedule_shrunk() {
    for (guard, scope, fewest) in PLANTED {
        let found = walked(Dropped(*guard), scope, 60, 1).found;
        let shortest = found.iter().map(|found| found.way.len()).min();
        assert_eq!(shortest, Some(*fewest), "{guard}: {found:?}");
        let again = walked(Dropped(*guard), scope, 60, 2).found;
        assert_eq!(ways(&found), ways(&again), "{guard}");
    }
}

fn ways(found: &[Found]) -> Vec<(Wrong, u64, &[Action])> {
    found.iter().map(|found| (found.wrong, found.seed, &found.way[..])).collect()
}

/// One walk with the same seed finds the same schedule again.
#[test]
fn a_seed_is_a_walk() {
    let (guard, scope, fewest) = PLANTED[1];
    let plan = scopes::named(scope).expect("there is such a scope");
    let walks = |seed| Walks {
        scope: &plan.scope,
        properties: &plan.properties,
        seed,
        walks: 1,
        steps: 60,
        threads: 1,
        until: None,
        fail_fast: false,
        has: &|_| true,
    };
    let first = walked(Dropped(guard), scope, 60, 1).found.remove(0);
    let again =
        walk(&walks(first.seed), || World::new(Dropped(guard)), &AtomicBool::new(false)).found.remove(0);
    assert_eq!((again.seed, &again.way), (first.seed, &first.way));
    let (_, judged) = judge(&walks(1), World::new(Dropped(guard)), &first.way).expect("it can be begun");
    assert_eq!(judged.map(|(wrong, at, _)| (wrong, at)), Some((first.wrong, fewest)));
    let trace = trace_of(&plan.scope, &first, World::new(Dropped(guard)));
    assert!(trace.steps.iter().all(|step| step.view.is_some()), "it shows every step");
    assert_eq!(trace.verdict.map(|verdict| verdict.at), Some(Some(fewest as u64)));
}

/// A subject that panics at one action, whatever came before.
struct Broken(World<Sound>);

impl Subject for Broken {
    fn reset(&mut self, scope: &Scope) -> Result<(), rollcall_traces::ScopeError> {
        self.0.reset(scope)
    }

    fn apply(&mut self, action: &Action) -> Outcome {
        if matches!(action, Action::Crash { .. }) {
            std::panic::resume_unwind(Box::new("it finds itself broken"));
        }
        self.0.apply(action)
    }

    fn view(&self) -> View {
        self.0.view()
    }
}

#[test]
fn a_panic_is_found_and_shrunk_to_its_own_action() {
    let plan = scopes::named("old_term_entries_smoke").expect("there is such a scope");
    let scope = Scope {
        budgets: rollcall_traces::Budgets { crashes: 1, ..plan.scope.budgets },
        crashers: Vec::new(),
        ..plan.scope.clone()
    };
    let walks = Walks {
        scope: &scope,
        properties: &plan.properties,
        seed: 1,
        walks: 20,
        steps: 60,
        threads: 1,
        until: None,
        fail_fast: true,
        has: &|_| true,
    };
    let walked = walk(&walks, || Broken(World::new(Sound)), &AtomicBool::new(false));
    let [found] = &walked.found[..] else { panic!("{walked:?}") };
    assert_eq!((found.wrong, found.way.len()), (Wrong::Breaks, 1));
    assert!(found.words.contains("it finds itself broken"), "{found:?}");
}
