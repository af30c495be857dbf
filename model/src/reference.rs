//! The reference semantics: the rules over a plain view.
//!
//! A [`View`] has no numbers, slots or tables and no bound on how many stores or
//! regions it may have. Exploration takes the same rules over the compact state
//! (`engine::txn`); `tests/reference.rs` holds the two against each other.

use rollcall_traces::{
    Action, Cluster, Held, Outcome, Peer, PlacementDriver, PlanUnderWay, RangeEntry, RegionId, Scope, Store,
    StoreId, StoreStatus, View,
};

use crate::cluster::ClusterMut;
use crate::guard::GuardSet;
use crate::rules::{self, raft};

/// Takes one action: the cluster afterwards, and what the action comes to. The budgets
/// of the scope are not asked.
///
/// # Panics
/// Where the action names a store that the view does not have.
pub fn step(scope: &Scope, guards: GuardSet, before: &View, action: &Action) -> (View, Outcome) {
    let mut cluster = PlainCluster { scope, guards, view: before.clone() };
    let taken = rules::step(&mut cluster, action);
    cluster.finish(before);
    let outcome = rules::outcome(taken, cluster.view != *before);
    (cluster.view, outcome)
}

/// A view that a rule changes, and what it asks of the scope.
struct PlainCluster<'s> {
    scope: &'s Scope,
    guards: GuardSet,
    view: View,
}

impl PlainCluster<'_> {
    fn store_mut(&mut self, store: StoreId) -> &mut Store {
        self.view.stores.get_mut(&store).expect("a store of the cluster")
    }

    /// Fills in what follows from the peers, and leaves out what the scope does not ask.
    fn finish(&mut self, before: &View) {
        for (id, store) in &mut self.view.stores {
            store.pending_ranges = store.peers.values().filter_map(RangeEntry::pending).collect();
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
            rules::leave_out_commits(peers, self.view.held.iter_mut());
        }
    }
}

impl Cluster for PlainCluster<'_> {
    fn stores(&self) -> impl Iterator<Item = (StoreId, StoreStatus)> + '_ {
        self.view.stores()
    }

    fn status(&self, store: StoreId) -> Option<StoreStatus> {
        self.view.status(store)
    }

    fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        self.view.regions()
    }

    fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        self.view.peer(store, region)
    }

    fn ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        self.view.ranges(store)
    }

    fn held(&self) -> &[Held] {
        self.view.held()
    }

    fn pending_messages(&self, store: StoreId) -> &[Held] {
        self.view.pending_messages(store)
    }

    fn plan(&self, store: StoreId) -> Option<PlanUnderWay> {
        self.view.plan(store)
    }

    fn pd(&self) -> &PlacementDriver {
        self.view.pd()
    }
}

impl ClusterMut for PlainCluster<'_> {
    fn guards(&self) -> GuardSet {
        self.guards
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

    /// No action asks what is said outside its round.
    fn say(&mut self, _: Held) {}
}
