//! `replay`: a trace or scenario, or a folder of them, on the implementation.
//!
//! A scenario that says nothing of outcomes and views is replayed against the
//! model: what the model makes of it, by the rules that the scenario is about,
//! is what the implementation must show.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rollcall_impl::{Guard, Lacking};
use rollcall_model::ModelSubject;
use rollcall_model::heal::Goal;
use rollcall_traces::{
    Divergence, GuardNote, ReplayError, Replayed, Scenario, Sides, Subject, Trace, VerdictResult,
    record_again, replay,
};

use super::named::Named;
use super::{End, lookup, named, out};
use crate::judge::Judge;
use crate::world::World;

pub(super) fn run(path: &Path, without: &[String], into: Option<&Path>) -> Result<End> {
    let files = files_of(path)?;
    if into.is_some() && files.len() > 1 {
        bail!("--out takes one file, and {} holds {}", path.display(), files.len());
    }
    let lacking = without.iter().map(|name| guard_of(name)).collect::<Result<Vec<_>>>()?;
    let mut end = End::Holds;
    for file in &files {
        let (text, ended) = match one(file, &lacking, into)? {
            Ok(agreed) => (agreed.words(file), agreed.end()),
            Err(mut divergence) => {
                let without: String = without.iter().map(|guard| format!(" --without {guard}")).collect();
                divergence.command = Some(format!("rollcall replay {}{without}", file.display()));
                let words = divergence.to_string();
                (format!("{}:\n{}\n", file.display(), words.trim_end()), End::Violated)
            }
        };
        out::say(&text)?;
        end = end.max(ended);
    }
    Ok(end)
}

/// The guard of that name on the implementation.
fn guard_of(name: &str) -> Result<Guard> {
    lookup::any_guard(name)?;
    match Guard::from_name(name) {
        Some(guard) => Ok(guard),
        None => bail!("the implementation cannot drop `{name}`: raft-rs decides it"),
    }
}

/// The implementation showed what the trace says.
struct Agreed {
    replayed: Replayed,
    /// What it violated, and after which step first.
    violated: Option<(String, u64)>,
    /// What it misses once faults stop, of a file whose verdict is a goal.
    missed: Vec<String>,
    /// What the file states of violations that is not so.
    misstated: Vec<String>,
    /// The file says of some step what comes of it.
    states: bool,
    /// A property was judged.
    judges: bool,
}

impl Agreed {
    fn words(&self, file: &Path) -> String {
        let Replayed { steps, views, expectations, .. } = self.replayed;
        let mut text = format!(
            "{}: the implementation agrees: {steps} steps, {views} views compared, {expectations} expectations met\n",
            file.display()
        );
        if let Some((property, step)) = &self.violated {
            text += &format!("{}: {property} is violated at step {step}\n", file.display());
        }
        for missed in &self.missed {
            text += &format!("{}: once faults stop: {missed}\n", file.display());
        }
        for wrong in &self.misstated {
            text += &format!("{}: {wrong}\n", file.display());
        }
        if !self.states && !self.judges {
            text += &format!(
                "{}: it states nothing (`expect`, `outcome`) and judges nothing (`properties`): all that was seen is that its steps can be taken\n",
                file.display()
            );
        }
        text
    }

    fn end(&self) -> End {
        let is_wrong = self.violated.is_some() || !self.missed.is_empty() || !self.misstated.is_empty();
        if is_wrong { End::Violated } else { End::Holds }
    }
}

fn one(file: &Path, lacking: &[Guard], into: Option<&Path>) -> Result<Result<Agreed, Box<Divergence>>> {
    let (scenario, named) = named::read(file)?;
    let (stated, expected, sides) = match scenario.recorded() {
        Some(trace) => (trace.clone(), trace, Sides::TRACE_AND_IMPL),
        None => match filled_in(file, &scenario, &named)? {
            Ok((stated, filled)) => (stated, filled, Sides::MODEL_AND_IMPL),
            Err(divergence) => return Ok(Err(divergence)),
        },
    };
    if let Some(into) = into {
        expected.write(into)?;
    }
    let deciders = deciders(&expected.header.without, lacking, &sides);
    let mut world = World::new(Lacking(lacking));
    let replayed = replay(&mut world, &expected, sides);
    // The views are equal to those expected, so those are judged.
    let agreed = |replayed| {
        let judged = judged(&expected, &named);
        let violated = judged.iter().find_map(|(step, names)| Some((names.first()?.clone(), *step)));
        let missed = missed(&stated, &world);
        let misstated = misstated(&stated, &judged, &missed);
        let (states, judges) = (scenario.checks() > 0, !named.properties.is_empty());
        Agreed { replayed, violated, missed, misstated, states, judges }
    };
    let name_guards = |mut divergence: Box<Divergence>| {
        divergence.guards = deciders;
        divergence
    };
    Ok(diverged_or_error(file, replayed)?.map(agreed).map_err(name_guards))
}

/// The guards that one side has and the other lacks: they decide where the sides part.
fn deciders(trace_lacks: &[String], implementation_lacks: &[Guard], sides: &Sides) -> Vec<GuardNote> {
    let note = |guard: Guard, side: &str| GuardNote {
        side: side.into(),
        guard: guard.name().into(),
        decider: guard.decider().to_string(),
    };
    let only_trace = trace_lacks
        .iter()
        .filter_map(|name| Guard::from_name(name))
        .filter(|guard| !implementation_lacks.contains(guard))
        .map(|guard| note(guard, &sides.actual));
    let only_implementation = implementation_lacks
        .iter()
        .copied()
        .filter(|guard| !trace_lacks.iter().any(|name| name == guard.name()))
        .map(|guard| note(guard, &sides.expected));
    only_trace.chain(only_implementation).collect()
}

/// A scenario with its steps written out, and with what the model makes of it.
fn filled_in(
    file: &Path,
    scenario: &Scenario,
    named: &Named,
) -> Result<Result<(Trace, Trace), Box<Divergence>>> {
    let mut model = ModelSubject::new(named.guards, &[]);
    let taken = scenario.taken_on(&mut model, Sides::TRACE_AND_MODEL);
    let stated = match diverged_or_error(file, taken)? {
        Ok(stated) => stated,
        Err(divergence) => return Ok(Err(divergence)),
    };
    let mut judge = Judge::new(&named.properties);
    let filled = record_again(&mut model, &stated, |view, taken| judge.names(view, taken));
    let filled = filled.with_context(|| file.display().to_string())?;
    Ok(Ok((stated, filled)))
}

/// A divergence is a finding; everything else is bad input, with its file.
fn diverged_or_error<T>(file: &Path, replayed: Result<T, ReplayError>) -> Result<Result<T, Box<Divergence>>> {
    match replayed {
        Ok(replayed) => Ok(Ok(replayed)),
        Err(ReplayError::Diverged(divergence)) => Ok(Err(divergence)),
        Err(error) => Err(placed(file, error)),
    }
}

/// The error with its file, where it has no place of its own.
pub(super) fn placed(file: &Path, error: ReplayError) -> anyhow::Error {
    match error {
        ReplayError::Refused { .. } | ReplayError::Trace(_) => error.into(),
        error => anyhow::Error::from(error).context(file.display().to_string()),
    }
}

/// What is violated in the first state (step 0) and after each step.
fn judged(trace: &Trace, named: &Named) -> Vec<(u64, Vec<String>)> {
    let mut judge = Judge::new(&named.properties);
    let first = trace.header.view.iter().map(|view| (0, judge.names(view, None))).collect::<Vec<_>>();
    let steps = trace.steps.iter().filter_map(|step| {
        let taken = Some(&step.action).zip(step.outcome.as_ref());
        Some((step.index, judge.names(step.view.as_ref()?, taken)))
    });
    first.into_iter().chain(steps).collect()
}

/// What is missed by healing where the verdict is of a goal.
fn missed(stated: &Trace, world: &World<Lacking<'_>>) -> Vec<String> {
    match verdict_of_goal(stated) {
        Some(_) => world.healed().map_or_else(Vec::new, |healed| healed.missed),
        None => Vec::new(),
    }
}

fn verdict_of_goal(stated: &Trace) -> Option<Goal> {
    let property = stated.verdict.as_ref()?.property.as_ref()?;
    Goal::ALL.iter().copied().find(|goal| goal.name() == property)
}

/// What the file states of violations that is not so.
fn misstated(stated: &Trace, judged: &[(u64, Vec<String>)], missed: &[String]) -> Vec<String> {
    let at = |index: u64| judged.iter().find(|(step, _)| *step == index).map(|(_, names)| names);
    let mut wrong = Vec::new();
    for step in &stated.steps {
        let holds =
            |name: &&String| at(step.index).is_none_or(|names| !names.contains(name)) && !is_goal(name);
        let holds = step.violated.iter().filter(holds);
        wrong.extend(
            holds.map(|name| {
                format!("it states that {name} is violated at step {}, where it holds", step.index)
            }),
        );
    }
    wrong.extend(match verdict_of_goal(stated) {
        Some(goal) if missed.iter().any(|missed| missed.starts_with(goal.name())) => None,
        Some(goal) => Some(format!("its verdict is that {goal} is missed once faults stop, and it is met")),
        None => wrong_verdict(stated, judged),
    });
    wrong
}

fn is_goal(name: &str) -> bool {
    Goal::ALL.iter().any(|goal| goal.name() == name)
}

/// What is not so of a verdict on properties.
fn wrong_verdict(stated: &Trace, judged: &[(u64, Vec<String>)]) -> Option<String> {
    let verdict = stated.verdict.as_ref()?;
    match verdict.result {
        VerdictResult::Holds => {
            let (name, step) = judged.iter().find_map(|(step, names)| Some((names.first()?, *step)))?;
            Some(format!("its verdict is that all holds, and {name} is violated at step {step}"))
        }
        VerdictResult::Violated => {
            let is = |name: &String, step: u64| {
                verdict.property.as_ref().is_none_or(|stated| stated == name)
                    && verdict.at.is_none_or(|stated| stated == step)
            };
            if judged.iter().any(|(step, names)| names.iter().any(|name| is(name, *step))) {
                return None;
            }
            let name = verdict.property.as_deref().unwrap_or("a property");
            let place = verdict.at.map_or(String::new(), |step| format!(" at step {step}"));
            Some(format!("its verdict is that {name} is violated{place}, where it holds"))
        }
        VerdictResult::Diverged => None,
    }
}

/// The file itself, or every trace in the folder, by name.
fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let unreadable = || format!("{}: cannot be read", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(unreadable)? {
        let found = entry.with_context(unreadable)?.path();
        if found.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(found);
        }
    }
    if files.is_empty() {
        bail!("{}: no trace in this folder (files that end in .jsonl)", path.display());
    }
    files.sort();
    Ok(files)
}
