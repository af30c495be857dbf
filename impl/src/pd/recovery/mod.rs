//! Online unsafe recovery: from the command to its end, stage by stage.
//!
//! The failed stores are buried, and every other store is asked to report its peers. Once all have
//! reported, PD enters the next stage that has a plan. Each store gets its part with the response
//! to its heartbeat, and its next report shows the result. If a stage leaves something undone, the
//! next reports show that and the stage is repeated.
//!
//! Follows `PD unsafe_recovery_controller.go RemoveFailedStoresWithOptions, HandleStoreHeartbeat,
//! generatePlan, changeStage, handleErr`. `stages.rs` decides the next stage, `plan.rs` the plans,
//! `reports.rs` evaluates the reports, `force.rs` chooses leaders.
//!
//! All of it is volatile. A new PD has no recovery, and ignores reports of an old one because steps
//! only rise. PD takes steps from its clock; here the last step is on disk. PD waits a minute
//! before it sends a plan again; here it does so at each heartbeat. Left out: TiFlash, automatic
//! detection of failed stores, and continuing when a new region would overlap a peer.

mod force;
mod plan;
mod reports;
mod stages;
pub(crate) mod state;

use std::collections::BTreeSet;

pub use force::{Standing, force_leader};

use self::plan::Plans;
use self::state::{Recovery, RecoveryStage};
use crate::guard::Guards;
use crate::pd::driver::{Decision, PdStep, PlacementDriver};
use crate::pd::engine::{PdEngine, PdWrite};
use crate::pd::error::PdRefusal;
use crate::pd::input::PdOutput;
use crate::pd::store::{StoreInfo, StoreState};
use crate::proto::recovery::{RecoveryPlan, StoreReport};
use crate::proto::region::StoreId;

impl<E: PdEngine, G: Guards> PlacementDriver<E, G> {
    /// The running recovery.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// The last step of any recovery.
    pub fn recovery_step(&self) -> u64 {
        self.recovery_step
    }

    /// Refuses while a recovery is running.
    pub(crate) fn check_no_recovery(&self) -> Decision {
        if self.recovery.is_some() { Err(PdRefusal::RecoveryRunning) } else { Ok(()) }
    }

    /// Buries the stores and asks all others for reports.
    pub(crate) fn remove_failed_stores(&mut self, step: &mut PdStep, failed: BTreeSet<StoreId>) -> Decision {
        self.check_no_recovery()?;
        if failed.is_empty() {
            return Err(PdRefusal::NoStoreSpecified);
        }
        self.abandon(step, &failed)?;
        let is_there = |info: &&StoreInfo| {
            info.record.state != StoreState::Tombstone && !info.record.physically_destroyed
        };
        let there = self.stores.iter().filter(is_there).map(|info| info.record.id);
        let reports = there.filter(|store| !failed.contains(store)).map(|store| (store, None)).collect();
        // One for the recovery, and one for its first stage.
        let began = self.take_step(step);
        self.take_step(step);
        let stage = RecoveryStage::CollectReport;
        let plans = Plans::new();
        self.recovery =
            Some(Recovery { failed_stores: failed, stage, began, reports, plans, aborted: false });
        Ok(())
    }

    /// The next unused step.
    fn take_step(&mut self, step: &mut PdStep) -> u64 {
        self.recovery_step += 1;
        step.batch.retain(|write| !matches!(write, PdWrite::RecoveryStep(_)));
        step.batch.push(PdWrite::RecoveryStep(self.recovery_step));
        self.recovery_step
    }

    /// Handles a store's heartbeat: takes its report, if any, and sends its next plan.
    pub(crate) fn take_report(&mut self, step: &mut PdStep, store: StoreId, report: Option<StoreReport>) {
        let Some(recovery) = &mut self.recovery else { return };
        let Some(reported) = recovery.reports.get_mut(&store) else { return };
        // A report of another step belongs to another plan.
        if let Some(report) = report.filter(|report| report.step == self.recovery_step) {
            *reported = Some(report.peers);
        }
        if recovery.reports.values().all(Option::is_some) {
            self.go_on(step);
        }
        let plan = self.recovery.as_ref().and_then(|recovery| {
            let waits = matches!(recovery.reports.get(&store), Some(None));
            let nothing = || RecoveryPlan { step: self.recovery_step, ..RecoveryPlan::default() };
            waits.then(|| recovery.plans.get(&store).cloned().unwrap_or_else(nothing))
        });
        step.outputs.extend(plan.map(|plan| PdOutput::RecoveryPlan { store, plan }));
    }

    /// The recovery timed out, or an administrator aborts it.
    pub(crate) fn time_out_recovery(&mut self, step: &mut PdStep) -> Decision {
        let recovery = self.recovery.take().ok_or(PdRefusal::NoRecovery)?;
        self.abort(step, recovery);
        Ok(())
    }
}
