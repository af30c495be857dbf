//! `show`: prints a trace in readable form.

use std::path::Path;

use anyhow::{Context, Result, bail};
use rollcall_model::ModelSubject;
use rollcall_traces::{Run, Sides, TraceError, record_again, render};

use super::end::End;
use super::replay::placed;
use super::{named, out, terminal};
use crate::explore::still;
use crate::judge::Judge;

pub(super) fn run(path: &Path, mermaid: bool, html: bool, into: Option<&Path>) -> Result<End> {
    let (scenario, named) = match named::read(path) {
        Err(error) if error.downcast_ref::<TraceError>().is_some_and(TraceError::is_a_run) => {
            return a_run(path, mermaid || html, into, error);
        }
        read => read?,
    };
    // A scenario has only actions. The model adds the outcomes and views, by the scenario's rules.
    let trace = match scenario.recorded() {
        Some(recorded) => recorded,
        None => {
            let mut model = ModelSubject::new(named.guards, &[]);
            let trace = scenario.written_out(&mut model, Sides::TRACE_AND_MODEL);
            let trace = trace.map_err(|error| placed(path, error))?;
            let mut judge = Judge::new(&named.properties);
            let mut trace = record_again(&mut model, &trace, |view, taken| judge.names(view, taken))
                .with_context(|| path.display().to_string())?;
            // Without a checked property there is no verdict.
            if named.properties.is_empty() {
                trace.verdict = None;
            }
            trace
        }
    };
    let text = match (mermaid, html, into) {
        (true, _, _) => render::mermaid(&trace),
        (_, true, _) => still(&trace),
        (_, _, None) => terminal::trace(&trace),
        (_, _, Some(_)) => terminal::trace_in(&trace, 80),
    };
    said(&text, into)
}

fn said(text: &str, into: Option<&Path>) -> Result<End> {
    match into {
        Some(into) => out::write(into, text).map(|()| End::Holds),
        None => out::say(text),
    }
}

/// A recorded run as a list of events. Standard input cannot be read twice.
fn a_run(path: &Path, drawn: bool, into: Option<&Path>, error: anyhow::Error) -> Result<End> {
    if drawn {
        bail!("{}: a recorded run is shown as a list; leave out --mermaid and --html", path.display());
    }
    if !path.is_file() {
        return Err(error.context("give the run as a file, not through a pipe"));
    }
    said(&render::run(&Run::read(path)?), into)
}
