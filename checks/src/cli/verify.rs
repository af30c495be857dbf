//! `verify`: explores, heals and replays scopes.

mod findings;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use rollcall_impl::Sound;
use rollcall_model::GuardSet;
use rollcall_model::scopes::{self, Family, ScopePlan, Size};
use rollcall_traces::{Divergence, ReplayError, Sides, replay};

use super::end::{End, INTERRUPTED};
use super::lasting::Lasting;
use super::out;
use super::out::{errln, grouped, outln};
use super::progress::Progress;
use super::replay::{guard_of, placed};
use super::selected::SelectedScope;
use crate::lookup;
use crate::results;
use crate::verify::{ScopeReport, Watch, begin, family_failures, verify_begun};
use crate::world::World;
use findings::Findings;

pub(super) struct Wanted {
    /// Verifies only this file's own scope.
    pub(super) file: Option<PathBuf>,
    pub(super) family: Option<Family>,
    pub(super) size: Size,
    pub(super) scope: Option<String>,
    pub(super) json: bool,
    pub(super) threads: usize,
    pub(super) lasting: Lasting,
    pub(super) heal_bound: Option<usize>,
    pub(super) every_refusal: bool,
    /// The guards that the implementation lacks.
    pub(super) lacking: Vec<String>,
    /// Whether to stop after the first scope that fails.
    pub(super) fail_fast: bool,
    /// Whether to print counts and times.
    pub(super) details: bool,
    /// The page whose tables are updated.
    pub(super) results: Option<PathBuf>,
}

/// A scope to verify, and its file if it is a file's scope.
struct Job {
    plan: ScopePlan,
    file: Option<SelectedScope>,
}

pub(super) fn run(wanted: &Wanted) -> Result<End> {
    let jobs = match &wanted.file {
        None => of_plans(wanted)?,
        Some(path) => match of_file(path)? {
            Ok(job) => vec![job],
            Err(divergence) => {
                outln!(
                    "{}:\n{divergence}  its scope was not explored, because it begins after the steps",
                    path.display()
                );
                return Ok(End::Violated);
            }
        },
    };
    let plans: Vec<ScopePlan> = jobs.iter().map(|job| job.plan.clone()).collect();
    let size = if wanted.file.is_some() { Size::Smoke } else { wanted.size };
    let lacking = wanted.lacking.iter().map(|name| guard_of(name)).collect::<Result<Vec<_>>>()?;
    if let Some(path) = &wanted.results {
        // Checks the page before the run rather than after it.
        results::rows(&page_of(path)?, size).with_context(|| path.display().to_string())?;
    }
    let _tidy = wanted.lasting.tidy();
    let journals = wanted.lasting.journals(&plans, size)?;
    let mut reports: Vec<ScopeReport> = Vec::new();
    let mut findings = Findings::of(&lacking);
    let mut ended_early = false;
    for (job, journal) in jobs.iter().zip(&journals) {
        if INTERRUPTED.load(Ordering::SeqCst) {
            break;
        }
        let watch = Arc::new(Watch {
            interrupt: Arc::clone(&INTERRUPTED),
            heal_bound: wanted.heal_bound,
            every_refusal: wanted.every_refusal,
            memory: Some(wanted.lasting.memory()),
            journal: journal.clone().map(|path| (path, wanted.lasting.pace())),
            lacking: lacking.clone(),
            may_end: job.file.as_ref().and_then(|file| file.may_end.clone()),
            ..Watch::default()
        });
        let begun = match begin(&job.plan, &watch) {
            Ok(begun) => begun,
            // The results of earlier scopes are still printed.
            Err(error) if !reports.is_empty() => {
                errln!("rollcall: {error}");
                break;
            }
            Err(error) => return Err(error.into()),
        };
        let progress = Progress::start(&job.plan.scope.name, &watch, wanted.json);
        let verified = verify_begun(&job.plan, begun, wanted.threads, &watch);
        progress.end();
        let mut verified = verified?;
        if job.file.is_some() {
            verified.report.size = "scenario".into();
        }
        findings.take(job, &verified, wanted.json)?;
        reports.push(verified.report);
        if wanted.fail_fast && reports.last().is_some_and(|report| !report.failures.is_empty()) {
            ended_early = reports.len() < plans.len();
            break;
        }
    }
    let whole = wanted.file.is_none() && wanted.scope.is_none() && reports.len() == plans.len();
    let failures = if whole { owed(wanted, &reports) } else { Vec::new() };
    for failure in &failures {
        errln!("  fails: {failure}");
    }
    let end = conclude(&reports, plans.len(), &failures, ended_early);
    if wanted.json {
        if !failures.is_empty() {
            outln!("{}", serde_json::json!({ "verdict": "fails", "failures": failures }));
        }
    } else {
        outln!("{}", words::table(&reports, out::columns()));
        words::totals(&reports, wanted.details);
        findings.conclude(plans.len(), &failures, ended_early);
    }
    if let Some(path) = &wanted.results {
        out::write(path, &results::updated(&page_of(path)?, size, &reports)?)?;
    }
    if end == End::NotConclusive {
        wanted.lasting.say_how_to_go_on(&journals);
    } else {
        wanted.lasting.remove(&journals)?;
    }
    Ok(end)
}

fn page_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn of_plans(wanted: &Wanted) -> Result<Vec<Job>> {
    let plans = plans(wanted.family, wanted.size, wanted.scope.as_deref())?;
    Ok(plans.into_iter().map(|plan| Job { plan, file: None }).collect())
}

/// The scopes of these families and this size whose names contain `part`.
pub(super) fn plans(family: Option<Family>, size: Size, part: Option<&str>) -> Result<Vec<ScopePlan>> {
    let families: Vec<Family> =
        Family::ALL.iter().copied().filter(|known| family.is_none_or(|only| only == *known)).collect();
    let plans = families.iter().flat_map(|family| scopes::plans(*family, size));
    let is_asked = |plan: &ScopePlan| part.is_none_or(|part| plan.scope.name.contains(part));
    let plans: Vec<ScopePlan> = plans.filter(is_asked).collect();
    if plans.is_empty() {
        lookup::no_scope(part.unwrap_or_default(), &families, size)?;
    }
    Ok(plans)
}

/// A file's own scope, if both sides take the file's steps.
fn of_file(path: &Path) -> Result<std::result::Result<Job, Box<Divergence>>> {
    let asked = match SelectedScope::of_file(path, None)? {
        Ok(asked) => asked,
        Err(divergence) => return Ok(Err(divergence)),
    };
    if asked.guards != GuardSet::ALL {
        let dropped = asked.guards.dropped().map(|guard| guard.name()).collect::<Vec<_>>().join(", ");
        bail!(
            "{0}: the file drops {dropped}, and verify needs every guard; use `rollcall check {0}`",
            path.display()
        );
    }
    if let Some(steps) = &asked.steps {
        let mut world = World::new(Sound);
        match replay(&mut world, &steps.taken, Sides::MODEL_AND_IMPL) {
            Ok(_) => {}
            Err(ReplayError::Diverged(mut divergence)) => {
                divergence.command = Some(format!("rollcall replay {}", path.display()));
                return Ok(Err(divergence));
            }
            Err(error) => return Err(placed(path, error)),
        }
    }
    Ok(Ok(Job { plan: asked.plan.clone(), file: Some(asked) }))
}

fn owed(wanted: &Wanted, reports: &[ScopeReport]) -> Vec<String> {
    let families = Family::ALL.iter().filter(|family| wanted.family.is_none_or(|only| only == **family));
    families.flat_map(|family| family_failures(*family, wanted.size, reports)).collect()
}

/// The exit code. Prints what was not finished.
fn conclude(reports: &[ScopeReport], asked: usize, failures: &[String], ended_early: bool) -> End {
    let failed = reports.iter().any(|report| !report.failures.is_empty()) || !failures.is_empty();
    let unfinished = reports.len() < asked || reports.iter().any(|report| !report.unfinished.is_empty());
    if unfinished && !ended_early {
        let finished = reports.iter().filter(|report| report.unfinished.is_empty()).count();
        let states: u64 = reports.iter().map(|report| report.distinct_states).sum();
        let replayed: u64 = reports.iter().filter_map(|report| report.transitions_replayed).sum();
        errln!(
            "not conclusive: {finished} of {asked} scopes were finished; covered so far: {} distinct states, {} transitions replayed",
            grouped(states),
            grouped(replayed)
        );
    }
    match (failed, unfinished) {
        (true, _) => End::Violated,
        (false, true) => End::NotConclusive,
        (false, false) => End::Holds,
    }
}

fn verdict_of(report: &ScopeReport) -> &'static str {
    match (report.failures.is_empty(), report.unfinished.is_empty()) {
        (false, _) => "FAILS",
        (true, false) => "not finished",
        (true, true) => "holds",
    }
}
