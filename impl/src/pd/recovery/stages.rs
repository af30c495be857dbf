//! The next stage.
//!
//! Once anything is done by force, PD's regions may be newer than the remaining peers. They are
//! dropped before the first stage that acts, and again at the end. PD itself drops them only at the
//! end, so never in a recovery that is aborted or forgotten.

use super::plan::{self, Overlap, Plans};
use super::reports::Reports;
use super::state::{Recovery, RecoveryStage};
use crate::guard::{Guard, Guards};
use crate::pd::driver::{PdStep, PlacementDriver};
use crate::pd::engine::PdEngine;
use crate::pd::input::PdOutput;

impl<E: PdEngine, G: Guards> PlacementDriver<E, G> {
    /// Every store has reported.
    pub(super) fn go_on(&mut self, step: &mut PdStep) {
        let Some(recovery) = self.recovery.take() else { return };
        match self.next_stage(&recovery) {
            Ok(Some((stage, plans))) => {
                let is_first = recovery.stage == RecoveryStage::CollectReport;
                if is_first && self.guards.holds(Guard::RecoveryDropsRegionsFirst) {
                    self.drop_regions(step);
                }
                self.enter_stage(step, Recovery { stage, plans, ..recovery });
            }
            Ok(None) if recovery.aborted => self.end_recovery(step, &recovery, RecoveryStage::Failed),
            Ok(None) => self.end_recovery(step, &recovery, RecoveryStage::Finished),
            Err(Overlap) => self.abort(step, recovery),
        }
    }

    /// The first stage from the present one on that has a plan. Before regions are created, regions
    /// without a leader are checked again.
    fn next_stage(&mut self, recovery: &Recovery) -> Result<Option<(RecoveryStage, Plans)>, Overlap> {
        use RecoveryStage::{
            CollectReport, CreateEmptyRegion, DemoteFailedVoter, ExitForceLeader, Failed, Finished,
            ForceLeader, ForceLeaderForCommitMerge,
        };
        let (failed, stores, guards) = (&recovery.failed_stores, &recovery.reports, self.guards);
        let reports = Reports::new(failed, stores);
        let (mut stage, mut looked_again) = (recovery.stage, false);
        loop {
            let plans = match stage {
                ForceLeaderForCommitMerge if guards.holds(Guard::ForceTargetFirst) => {
                    plan::force_for_commit_merge(&reports, failed, stores, guards)
                }
                ForceLeader => plan::force_others(&reports, failed, stores, guards),
                DemoteFailedVoter => plan::demote(&reports, guards),
                CreateEmptyRegion if guards.holds(Guard::RecoveryFillsHoles) => {
                    plan::create(&reports, stores, &mut self.ids)?
                }
                ExitForceLeader => plan::exit(&reports),
                CollectReport | ForceLeaderForCommitMerge | CreateEmptyRegion | Finished | Failed => {
                    Plans::new()
                }
            };
            if !plans.is_empty() {
                return Ok(Some((stage, plans)));
            }
            stage = match stage {
                CollectReport => ForceLeaderForCommitMerge,
                ForceLeaderForCommitMerge => ForceLeader,
                ForceLeader => DemoteFailedVoter,
                DemoteFailedVoter if !looked_again => {
                    looked_again = true;
                    ForceLeaderForCommitMerge
                }
                DemoteFailedVoter => CreateEmptyRegion,
                CreateEmptyRegion => ExitForceLeader,
                ExitForceLeader | Finished | Failed => return Ok(None),
            };
        }
    }

    /// Enters the stage: drops the reports and waits for all stores again.
    fn enter_stage(&mut self, step: &mut PdStep, mut recovery: Recovery) {
        let number = self.take_step(step);
        recovery.reports.values_mut().for_each(|report| *report = None);
        recovery.plans.values_mut().for_each(|plan| plan.step = number);
        step.outputs.push(PdOutput::RecoveryStage(recovery.stage));
        self.recovery = Some(recovery);
    }

    /// Aborts: forced leaders step down. If they have their orders already, they do so by themselves.
    pub(super) fn abort(&mut self, step: &mut PdStep, recovery: Recovery) {
        if recovery.stage == RecoveryStage::ExitForceLeader {
            return self.end_recovery(step, &recovery, RecoveryStage::Failed);
        }
        let (stage, plans) = (RecoveryStage::ExitForceLeader, Plans::new());
        self.enter_stage(step, Recovery { stage, plans, aborted: true, ..recovery });
    }

    /// Ends the recovery. If it acted, regions that were reported meanwhile are dropped as well.
    fn end_recovery(&mut self, step: &mut PdStep, recovery: &Recovery, end: RecoveryStage) {
        if end == RecoveryStage::Finished && self.recovery_step > recovery.began + 1 {
            self.drop_regions(step);
        }
        self.take_step(step);
        step.outputs.push(PdOutput::RecoveryStage(end));
    }
}
