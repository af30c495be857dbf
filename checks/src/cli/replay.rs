//! `replay`: a trace or scenario, or a folder of them, on the implementation.
//!
//! A scenario that says nothing of outcomes and views is replayed against the
//! model: what the model makes of it, by the rules that the scenario is about,
//! is what the implementation must show.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rollcall_impl::{Guard, Lacking};
use rollcall_model::ModelSubject;
use rollcall_traces::{
    Divergence, GuardNote, ReplayError, Replayed, Sides, Trace, record_again, replay, replay_file,
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
        text
    }

    fn end(&self) -> End {
        if self.violated.is_some() { End::Violated } else { End::Holds }
    }
}

fn one(file: &Path, lacking: &[Guard], into: Option<&Path>) -> Result<Result<Agreed, Box<Divergence>>> {
    let (trace, named) = named::read(file)?;
    let is_recorded = trace.steps.iter().all(|step| step.outcome.is_some() && step.view.is_some());
    let (expected, sides) = match is_recorded {
        true => (trace, Sides::TRACE_AND_IMPL),
        false => match filled_in(file, &trace, &named)? {
            Ok(filled) => (filled, Sides::MODEL_AND_IMPL),
            Err(divergence) => return Ok(Err(divergence)),
        },
    };
    if let Some(into) = into {
        expected.write(into)?;
    }
    let deciders = deciders(&expected.header.without, lacking, &sides);
    let replayed = replay(&mut World::new(Lacking(lacking)), &expected, sides);
    // The views are equal to those expected, so those are judged.
    let agreed = |replayed| Agreed { replayed, violated: first_violation(&expected, &named) };
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

/// A scenario with what the model makes of it.
fn filled_in(file: &Path, trace: &Trace, named: &Named) -> Result<Result<Trace, Box<Divergence>>> {
    let mut model = ModelSubject::new(named.guards, &[]);
    if let Err(divergence) = diverged_or_error(file, replay_file(&mut model, file, Sides::TRACE_AND_MODEL))? {
        return Ok(Err(divergence));
    }
    let mut judge = Judge::new(&named.properties);
    let filled = record_again(&mut model, trace, |view, taken| judge.names(view, taken));
    Ok(Ok(filled.with_context(|| file.display().to_string())?))
}

/// A divergence is a finding; everything else is bad input, with its file.
fn diverged_or_error(
    file: &Path,
    replayed: Result<Replayed, ReplayError>,
) -> Result<Result<Replayed, Box<Divergence>>> {
    match replayed {
        Ok(replayed) => Ok(Ok(replayed)),
        Err(ReplayError::Diverged(divergence)) => Ok(Err(divergence)),
        Err(error @ (ReplayError::Refused { .. } | ReplayError::Trace(_))) => Err(error.into()),
        Err(error) => Err(error).with_context(|| file.display().to_string()),
    }
}

fn first_violation(trace: &Trace, named: &Named) -> Option<(String, u64)> {
    let mut judge = Judge::new(&named.properties);
    let first = trace.header.view.iter().flat_map(|view| judge.names(view, None)).next();
    if let Some(property) = first {
        return Some((property, 0));
    }
    trace.steps.iter().find_map(|step| {
        let taken = Some(&step.action).zip(step.outcome.as_ref());
        let property = judge.names(step.view.as_ref()?, taken).into_iter().next()?;
        Some((property, step.index))
    })
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
