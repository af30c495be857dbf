//! The museum: every guard dropped once, and what comes of it.
//!
//! A guard whose absence breaks safety has a shortest counterexample to a named
//! property in the model. One whose absence only ever stops progress has a
//! shortest way into a state that does not heal any more, and the healing that
//! misses its goal. One whose absence only costs time has a *trap*: the shortest
//! way to a step that the rules without it decide otherwise. On the
//! implementation the sound store must part from either trace where the guard
//! bites, and the store without the guard must follow it to the end and, for
//! safety, violate the same property there.

use std::sync::atomic::AtomicBool;

use rollcall_impl::{Dropped, Guards, Sound};
use rollcall_model::heal::{self, Goal};
use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, Plan};
use rollcall_model::{EXPLORED, Guard, GuardSet, ModelSubject, Rollcall, State};
use rollcall_traces::{Action, ReplayError, Sides, Trace, Verdict, record_again, replay};
use serde::Serialize;
use stateright::Model;
use thiserror::Error;

use crate::explorer::{self, Exploration, ExploreError, Options};
use crate::judge::Judge;
use crate::recover::{self, BOUND, Stuck, recover};
use crate::verify::{SHOWN, stuck_trace, violation_trace, walk};
use crate::world::World;

/// What a dropped guard does harm to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// This property is violated.
    Safety(Property),
    /// Something good never comes, though faults have stopped.
    Recovery(Goal),
    /// It comes, and later than it should.
    Delay,
}

impl Harm {
    /// The property or goal that is broken; nothing where only time is lost.
    fn broken(self) -> Option<&'static str> {
        match self {
            Harm::Safety(property) => Some(property.name()),
            Harm::Recovery(goal) => Some(goal.name()),
            Harm::Delay => None,
        }
    }
}

/// One guard, and where its absence is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// The guard.
    pub guard: Guard,
    /// What its absence does harm to.
    pub harm: Harm,
    /// The scope in which that shows.
    pub scope: &'static str,
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

/// Every guard of the model, with its scope. Smoke scopes where they suffice.
pub const PIECES: &[Piece] = &[
    safety(Guard::SnapshotOnce, Property::AppliedAgreement, "replace_one_by_one_smoke"),
    recovery(Guard::StepDownOnHigherTerm, Goal::LeaderElectable, "leader_removed_after_handover_smoke"),
    recovery(Guard::NoProposalsWhileTransferring, Goal::LeaderElectable, "leaders_store_leaves_smoke"),
    recovery(Guard::TransferTimesOut, Goal::TransferEnds, "transfer_against_a_change_smoke"),
    delay(Guard::TransferWaitsForChange, "transfer_against_a_change_smoke"),
    safety(Guard::CampaignAppliesFirst, Property::LeaderCompleteness, "replace_a_lost_store"),
    recovery(Guard::UninitialisedPeerListens, Goal::MembersCaughtUp, "grow_and_shrink_smoke"),
    recovery(Guard::HeartbeatCommitBounded, Goal::MembersCaughtUp, "grow_and_shrink_smoke"),
    recovery(Guard::PendingChangeExpires, Goal::ChangesPossible, "grow_and_shrink_smoke"),
    safety(Guard::ApplyNeedsNoClient, Property::AppliedAgreement, "replace_one_by_one_smoke"),
    safety(Guard::NoDuplicateChange, Property::EpochComparable, "grow_and_shrink_smoke"),
    recovery(Guard::DemoteBeforeRemoval, Goal::LeaderElectable, "two_voters_to_one_smoke"),
    safety(Guard::TombstoneAtNewEpoch, Property::CleanTombstone, "replace_one_by_one_smoke"),
    recovery(Guard::StalePeerTold, Goal::RemovedGone, "leader_removed_after_handover_smoke"),
    delay(Guard::LeaderNotRemoved, "leader_removed_after_handover_smoke"),
    safety(Guard::LeaderStepsDownOnRemoval, Property::CleanTombstone, "leader_removed_after_handover_smoke"),
    safety(Guard::StopAfterDestroy, Property::CleanTombstone, "leader_removed_after_handover_smoke"),
    safety(Guard::TombstoneRefusesStale, Property::NoResurrection, "leader_removed_after_handover_smoke"),
    safety(Guard::ChangeWaitsForOwnElection, Property::SingleChange, "joins_again_with_the_same_id_smoke"),
    safety(Guard::ReadNeedsQuorum, Property::ReadSafety, "reads_across_leaders_smoke"),
    safety(Guard::ReadWaitsForApply, Property::ReadSafety, "reads_across_leaders"),
    safety(Guard::CommitOwnTerm, Property::StateMachineSafety, "old_term_entries_smoke"),
    safety(Guard::EpochCheckedAtApply, Property::MetaConsistent, "split_and_leader_change_smoke"),
    safety(Guard::SplitIdsFitMembers, Property::MetaConsistent, "split_against_an_add_smoke"),
    safety(Guard::SplitTakenByEveryReplica, Property::AppliedAgreement, "split_after_a_promotion_smoke"),
    safety(Guard::RemovedPeerSplitsNothing, Property::MetaConsistent, "split_against_a_remove"),
    safety(Guard::SplitSparesTheKnown, Property::NoResurrection, "child_removed_before_its_birth_smoke"),
    safety(Guard::SplitKeepsVote, Property::ElectionSafety, "child_snapshot_under_way_smoke"),
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
    safety(Guard::RollbackNeedsCause, Property::RangeCover, "merge_and_leader_change_smoke"),
    safety(Guard::MergeVersionAboveBoth, Property::EpochComparable, "merge_and_leader_change_smoke"),
    safety(Guard::BuriedByCount, Property::TombstoneStoreEmpty, "driver_restarted_smoke"),
    safety(Guard::StaleReportRefused, Property::DriverView, "late_report_and_late_order_smoke"),
    safety(Guard::OneOperatorARegion, Property::OneOperator, "administrator_against_the_patrol_smoke"),
    safety(Guard::RemovalKeepsMajority, Property::NoUnsafeRemoval, "administrator_against_the_patrol_smoke"),
    recovery(Guard::PlanDemotesFirst, Goal::OperatorsEnd, "administrator_against_the_patrol_smoke"),
    safety(Guard::TombstoneAbsorbs, Property::TombstoneAbsorbing, "decommission_cancelled_smoke"),
    safety(Guard::TombstoneByPatrolAlone, Property::TombstoneStoreEmpty, "decommission_cancelled_smoke"),
    recovery(Guard::EnoughStoresLeft, Goal::StoreLeaves, "administrator_against_the_patrol_smoke"),
    recovery(Guard::OwnChangesCounted, Goal::Settles, "leaders_store_leaves_smoke"),
    recovery(Guard::OrphansLeave, Goal::ReplicasWhole, "decommission_cancelled_smoke"),
    recovery(Guard::OrphanMayFill, Goal::ReplicasWhole, "down_peer_and_a_learner_smoke"),
    recovery(Guard::JointEndedByPatrol, Goal::ChangesPossible, "crash_while_a_store_leaves_smoke"),
    recovery(Guard::JointHandsOverFirst, Goal::Settles, "crash_while_a_store_leaves_smoke"),
    recovery(Guard::TargetConnected, Goal::Settles, "no_legal_target_smoke"),
    delay(Guard::LeaderHandsOverFirst, "leaders_store_leaves_smoke"),
    safety(Guard::TombstoneNeedsConfVerAdvance, Property::CleanTombstone, "tombstone_by_hand_smoke"),
    safety(Guard::JointNeedsBothMajorities, Property::StateMachineSafety, "swap_two_by_joint"),
];

/// Guards below the grain: a named test of the implementation kills each.
pub const BELOW_THE_GRAIN: &str = "named test";

/// What came of one guard. A figure that was not measured is `None`.
#[derive(Clone, Debug, Serialize)]
pub struct Exhibit {
    /// The guard.
    pub guard: String,
    /// The incident behind it.
    pub incident: String,
    /// Who decides it: `raft-rs` or `Store`; `None` where the implementation cannot drop it.
    pub decider: Option<String>,
    /// `model`, `implementation` or `both`.
    pub level: String,
    /// The property that is violated, the goal that is missed, or `only time is lost`.
    pub property: Option<String>,
    /// Distinct states looked at until it was found.
    pub states_to_find: Option<u64>,
    /// The length of the shortest trace.
    pub trace_steps: Option<u64>,
    /// What notices in the model.
    pub killed_in_model: Option<String>,
    /// What notices on the implementation.
    pub killed_on_implementation: Option<String>,
    /// The step at which sound rules and sound implementation part from the trace.
    #[serde(skip)]
    pub parts_at: Option<u64>,
    /// What is missing, in words.
    #[serde(skip)]
    pub failures: Vec<String>,
}

/// An exhibit with its trace.
pub struct Shown {
    /// What came of it.
    pub exhibit: Exhibit,
    /// The shortest trace into it.
    pub trace: Option<Trace>,
}

/// A piece that cannot be looked for.
#[derive(Debug, Error)]
pub enum MuseumError {
    /// Its scope is not there.
    #[error("guard `{guard}` is looked for in scope `{scope}`, which there is not; correct `museum::PIECES`")]
    UnknownScope {
        /// The guard.
        guard: &'static str,
        /// The scope.
        scope: &'static str,
    },
    /// The scope cannot be begun without the guard.
    #[error(transparent)]
    Scope(#[from] rollcall_traces::ScopeError),
    /// The scope cannot be explored.
    #[error(transparent)]
    Explore(#[from] ExploreError),
}

/// What a guard whose absence delays breaks.
pub const DELAYS: &str = "only time is lost";

/// Shows what comes of dropping one guard.
///
/// # Errors
/// Where the piece cannot be looked for at all; that nobody notices is no
/// error but a failure of the exhibit.
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
        guard: piece.guard.name().into(),
        incident: piece.guard.incident().into(),
        decider: None,
        level: "model".into(),
        property: Some(piece.harm.broken().unwrap_or(DELAYS).into()),
        states_to_find: found.as_ref().map(|found| found.states),
        trace_steps: found.as_ref().map(|found| found.trace.steps.len() as u64),
        killed_in_model: None,
        killed_on_implementation: None,
        parts_at: None,
        failures: harm.into_iter().collect(),
    };
    let Some(found) = found else {
        exhibit.failures.push(format!("nobody notices in {} that {} is missing", piece.scope, piece.guard));
        return Ok(Shown { exhibit, trace: None });
    };
    exhibit.killed_in_model = piece.harm.broken().map(Into::into);
    on_implementation(piece, &found.trace, &mut exhibit);
    Ok(Shown { exhibit, trace: Some(found.trace) })
}

fn plan_of(piece: &Piece) -> Result<Plan, MuseumError> {
    scopes::named(piece.scope)
        .ok_or(MuseumError::UnknownScope { guard: piece.guard.name(), scope: piece.scope })
}

struct Found {
    states: u64,
    trace: Trace,
}

/// A shortest trace into a violation of the property.
fn counterexample(
    piece: &Piece,
    plan: Plan,
    property: Property,
    options: Options<'_>,
) -> Result<Option<Found>, MuseumError> {
    let plan = Plan { properties: vec![property], reachable: Vec::new(), ..plan };
    let model = plan.model(GuardSet::without(piece.guard))?;
    let explored = explorer::explore(&model, &options, |_, _| 0)?;
    let mut found = explored.violations().filter(|verdict| verdict.property != EXPLORED);
    let Some(state) = found.find_map(|verdict| verdict.first) else { return Ok(None) };
    let trace = violation_trace(&model, &explored, property.name(), state);
    let sound = plan.model(GuardSet::ALL)?;
    let begin_alike = sound.seen(&sound.first()).view() == model.seen(&model.first()).view();
    let trace = if begin_alike { trace } else { with_prelude_taken(&trace, &model, property)? };
    Ok(Some(Found { states: u64::from(state) + 1, trace }))
}

/// The same trace with the scope's prelude as its first steps: the guard bites in there.
fn with_prelude_taken(trace: &Trace, model: &Rollcall, property: Property) -> Result<Trace, MuseumError> {
    let mut header = trace.header.clone();
    let prelude = std::mem::take(&mut header.scope.prelude);
    let actions = prelude.into_iter().chain(trace.steps.iter().map(|step| step.action.clone()));
    let scenario = Trace::scenario(header, actions);
    let mut judge = Judge::new(&[property]);
    let mut subject = ModelSubject::new(model.guards(), &[property]);
    Ok(record_again(&mut subject, &scenario, |view, taken| judge.names(view, taken))?)
}

fn options(threads: usize, stop_at_first_violation: bool, interrupt: &AtomicBool) -> Options<'_> {
    let interrupt = Some(interrupt);
    Options { threads, stop_at_first_violation, keep_edges: false, interrupt, ..Options::default() }
}

/// A shortest trace into a state that does not heal without the guard, the
/// healing that fails, and the step that the sound rules would take from there.
fn stuck(
    plan: &Plan,
    guard: Guard,
    goal: Goal,
    threads: usize,
    interrupt: &AtomicBool,
) -> Result<Option<Found>, MuseumError> {
    let plan = Plan { properties: Vec::new(), reachable: Vec::new(), ..plan.clone() };
    let without = plan.model(GuardSet::without(guard))?;
    let explored = explorer::explore(&without, &options(threads, false, interrupt), |_, _| 0)?;
    let first = recover(&without, &explored, threads, interrupt).stuck;
    // Something less may be missed before.
    let stuck = first.and_then(|mut first| {
        first.missed.retain(|missed| missed.goal == goal);
        if first.missed.is_empty() {
            recover::first_that_misses(&without, &explored, goal, interrupt)
        } else {
            Some(first)
        }
    });
    let Some(stuck) = stuck else { return Ok(None) };
    let mut trace = stuck_trace(&without, &explored, &stuck);
    if let Some((healed, other)) = parting(&without, &explored, &stuck) {
        let way = trace.steps.len() - stuck.healing.len().min(SHOWN);
        let would = other.is_some();
        let actions = trace.actions().take(way).cloned().chain(stuck.healing[..healed].iter().cloned());
        trace = walk(&without, actions.chain(other).collect::<Vec<_>>());
        trace.verdict = Some(Verdict::violated(goal.name(), trace.steps.len() as u64));
        if let Some(last) = trace.steps.last_mut() {
            let here = if would { "what the sound rules would do here" } else { "here the guard bites" };
            last.note = format!("{here}; without {guard} {stuck}");
        }
    }
    Ok(Some(Found { states: u64::from(stuck.state) + 1, trace }))
}

/// Where the sound rules would heal otherwise: behind how many steps of the
/// healing, and what they would do there, if that is something else.
fn parting(
    without: &Rollcall,
    explored: &Exploration<State>,
    stuck: &Stuck,
) -> Option<(usize, Option<Action>)> {
    let sound = without.with_guards(GuardSet::ALL);
    let mut state = without.at_rest(&explored.states[stuck.state as usize]);
    for (healed, action) in stuck.healing.iter().enumerate() {
        // What both rules make the same of shows nothing.
        let shows = |other: &Action| without.step(&state, other) != sound.step(&state, other);
        if let Some(other) = heal::next(&sound, &state).filter(|other| other != action && shows(other)) {
            return Some((healed, Some(other)));
        }
        let after = without.step(&state, action);
        if after != sound.step(&state, action) {
            return Some((healed + 1, None));
        }
        state = after.0;
    }
    if stuck.healing.len() == BOUND {
        return None;
    }
    let shows = || heal::change_that_shows(without, &state, stuck.first().region);
    let action = heal::next(&sound, &state).or_else(shows)?;
    Some((stuck.healing.len(), Some(action)))
}

/// A shortest trace to a step that the rules decide otherwise without the
/// guard. Up to that step both say the same, so the sound states are searched.
fn trap(piece: &Piece, plan: &Plan, options: Options<'_>) -> Result<Option<Found>, MuseumError> {
    let plan = Plan { properties: Vec::new(), reachable: Vec::new(), ..plan.clone() };
    let sound = plan.model(GuardSet::ALL)?;
    let without = sound.with_guards(GuardSet::without(piece.guard));
    let explored = explorer::explore(&sound, &options, |_, _| 0)?;
    let mut actions = Vec::new();
    for (index, state) in (0..).zip(&explored.states) {
        actions.clear();
        without.actions(state, &mut actions);
        // Another word for a refusal is no harm.
        let bites = |action: &&Action| {
            let ((sound, _), (without, outcome)) = (sound.step(state, action), without.step(state, action));
            sound != without && (outcome.is_done() || sound != *state)
        };
        if let Some(action) = actions.iter().find(bites) {
            let trace = trap_trace(&without, &explored, index, action);
            return Ok(Some(Found { states: u64::from(index) + 1, trace }));
        }
    }
    Ok(None)
}

/// Only time is lost: without the guard, too, every state of the scope heals.
fn more_than_delay(
    plan: &Plan,
    guard: Guard,
    threads: usize,
    interrupt: &AtomicBool,
) -> Result<Option<String>, MuseumError> {
    let plan = Plan { properties: Vec::new(), reachable: Vec::new(), ..plan.clone() };
    let without = plan.model(GuardSet::without(guard))?;
    let explored = explorer::explore(&without, &options(threads, false, interrupt), |_, _| 0)?;
    let recovery = recover(&without, &explored, threads, interrupt);
    let stuck = recovery.stuck.map(|stuck| format!("more than time is lost: state {}: {stuck}", stuck.state));
    Ok(stuck.or_else(|| (!recovery.finished).then(|| "whether more than time is lost is not known".into())))
}

/// The way to `state` and the step there, as the rules without the guard take it.
fn trap_trace(without: &Rollcall, explored: &Exploration<State>, state: u32, action: &Action) -> Trace {
    let way = explored.trace(without, state).steps.into_iter().map(|(action, _)| action);
    let mut trace = walk(without, way.chain([action.clone()]));
    if let Some(last) = trace.steps.last_mut() {
        last.note = format!("here the guard bites; {DELAYS}");
    }
    trace.verdict = Some(Verdict::diverged(trace.steps.len() as u64));
    trace
}

/// The sound store must part from the trace, the store without the guard must
/// follow it to the end.
fn on_implementation(piece: &Piece, trace: &Trace, exhibit: &mut Exhibit) {
    exhibit.parts_at = match replay(&mut World::new(Sound), trace, Sides::MODEL_AND_IMPL) {
        Err(ReplayError::Diverged(divergence)) if divergence.step > 0 => Some(divergence.step),
        Err(error) => {
            exhibit.failures.push(error.to_string());
            return;
        }
        Ok(_) => {
            exhibit.failures.push("the sound implementation follows the trace to its end".into());
            return;
        }
    };
    let Some(parts_at) = exhibit.parts_at else { return };
    let Some(guard) = rollcall_impl::Guard::from_name(piece.guard.name()) else {
        exhibit.level = "model".into();
        exhibit.killed_on_implementation =
            Some(format!("sound raft-rs parts from the trace at step {parts_at}"));
        return;
    };
    exhibit.decider = Some(guard.decider().to_string());
    match follow(World::new(Dropped(guard)), trace) {
        Ok(violated) => {
            exhibit.level = "both".into();
            match piece.harm {
                Harm::Safety(property) if violated.contains(&property.name().to_string()) => {
                    exhibit.killed_on_implementation = Some(property.name().into());
                }
                Harm::Safety(property) => exhibit.failures.push(format!(
                    "without the guard the implementation follows the trace and does not violate {}",
                    property.name()
                )),
                // It shows every view in which the model misses the goal.
                Harm::Recovery(goal) => exhibit.killed_on_implementation = Some(goal.name().into()),
                Harm::Delay if parts_at == trace.steps.len() as u64 => {}
                Harm::Delay => exhibit.failures.push(format!(
                    "the sound implementation parts from the trap at step {parts_at}, before it bites"
                )),
            }
        }
        Err(why) => exhibit.failures.push(why),
    }
}

/// Replays the trace; the properties that are violated at its end.
fn follow<G: Guards>(mut world: World<G>, trace: &Trace) -> Result<Vec<String>, String> {
    replay(&mut world, trace, Sides::MODEL_AND_IMPL).map_err(|error| {
        format!("the implementation without the guard does not follow the trace:\n{error}")
    })?;
    // The views are equal to the trace's, so the trace's are judged.
    let mut judge = Judge::named(&trace.header.properties).map_err(|error| error.to_string())?;
    let mut violated = Vec::new();
    if let Some(view) = &trace.header.view {
        violated = judge.names(view, None);
    }
    for step in &trace.steps {
        if let (Some(view), Some(outcome)) = (&step.view, &step.outcome) {
            violated = judge.names(view, Some((&step.action, outcome)));
        }
    }
    Ok(violated)
}
