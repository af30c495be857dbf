//! Which step a tour blames, and how it is reported.

use rollcall_impl::{Dropped, Sound};
use rollcall_model::{GuardSet, scopes};
use rollcall_traces::{Action, Subject};

use super::*;
use crate::driven::begin;
use crate::verify::{Watch, explore};

fn explored(name: &str) -> (Rollcall, Exploration<State>) {
    let plan = scopes::named(name).expect("a scope of that name");
    let model = plan.model(GuardSet::ALL).expect("the scope can be begun");
    let explored = explore(&model, 1, &Watch::default()).expect("the scope can be explored");
    (model, explored)
}

/// The divergence says that the world is not in the state that its path leads to.
#[test]
fn a_divergence_that_only_a_copy_shows_is_reported_as_one() {
    let (model, explored) = explored("two_voters_to_one_smoke");
    let graph = &explored.graph;
    let edge = graph.row(0).start;
    let differing = std::sync::Mutex::default();
    let mut guide =
        Guide::new(TourOptions::with_threads(1), World::new(Sound), &model, &explored, &differing);
    begin(&mut guide.world, &model);
    let action = guide.offered(0, graph.ordinal(edge)).action;
    let other = guide.offered(0, graph.ordinal(edge + 1));
    guide.world.apply(&other.action);
    guide.path.push(action.clone().into_owned());
    let outcome = guide.take(&action).expect("no panic");
    let expected = model.step(&explored.states.get(0), &action).1;
    let divergence = guide.divergence(Some(0), graph.target(edge), expected, outcome);
    let says = divergence.differences.iter().any(|said| said.path == "gone from the beginning");
    assert!(says, "{divergence}");
    assert!(divergence.differences.len() > 1, "the differences are listed, too");
}

/// Any number of threads blames the same step, the first on its path that differs.
#[test]
fn the_first_differing_step_is_blamed_with_any_number_of_threads() {
    let (model, explored) = explored("promoted_while_it_needs_a_snapshot_smoke");
    let guard = Dropped(rollcall_impl::Guard::SnapshotUpdatesRanges);
    let found: Vec<Box<Divergence>> = [1, 2, 4, 2, 4]
        .into_iter()
        .map(|threads| {
            let (go_on, covered) = (AtomicBool::new(false), AtomicU64::new(0));
            let toured =
                conform(TourOptions::with_threads(threads), guard, &model, &explored, &go_on, &covered);
            toured.divergence.expect("the guard is missed")
        })
        .collect();
    assert!(found.iter().all(|other| *other == found[0]), "{}", found[0]);
    let again = parting::first_on(&mut World::new(guard), &model, &found[0].prefix).expect("it parts");
    assert_eq!((again.step, again.prefix.len() as u64), (found[0].step, found[0].step));
    assert!(matches!(found[0].action, Some(Action::ApplySnapshot { .. })), "{}", found[0]);
}
