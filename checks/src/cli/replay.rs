//! `replay`: a trace or scenario, or a folder of them, on the implementation.
//!
//! A scenario that says nothing of outcomes and views is replayed against the
//! model: what the model makes of it is what the implementation must show.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rollcall_impl::{Dropped, Guard, Guards, Sound};
use rollcall_model::GuardSet;
use rollcall_model::ModelSubject;
use rollcall_traces::{Divergence, ReplayError, Replayed, Sides, Trace, record_again, replay};

use super::{End, lookup};
use crate::judge::Judge;
use crate::world::World;

pub(super) fn run(path: &Path, without: Option<&str>, out: Option<&Path>) -> Result<End> {
    let files = files_of(path)?;
    if out.is_some() && files.len() > 1 {
        bail!("--out takes one file, and {} holds {}", path.display(), files.len());
    }
    let guard = without.map(guard_of).transpose()?;
    let mut end = End::Holds;
    for file in &files {
        let replayed = one(file, guard, out)?;
        match replayed {
            Ok(replayed) => println!(
                "{}: the implementation agrees: {} steps, {} views compared, {} expectations met",
                file.display(),
                replayed.steps,
                replayed.views,
                replayed.expectations
            ),
            Err(mut divergence) => {
                let without = without.map_or(String::new(), |guard| format!(" --without {guard}"));
                divergence.command = Some(format!("rollcall replay {}{without}", file.display()));
                println!("{}:\n{divergence}", file.display());
                end = End::Violated;
            }
        }
    }
    Ok(end)
}

/// The guard of that name on the implementation.
fn guard_of(name: &str) -> Result<Guard> {
    lookup::guard(name)?;
    match Guard::ALL.iter().find(|guard| guard.name() == name) {
        Some(guard) => Ok(*guard),
        None => bail!("the implementation cannot drop `{name}`: raft-rs decides it"),
    }
}

fn one(file: &Path, guard: Option<Guard>, out: Option<&Path>) -> Result<Result<Replayed, Box<Divergence>>> {
    let trace = Trace::read(file)?;
    if let Some(step) = trace.steps.iter().find(|step| step.index == 0) {
        bail!("{}: a step is numbered {}", file.display(), step.index);
    }
    let expected = with_views(&trace).with_context(|| format!("{}", file.display()))?;
    if let Some(out) = out {
        expected.write(out).with_context(|| format!("cannot write {}", out.display()))?;
    }
    let replayed = match guard {
        None => on(World::new(Sound), &expected),
        Some(guard) => on(World::new(Dropped(guard)), &expected),
    };
    match replayed {
        Ok(replayed) => Ok(Ok(replayed)),
        Err(ReplayError::Diverged(divergence)) => Ok(Err(divergence)),
        Err(error) => Err(error).with_context(|| format!("{}", file.display())),
    }
}

/// A trace as it is; a scenario with what the model makes of it.
fn with_views(trace: &Trace) -> Result<Trace> {
    if trace.steps.iter().all(|step| step.outcome.is_some() && step.view.is_some()) {
        return Ok(trace.clone());
    }
    let mut model = ModelSubject::new(GuardSet::ALL, &[]);
    replay(&mut model, trace, Sides::TRACE_AND_MODEL)?;
    let mut judge = Judge::named(&trace.header.properties)?;
    Ok(record_again(&mut model, trace, |view, taken| judge.names(view, taken))?)
}

fn on<G: Guards>(mut world: World<G>, trace: &Trace) -> Result<Replayed, ReplayError> {
    replay(&mut world, trace, Sides::MODEL_AND_IMPL)
}

/// The file itself, or every trace in the folder, by name.
fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let found = entry.with_context(|| format!("cannot read {}", path.display()))?.path();
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
