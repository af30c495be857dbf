//! What a rule reads and writes: a cluster in the field's vocabulary.
//!
//! Rules read through [`Cluster`], as properties do, and write through [`ClusterMut`]. It has two
//! implementations: a plain view (`reference.rs`), which is the reference semantics, and the
//! transaction over the compact state, which exploration uses.

use rollcall_traces::{
    Budgets, Cluster, Held, History, Member, Message, Peer, PlacementDriver, PlanUnderWay, RangeEntry,
    Reason, RegionId, StoreId, StoreState, StoreStatus,
};

use crate::guard::{Guard, GuardSet};
use crate::rules::pd::report::Report;
use crate::rules::peer::is_live;

/// A cluster within a scope, with its history and spent budgets: what bounds read. Cheap to copy.
pub trait ClusterInScope: Cluster + Copy {
    /// The store at this place in the scope.
    fn store_at(&self, at: usize) -> StoreId;
    /// The members of the first configuration, in their first roles.
    fn founders(&self) -> impl Iterator<Item = &Member> + '_;
    /// Whether the region existed at first; the others were created by a split.
    fn is_founded(&self, region: RegionId) -> bool;
    /// The number of voters that PD wants in a region; 0 if PD only allots ids.
    fn replicas_wanted(&self) -> u64;
    /// The history up to this state.
    fn history(&self) -> &History;
    /// The spent budgets.
    fn spent(&self) -> &Budgets;
}

/// Whether the store is Tombstone because an administrator declared it gone: it was given up by
/// force, or was buried once PD knew of no peer there. It may still run.
pub(crate) fn is_given_up(cluster: &impl Cluster, store: StoreId) -> bool {
    let known = cluster.pd().stores.get(&store);
    known.is_some_and(|known| known.state == StoreState::Tombstone && known.physically_destroyed)
}

/// Clears the commit indexes that leaders know of other peers, if no rule of the scope reads them
/// (`Scope::reports_commits`): they would only multiply states.
pub(crate) fn clear_known_commits<'a>(
    peers: impl Iterator<Item = &'a mut Peer>,
    held: impl Iterator<Item = &'a mut Held>,
) {
    peers.filter_map(|peer| peer.leading.as_mut()).for_each(|leading| leading.committed.clear());
    for held in held {
        if let Message::AppendResponse { commit, .. } = &mut held.message {
            *commit = 0;
        }
    }
}

/// A cluster that a rule may change.
pub(crate) trait ClusterMut: Cluster {
    /// The guards that hold.
    fn guards(&self) -> GuardSet;
    /// The number of voters that PD wants in a region; 0 if PD only allots ids.
    fn replicas_wanted(&self) -> u64;
    /// How many operators the patrol may run at a time.
    fn schedule_limit(&self) -> usize;
    /// How many more may wait.
    fn waiting_limit(&self) -> usize;
    /// Whether PD regards the store as having too little space for another peer.
    fn is_full(&self, store: StoreId) -> bool;

    /// The peer or tombstone of `region` on `store`, mutable.
    ///
    /// # Panics
    ///
    /// If there is none.
    fn peer_mut(&mut self, store: StoreId, region: RegionId) -> &mut Peer;
    /// Replaces the peer or tombstone of `region` on `store`.
    fn put_peer(&mut self, store: StoreId, region: RegionId, peer: Option<Peer>);
    /// Sets the status of the store.
    fn set_status(&mut self, store: StoreId, status: StoreStatus);
    /// The store's index from key range to region, in key order.
    fn ranges_mut(&mut self, store: StoreId) -> &mut Vec<RangeEntry>;
    /// The store's pending messages, oldest first.
    fn pending_messages_mut(&mut self, store: StoreId) -> &mut Vec<Held>;
    /// Sets the unsafe recovery plan that the store is executing.
    fn set_plan(&mut self, store: StoreId, plan: Option<PlanUnderWay>);
    /// The placement driver.
    fn pd_mut(&mut self) -> &mut PlacementDriver;
    /// The delayed messages, oldest first.
    fn held_mut(&mut self) -> &mut Vec<Held>;
    /// Sends a reply that belongs to no round.
    fn send_reply(&mut self, reply: Held);

    /// Whether the guard holds.
    fn holds(&self, guard: Guard) -> bool {
        self.guards().holds(guard)
    }

    /// Refuses unless the store runs.
    ///
    /// # Errors
    ///
    /// It is down, lost or unknown.
    fn up(&self, store: StoreId) -> Result<(), Reason> {
        match self.status(store) {
            Some(StoreStatus::Up) => Ok(()),
            _ => Err(Reason::StoreDown),
        }
    }

    /// Whether the store runs.
    fn runs(&self, store: StoreId) -> bool {
        self.status(store) == Some(StoreStatus::Up)
    }

    /// The live peer of `region` on a running store.
    ///
    /// # Errors
    ///
    /// The store does not run, or has no live peer of the region.
    fn live(&self, store: StoreId, region: RegionId) -> Result<&Peer, Reason> {
        self.up(store)?;
        self.peer(store, region).filter(|peer| is_live(peer)).ok_or(Reason::RegionNotFound)
    }

    /// The leader of `region` on a running store.
    ///
    /// # Errors
    ///
    /// As [`ClusterMut::live`], or the peer does not lead.
    fn leader(&self, store: StoreId, region: RegionId) -> Result<&Peer, Reason> {
        let peer = self.live(store, region)?;
        if peer.leading.is_some() { Ok(peer) } else { Err(Reason::NotLeader) }
    }

    /// The report of the store's leader of `region` to PD, except its down peers. A rule must not
    /// have written to the cluster before.
    ///
    /// # Errors
    ///
    /// As [`ClusterMut::leader`].
    fn report(&self, store: StoreId, region: RegionId) -> Result<Report, Reason> {
        let status = self.status(store).ok_or(Reason::StoreDown)?;
        Report::of(store, status, self.peer(store, region))
    }

    /// Drops matching pending messages of the store, without a write if there are none.
    fn drop_pending_messages(&mut self, store: StoreId, is_dropped: impl Fn(&Held) -> bool) {
        if self.pending_messages(store).iter().any(&is_dropped) {
            self.pending_messages_mut(store).retain(|held| !is_dropped(held));
        }
    }

    /// Adds a delayed message.
    fn hold(&mut self, held: Held) {
        self.held_mut().push(held);
    }
}
