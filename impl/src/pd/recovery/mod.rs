//! Online unsafe recovery: from the command to its end, stage by stage.
//!
//! The stores that are given up are buried, and every other one is to report its peers.
//! Once all have, the next stage with something to do is entered and each store handed its
//! part with the answer of its heartbeat; its next report says what has come of it. What a
//! stage cannot do it finds undone in the next reports and begins again. Follows `PD
//! unsafe_recovery_controller.go RemoveFailedStoresWithOptions, HandleStoreHeartbeat,
//! generatePlan, changeStage, handleErr`: `stages.rs` has who comes next, `plan.rs` what
//! is to be done, `reports.rs` what is known, `force.rs` who leads.
//!
//! All of it is volatile; a new PD knows of no recovery, and does not take the old one's
//! reports for its own, because steps only rise. PD takes them from its clock; here the
//! last is on disk. PD waits a minute before it sends a plan again; here each heartbeat
//! asks for it. Leaves out TiFlash, finding out by itself which stores have failed, and
//! going on where a new region would overlap a peer.

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
    /// The recovery that is under way.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// The last step of any recovery.
    pub fn recovery_step(&self) -> u64 {
        self.recovery_step
    }

    /// Nothing else is begun while a recovery is under way.
    pub(crate) fn check_no_recovery(&self) -> Decision {
        if self.recovery.is_some() { Err(PdRefusal::RecoveryRunning) } else { Ok(()) }
    }

    /// The stores are buried, and all others are asked what is left.
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

    /// The next number that no step had.
    fn take_step(&mut self, step: &mut PdStep) -> u64 {
        self.recovery_step += 1;
        step.batch.retain(|write| !matches!(write, PdWrite::RecoveryStep(_)));
        step.batch.push(PdWrite::RecoveryStep(self.recovery_step));
        self.recovery_step
    }

    /// A live store has perhaps reported, and gets its next plan.
    pub(crate) fn hear_report(&mut self, step: &mut PdStep, store: StoreId, report: Option<StoreReport>) {
        let Some(recovery) = &mut self.recovery else { return };
        let Some(reported) = recovery.reports.get_mut(&store) else { return };
        // One of another step is of another plan.
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

    /// It has taken too long, or somebody types that it is to end.
    pub(crate) fn time_out_recovery(&mut self, step: &mut PdStep) -> Decision {
        let recovery = self.recovery.take().ok_or(PdRefusal::NoRecovery)?;
        self.abort(step, recovery);
        Ok(())
    }
}
