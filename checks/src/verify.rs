//! The main job on one scope, and what a family of scopes owes together.
//!
//! A scope is explored to the end, stateright's own checker is asked for a
//! second opinion, every state is healed, and every transition is replayed on
//! the implementation. A deep scope is explored and healed, whole, and no more:
//! its tour would take days, and stateright's checker more memory than it does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rollcall_impl::Sound;
use rollcall_model::scopes::{Family, Plan, Size};
use rollcall_model::{ACTION_KINDS, EXPLORED, GuardSet, Rollcall, State, heal};
use rollcall_traces::{Divergence, Reason, ScopeError, Trace};
use serde::Serialize;
use thiserror::Error;

use crate::conformance::{Conformance, Touring, conform};
use crate::explorer::{self, Exploration, ExploreError, Keep, Kept, Memory, Options};
use crate::healing::{Healing, Sample, heal_implementation};
use crate::journal::{Journal, JournalError, Opened, Pace};
use crate::recover::{BOUND, How, Recovery, end_of, recover_from};
use crate::second_answer::{FaultFree, SecondAnswer, second_answer};
use crate::walk::{stuck_trace, violation_trace};

/// A scope that cannot be verified at all.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// It cannot be begun.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// It cannot be explored.
    #[error(transparent)]
    Explore(#[from] ExploreError),
    /// It cannot go on from its journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Nothing has happened yet, and it does not heal.
    #[error(
        "scope `{scope}` can never reach its goals: {missed} before anything has happened; \
         correct what it begins with, or name why it may stay so"
    )]
    GoalUnreachable {
        /// The scope.
        scope: String,
        /// What is missed.
        missed: String,
    },
    /// Some state heals, and takes longer.
    #[error(
        "scope `{scope}`: {bound} actions are too few for healing; state {state} needs {needs}, \
         so allow at least as many (`--heal-bound`)"
    )]
    BoundTooSmall {
        /// The scope.
        scope: String,
        /// The bound.
        bound: usize,
        /// The first state that needs more.
        state: u32,
        /// How many it needs.
        needs: usize,
    },
}

/// What was found of one scope. A figure that was not measured is `None`.
/// Serialised are the figures; what is told in words is not for machines.
#[derive(Clone, Debug, Serialize)]
pub struct ScopeReport {
    /// The subject.
    pub family: String,
    /// The scope.
    pub scope: String,
    /// The size.
    pub size: String,
    /// Distinct states.
    pub distinct_states: u64,
    /// Transitions between them.
    pub transitions: u64,
    /// The longest shortest way to a state, in actions.
    pub depth: u32,
    /// Whether there is nothing left to explore.
    pub exhausted: bool,
    /// The distinct states that a journal brought; `None` without one.
    pub resumed_states: Option<u64>,
    /// Whether stateright's checker says the same.
    pub stateright_agrees: Option<bool>,
    /// Seconds that its exploration took, of a model that remembers nothing.
    pub stateright_seconds: Option<f64>,
    /// Distinct transitions replayed on the implementation and compared.
    pub transitions_replayed: Option<u64>,
    /// Steps that took, those that only led to a transition included.
    pub replayed_steps: Option<u64>,
    /// Probes that the implementation refuses for the model's reason, over all states.
    pub probes_refused: Option<u64>,
    /// Those with which it was tried; it refused the others in another state, on the same parts.
    pub probes_tried: Option<u64>,
    /// States from which the goal was reached again.
    pub recovered_states: Option<u64>,
    /// States that reach the goal over edges of the graph that go on once faults stop.
    pub reaching_states: Option<u64>,
    /// States whose healing is a way through the graph, and not beyond the scope's bounds.
    pub healed_within_scope: Option<u64>,
    /// States that rightly end short of something, for a reason that the scope names.
    pub excused_states: Option<u64>,
    /// States from which the implementation reached it too, and showed the same on the way.
    pub healed_on_implementation: Option<u64>,
    /// The properties that are violated.
    pub violations: Vec<String>,
    /// What had to be reached and was not.
    pub unreached: Vec<String>,
    /// Seconds of exploration.
    pub explore_seconds: f64,
    /// Seconds of replay.
    pub replay_seconds: Option<f64>,
    /// The most bytes that the explorer's tables held.
    pub peak_bytes: u64,
    /// The most bytes that the process held while it explored, the parts of states among them.
    pub peak_resident_bytes: Option<u64>,
    /// How often each kind of action fired.
    #[serde(skip)]
    pub actions: BTreeMap<&'static str, u64>,
    /// Of the states whose healing leaves the scope: by which kind of action.
    #[serde(skip)]
    pub outside: BTreeMap<&'static str, u64>,
    /// Why states end short of something, and how many do.
    #[serde(skip)]
    pub excused: BTreeMap<String, u64>,
    /// How often each reason was given, by model and implementation alike.
    #[serde(skip)]
    pub reasons: BTreeMap<Reason, u64>,
    /// What went wrong, in words.
    #[serde(skip)]
    pub failures: Vec<String>,
    /// What was not finished, in words.
    #[serde(skip)]
    pub unfinished: Vec<String>,
}

impl ScopeReport {
    /// Whether everything that was asked of the scope holds.
    pub fn holds(&self) -> bool {
        self.failures.is_empty() && self.unfinished.is_empty()
    }
}

/// A report with the traces that came of it.
pub struct Verified {
    /// The report.
    pub report: ScopeReport,
    /// A shortest trace into each violation.
    pub violations: Vec<Trace>,
    /// The first disagreement with the implementation.
    pub divergence: Option<Box<Divergence>>,
}

/// How far a job has come, for whoever watches.
#[derive(Default)]
pub struct Watch {
    /// How far the exploration has come, once it has come far.
    pub explored: Mutex<Option<explorer::Progress>>,
    /// States known to heal, as far as that was noted.
    pub recovered: AtomicU64,
    /// Transitions replayed.
    pub replayed: AtomicU64,
    /// From which states the implementation is healed; if nobody says, from
    /// all of a smoke scope and from 10,000 of a standard one.
    pub healed: Option<Sample>,
    /// The most actions of a healing, if not [`BOUND`].
    pub heal_bound: Option<usize>,
    /// Every probe is tried in every state, though it was refused on the same parts before.
    pub every_probe: bool,
    /// Set to end it soon.
    pub interrupt: Arc<AtomicBool>,
    /// How much memory the process may hold while it explores.
    pub memory: Option<Memory>,
    /// Where the exploration's journal is, and how often it is written; none is if nobody says.
    pub journal: Option<(PathBuf, Pace)>,
}

/// Verifies one scope.
///
/// # Errors
/// Where it cannot be begun.
pub fn verify(plan: &Plan, threads: usize, watch: &Watch) -> Result<Verified, VerifyError> {
    verify_begun(plan, begin(plan, watch)?, threads, watch)
}

/// The same of a scope that was begun.
///
/// # Errors
/// Where it cannot be explored.
pub fn verify_begun(
    plan: &Plan,
    begun: Begun,
    threads: usize,
    watch: &Watch,
) -> Result<Verified, VerifyError> {
    let model = begun.model;
    let started = Instant::now();
    let resumed = begun.journal.as_ref().map(|_| begun.kept.states());
    let explored = explored(&model, threads, watch, begun.kept, begun.journal.as_ref())?;
    let explore_seconds = started.elapsed().as_secs_f64();
    *watch.explored.lock().expect("nobody panics while it looks") = None;
    let mut report = report_of(plan, &explored, explore_seconds);
    report.resumed_states = resumed;
    let violations = explored.violations().filter_map(|verdict| Some((verdict.property, verdict.first?)));
    let violations: Vec<Trace> =
        violations.map(|(property, state)| violation_trace(&model, &explored, property, state)).collect();
    let is_deep = plan.size == Size::Deep;
    if explored.is_exhausted() && !is_deep {
        let started = Instant::now();
        let agreement = explorer::agree(
            Arc::new(model.forgetful()),
            &explored,
            threads,
            Some(Arc::clone(&watch.interrupt)),
        );
        report.stateright_agrees = agreement.stateright_distinct.map(|_| agreement.agrees);
        let seconds = started.elapsed().as_secs_f64();
        report.stateright_seconds = agreement.stateright_distinct.map(|_| seconds);
        match agreement.stateright_distinct {
            Some(_) if !agreement.agrees => {
                report.failures.push(format!("stateright disagrees: {}", agreement.why))
            }
            None => report.unfinished.push(agreement.why),
            _ => {}
        }
    }
    let mut violations = violations;
    if explored.is_exhausted() && violations.is_empty() {
        let mut unwritten = None;
        let note = |up_to: u32| {
            watch.recovered.store(up_to.into(), Ordering::Relaxed);
            let journal = begun.journal.as_ref().map(|journal| journal.lock().expect("nobody else has it"));
            unwritten = journal.and_then(|mut journal| journal.note_healed(up_to).err());
        };
        let how = How { bound: watch.heal_bound.unwrap_or(BOUND), ..How::default() };
        let recovery = recover_from(how, &model, &explored, begun.healed, note, threads, &watch.interrupt);
        if let Some(error) = unwritten {
            eprintln!("{}: the journal does not say what was healed: {error}", plan.scope.name);
        }
        check_recoverable(plan, how.bound, &recovery)?;
        violations.extend(judge_recovery(&mut report, &model, &explored, &recovery));
        // Of states that an earlier run healed the ways are not known any more.
        if recovery.finished && begun.healed == 0 {
            violations.extend(judge_excuses(&mut report, plan, &model, &explored, &recovery)?);
            let faultless = FaultFree::of(&model, &explored, threads);
            let second = second_answer(&heal::next, &model, &explored, &faultless, &recovery);
            violations.extend(judge_second_answer(&mut report, &model, &explored, &second));
        }
    }
    let mut divergence = None;
    if explored.is_exhausted() && violations.is_empty() && !is_deep {
        let started = Instant::now();
        let touring = Touring { every_probe: watch.every_probe, ..Touring::by(threads) };
        let conformance = conform(touring, Sound, &model, &explored, &watch.interrupt, &watch.replayed);
        report.replay_seconds = Some(started.elapsed().as_secs_f64());
        divergence = judge_conformance(&mut report, conformance);
    }
    if divergence.is_none() && report.transitions_replayed.is_some() {
        let sample = watch.healed.unwrap_or(match plan.size {
            Size::Smoke => Sample::All,
            Size::Standard | Size::Deep => Sample::Drawn { count: 10_000, seed: 1 },
        });
        let healing = heal_implementation(Sound, &model, &explored, sample, threads, &watch.interrupt);
        divergence = judge_healing(&mut report, sample, healing);
    }
    Ok(Verified { report, violations, divergence })
}

/// Explores a model with every edge kept.
///
/// # Errors
/// Where it cannot be judged.
pub fn explore(model: &Rollcall, threads: usize, watch: &Watch) -> Result<Exploration<State>, ExploreError> {
    explored(model, threads, watch, Kept::default(), None)
}

fn explored(
    model: &Rollcall,
    threads: usize,
    watch: &Watch,
    kept: Kept,
    journal: Option<&Mutex<Journal>>,
) -> Result<Exploration<State>, ExploreError> {
    let progress = |progress| *watch.explored.lock().expect("nobody panics while it looks") = Some(progress);
    let options = Options {
        threads,
        interrupt: Some(&watch.interrupt),
        memory: watch.memory,
        progress: Some(&progress),
        keep: journal.map(|journal| journal as &Mutex<dyn Keep>),
        ..Options::default()
    };
    explorer::resume(model, &options, |state, action| model.kind_of(state, action), kept)
}

/// What there is before anything is explored: the model, and what its journal had.
pub struct Begun {
    model: Rollcall,
    journal: Option<Mutex<Journal>>,
    kept: Kept,
    healed: u32,
}

/// Begins a scope, and goes on from its journal if it has one.
///
/// # Errors
/// Where it cannot be begun or its journal is not its own.
pub fn begin(plan: &Plan, watch: &Watch) -> Result<Begun, VerifyError> {
    let model = plan.model(GuardSet::ALL)?;
    let Some((path, pace)) = &watch.journal else {
        return Ok(Begun { model, journal: None, kept: Kept::default(), healed: 0 });
    };
    let Opened { journal, kept, healed } = Journal::open(path, &model, true, *pace)?;
    Ok(Begun { model, journal: Some(Mutex::new(journal)), kept, healed })
}

fn report_of(plan: &Plan, explored: &Exploration<State>, explore_seconds: f64) -> ScopeReport {
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
        let silent = plan.fires.iter().filter(|kind| !fired(kind));
        failures.extend(silent.map(|kind| format!("`{kind}` never fires, and the question is about it")));
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
        probes_refused: None,
        probes_tried: None,
        recovered_states: None,
        reaching_states: None,
        healed_within_scope: None,
        excused_states: None,
        healed_on_implementation: None,
        violations,
        unreached,
        explore_seconds,
        replay_seconds: None,
        peak_bytes: explored.peak_bytes,
        peak_resident_bytes: explored.peak_resident,
        actions: ACTION_KINDS.iter().zip(&explored.kinds).map(|(kind, fired)| (*kind, *fired)).collect(),
        outside: BTreeMap::new(),
        excused: BTreeMap::new(),
        reasons: BTreeMap::new(),
        failures,
        unfinished,
    }
}

/// What a broken-off exploration has covered, and what is left.
pub fn covered<S>(explored: &Exploration<S>) -> String {
    let whole = match explored.depth_expanded() {
        Some(depth) => format!("all that {depth} actions lead to is expanded"),
        None => "no depth is whole".into(),
    };
    format!("{whole}, {} of {} distinct states are left", explored.frontier(), explored.distinct())
}

/// Enters from how many states the scope heals; the way to the first that does not.
fn judge_recovery(
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
        report.unfinished.push("recovery was interrupted".into());
    }
    None
}

/// A scope that asks for what cannot be, or heals longer than it may, is no
/// fault of the rules.
fn check_recoverable(plan: &Plan, bound: usize, recovery: &Recovery) -> Result<(), VerifyError> {
    let Some(stuck) = &recovery.stuck else { return Ok(()) };
    let scope = plan.scope.name.clone();
    match stuck.needs {
        Some(needs) => Err(VerifyError::BoundTooSmall { scope, bound, state: stuck.state, needs }),
        None if stuck.state == 0 => {
            Err(VerifyError::GoalUnreachable { scope, missed: stuck.first().to_string() })
        }
        None => Ok(()),
    }
}

/// Enters why states end short of something; fails for a reason that the scope
/// does not name, by a shortest way, and for one that is never met.
fn judge_excuses(
    report: &mut ScopeReport,
    plan: &Plan,
    model: &Rollcall,
    explored: &Exploration<State>,
    recovery: &Recovery,
) -> Result<Option<Trace>, VerifyError> {
    if recovery.stuck.is_some() {
        return Ok(None);
    }
    let named = &plan.excuses;
    let (excused, any) = recovery.ways.excused();
    report.excused_states = Some(any);
    report.excused = excused.iter().map(|(excuse, of)| (excuse.to_string(), of.states)).collect();
    let unmet = named.iter().filter(|excuse| !excused.contains_key(excuse));
    report.failures.extend(unmet.map(|excuse| format!("may end so, and never does: {excuse}")));
    let other = excused.iter().filter(|(excuse, _)| !named.contains(excuse));
    let Some((excuse, of)) = other.min_by_key(|(_, of)| of.first) else { return Ok(None) };
    let because = excuse.because(model, &end_of(model, &explored.states.get(of.first)));
    let missed = format!("{excuse} ({because})");
    if of.first == 0 {
        return Err(VerifyError::GoalUnreachable { scope: plan.scope.name.clone(), missed });
    }
    report.failures.push(format!("state {} ends short of its goals: {missed}", of.first));
    Ok(Some(violation_trace(model, explored, "excuse", of.first)))
}

/// Enters how many states reach the goal through the graph; the way to the first
/// of which that is no wonder, or should be none.
fn judge_second_answer(
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

/// Enters what was replayed, and fails where nothing was.
fn judge_conformance(report: &mut ScopeReport, conformance: Conformance) -> Option<Box<Divergence>> {
    report.transitions_replayed = Some(conformance.transitions);
    report.replayed_steps = Some(conformance.steps);
    report.probes_refused = Some(conformance.probes);
    report.probes_tried = Some(conformance.tried);
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
    } else if conformance.steps == 0 || conformance.probes == 0 {
        report.failures.push("zero steps or zero probes: nothing was shown".into());
    }
    conformance.divergence
}

/// Enters from how many states the implementation healed as the model did.
fn judge_healing(report: &mut ScopeReport, sample: Sample, healing: Healing) -> Option<Box<Divergence>> {
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

/// What the scopes of a family owe together: every action and every reason
/// somewhere, and no scope that outweighs the others.
pub fn family_failures(family: Family, size: Size, reports: &[ScopeReport]) -> Vec<String> {
    let reports: Vec<&ScopeReport> = reports
        .iter()
        .filter(|report| report.family == family.name() && report.size == size.name())
        .collect();
    let mut failures = Vec::new();
    // A deep scope asks one question for itself.
    if size == Size::Deep {
        return failures;
    }
    for kind in ACTION_KINDS.iter().filter(|kind| family.owes_kind(kind)) {
        if reports.iter().all(|report| report.actions.get(kind).copied().unwrap_or(0) == 0) {
            failures.push(format!("`{kind}` fires in no scope of {family}, {size}"));
        }
    }
    for reason in Reason::ALL.iter().filter(|reason| family.owes_reason(**reason)) {
        if reports.iter().all(|report| !report.reasons.contains_key(reason)) {
            failures.push(format!("nothing is refused as `{reason}` in any scope of {family}, {size}"));
        }
    }
    let total: u64 = reports.iter().map(|report| report.distinct_states).sum();
    for report in reports.iter().filter(|report| report.distinct_states * 2 > total) {
        failures.push(format!("{} holds more than half of the states of {family}, {size}", report.scope));
    }
    if size == Size::Standard && total < STANDARD_STATES {
        failures.push(format!("{family}, {size} has {total} distinct states; {STANDARD_STATES} are owed"));
    }
    failures
}

/// The distinct states that the standard scopes of a family have at least.
const STANDARD_STATES: u64 = 1_000_000;
