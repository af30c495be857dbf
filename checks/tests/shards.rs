//! The search in shards on the smoke scopes: the counts are those that `smoke.rs` has pinned
//! of the ordered explorer, and where a guard is missing the counterexample is as long.

use std::collections::BTreeMap;

use rollcall_checks::explorer::{Bound, Ended, Exploration, Options, explore, explore_in_shards};
use rollcall_checks::walk::{violation_trace, walk};
use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, Family, Size, plans};
use rollcall_model::{Guard, GuardSet, Rollcall, State};

fn options(workers: usize) -> Options<'static> {
    Options { threads: workers, keep_edges: false, ..Options::default() }
}

fn in_shards(model: &Rollcall, options: &Options<'_>) -> Exploration<State> {
    explore_in_shards(model, options, Rollcall::kind_of).expect("it is explored")
}

/// Distinct states, transitions and depth of each scope, as they are pinned.
fn pinned(snapshot: &str) -> BTreeMap<&str, [u64; 3]> {
    let line = |line| {
        let mut words = str::split_whitespace(line);
        let name = words.next().filter(|name| name.ends_with("_smoke"))?;
        let mut number = || words.next()?.parse::<u64>().ok();
        Some((name, [number()?, number()?, number()?]))
    };
    snapshot.lines().filter_map(line).collect()
}

fn agrees_with_what_is_pinned(family: Family, snapshot: &str, which: impl Fn(usize) -> usize) {
    let pinned = pinned(snapshot);
    let plans = plans(family, Size::Smoke);
    assert_eq!(pinned.len(), plans.len(), "{family:?}");
    for (at, plan) in plans.into_iter().enumerate() {
        let name = plan.scope.name.as_str();
        let model = plan.model(GuardSet::ALL).expect("it begins");
        let explored = in_shards(&model, &options(which(at)));
        let figures = [explored.distinct(), explored.transitions, u64::from(explored.depth())];
        assert_eq!(figures, pinned[name], "{name} with {} workers", which(at));
        assert_eq!(explored.ended, Ended::Exhausted, "{name}");
        let refuted: Vec<_> =
            explored.verdicts.iter().filter(|verdict| verdict.holds != Some(true)).collect();
        assert!(refuted.is_empty(), "{name}: {refuted:?}");
    }
}

#[test]
fn conf_change() {
    let snapshot = include_str!("snapshots/smoke__smoke_conf-change.snap");
    // Two workers for most, so that two cores are busy; others now and then.
    agrees_with_what_is_pinned(Family::ConfChange, snapshot, |at| [2, 2, 2, 3, 2, 2, 2, 1][at % 8]);
}

#[test]
fn split() {
    let snapshot = include_str!("snapshots/smoke__smoke_split.snap");
    agrees_with_what_is_pinned(Family::Split, snapshot, |at| [2, 2, 1, 2, 2, 3][at % 6]);
}

#[test]
fn decommission() {
    let snapshot = include_str!("snapshots/smoke__smoke_decommission.snap");
    agrees_with_what_is_pinned(Family::Decommission, snapshot, |at| [2, 3, 2, 2, 2, 1, 2, 2][at % 8]);
}

#[test]
fn without_a_guard_the_same_property_falls_after_as_many_steps() {
    for (guard, property, scope) in [
        (Guard::SnapshotOnce, Property::AppliedAgreement, "replace_one_by_one_smoke"),
        (Guard::OneVoteATerm, Property::ElectionSafety, "old_term_entries_smoke"),
        (Guard::StopAfterDestroy, Property::CleanTombstone, "leader_removed_after_handover_smoke"),
    ] {
        let mut plan = scopes::named(scope).expect("it is there");
        plan.properties = vec![property];
        let model = plan.model(GuardSet::without(guard)).expect("it begins");
        let first = |options: &Options<'_>, is_ordered| {
            let options = Options { stop_at_first_violation: true, ..*options };
            let kind = |state: &State, action: &_| model.kind_of(state, action);
            let explored = match is_ordered {
                true => explore(&model, &options, kind).expect("it is explored"),
                false => in_shards(&model, &options),
            };
            assert_eq!(explored.ended, Ended::Stopped(Bound::Violation), "{scope} without {guard}");
            let verdict = explored.violations().next().expect("it is violated");
            assert_eq!(verdict.property, property.name());
            violation_trace(&model, &explored, verdict.property, verdict.first.expect("a state"))
        };
        let ordered = first(&options(1), true);
        let ways = [1, 2, 3].map(|workers| first(&options(workers), false));
        for way in &ways {
            assert_eq!(way.steps.len(), ordered.steps.len(), "{scope} without {guard}");
            assert_eq!(way, &ways[0], "the same way for any number of workers");
            let again = walk(&model, way.steps.iter().map(|step| step.action.clone()));
            assert_eq!(again.steps, way.steps);
            let last = again.steps.last().expect("there are steps");
            assert_eq!(last.violated, [property.name()], "{scope} without {guard}");
            assert!(again.steps.iter().rev().skip(1).all(|step| step.violated.is_empty()));
        }
    }
}
