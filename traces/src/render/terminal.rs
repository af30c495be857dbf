//! A trace as a step list for a terminal.

use std::fmt::Write;

use super::{about_in, action_words, changes, legend, outcome_words, title, verdict_words, with_views};
use crate::file::Trace;
use crate::words::Language;

/// The column in which outcomes start, unless an action is longer.
const OUTCOME_COLUMN: usize = 76;

/// The width of most outcomes.
const OUTCOME_WIDTH: usize = 22;

/// The trace's header, then every step with its changes.
pub fn terminal(trace: &Trace) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_trace(&mut text, trace, None);
    text
}

/// The same for this terminal width. An outcome that does not fit beside its action has a line of
/// its own. Longer lines are not broken.
pub fn terminal_in(trace: &Trace, columns: usize) -> String {
    let mut text = String::new();
    let _ = write_trace(&mut text, trace, Some(columns));
    text
}

fn write_trace(text: &mut String, trace: &Trace, columns: Option<usize>) -> std::fmt::Result {
    writeln!(text, "{}", title(&trace.header))?;
    for line in about_in(Language::English, &trace.header) {
        writeln!(text, "  {line}")?;
    }
    writeln!(text)?;
    let digits = trace.steps.len().to_string().len().max(3);
    let indent = digits + 3;
    for (step, before) in with_views(trace) {
        let action = action_words(&step.action, before);
        let outcome = outcome_words(step);
        let column = columns.map_or(OUTCOME_COLUMN, |columns| {
            // As far right as all outcomes of that length, or as this one fits.
            columns.saturating_sub(outcome.chars().count().max(OUTCOME_WIDTH) + 2)
        });
        let width = column.saturating_sub(digits + 1);
        let on_own_line = columns.is_some() && action.chars().count() > width;
        let line = match (on_own_line, outcome.is_empty()) {
            (true, false) => format!("{:>digits$} {action}\n{:indent$}{outcome}", step.index, ""),
            _ => format!("{:>digits$} {action:width$}  {outcome}", step.index),
        };
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
