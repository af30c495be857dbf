//! A model with memoisation gives the same results as one without: the same states, edges, verdicts
//! and museum kills. (`verify` compares every scope with stateright's checker, which uses the model
//! without.)

use std::collections::HashMap;

use rollcall_checks::explorer::{Exploration, Options, explore};
use rollcall_checks::museum::{Harm, PIECES};
use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, ScopePlan, Size};
use rollcall_model::{ClusterInScope, GuardSet, Rollcall, State, StateRef};
use rollcall_traces::{
    Cluster, ClusterSummary, Held, History, Peer, PlacementDriver, PlanUnderWay, RangeEntry, RegionId,
    StoreId, StoreStatus,
};

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

/// Every edge, in order, of one scope of each kind. `smoke.rs` checks the other scopes.
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

/// Only the stores of a cluster. A property of two peers must not read anything else.
struct Stores<'a>(StateRef<'a>);

impl Cluster for Stores<'_> {
    fn stores(&self) -> impl Iterator<Item = (StoreId, StoreStatus)> + '_ {
        self.0.stores()
    }

    fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        self.0.regions()
    }

    fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        self.0.peer(store, region)
    }

    fn ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        self.0.ranges(store)
    }

    fn pending_messages(&self, store: StoreId) -> &[Held] {
        self.0.pending_messages(store)
    }

    fn recovery_plan(&self, store: StoreId) -> Option<PlanUnderWay> {
        self.0.recovery_plan(store)
    }

    fn held(&self) -> &[Held] {
        panic!("it asks which messages are under way")
    }

    fn pd(&self) -> &PlacementDriver {
        panic!("it asks what PD knows")
    }
}

impl ClusterSummary for Stores<'_> {}

/// Checks the properties of two peers in every state without memoisation. They read only stores and
/// history, so states with equal stores and history are checked once.
struct Plainly<'m> {
    model: &'m Rollcall,
    judged: HashMap<([usize; 8], *const History), u64>,
}

impl<'m> Plainly<'m> {
    fn new(model: &'m Rollcall) -> Self {
        Self { model, judged: HashMap::new() }
    }

    /// The bits of these properties, in the model's order.
    fn mask(&self) -> u64 {
        let properties = self.model.checked().iter().enumerate();
        properties.filter(|(_, property)| property.is_of_two_peers()).fold(0, |all, (at, _)| all | 1 << at)
    }

    fn broken(&mut self, state: &State) -> u64 {
        let cluster = self.model.cluster(state);
        let mut stores = [0; 8];
        for (number, store) in stores.iter_mut().zip(&self.model.scope().stores) {
            *number = cluster.store_number(*store).expect("the scope has it");
        }
        let history = cluster.history();
        let broken = |property: &Property| property.check(&Stores(cluster), history).is_err();
        *self.judged.entry((stores, std::ptr::from_ref(history))).or_insert_with(|| {
            let properties = self.model.checked().iter().enumerate();
            let of_two = properties.filter(|(_, property)| property.is_of_two_peers());
            of_two.fold(0, |all, (at, property)| all | u64::from(broken(property)) << at)
        })
    }
}

/// What every state violates, and with how many properties. Properties of two peers
/// ([`Property::is_of_two_peers`]) are compared in every state. The others are compared in all
/// states that violate something, and in a sample of the rest. (With all guards nothing is
/// violated: in `smoke.rs` stateright's checker checks every state of every smoke scope without
/// memoisation.)
#[test]
fn every_state_breaks_the_same() {
    const MOST: u32 = 1_000_000;
    const ONE_OF: usize = 61;
    let (mut states, mut judged) = (0, 0);
    for piece in PIECES.iter().filter(|piece| matches!(piece.harm, Harm::Safety(_))) {
        let Some(plan) = plans().find(|plan| plan.scope.name == piece.scope) else { continue };
        let model = plan.model(GuardSet::without(piece.guard)).expect("it begins");
        let forgetful = model.forgetful();
        let options = Options { threads: 2, max_states: MOST, keep_edges: false, ..Options::default() };
        let explored = explore(&model, &options, |_, _| 0).expect("it can be explored");
        let mut plainly = Plainly::new(&model);
        let (of_two, mut broken_states) = (plainly.mask(), 0);
        for (at, state) in explored.states.iter().enumerate() {
            let broken = model.broken(&state);
            assert_eq!(broken & of_two, plainly.broken(&state), "without {}, state {at}", piece.guard);
            let is_compared = broken != 0 && broken_states < 300 || at % ONE_OF == 0;
            broken_states += u32::from(broken != 0);
            if is_compared {
                assert_eq!(broken, forgetful.broken(&state), "without {}, state {at}", piece.guard);
            }
        }
        states += explored.states.len();
        judged += plainly.judged.len();
        assert!(broken_states > 0, "without {} something is broken", piece.guard);
    }
    assert!(states > 900_000 && judged > states / 20, "{judged} of {states} states were judged plainly");
}
