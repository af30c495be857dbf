//! What histories and properties read of a cluster as a whole.
//!
//! A history forgets what can no longer matter, and looks at every replica of every
//! region for that. Of each replica it reads a [`PeerSummary`], and of the keys of
//! other regions the [`RangeClaim`]s. A cluster that is a part of a large exploration
//! may keep these ready; any other makes them from its peers.

use std::borrow::Cow;

use crate::cluster::Cluster;
use crate::peer::{Peer, PeerState, Role};
use crate::region::{Epoch, Key, KeyRange, Region, RegionId, StoreId};
use crate::view::View;

/// A cluster, summed up for a history or a property. The answers follow from those of
/// [`Cluster`].
pub trait ClusterSummary: Cluster {
    /// The summary of every peer or tombstone of `region`.
    fn summaries(&self, region: RegionId) -> impl Iterator<Item = Cow<'_, PeerSummary>> + '_ {
        self.replicas(region).map(|(_, peer)| Cow::Owned(PeerSummary::of(peer)))
    }

    /// The key ranges that peers and tombstones claim for their regions.
    fn range_claims(&self) -> impl Iterator<Item = Cow<'_, RangeClaim>> + '_ {
        let of = |region| self.replicas(region).flat_map(|(_, peer)| RangeClaim::of(peer).map(Cow::Owned));
        self.regions().flat_map(of)
    }

    /// The key ranges that peers and tombstones of other regions than this claim.
    fn range_claims_of_others(&self, region: RegionId) -> impl Iterator<Item = Cow<'_, RangeClaim>> + '_ {
        self.range_claims().filter(move |claim| claim.region != region)
    }

    /// Whether a step that leads to `after` is known to have left the store as it was. Where
    /// that is not known the peers are compared.
    fn leaves_store(&self, _after: &Self, _store: StoreId) -> bool {
        false
    }

    /// Whether such a step is known to have left the placement driver as it was.
    fn leaves_pd(&self, _after: &Self) -> bool {
        false
    }
}

impl ClusterSummary for View {}

/// What a history reads of a peer or tombstone that the step did not change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerSummary {
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
/// It is little of a [`PeerSummary`] and changes seldom: not when members change, nor when
/// anything is written or elected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RangeClaim {
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

impl RangeClaim {
    /// What a peer or tombstone claims, and the snapshot that it is yet to apply.
    pub fn of(peer: &Peer) -> impl Iterator<Item = Self> {
        let summary = PeerSummary::of(peer);
        let by = match summary.state {
            PeerState::Normal | PeerState::Merging => Some(Claimant::Peer),
            PeerState::Tombstone if summary.merged_away => Some(Claimant::MergedAway),
            PeerState::Tombstone if summary.shows_epoch() => Some(Claimant::Tombstone),
            PeerState::Tombstone | PeerState::Uninitialised => None,
        };
        let own = by.map(|by| (summary.extent, by));
        let waiting = summary.snapshot.map(|extent| (extent, Claimant::Snapshot));
        own.into_iter().chain(waiting).map(|(extent, by)| Self {
            region: extent.region,
            version: extent.epoch.version,
            range: extent.range,
            by,
        })
    }
}

impl PeerSummary {
    /// Sums up a peer or tombstone.
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
        RangeClaim::of(peer).map(|claim| (claim.version, claim.by)).collect()
    }

    #[test]
    fn whoever_has_or_had_a_region_claims_its_keys() {
        let peer = Peer::blank(1, PeerState::Normal, region(1, 3));
        assert_eq!(claims(&peer), [(3, Claimant::Peer)]);
        let claim = RangeClaim::of(&peer).next().expect("a claim");
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
        assert!(RangeClaim::of(&busy).eq(RangeClaim::of(&peer)));
    }
}
