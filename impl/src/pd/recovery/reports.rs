//! The stores' reports, and the newest regions in them.
//!
//! Follows `PD unsafe_recovery_controller.go buildUpFromReports, canElectLeader,
//! getFailedPeers`.

use std::collections::{BTreeMap, BTreeSet};

use super::force::{Standing, force_leader};
use crate::guard::Guards;
use crate::proto::position::Position;
use crate::proto::recovery::{ForceLeader, PeerReport};
use crate::proto::region::{Member, MemberRole, PeerId, Region, RegionId, StoreId};

/// The reports of all stores that PD waited for.
pub(super) struct Reports<'a> {
    failed: &'a BTreeSet<StoreId>,
    all: &'a BTreeMap<StoreId, Option<Vec<PeerReport>>>,
    /// The initialised peers, by region and in the order of their stores.
    by_region: BTreeMap<RegionId, Vec<(StoreId, &'a PeerReport)>>,
    /// The newest report of each region that overlaps no newer one, in key order.
    tree: Vec<(StoreId, &'a PeerReport)>,
}

impl<'a> Reports<'a> {
    pub(super) fn new(
        failed: &'a BTreeSet<StoreId>,
        reports: &'a BTreeMap<StoreId, Option<Vec<PeerReport>>>,
    ) -> Self {
        let mut by_region: BTreeMap<RegionId, Vec<(StoreId, &PeerReport)>> = BTreeMap::new();
        for (store, report) in reports {
            let known = report.iter().flatten().filter(|peer| peer.is_initialized());
            for peer in known {
                by_region.entry(peer.region.id).or_default().push((*store, peer));
            }
        }
        let tree = tree(by_region.values().map(|peers| newest(peers)).collect());
        Self { failed, all: reports, by_region, tree }
    }

    /// The newest regions, each with the store that reported it, in key order.
    pub(super) fn regions(&self) -> impl Iterator<Item = (StoreId, &'a Region)> {
        self.tree.iter().map(|(store, peer)| (*store, &peer.region))
    }

    /// Every peer, uninitialised ones included, in the order of their stores.
    pub(super) fn reported(&self) -> impl Iterator<Item = (StoreId, &'a PeerReport)> {
        self.all.iter().flat_map(|(store, report)| report.iter().flatten().map(|peer| (*store, peer)))
    }

    /// All initialised peers, by region and in the order of their stores.
    pub(super) fn peers(&self) -> impl Iterator<Item = (StoreId, &'a PeerReport)> {
        self.by_region.values().flatten().copied()
    }

    pub(super) fn of(&self, region: RegionId) -> &[(StoreId, &'a PeerReport)] {
        self.by_region.get(&region).map_or(&[], Vec::as_slice)
    }

    /// Whether the region overlaps no newer one.
    pub(super) fn is_newest(&self, region: RegionId) -> bool {
        self.tree.iter().any(|(_, peer)| peer.region.id == region)
    }

    /// Whether both halves have more voters alive than failed.
    pub(super) fn is_electable(&self, region: &Region) -> bool {
        self.has_majority(region, [MemberRole::Voter, MemberRole::IncomingVoter])
            && self.has_majority(region, [MemberRole::Voter, MemberRole::DemotingVoter])
    }

    fn has_majority(&self, region: &Region, half: [MemberRole; 2]) -> bool {
        let voters = region.peers.iter().filter(|member| half.contains(&member.role));
        let (failed, live): (Vec<&Member>, Vec<&Member>) = voters.partition(|member| self.is_failed(member));
        failed.len() < live.len()
    }

    fn is_failed(&self, member: &Member) -> bool {
        self.failed.contains(&member.store)
    }

    /// The members that a forced leader demotes or removes: lost ones, and those that a reporting
    /// store should have but does not report (PD `orphanedPeers`). None if the remaining voters are
    /// a majority once a joint configuration is left.
    pub(super) fn failed_peers(&self, region: &Region) -> Vec<PeerId> {
        if self.has_majority(region, [MemberRole::Voter, MemberRole::IncomingVoter]) {
            return Vec::new();
        }
        let is_missed = |member: &Member| {
            let mut there = self.reported().filter(|(store, _)| *store == member.store);
            self.all.contains_key(&member.store) && there.all(|(_, peer)| peer.region.id != region.id)
        };
        let failed = region.peers.iter().filter(|member| self.is_failed(member) || is_missed(member));
        failed.map(|member| member.id).collect()
    }

    /// Whether the store's peer of the region that took the range is still behind: it may yet apply
    /// a merge, which needs this region's peer.
    pub(super) fn may_be_taken_in(&self, store: StoreId, region: &Region) -> bool {
        let mut newer = self.tree.iter().filter(|(_, peer)| peer.region.range().overlaps(&region.range()));
        newer.any(|(_, newest)| {
            let own = self.of(newest.region.id).iter().find(|(of, _)| *of == store);
            own.is_some_and(|(_, own)| age(own) < age(newest))
        })
    }

    /// The region's forced leader, if one is reported.
    pub(super) fn led_by_force(&self, region: RegionId) -> Option<(StoreId, &'a PeerReport)> {
        self.of(region).iter().copied().find(|(_, peer)| peer.by_force)
    }

    /// Whether the region has lost its majority and has no forced leader.
    pub(super) fn is_stuck(&self, region: &Region) -> bool {
        !self.is_electable(region) && self.led_by_force(region.id).is_none()
    }

    /// Whether a peer has an uncommitted entry that may merge another region into this one.
    pub(super) fn may_commit_merge(&self, region: RegionId) -> bool {
        self.of(region).iter().any(|(_, peer)| !peer.sources.is_empty())
    }

    /// The sources of regions that no peer can lead.
    pub(super) fn sources_that_wait(&self) -> BTreeSet<RegionId> {
        let stuck = self.regions().filter(|(_, region)| self.is_stuck(region));
        let peers = stuck.flat_map(|(_, region)| self.of(region.id));
        peers.flat_map(|(_, peer)| peer.sources.iter().copied()).collect()
    }

    /// The peer that is to lead the region by force, and its order.
    pub(super) fn choose(&self, region: RegionId, guards: impl Guards) -> Option<(StoreId, ForceLeader)> {
        let peers = self.of(region);
        let committed = peers.iter().map(|(_, peer)| peer.committed());
        let committed: Position = committed.max_by_key(|known| known.index)?;
        let standing = |(store, peer): &(StoreId, &PeerReport)| Standing {
            store: *store,
            role: peer.role(),
            last: peer.last(),
            commit: peer.commit,
            has_committed: peer.has(committed),
        };
        let left: Vec<Standing> = peers.iter().map(standing).collect();
        let leader = force_leader(&left, guards)?;
        let above = peers.iter().map(|(_, peer)| peer.term).max()?;
        Some((leader, ForceLeader { above, committed }))
    }
}

/// A region's age; greater is newer.
fn age(peer: &PeerReport) -> (u64, u64) {
    (peer.region.epoch.version, peer.region.epoch.conf_ver)
}

/// The first report at the newest epoch.
fn newest<'a>(peers: &[(StoreId, &'a PeerReport)]) -> (StoreId, &'a PeerReport) {
    let mut peers = peers.iter().copied();
    let first = peers.next().expect("a region is in the map because of a report");
    peers.fold(first, |newest, other| if age(newest.1) < age(other.1) { other } else { newest })
}

/// Keeps the newer one of overlapping regions.
fn tree(mut newest: Vec<(StoreId, &PeerReport)>) -> Vec<(StoreId, &PeerReport)> {
    // They are sorted by region, and the stable sort keeps that order among equals.
    newest.sort_by_key(|(_, peer)| std::cmp::Reverse(age(peer)));
    let mut tree: Vec<(StoreId, &PeerReport)> = Vec::with_capacity(newest.len());
    for (store, peer) in newest {
        let range = peer.region.range();
        if !tree.iter().any(|(_, newer)| newer.region.range().overlaps(&range)) {
            tree.push((store, peer));
        }
    }
    tree.sort_by(|(_, a), (_, b)| a.region.start.cmp(&b.region.start));
    tree
}
