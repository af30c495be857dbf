//! A state under change: what a rule reads and writes in one step.
//!
//! A peer is copied at the first write, so a rule that refuses before it writes copies nothing. The
//! parts that the rule reads are recorded: on the same parts it does the same again
//! (`engine::memo`).

use std::cell::Cell;
use std::collections::BTreeSet;

use rollcall_traces::{
    Action, Cluster, Held, Message, Outcome, Peer, PlacementDriver, PlanUnderWay, RangeEntry, Reason,
    RegionId, StoreId, StoreStatus,
};

use crate::cluster::{self, ClusterMut};
use crate::engine::memo::{ReadTracker, Side, Slot, Slots, track};
use crate::engine::state::{InternTables, Rest, State, StoreMeta};
use crate::guard::GuardSet;
use crate::rules::Report;
use crate::rules::{self, persist, raft};

pub(crate) struct StepTxn<'m> {
    parts: &'m InternTables,
    guards: GuardSet,
    before: State,
    /// By the store's place.
    peers: Vec<(usize, RegionId, Option<Peer>)>,
    metas: Vec<(usize, StoreMeta)>,
    status: Option<(usize, StoreStatus)>,
    pd: Option<PlacementDriver>,
    held: Option<Vec<Held>>,
    /// Replies to pending messages, which belong to no round.
    said: Vec<Held>,
    read_set: ReadTracker,
}

impl<'m> StepTxn<'m> {
    pub(crate) fn new(parts: &'m InternTables, guards: GuardSet, before: State) -> Self {
        Self {
            parts,
            guards: guards.with_persistence(parts.late_persistence),
            before,
            peers: Vec::new(),
            metas: Vec::new(),
            status: None,
            pd: None,
            held: None,
            said: Vec::new(),
            read_set: Cell::new(Slots::NONE),
        }
    }

    /// The parts that were read or written so far.
    pub(crate) fn read_set(&self) -> Slots {
        self.read_set.get().settled()
    }

    /// The state after all writes, and the replies outside rounds.
    pub(crate) fn finish(&mut self) -> (State, Vec<Held>) {
        let mut after = self.before;
        if self.parts.unsynced_commits {
            self.note_synced_commits();
        }
        if self.parts.late_persistence {
            self.note_durable();
        }
        if !self.parts.reports_commits {
            self.clear_known_commits();
        }
        if !(self.peers.is_empty() && self.metas.is_empty() && self.status.is_none()) {
            self.finish_stores(&mut after);
        }
        if self.pd.is_some() || self.held.is_some() {
            let mut rest = *self.parts.rest.get(self.before.rest);
            if let Some(pd) = &self.pd {
                rest.pd = self.parts.pds.intern_ref(pd);
            }
            if let Some(held) = self.held.take() {
                rest.held = self.parts.held.intern(held);
            }
            after.rest = self.parts.rest.intern(rest);
        }
        (after, std::mem::take(&mut self.said))
    }

    /// Records how much of each written peer's commit index is on disk.
    fn note_synced_commits(&mut self) {
        let (parts, before, guards) = (self.parts, &self.before, self.guards);
        for (at, region, peer) in &mut self.peers {
            if let Some(peer) = peer {
                peer.synced_commit = raft::synced_commit(parts.peer(before, *at, *region), peer, guards);
            }
        }
    }

    /// What of each written peer is durable.
    fn note_durable(&mut self) {
        let (parts, before, guards) = (self.parts, &self.before, self.guards);
        for (at, region, peer) in &mut self.peers {
            if let Some(peer) = peer {
                persist::settle(parts.peer(before, *at, *region), peer, guards);
            }
        }
    }

    /// Clears the commit indexes of other peers if nothing in the scope reads them.
    fn clear_known_commits(&mut self) {
        let peers = self.peers.iter_mut().filter_map(|(_, _, peer)| peer.as_mut());
        cluster::clear_known_commits(peers, self.held.iter_mut().flatten());
    }

    fn finish_stores(&self, after: &mut State) {
        for at in 0..self.parts.stores.len() {
            let is_touched = self.peers.iter().any(|(of, ..)| *of == at)
                || self.metas.iter().any(|(of, _)| *of == at)
                || self.status.is_some_and(|(of, _)| of == at);
            if !is_touched {
                continue;
            }
            let mut place = self.parts.store(&self.before, at).clone();
            for (_, region, peer) in self.peers.iter().filter(|(of, ..)| *of == at) {
                self.parts.region_slots.add(*region);
                place = place.with_peer(*region, peer.as_ref().map(|peer| self.parts.peers.intern_ref(peer)));
            }
            if let Some((_, meta)) = self.metas.iter().find(|(of, _)| *of == at) {
                place.meta = self.parts.metas.intern_ref(meta);
            }
            if let Some((_, status)) = self.status.filter(|(of, _)| *of == at) {
                place.status = status;
            }
            after.stores[at] = self.parts.store_parts.intern(place);
        }
    }

    fn rest(&self) -> &'m Rest {
        self.parts.rest.get(self.before.rest)
    }

    fn meta(&self, store: StoreId) -> &StoreMeta {
        let at = self.index_of(store);
        self.track_beside(at);
        let written = self.metas.iter().find(|(of, _)| *of == at).map(|(_, meta)| meta);
        written.unwrap_or_else(|| self.parts.meta(&self.before, at))
    }

    fn meta_mut(&mut self, store: StoreId) -> &mut StoreMeta {
        let at = self.index_of(store);
        self.track_beside(at);
        let written = match self.metas.iter().position(|(of, _)| *of == at) {
            Some(written) => written,
            None => {
                self.metas.push((at, self.parts.meta(&self.before, at).clone()));
                self.metas.len() - 1
            }
        };
        &mut self.metas[written].1
    }

    fn index_of(&self, store: StoreId) -> usize {
        self.parts.store_place(store).expect("a store of the scope")
    }

    fn track_beside(&self, at: usize) {
        track(&self.read_set, self.parts.region_slots.beside(at));
    }

    fn track_peer(&self, at: usize, region: RegionId) {
        track(&self.read_set, self.parts.region_slots.peer(at, region));
    }
}

impl Cluster for StepTxn<'_> {
    fn stores(&self) -> impl Iterator<Item = (StoreId, StoreStatus)> + '_ {
        self.parts.stores.iter().map(|store| (*store, self.status(*store).expect("a store of the scope")))
    }

    fn status(&self, store: StoreId) -> Option<StoreStatus> {
        let at = self.parts.store_place(store)?;
        self.track_beside(at);
        let written = self.status.filter(|(of, _)| *of == at).map(|(_, status)| status);
        Some(written.unwrap_or_else(|| self.parts.store(&self.before, at).status))
    }

    fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        let regions: BTreeSet<_> =
            self.parts.stores.iter().flat_map(|store| self.regions_on(*store)).collect();
        regions.into_iter()
    }

    fn regions_on(&self, store: StoreId) -> impl Iterator<Item = RegionId> + '_ {
        let at = self.index_of(store);
        track(&self.read_set, Slot::Store(Side::Before, at));
        let before = self.parts.store(&self.before, at).peers.iter().map(|(region, _)| *region);
        let written = self.peers.iter().filter(|(of, ..)| *of == at).map(|(_, region, _)| *region);
        let mut regions: Vec<_> =
            before.chain(written).filter(|region| self.peer(store, *region).is_some()).collect();
        regions.sort_unstable();
        regions.dedup();
        regions.into_iter()
    }

    fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        let at = self.parts.store_place(store)?;
        self.track_peer(at, region);
        match self.peers.iter().find(|(of, id, _)| (*of, *id) == (at, region)) {
            Some((_, _, peer)) => peer.as_ref(),
            None => self.parts.peer(&self.before, at, region),
        }
    }

    fn ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        self.meta(store).ranges.iter().cloned()
    }

    fn held(&self) -> &[Held] {
        track(&self.read_set, Slot::Held(Side::Before));
        self.held.as_ref().unwrap_or_else(|| self.parts.held.get(self.rest().held))
    }

    fn pending_messages(&self, store: StoreId) -> &[Held] {
        &self.meta(store).pending_messages
    }

    fn recovery_plan(&self, store: StoreId) -> Option<PlanUnderWay> {
        self.meta(store).plan
    }

    fn pd(&self) -> &PlacementDriver {
        track(&self.read_set, Slot::Pd(Side::Before));
        self.pd.as_ref().unwrap_or_else(|| self.parts.pds.get(self.rest().pd))
    }
}

impl ClusterMut for StepTxn<'_> {
    fn guards(&self) -> GuardSet {
        self.guards
    }

    fn replicas_wanted(&self) -> u64 {
        self.parts.replicas
    }

    fn schedule_limit(&self) -> usize {
        self.parts.schedule_limit
    }

    fn waiting_limit(&self) -> usize {
        self.parts.waiting_limit
    }

    fn is_full(&self, store: StoreId) -> bool {
        rules::seems_full(&self.parts.full, &self.parts.low_space, store, self.guards)
    }

    fn peer_mut(&mut self, store: StoreId, region: RegionId) -> &mut Peer {
        let at = self.index_of(store);
        self.track_peer(at, region);
        let written = match self.peers.iter().position(|(of, id, _)| (*of, *id) == (at, region)) {
            Some(written) => written,
            None => {
                self.peers.push((at, region, self.parts.peer(&self.before, at, region).cloned()));
                self.peers.len() - 1
            }
        };
        self.peers[written].2.as_mut().expect("a peer to write to")
    }

    fn put_peer(&mut self, store: StoreId, region: RegionId, peer: Option<Peer>) {
        let at = self.index_of(store);
        self.track_peer(at, region);
        match self.peers.iter_mut().find(|(of, id, _)| (*of, *id) == (at, region)) {
            Some(entry) => entry.2 = peer,
            None => self.peers.push((at, region, peer)),
        }
    }

    fn set_status(&mut self, store: StoreId, status: StoreStatus) {
        let at = self.index_of(store);
        self.track_beside(at);
        self.status = Some((at, status));
    }

    fn ranges_mut(&mut self, store: StoreId) -> &mut Vec<RangeEntry> {
        &mut self.meta_mut(store).ranges
    }

    fn pending_messages_mut(&mut self, store: StoreId) -> &mut Vec<Held> {
        &mut self.meta_mut(store).pending_messages
    }

    fn set_plan(&mut self, store: StoreId, plan: Option<PlanUnderWay>) {
        self.meta_mut(store).plan = plan;
    }

    fn pd_mut(&mut self) -> &mut PlacementDriver {
        if self.pd.is_none() {
            self.pd = Some(self.pd().clone());
        }
        self.pd.as_mut().expect("a copy to write to")
    }

    fn held_mut(&mut self) -> &mut Vec<Held> {
        if self.held.is_none() {
            self.held = Some(self.held().to_vec());
        }
        self.held.as_mut().expect("a copy to write to")
    }

    fn send_reply(&mut self, reply: Held) {
        self.said.push(reply);
    }

    /// Reads only the status of the store.
    fn runs(&self, store: StoreId) -> bool {
        let Some(at) = self.parts.store_place(store) else { return false };
        debug_assert!(self.status.is_none(), "asked before any status is written");
        track(&self.read_set, Slot::Statuses(Side::Before));
        self.parts.store(&self.before, at).status == StoreStatus::Up
    }

    /// Reads only the report of the peer.
    fn report(&self, store: StoreId, region: RegionId) -> Result<Report, Reason> {
        let at = self.parts.store_place(store).ok_or(Reason::StoreDown)?;
        debug_assert!(self.peers.is_empty() && self.status.is_none(), "asked before anything is written");
        track(&self.read_set, self.parts.region_slots.report(at, region));
        self.parts.report(&self.before, at, region)
    }
}

/// Takes one action by the rules. Also returns the replies that belong to no round.
pub(crate) fn step(
    parts: &InternTables,
    guards: GuardSet,
    state: &State,
    action: &Action,
) -> (State, Outcome, Vec<Held>) {
    step_in(&mut StepTxn::new(parts, guards, *state), action)
}

/// The same in an empty transaction.
pub(crate) fn step_in(txn: &mut StepTxn, action: &Action) -> (State, Outcome, Vec<Held>) {
    let taken = rules::step(txn, action);
    let (after, said) = txn.finish();
    (after, rules::outcome(taken, after != txn.before), said)
}

/// Delivers a single message, outside rounds and budgets.
pub(crate) fn deliver(
    parts: &InternTables,
    guards: GuardSet,
    state: &State,
    message: Held,
) -> (State, Outcome, Option<Held>) {
    let mut txn = StepTxn::new(parts, guards, *state);
    let (result, reply) = rules::deliver(&mut txn, message);
    let (after, _) = txn.finish();
    match result {
        Err(reason) if after == *state => (after, Outcome::Refused(reason), reply),
        _ => (after, Outcome::DONE, reply),
    }
}

/// Records that a single message was sent.
pub(crate) fn sent(parts: &InternTables, guards: GuardSet, state: &State, message: &Held) -> State {
    let mut txn = StepTxn::new(parts, guards, *state);
    rules::mark_sent(&mut txn, message);
    txn.finish().0
}

/// The leader's question to the transferee: the first message of a leadership transfer.
pub(crate) fn transfer_question(
    parts: &InternTables,
    guards: GuardSet,
    state: &State,
    region: RegionId,
    store: StoreId,
    to: StoreId,
) -> Result<Held, Reason> {
    let txn = StepTxn::new(parts, guards, *state);
    let question = rules::pre_transfer_leader(&txn, region, store, to)?;
    Ok(question.holding(Message::PreTransferLeader))
}
