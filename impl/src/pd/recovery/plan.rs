//! What each store is to do in each stage.
//!
//! Follows `PD unsafe_recovery_controller.go generateForceLeaderPlan,
//! generateDemoteFailedVoterPlan, generateCreateEmptyRegionPlan,
//! generateExitForceLeaderPlan`. Three things are stricter. A peer whose range others have
//! taken PD has destroyed even where its own store may have to take it in. Whether a `CommitMerge` is
//! in a log PD asks of the newest report alone, and it gives the recovery up where that
//! is so after the first force stage; here every report counts, and such a region is left
//! as it is with what it would take in, while the others go on. What remains undone PD
//! finds out when the whole takes too long.

use std::collections::{BTreeMap, BTreeSet};

use super::reports::Reports;
use crate::guard::{Guard, Guards};
use crate::pd::allocator::IdAllocator;
use crate::proto::recovery::{ForceLeaders, PeerReport, RecoveryPlan};
use crate::proto::region::{Epoch, Key, KeyRange, Member, MemberRole, Region, RegionId, StoreId};

/// What stores are to do; one that is not here has nothing to do.
pub(super) type Plans = BTreeMap<StoreId, RecoveryPlan>;

/// The stores that are waited for, with what they said.
type StoreReports = BTreeMap<StoreId, Option<Vec<PeerReport>>>;

/// Leaders where a `CommitMerge` may have been committed.
pub(super) fn force_for_commit_merge(
    reports: &Reports<'_>,
    failed: &BTreeSet<StoreId>,
    stores: &StoreReports,
    guards: impl Guards,
) -> Plans {
    let wanted = |region: &Region| reports.may_commit_merge(region.id);
    force(reports, failed, stores, guards, wanted)
}

/// Leaders elsewhere. What is not led yet though a merge may be in its log nobody can
/// lead, and what it would take in waits for it.
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
    // Without it a store would have those step down that lead there already.
    let plan = |store: &StoreId| {
        let forces = forced.remove(store).unwrap_or_default();
        (*store, RecoveryPlan { force_leaders: Some(forces), ..RecoveryPlan::default() })
    };
    stores.keys().map(plan).collect()
}

/// A forced leader is to be rid of the failed, and a peer whose range others have
/// taken is destroyed.
pub(super) fn demote(reports: &Reports<'_>, guards: impl Guards) -> Plans {
    let mut plans = Plans::new();
    for (_, region) in reports.regions().filter(|(_, region)| !reports.is_electable(region)) {
        // Perhaps it was split off since.
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

/// A range that a new region would have, and that a peer has.
pub(super) struct Overlap;

/// A new region for each part of the key space that nobody has. Its ids are gone if it
/// comes to nothing.
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

/// What of the key space nobody has, in order, and whose region lies behind it, or for
/// the last before it.
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

/// Whoever has a forced leader is to have it step down.
pub(super) fn exit(reports: &Reports<'_>) -> Plans {
    let by_force = reports.peers().filter(|(_, peer)| peer.by_force);
    by_force.map(|(store, _)| (store, RecoveryPlan::default())).collect()
}
