//! `verify`: the main job.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use bytesize::ByteSize;
use comfy_table::{CellAlignment, Table, presets};
use rollcall_impl::Sound;
use rollcall_model::scopes::{self, Family, Plan, Size};
use rollcall_model::{GuardSet, ModelSubject};
use rollcall_traces::{Divergence, ReplayError, Sides, Verdict, record, replay};

use super::asked::Asked;
use super::out::{errln, grouped, outln};
use super::progress::Progress;
use super::replay::placed;
use super::{End, INTERRUPTED, Lasting, lookup, out};
use crate::verify::{ScopeReport, Verified, Watch, begin, family_failures, verify_begun};
use crate::world::World;

pub(super) struct Wanted {
    /// A file's own scope, and no other.
    pub(super) file: Option<PathBuf>,
    pub(super) family: Option<Family>,
    pub(super) size: Size,
    pub(super) scope: Option<String>,
    pub(super) json: bool,
    pub(super) threads: usize,
    pub(super) lasting: Lasting,
    pub(super) heal_bound: Option<usize>,
    pub(super) every_probe: bool,
}

/// A scope that is verified, and the file whose scope it is.
struct Job {
    plan: Plan,
    file: Option<Asked>,
}

pub(super) fn run(wanted: &Wanted) -> Result<End> {
    let jobs = match &wanted.file {
        None => of_plans(wanted)?,
        Some(path) => match of_file(path)? {
            Ok(job) => vec![job],
            Err(divergence) => {
                outln!(
                    "{}:\n{divergence}  its scope was not explored: it begins behind its steps",
                    path.display()
                );
                return Ok(End::Violated);
            }
        },
    };
    let plans: Vec<Plan> = jobs.iter().map(|job| job.plan.clone()).collect();
    let size = if wanted.file.is_some() { Size::Smoke } else { wanted.size };
    let journals = wanted.lasting.journals(&plans, size)?;
    let mut reports: Vec<ScopeReport> = Vec::new();
    for (job, journal) in jobs.iter().zip(&journals) {
        if INTERRUPTED.load(Ordering::SeqCst) {
            break;
        }
        let watch = Arc::new(Watch {
            interrupt: Arc::clone(&INTERRUPTED),
            heal_bound: wanted.heal_bound,
            every_probe: wanted.every_probe,
            memory: Some(wanted.lasting.memory()),
            journal: journal.clone().map(|path| (path, wanted.lasting.pace())),
            may_end: job.file.as_ref().and_then(|file| file.may_end.clone()),
            ..Watch::default()
        });
        let begun = begin(&job.plan, &watch)?;
        let progress = Progress::start(&job.plan.scope.name, &watch, wanted.json);
        let verified = verify_begun(&job.plan, begun, wanted.threads, &watch);
        progress.end();
        let mut verified = verified?;
        if job.file.is_some() {
            verified.report.size = "scenario".into();
        }
        say(job, &verified, wanted.json)?;
        reports.push(verified.report);
    }
    let whole = wanted.file.is_none() && wanted.scope.is_none() && reports.len() == plans.len();
    let failures = if whole { owed(wanted, &reports) } else { Vec::new() };
    if !wanted.json {
        outln!("{}", table(&reports));
        totals(&reports);
        how_often(&reports);
    }
    for failure in &failures {
        errln!("  fails: {failure}");
    }
    let end = conclude(&reports, plans.len(), &failures);
    if end == End::NotConclusive {
        wanted.lasting.say_how_to_go_on(&journals);
    } else {
        wanted.lasting.remove(&journals)?;
    }
    Ok(end)
}

/// The scopes of the families and the size, by a part of their names.
fn of_plans(wanted: &Wanted) -> Result<Vec<Job>> {
    let families: Vec<Family> = Family::ALL
        .iter()
        .copied()
        .filter(|family| wanted.family.is_none_or(|only| only == *family))
        .collect();
    let plans = families.iter().flat_map(|family| scopes::plans(*family, wanted.size));
    let is_asked = |plan: &Plan| wanted.scope.as_ref().is_none_or(|part| plan.scope.name.contains(part));
    let jobs: Vec<Job> = plans.filter(is_asked).map(|plan| Job { plan, file: None }).collect();
    if jobs.is_empty() {
        lookup::no_scope(wanted.scope.as_deref().unwrap_or_default(), &families, wanted.size)?;
    }
    Ok(jobs)
}

/// A file's own scope, if both sides take the file's steps.
fn of_file(path: &Path) -> Result<std::result::Result<Job, Box<Divergence>>> {
    let asked = match Asked::of_file(path, None)? {
        Ok(asked) => asked,
        Err(divergence) => return Ok(Err(divergence)),
    };
    if asked.guards != GuardSet::ALL {
        let dropped = asked.guards.dropped().map(|guard| guard.name()).collect::<Vec<_>>().join(", ");
        bail!(
            "{0}: it drops {dropped}, and verify is of rules that drop nothing; `rollcall check {0}` asks of others",
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

fn conclude(reports: &[ScopeReport], asked: usize, failures: &[String]) -> End {
    let failed = reports.iter().any(|report| !report.failures.is_empty()) || !failures.is_empty();
    let unfinished = reports.len() < asked || reports.iter().any(|report| !report.unfinished.is_empty());
    if unfinished {
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

/// What one scope came to, as soon as it is known.
fn say(job: &Job, verified: &Verified, json: bool) -> Result<()> {
    let report = &verified.report;
    if json {
        outln!("{}", serde_json::to_string(report)?);
    } else {
        let verdict = verdict_of(report);
        errln!(
            "{}: {verdict}, {} states{}, {} transitions, {} replayed",
            report.scope,
            report.distinct_states,
            report
                .resumed_states
                .map_or(String::new(), |resumed| format!(" ({resumed} of them from the journal)")),
            report.transitions,
            report.transitions_replayed.map_or("none".into(), |replayed| replayed.to_string())
        );
    }
    for failure in report.failures.iter().chain(&report.unfinished) {
        errln!("  {}: {failure}", report.scope);
    }
    for trace in &verified.violations {
        let property = trace.verdict.as_ref().and_then(|verdict| verdict.property.as_deref());
        let path = PathBuf::from(format!("{}-{}.jsonl", report.scope, property.unwrap_or("violation")));
        let trace = match &job.file {
            Some(file) => file.with_steps(trace.clone())?,
            None => trace.clone(),
        };
        if out::keep(&trace, &path) {
            errln!("  a shortest trace of {} steps is in {}", trace.steps.len(), path.display());
        }
    }
    if let Some(divergence) = &verified.divergence {
        say_divergence(job, divergence)?;
    }
    Ok(())
}

/// Writes the schedule down, so that the command that shows it again works.
fn say_divergence(job: &Job, divergence: &Divergence) -> Result<()> {
    let scope = &job.plan.scope;
    let path = PathBuf::from(format!("{}-divergence.jsonl", scope.name));
    let mut model = ModelSubject::new(GuardSet::ALL, &[]);
    let mut trace = record(&mut model, scope, divergence.prefix.iter().cloned())?;
    trace.verdict = Some(Verdict::diverged(divergence.step));
    if let Some(file) = &job.file {
        trace = file.with_steps(trace)?;
    }
    let mut divergence = divergence.clone();
    divergence.command = Some(format!("rollcall replay {}", path.display()));
    errln!("{}", divergence.to_string().trim_end());
    out::keep(&trace, &path);
    Ok(())
}

fn verdict_of(report: &ScopeReport) -> &'static str {
    match (report.failures.is_empty(), report.unfinished.is_empty()) {
        (false, _) => "FAILS",
        (true, false) => "not finished",
        (true, true) => "holds",
    }
}

fn table(reports: &[ScopeReport]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "scope",
        "states",
        "transitions",
        "depth",
        "replayed",
        "steps",
        "probes",
        "explore s",
        "replay s",
        "verdict",
    ]);
    for report in reports {
        let number = |figure: Option<u64>| figure.map_or("-".into(), grouped);
        let seconds = |figure: Option<f64>| figure.map_or("-".into(), |seconds| format!("{seconds:.1}"));
        table.add_row([
            report.scope.clone(),
            grouped(report.distinct_states),
            grouped(report.transitions),
            report.depth.to_string(),
            number(report.transitions_replayed),
            number(report.replayed_steps),
            number(report.probes_refused),
            seconds(Some(report.explore_seconds)),
            seconds(report.replay_seconds),
            verdict_of(report).into(),
        ]);
    }
    for column in 1..=8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn totals(reports: &[ScopeReport]) {
    let sum = |of: fn(&ScopeReport) -> u64| reports.iter().map(of).sum::<u64>();
    let states = sum(|report| report.distinct_states);
    let steps = sum(|report| report.replayed_steps.unwrap_or(0));
    let explore: f64 = reports.iter().map(|report| report.explore_seconds).sum();
    let replay: f64 = reports.iter().filter_map(|report| report.replay_seconds).sum();
    let bytes = sum(|report| report.peak_bytes);
    outln!(
        "{} distinct states, {} of them healed, {} on the implementation too; {} transitions, {} of them replayed; {} probes refused, {} of them tried and the others refused before on the same parts; stateright's checker agrees on {} of {} scopes",
        grouped(states),
        grouped(sum(|report| report.recovered_states.unwrap_or(0))),
        grouped(sum(|report| report.healed_on_implementation.unwrap_or(0))),
        grouped(sum(|report| report.transitions)),
        grouped(sum(|report| report.transitions_replayed.unwrap_or(0))),
        grouped(sum(|report| report.probes_refused.unwrap_or(0))),
        grouped(sum(|report| report.probes_tried.unwrap_or(0))),
        reports.iter().filter(|report| report.stateright_agrees == Some(true)).count(),
        reports.len(),
    );
    outln!(
        "by the graph {} states reach the goal over faultless steps, {} of them as they heal; the others heal by steps that their scopes do not offer any more: {}",
        grouped(sum(|report| report.reaching_states.unwrap_or(0))),
        grouped(sum(|report| report.healed_within_scope.unwrap_or(0))),
        steps_outside(reports),
    );
    for report in reports {
        for (excuse, states) in &report.excused {
            outln!("{}: {} states end, rightly, with: {excuse}", report.scope, grouped(*states));
        }
    }
    if states > 0 && explore > 0.0 {
        let resumed = sum(|report| report.resumed_states.unwrap_or(0));
        outln!(
            "explored {} distinct states a second, {} bytes per distinct state in the explorer's tables",
            grouped(((states - resumed) as f64 / explore) as u64),
            bytes / states
        );
    }
    let both =
        || reports.iter().filter_map(|report| Some((report.explore_seconds, report.stateright_seconds?)));
    let (own, others): (f64, f64) = both().fold((0.0, 0.0), |sum, both| (sum.0 + both.0, sum.1 + both.1));
    if own > 0.0 && others > 0.0 {
        outln!(
            "stateright's checker took {:.1} times as long for the same states, of the model that remembers nothing",
            others / own
        );
    }
    if let Some(resident) = reports.iter().filter_map(|report| report.peak_resident_bytes).max() {
        outln!("the process held at most {} while it explored", ByteSize(resident));
    }
    if replay > 0.0 {
        outln!(
            "replayed {} steps a second on the implementation, probes included in the time",
            grouped((steps as f64 / replay) as u64)
        );
    }
    outln!("seconds: {}", seconds_of_each_part(reports));
}

/// Where the time went, over all scopes; parts that nobody ran are left out.
fn seconds_of_each_part(reports: &[ScopeReport]) -> String {
    type Part = (&'static str, fn(&ScopeReport) -> Option<f64>);
    let parts: [Part; 6] = [
        ("exploring", |report| Some(report.explore_seconds)),
        ("stateright's checker", |report| report.stateright_seconds),
        ("healing", |report| report.heal_seconds),
        ("healing by the graph", |report| report.second_answer_seconds),
        ("replaying", |report| report.replay_seconds),
        ("healing the implementation", |report| report.implementation_heal_seconds),
    ];
    let told = parts.iter().filter_map(|(part, of)| {
        let seconds = reports.iter().filter_map(of).reduce(|sum, more| sum + more)?;
        Some(format!("{part} {seconds:.1}"))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// By which steps healings leave the scopes, the most frequent first.
fn steps_outside(reports: &[ScopeReport]) -> String {
    let mut steps = BTreeMap::<&str, u64>::new();
    for (kind, count) in reports.iter().flat_map(|report| &report.outside) {
        *steps.entry(kind).or_default() += count;
    }
    let mut steps: Vec<(&str, u64)> = steps.into_iter().collect();
    steps.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words = steps.into_iter().map(|(kind, count)| format!("{kind} {}", grouped(count)));
    let words = words.collect::<Vec<_>>().join(", ");
    if words.is_empty() { "none".into() } else { words }
}

/// How often each kind of action fired, and each reason was given on both sides.
fn how_often(reports: &[ScopeReport]) {
    let mut actions = BTreeMap::<String, u64>::new();
    let mut reasons = BTreeMap::<String, u64>::new();
    for report in reports {
        for (kind, fired) in &report.actions {
            *actions.entry((*kind).to_string()).or_default() += fired;
        }
        for (reason, given) in &report.reasons {
            *reasons.entry(reason.to_string()).or_default() += given;
        }
    }
    for (what, counts) in [("actions that fired", actions), ("probes refused for", reasons)] {
        let counts = counts.iter().map(|(name, count)| format!("{name} {}", grouped(*count)));
        outln!("{what}: {}", counts.collect::<Vec<_>>().join("; "));
    }
}
