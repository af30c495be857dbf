//! The stores' plans in each stage.
//!
//! Follows `PD unsafe_recovery_controller.go generateForceLeaderPlan,
//! generateDemoteFailedVoterPlan, generateCreateEmptyRegionPlan, generateExitForceLeaderPlan`.
//! Three things are stricter.
//!
//! First, PD destroys a peer whose range other regions have taken, even if its own store may still
//! have to merge it. Here such a peer is spared. Second, PD looks for a `CommitMerge` only in the
//! newest report's log; here every report counts. Third, PD aborts the recovery if it finds one
//! after the first force stage. Here such a region and its sources stay as they are, and the others
//! continue. PD notices the rest when the recovery times out.

use std::collections::{BTreeMap, BTreeSet};

use super::reports::Reports;
use crate::guard::{Guard, Guards};
use crate::pd::allocator::IdAllocator;
use crate::proto::recovery::{ForceLeaders, PeerReport, RecoveryPlan};
use crate::proto::region::{Epoch, Key, KeyRange, Member, MemberRole, Region, RegionId, StoreId};

/// The stores' plans; a store without one has nothing to do.
pub(super) type Plans = BTreeMap<StoreId, RecoveryPlan>;

/// The stores that PD waits for, with their reports.
type StoreReports = BTreeMap<StoreId, Option<Vec<PeerReport>>>;

/// Forces leaders of regions that may have committed a `CommitMerge`.
pub(super) fn force_for_commit_merge(
    reports: &Reports<'_>,
    failed: &BTreeSet<StoreId>,
    stores: &StoreReports,
    guards: impl Guards,
) -> Plans {
    let wanted = |region: &Region| reports.may_commit_merge(region.id);
    force(reports, failed, stores, guards, wanted)
}

/// Forces leaders of the other regions. A region without a leader although it may have to merge
/// cannot be led, and its sources wait for it.
pub(super) fn force_others(
    reports: &Reports<'_>,
    failed: &BTreeSet<StoreId>,
    stores: &StoreReports,
    guards: impl Guards,
) -> Plans {
    let targets_first = guards.holds(Guard::ForceTargetFirst);
    let waiting = if targets_first { reports.sources_that_wait() } else { BTreeSet::new() };
    let waits =
        |region: RegionId| targets_first && (reports.may_commit_merge(region) || waiting.contains(&region));
    force(reports, failed, stores, guards, |region| !waits(region.id))
}

fn force(
    reports: &Reports<'_>,
    failed: &BTreeSet<StoreId>,
    stores: &StoreReports,
    guards: impl Guards,
    wanted: impl Fn(&Region) -> bool,
) -> Plans {
    let mut forced: BTreeMap<StoreId, ForceLeaders> = BTreeMap::new();
    for (_, region) in reports.regions().filter(|(_, region)| reports.is_stuck(region) && wanted(region)) {
        let Some((store, leader)) = reports.choose(region.id, guards) else { continue };
        let forces = forced.entry(store).or_default();
        forces.failed_stores.clone_from(failed);
        forces.regions.insert(region.id, leader);
    }
    if forced.is_empty() {
        return Plans::new();
    }
    // Without `force_leaders` the plan would make the store's forced leaders step down.
    let plan = |store: &StoreId| {
        let forces = forced.remove(store).unwrap_or_default();
        (*store, RecoveryPlan { force_leaders: Some(forces), ..RecoveryPlan::default() })
    };
    stores.keys().map(plan).collect()
}

/// Forced leaders demote or remove failed members. A peer whose range other regions have taken is
/// destroyed.
pub(super) fn demote(reports: &Reports<'_>, guards: impl Guards) -> Plans {
    let mut plans = Plans::new();
    for (_, region) in reports.regions().filter(|(_, region)| !reports.is_electable(region)) {
        // It may have been split off since.
        let Some((store, leader)) = reports.led_by_force(region.id) else { continue };
        let failed = reports.failed_peers(&leader.region);
        plans.entry(store).or_default().demotes.insert(region.id, failed);
    }
    for (store, peer) in reports.reported() {
        let region = &peer.region;
        let is_displaced = !reports.is_newest(region.id) && !reports.is_electable(region);
        let is_spared = || guards.holds(Guard::ForceSparesSources) && reports.may_be_taken_in(store, region);
        if is_displaced && !is_spared() {
            plans.entry(store).or_default().tombstones.insert(region.id);
        }
    }
    plans
}

/// A new region would overlap a reported peer.
pub(super) struct Overlap;

/// A new region for each part of the key space that no region has. Its ids are lost if it is not
/// created.
pub(super) fn create(
    reports: &Reports<'_>,
    stores: &StoreReports,
    ids: &mut IdAllocator,
) -> Result<Plans, Overlap> {
    let anybody = stores.keys().next().copied();
    let mut plans = Plans::new();
    for (range, store) in holes(reports) {
        let Some(store) = store.or(anybody) else { continue };
        let KeyRange { start, end } = range;
        let id = ids.next();
        let member = Member { id: ids.next(), store, role: MemberRole::Voter };
        let epoch = Epoch { conf_ver: 1, version: 1 };
        let region = Region { id, start, end, epoch, peers: vec![member] };
        plans.entry(store).or_default().creates.push(region);
    }
    let created = || plans.values().flat_map(|plan| &plan.creates).map(Region::range);
    let overlaps = |peer: &PeerReport| created().any(|range| range.overlaps(&peer.region.range()));
    if reports.peers().any(|(_, peer)| overlaps(peer)) { Err(Overlap) } else { Ok(plans) }
}

/// The holes of the key space, in order, each with the store of the region behind it, or for the
/// last hole, before it.
fn holes(reports: &Reports<'_>) -> Vec<(KeyRange, Option<StoreId>)> {
    let nowhere: Key = KeyRange::whole().start;
    let (mut holes, mut last) = (Vec::new(), None);
    let mut end = nowhere.clone();
    for (store, region) in reports.regions() {
        if region.start != end {
            holes.push((KeyRange { start: end, end: region.start.clone() }, Some(store)));
        }
        (end, last) = (region.end.clone(), Some(store));
    }
    if !end.is_empty() || last.is_none() {
        holes.push((KeyRange { start: end, end: nowhere }, last));
    }
    holes
}

/// Makes every forced leader step down.
pub(super) fn exit(reports: &Reports<'_>) -> Plans {
    let by_force = reports.peers().filter(|(_, peer)| peer.by_force);
    by_force.map(|(store, _)| (store, RecoveryPlan::default())).collect()
}
