//! A model with its memo says what a forgetful one says:
//! the same states, edges, verdicts and museum kills. (`verify` holds every
//! scope against stateright's checker, which is given the forgetful one.)

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

/// The stores of a cluster alone: whoever asks for more is no property of two peers.
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

/// The properties of two peers, judged plainly of every state: of its stores and its history, which
/// is all that they read, so states in which these are the same are judged once.
struct Plainly<'m> {
    model: &'m Rollcall,
    judged: HashMap<([usize; 8], *const History), u64>,
}

impl<'m> Plainly<'m> {
    fn new(model: &'m Rollcall) -> Self {
        Self { model, judged: HashMap::new() }
    }

    /// The bits of these properties, in the order of those that the model checks.
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

/// Whatever is broken in a state, and by however many properties. What is of two peers
/// ([`Property::is_of_two_peers`]) is compared in every state. Of the others few states are broken, so
/// all of those are compared, and one of so many others. (With every guard nothing is broken:
/// stateright's checker judges every state of every smoke scope plainly, in `smoke.rs`.)
#[test]
fn every_state_breaks_the_same() {
    const MOST: u32 = 60_000;
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
