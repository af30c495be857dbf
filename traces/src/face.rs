//! What a peer shows to those who ask about its region as a whole.
//!
//! A history forgets what can no longer matter, and looks at every replica of a
//! region for that; of each it needs little. That little has a type of its own,
//! so that whoever compares or remembers faces knows that a history saw no more.

use crate::peer::{Peer, PeerState, Role};
use crate::region::{Epoch, Key, KeyRange, Region, RegionId};

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

/// That a region has these keys, as some peer or tombstone of it says.
///
/// It is little of a [`Face`] and changes seldom: not when members change, nor when
/// anything is written or elected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The region's id.
    pub region: RegionId,
    /// The version of its epoch: of two claims to a key the one with the higher is newer.
    pub version: u64,
    /// The keys.
    pub range: KeyRange,
    /// Who says so.
    pub by: Claimant,
}

/// Who says which keys are its region's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claimant {
    /// An initialised peer.
    Peer,
    /// A snapshot that a peer is yet to apply.
    Snapshot,
    /// A tombstone: it had them last.
    Tombstone,
    /// The tombstone of a peer that a merge ended: another region has them since.
    MergedAway,
}

impl Claim {
    /// What a peer or tombstone says, and the snapshot that it is yet to apply.
    pub fn of(peer: &Peer) -> impl Iterator<Item = Self> {
        let face = Face::of(peer);
        let by = match face.state {
            PeerState::Normal | PeerState::Merging => Some(Claimant::Peer),
            PeerState::Tombstone if face.merged_away => Some(Claimant::MergedAway),
            PeerState::Tombstone if face.shows_epoch() => Some(Claimant::Tombstone),
            PeerState::Tombstone | PeerState::Uninitialised => None,
        };
        let own = by.map(|by| (face.extent, by));
        let waiting = face.snapshot.map(|extent| (extent, Claimant::Snapshot));
        own.into_iter().chain(waiting).map(|(extent, by)| Self {
            region: extent.region,
            version: extent.epoch.version,
            range: extent.range,
            by,
        })
    }
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
    pub fn is_initialized(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogPosition;
    use crate::peer::Snapshot;
    use crate::region::{Member, MemberRole};

    fn region(id: RegionId, version: u64) -> Region {
        let member = Member { id: 1, store: 1, role: MemberRole::Voter };
        let epoch = Epoch { conf_ver: 4, version };
        Region { epoch, peers: vec![member], end: Key::from("m"), ..Region::unknown(id) }
    }

    fn claims(peer: &Peer) -> Vec<(u64, Claimant)> {
        Claim::of(peer).map(|claim| (claim.version, claim.by)).collect()
    }

    #[test]
    fn whoever_has_or_had_a_region_claims_its_keys() {
        let peer = Peer::blank(1, PeerState::Normal, region(1, 3));
        assert_eq!(claims(&peer), [(3, Claimant::Peer)]);
        let claim = Claim::of(&peer).next().expect("a claim");
        assert_eq!((claim.region, claim.range), (1, region(1, 3).range()));
        assert_eq!(claims(&Peer { state: PeerState::Merging, ..peer.clone() }), [(3, Claimant::Peer)]);
        let tombstone = Peer { state: PeerState::Tombstone, ..peer.clone() };
        assert_eq!(claims(&tombstone), [(3, Claimant::Tombstone)]);
        let merged = Peer { merged_into: Some(region(2, 5)), ..tombstone };
        assert_eq!(claims(&merged), [(3, Claimant::MergedAway)]);
    }

    #[test]
    fn who_never_had_one_claims_nothing_but_what_a_snapshot_brings() {
        for state in [PeerState::Uninitialised, PeerState::Tombstone] {
            assert_eq!(claims(&Peer::blank(1, state, Region::unknown(1))), []);
        }
        let position = LogPosition { index: 8, term: 6 };
        let snapshot = Snapshot { position, region: region(1, 7), data: Default::default() };
        let waiting =
            Peer { snapshot: Some(snapshot), ..Peer::blank(1, PeerState::Uninitialised, Region::unknown(1)) };
        assert_eq!(claims(&waiting), [(7, Claimant::Snapshot)]);
    }

    /// Members come and go, and nobody claims anything else.
    #[test]
    fn a_claim_says_nothing_of_members_nor_of_what_was_written() {
        let peer = Peer::blank(1, PeerState::Normal, region(1, 3));
        let moved = Region { epoch: Epoch { conf_ver: 9, version: 3 }, peers: Vec::new(), ..region(1, 3) };
        let busy = Peer { term: 9, commit: 12, region: moved, ..peer.clone() };
        assert!(Claim::of(&busy).eq(Claim::of(&peer)));
    }
}
