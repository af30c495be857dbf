//! A state under change: what a rule reads and writes while it takes one step.
//!
//! A peer is copied when a rule first writes to it; a rule that refuses before
//! it writes has cost no copy.

use rollcall_traces::{
    Held, Member, MemberRole, Peer, PeerState, Reason, RegionId, Snapshot, StoreId, StoreStatus,
};

use crate::guard::{Guard, GuardSet};
use crate::state::{Parts, Rest, State};

pub(crate) struct Draft<'m> {
    parts: &'m Parts,
    guards: GuardSet,
    before: State,
    peers: Vec<(usize, Option<Peer>)>,
    rest: Option<Rest>,
}

impl<'m> Draft<'m> {
    pub(crate) fn new(parts: &'m Parts, guards: GuardSet, before: State) -> Self {
        Self { parts, guards, before, peers: Vec::new(), rest: None }
    }

    pub(crate) fn holds(&self, guard: Guard) -> bool {
        self.guards.holds(guard)
    }

    pub(crate) fn guards(&self) -> GuardSet {
        self.guards
    }

    pub(crate) fn regions(&self) -> Vec<RegionId> {
        self.parts.regions.clone()
    }

    /// The state with everything that was written.
    pub(crate) fn finish(self) -> State {
        let mut after = self.before;
        for (slot, peer) in self.peers {
            after.peers[slot] = self.parts.peers.intern(peer);
        }
        if let Some(rest) = self.rest {
            after.rest = self.parts.rest.intern(rest);
        }
        after
    }

    pub(crate) fn rest(&self) -> &Rest {
        self.rest.as_ref().unwrap_or_else(|| self.parts.rest.get(self.before.rest))
    }

    pub(crate) fn rest_mut(&mut self) -> &mut Rest {
        let (parts, before) = (self.parts, self.before);
        self.rest.get_or_insert_with(|| parts.rest.get(before.rest).clone())
    }

    /// The peer or tombstone in that place.
    pub(crate) fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        let slot = self.parts.slot(store, region)?;
        match self.peers.iter().find(|(at, _)| *at == slot) {
            Some((_, peer)) => peer.as_ref(),
            None => self.parts.peer(&self.before, slot),
        }
    }

    /// The same, to be written to.
    ///
    /// # Panics
    /// Where there is none: look before.
    pub(crate) fn peer_mut(&mut self, store: StoreId, region: RegionId) -> &mut Peer {
        let slot = self.parts.slot(store, region).expect("store and region of the scope");
        let place = match self.peers.iter().position(|(at, _)| *at == slot) {
            Some(place) => place,
            None => {
                self.peers.push((slot, self.parts.peer(&self.before, slot).cloned()));
                self.peers.len() - 1
            }
        };
        self.peers[place].1.as_mut().expect("a peer to write to")
    }

    /// Replaces whatever is in that place.
    pub(crate) fn put_peer(&mut self, store: StoreId, region: RegionId, peer: Option<Peer>) {
        let slot = self.parts.slot(store, region).expect("store and region of the scope");
        match self.peers.iter_mut().find(|(at, _)| *at == slot) {
            Some(entry) => entry.1 = peer,
            None => self.peers.push((slot, peer)),
        }
    }

    pub(crate) fn status(&self, store: StoreId) -> Option<StoreStatus> {
        Some(self.rest().status[self.parts.store_place(store)?])
    }

    pub(crate) fn set_status(&mut self, store: StoreId, status: StoreStatus) {
        let place = self.parts.store_place(store).expect("a store of the scope");
        self.rest_mut().status[place] = status;
    }

    /// Refuses unless the store runs.
    pub(crate) fn up(&self, store: StoreId) -> Result<(), Reason> {
        match self.status(store) {
            Some(StoreStatus::Up) => Ok(()),
            _ => Err(Reason::StoreDown),
        }
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
        self.rest_mut().held.push(held);
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
