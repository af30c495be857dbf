//! The museum: each guard dropped once, and what goes wrong.
//!
//! A guard whose absence breaks safety has a shortest counterexample to a named property in the
//! model. A guard whose absence only stops progress has a shortest path into a state that cannot
//! heal, and the healing that misses its goal. A guard whose absence only costs time has a *trap*:
//! the shortest path to a step that the rules decide differently without it. On the implementation,
//! the sound store must diverge from the trace where the guard decides. The store without the guard
//! must follow the trace to its end and, for safety, violate the same property there.

pub mod checks;
mod find;
mod implementation;
pub mod matrix;
mod page;

use std::sync::atomic::AtomicBool;

use rollcall_model::liveness::Goal;
use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, ScopePlan};
use rollcall_model::{Guard, GuardSet, ModelSubject};
use rollcall_traces::{Sides, Trace, replay};
use serde::Serialize;
use thiserror::Error;

use crate::explorer::ExploreError;
use find::{counterexample, more_than_delay, options, stuck, trap};
use implementation::on_implementation;
pub use page::page;
pub(crate) use page::parts;

/// What goes wrong without a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// This property is violated.
    Safety(Property),
    /// This goal is missed although faults have stopped.
    Recovery(Goal),
    /// Progress comes later than it should.
    Delay,
}

impl Harm {
    /// The property or goal that is broken; `None` if only time is lost.
    pub(crate) fn broken(self) -> Option<&'static str> {
        match self {
            Harm::Safety(property) => Some(property.name()),
            Harm::Recovery(goal) => Some(goal.name()),
            Harm::Delay => None,
        }
    }
}

/// One guard, and where its absence shows. A guard may do several harms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The guard.
    pub guard: Guard,
    /// What goes wrong without it.
    pub harm: Harm,
    /// The scope in which that shows.
    pub scope: &'static str,
}

impl Piece {
    /// The name of its trace: the guard's name, followed by the property or goal for every harm but
    /// the first.
    pub fn name(&self) -> String {
        let is_first = PIECES.iter().find(|piece| piece.guard == self.guard) == Some(self);
        let broken = self.harm.broken().filter(|_| !is_first);
        broken.map_or(self.guard.to_string(), |broken| format!("{}-{broken}", self.guard))
    }
}

const fn safety(guard: Guard, property: Property, scope: &'static str) -> Piece {
    Piece { guard, harm: Harm::Safety(property), scope }
}

const fn recovery(guard: Guard, goal: Goal, scope: &'static str) -> Piece {
    Piece { guard, harm: Harm::Recovery(goal), scope }
}

const fn delay(guard: Guard, scope: &'static str) -> Piece {
    Piece { guard, harm: Harm::Delay, scope }
}

/// Every guard of the model with its scope; a smoke scope if one suffices.
pub const PIECES: &[Piece] = &[
    safety(Guard::SnapshotOnce, Property::AppliedAgreement, "replace_one_by_one_smoke"),
    recovery(Guard::StepDownOnHigherTerm, Goal::LeaderElectable, "leader_removed_after_handover_smoke"),
    recovery(Guard::NoProposalsWhileTransferring, Goal::LeaderElectable, "leaders_store_leaves_smoke"),
    recovery(Guard::TransferTimesOut, Goal::TransferEnds, "transfer_against_a_change_smoke"),
    delay(Guard::TransferWaitsForChange, "transfer_against_a_change_smoke"),
    recovery(Guard::LaggingLeaderHandsOver, Goal::RequestsEnd, "leaders_disk_hangs_smoke"),
    safety(Guard::CampaignAppliesFirst, Property::LeaderCompleteness, "replace_a_lost_store"),
    safety(Guard::CampaignAppliesFirst, Property::ElectionSafety, "three_voters_to_one_smoke"),
    safety(Guard::CampaignAppliesFirst, Property::LeaderCompleteness, "timeout_now_comes_late_smoke"),
    recovery(Guard::UninitialisedPeerListens, Goal::MembersCaughtUp, "grow_and_shrink_smoke"),
    recovery(Guard::HeartbeatCommitBounded, Goal::MembersCaughtUp, "grow_and_shrink_smoke"),
    recovery(Guard::PendingChangeExpires, Goal::ChangesPossible, "grow_and_shrink_smoke"),
    safety(Guard::ApplyNeedsNoClient, Property::AppliedAgreement, "replace_one_by_one_smoke"),
    safety(Guard::NoDuplicateChange, Property::EpochComparable, "grow_and_shrink_smoke"),
    recovery(Guard::DemoteBeforeRemoval, Goal::LeaderElectable, "two_voters_to_one_smoke"),
    recovery(Guard::DemoteBeforeRemoval, Goal::LeaderElectable, "one_of_four_goes_smoke"),
    safety(Guard::TombstoneAtNewEpoch, Property::CleanTombstone, "replace_one_by_one_smoke"),
    recovery(Guard::StalePeerTold, Goal::RemovedGone, "leader_removed_after_handover_smoke"),
    recovery(Guard::StalePeerAsks, Goal::RemovedGone, "learner_removed_while_cut_off_smoke"),
    recovery(Guard::StalePeerAsks, Goal::MembersCaughtUp, "removed_learner_blocks_a_child_smoke"),
    recovery(Guard::CreatorRemembered, Goal::RemovedGone, "uninitialised_peer_behind_a_merge_smoke"),
    delay(Guard::OldViewEndsNoNewPeer, "stale_peer_asks_pd_smoke"),
    delay(Guard::LeaderNotRemoved, "leader_removed_after_handover_smoke"),
    safety(Guard::LeaderStepsDownOnRemoval, Property::CleanTombstone, "leader_removed_after_handover_smoke"),
    safety(Guard::StopAfterDestroy, Property::CleanTombstone, "leader_removed_after_handover_smoke"),
    safety(Guard::TombstoneRefusesStale, Property::NoResurrection, "leader_removed_after_handover_smoke"),
    safety(Guard::ChangeWaitsForOwnElection, Property::SingleChange, "joins_again_with_the_same_id_smoke"),
    safety(Guard::ReadNeedsQuorum, Property::ReadSafety, "reads_across_leaders_smoke"),
    safety(Guard::ReadWaitsForApply, Property::ReadSafety, "reads_across_leaders"),
    safety(Guard::CommitOwnTerm, Property::StateMachineSafety, "old_term_entries_smoke"),
    safety(Guard::OneVoteATerm, Property::ElectionSafety, "old_term_entries_smoke"),
    safety(Guard::ConflictTruncates, Property::LogMatching, "old_term_entries"),
    safety(Guard::EpochCheckedAtApply, Property::MetaConsistent, "split_and_leader_change_smoke"),
    safety(Guard::SplitIdsFitMembers, Property::MetaConsistent, "split_against_an_add_smoke"),
    safety(Guard::SplitTakenByEveryReplica, Property::AppliedAgreement, "split_after_a_promotion_smoke"),
    safety(Guard::RemovedPeerSplitsNothing, Property::MetaConsistent, "split_against_a_remove"),
    safety(Guard::SplitSparesTheKnown, Property::NoResurrection, "child_removed_before_its_birth_smoke"),
    safety(Guard::SplitKeepsVote, Property::ElectionSafety, "child_snapshot_under_way_smoke"),
    safety(
        Guard::UninitialisedVoteSurvives,
        Property::LeaderCompleteness,
        "voter_restarts_before_its_snapshot_smoke",
    ),
    safety(Guard::CommitIndexDurable, Property::StateMachineSafety, "power_fails_between_changes_smoke"),
    safety(Guard::VoteDurableFirst, Property::LeaderCompleteness, "power_fails_before_persistence_smoke"),
    safety(Guard::AppendDurableFirst, Property::LeaderCompleteness, "power_fails_before_persistence_smoke"),
    safety(Guard::OwnCopyDurableFirst, Property::LeaderCompleteness, "power_fails_before_persistence_smoke"),
    safety(Guard::LeadershipDurableFirst, Property::LogMatching, "sole_voter_persists_late_smoke"),
    recovery(Guard::DemotedTakesSnapshots, Goal::RequestsEnd, "demoted_while_it_needs_a_snapshot_smoke"),
    safety(Guard::DataDivided, Property::MetaConsistent, "split_on_two_peers_smoke"),
    safety(Guard::SnapshotChecksOverlap, Property::RangeDisjoint, "child_snapshot_under_way_smoke"),
    safety(Guard::SnapshotUpdatesRanges, Property::MetaConsistent, "grow_and_shrink_smoke"),
    safety(Guard::DestroySparesTheReplaced, Property::MetaConsistent, "child_snapshot_under_way_smoke"),
    safety(Guard::AnswerCopiesRegion, Property::ReadSafety, "reads_across_a_split_smoke"),
    recovery(Guard::MergeForwardsCommit, Goal::RequestsEnd, "target_led_by_who_lags_smoke"),
    safety(Guard::MergeStopsChanges, Property::EpochMonotone, "merge_racing_a_decommission_smoke"),
    recovery(Guard::MergeNeedsSameStores, Goal::MembersCaughtUp, "merge_racing_a_decommission_smoke"),
    safety(Guard::MergeWaitsForSource, Property::CleanTombstone, "merge_and_leader_change_smoke"),
    safety(Guard::MergeStopsWrites, Property::NoLostWrite, "merge_and_leader_change"),
    recovery(Guard::MergeGapBounded, Goal::MembersCaughtUp, "merge_behind_a_compaction_smoke"),
    recovery(Guard::MergeWaitsForSnapshot, Goal::MembersCaughtUp, "merge_behind_a_snapshot_smoke"),
    delay(Guard::MergeWaitsForCommits, "merge_behind_a_compaction_smoke"),
    safety(Guard::RollbackNeedsCause, Property::RangeCover, "merge_and_leader_change_smoke"),
    safety(Guard::MergeVersionAboveBoth, Property::EpochComparable, "merge_and_leader_change_smoke"),
    safety(Guard::BuriedByCount, Property::TombstoneStoreEmpty, "pd_restarted_smoke"),
    safety(Guard::StaleReportRefused, Property::PdView, "late_report_and_late_order_smoke"),
    recovery(Guard::LeaderChangeBelieved, Goal::PdViewCurrent, "leaders_store_leaves_smoke"),
    safety(Guard::OneOperatorARegion, Property::OneOperator, "administrator_against_the_patrol_smoke"),
    safety(Guard::RemovalKeepsMajority, Property::NoUnsafePlan, "administrator_against_the_patrol_smoke"),
    recovery(Guard::PlanDemotesFirst, Goal::OperatorsEnd, "administrator_against_the_patrol_smoke"),
    safety(Guard::TombstoneAbsorbs, Property::TombstoneAbsorbing, "decommission_cancelled_smoke"),
    safety(Guard::TombstoneByPatrolAlone, Property::TombstoneStoreEmpty, "decommission_cancelled_smoke"),
    recovery(Guard::EnoughStoresLeft, Goal::StoreLeaves, "administrator_against_the_patrol_smoke"),
    recovery(Guard::OwnChangesCounted, Goal::Settles, "leaders_store_leaves_smoke"),
    recovery(Guard::OrphansLeave, Goal::ReplicasWhole, "decommission_cancelled_smoke"),
    delay(Guard::PendingLearnerCounts, "learner_waits_for_its_snapshot_smoke"),
    recovery(Guard::PromotionNeedsNoTarget, Goal::ReplicasWhole, "learner_beside_a_spare_one_smoke"),
    recovery(Guard::OrphanMayFill, Goal::ReplicasWhole, "down_peer_and_a_learner_smoke"),
    recovery(Guard::JointEndedByPatrol, Goal::ChangesPossible, "crash_while_a_store_leaves_smoke"),
    recovery(Guard::JointHandsOverFirst, Goal::Settles, "crash_while_a_store_leaves_smoke"),
    recovery(Guard::TargetConnected, Goal::Settles, "no_legal_target_smoke"),
    delay(Guard::LeaderHandsOverFirst, "leaders_store_leaves_smoke"),
    safety(Guard::TombstoneNeedsConfVerAdvance, Property::CleanTombstone, "tombstone_by_hand_smoke"),
    safety(Guard::TombstoneRefusesItself, Property::NoResurrection, "tombstone_by_hand_smoke"),
    recovery(Guard::LoneLeaderMoves, Goal::StoreLeaves, "one_replica_smoke"),
    safety(Guard::ReplacementJoinsFirst, Property::NoUnsafePlan, "two_of_three_replicas_leave_smoke"),
    recovery(Guard::OperatorsTimeOut, Goal::OperatorsEnd, "tombstone_by_hand_smoke"),
    delay(Guard::LimitCountsOwnKind, "patrol_limited_smoke"),
    recovery(Guard::SmallStoreMayFill, Goal::StoreLeaves, "target_full_by_share_smoke"),
    safety(Guard::DestroyedStaysGone, Property::TombstoneAbsorbing, "leaving_store_stopped_smoke"),
    safety(Guard::RecordKeptWhileListed, Property::TombstoneStoreEmpty, "split_racing_a_decommission_smoke"),
    safety(Guard::ForceKeepsWhatIsCommitted, Property::NoLostWrite, "forced_behind_a_learner_smoke"),
    recovery(Guard::ForceTargetFirst, Goal::LeaderElectable, "forced_with_a_merge_to_commit_smoke"),
    recovery(Guard::ForceSparesSources, Goal::MembersCaughtUp, "forced_with_a_merge_and_two_left_smoke"),
    recovery(Guard::ForceRollsBack, Goal::LeaderElectable, "forced_while_merging_smoke"),
    delay(Guard::DemotingVoterRanksLast, "forced_in_a_joint_state_smoke"),
    safety(Guard::RecoveryDropsRegions, Property::PdView, "forced_behind_a_split_smoke"),
    recovery(Guard::RecoveryDropsRegionsFirst, Goal::PdViewCurrent, "broken_off_behind_a_split_smoke"),
    recovery(Guard::RecoveryFillsHoles, Goal::KeysCovered, "forced_by_hand_smoke"),
    safety(Guard::ChangeKeepsMajorityHeard, Property::NoUnsafeRemoval, "removed_while_a_voter_is_down_smoke"),
    delay(Guard::NewQuorumHasLog, "new_quorum_needs_a_snapshot_smoke"),
    safety(Guard::JointNeedsBothMajorities, Property::StateMachineSafety, "swap_two_by_joint"),
];

/// How guards below the model's grain are tested: each has a named test of the implementation.
pub const BELOW_THE_GRAIN: &str = "named test";

/// The result for one guard. A figure that was not measured is `None`.
#[derive(Clone, Debug, Serialize)]
pub struct Exhibit {
    /// The guard.
    pub guard: String,
    /// The incident behind it.
    pub incident: String,
    /// Who implements the rule: `raft-rs` or `Store`; `None` if the implementation cannot drop it.
    pub decider: Option<String>,
    /// `model`, `implementation` or `both`.
    pub level: String,
    /// The property that is violated, the goal that is missed, or `only time is lost`.
    pub property: Option<String>,
    /// Distinct states explored until it was found.
    pub states_to_find: Option<u64>,
    /// The length of the shortest trace.
    pub trace_steps: Option<u64>,
    /// What fails in the model.
    pub killed_in_model: Option<String>,
    /// What fails on the implementation.
    pub killed_on_implementation: Option<String>,
    /// The step at which the sound rules and the sound implementation diverge from the trace.
    #[serde(skip)]
    pub parts_at: Option<u64>,
    /// What should have shown and did not, in sentences.
    #[serde(skip)]
    pub failures: Vec<String>,
}

/// An exhibit with its trace.
pub struct Shown {
    /// The result.
    pub exhibit: Exhibit,
    /// The shortest trace into it.
    pub trace: Option<Trace>,
}

/// An exhibit that cannot be made.
#[derive(Debug, Error)]
pub enum MuseumError {
    /// Its scope does not exist.
    #[error("guard `{guard}` names scope `{scope}`, which does not exist; correct `museum::PIECES`")]
    UnknownScope {
        /// The guard.
        guard: &'static str,
        /// The scope.
        scope: &'static str,
    },
    /// The scope cannot begin without the guard.
    #[error(transparent)]
    Scope(#[from] rollcall_traces::ScopeError),
    /// The scope cannot be explored.
    #[error(transparent)]
    Explore(#[from] ExploreError),
}

/// What a guard whose absence delays breaks.
pub const DELAYS: &str = "only time is lost";

/// Drops one guard and looks for the harm.
///
/// # Errors
/// If the exhibit cannot be made at all. If no check fails without the guard, that is a
/// failure of the exhibit, not an error.
pub fn show(piece: &Piece, threads: usize, interrupt: &AtomicBool) -> Result<Shown, MuseumError> {
    let plan = plan_of(piece)?;
    let found = match piece.harm {
        Harm::Safety(property) => {
            counterexample(piece, plan.clone(), property, options(threads, true, interrupt))?
        }
        Harm::Recovery(goal) => stuck(&plan, piece.guard, goal, threads, interrupt)?,
        Harm::Delay => trap(piece, &plan, options(threads, false, interrupt))?,
    };
    let harm = match piece.harm {
        Harm::Delay => more_than_delay(&plan, piece.guard, threads, interrupt)?,
        Harm::Safety(_) | Harm::Recovery(_) => None,
    };
    let mut exhibit = Exhibit {
        states_to_find: found.as_ref().map(|found| found.states),
        trace_steps: found.as_ref().map(|found| found.trace.steps.len() as u64),
        failures: harm.into_iter().collect(),
        ..begun(piece)
    };
    let Some(found) = found else {
        exhibit.failures.push(format!("no check in {} fails without {}", piece.scope, piece.guard));
        return Ok(Shown { exhibit, trace: None });
    };
    exhibit.killed_in_model = piece.harm.broken().map(Into::into);
    on_implementation(piece, &found.trace, &mut exhibit);
    Ok(Shown { exhibit, trace: Some(found.trace) })
}

/// The result of an exhibit's stored trace, without a new search.
pub fn show_again(piece: &Piece, trace: &Trace) -> Exhibit {
    let mut exhibit = Exhibit { trace_steps: Some(trace.steps.len() as u64), ..begun(piece) };
    let mut model = ModelSubject::new(GuardSet::without(piece.guard), &[]);
    match replay(&mut model, trace, Sides::TRACE_AND_MODEL) {
        Ok(_) => exhibit.killed_in_model = piece.harm.broken().map(Into::into),
        Err(error) => exhibit.failures.push(error.to_string()),
    }
    on_implementation(piece, trace, &mut exhibit);
    exhibit
}

/// The exhibit before any search.
fn begun(piece: &Piece) -> Exhibit {
    Exhibit {
        guard: piece.guard.name().into(),
        incident: piece.guard.incident().into(),
        decider: None,
        level: "model".into(),
        property: Some(piece.harm.broken().unwrap_or(DELAYS).into()),
        states_to_find: None,
        trace_steps: None,
        killed_in_model: None,
        killed_on_implementation: None,
        parts_at: None,
        failures: Vec::new(),
    }
}

fn plan_of(piece: &Piece) -> Result<ScopePlan, MuseumError> {
    scopes::named(piece.scope)
        .ok_or(MuseumError::UnknownScope { guard: piece.guard.name(), scope: piece.scope })
}
