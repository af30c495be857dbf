//! Findings: each is printed at once and written to a file; the end of the run sums them up, one
//! line for each cause.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use rollcall_impl::Guard;
use rollcall_model::{GuardSet, ModelSubject};
use rollcall_traces::{Action, Divergence, Trace, Verdict, record};
use serde::Serialize;

use super::super::explain;
use super::super::out::{self, errln, outln};
use super::super::replay::deciders;
use super::super::terminal;
use super::{Job, verdict_of};
use crate::places;
use crate::verify::{ScopeReport, Verified};

/// The findings so far.
#[derive(Default)]
pub(super) struct Findings {
    /// The guards that the implementation lacks.
    lacking: Vec<Guard>,
    scopes: Vec<Found>,
    /// Divergences by their cause.
    causes: BTreeMap<String, Vec<DivergedScope>>,
}

/// The result of one scope.
struct Found {
    scope: String,
    verdict: &'static str,
    failures: Vec<String>,
    files: Vec<PathBuf>,
}

/// A scope that diverges, after how many steps, and the file of its trace.
struct DivergedScope {
    scope: String,
    steps: u64,
    file: Option<PathBuf>,
}

/// A scope's finding in `verify --json`, in addition to its figures.
#[derive(Serialize)]
struct Finding<'a> {
    #[serde(flatten)]
    report: &'a ScopeReport,
    /// `holds`, `fails` or `not finished`.
    verdict: &'static str,
    failures: &'a [String],
    unfinished: &'a [String],
    /// The files of the violations' traces.
    traces: Vec<String>,
    divergence: Option<DivergenceReport<'a>>,
    /// The kinds of action that the scope has.
    covered: String,
    /// The kinds of action that it does not have.
    not_covered: String,
}

#[derive(Serialize)]
struct DivergenceReport<'a> {
    step: u64,
    action: Option<&'a Action>,
    expected: Option<String>,
    actual: Option<String>,
    fields: &'a [rollcall_traces::Difference],
    decided_by: Vec<String>,
    file: Option<String>,
    command: Option<&'a str>,
}

impl Findings {
    /// No findings yet, of an implementation that lacks these guards.
    pub(super) fn of(lacking: &[Guard]) -> Self {
        Self { lacking: lacking.to_vec(), ..Self::default() }
    }

    /// Prints the result of one scope and writes its traces.
    pub(super) fn take(&mut self, job: &Job, verified: &Verified, json: bool) -> Result<()> {
        let report = &verified.report;
        let traces = traces_of(job, verified)?;
        let parted = |divergence: &Divergence| {
            let mut parting = parting_of(job, divergence)?;
            parting.0.guards = deciders(&[], &self.lacking, &divergence.sides);
            anyhow::Ok(parting)
        };
        let parting = verified.divergence.as_deref().map(parted).transpose()?;
        let mut found = Found {
            scope: report.scope.clone(),
            verdict: verdict_of(report),
            failures: report.failures.clone(),
            files: Vec::new(),
        };
        if !json {
            say(report);
        }
        for words in report.failures.iter().chain(&report.unfinished).chain(&report.notes) {
            errln!("  {}: {words}", report.scope);
        }
        for (trace, path) in &traces {
            if out::keep(trace, path) {
                if !json {
                    errln!("  a shortest trace of {} steps is in {}", trace.steps.len(), path.display());
                }
                found.files.push(path.clone());
            }
        }
        let mut file = None;
        if let Some((divergence, trace, path)) = &parting {
            let alike = self.causes.entry(cause(divergence)).or_default();
            if !json {
                match alike.first() {
                    None => {
                        errln!("{}", terminal::divergence_on_stderr(divergence));
                        explain::pointer(divergence).iter().for_each(|more| errln!("{more}"));
                    }
                    Some(first) => {
                        errln!("  it diverges as {} does, after {} steps", first.scope, divergence.step)
                    }
                }
            }
            file = out::keep(trace, path).then(|| path.clone());
            found.files.extend(file.clone());
            alike.push(DivergedScope {
                scope: report.scope.clone(),
                steps: divergence.step,
                file: file.clone(),
            });
        }
        if json {
            let divergence = parting.as_ref().map(|(divergence, _, _)| divergence);
            let shown = |path: &PathBuf| path.display().to_string();
            let traces = found.files.iter().filter(|path| Some(*path) != file.as_ref()).map(shown).collect();
            let finding = finding(job, report, traces, divergence, file.as_ref().map(shown));
            outln!("{}", serde_json::to_string(&finding)?);
        }
        self.scopes.push(found);
        Ok(())
    }

    /// Prints the verdict of the run.
    pub(super) fn conclude(&self, asked: usize, failures: &[String], ended_early: bool) {
        let failing: Vec<&Found> = self.scopes.iter().filter(|found| !found.failures.is_empty()).collect();
        for found in &failing {
            let files: Vec<String> = found.files.iter().map(|file| file.display().to_string()).collect();
            outln!("{} fails: {}", found.scope, found.failures.join("; "));
            for file in &files {
                outln!("  rollcall show {file}");
            }
        }
        for failure in failures {
            outln!("fails: {failure}");
        }
        for (cause, alike) in self.causes.iter().filter(|(_, alike)| alike.len() > 1) {
            let Some(shortest) = alike.iter().min_by_key(|parted| parted.steps) else { continue };
            let file = shortest
                .file
                .as_ref()
                .map_or(String::new(), |file| format!(": rollcall replay {}", file.display()));
            outln!(
                "{} scopes diverge alike ({cause}); the shortest trace has {} steps, in {}{file}",
                alike.len(),
                shortest.steps,
                shortest.scope
            );
        }
        outln!("{}", self.verdict(asked, failures.len(), ended_early));
    }

    fn verdict(&self, asked: usize, failures: usize, ended_early: bool) -> String {
        let count = |verdict: &str| self.scopes.iter().filter(|found| found.verdict == verdict).count();
        let (holds, fails) = (count("holds"), count("FAILS"));
        let mut text = format!("{holds} of {asked} scopes hold");
        if fails > 0 {
            text += &format!(", {fails} {}", if fails == 1 { "fails" } else { "fail" });
        }
        match asked - holds - fails {
            0 => {}
            left if ended_early => text += &format!(", {left} were not run: it stopped at the first failure"),
            left => text += &format!(", {left} were not finished: not conclusive"),
        }
        if failures > 0 {
            text += &format!("; {failures} requirements of whole families are not met");
        }
        text
    }
}

/// Prints the result of one scope.
fn say(report: &ScopeReport) {
    let resumed = report.resumed_states.map(|resumed| format!(" ({resumed} of them from the journal)"));
    errln!(
        "{}: {}, {} states{}, {} transitions, {} replayed",
        report.scope,
        verdict_of(report),
        report.distinct_states,
        resumed.unwrap_or_default(),
        report.transitions,
        report.transitions_replayed.map_or("none".into(), |replayed| replayed.to_string())
    );
}

/// The violations' traces, each with the file's steps before it, and where each is written.
fn traces_of(job: &Job, verified: &Verified) -> Result<Vec<(Trace, PathBuf)>> {
    let of = |trace: &Trace| {
        let property = trace.verdict.as_ref().and_then(|verdict| verdict.property.as_deref());
        let name = &job.plan.scope.name;
        let path = PathBuf::from(format!("{name}-{}.jsonl", property.unwrap_or("violation")));
        let trace = match &job.file {
            Some(file) => file.with_steps(trace.clone())?,
            None => trace.clone(),
        };
        Ok((trace, path))
    };
    verified.violations.iter().map(of).collect()
}

/// The divergence with the places to look at, and its schedule as a file that shows it again.
fn parting_of(job: &Job, divergence: &Divergence) -> Result<(Divergence, Trace, PathBuf)> {
    let scope = &job.plan.scope;
    let path = PathBuf::from(format!("{}-divergence.jsonl", scope.name));
    let mut model = ModelSubject::new(GuardSet::ALL, &[]);
    let mut trace = record(&mut model, scope, divergence.prefix.iter().cloned())?;
    trace.verdict = Some(Verdict::diverged(divergence.step));
    let mut divergence = divergence.clone();
    if let Some(file) = &job.file {
        trace = file.with_steps(trace)?;
        divergence.prefix = file.way(divergence.prefix);
        divergence.step = divergence.prefix.len() as u64;
    }
    divergence.command = Some(format!("rollcall replay {}", path.display()));
    divergence.places = places::of_divergence(&divergence);
    Ok((divergence, trace, path))
}

/// The cause, independent of the scope: one cause may show in a hundred scopes.
fn cause(divergence: &Divergence) -> String {
    let kind = divergence.action.as_ref().map_or("the first state".into(), kind_of);
    if divergence.outcomes_differ() {
        let words = |outcome: &Option<rollcall_traces::Outcome>| {
            outcome.as_ref().map_or("a panic".into(), |outcome| match outcome.is_done() {
                true => "done".into(),
                false => outcome.to_string(),
            })
        };
        return format!("{kind}: {}, {}", words(&divergence.expected), words(&divergence.actual));
    }
    let fields = divergence
        .differences
        .iter()
        .filter_map(|difference| difference.path.rsplit('/').find(|part| part.parse::<u64>().is_err()));
    let fields: std::collections::BTreeSet<&str> = fields.collect();
    format!("{kind}: {}", fields.into_iter().collect::<Vec<_>>().join(", "))
}

/// The kind of an action, as files name it.
fn kind_of(action: &Action) -> String {
    match serde_json::to_value(action) {
        Ok(serde_json::Value::Object(named)) => named.keys().next().cloned().unwrap_or_default(),
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// The guards that one side lacks, and the places in the code.
fn decided_by(divergence: &Divergence) -> Vec<String> {
    let guards =
        divergence.guards.iter().map(|note| format!("{} ({}) on {}", note.guard, note.decider, note.side));
    guards.chain(divergence.places.iter().map(ToString::to_string)).collect()
}

fn finding<'a>(
    job: &Job,
    report: &'a ScopeReport,
    traces: Vec<String>,
    divergence: Option<&'a Divergence>,
    file: Option<String>,
) -> Finding<'a> {
    let verdict = match (report.failures.is_empty(), report.unfinished.is_empty()) {
        (false, _) => "fails",
        (true, false) => "not finished",
        (true, true) => "holds",
    };
    let divergence = divergence.map(|divergence| DivergenceReport {
        step: divergence.step,
        action: divergence.action.as_ref(),
        expected: divergence.expected.as_ref().map(ToString::to_string),
        actual: divergence.actual.as_ref().map(ToString::to_string),
        fields: &divergence.differences,
        decided_by: decided_by(divergence),
        command: file.as_ref().and(divergence.command.as_deref()),
        file,
    });
    Finding {
        report,
        verdict,
        failures: &report.failures,
        unfinished: &report.unfinished,
        traces,
        divergence,
        covered: job.plan.covered(),
        not_covered: job.plan.not_covered(),
    }
}
