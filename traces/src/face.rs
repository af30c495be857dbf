//! What a peer shows to those who ask about its region as a whole.
//!
//! A history forgets what can no longer matter, and looks at every replica of a
//! region for that; of each it needs little. That little has a type of its own,
//! so that whoever compares or remembers faces knows that a history saw no more.

use crate::region::{Epoch, Key, KeyRange, Region, RegionId};
use crate::view::{Peer, PeerState, Role};

/// What its region's history goes by of a peer that did not move.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Face {
    /// Uninitialised, normal, merging, or a tombstone.
    pub state: PeerState,
    /// Whether it is the tombstone of a peer that a merge ended.
    pub merged_away: bool,
    /// Whether it asks for votes.
    pub is_candidate: bool,
    /// The term.
    pub term: u64,
    /// The commit index.
    pub commit: u64,
    /// The region as it knows it.
    pub extent: Extent,
    /// The region of the snapshot that it is yet to apply.
    pub snapshot: Option<Extent>,
}

/// A region without its members.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// The region's id.
    pub region: RegionId,
    /// The epoch.
    pub epoch: Epoch,
    /// The keys.
    pub range: KeyRange,
}

impl Face {
    /// The face of a peer or tombstone.
    pub fn of(peer: &Peer) -> Self {
        Self {
            state: peer.state,
            merged_away: peer.is_merged_away(),
            is_candidate: peer.role == Role::Candidate,
            term: peer.term,
            commit: peer.commit,
            extent: Extent::of(&peer.region),
            snapshot: peer.snapshot.as_ref().map(|snapshot| Extent::of(&snapshot.region)),
        }
    }

    /// Whether it has a region, and is no tombstone.
    pub fn is_initialised(&self) -> bool {
        matches!(self.state, PeerState::Normal | PeerState::Merging)
    }

    /// Whether it is no tombstone.
    pub fn is_live(&self) -> bool {
        self.state != PeerState::Tombstone
    }

    /// A peer that never was initialised, and its tombstone, have epoch zero.
    pub fn shows_epoch(&self) -> bool {
        self.state != PeerState::Uninitialised && self.extent.epoch != Epoch::default()
    }
}

impl Extent {
    /// The extent of a region.
    pub fn of(region: &Region) -> Self {
        Self { region: region.id, epoch: region.epoch, range: region.range() }
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &Key) -> bool {
        *key >= self.range.start && (self.range.end.is_empty() || *key < self.range.end)
    }
}
