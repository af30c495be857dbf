//! Shrinking leaves what is needed and nothing else.

use proptest::prelude::*;
use rollcall_traces::{Action, shrink};

fn crash(store: u64) -> Action {
    Action::Crash { store }
}

fn stores(actions: &[Action]) -> Vec<u64> {
    actions.iter().flat_map(Action::stores).collect()
}

/// Whether `needed` stands in `actions` in that order.
fn in_order(actions: &[Action], needed: &[u64]) -> bool {
    let mut rest = needed;
    for store in stores(actions) {
        if rest.first() == Some(&store) {
            rest = &rest[1..];
        }
    }
    rest.is_empty()
}

#[test]
fn one_needed_action_remains() {
    let actions: Vec<Action> = (0..100).map(crash).collect();
    for needed in [0, 1, 50, 98, 99] {
        assert_eq!(stores(&shrink(&actions, |part| in_order(part, &[needed]))), [needed]);
    }
}

#[test]
fn actions_that_go_only_together_may_remain() {
    // 3 and 4 must both stay or both go.
    let fails = |part: &[Action]| {
        let part = stores(part);
        part.contains(&9) && part.contains(&3) == part.contains(&4)
    };
    let actions: Vec<Action> = (0..10).map(crash).collect();
    let kept = shrink(&actions, fails);
    for leave_out in 0..kept.len() {
        let mut fewer = kept.clone();
        fewer.remove(leave_out);
        assert!(!fails(&fewer), "{kept:?} can do without its action {leave_out}");
    }
}

#[test]
fn what_fails_by_itself_needs_nothing() {
    assert_eq!(shrink(&[crash(1), crash(2), crash(3)], |_| true), []);
    assert_eq!(shrink(&[], |_| true), []);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn exactly_the_needed_ones_in_order(length in 1..60_u64, picks in proptest::collection::btree_set(0..60_u64, 0..6)) {
        let needed: Vec<u64> = picks.into_iter().filter(|pick| *pick < length).collect();
        let actions: Vec<Action> = (0..length).map(crash).collect();
        prop_assert_eq!(stores(&shrink(&actions, |part| in_order(part, &needed))), needed);
    }
}
