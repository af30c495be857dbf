//! The newest regions by the reports of all stores, and the plans of each stage (PD
//! `buildUpFromReports`, `generate…ScopePlan`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rollcall_traces::{
    Epoch, ForceLeaders, Key, KeyRange, Member, MemberRole, PeerReport, Recovery, RecoveryPlan,
    RecoveryStage, Region, RegionId, StoreId,
};

use super::choose;
use crate::guard::{Guard, GuardSet};
use crate::unsound;

/// A plan for each store.
pub(super) type Plans = BTreeMap<StoreId, RecoveryPlan>;

/// A new region would overlap a reported peer.
pub(super) struct Overlap;

/// The reports of one step, and the newest regions.
pub(super) struct Reports<'a> {
    recovery: &'a Recovery,
    guards: GuardSet,
    /// Every initialised peer, by store and in its report's order.
    peers: Vec<(StoreId, &'a PeerReport)>,
    /// In key order: regions that overlap no newer one, with the store that reported them.
    tree: Vec<(StoreId, &'a Region)>,
}

impl<'a> Reports<'a> {
    pub(super) fn of(recovery: &'a Recovery, guards: GuardSet) -> Self {
        let peers: Vec<_> =
            reported(recovery).filter(|(_, report)| !report.region.peers.is_empty()).collect();
        let mut newest: BTreeMap<RegionId, (StoreId, &Region)> = BTreeMap::new();
        for (store, PeerReport { region, .. }) in &peers {
            let known = newest.entry(region.id).or_insert((*store, region));
            if age(region) > age(known.1) {
                *known = (*store, region);
            }
        }
        let mut newest: Vec<_> = newest.into_values().collect();
        newest.sort_by_key(|(_, region)| (Reverse(age(region)), region.id));
        let mut tree: Vec<(StoreId, &Region)> = Vec::new();
        for (store, region) in newest {
            if !tree.iter().any(|(_, newer)| newer.overlaps(region)) {
                tree.push((store, region));
            }
        }
        tree.sort_by(|(_, a), (_, b)| a.start.cmp(&b.start));
        Self { recovery, guards, peers, tree }
    }

    /// The stage after the one that has just been reported on, and its plans. As in PD, once the
    /// demotions are done, regions are checked once more for a missing leader.
    pub(super) fn next(&self, ids: &mut u64) -> Result<(RecoveryStage, Plans), Overlap> {
        use RecoveryStage as Stage;
        if self.recovery.aborted {
            let plans = self.exits();
            return Ok((if plans.is_empty() { Stage::Failed } else { Stage::ExitForceLeader }, plans));
        }
        let mut looks_again = self.recovery.stage <= Stage::DemoteFailedVoter;
        let mut from = self.recovery.stage;
        while from <= Stage::DemoteFailedVoter {
            let stages = [
                (Stage::ForceLeaderForCommitMerge, Self::force_for_merges as fn(&Self) -> Plans),
                (Stage::ForceLeader, Self::force_others),
                (Stage::DemoteFailedVoter, Self::demotes),
            ];
            for (stage, plan) in stages.into_iter().filter(|(stage, _)| *stage >= from) {
                let plans = plan(self);
                if !plans.is_empty() {
                    return Ok((stage, plans));
                }
            }
            if !std::mem::take(&mut looks_again) {
                break;
            }
            from = Stage::ForceLeaderForCommitMerge;
        }
        if self.guards.holds(Guard::RecoveryFillsHoles) && self.recovery.stage <= Stage::CreateEmptyRegion {
            let plans = self.creates(ids)?;
            if !plans.is_empty() {
                return Ok((Stage::CreateEmptyRegion, plans));
            }
        }
        let plans = self.exits();
        Ok((if plans.is_empty() { Stage::Finished } else { Stage::ExitForceLeader }, plans))
    }

    fn is_failed(&self, member: &Member) -> bool {
        self.recovery.failed_stores.contains(&member.store)
    }

    /// Whether each half still has a majority of its voters (PD `canElectLeader`).
    fn can_elect(&self, region: &Region) -> bool {
        self.outlives(region, [MemberRole::Voter, MemberRole::IncomingVoter])
            && self.outlives(region, [MemberRole::Voter, MemberRole::DemotingVoter])
    }

    fn outlives(&self, region: &Region, half: [MemberRole; 2]) -> bool {
        let voters = region.peers.iter().filter(|member| half.contains(&member.role));
        let (all, failed) = voters
            .fold((0, 0), |(all, failed), member| (all + 1, failed + usize::from(self.is_failed(member))));
        2 * failed < all
    }

    fn peers_of(&self, region: RegionId) -> Vec<(StoreId, &'a PeerReport)> {
        self.peers.iter().filter(|(_, report)| report.region.id == region).copied().collect()
    }

    fn is_led(&self, region: RegionId) -> bool {
        self.peers_of(region).iter().any(|(_, report)| report.by_force)
    }

    /// The newest regions that cannot elect a leader and have no forced one.
    fn leaderless(&self) -> impl Iterator<Item = RegionId> {
        let lost = self.tree.iter().filter(|(_, region)| !self.can_elect(region));
        lost.map(|(_, region)| region.id).filter(|region| !self.is_led(*region))
    }

    /// The sources that a region may have to merge, by its peers' uncommitted entries.
    fn sources(&self, region: RegionId) -> BTreeSet<RegionId> {
        if !self.guards.holds(Guard::ForceTargetFirst) {
            return unsound::look_for_no_merge();
        }
        self.peers_of(region).into_iter().flat_map(|(_, report)| report.sources.iter().copied()).collect()
    }

    /// Forces the targets of possible merges before their sources. Once a source's own leader wrote
    /// to it, the merge would no longer fit (tikv#12627). PD checks only the newest peer's log.
    fn force_for_merges(&self) -> Plans {
        self.forced(self.leaderless().filter(|region| !self.sources(*region).is_empty()))
    }

    /// Forces the other regions: not the targets, for which no leader could be chosen, and not
    /// their sources.
    fn force_others(&self) -> Plans {
        let waiting: BTreeSet<RegionId> = self.leaderless().flat_map(|region| self.sources(region)).collect();
        let goes_on = |region: &RegionId| !waiting.contains(region) && self.sources(*region).is_empty();
        self.forced(self.leaderless().filter(goes_on))
    }

    fn forced(&self, regions: impl Iterator<Item = RegionId>) -> Plans {
        let mut leaders: BTreeMap<StoreId, ForceLeaders> = BTreeMap::new();
        for region in regions {
            if let Some((store, leader)) = choose::leader(&self.peers_of(region), self.guards) {
                let of_store = leaders.entry(store).or_insert_with(|| ForceLeaders {
                    failed_stores: self.recovery.failed_stores.clone(),
                    regions: BTreeMap::new(),
                });
                of_store.regions.insert(region, leader);
            }
        }
        if leaders.is_empty() {
            return Plans::new();
        }
        // A store that forces no leader still gets `force_leaders`: without it the plan makes
        // forced leaders step down.
        let mut plan = |store: &StoreId| RecoveryPlan {
            force_leaders: Some(leaders.remove(store).unwrap_or_default()),
            ..RecoveryPlan::default()
        };
        self.recovery.reports.keys().map(|store| (*store, plan(store))).collect()
    }

    /// Forced leaders demote or remove failed members. Peers of regions that newer ones displaced,
    /// and that cannot elect a leader, are destroyed.
    fn demotes(&self) -> Plans {
        let mut plans = Plans::new();
        for (_, region) in self.tree.iter().filter(|(_, region)| !self.can_elect(region)) {
            let peers = self.peers_of(region.id);
            if let Some((store, leader)) = peers.into_iter().find(|(_, report)| report.by_force) {
                let plan = plans.entry(store).or_default();
                plan.demotes.insert(region.id, self.failed_members(&leader.region));
            }
        }
        for (store, PeerReport { region, .. }) in reported(self.recovery) {
            let is_displaced = !self.tree.iter().any(|(_, newest)| newest.id == region.id);
            if is_displaced && !self.can_elect(region) && !self.is_spared(store, region) {
                plans.entry(store).or_default().tombstones.insert(region.id);
            }
        }
        plans
    }

    /// Whether the store's peer of the displacing region is still behind. It may yet apply a merge,
    /// which needs the source's peer there. PD destroys that peer, and the target's peer waits for
    /// it for ever.
    fn is_spared(&self, store: StoreId, region: &Region) -> bool {
        if !self.guards.holds(Guard::ForceSparesSources) {
            return false;
        }
        let newer = self.tree.iter().filter(|(_, newest)| newest.overlaps(region));
        newer.into_iter().any(|(_, newest)| {
            let is_behind = |(of, report): &(StoreId, &PeerReport)| {
                *of == store && report.region.id == newest.id && age(&report.region) < age(newest)
            };
            self.peers.iter().any(is_behind)
        })
    }

    /// The leader's members that are lost, and those that a remaining store should have but does
    /// not report (PD `getFailedPeers`, `orphanedPeers`). Empty if the remaining voters are a
    /// majority once a joint configuration is left.
    fn failed_members(&self, region: &Region) -> Vec<u64> {
        if self.outlives(region, [MemberRole::Voter, MemberRole::IncomingVoter]) {
            return Vec::new();
        }
        let is_missed = |member: &Member| {
            self.recovery.reports.contains_key(&member.store)
                && !reported(self.recovery)
                    .any(|(store, report)| store == member.store && report.region.id == region.id)
        };
        let failed = region.peers.iter().filter(|member| self.is_failed(member) || is_missed(member));
        failed.map(|member| member.id).collect()
    }

    /// An empty region for each hole in the key space, on the store that reports the region behind
    /// it. A hole at the end goes to the store of the last region.
    fn creates(&self, ids: &mut u64) -> Result<Plans, Overlap> {
        let Some(last_store) = self
            .tree
            .last()
            .map(|(store, _)| *store)
            .or_else(|| self.recovery.reports.keys().next().copied())
        else {
            return Ok(Plans::new());
        };
        let mut holes: Vec<(StoreId, Key, Key)> = Vec::new();
        let mut end = Key::empty();
        for (store, region) in &self.tree {
            if region.start != end {
                holes.push((*store, end, region.start.clone()));
            }
            end = region.end.clone();
        }
        if !end.is_empty() || self.tree.is_empty() {
            holes.push((last_store, end, Key::empty()));
        }
        let mut plans = Plans::new();
        for (store, start, end) in holes {
            let mut id = || std::mem::replace(ids, *ids + 1);
            let (id, peer) = (id(), id());
            let peers = vec![Member { id: peer, store, role: MemberRole::Voter }];
            let region = Region { id, start, end, epoch: Epoch { conf_ver: 1, version: 1 }, peers };
            let range: KeyRange = region.range();
            if self.peers.iter().any(|(_, report)| report.region.range().overlaps(&range)) {
                return Err(Overlap);
            }
            plans.entry(store).or_default().creates.push(region);
        }
        Ok(plans)
    }

    /// The stores with a forced leader: an empty plan makes it step down.
    fn exits(&self) -> Plans {
        let led = self.peers.iter().filter(|(_, report)| report.by_force);
        led.map(|(store, _)| (*store, RecoveryPlan::default())).collect()
    }
}

/// Every reported peer, uninitialised ones included.
fn reported(recovery: &Recovery) -> impl Iterator<Item = (StoreId, &PeerReport)> {
    let reports = recovery.reports.iter();
    reports.flat_map(|(store, report)| report.iter().flatten().map(move |report| (*store, report)))
}

fn age(region: &Region) -> (u64, u64) {
    (region.epoch.version, region.epoch.conf_ver)
}
