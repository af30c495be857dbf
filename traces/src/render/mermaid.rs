//! A trace as a mermaid sequence diagram: stores are the participants, rounds
//! the arrows, what changed stands in notes.

use std::fmt::Write;

use super::changes::{changes, ends};
use super::{action_words, outcome_words, title, verdict_words, with_views};
use crate::action::{Action, Answer};
use crate::file::{Step, Trace};
use crate::outcome::Outcome;
use crate::region::StoreId;
use crate::view::View;

/// The diagram's source.
pub fn mermaid(trace: &Trace) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_diagram(&mut text, trace);
    text
}

fn write_diagram(text: &mut String, trace: &Trace) -> std::fmt::Result {
    writeln!(text, "---\ntitle: {}\n---", quoted(title(&trace.header)))?;
    writeln!(text, "sequenceDiagram")?;
    for store in &trace.header.scope.stores {
        writeln!(text, "  participant S{store} as store {store}")?;
    }
    for (step, before) in with_views(trace) {
        write_step(text, step, before, &trace.header.scope.stores)?;
    }
    if let Some(verdict) = &trace.verdict {
        write_note(text, &[], &trace.header.scope.stores, &format!("verdict: {}", verdict_words(verdict)))?;
    }
    Ok(())
}

fn write_step(text: &mut String, step: &Step, before: Option<&View>, stores: &[StoreId]) -> std::fmt::Result {
    let (from, to) = ends(&step.action, before);
    let mut words = format!("{} {}", step.index, action_words(&step.action, before));
    if step.outcome.as_ref().is_some_and(|outcome| *outcome != Outcome::DONE) {
        let _ = write!(words, ", {}", outcome_words(step));
    }
    match (from.first(), to) {
        (Some(from), Some(to)) => {
            // A cross for what is refused, an open end for an answer that does not come.
            let refused = step.outcome.as_ref().is_some_and(|outcome| !outcome.is_done());
            let arrow = match step.action {
                _ if refused => "-x",
                Action::Replicate { answer: Answer::Lost | Answer::Held, .. }
                | Action::Vote { answer: Answer::Lost | Answer::Held, .. } => "-)",
                _ => "->>",
            };
            writeln!(text, "  S{from}{arrow}S{to}: {}", plain(&words))?;
        }
        _ => write_note(text, &from, stores, &words)?,
    }
    if let (Some(before), Some(after)) = (before, &step.view) {
        for change in changes(before, after) {
            let of = stores.iter().find(|store| {
                change.starts_with(&format!("store {store}:"))
                    || change.starts_with(&format!("store {store},"))
            });
            write_note(text, of.map_or(&[][..], std::slice::from_ref), stores, &change)?;
        }
    }
    for property in &step.violated {
        write_note(text, &[], stores, &format!("VIOLATED: {property}"))?;
    }
    if !step.note.is_empty() {
        write_note(text, &[], stores, &step.note)?;
    }
    Ok(())
}

/// A note over `over`, or over all stores if it is empty.
fn write_note(text: &mut String, over: &[StoreId], all: &[StoreId], words: &str) -> std::fmt::Result {
    match (over, all) {
        ([store, ..], _) | ([], [store]) => writeln!(text, "  note over S{store}: {}", plain(words)),
        ([], [first, .., last]) => writeln!(text, "  note over S{first},S{last}: {}", plain(words)),
        ([], []) => Ok(()),
    }
}

/// A line of words in which mermaid finds no syntax of its own.
fn plain(words: &str) -> String {
    let mut safe = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '#' | ';' | '<' | '>' | '&' | '"' | '%' => {
                let _ = write!(safe, "#{};", u32::from(letter));
            }
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

/// A YAML string.
fn quoted(words: &str) -> String {
    serde_json::to_string(words).expect("a string is JSON")
}
