//! Random schedules beyond what any scope exhausts: the model's rules are the
//! reference, the implementation is the system under test, and after every
//! action, done or refused, outcome and view must be equal.
//!
//! The seed is fixed and printed with a failure. What fails is shrunk, written
//! as a trace and named with the command that replays it. `test_sequential` of
//! proptest-state-machine is not used: it reports by panicking, hundreds of
//! times while it shrinks.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use proptest_state_machine::ReferenceStateMachine;
use rollcall_checks::world::World;
use rollcall_impl::{Dropped, Guards, Sound};
use rollcall_model::properties::Property;
use rollcall_model::{ACTION_KINDS, GuardSet, ModelSubject, Rollcall, State, scopes};
use rollcall_traces::{
    Action, Budgets, Change, ChangeKind, ChildCommand, Command, Derive, Entries, Key, Outcome, ReplayError,
    Scope, Sides, SplitKeys, Subject, Trace, record, replay, shrink,
};
use stateright::Model;

/// From where everything random is drawn.
const SEED: [u8; 32] = *b"members leave and join in safety";
const CASES: u32 = 384;
const STEPS: std::ops::RangeInclusive<usize> = 60..=100;

static MODEL: LazyLock<Arc<Rollcall>> = LazyLock::new(|| {
    let model = Rollcall::new(&scope(), GuardSet::ALL, Property::ALL, &[]);
    Arc::new(model.expect("a scope that can be begun"))
});

/// Five stores, and more of everything than any exhausted scope has.
fn scope() -> Scope {
    let base = scopes::named("grow_and_shrink");
    let change = |kind, peer, store| Change { kind, peer, store };
    let simple = |kind, peer, store| Command::ChangePeer(change(kind, peer, store));
    let joint = |changes: &[Change]| Command::EnterJoint { changes: changes.to_vec() };
    let put_at = |key: &str, value: &str| Command::Put { key: Key::from(key), value: Key::from(value) };
    let put = |value: &str| put_at("k", value);
    let of_the_first_child = |command| ChildCommand { region: 100, command };
    let at =
        |keys: &[&str], derive| SplitKeys { keys: keys.iter().map(|key| Key::from(*key)).collect(), derive };
    Scope {
        name: "schedules".into(),
        question: "is there a difference that no exhausted scope is large enough to show?".into(),
        stores: vec![1, 2, 3, 4, 5],
        rounds: vec![Entries::One, Entries::All],
        commands: vec![
            simple(ChangeKind::AddVoter, 4, 4),
            simple(ChangeKind::AddLearner, 5, 5),
            simple(ChangeKind::AddVoter, 5, 5),
            simple(ChangeKind::Remove, 2, 2),
            simple(ChangeKind::Remove, 3, 3),
            simple(ChangeKind::Remove, 4, 4),
            simple(ChangeKind::AddVoter, 3, 3),
            simple(ChangeKind::AddVoter, 13, 3),
            joint(&[change(ChangeKind::AddVoter, 4, 4), change(ChangeKind::AddLearner, 2, 2)]),
            joint(&[change(ChangeKind::AddLearner, 3, 3), change(ChangeKind::AddLearner, 2, 2)]),
            Command::LeaveJoint,
            Command::TransferLeader { to: 2 },
            Command::TransferLeader { to: 4 },
            put("a"),
            put_at("p", "b"),
            Command::Delete { key: Key::from("k") },
            put("d"),
        ],
        child_commands: vec![
            of_the_first_child(simple(ChangeKind::Remove, 103, 3)),
            of_the_first_child(simple(ChangeKind::AddLearner, 93, 3)),
            of_the_first_child(simple(ChangeKind::AddVoter, 95, 5)),
            of_the_first_child(Command::LeaveJoint),
        ],
        splits: vec![at(&["m"], Derive::Left), at(&["g"], Derive::Right), at(&["h", "q"], Derive::Left)],
        next_id: 100,
        keys: vec![Key::from("k"), Key::from("p")],
        campaigners: Vec::new(),
        crashers: Vec::new(),
        budgets: Budgets {
            elections: 6,
            crashes: 3,
            destroys: 1,
            lost: 4,
            late: 4,
            writes: 4,
            changes: 6,
            splits: 3,
            transfers: 2,
            compactions: 2,
            reads: 2,
            ..Budgets::default()
        },
        ..base.expect("the scope is there").scope
    }
}

/// A state of the model, and what the last action came to.
#[derive(Clone)]
struct Reached {
    state: State,
    outcome: Outcome,
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a state reached by: {}", self.outcome)
    }
}

/// The model's rules as proptest-state-machine wants them.
struct Rules;

impl ReferenceStateMachine for Rules {
    type State = Reached;
    type Transition = Action;

    fn init_state() -> BoxedStrategy<Reached> {
        Just(Reached { state: MODEL.first(), outcome: Outcome::DONE }).boxed()
    }

    /// What the scope offers and can be done, and now and then what is refused.
    fn transitions(reached: &Reached) -> BoxedStrategy<Action> {
        let mut offered = Vec::new();
        MODEL.actions(&reached.state, &mut offered);
        let is_done = |action: &Action| MODEL.step(&reached.state, action).1.is_done();
        let (done, refused): (Vec<_>, Vec<_>) = offered.into_iter().partition(is_done);
        let forbidden: Vec<Action> =
            MODEL.probes(&reached.state).into_iter().map(|(action, _)| action).collect();
        let choices = [(8, done), (1, refused), (1, forbidden)].into_iter();
        let choices = choices.filter(|(_, actions)| !actions.is_empty());
        Union::new_weighted(choices.map(|(weight, actions)| (weight, select(actions))).collect()).boxed()
    }

    fn apply(reached: Reached, action: &Action) -> Reached {
        let (state, outcome) = MODEL.take(&reached.state, action);
        Reached { state, outcome }
    }
}

/// How a run of one schedule ended, if it did not agree to its end.
fn disagreement<G: Guards>(
    world: &mut World<G>,
    actions: &[Action],
    mut taken: impl FnMut(&Reached),
) -> Option<String> {
    world.reset(MODEL.scope()).expect("the model took the prelude");
    let mut reached = Reached { state: MODEL.first(), outcome: Outcome::DONE };
    for (step, action) in (1..).zip(actions) {
        reached = Rules::apply(reached, action);
        taken(&reached);
        let outcome = world.apply(action);
        if outcome != reached.outcome {
            return Some(format!("step {step}: {action}: model {}, impl {outcome}", reached.outcome));
        }
        if !world.shows(&MODEL.seen(&reached.state)) {
            return Some(format!("step {step}: {action}: the views differ"));
        }
    }
    None
}

/// Runs every case; the shortest schedule on which the two sides differ, if there is one.
fn differing_schedule<G: Guards>(
    guards: G,
    mut taken: impl FnMut(&Reached, &Action),
) -> Option<(String, Vec<Action>)> {
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &SEED));
    let world = std::cell::RefCell::new(World::new(guards));
    let taken = std::cell::RefCell::new(&mut taken);
    let result = runner.run(&Rules::sequential_strategy(STEPS), |(_, actions, seen)| {
        let mut upcoming = actions.iter();
        let found = disagreement(&mut world.borrow_mut(), &actions, |reached| {
            // Proptest first cuts off what was never reached: it wants the count.
            if let Some(seen) = &seen {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            (taken.borrow_mut())(reached, upcoming.next().expect("an action was taken"));
        });
        found.map_or(Ok(()), |what| Err(TestCaseError::fail(what)))
    });
    match result {
        Ok(()) => None,
        Err(TestError::Fail(_, (_, actions, _))) => {
            let mut world = world.borrow_mut();
            let shortest = shrink(&actions, |part| disagreement(&mut world, part, |_| {}).is_some());
            let what = disagreement(&mut world, &shortest, |_| {}).expect("it still differs");
            Some((what, shortest))
        }
        Err(TestError::Abort(why)) => panic!("the schedules were not run: {why}"),
    }
}

/// Writes a schedule with what the model makes of it; the command that replays it.
fn written(name: &str, actions: Vec<Action>) -> (PathBuf, String) {
    let mut model = ModelSubject::new(GuardSet::ALL, &[]);
    let trace = record(&mut model, MODEL.scope(), actions).expect("a scope that can be begun");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schedule-{name}.jsonl"));
    trace.write(&path).unwrap_or_else(|error| panic!("{error}"));
    let command = format!("rollcall replay {}", path.display());
    (path, command)
}

#[test]
fn model_and_implementation_agree() {
    let (mut fired, mut refused) = (BTreeMap::<&str, u64>::new(), BTreeMap::<String, u64>::new());
    let mut last = MODEL.first();
    let mut done = 0;
    let found = differing_schedule(Sound, |reached, action| {
        match &reached.outcome {
            Outcome::Done(_) => {
                done += 1;
                // A late message is counted by what it is, which only the state before knows.
                let is_late = matches!(action, Action::Late { .. });
                let kind = if is_late { "late" } else { ACTION_KINDS[MODEL.kind_of(&last, action)] };
                *fired.entry(kind).or_default() += 1;
                assert_eq!(MODEL.violation(&reached.state), None, "seed {SEED:?}");
            }
            Outcome::Refused(reason) => *refused.entry(reason.to_string()).or_default() += 1,
        }
        last = reached.state;
    });
    if let Some((what, actions)) = found {
        let (_, command) = written("sound", actions);
        panic!("{what}\nseed {SEED:?}; the shrunk schedule: {command}");
    }
    assert!(done > u64::from(CASES) * 30, "{done} actions were done in {CASES} schedules");
    assert!(fired.len() >= 24, "too little happened: {fired:?}");
    assert!(refused.len() >= 25, "too little was refused: {refused:?}");
}

/// A difference is found, shrunk, written and replayed: with a guard that the
/// implementation lacks there is one.
#[track_caller]
fn shrinks(name: &str) {
    let guard = rollcall_impl::Guard::from_name(name).expect("the implementation can drop it");
    let (what, actions) =
        differing_schedule(Dropped(guard), |_, _| {}).expect("nobody notices that it is gone");
    for at in 0..actions.len() {
        let part = [&actions[..at], &actions[at + 1..]].concat();
        let agrees = disagreement(&mut World::new(Dropped(guard)), &part, |_| {}).is_none();
        assert!(agrees, "action {} of {} is not needed: {what}", at + 1, actions.len());
    }
    let (path, command) = written(name, actions.clone());
    let trace = Trace::read(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(trace.actions().cloned().collect::<Vec<_>>(), actions);

    let mut without = World::new(Dropped(guard));
    let Err(ReplayError::Diverged(divergence)) = replay(&mut without, &trace, Sides::TRACE_AND_IMPL) else {
        panic!("{command} does not show it")
    };
    assert_eq!(divergence.step, actions.len() as u64, "it ends where they differ");
    assert!(
        replay(&mut World::new(Sound), &trace, Sides::TRACE_AND_IMPL).is_ok(),
        "it is the guard that makes it"
    );
}

#[test]
fn a_guard_of_raft_that_is_gone_is_found_and_shrunk() {
    shrinks("commit_own_term");
}

#[test]
fn a_guard_of_the_store_that_is_gone_is_found_and_shrunk() {
    shrinks("stop_after_destroy");
}

#[test]
fn a_rule_at_propose_that_is_gone_is_found_and_shrunk() {
    shrinks("no_duplicate_change");
}
