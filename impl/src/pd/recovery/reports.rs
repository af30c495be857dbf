//! What the stores have reported, and the newest regions among it.
//!
//! Follows `PD unsafe_recovery_controller.go buildUpFromReports, canElectLeader,
//! getFailedPeers`.

use std::collections::{BTreeMap, BTreeSet};

use super::force::{Standing, force_leader};
use crate::guard::Guards;
use crate::proto::position::Position;
use crate::proto::recovery::{ForceLeader, PeerReport};
use crate::proto::region::{Member, MemberRole, PeerId, Region, RegionId, StoreId};

/// The reports of all stores that were waited for, and what follows from them.
pub(super) struct Reports<'a> {
    failed: &'a BTreeSet<StoreId>,
    all: &'a BTreeMap<StoreId, Option<Vec<PeerReport>>>,
    /// Of the peers that know their region, by region and in the order of their stores.
    by_region: BTreeMap<RegionId, Vec<(StoreId, &'a PeerReport)>>,
    /// The newest report of each region whose range nothing newer has, in key order.
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

    /// The newest regions, each with who reported it, in key order.
    pub(super) fn regions(&self) -> impl Iterator<Item = (StoreId, &'a Region)> {
        self.tree.iter().map(|(store, peer)| (*store, &peer.region))
    }

    /// Every peer, whether or not it knows its region, in the order of their stores.
    pub(super) fn reported(&self) -> impl Iterator<Item = (StoreId, &'a PeerReport)> {
        self.all.iter().flat_map(|(store, report)| report.iter().flatten().map(|peer| (*store, peer)))
    }

    /// All that know their region, by region and in the order of their stores.
    pub(super) fn peers(&self) -> impl Iterator<Item = (StoreId, &'a PeerReport)> {
        self.by_region.values().flatten().copied()
    }

    pub(super) fn of(&self, region: RegionId) -> &[(StoreId, &'a PeerReport)] {
        self.by_region.get(&region).map_or(&[], Vec::as_slice)
    }

    /// Whether nothing newer has taken the region's range.
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

    /// The members that a leader of the region is to be rid of: those who are lost, and
    /// those who should be on a store that has reported and are not (PD `orphanedPeers`).
    /// None where those who are left are a majority once a joint configuration is over.
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

    /// Whether the store has yet to come to what has taken the region's range: that may be
    /// a merge, which needs the region's peer there.
    pub(super) fn may_be_taken_in(&self, store: StoreId, region: &Region) -> bool {
        let mut newer = self.tree.iter().filter(|(_, peer)| peer.region.range().overlaps(&region.range()));
        newer.any(|(_, newest)| {
            let own = self.of(newest.region.id).iter().find(|(of, _)| *of == store);
            own.is_some_and(|(_, own)| age(own) < age(newest))
        })
    }

    /// Whoever leads the region by force, as far as was reported.
    pub(super) fn led_by_force(&self, region: RegionId) -> Option<(StoreId, &'a PeerReport)> {
        self.of(region).iter().copied().find(|(_, peer)| peer.by_force)
    }

    /// The region has lost its majority, and nobody leads it.
    pub(super) fn is_stuck(&self, region: &Region) -> bool {
        !self.is_electable(region) && self.led_by_force(region.id).is_none()
    }

    /// Whether anybody has an entry that may take another region into this one.
    pub(super) fn may_commit_merge(&self, region: RegionId) -> bool {
        self.of(region).iter().any(|(_, peer)| !peer.sources.is_empty())
    }

    /// The regions that those would take in which nobody can lead.
    pub(super) fn sources_that_wait(&self) -> BTreeSet<RegionId> {
        let stuck = self.regions().filter(|(_, region)| self.is_stuck(region));
        let peers = stuck.flat_map(|(_, region)| self.of(region.id));
        peers.flat_map(|(_, peer)| peer.sources.iter().copied()).collect()
    }

    /// Who is to lead the region by force, and the order that it gets.
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

/// How old a region is, from the oldest on.
fn age(peer: &PeerReport) -> (u64, u64) {
    (peer.region.epoch.version, peer.region.epoch.conf_ver)
}

/// The first of those at the newest epoch.
fn newest<'a>(peers: &[(StoreId, &'a PeerReport)]) -> (StoreId, &'a PeerReport) {
    let mut peers = peers.iter().copied();
    let first = peers.next().expect("a region is there by somebody's report");
    peers.fold(first, |newest, other| if age(newest.1) < age(other.1) { other } else { newest })
}

/// Of regions that overlap the one at the newer epoch stays.
fn tree(mut newest: Vec<(StoreId, &PeerReport)>) -> Vec<(StoreId, &PeerReport)> {
    // By region they stand already, and a stable sort keeps that among equals.
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
