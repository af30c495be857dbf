//! `show`: a trace for people.

use std::path::Path;

use anyhow::{Context, Result};
use rollcall_model::ModelSubject;
use rollcall_traces::{ReplayError, Sides, record_again, render, replay_file};

use super::{End, named, out};
use crate::judge::Judge;

pub(super) fn run(path: &Path, mermaid: bool, html: bool, into: Option<&Path>) -> Result<End> {
    let (mut trace, named) = named::read(path)?;
    // A scenario says only what happens; the model fills in what comes of it,
    // by the rules that the scenario is about.
    if trace.steps.iter().any(|step| step.outcome.is_none() || step.view.is_none()) {
        let mut model = ModelSubject::new(named.guards, &[]);
        if let Err(error @ ReplayError::Refused { .. }) =
            replay_file(&mut model, path, Sides::TRACE_AND_MODEL)
        {
            return Err(error.into());
        }
        let mut judge = Judge::new(&named.properties);
        trace = record_again(&mut model, &trace, |view, taken| judge.names(view, taken))
            .with_context(|| path.display().to_string())?;
        // Where nothing was judged nothing is claimed.
        if named.properties.is_empty() {
            trace.verdict = None;
        }
    }
    let text = if mermaid {
        render::mermaid(&trace)
    } else if html {
        render::html(&trace)
    } else {
        render::terminal(&trace)
    };
    match into {
        Some(into) => out::write(into, &text).map(|()| End::Holds),
        None => out::say(&text),
    }
}
