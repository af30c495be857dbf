//! The reference semantics: the rules over a plain view.
//!
//! A [`View`] has no numbers, slots or tables, and no limit on stores or regions. Exploration takes
//! the same rules over the compact state; `tests/reference.rs` compares the two.

use std::borrow::Borrow;

use rollcall_traces::{
    Action, Budgets, Cluster, Held, History, Member, Outcome, Peer, PlacementDriver, PlanUnderWay,
    RangeEntry, RegionId, Scope, Store, StoreId, StoreStatus, View,
};

use crate::cluster::{self, ClusterInScope, ClusterMut};
use crate::guard::GuardSet;
use crate::rules::{self, persist, raft};
use crate::semantics::Semantics;

/// The reference semantics within a scope.
#[derive(Clone, Debug)]
pub struct Reference {
    scope: Scope,
    guards: GuardSet,
}

impl Reference {
    /// The rules with these guards within `scope`.
    pub fn new(scope: &Scope, guards: GuardSet) -> Self {
        Self { scope: scope.clone(), guards }
    }
}

impl Semantics for Reference {
    type State = View;
    type ClusterRef<'s> = PlainCluster<'s, &'s View>;

    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn guards(&self) -> GuardSet {
        self.guards
    }

    fn cluster<'s>(&'s self, view: &'s View) -> PlainCluster<'s, &'s View> {
        PlainCluster { scope: &self.scope, guards: self.guards, view, beside: () }
    }

    fn step(&self, view: &View, action: &Action) -> (View, Outcome) {
        step(&self.scope, self.guards, view, action)
    }

    fn at_rest(&self, view: &View) -> View {
        View { held: Vec::new(), ..view.clone() }
    }
}

/// Takes one action and returns the view after it and the outcome. Budgets are not checked.
///
/// # Panics
///
/// If the action names a store that the view does not have.
pub fn step(scope: &Scope, guards: GuardSet, before: &View, action: &Action) -> (View, Outcome) {
    let mut cluster = PlainCluster { scope, guards, view: before.clone(), beside: () };
    let taken = rules::step(&mut cluster, action);
    cluster.finish(before);
    let outcome = rules::outcome(taken, cluster.view != *before);
    (cluster.view, outcome)
}

/// A view within a scope, for reading or writing.
#[derive(Clone, Copy, Debug)]
pub struct PlainCluster<'s, V, B = ()> {
    scope: &'s Scope,
    guards: GuardSet,
    view: V,
    /// What bounds read besides.
    beside: B,
}

/// The past of a run, which no view shows.
#[derive(Clone, Copy, Debug)]
pub struct LeftBehind<'s> {
    /// The history.
    pub history: &'s History,
    /// The spent budgets.
    pub spent: &'s Budgets,
}

impl<'s> PlainCluster<'s, &'s View, LeftBehind<'s>> {
    /// A view within a scope, as bounds read it.
    pub fn in_scope(scope: &'s Scope, guards: GuardSet, view: &'s View, beside: LeftBehind<'s>) -> Self {
        Self { scope, guards, view, beside }
    }
}

impl ClusterInScope for PlainCluster<'_, &View, LeftBehind<'_>> {
    fn store_at(&self, at: usize) -> StoreId {
        *self.view.stores.keys().nth(at).expect("a store of the scope")
    }

    fn founders(&self) -> impl Iterator<Item = &Member> + '_ {
        self.scope.regions.iter().flat_map(|region| &region.peers)
    }

    fn is_founded(&self, region: RegionId) -> bool {
        self.scope.regions.iter().any(|founded| founded.id == region)
    }

    fn replicas_wanted(&self) -> u64 {
        self.scope.max_replicas
    }

    fn history(&self) -> &History {
        self.beside.history
    }

    fn spent(&self) -> &Budgets {
        self.beside.spent
    }
}

impl PlainCluster<'_, View> {
    fn store_mut(&mut self, store: StoreId) -> &mut Store {
        self.view.stores.get_mut(&store).expect("a store of the cluster")
    }

    /// Fills in what follows from the peers, and clears what the scope does not show.
    fn finish(&mut self, before: &View) {
        let guards = self.guards();
        for (id, store) in &mut self.view.stores {
            store.pending_ranges = store.peers.values().filter_map(RangeEntry::pending).collect();
            if self.scope.late_persistence {
                for (region, peer) in &mut store.peers {
                    let was = before.peer(*id, *region);
                    if was != Some(&*peer) {
                        persist::settle(was, peer, guards);
                    }
                }
            }
            if self.scope.unsynced_commits {
                for (region, peer) in &mut store.peers {
                    let was = before.peer(*id, *region);
                    if was != Some(&*peer) {
                        peer.synced_commit = raft::synced_commit(was, peer, self.guards);
                    }
                }
            }
        }
        if !self.scope.reports_commits() {
            let peers = self.view.stores.values_mut().flat_map(|store| store.peers.values_mut());
            cluster::clear_known_commits(peers, self.view.held.iter_mut());
        }
    }
}

impl<V: Borrow<View>, B> Cluster for PlainCluster<'_, V, B> {
    fn stores(&self) -> impl Iterator<Item = (StoreId, StoreStatus)> + '_ {
        self.view.borrow().stores()
    }

    fn status(&self, store: StoreId) -> Option<StoreStatus> {
        self.view.borrow().status(store)
    }

    fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        self.view.borrow().regions()
    }

    fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        self.view.borrow().peer(store, region)
    }

    fn ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        self.view.borrow().ranges(store)
    }

    fn held(&self) -> &[Held] {
        self.view.borrow().held()
    }

    fn pending_messages(&self, store: StoreId) -> &[Held] {
        self.view.borrow().pending_messages(store)
    }

    fn recovery_plan(&self, store: StoreId) -> Option<PlanUnderWay> {
        self.view.borrow().recovery_plan(store)
    }

    fn pd(&self) -> &PlacementDriver {
        self.view.borrow().pd()
    }
}

impl ClusterMut for PlainCluster<'_, View> {
    fn guards(&self) -> GuardSet {
        self.guards.with_persistence(self.scope.late_persistence)
    }

    fn replicas_wanted(&self) -> u64 {
        self.scope.max_replicas
    }

    fn schedule_limit(&self) -> usize {
        rules::limit(self.scope.schedule_limit)
    }

    fn waiting_limit(&self) -> usize {
        usize::try_from(self.scope.waiting_limit).unwrap_or(usize::MAX)
    }

    fn is_full(&self, store: StoreId) -> bool {
        rules::seems_full(&self.scope.full, &self.scope.low_space, store, self.guards)
    }

    fn peer_mut(&mut self, store: StoreId, region: RegionId) -> &mut Peer {
        self.store_mut(store).peers.get_mut(&region).expect("a peer to write to")
    }

    fn put_peer(&mut self, store: StoreId, region: RegionId, peer: Option<Peer>) {
        let peers = &mut self.store_mut(store).peers;
        match peer {
            Some(peer) => peers.insert(region, peer),
            None => peers.remove(&region),
        };
    }

    fn set_status(&mut self, store: StoreId, status: StoreStatus) {
        self.store_mut(store).status = status;
    }

    fn ranges_mut(&mut self, store: StoreId) -> &mut Vec<RangeEntry> {
        &mut self.store_mut(store).ranges
    }

    fn pending_messages_mut(&mut self, store: StoreId) -> &mut Vec<Held> {
        &mut self.store_mut(store).pending_messages
    }

    fn set_plan(&mut self, store: StoreId, plan: Option<PlanUnderWay>) {
        self.store_mut(store).plan = plan;
    }

    fn pd_mut(&mut self) -> &mut PlacementDriver {
        &mut self.view.pd
    }

    fn held_mut(&mut self) -> &mut Vec<Held> {
        &mut self.view.held
    }

    /// No action uses replies outside its round.
    fn send_reply(&mut self, _: Held) {}
}

#[cfg(test)]
mod tests;
