//! Verifies one scope.
//!
//! The scope is explored to its end, stateright's own checker explores it again, every state is
//! healed, and every transition is replayed on the implementation. A deep scope is only explored
//! and healed: its tour would take days, and stateright's checker more memory than it does.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rollcall_impl::{Lacking, Sound};
use rollcall_model::scopes::{ScopePlan, Size};
use rollcall_model::{GuardSet, Rollcall, State, liveness};
use rollcall_traces::{Divergence, ScopeError, Trace};
use thiserror::Error;

use crate::conformance::{TourOptions, conform};
use crate::explorer::{self, Bound, Ended, Exploration, ExploreError, Keep, Kept, Memory, Options};
use crate::healing::{Sample, heal_implementation};
use crate::journal::{Journal, JournalError, Opened, Pace};
use crate::recover::{BOUND, HealingOptions, Recovery, recover_from};
use crate::second_answer::{FaultFree, second_answer};
use crate::walk::violation_trace;

mod owed;
mod report;

pub use owed::family_failures;
pub use report::{ScopeReport, covered};
pub(crate) use report::{check_stuck_reasons, judge_recovery, report_of};
use report::{judge_budgets, judge_conformance, judge_healing, judge_second_answer};

/// A scope that cannot be verified at all.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// It cannot begin.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// It cannot be explored.
    #[error(transparent)]
    Explore(#[from] ExploreError),
    /// It cannot continue from its journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its first state does not heal.
    #[error(
        "scope `{scope}` does not heal from its first state: {missed}; \
         correct its setup, or list the reason in the scope"
    )]
    GoalUnreachable {
        /// The scope.
        scope: String,
        /// What is missed.
        missed: String,
    },
    /// A state heals, but needs more actions than the bound.
    #[error(
        "scope `{scope}`: healing from state {state} needs {needs} actions, and {bound} are allowed; \
         raise the bound (`--heal-bound`)"
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

/// A report and its traces.
pub struct Verified {
    /// The report.
    pub report: ScopeReport,
    /// A shortest trace into each violation.
    pub violations: Vec<Trace>,
    /// The first divergence from the implementation.
    pub divergence: Option<Box<Divergence>>,
}

/// Settings of a job, and its progress for an observer.
#[derive(Default)]
pub struct Watch {
    /// The exploration's progress, once there is any.
    pub explored: Mutex<Option<explorer::Progress>>,
    /// States known to heal, as of the last note.
    pub recovered: AtomicU64,
    /// Transitions replayed.
    pub replayed: AtomicU64,
    /// From which states the implementation is healed. `None`: all states of a smoke scope, 10,000
    /// of a standard one.
    pub healed: Option<Sample>,
    /// The most actions of a healing; `None` is [`BOUND`].
    pub heal_bound: Option<usize>,
    /// The stuck reasons to allow, by name, for a scope that begins after a file's steps and so has
    /// no plan. `None` allows any.
    pub may_end: Option<Vec<String>>,
    /// The guards that the implementation lacks.
    pub lacking: Vec<rollcall_impl::Guard>,
    /// Whether every disabled action is checked in every state, although it was refused on the same
    /// components before.
    pub every_refusal: bool,
    /// Set it to end the job soon.
    pub interrupt: Arc<AtomicBool>,
    /// How much memory the process may hold while it explores.
    pub memory: Option<Memory>,
    /// The exploration's journal and how often it is written; `None` keeps none.
    pub journal: Option<(PathBuf, Pace)>,
}

/// Verifies one scope.
///
/// # Errors
/// If it cannot begin, be explored, or continue from its journal.
pub fn verify(plan: &ScopePlan, threads: usize, watch: &Watch) -> Result<Verified, VerifyError> {
    verify_begun(plan, begin(plan, watch)?, threads, watch)
}

/// The same for a scope that has begun.
///
/// # Errors
/// If it cannot be explored.
pub(crate) fn verify_begun(
    plan: &ScopePlan,
    begun: Begun,
    threads: usize,
    watch: &Watch,
) -> Result<Verified, VerifyError> {
    let model = begun.model;
    let started = Instant::now();
    let resumed = begun.journal.as_ref().map(|_| begun.kept.states());
    let explored = explored(&model, threads, watch, begun.kept, begun.journal.as_ref())?;
    let explore_seconds = started.elapsed().as_secs_f64();
    *watch.explored.lock().expect("no thread panics while it holds this lock") = None;
    let mut report = report_of(plan, &explored, explore_seconds);
    report.resumed_states = resumed;
    if let (Ended::Stopped(Bound::NotKept(_)), Some(journal)) = (explored.ended, &begun.journal) {
        let kept = journal.lock().expect("no thread panics while it holds this lock").states();
        report.unfinished.push(format!("the journal holds {kept} of these states to go on from"));
    }
    judge_budgets(&mut report, &model, &explored);
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
        let mut unwritten: Option<std::io::Error> = None;
        let note = |up_to: u32| {
            watch.recovered.store(up_to.into(), Ordering::Relaxed);
            let journal =
                begun.journal.as_ref().map(|journal| journal.lock().expect("no other thread has it"));
            unwritten = journal.and_then(|mut journal| journal.note_healed(up_to).err());
        };
        let started = Instant::now();
        let options =
            HealingOptions { bound: watch.heal_bound.unwrap_or(BOUND), ..HealingOptions::default() };
        let recovery =
            recover_from(options, &model, &explored, begun.healed, note, threads, &watch.interrupt);
        report.heal_seconds = Some(started.elapsed().as_secs_f64());
        if let Some(error) = unwritten {
            report.notes.push(format!("the journal does not say what was healed: {error}"));
        }
        check_recoverable(plan, options.bound, &recovery, watch.may_end.is_some())?;
        violations.extend(judge_recovery(&mut report, &model, &explored, &recovery));
        // The healing paths of states that an earlier run healed are not known.
        if recovery.finished && begun.healed == 0 {
            violations.extend(check_stuck_reasons(
                &mut report,
                plan,
                watch.may_end.as_deref(),
                &model,
                &explored,
                &recovery,
            )?);
            let started = Instant::now();
            let faultless = FaultFree::of(&model, &explored, threads);
            let second = second_answer(&liveness::next, &model, &explored, &faultless, &recovery, threads);
            report.second_answer_seconds = Some(started.elapsed().as_secs_f64());
            violations.extend(judge_second_answer(&mut report, &model, &explored, &second));
        }
    }
    let mut divergence = None;
    if explored.is_exhausted() && violations.is_empty() && !is_deep {
        let started = Instant::now();
        let tour_options =
            TourOptions { every_refusal: watch.every_refusal, ..TourOptions::with_threads(threads) };
        let (interrupt, replayed) = (&watch.interrupt, &watch.replayed);
        let conformance = match watch.lacking.as_slice() {
            [] => conform(tour_options, Sound, &model, &explored, interrupt, replayed),
            lacking => conform(tour_options, Lacking(lacking), &model, &explored, interrupt, replayed),
        };
        report.replay_seconds = Some(started.elapsed().as_secs_f64());
        divergence = judge_conformance(&mut report, conformance);
    }
    if divergence.is_none() && report.transitions_replayed.is_some() {
        let sample = watch.healed.unwrap_or(match plan.size {
            Size::Smoke => Sample::All,
            Size::Standard | Size::Deep => Sample::Drawn { count: 10_000, seed: 1 },
        });
        let started = Instant::now();
        let interrupt = &watch.interrupt;
        let healing = match watch.lacking.as_slice() {
            [] => heal_implementation(Sound, &model, &explored, sample, threads, interrupt),
            lacking => heal_implementation(Lacking(lacking), &model, &explored, sample, threads, interrupt),
        };
        report.implementation_heal_seconds = Some(started.elapsed().as_secs_f64());
        divergence = judge_healing(&mut report, sample, healing);
    }
    Ok(Verified { report, violations, divergence })
}

/// Explores a model and keeps every edge.
///
/// # Errors
/// If it cannot be explored.
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
    let progress = |progress| {
        *watch.explored.lock().expect("no thread panics while it holds this lock") = Some(progress)
    };
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

/// A scope that has begun: its model, and the content of its journal.
pub(crate) struct Begun {
    model: Rollcall,
    journal: Option<Mutex<Journal>>,
    kept: Kept,
    healed: u32,
}

/// Begins a scope, and continues from its journal if it has one.
///
/// # Errors
/// If it cannot begin, or if the journal belongs to another scope or build.
pub(crate) fn begin(plan: &ScopePlan, watch: &Watch) -> Result<Begun, VerifyError> {
    let model = plan.model(GuardSet::ALL)?;
    let Some((path, pace)) = &watch.journal else {
        return Ok(Begun { model, journal: None, kept: Kept::default(), healed: 0 });
    };
    let Opened { journal, kept, healed } = Journal::open(path, &model, true, *pace)?;
    Ok(Begun { model, journal: Some(Mutex::new(journal)), kept, healed })
}

/// An error if the first state does not heal, or heals in more actions than the bound: then the
/// scope is wrong, not the rules. After a file's steps it is a finding.
fn check_recoverable(
    plan: &ScopePlan,
    bound: usize,
    recovery: &Recovery,
    of_file: bool,
) -> Result<(), VerifyError> {
    let Some(stuck) = &recovery.stuck else { return Ok(()) };
    let scope = plan.scope.name.clone();
    match stuck.needs {
        Some(needs) => Err(VerifyError::BoundTooSmall { scope, bound, state: stuck.state, needs }),
        None if stuck.state == 0 && !of_file => {
            Err(VerifyError::GoalUnreachable { scope, missed: stuck.first().to_string() })
        }
        None => Ok(()),
    }
}
