//! `museum --subject`: one line for each guard, whether another Raft library has it.

use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Result;
use rollcall_traces::Trace;

use super::ConnectedSubject;
use crate::cli::end::End;
use crate::cli::end::INTERRUPTED;
use crate::cli::lasting::default_threads;
use crate::cli::out::outln;
use crate::lookup;
use crate::museum::{PIECES, Piece, show};
use crate::subject::exhibits::{Finding, ask, is_decided_by_raft};

/// The folder of the exhibits' traces.
pub(super) const KEPT: &str = "traces/museum";

/// Checks every guard that a raft library decides, or only the named one.
pub(in crate::cli) fn run(subject: &ConnectedSubject, guard: Option<&str>) -> Result<End> {
    guard.map(lookup::any_guard).transpose()?;
    subject.is_of_this_design()?;
    outln!("{}", subject.introduction().trim_end());
    let is_asked = |piece: &&Piece| match guard {
        Some(name) => piece.guard.name() == name,
        None => is_decided_by_raft(piece),
    };
    let pieces: Vec<&Piece> = PIECES.iter().filter(is_asked).collect();
    let (mut has, mut lacks, mut parts, mut skipped) = (0, 0, 0, 0);
    for piece in &pieces {
        if INTERRUPTED.load(Ordering::SeqCst) {
            outln!("interrupted: {} of {} exhibits were shown", has + lacks + parts + skipped, pieces.len());
            return Ok(End::NotConclusive);
        }
        let name = piece.name();
        let path = Path::new(KEPT).join(format!("{name}.jsonl"));
        let Some(trace) = trace_of(piece, &path)? else {
            skipped += 1;
            outln!("{name:<48} skipped: its trace was not found");
            continue;
        };
        let finding = ask(&subject.link, &subject.dialects, piece, &trace);
        match &finding {
            Finding::HasIt { .. } => has += 1,
            Finding::Lacks { .. } => lacks += 1,
            Finding::Diverges { .. } | Finding::Broke { .. } => parts += 1,
            Finding::Skipped(_) => skipped += 1,
        }
        outln!("{name:<48} {}", words(&finding));
        if matches!(finding, Finding::Lacks { .. } | Finding::Broke { .. }) {
            outln!("{:<48} {}", "", piece.guard.incident());
            outln!("{:<48} to see it: {}", "", subject.again(&format!("replay {}", path.display())));
        }
    }
    let others = PIECES.iter().filter(|piece| !is_decided_by_raft(piece)).count();
    outln!(
        "of {} exhibits {has} show that it has the guard, {lacks} that it LACKS it, {parts} diverge earlier, {skipped} are skipped",
        pieces.len()
    );
    if guard.is_none() {
        outln!("{others} more belong to Rollcall's own store and placement driver, and are not checked");
    }
    Ok(match () {
        () if lacks + parts > 0 => End::Violated,
        () if has == 0 => End::NotConclusive,
        () => End::Holds,
    })
}

/// An exhibit's stored trace; without one, it is searched.
pub(super) fn trace_of(piece: &Piece, path: &Path) -> Result<Option<Trace>> {
    if path.exists() {
        return Ok(Some(Trace::read(path)?));
    }
    Ok(show(piece, default_threads(), &INTERRUPTED)?.trace)
}

fn words(finding: &Finding) -> String {
    match finding {
        Finding::HasIt { step } => format!("has it (step {step})"),
        Finding::Lacks { step, violated: Some((property, at)) } => {
            format!("LACKS IT: {property} at step {at} (the guard decides step {step})")
        }
        Finding::Lacks { step, violated: None } => format!("LACKS IT: the guard decides step {step}"),
        Finding::Diverges { step, field } => format!("diverges earlier, at step {step}: {field}"),
        Finding::Skipped(why) => format!("skipped: {why}"),
        Finding::Broke { step, fault } => format!("breaks at step {step}: {fault}"),
    }
}
