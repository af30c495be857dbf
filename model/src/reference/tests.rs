//! Bounds give the same for a view as for the compact state.

use std::collections::{HashSet, VecDeque};

use super::*;
use crate::bounds::actions::{offered, sections};
use crate::bounds::{disabled, kinds};
use crate::model::Rollcall;
use crate::scopes::{Family, Size, plans};
use crate::{Reach, State};

/// The first states of a scope in breadth-first order, all of them up to this number, then every
/// such state up to its square.
const LOOKED_AT: usize = 25;

/// The offered actions, the refused ones and the situations.
fn bounds(scope: &Scope, seen: impl ClusterInScope) -> (Vec<Action>, Vec<Action>, Vec<&'static str>) {
    let (mut actions, mut universe) = (Vec::new(), Vec::new());
    for section in sections(scope.stores.len()) {
        offered(scope, seen, section, &mut actions);
        disabled::universe(scope, seen, section, &mut universe);
    }
    let shown = Reach::ALL.iter().filter(|reach| reach.holds(seen)).map(|reach| reach.name());
    (actions, universe, shown.collect())
}

fn look_both_ways(model: &Rollcall, state: &State) -> Vec<&'static str> {
    let seen = model.cluster(state);
    let view = seen.view();
    let beside = LeftBehind { history: seen.history(), spent: seen.spent() };
    let plain = PlainCluster::in_scope(model.scope(), model.guards(), &view, beside);
    let (of_compact, of_plain) = (bounds(model.scope(), seen), bounds(model.scope(), plain));
    assert_eq!(of_compact, of_plain, "in {}, from\n{view:#?}", model.scope().name);
    for action in &of_plain.0 {
        assert_eq!(kinds::kind_of(seen, action), kinds::kind_of(plain, action), "{action}");
    }
    of_plain.2
}

#[test]
fn bounds_of_a_view_are_those_of_the_compact_state() {
    let mut shown = HashSet::new();
    for plan in Family::ALL.iter().flat_map(|family| plans(*family, Size::Smoke)) {
        let model = plan.model(GuardSet::ALL).expect("the scope can be begun");
        let (mut met, mut left) = (HashSet::from([model.first()]), VecDeque::from([model.first()]));
        for at in 0..LOOKED_AT * LOOKED_AT {
            let Some(state) = left.pop_front() else { break };
            if at < LOOKED_AT || at.is_multiple_of(LOOKED_AT) {
                shown.extend(look_both_ways(&model, &state));
            }
            model.expand(&state, |_, _, after| {
                if met.insert(after) {
                    left.push_back(after);
                }
            });
        }
    }
    assert!(shown.len() > Reach::ALL.len() / 4, "few situations were met: {shown:?}");
}
