//! What histories and properties read of a cluster as a whole.
//!
//! To forget what no longer matters, a history looks at every replica of every region. It reads a
//! [`PeerSummary`] of each, and the [`RangeClaim`]s of other regions. The defaults compute both
//! from the peers. An implementation of [`ClusterSummary`] may store them.

use std::borrow::Cow;

use crate::cluster::Cluster;
use crate::peer::{Peer, PeerState, Role};
use crate::region::{Epoch, Key, KeyRange, Region, RegionId, StoreId};
use crate::view::View;

/// A cluster with summaries of its peers. They follow from [`Cluster`].
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

    /// The same without the claims of peers and tombstones of `region`.
    fn range_claims_of_others(&self, region: RegionId) -> impl Iterator<Item = Cow<'_, RangeClaim>> + '_ {
        self.range_claims().filter(move |claim| claim.region != region)
    }

    /// Whether this cluster and `other` share one value for the store, as `Arc::ptr_eq` would say.
    /// If so the store is equal in both; if not it may still be.
    fn shares_store(&self, _other: &Self, _store: StoreId) -> bool {
        false
    }

    /// The same of the placement driver.
    fn shares_pd(&self, _other: &Self) -> bool {
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
    /// Whether it is a candidate.
    pub is_candidate: bool,
    /// The term that a crash would leave.
    pub term: u64,
    /// The commit index that a crash would leave.
    pub commit: u64,
    /// The region as the peer knows it.
    pub extent: Extent,
    /// The region of its unapplied snapshot.
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

/// A key range that a peer or tombstone claims for its region.
///
/// It is a small part of a [`PeerSummary`] and changes seldom: conf changes, writes and elections
/// leave it alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RangeClaim {
    /// The region's id.
    pub region: RegionId,
    /// The version of its epoch: of two claims to a key, the higher version is newer.
    pub version: u64,
    /// The keys.
    pub range: KeyRange,
    /// What makes the claim.
    pub by: Claimant,
}

/// What makes a range claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claimant {
    /// An initialised peer.
    Peer,
    /// An unapplied snapshot.
    Snapshot,
    /// A tombstone, as of the peer's end.
    Tombstone,
    /// The tombstone of a peer that a merge ended: another region now has the keys.
    MergedAway,
}

impl RangeClaim {
    /// The claims of a peer or tombstone, and of its unapplied snapshot.
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
    /// The summary of a peer or tombstone.
    pub fn of(peer: &Peer) -> Self {
        Self {
            state: peer.state,
            merged_away: peer.is_merged_away(),
            is_candidate: peer.role == Role::Candidate,
            term: peer.durable.as_ref().map_or(peer.term, |durable| durable.term),
            commit: peer.durable.as_ref().map_or(peer.commit, |durable| durable.commit),
            extent: Extent::of(&peer.region),
            snapshot: peer.snapshot.as_ref().map(|snapshot| Extent::of(&snapshot.region)),
        }
    }

    /// Whether it has a region and is not a tombstone.
    pub fn is_initialized(&self) -> bool {
        matches!(self.state, PeerState::Normal | PeerState::Merging)
    }

    /// Whether it is not a tombstone.
    pub fn is_live(&self) -> bool {
        self.state != PeerState::Tombstone
    }

    /// An uninitialised peer and its tombstone have epoch zero.
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

    /// Members change, and no claim does.
    #[test]
    fn a_claim_says_nothing_of_members_nor_of_what_was_written() {
        let peer = Peer::blank(1, PeerState::Normal, region(1, 3));
        let moved = Region { epoch: Epoch { conf_ver: 9, version: 3 }, peers: Vec::new(), ..region(1, 3) };
        let busy = Peer { term: 9, commit: 12, region: moved, ..peer.clone() };
        assert!(RangeClaim::of(&busy).eq(RangeClaim::of(&peer)));
    }
}
