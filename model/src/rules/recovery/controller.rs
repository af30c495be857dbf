//! PD's side: the command, what stores report, and the stage that follows.

use std::collections::BTreeSet;

use rollcall_traces::{
    Answer, Held, PeerReport, Reason, Recovery, RecoveryPlan, RecoveryStage, Returned, StoreId,
};

use super::reports::{Plans, Reports};
use super::store;
use crate::draft::Draft;
use crate::guard::Guard;
use crate::rules::driver;

/// The stores are given up, and PD asks the others for their peers (PD
/// `RemoveFailedStores`).
pub(crate) fn remove_failed_stores(draft: &mut Draft, stores: &[StoreId]) -> Result<(), Reason> {
    driver::present(draft)?;
    check_none(draft)?;
    if stores.is_empty() {
        return Err(Reason::NoEffect);
    }
    let failed: BTreeSet<StoreId> = stores.iter().copied().collect();
    driver::check_given_up(draft, &failed)?;
    driver::give_up(draft, &failed)?;
    let reports = driver::reporting(draft, &failed).into_iter().map(|store| (store, None)).collect();
    let pd = draft.pd_mut();
    let began = pd.recovery_step + 1;
    pd.recovery_step = began + 1;
    let stage = RecoveryStage::CollectReport;
    let (plans, aborted) = (Plans::new(), false);
    pd.recovery = Some(Box::new(Recovery { failed_stores: failed, stage, began, reports, plans, aborted }));
    Ok(())
}

/// Another recovery, the patrol and whoever asks for a split wait meanwhile (PD
/// `IsSchedulingHalted`, `AskBatchSplit`).
pub(crate) fn check_none(draft: &Draft) -> Result<(), Reason> {
    if draft.pd().recovery.is_some() { Err(Reason::RecoveryRunning) } else { Ok(()) }
}

/// A store's heartbeat brings what it has done, and the answer what it is to do (PD
/// `HandleStoreHeartbeat`). PD waits a minute before it sends a plan again; that time is
/// over here whenever the store is heard from.
pub(crate) fn heartbeat(draft: &mut Draft, from: StoreId, answer: Answer) -> Result<Returned, Reason> {
    driver::hear(draft, from)?;
    let report = store::end_plan(draft, from);
    let entered = report.and_then(|(step, peers)| collect(draft, from, step, peers));
    if let Some(plan) = plan_for(draft, from) {
        match answer {
            // One that carries out this very plan, or is in the middle of another, passes it over.
            Answer::Given => drop(store::take_plan(draft, from, &plan)),
            Answer::Held => draft.hold(Held::recovery_plan(from, plan)),
            Answer::Lost => {}
        }
    }
    Ok(entered.map_or(Returned::Nothing, Returned::Entered))
}

/// Keeps a report of the step under way. Once every store has reported it, the next
/// stage begins.
fn collect(draft: &mut Draft, from: StoreId, step: u64, peers: Vec<PeerReport>) -> Option<RecoveryStage> {
    let is_waited_for = |recovery: &Recovery| recovery.reports.contains_key(&from);
    let pd = draft.pd();
    if pd.recovery_step != step || !pd.recovery.as_deref().is_some_and(is_waited_for) {
        return None;
    }
    let recovery = draft.pd_mut().recovery.as_mut()?;
    recovery.reports.insert(from, Some(peers));
    if recovery.reports.values().any(Option::is_none) {
        return None;
    }
    let recovery = recovery.clone();
    let mut ids = draft.pd().next_id;
    let next = Reports::of(&recovery, draft.guards()).next(&mut ids);
    draft.pd_mut().next_id = ids;
    Some(match next {
        Ok((stage @ (RecoveryStage::Finished | RecoveryStage::Failed), _)) => end(draft, stage),
        Ok((stage, plans)) => enter(draft, stage, plans),
        Err(_) => abort(draft),
    })
}

/// What PD answers to the store's heartbeat.
fn plan_for(draft: &Draft, store: StoreId) -> Option<RecoveryPlan> {
    let pd = draft.pd();
    let recovery = pd.recovery.as_deref()?;
    let is_to_report = matches!(recovery.reports.get(&store), Some(None));
    let step = pd.recovery_step;
    let empty = || RecoveryPlan { step, ..RecoveryPlan::default() };
    is_to_report.then(|| recovery.plans.get(&store).cloned().unwrap_or_else(empty))
}

/// Before anything is done PD drops the regions that it knew: who is left may be behind
/// what the lost stores had reported. PD does so when all is done, and a recovery that is
/// broken off leaves it with regions that nobody has.
fn enter(draft: &mut Draft, stage: RecoveryStage, mut plans: Plans) -> RecoveryStage {
    let drops = draft.holds(Guard::RecoveryDropsRegions) && draft.holds(Guard::RecoveryDropsRegionsFirst);
    if drops && is_first_to_act(draft) {
        driver::drop_regions(draft);
    }
    let pd = draft.pd_mut();
    pd.recovery_step += 1;
    plans.values_mut().for_each(|plan| plan.step = pd.recovery_step);
    if let Some(recovery) = &mut pd.recovery {
        recovery.stage = stage;
        recovery.plans = plans;
        recovery.reports.values_mut().for_each(|report| *report = None);
    }
    stage
}

/// Nothing was done yet but to collect reports.
fn is_first_to_act(draft: &Draft) -> bool {
    let pd = draft.pd();
    pd.recovery.as_deref().is_some_and(|recovery| !recovery.aborted && pd.recovery_step == recovery.began + 1)
}

/// At the end of one that has done something PD drops what it was told meanwhile.
fn end(draft: &mut Draft, stage: RecoveryStage) -> RecoveryStage {
    let step = draft.pd().recovery_step;
    let began = draft.pd_mut().recovery.take().map_or(step, |recovery| recovery.began);
    draft.pd_mut().recovery_step += 1;
    let has_acted = stage == RecoveryStage::Finished && step > began + 1;
    if has_acted && draft.holds(Guard::RecoveryDropsRegions) {
        driver::drop_regions(draft);
    }
    stage
}

/// Leaders by force are told to step down, and where that is what they were told it ends
/// (PD `handleErr`).
fn abort(draft: &mut Draft) -> RecoveryStage {
    let stage = draft.pd().recovery.as_ref().map(|recovery| recovery.stage);
    if stage == Some(RecoveryStage::ExitForceLeader) {
        return end(draft, RecoveryStage::Failed);
    }
    if let Some(recovery) = &mut draft.pd_mut().recovery {
        recovery.aborted = true;
    }
    enter(draft, RecoveryStage::ExitForceLeader, Plans::new())
}

/// It has taken too long (PD `checkTimeout`), or somebody aborts it.
pub(crate) fn time_out(draft: &mut Draft) -> Result<Returned, Reason> {
    driver::present(draft)?;
    if draft.pd().recovery.is_none() {
        return Err(Reason::NoRecovery);
    }
    Ok(Returned::Entered(abort(draft)))
}
