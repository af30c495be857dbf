//! `show`: a trace for people.

use std::path::Path;

use anyhow::{Context, Result, bail};
use rollcall_model::GuardSet;
use rollcall_model::ModelSubject;
use rollcall_traces::{Trace, record_again, render};

use super::End;
use crate::judge::Judge;

pub(super) fn run(path: &Path, mermaid: bool, html: bool, out: Option<&Path>) -> Result<End> {
    let mut trace = Trace::read(path)?;
    if trace.steps.is_empty() {
        bail!("{}: it has no steps; there is nothing to show", path.display());
    }
    // A scenario says only what happens; the model fills in what comes of it.
    if trace.steps.iter().any(|step| step.outcome.is_none() || step.view.is_none()) {
        let mut judge = Judge::named(&trace.header.properties)?;
        let mut model = ModelSubject::new(GuardSet::ALL, &[]);
        trace = record_again(&mut model, &trace, |view, taken| judge.names(view, taken))?;
    }
    let text = if mermaid {
        render::mermaid(&trace)
    } else if html {
        render::html(&trace)
    } else {
        render::terminal(&trace)
    };
    match out {
        Some(out) => write_whole(out, &text).with_context(|| format!("cannot write {}", out.display()))?,
        None => print!("{text}"),
    }
    Ok(End::Holds)
}

/// Writes all of it or nothing.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}
