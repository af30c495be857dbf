//! A trace as a mermaid sequence diagram.
//!
//! Participants are the stores, and the placement driver if it does more than allot ids. Rounds and
//! reports are arrows, and changes are notes.

use std::fmt::Write;

use super::changes::changes;
use super::columns::{Column, ends};
use super::{action_words, outcome_words, title, verdict_words, with_views};
use crate::action::Action;
use crate::file::{Step, Trace};
use crate::outcome::Outcome;
use crate::round::Reply;
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
    let scope = &trace.header.scope;
    let mut stage: Vec<Column> = scope.stores.iter().copied().map(Column::Store).collect();
    stage.extend((scope.max_replicas > 0).then_some(Column::Pd));
    for place in &stage {
        let name = name(*place);
        match place {
            Column::Store(store) => writeln!(text, "  participant {name} as store {store}")?,
            Column::Pd => writeln!(text, "  participant {name} as placement driver")?,
        }
    }
    for (step, before) in with_views(trace) {
        write_step(text, step, before, &stage)?;
    }
    if let Some(verdict) = &trace.verdict {
        write_note(text, None, &stage, &format!("verdict: {}", verdict_words(verdict)))?;
    }
    Ok(())
}

fn name(place: Column) -> String {
    match place {
        Column::Store(store) => format!("S{store}"),
        Column::Pd => "PD".into(),
    }
}

fn write_step(text: &mut String, step: &Step, before: Option<&View>, stage: &[Column]) -> std::fmt::Result {
    let (from, to) = ends(&step.action, before);
    let drawn = |place: &Column| *place != Column::Pd || stage.contains(place);
    let (from, to) = (from.filter(drawn), to.filter(drawn));
    let mut words = format!("{} {}", step.index, action_words(&step.action, before));
    if step.outcome.as_ref().is_some_and(|outcome| *outcome != Outcome::DONE) {
        let _ = write!(words, ", {}", outcome_words(step));
    }
    match (from, to) {
        (Some(from), Some(to)) => {
            // A cross for a refused action, an open end for a reply that does not arrive.
            let refused = step.outcome.as_ref().is_some_and(|outcome| !outcome.is_done());
            let arrow = match step.action {
                _ if refused => "-x",
                Action::Replicate { reply: Reply::Dropped | Reply::Delayed, .. }
                | Action::Heartbeat { reply: Reply::Dropped | Reply::Delayed, .. }
                | Action::CheckStalePeer { reply: Reply::Dropped | Reply::Delayed, .. }
                | Action::Vote { reply: Reply::Dropped | Reply::Delayed, .. }
                | Action::AskSplit { reply: Reply::Dropped | Reply::Delayed, .. }
                | Action::RegionHeartbeat { reply: Reply::Dropped | Reply::Delayed, .. } => "-)",
                _ => "->>",
            };
            writeln!(text, "  {}{arrow}{}: {}", name(from), name(to), plain(&words))?;
        }
        (from, to) => write_note(text, from.or(to), stage, &words)?,
    }
    if let (Some(before), Some(after)) = (before, &step.view) {
        for change in changes(before, after) {
            let of = stage.iter().find(|place| is_of(&change, **place));
            write_note(text, of.copied(), stage, &change)?;
        }
    }
    for property in &step.violated {
        write_note(text, None, stage, &format!("VIOLATED: {property}"))?;
    }
    if !step.note.is_empty() {
        write_note(text, None, stage, &step.note)?;
    }
    Ok(())
}

/// Whether a line of changes belongs to this column.
fn is_of(change: &str, place: Column) -> bool {
    match place {
        Column::Store(store) => {
            change.starts_with(&format!("store {store}:")) || change.starts_with(&format!("store {store},"))
        }
        Column::Pd => change.starts_with("PD:"),
    }
}

/// A note over one column, or over all if it belongs to none.
fn write_note(text: &mut String, over: Option<Column>, stage: &[Column], words: &str) -> std::fmt::Result {
    match (over, stage) {
        (Some(place), _) | (None, &[place]) => {
            writeln!(text, "  note over {}: {}", name(place), plain(words))
        }
        (None, &[first, .., last]) => {
            writeln!(text, "  note over {},{}: {}", name(first), name(last), plain(words))
        }
        (None, []) => Ok(()),
    }
}

/// The line without characters that are syntax in mermaid.
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
