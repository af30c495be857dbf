//! A file as a subject must show it: its steps by the model, in the subject's dialect.

use std::path::Path;

use anyhow::{Result, bail};
use rollcall_model::ModelSubject;
use rollcall_traces::{ReplayError, Scenario, Sides, Trace, record_again};

use super::ConnectedSubject;
use crate::cli::named::Named;
use crate::cli::replay::placed;
use crate::judge::Judge;

/// What the model makes of a file; in words, why the dialect has nothing to compare with.
pub(super) fn expected(
    subject: &ConnectedSubject,
    file: &Path,
    scenario: &Scenario,
    named: &Named,
) -> Result<std::result::Result<Trace, String>> {
    let mut model = ModelSubject::new(subject.in_dialect(named.guards), &[]);
    let stated = stated(file, scenario, named)?;
    let mut judge = Judge::new(&named.properties);
    let mut recorded = record_again(&mut model, &stated, |view, taken| judge.names(view, taken))?;
    for (old, new) in stated.steps.iter().zip(&mut recorded.steps) {
        // Views say more, and how it heals is no round's business.
        new.expect = None;
        let parts = old.outcome.as_ref().is_some_and(|outcome| Some(outcome) != new.outcome.as_ref());
        if parts && !subject.dialects.is_empty() {
            let step = new.index;
            return Ok(Err(format!("in this dialect step {step} comes to something else in the model")));
        }
    }
    Ok(Ok(recorded))
}

/// A file's steps, written out by raft-rs's own rules: what it states holds there.
pub(super) fn stated(file: &Path, scenario: &Scenario, named: &Named) -> Result<Trace> {
    if let Some(trace) = scenario.recorded() {
        return Ok(trace.clone());
    }
    let mut own = ModelSubject::new(named.guards, &[]);
    let taken = scenario.taken_as_far(&mut own, Sides::TRACE_AND_MODEL);
    match taken.map_err(|error| placed(file, error))? {
        (stated, None) => Ok(stated),
        (_, Some(ReplayError::Diverged(divergence))) => {
            bail!("{}: it does not state what the model does:\n{divergence}", file.display())
        }
        (_, Some(error)) => Err(placed(file, error)),
    }
}
