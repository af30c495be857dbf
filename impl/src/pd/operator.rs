//! An operator: a plan for one region, its progress, and its end.
//!
//! It never acts; PD compares it with each accepted report. It is stale once the region's conf_ver
//! has risen by more than its own steps account for, because something else changed the members.
//! Follows `PD operator/operator.go, operator_controller.go checkStaleOperator`.

use std::fmt;

use super::config::PdConfig;
use super::regions::KnownRegion;
use super::step::{OperatorStep, StaleOperator};
use crate::guard::{Guard, Guards};
use crate::proto::region::{Epoch, RegionId};

/// Why an operator was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A region is left joint with no operator (tikv#17602).
    LeaveJoint,
    /// A peer that no rule asks for.
    RemoveOrphanPeer,
    /// An unhealthy orphan among several (pd#4045).
    RemoveUnhealthyOrphan,
    /// A voter on a disconnected store, replaced by an orphan that votes already.
    RemoveReplacedOrphan,
    /// A down voter is replaced by a learner that is there (pd#6559).
    ReplaceDownPeerWithOrphan,
    /// A learner fills the place of a missing voter.
    PromoteLearner,
    /// A voter is missing.
    AddMissingPeer,
    /// A voter's store is Down.
    ReplaceDownPeer,
    /// A voter's store is leaving.
    ReplaceOfflinePeer,
    /// Leadership leaves a store, by the evict-leader scheduler.
    EvictLeader,
    /// pd-ctl `operator add add-peer`.
    AdminAddPeer,
    /// The same, as a voter at once.
    AdminAddVoter,
    /// pd-ctl `operator add remove-peer`.
    AdminRemovePeer,
    /// pd-ctl `operator add transfer-leader`.
    AdminTransferLeader,
    /// pd-ctl `operator add split-region`.
    AdminSplit,
}

/// An operator is replaced only by one of a higher priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// The checkers'.
    High,
    /// The administrator's, and that of the schedulers that evict leaders.
    Urgent,
}

impl Purpose {
    /// The priority of its maker.
    pub fn priority(self) -> Priority {
        match self {
            Purpose::EvictLeader
            | Purpose::AdminAddPeer
            | Purpose::AdminAddVoter
            | Purpose::AdminRemovePeer
            | Purpose::AdminTransferLeader
            | Purpose::AdminSplit => Priority::Urgent,
            Purpose::LeaveJoint
            | Purpose::RemoveOrphanPeer
            | Purpose::RemoveUnhealthyOrphan
            | Purpose::RemoveReplacedOrphan
            | Purpose::ReplaceDownPeerWithOrphan
            | Purpose::PromoteLearner
            | Purpose::AddMissingPeer
            | Purpose::ReplaceDownPeer
            | Purpose::ReplaceOfflinePeer => Priority::High,
        }
    }

    /// Its name in PD.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::LeaveJoint => "leave-joint-state",
            Purpose::RemoveOrphanPeer => "remove-orphan-peer",
            Purpose::RemoveUnhealthyOrphan => "remove-unhealthy-orphan-peer",
            Purpose::RemoveReplacedOrphan => "remove-replaced-orphan-peer",
            Purpose::ReplaceDownPeerWithOrphan => "replace-down-peer-with-orphan-peer",
            Purpose::PromoteLearner => "fix-peer-role",
            Purpose::AddMissingPeer => "add-rule-peer",
            Purpose::ReplaceDownPeer => "replace-rule-down-peer",
            Purpose::ReplaceOfflinePeer => "replace-rule-offline-peer",
            Purpose::EvictLeader => "evict-leader",
            Purpose::AdminAddPeer => "admin-add-peer",
            Purpose::AdminAddVoter => "admin-add-voter",
            Purpose::AdminRemovePeer => "admin-remove-peer",
            Purpose::AdminTransferLeader => "admin-transfer-leader",
            Purpose::AdminSplit => "admin-split-region",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an operator ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperatorEnd {
    /// All steps are done.
    Success,
    /// It took too long.
    Timeout,
    /// It waited too long for its turn.
    Expired,
    /// An operator of a higher priority replaced it.
    Replaced,
    /// It is stale.
    Cancelled(StaleOperator),
    /// PD no longer knows the region.
    RegionGone,
    /// The administrator removed it.
    Removed,
}

/// A plan for one region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operator {
    /// The region.
    pub region: RegionId,
    /// Its epoch when the plan was made.
    pub epoch: Epoch,
    /// Why.
    pub purpose: Purpose,
    /// The plan.
    pub steps: Vec<OperatorStep>,
    /// How many steps are done.
    pub done: usize,
    /// When it was made.
    pub created_at: u64,
    /// When it started.
    pub started_at: Option<u64>,
    /// Its timeout in ticks from then on.
    pub time_allowed: u64,
}

impl Operator {
    /// A plan for the region as it is now.
    pub(crate) fn new(
        known: &KnownRegion,
        purpose: Purpose,
        steps: Vec<OperatorStep>,
        now: u64,
        config: &PdConfig,
    ) -> Self {
        let allowed = |step: &OperatorStep| step.time_allowed(config.slow_step, config.fast_step);
        Self {
            region: known.region.id,
            epoch: known.region.epoch,
            purpose,
            time_allowed: steps.iter().map(allowed).sum(),
            steps,
            done: 0,
            created_at: now,
            started_at: None,
        }
    }

    /// The current step; none once all are done.
    pub fn step(&self) -> Option<&OperatorStep> {
        self.steps.get(self.done)
    }

    /// Whether its turn has not come yet.
    pub fn is_waiting(&self) -> bool {
        self.started_at.is_none()
    }

    /// Skips the steps that the region shows as finished.
    pub(crate) fn advance(&mut self, known: &KnownRegion) {
        while self.step().is_some_and(|step| step.is_finished(known)) {
            self.done += 1;
        }
    }

    /// How far its steps up to the present one have raised the conf_ver.
    pub fn conf_ver_delta(&self, known: &KnownRegion, guards: impl Guards) -> u64 {
        let counts = |step: &&OperatorStep| {
            !matches!(step, OperatorStep::AddLearner(_)) || guards.holds(Guard::OwnChangesCounted)
        };
        let begun = self.steps.iter().take(self.done + 1);
        begun.filter(counts).map(|step| step.conf_ver_delta(known)).sum()
    }

    /// Whether something else has changed the members.
    pub fn is_outrun(&self, known: &KnownRegion, guards: impl Guards) -> bool {
        let risen = known.region.epoch.conf_ver.saturating_sub(self.epoch.conf_ver);
        risen > self.conf_ver_delta(known, guards)
    }

    /// Whether it has timed out.
    pub(crate) fn is_overdue(&self, now: u64) -> bool {
        self.started_at.is_some_and(|started| now - started > self.time_allowed)
    }
}
