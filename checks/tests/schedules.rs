//! Random schedules: model and implementation agree. If they did not, the failing schedule would be
//! shrunk, written as a trace, and named with the command that replays it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use rollcall_checks::schedules::{CASES, Reached, SEED, Schedules};
use rollcall_checks::world::World;
use rollcall_impl::{Dropped, Guards, Sound};
use rollcall_model::{ACTION_KINDS, GuardSet, ModelSubject};
use rollcall_traces::{Action, Outcome, ReplayError, Sides, Trace, record, replay, shrink};

static SCHEDULES: LazyLock<Schedules> =
    LazyLock::new(|| Schedules::new(GuardSet::ALL).expect("a scope that can be begun"));

/// Runs every schedule. For the first on which the two sides differ, returns the difference and the
/// shortest part of the schedule that shows it.
fn shortest_difference<G: Guards>(
    guards: G,
    mut seen: impl FnMut(&Reached, &Action),
) -> Option<(String, Vec<Action>)> {
    let mut world = World::new(guards);
    for actions in SCHEDULES.drawn(CASES, &AtomicBool::new(false)) {
        let mut upcoming = actions.iter();
        let found = SCHEDULES.disagreement(&mut world, &actions, |reached| {
            seen(reached, upcoming.next().expect("an action was taken"));
        });
        if found.is_some() {
            let differs = |part: &[Action]| SCHEDULES.disagreement(&mut world, part, |_| {}).is_some();
            let shortest = shrink(&actions, differs);
            let what = SCHEDULES.disagreement(&mut world, &shortest, |_| {}).expect("it still differs");
            return Some((what, shortest));
        }
    }
    None
}

/// Writes a schedule with the model's outcomes and views; returns the file and the command that
/// replays it.
fn written(name: &str, actions: Vec<Action>) -> (PathBuf, String) {
    let mut model = ModelSubject::new(GuardSet::ALL, &[]);
    let trace = record(&mut model, SCHEDULES.model().scope(), actions).expect("a scope that can be begun");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schedule-{name}.jsonl"));
    trace.write(&path).unwrap_or_else(|error| panic!("{error}"));
    let command = format!("rollcall replay {}", path.display());
    (path, command)
}

#[test]
fn model_and_implementation_agree() {
    let (mut fired, mut refused) = (BTreeMap::<&str, u64>::new(), BTreeMap::<String, u64>::new());
    let model = SCHEDULES.model();
    let mut last = model.first();
    let mut done = 0;
    let found = shortest_difference(Sound, |reached, action| {
        match &reached.outcome {
            Outcome::Done(_) => {
                done += 1;
                // A late message counts by its type, which only the state before shows.
                let is_late = matches!(action, Action::Late { .. });
                let kind = if is_late { "late" } else { ACTION_KINDS[model.kind_of(&last, action)] };
                *fired.entry(kind).or_default() += 1;
                assert_eq!(model.violation(&reached.state), None, "seed {SEED:?}");
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

/// A difference is found, shrunk, written and replayed, for an implementation that lacks a guard.
#[track_caller]
fn shrinks(name: &str) {
    let guard = rollcall_impl::Guard::from_name(name).expect("the implementation can drop it");
    let (what, actions) =
        shortest_difference(Dropped(guard), |_, _| {}).expect("nobody notices that it is gone");
    for at in 0..actions.len() {
        let part = [&actions[..at], &actions[at + 1..]].concat();
        let agrees = SCHEDULES.disagreement(&mut World::new(Dropped(guard)), &part, |_| {}).is_none();
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
