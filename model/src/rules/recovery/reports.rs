//! What PD makes of the reports of all stores: the newest regions, and what is to be done
//! for them in each stage (PD `buildUpFromReports`, `generate…ScopePlan`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rollcall_traces::{
    Epoch, ForceLeaders, Key, KeyRange, Member, MemberRole, PeerReport, Recovery, RecoveryPlan,
    RecoveryStage, Region, RegionId, StoreId,
};

use super::choose;
use crate::guard::{Guard, GuardSet};
use crate::unsound;

/// What each store is to do.
pub(super) type Plans = BTreeMap<StoreId, RecoveryPlan>;

/// A new region would lie over a peer that somebody reports.
pub(super) struct Overlap;

/// The reports of one step, and the tree of the newest regions.
pub(super) struct Reports<'a> {
    recovery: &'a Recovery,
    guards: GuardSet,
    /// Every initialised peer, by store and in the order of its report.
    peers: Vec<(StoreId, &'a PeerReport)>,
    /// By key: regions that overlap no newer one, with the store that reported them.
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

    /// The next stage, from the one that has just been reported on, and its plans. PD
    /// looks once more whether a leader is to be forced where it would go on.
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

    /// Whether each half has more voters left than it has lost (PD `canElectLeader`).
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

    /// The regions of the tree that nobody can lead in the ordinary way, and nobody leads
    /// by force.
    fn leaderless(&self) -> impl Iterator<Item = RegionId> {
        let lost = self.tree.iter().filter(|(_, region)| !self.can_elect(region));
        lost.map(|(_, region)| region.id).filter(|region| !self.is_led(*region))
    }

    /// What a region may have to take in, by its peers' uncommitted entries.
    fn sources(&self, region: RegionId) -> BTreeSet<RegionId> {
        if !self.guards.holds(Guard::ForceTargetFirst) {
            return unsound::look_for_no_merge();
        }
        self.peers_of(region).into_iter().flat_map(|(_, report)| report.sources.iter().copied()).collect()
    }

    /// A region that may have committed a merge is led before what it would take in: that
    /// would not fit any more once a leader of its own wrote to it (tikv#12627). PD looks
    /// at the newest peer's log alone.
    fn force_for_merges(&self) -> Plans {
        self.forced(self.leaderless().filter(|region| !self.sources(*region).is_empty()))
    }

    /// Not those that nobody could be chosen for, and what they may have to take in.
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
        // Who forces nobody must not take it for a plan that leaders step down for.
        let mut plan = |store: &StoreId| RecoveryPlan {
            force_leaders: Some(leaders.remove(store).unwrap_or_default()),
            ..RecoveryPlan::default()
        };
        self.recovery.reports.keys().map(|store| (*store, plan(store))).collect()
    }

    /// Forced leaders are to be rid of the failed, and peers of regions that others have
    /// displaced to be destroyed, where they could not be led anyway.
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

    /// Whether the store has yet to come to what has displaced the region: it may be a
    /// merge, which needs the source's peer there. PD has that peer destroyed, and the
    /// target's waits for it for ever.
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

    /// Who is lost of the leader's members, and who was to be there and is not (PD
    /// `getFailedPeers`, `orphanedPeers`); nobody where the living are a majority once a
    /// joint configuration is left.
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

    /// An empty region for each hole in the key space, on the store that reports the
    /// region behind it, or before it for the last.
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

    /// The stores where there is a forced leader: an empty plan ends that.
    fn exits(&self) -> Plans {
        let led = self.peers.iter().filter(|(_, report)| report.by_force);
        led.map(|(store, _)| (*store, RecoveryPlan::default())).collect()
    }
}

/// Every peer that is reported, those without a region among them.
fn reported(recovery: &Recovery) -> impl Iterator<Item = (StoreId, &PeerReport)> {
    let reports = recovery.reports.iter();
    reports.flat_map(|(store, report)| report.iter().flatten().map(move |report| (*store, report)))
}

fn age(region: &Region) -> (u64, u64) {
    (region.epoch.version, region.epoch.conf_ver)
}
