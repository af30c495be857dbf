//! A state under change: what a rule reads and writes while it takes one step.
//!
//! A peer is copied when a rule first writes to it; a rule that refuses before
//! it writes has cost no copy. Which parts of the state the rule has looked at is
//! noted: on the same parts it does the same again (`memo.rs`).

use std::cell::Cell;

use rollcall_traces::{
    Held, Member, MemberRole, Message, Peer, PeerState, PlacementDriver, Reason, RegionId, Snapshot, StoreId,
    StoreStatus,
};

use crate::guard::{Guard, GuardSet};
use crate::memo::{Noted, Side, Slot, Slots, note};
use crate::report::Report;
use crate::rules::{self, raft};
use crate::state::{Meta, Parts, Rest, State};

pub(crate) struct Draft<'m> {
    parts: &'m Parts,
    guards: GuardSet,
    before: State,
    /// By place of the store.
    peers: Vec<(usize, RegionId, Option<Peer>)>,
    metas: Vec<(usize, Meta)>,
    status: Option<(usize, StoreStatus)>,
    pd: Option<PlacementDriver>,
    held: Option<Vec<Held>>,
    /// Answers to parked messages: they belong to no round.
    said: Vec<Held>,
    looked_at: Noted,
}

impl<'m> Draft<'m> {
    pub(crate) fn new(parts: &'m Parts, guards: GuardSet, before: State) -> Self {
        Self {
            parts,
            guards,
            before,
            peers: Vec::new(),
            metas: Vec::new(),
            status: None,
            pd: None,
            held: None,
            said: Vec::new(),
            looked_at: Cell::new(Slots::NONE),
        }
    }

    pub(crate) fn holds(&self, guard: Guard) -> bool {
        self.guards.holds(guard)
    }

    pub(crate) fn guards(&self) -> GuardSet {
        self.guards
    }

    /// The state that it began with.
    pub(crate) fn before(&self) -> State {
        self.before
    }

    /// The parts that were looked at so far, those that were written among them.
    pub(crate) fn looked_at(&self) -> Slots {
        self.looked_at.get().settled()
    }

    /// The state with everything that was written, and what was said beside.
    pub(crate) fn finish(&mut self) -> (State, Vec<Held>) {
        let mut after = self.before;
        if self.parts.unsynced_commits {
            self.note_synced_commits();
        }
        if !self.parts.tells_commits {
            self.leave_out_commits();
        }
        if !(self.peers.is_empty() && self.metas.is_empty() && self.status.is_none()) {
            self.finish_stores(&mut after);
        }
        if self.pd.is_some() || self.held.is_some() {
            let mut rest = *self.parts.rest.get(self.before.rest);
            if let Some(pd) = &self.pd {
                rest.pd = self.parts.drivers.intern_ref(pd);
            }
            if let Some(held) = self.held.take() {
                rest.held = self.parts.held.intern(held);
            }
            after.rest = self.parts.rest.intern(rest);
        }
        (after, std::mem::take(&mut self.said))
    }

    /// What of each written peer's commit index is on disk.
    fn note_synced_commits(&mut self) {
        let (parts, before, guards) = (self.parts, &self.before, self.guards);
        for (at, region, peer) in &mut self.peers {
            if let Some(peer) = peer {
                peer.synced_commit = raft::synced_commit(parts.peer(before, *at, *region), peer, guards);
            }
        }
    }

    /// Nobody can ask for the commit indexes that leaders know of others.
    fn leave_out_commits(&mut self) {
        for (_, _, peer) in &mut self.peers {
            if let Some(leading) = peer.as_mut().and_then(|peer| peer.leading.as_mut()) {
                leading.committed.clear();
            }
        }
        for message in self.held.iter_mut().flatten() {
            if let Message::AppendAnswer { commit, .. } = &mut message.message {
                *commit = 0;
            }
        }
    }

    fn finish_stores(&self, after: &mut State) {
        for at in 0..self.parts.stores.len() {
            let is_touched = self.peers.iter().any(|(of, ..)| *of == at)
                || self.metas.iter().any(|(of, _)| *of == at)
                || self.status.is_some_and(|(of, _)| of == at);
            if !is_touched {
                continue;
            }
            let mut place = self.parts.place(&self.before, at).clone();
            for (_, region, peer) in self.peers.iter().filter(|(of, ..)| *of == at) {
                self.parts.apart.add(*region);
                place = place.with_peer(*region, peer.as_ref().map(|peer| self.parts.peers.intern_ref(peer)));
            }
            if let Some((_, meta)) = self.metas.iter().find(|(of, _)| *of == at) {
                place.meta = self.parts.metas.intern_ref(meta);
            }
            if let Some((_, status)) = self.status.filter(|(of, _)| *of == at) {
                place.status = status;
            }
            after.stores[at] = self.parts.places.intern(place);
        }
    }

    /// What is under way, oldest first.
    pub(crate) fn held(&self) -> &Vec<Held> {
        note(&self.looked_at, Slot::Held(Side::Before));
        self.held.as_ref().unwrap_or_else(|| self.parts.held.get(self.rest().held))
    }

    pub(crate) fn held_mut(&mut self) -> &mut Vec<Held> {
        if self.held.is_none() {
            self.held = Some(self.held().clone());
        }
        self.held.as_mut().expect("a copy to write to")
    }

    fn rest(&self) -> &'m Rest {
        self.parts.rest.get(self.before.rest)
    }

    /// The placement driver.
    pub(crate) fn pd(&self) -> &PlacementDriver {
        note(&self.looked_at, Slot::Pd(Side::Before));
        self.pd.as_ref().unwrap_or_else(|| self.parts.drivers.get(self.rest().pd))
    }

    pub(crate) fn pd_mut(&mut self) -> &mut PlacementDriver {
        if self.pd.is_none() {
            self.pd = Some(self.pd().clone());
        }
        self.pd.as_mut().expect("a copy to write to")
    }

    /// How many voters the placement driver wants of a region; 0 if it only
    /// allots ids.
    pub(crate) fn replicas_wanted(&self) -> u64 {
        self.parts.replicas
    }

    /// How many operators the patrol may have under way.
    pub(crate) fn schedule_limit(&self) -> usize {
        self.parts.schedule_limit
    }

    /// How many more may wait for their turn.
    pub(crate) fn waiting_limit(&self) -> usize {
        self.parts.waiting_limit
    }

    /// Whether the driver takes the store to have too little space for another peer.
    pub(crate) fn is_full(&self, store: StoreId) -> bool {
        rules::seems_full(&self.parts.full, &self.parts.tight, store, self.guards())
    }

    /// The peer or tombstone in that place.
    pub(crate) fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        let at = self.parts.store_place(store)?;
        self.note_peer(at, region);
        match self.peers.iter().find(|(of, id, _)| (*of, *id) == (at, region)) {
            Some((_, _, peer)) => peer.as_ref(),
            None => self.parts.peer(&self.before, at, region),
        }
    }

    /// The same, to be written to.
    ///
    /// # Panics
    /// Where there is none: look before.
    pub(crate) fn peer_mut(&mut self, store: StoreId, region: RegionId) -> &mut Peer {
        let at = self.place(store);
        self.note_peer(at, region);
        let written = match self.peers.iter().position(|(of, id, _)| (*of, *id) == (at, region)) {
            Some(written) => written,
            None => {
                self.peers.push((at, region, self.parts.peer(&self.before, at, region).cloned()));
                self.peers.len() - 1
            }
        };
        self.peers[written].2.as_mut().expect("a peer to write to")
    }

    /// Replaces whatever is in that place.
    pub(crate) fn put_peer(&mut self, store: StoreId, region: RegionId, peer: Option<Peer>) {
        let at = self.place(store);
        self.note_peer(at, region);
        match self.peers.iter_mut().find(|(of, id, _)| (*of, *id) == (at, region)) {
            Some(entry) => entry.2 = peer,
            None => self.peers.push((at, region, peer)),
        }
    }

    /// The regions of which the store has a peer or a tombstone.
    pub(crate) fn regions_on(&self, store: StoreId) -> Vec<RegionId> {
        let at = self.place(store);
        note(&self.looked_at, Slot::Store(Side::Before, at));
        let before = self.parts.place(&self.before, at).peers.iter().map(|(region, _)| *region);
        let written = self.peers.iter().filter(|(of, ..)| *of == at).map(|(_, region, _)| *region);
        let mut regions: Vec<_> =
            before.chain(written).filter(|region| self.peer(store, *region).is_some()).collect();
        regions.sort_unstable();
        regions.dedup();
        regions
    }

    pub(crate) fn meta(&self, store: StoreId) -> &Meta {
        let at = self.place(store);
        self.note_beside(at);
        let written = self.metas.iter().find(|(of, _)| *of == at).map(|(_, meta)| meta);
        written.unwrap_or_else(|| self.parts.meta(&self.before, at))
    }

    pub(crate) fn meta_mut(&mut self, store: StoreId) -> &mut Meta {
        let at = self.place(store);
        self.note_beside(at);
        let written = match self.metas.iter().position(|(of, _)| *of == at) {
            Some(written) => written,
            None => {
                self.metas.push((at, self.parts.meta(&self.before, at).clone()));
                self.metas.len() - 1
            }
        };
        &mut self.metas[written].1
    }

    pub(crate) fn status(&self, store: StoreId) -> Option<StoreStatus> {
        let at = self.parts.store_place(store)?;
        self.note_beside(at);
        let written = self.status.filter(|(of, _)| *of == at).map(|(_, status)| status);
        Some(written.unwrap_or_else(|| self.parts.place(&self.before, at).status))
    }

    pub(crate) fn set_status(&mut self, store: StoreId, status: StoreStatus) {
        let at = self.place(store);
        self.note_beside(at);
        self.status = Some((at, status));
    }

    fn place(&self, store: StoreId) -> usize {
        self.parts.store_place(store).expect("a store of the scope")
    }

    fn note_beside(&self, at: usize) {
        note(&self.looked_at, self.parts.apart.beside(at));
    }

    fn note_peer(&self, at: usize, region: RegionId) {
        note(&self.looked_at, self.parts.apart.peer(at, region));
    }

    /// Refuses unless the store runs.
    pub(crate) fn up(&self, store: StoreId) -> Result<(), Reason> {
        match self.status(store) {
            Some(StoreStatus::Up) => Ok(()),
            _ => Err(Reason::StoreDown),
        }
    }

    /// Whether the store runs: of all that a store is, this alone is looked at.
    pub(crate) fn runs(&self, store: StoreId) -> bool {
        let Some(at) = self.parts.store_place(store) else { return false };
        debug_assert!(self.status.is_none(), "asked before any status is written");
        note(&self.looked_at, Slot::Statuses(Side::Before));
        self.parts.place(&self.before, at).status == StoreStatus::Up
    }

    /// What the store's peer of `region` reports, as it was before the step.
    pub(crate) fn report(&self, store: StoreId, region: RegionId) -> Result<Report, Reason> {
        let at = self.parts.store_place(store).ok_or(Reason::StoreDown)?;
        debug_assert!(self.peers.is_empty() && self.status.is_none(), "asked before anything is written");
        note(&self.looked_at, self.parts.apart.report(at, region));
        self.parts.report(&self.before, at, region)
    }

    /// The live peer of `region` on a store that runs.
    pub(crate) fn live(&self, store: StoreId, region: RegionId) -> Result<&Peer, Reason> {
        self.up(store)?;
        self.peer(store, region).filter(|peer| is_live(peer)).ok_or(Reason::RegionNotFound)
    }

    /// The peer that leads `region` on a store that runs.
    pub(crate) fn leader(&self, store: StoreId, region: RegionId) -> Result<&Peer, Reason> {
        let peer = self.live(store, region)?;
        if peer.leading.is_some() { Ok(peer) } else { Err(Reason::NotLeader) }
    }

    /// Leaves a message under way.
    pub(crate) fn hold(&mut self, held: Held) {
        self.held_mut().push(held);
    }

    /// Says something that belongs to no round.
    pub(crate) fn say(&mut self, answer: Held) {
        self.said.push(answer);
    }
}

/// Neither a tombstone nor nothing.
pub(crate) fn is_live(peer: &Peer) -> bool {
    peer.state != PeerState::Tombstone
}

/// The peer as a member of its own region; one that its region does not list
/// (an uninitialised peer) is taken for a learner.
pub(crate) fn member_of_own_region(peer: &Peer, store: StoreId) -> Member {
    peer.region.member(peer.id).copied().unwrap_or(Member { id: peer.id, store, role: MemberRole::Learner })
}

/// The snapshot that a peer would send now.
pub(crate) fn snapshot_of(peer: &Peer) -> Snapshot {
    Snapshot {
        position: rollcall_traces::LogPosition {
            index: peer.applied,
            term: peer.log.term(peer.applied).unwrap_or_default(),
        },
        region: peer.region.clone(),
        data: peer.data.clone(),
    }
}
