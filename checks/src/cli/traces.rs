//! `traces`: writes a scope as files.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rollcall_model::GuardSet;
use rollcall_traces::Trace;

use super::end::End;
use super::out::outln;
use crate::explorer::Ended;
use crate::export::{Cover, itf, traces};
use crate::lookup;
use crate::numbers::grouped;
use crate::verify::{Watch, explore};

/// What the traces cover together.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum CoverArgument {
    /// Every transition
    Transitions,
    /// Every state, each by its shortest path
    States,
    /// Every kind of action, by one shortest trace each
    Actions,
}

/// How a trace is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FormatArgument {
    /// Rollcall's own JSON Lines
    Jsonl,
    /// Apalache's Informal Trace Format, for Quint and the TLA+ tools
    Itf,
}

/// Writes the traces of a scope into a new or empty folder.
pub(super) fn write(
    scope: &str,
    out: &Path,
    cover: CoverArgument,
    format: FormatArgument,
    most: Option<u64>,
    threads: usize,
) -> Result<End> {
    let plan = lookup::plan(scope)?;
    let model = plan.model(GuardSet::ALL)?;
    std::fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
    let is_empty = std::fs::read_dir(out).with_context(|| format!("{}", out.display()))?.next().is_none();
    if !is_empty {
        bail!(
            "{}: the folder is not empty; name a new one, so that no trace of another scope is left in it",
            out.display()
        );
    }
    let watch = Watch { interrupt: super::end::INTERRUPTED.clone(), ..Watch::default() };
    let explored = explore(&model, threads, &watch)?;
    if let Ended::Stopped(bound) = explored.ended {
        outln!("{scope}: not explored to its end ({bound}); nothing was written");
        return Ok(End::NotConclusive);
    }
    let covered = match cover {
        CoverArgument::Transitions => Cover::Transitions,
        CoverArgument::States => Cover::States,
        CoverArgument::Actions => Cover::Actions,
    };
    let (mut written, mut steps, mut left_out) = (0, 0, 0);
    let count = traces(&model, &explored, covered, |trace| -> Result<()> {
        if most.is_some_and(|most| written >= most)
            || super::end::INTERRUPTED.load(std::sync::atomic::Ordering::SeqCst)
        {
            left_out += 1;
            return Ok(());
        }
        written += 1;
        steps += trace.steps.len() as u64;
        write_one(&trace, out, &plan.scope.name, written, format)
    })?;
    let what = match covered {
        Cover::Transitions => format!("all {} transitions", grouped(explored.graph.edges().into())),
        Cover::States => format!("all {} states", grouped(explored.distinct())),
        Cover::Actions => format!("all {} kinds of action that the scope takes", grouped(count)),
    };
    let name = &plan.scope.name;
    let (folder, written, steps) = (out.display(), grouped(written), grouped(steps));
    if left_out == 0 {
        outln!("{folder}: {written} traces of {name}, {steps} steps; they cover {what}");
        return Ok(End::Holds);
    }
    outln!(
        "{folder}: {written} of {} traces of {name}, {steps} steps; all of them would cover {what}",
        grouped(count)
    );
    Ok(End::NotConclusive)
}

fn write_one(trace: &Trace, out: &Path, name: &str, number: u64, format: FormatArgument) -> Result<()> {
    match format {
        FormatArgument::Jsonl => trace.write(&out.join(format!("{name}-{number:06}.jsonl")))?,
        FormatArgument::Itf => {
            let path = out.join(format!("{name}-{number:06}.itf.json"));
            std::fs::write(&path, itf::of(trace).to_string())
                .with_context(|| format!("{}", path.display()))?;
        }
    }
    Ok(())
}
