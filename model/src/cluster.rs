//! What a rule reads and writes: a cluster in the field's vocabulary.
//!
//! Reading is [`Cluster`], by which properties read, too. Writing is the little that
//! rules need beside. Two things implement it: a plain view (`reference.rs`),
//! which is the reference semantics, and the transaction of the compact state,
//! which exploration uses.

use rollcall_traces::{
    Budgets, Cluster, Held, History, Member, Message, Peer, PlacementDriver, PlanUnderWay, RangeEntry,
    Reason, RegionId, StoreId, StoreState, StoreStatus,
};

use crate::guard::{Guard, GuardSet};
use crate::rules::pd::report::Report;
use crate::rules::peer::is_live;

/// A cluster within a scope, beside what earlier states left behind: what bounds read.
/// Cheap to copy.
pub trait ClusterInScope: Cluster + Copy {
    /// The store with this place in the scope.
    fn store_at(&self, at: usize) -> StoreId;
    /// The members that the regions began with, in their first roles.
    fn founders(&self) -> impl Iterator<Item = &Member> + '_;
    /// Whether the region was there first; the others came by a split.
    fn is_founded(&self, region: RegionId) -> bool;
    /// How many voters the placement driver wants of a region; 0 if it only allots ids.
    fn replicas_wanted(&self) -> u64;
    /// What earlier states left behind.
    fn history(&self) -> &History;
    /// What was spent of each budget.
    fn spent(&self) -> &Budgets;
}

/// Whether the store is Tombstone for an administrator said that its disk is gone:
/// it was given up by force, or was buried once PD knew of no peer there. It may
/// run on.
pub(crate) fn is_given_up(cluster: &impl Cluster, store: StoreId) -> bool {
    let known = cluster.pd().stores.get(&store);
    known.is_some_and(|known| known.state == StoreState::Tombstone && known.physically_destroyed)
}

/// Leaves out the commit indexes that leaders know of others, where no rule of the scope
/// asks for them (`Scope::reports_commits`): they would only distinguish states.
pub(crate) fn leave_out_commits<'a>(
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
    /// How many voters the placement driver wants of a region; 0 if it only allots ids.
    fn replicas_wanted(&self) -> u64;
    /// How many operators the patrol may have under way.
    fn schedule_limit(&self) -> usize;
    /// How many more may wait for their turn.
    fn waiting_limit(&self) -> usize;
    /// Whether the placement driver takes the store to have too little space for
    /// another peer.
    fn is_full(&self, store: StoreId) -> bool;

    /// The peer or tombstone in that place, to be written to.
    ///
    /// # Panics
    /// Where there is none: look before.
    fn peer_mut(&mut self, store: StoreId, region: RegionId) -> &mut Peer;
    /// Replaces whatever is in that place.
    fn put_peer(&mut self, store: StoreId, region: RegionId, peer: Option<Peer>);
    /// The store runs, is down or is gone from now on.
    fn set_status(&mut self, store: StoreId, status: StoreStatus);
    /// The store's index from key range to region, in key order.
    fn ranges_mut(&mut self, store: StoreId) -> &mut Vec<RangeEntry>;
    /// The store's pending messages, oldest first.
    fn pending_messages_mut(&mut self, store: StoreId) -> &mut Vec<Held>;
    /// The plan of an unsafe recovery that the store carries out from now on.
    fn set_plan(&mut self, store: StoreId, plan: Option<PlanUnderWay>);
    /// The placement driver.
    fn pd_mut(&mut self) -> &mut PlacementDriver;
    /// The messages under way, oldest first.
    fn held_mut(&mut self) -> &mut Vec<Held>;
    /// Sends an answer to a message that belongs to no round.
    fn send_reply(&mut self, reply: Held);

    /// Whether the guard holds.
    fn holds(&self, guard: Guard) -> bool {
        self.guards().holds(guard)
    }

    /// Refuses unless the store runs.
    ///
    /// # Errors
    /// It is down, gone or unknown.
    fn up(&self, store: StoreId) -> Result<(), Reason> {
        match self.status(store) {
            Some(StoreStatus::Up) => Ok(()),
            _ => Err(Reason::StoreDown),
        }
    }

    /// Whether the store runs. A rule that wants to know no more of a store asks this.
    fn runs(&self, store: StoreId) -> bool {
        self.status(store) == Some(StoreStatus::Up)
    }

    /// The live peer of `region` on a store that runs.
    ///
    /// # Errors
    /// The store does not run, or has no live peer of it.
    fn live(&self, store: StoreId, region: RegionId) -> Result<&Peer, Reason> {
        self.up(store)?;
        self.peer(store, region).filter(|peer| is_live(peer)).ok_or(Reason::RegionNotFound)
    }

    /// The peer that leads `region` on a store that runs.
    ///
    /// # Errors
    /// As [`ClusterMut::live`], or it does not lead.
    fn leader(&self, store: StoreId, region: RegionId) -> Result<&Peer, Reason> {
        let peer = self.live(store, region)?;
        if peer.leading.is_some() { Ok(peer) } else { Err(Reason::NotLeader) }
    }

    /// What the store's peer of `region` reports to the placement driver, before the
    /// rule has written anything.
    ///
    /// # Errors
    /// As [`ClusterMut::leader`].
    fn report(&self, store: StoreId, region: RegionId) -> Result<Report, Reason> {
        let status = self.status(store).ok_or(Reason::StoreDown)?;
        Report::of(store, status, self.peer(store, region))
    }

    /// Drops such pending messages of the store. Where there is none nothing is written.
    fn drop_pending_messages(&mut self, store: StoreId, is_dropped: impl Fn(&Held) -> bool) {
        if self.pending_messages(store).iter().any(&is_dropped) {
            self.pending_messages_mut(store).retain(|held| !is_dropped(held));
        }
    }

    /// Leaves a message under way.
    fn hold(&mut self, held: Held) {
        self.held_mut().push(held);
    }
}
