//! A trace as a step list for a terminal.

use std::fmt::Write;

use super::{about, action_words, changes, legend, outcome_words, title, verdict_words, with_views};
use crate::file::Trace;

/// The column in which outcomes begin, unless an action is longer.
const OUTCOME_COLUMN: usize = 76;

/// What the trace is about, then every step with what it changed.
pub fn terminal(trace: &Trace) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_trace(&mut text, trace);
    text
}

fn write_trace(text: &mut String, trace: &Trace) -> std::fmt::Result {
    writeln!(text, "{}", title(&trace.header))?;
    for line in about(&trace.header) {
        writeln!(text, "  {line}")?;
    }
    writeln!(text)?;
    let digits = trace.steps.len().to_string().len().max(3);
    let indent = digits + 3;
    for (step, before) in with_views(trace) {
        let action = action_words(&step.action, before);
        let width = OUTCOME_COLUMN - digits - 1;
        let line = format!("{:>digits$} {action:width$}  {}", step.index, outcome_words(step));
        writeln!(text, "{}", line.trim_end())?;
        if let (Some(before), Some(after)) = (before, &step.view) {
            for change in changes(before, after) {
                writeln!(text, "{:indent$}{change}", "")?;
            }
        }
        for property in &step.violated {
            writeln!(text, "{:indent$}VIOLATED: {property}", "")?;
        }
        if !step.note.is_empty() {
            writeln!(text, "{:indent$}# {}", "", step.note)?;
        }
    }
    if let Some(legend) = legend(text) {
        writeln!(text, "\n({legend})")?;
    }
    if let Some(verdict) = &trace.verdict {
        writeln!(text, "\nverdict: {}", verdict_words(verdict))?;
    }
    Ok(())
}
