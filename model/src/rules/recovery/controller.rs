//! PD's side: the command, the stores' reports, and the next stage.

use std::collections::BTreeSet;

use rollcall_traces::{
    Held, Message, PeerReport, Reason, Recovery, RecoveryPlan, RecoveryStage, RegionId, Reply, Returned,
    StoreId,
};

use super::checks::check_none;
use super::reports::{Plans, Reports};
use super::store;
use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::rules::pd;

/// Gives up the stores and asks the others for their peers (PD `RemoveFailedStores`).
pub(crate) fn remove_failed_stores(cluster: &mut impl ClusterMut, stores: &[StoreId]) -> Result<(), Reason> {
    pd::present(cluster)?;
    check_none(cluster)?;
    if stores.is_empty() {
        return Err(Reason::NoEffect);
    }
    let failed: BTreeSet<StoreId> = stores.iter().copied().collect();
    pd::check_given_up(cluster, &failed)?;
    pd::give_up(cluster, &failed)?;
    let reports = pd::reporting(cluster, &failed).into_iter().map(|store| (store, None)).collect();
    let pd = cluster.pd_mut();
    let began = pd.recovery_step + 1;
    pd.recovery_step = began + 1;
    let stage = RecoveryStage::CollectReport;
    let (plans, aborted) = (Plans::new(), false);
    pd.recovery = Some(Box::new(Recovery { failed_stores: failed, stage, began, reports, plans, aborted }));
    Ok(())
}

/// A store's heartbeat carries its report, and the response carries its next plan (PD
/// `HandleStoreHeartbeat`). PD waits a minute before it sends a plan again. Here that minute has
/// always passed when a heartbeat of the store arrives.
pub(crate) fn heartbeat(
    cluster: &mut impl ClusterMut,
    from: StoreId,
    reply: Reply,
) -> Result<Returned, Reason> {
    pd::store_heartbeat(cluster, from)?;
    let report = store::end_plan(cluster, from);
    let entered = report.and_then(|(step, peers)| collect(cluster, from, step, peers));
    if let Some(plan) = plan_for(cluster, from) {
        match reply {
            // A store that already carries out this plan, or is in the middle of another, ignores
            // it.
            Reply::Delivered => drop(store::take_plan(cluster, from, &plan)),
            Reply::Delayed => cluster.hold(Held::recovery_plan(from, plan)),
            Reply::Dropped => {}
        }
    }
    Ok(entered.map_or(Returned::Nothing, Returned::Entered))
}

/// Delays a heartbeat that carries the store's report. The store has finished its plan all the
/// same. If the heartbeat never arrives, PD sends the plan again and the store starts over.
pub(crate) fn hold_report(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    from: StoreId,
    to: StoreId,
) -> Result<(), Reason> {
    cluster.up(from)?;
    if (region, to) != (0, 0) {
        return Err(Reason::NotInConfig);
    }
    let (step, peers) = store::end_plan(cluster, from).ok_or(Reason::NothingToDo)?;
    cluster.hold(Held::store_report(from, step, peers));
    Ok(())
}

/// Delivers that heartbeat. It shows that the store was alive. The report counts if PD waits for
/// that step (PD `CollectReport`, "invalid store report, ignore"). The response goes nowhere.
pub(crate) fn late_report(cluster: &mut impl ClusterMut, report: Held) -> Result<Returned, Reason> {
    let from = report.from.store;
    let Message::StoreReport { step, peers } = report.message else { return Err(Reason::NoEffect) };
    pd::handle_late_store_heartbeat(cluster, from)?;
    let entered = collect(cluster, from, step, peers);
    Ok(entered.map_or(Returned::Nothing, Returned::Entered))
}

/// Keeps a report of the step under way. Once every store has reported it, the next
/// stage begins.
fn collect(
    cluster: &mut impl ClusterMut,
    from: StoreId,
    step: u64,
    peers: Vec<PeerReport>,
) -> Option<RecoveryStage> {
    let is_waited_for = |recovery: &Recovery| recovery.reports.contains_key(&from);
    let pd = cluster.pd();
    if pd.recovery_step != step || !pd.recovery.as_deref().is_some_and(is_waited_for) {
        return None;
    }
    let recovery = cluster.pd_mut().recovery.as_mut()?;
    recovery.reports.insert(from, Some(peers));
    if recovery.reports.values().any(Option::is_none) {
        return None;
    }
    let recovery = recovery.clone();
    let mut ids = cluster.pd().next_id;
    let next = Reports::of(&recovery, cluster.guards()).next(&mut ids);
    cluster.pd_mut().next_id = ids;
    Some(match next {
        Ok((stage @ (RecoveryStage::Finished | RecoveryStage::Failed), _)) => end(cluster, stage),
        Ok((stage, plans)) => enter_stage(cluster, stage, plans),
        Err(_) => abort(cluster),
    })
}

/// The plan in PD's response to the store's heartbeat.
fn plan_for(cluster: &impl ClusterMut, store: StoreId) -> Option<RecoveryPlan> {
    let pd = cluster.pd();
    let recovery = pd.recovery.as_deref()?;
    let is_to_report = matches!(recovery.reports.get(&store), Some(None));
    let step = pd.recovery_step;
    let empty = || RecoveryPlan { step, ..RecoveryPlan::default() };
    is_to_report.then(|| recovery.plans.get(&store).cloned().unwrap_or_else(empty))
}

/// Enters the stage. Before the first stage that acts, PD's regions are dropped: the remaining
/// peers may be behind what the lost stores had reported. PD itself drops them at the end, so an
/// aborted recovery leaves it with regions that no store has.
fn enter_stage(cluster: &mut impl ClusterMut, stage: RecoveryStage, mut plans: Plans) -> RecoveryStage {
    if cluster.holds(Guard::RecoveryDropsRegionsFirst) && is_first_to_act(cluster) {
        drop_regions(cluster);
    }
    let pd = cluster.pd_mut();
    pd.recovery_step += 1;
    plans.values_mut().for_each(|plan| plan.step = pd.recovery_step);
    if let Some(recovery) = &mut pd.recovery {
        recovery.stage = stage;
        recovery.plans = plans;
        recovery.reports.values_mut().for_each(|report| *report = None);
    }
    stage
}

/// Whether only reports were collected so far.
fn is_first_to_act(cluster: &impl ClusterMut) -> bool {
    let pd = cluster.pd();
    pd.recovery.as_deref().is_some_and(|recovery| !recovery.aborted && pd.recovery_step == recovery.began + 1)
}

/// Ends the recovery. If it acted, PD's regions that were reported meanwhile are dropped.
fn end(cluster: &mut impl ClusterMut, stage: RecoveryStage) -> RecoveryStage {
    let step = cluster.pd().recovery_step;
    let began = cluster.pd_mut().recovery.take().map_or(step, |recovery| recovery.began);
    cluster.pd_mut().recovery_step += 1;
    let has_acted = stage == RecoveryStage::Finished && step > began + 1;
    if has_acted {
        drop_regions(cluster);
    }
    stage
}

fn drop_regions(cluster: &mut impl ClusterMut) {
    if cluster.holds(Guard::RecoveryDropsRegions) {
        pd::drop_regions(cluster);
    }
}

/// Orders forced leaders to step down. If they were ordered already, the recovery ends (PD
/// `handleErr`).
fn abort(cluster: &mut impl ClusterMut) -> RecoveryStage {
    let stage = cluster.pd().recovery.as_ref().map(|recovery| recovery.stage);
    if stage == Some(RecoveryStage::ExitForceLeader) {
        return end(cluster, RecoveryStage::Failed);
    }
    if let Some(recovery) = &mut cluster.pd_mut().recovery {
        recovery.aborted = true;
    }
    enter_stage(cluster, RecoveryStage::ExitForceLeader, Plans::new())
}

/// The recovery timed out (PD `checkTimeout`), or an administrator aborts it.
pub(crate) fn time_out(cluster: &mut impl ClusterMut) -> Result<Returned, Reason> {
    pd::present(cluster)?;
    if cluster.pd().recovery.is_none() {
        return Err(Reason::NoRecovery);
    }
    Ok(Returned::Entered(abort(cluster)))
}
