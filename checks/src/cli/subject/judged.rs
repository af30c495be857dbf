//! What a subject must show for a file: the model's trace of its steps, in the subject's dialect.

use std::path::Path;

use anyhow::{Result, bail};
use rollcall_model::ModelSubject;
use rollcall_traces::{ReplayError, Scenario, Sides, Trace, record_again};

use super::ConnectedSubject;
use crate::cli::named::Named;
use crate::cli::replay::placed;
use crate::judge::Judge;

/// The model's trace of a file; the error says why the dialect has nothing to compare it with.
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
        // The views say more than `expect`, and a round-based subject does not heal.
        new.expect = None;
        let parts = old.outcome.as_ref().is_some_and(|outcome| Some(outcome) != new.outcome.as_ref());
        if parts && !subject.dialects.is_empty() {
            let step = new.index;
            return Ok(Err(format!("in this dialect the model has another outcome at step {step}")));
        }
    }
    Ok(Ok(recorded))
}

/// A file's steps by raft-rs's own rules, for which the file states its outcomes.
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
