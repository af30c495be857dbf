//! The report on one scope, and the verdict of each phase.

use std::collections::BTreeMap;

use rollcall_model::liveness::StuckReason;
use rollcall_model::scopes::ScopePlan;
use rollcall_model::{ACTION_KINDS, ClusterInScope, EXPLORED, Rollcall, State};
use rollcall_traces::{Divergence, Reason, Trace};
use serde::Serialize;

use super::VerifyError;
use crate::conformance::Conformance;
use crate::explorer::{self, Exploration};
use crate::healing::{Healing, Sample};
use crate::recover::{Recovery, end_of};
use crate::second_answer::SecondAnswer;
use crate::walk::{stuck_trace, violation_trace};

/// The report on one scope. A figure that was not measured is `None`. Figures are serialised, prose
/// is not.
#[derive(Clone, Debug, Serialize)]
pub struct ScopeReport {
    /// The scope's family.
    pub family: String,
    /// The scope.
    pub scope: String,
    /// The size.
    pub size: String,
    /// Distinct states.
    pub distinct_states: u64,
    /// Transitions between them.
    pub transitions: u64,
    /// The greatest depth of a state: the length of its shortest path, in actions.
    pub depth: u32,
    /// Whether the exploration is complete.
    pub exhausted: bool,
    /// The distinct states that a journal provided; `None` without one.
    pub resumed_states: Option<u64>,
    /// Whether stateright's checker finds the same states.
    pub stateright_agrees: Option<bool>,
    /// Seconds of stateright's exploration, which has no memoisation.
    pub stateright_seconds: Option<f64>,
    /// Distinct transitions replayed on the implementation and compared.
    pub transitions_replayed: Option<u64>,
    /// Steps of the replay, including those that only lead to a transition.
    pub replayed_steps: Option<u64>,
    /// Disabled actions that the implementation refuses for the model's reason, over all states.
    pub refusals: Option<u64>,
    /// Those that it was asked to take. It refused the others in another state with the same
    /// components.
    pub refusals_checked: Option<u64>,
    /// States that heal.
    pub recovered_states: Option<u64>,
    /// States that reach every owed goal over fault-free edges of the graph.
    pub reaching_states: Option<u64>,
    /// States whose healing is a path in the graph and stays within the scope's bounds.
    pub healed_within_scope: Option<u64>,
    /// States that miss something for a reason that the scope lists.
    pub stuck_states: Option<u64>,
    /// States from which the implementation heals, with equal views on the way.
    pub healed_on_implementation: Option<u64>,
    /// The properties that are violated.
    pub violations: Vec<String>,
    /// Situations and actions that had to occur and did not.
    pub unreached: Vec<String>,
    /// Seconds of exploration.
    pub explore_seconds: f64,
    /// Seconds of healing every state of the model.
    pub heal_seconds: Option<f64>,
    /// Seconds of the second check.
    pub second_answer_seconds: Option<f64>,
    /// Seconds of replay.
    pub replay_seconds: Option<f64>,
    /// Seconds of healing the implementation.
    pub implementation_heal_seconds: Option<f64>,
    /// The most bytes of the explorer's tables.
    pub peak_bytes: u64,
    /// The most resident bytes of the process during exploration, including the components of
    /// states.
    pub peak_resident_bytes: Option<u64>,
    /// How often each kind of action was taken.
    pub actions: BTreeMap<&'static str, u64>,
    /// How many healings leave the scope, by kind of action.
    #[serde(skip)]
    pub outside: BTreeMap<&'static str, u64>,
    /// How many states have each stuck reason.
    pub stuck: BTreeMap<String, u64>,
    /// How often both sides gave each reason.
    pub reasons: BTreeMap<Reason, u64>,
    /// What went wrong, as sentences.
    #[serde(skip)]
    pub failures: Vec<String>,
    /// What was not finished, as sentences.
    #[serde(skip)]
    pub unfinished: Vec<String>,
    /// What else is worth knowing, as sentences.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl ScopeReport {
    /// Whether everything that the scope asks for holds.
    pub fn holds(&self) -> bool {
        self.failures.is_empty() && self.unfinished.is_empty()
    }
}

pub(crate) fn report_of(
    plan: &ScopePlan,
    explored: &Exploration<State>,
    explore_seconds: f64,
) -> ScopeReport {
    let names = |found: &str| (found != EXPLORED).then(|| found.to_string());
    let violations: Vec<String> =
        explored.violations().filter_map(|verdict| names(verdict.property)).collect();
    let unreached: Vec<String> = explored.unreached().filter_map(|verdict| names(verdict.property)).collect();
    let exhausted = explored.is_exhausted();
    let mut failures: Vec<String> = violations.iter().map(|name| format!("{name} is violated")).collect();
    let mut unfinished = Vec::new();
    if exhausted {
        failures.extend(unreached.iter().map(|name| format!("never reached: {name}")));
        let fired = |kind: &&str| {
            ACTION_KINDS
                .iter()
                .position(|known| known == kind)
                .and_then(|at| explored.kinds.get(at))
                .is_some_and(|fired| *fired > 0)
        };
        let silent = plan.must_fire.iter().filter(|kind| !fired(kind));
        failures.extend(silent.map(|kind| format!("`{kind}` never fires, and the scope requires it")));
    } else if let explorer::Ended::Stopped(bound) = explored.ended {
        unfinished.push(format!("not exhausted: {bound}; {}", covered(explored)));
    }
    ScopeReport {
        family: plan.family.name().into(),
        scope: plan.scope.name.clone(),
        size: plan.size.name().into(),
        distinct_states: explored.distinct(),
        transitions: explored.transitions,
        depth: explored.depth(),
        exhausted,
        resumed_states: None,
        stateright_agrees: None,
        stateright_seconds: None,
        transitions_replayed: None,
        replayed_steps: None,
        refusals: None,
        refusals_checked: None,
        recovered_states: None,
        reaching_states: None,
        healed_within_scope: None,
        stuck_states: None,
        healed_on_implementation: None,
        violations,
        unreached,
        explore_seconds,
        heal_seconds: None,
        second_answer_seconds: None,
        replay_seconds: None,
        implementation_heal_seconds: None,
        peak_bytes: explored.peak_bytes,
        peak_resident_bytes: explored.peak_resident,
        actions: ACTION_KINDS.iter().zip(&explored.kinds).map(|(kind, fired)| (*kind, *fired)).collect(),
        outside: BTreeMap::new(),
        stuck: BTreeMap::new(),
        reasons: BTreeMap::new(),
        failures,
        unfinished,
        notes: Vec::new(),
    }
}

/// What an interrupted exploration has covered, and what is left.
pub fn covered<S>(explored: &Exploration<S>) -> String {
    let whole = match explored.depth_expanded() {
        Some(depth) => format!("every state up to depth {depth} is expanded"),
        None => "no depth is complete".into(),
    };
    format!("{whole}, {} of {} distinct states are not expanded", explored.frontier(), explored.distinct())
}

/// Records how many states heal; returns the trace to the first that does not.
pub(crate) fn judge_recovery(
    report: &mut ScopeReport,
    model: &Rollcall,
    explored: &Exploration<State>,
    recovery: &Recovery,
) -> Option<Trace> {
    report.recovered_states = Some(recovery.recovered);
    if let Some(stuck) = &recovery.stuck {
        report.failures.push(format!("state {} does not heal: {stuck}", stuck.state));
        return Some(stuck_trace(model, explored, stuck));
    }
    if !recovery.finished {
        report.unfinished.push("healing was interrupted".into());
    }
    None
}

/// Records the stuck reasons. Fails for a reason that the scope does not list, with a shortest
/// trace, and for a listed reason that never occurs. For a file's scope, `may_end` lists the
/// reasons, if it is given.
pub(crate) fn check_stuck_reasons(
    report: &mut ScopeReport,
    plan: &ScopePlan,
    may_end: Option<&[String]>,
    model: &Rollcall,
    explored: &Exploration<State>,
    recovery: &Recovery,
) -> Result<Option<Trace>, VerifyError> {
    if recovery.stuck.is_some() {
        return Ok(None);
    }
    let (stuck, any) = recovery.ways.stuck();
    report.stuck_states = Some(any);
    report.stuck = stuck.iter().map(|(stuck_reason, of)| (stuck_reason.to_string(), of.states)).collect();
    let is_met = |name: &str| stuck.keys().any(|stuck_reason| stuck_reason.name() == name);
    let unmet: Vec<String> = match may_end {
        None => plan
            .allowed_stuck
            .iter()
            .filter(|stuck_reason| !stuck.contains_key(stuck_reason))
            .map(ToString::to_string)
            .collect(),
        Some(names) => names.iter().filter(|name| !is_met(name)).cloned().collect(),
    };
    report.failures.extend(
        unmet
            .iter()
            .map(|stuck_reason| format!("the scope lists a reason that never occurs: {stuck_reason}")),
    );
    let is_named = |stuck_reason: &StuckReason| match may_end {
        None => plan.allowed_stuck.contains(stuck_reason),
        Some(names) => names.is_empty() || names.iter().any(|name| name == stuck_reason.name()),
    };
    let other = stuck.iter().filter(|(stuck_reason, _)| !is_named(stuck_reason));
    let Some((stuck_reason, of)) = other.min_by_key(|(_, of)| of.first) else { return Ok(None) };
    let because = stuck_reason.because(model, &end_of(model, &explored.states.get(of.first)));
    let missed = format!("{stuck_reason} ({because})");
    if of.first == 0 && may_end.is_none() {
        return Err(VerifyError::GoalUnreachable { scope: plan.scope.name.clone(), missed });
    }
    report.failures.push(format!(
        "state {} misses a goal for a reason that the scope does not list: {missed}",
        of.first
    ));
    Ok(Some(violation_trace(model, explored, "stuck", of.first)))
}

/// Records the second check; returns the trace to the first state on which the two checks
/// contradict each other.
pub(super) fn judge_second_answer(
    report: &mut ScopeReport,
    model: &Rollcall,
    explored: &Exploration<State>,
    second: &SecondAnswer,
) -> Option<Trace> {
    report.reaching_states = Some(second.reaching);
    report.healed_within_scope = second.within;
    report.outside = second.outside.clone();
    let disagreement = second.disagreement.as_ref()?;
    report.failures.push(format!("the schedule and the graph disagree: {disagreement}"));
    Some(violation_trace(model, explored, "second_answer", disagreement.state))
}

/// Fails if a state has spent more than its scope's budgets: the scope is then larger than its
/// budgets say.
pub(super) fn judge_budgets(report: &mut ScopeReport, model: &Rollcall, explored: &Exploration<State>) {
    let states = 0..explored.states.len() as u32;
    let mut overdrawn = states.filter(|state| model.is_overdrawn(&explored.states.get(*state)));
    if let Some(first) = overdrawn.next() {
        let spent = model.cluster(&explored.states.get(first)).spent().to_owned();
        report.failures.push(format!("state {first} exceeds its budgets: it has spent {spent:?}"));
    }
}

/// Records the replay. Fails if nothing was replayed.
pub(super) fn judge_conformance(
    report: &mut ScopeReport,
    conformance: Conformance,
) -> Option<Box<Divergence>> {
    report.transitions_replayed = Some(conformance.transitions);
    report.replayed_steps = Some(conformance.steps);
    report.refusals = Some(conformance.refusals);
    report.refusals_checked = Some(conformance.checked);
    report.reasons = conformance.reasons;
    if let Some(divergence) = &conformance.divergence {
        report.failures.push(format!("the implementation diverges after {} actions", divergence.step));
    } else if !conformance.finished {
        report.unfinished.push("the replay was interrupted".into());
    } else if conformance.transitions != report.transitions || conformance.states != report.distinct_states {
        report.failures.push(format!(
            "the tour covered {} of {} transitions and {} of {} states",
            conformance.transitions, report.transitions, conformance.states, report.distinct_states
        ));
    } else if conformance.steps == 0 || conformance.refusals == 0 {
        report.failures.push(match report.transitions {
            0 => "no action is possible in it, so nothing was shown; give the scope budgets".into(),
            _ => "zero steps or zero disabled actions: nothing was shown".into(),
        });
    }
    conformance.divergence
}

/// Records from how many states the implementation healed as the model did.
pub(super) fn judge_healing(
    report: &mut ScopeReport,
    sample: Sample,
    healing: Healing,
) -> Option<Box<Divergence>> {
    report.healed_on_implementation = Some(healing.states);
    let wanted = match sample {
        Sample::All => report.distinct_states,
        Sample::Drawn { count, .. } => report.distinct_states.min(count as u64),
    };
    if let Some(divergence) = &healing.divergence {
        report
            .failures
            .push(format!("healing, the implementation diverges after {} actions", divergence.step));
    } else if !healing.finished {
        report.unfinished.push("healing of the implementation was interrupted".into());
    } else if healing.states != wanted {
        report.failures.push(format!("the implementation healed from {} of {wanted} states", healing.states));
    }
    healing.divergence
}
