//! `verify`: the main job.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use bytesize::ByteSize;
use comfy_table::{CellAlignment, Table, presets};
use rollcall_model::scopes::{self, Family, Size};
use rollcall_model::{GuardSet, ModelSubject};
use rollcall_traces::{Divergence, record};

use super::out::grouped;
use super::progress::Progress;
use super::{End, INTERRUPTED, Lasting, lookup};
use crate::verify::{ScopeReport, Verified, Watch, begin, family_failures, verify_begun};

pub(super) struct Wanted {
    pub(super) family: Option<Family>,
    pub(super) size: Size,
    pub(super) scope: Option<String>,
    pub(super) json: bool,
    pub(super) threads: usize,
    pub(super) lasting: Lasting,
    pub(super) heal_bound: Option<usize>,
    pub(super) every_probe: bool,
}

pub(super) fn run(wanted: &Wanted) -> Result<End> {
    let families = Family::ALL.iter().filter(|family| wanted.family.is_none_or(|only| only == **family));
    let plans: Vec<_> = families.flat_map(|family| scopes::plans(*family, wanted.size)).collect();
    let all = plans.len();
    let plans: Vec<_> = plans
        .into_iter()
        .filter(|plan| wanted.scope.as_ref().is_none_or(|part| plan.scope.name.contains(part)))
        .collect();
    if plans.is_empty() {
        lookup::no_scope(wanted.scope.as_deref().unwrap_or_default(), wanted.size)?;
    }
    let journals = wanted.lasting.journals(&plans, wanted.size)?;
    let mut reports: Vec<ScopeReport> = Vec::new();
    for (plan, journal) in plans.iter().zip(&journals) {
        if INTERRUPTED.load(Ordering::SeqCst) {
            break;
        }
        let watch = Arc::new(Watch {
            interrupt: Arc::clone(&INTERRUPTED),
            heal_bound: wanted.heal_bound,
            every_probe: wanted.every_probe,
            memory: Some(wanted.lasting.memory()),
            journal: journal.clone().map(|path| (path, wanted.lasting.pace())),
            ..Watch::default()
        });
        let begun = begin(plan, &watch)?;
        let progress = Progress::start(&plan.scope.name, &watch, wanted.json);
        let verified = verify_begun(plan, begun, wanted.threads, &watch);
        progress.end();
        let verified = verified?;
        say(&verified, wanted.json)?;
        reports.push(verified.report);
    }
    let whole = reports.len() == all;
    let failures = if whole { owed(wanted, &reports) } else { Vec::new() };
    if !wanted.json {
        println!("{}", table(&reports));
        totals(&reports);
        how_often(&reports);
    }
    for failure in &failures {
        eprintln!("  fails: {failure}");
    }
    let end = conclude(&reports, plans.len(), &failures);
    if end == End::NotConclusive {
        wanted.lasting.say_how_to_go_on(&journals);
    } else {
        wanted.lasting.remove(&journals)?;
    }
    Ok(end)
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
        eprintln!(
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
fn say(verified: &Verified, json: bool) -> Result<()> {
    let report = &verified.report;
    if json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        let verdict = verdict_of(report);
        eprintln!(
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
        eprintln!("  {}: {failure}", report.scope);
    }
    for trace in &verified.violations {
        let property = trace.verdict.as_ref().and_then(|verdict| verdict.property.as_deref());
        let path = PathBuf::from(format!("{}-{}.jsonl", report.scope, property.unwrap_or("violation")));
        trace.write(&path)?;
        eprintln!("  a shortest trace of {} steps is in {}", trace.steps.len(), path.display());
    }
    if let Some(divergence) = &verified.divergence {
        say_divergence(report, divergence)?;
    }
    Ok(())
}

/// Writes the schedule down, so that the command that shows it again works.
fn say_divergence(report: &ScopeReport, divergence: &Divergence) -> Result<()> {
    let plan = scopes::named(&report.scope);
    let mut divergence = divergence.clone();
    if let Some(plan) = plan {
        let path = PathBuf::from(format!("{}-divergence.jsonl", report.scope));
        let mut model = ModelSubject::new(GuardSet::ALL, &[]);
        record(&mut model, &plan.scope, divergence.prefix.iter().cloned())?.write(&path)?;
        divergence.command = Some(format!("rollcall replay {}", path.display()));
    }
    eprintln!("{divergence}");
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
    println!(
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
    println!(
        "by the graph {} states reach the goal over faultless steps, {} of them as they heal; the others heal by steps that their scopes do not offer any more: {}",
        grouped(sum(|report| report.reaching_states.unwrap_or(0))),
        grouped(sum(|report| report.healed_within_scope.unwrap_or(0))),
        steps_outside(reports),
    );
    for report in reports {
        for (excuse, states) in &report.excused {
            println!("{}: {} states end, rightly, with: {excuse}", report.scope, grouped(*states));
        }
    }
    if states > 0 && explore > 0.0 {
        let resumed = sum(|report| report.resumed_states.unwrap_or(0));
        println!(
            "explored {} distinct states a second, {} bytes per distinct state in the explorer's tables",
            grouped(((states - resumed) as f64 / explore) as u64),
            bytes / states
        );
    }
    let both =
        || reports.iter().filter_map(|report| Some((report.explore_seconds, report.stateright_seconds?)));
    let (own, others): (f64, f64) = both().fold((0.0, 0.0), |sum, both| (sum.0 + both.0, sum.1 + both.1));
    if own > 0.0 && others > 0.0 {
        println!(
            "stateright's checker took {:.1} times as long for the same states, of the model that remembers nothing",
            others / own
        );
    }
    if let Some(resident) = reports.iter().filter_map(|report| report.peak_resident_bytes).max() {
        println!("the process held at most {} while it explored", ByteSize(resident));
    }
    if replay > 0.0 {
        println!(
            "replayed {} steps a second on the implementation, probes included in the time",
            grouped((steps as f64 / replay) as u64)
        );
    }
    println!("seconds: {}", seconds_of_each_part(reports));
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
        println!("{what}: {}", counts.collect::<Vec<_>>().join("; "));
    }
}
