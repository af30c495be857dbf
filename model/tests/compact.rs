//! The compact form of a cluster and its view convert into each other.

use proptest::prelude::*;
use rollcall_model::scopes::{self, Family, Size};
use rollcall_model::{GuardSet, Rollcall, State};
use rollcall_traces::{Cluster, PeerState, View};
use stateright::Model;

fn models() -> Vec<Rollcall> {
    scopes::plans(Family::ConfChange, Size::Smoke)
        .iter()
        .map(|plan| plan.model(GuardSet::ALL).expect("the scope can be begun"))
        .collect()
}

/// The state after a walk: at each step, the enabled action with this index.
fn walk(model: &Rollcall, choices: &[u16]) -> State {
    let mut state = model.first();
    for choice in choices {
        let steps = model.next_states(&state);
        match steps.get(usize::from(*choice) % steps.len().max(1)) {
            Some(next) => state = *next,
            None => break,
        }
    }
    state
}

fn same_through_the_accessor(view: &View, seen: &impl Cluster) {
    assert_eq!(view.stores().collect::<Vec<_>>(), seen.stores().collect::<Vec<_>>());
    for (store, _) in view.stores() {
        assert_eq!(view.ranges(store).collect::<Vec<_>>(), seen.ranges(store).collect::<Vec<_>>());
        for region in seen.regions() {
            assert_eq!(view.peer(store, region), seen.peer(store, region));
        }
    }
    assert_eq!(view.held(), seen.held());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn view_and_state_say_the_same(scope in any::<prop::sample::Index>(), choices in prop::collection::vec(any::<u16>(), 0..40)) {
        let models = models();
        let model = &models[scope.index(models.len())];
        let state = walk(model, &choices);
        let view = model.cluster(&state).view();
        same_through_the_accessor(&view, &model.cluster(&state));
        let back = model.state_of(&view).expect("the scope's own stores and regions");
        prop_assert_eq!(model.cluster(&back).view(), view.clone());
        // The compact form of a view is the state itself, except for budgets and history.
        prop_assert_eq!(model.step(&back, &rollcall_traces::Action::Crash { store: 1 }).1,
            model.step(&state, &rollcall_traces::Action::Crash { store: 1 }).1);
        for (action, reason) in model.disabled(&state) {
            prop_assert_eq!(model.step(&back, &action).1, rollcall_traces::Outcome::Refused(reason));
        }
    }

    #[test]
    fn the_range_index_lists_the_initialised_peers(choices in prop::collection::vec(any::<u16>(), 0..40)) {
        for model in models() {
            let state = walk(&model, &choices);
            let seen = model.cluster(&state);
            for (store, _) in seen.stores() {
                let normal = |region: &u64| {
                    seen.peer(store, *region).is_some_and(|peer| peer.state == PeerState::Normal)
                };
                prop_assert_eq!(seen.ranges(store).count(), seen.regions().filter(normal).count());
            }
        }
    }
}

#[test]
fn a_view_of_other_stores_has_no_state() {
    let model = &models()[0];
    let mut view = model.cluster(&model.first()).view();
    view.stores.insert(99, rollcall_traces::Store::default());
    assert_eq!(model.state_of(&view), None);
}
