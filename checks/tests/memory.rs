//! A model with its memo says what a forgetful one says:
//! the same states, edges, verdicts and museum kills. (`verify` holds every
//! scope against stateright's checker, which is given the forgetful one.)

use rollcall_checks::explorer::{Exploration, Options, explore};
use rollcall_checks::museum::{Harm, PIECES};
use rollcall_model::scopes::{self, ScopePlan, Size};
use rollcall_model::{GuardSet, Rollcall, State};

fn explored(model: &Rollcall, stop_at_first_violation: bool) -> Exploration<State> {
    let options = Options { threads: 2, stop_at_first_violation, ..Options::default() };
    explore(model, &options, |state, action| model.kind_of(state, action)).expect("it can be explored")
}

fn figures(model: &Rollcall, stop: bool) -> impl PartialEq + use<> {
    let explored = explored(model, stop);
    let verdicts: Vec<_> =
        explored.verdicts.iter().map(|verdict| (verdict.property, verdict.first, verdict.holds)).collect();
    let graph = &explored.graph;
    let edges: Vec<_> = (0..graph.edges()).map(|edge| (graph.target(edge), graph.ordinal(edge))).collect();
    let states: Vec<_> = (0..graph.states()).map(|state| (graph.row(state), graph.parent(state))).collect();
    (explored.states.len(), explored.transitions, explored.kinds, verdicts, edges, states)
}

fn plans() -> impl Iterator<Item = ScopePlan> {
    scopes::all().into_iter().filter(|plan| plan.size == Size::Smoke)
}

/// Every edge of a scope of each kind, in order; the other scopes by `smoke`.
#[test]
fn every_edge_is_the_same() {
    let named = ["replace_by_joint_smoke", "split_against_an_add_smoke", "merges_crossed_smoke"];
    let named = named.into_iter().chain(["one_store_leaves_smoke", "forced_by_hand_smoke"]);
    for name in named {
        let plan = scopes::named(name).expect("there is such a scope");
        let model = plan.model(GuardSet::ALL).expect("it begins");
        assert!(figures(&model, false) == figures(&model.forgetful(), false), "{name} differs");
    }
}

#[test]
fn every_guard_dies_at_the_same_state() {
    for piece in PIECES {
        let Harm::Safety(property) = piece.harm else { continue };
        let Some(plan) = plans().find(|plan| plan.scope.name == piece.scope) else { continue };
        let plan = ScopePlan { properties: vec![property], reachable: Vec::new(), ..plan };
        let model = plan.model(GuardSet::without(piece.guard)).expect("it begins");
        assert!(figures(&model, true) == figures(&model.forgetful(), true), "without {}", piece.guard);
    }
}

/// Whatever is broken in a state, and by however many properties. Few states are
/// broken, so all of those are looked at, and one of so many others.
#[test]
fn every_state_breaks_the_same() {
    const MOST: u32 = 60_000;
    const ONE_OF: usize = 61;
    for piece in PIECES.iter().filter(|piece| matches!(piece.harm, Harm::Safety(_))) {
        let Some(plan) = plans().find(|plan| plan.scope.name == piece.scope) else { continue };
        let model = plan.model(GuardSet::without(piece.guard)).expect("it begins");
        let forgetful = model.forgetful();
        let options = Options { threads: 2, max_states: MOST, keep_edges: false, ..Options::default() };
        let explored = explore(&model, &options, |_, _| 0).expect("it can be explored");
        let mut broken_states = 0;
        for (at, state) in explored.states.iter().enumerate() {
            let broken = model.broken(&state);
            let is_looked_at = broken != 0 && broken_states < 300 || at % ONE_OF == 0;
            broken_states += u32::from(broken != 0);
            if is_looked_at {
                assert_eq!(broken, forgetful.broken(&state), "without {}, state {at}", piece.guard);
            }
        }
        assert!(broken_states > 0, "without {} something is broken", piece.guard);
    }
}
