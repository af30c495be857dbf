//! A trace as one page: nothing is loaded from elsewhere, every word is escaped.
//!
//! A row a step, a column a store, one more for the placement driver where it
//! does more than allot ids; a cell is the state after the step, shown where it
//! changed. So what PD believes stands beside what is true.

use std::fmt::Write;

use super::changes::{Column, changes};
use super::pd::pd_words;
use super::{about, action_words, legend, outcome_words, title, verdict_words, with_views};
use crate::file::{Step, Trace};
use crate::outcome::Outcome;
use crate::view::{Log, Peer, PeerState, Store, StoreStatus, View};
use crate::words::joined;

const STYLE: &str = "\
body{font:14px/1.45 system-ui,sans-serif;margin:2em;color:#1c1c1c;background:#fff}\
table{border-collapse:collapse}th,td{border:1px solid #c8c8c8;padding:.35em .6em;vertical-align:top;text-align:left}\
th{position:sticky;top:0;background:#f0f0f0}td.state{white-space:pre-line;font:12px/1.4 ui-monospace,monospace}\
td.changed{background:#fff7d6}tr.refused td.action{color:#8a5a00}tr.violated td.action{background:#ffd9d6}\
.note{color:#35608a}.violation{color:#b00020;font-weight:bold}ul{margin:.2em 0 0;padding-left:1.2em}";

/// The page.
pub fn html(trace: &Trace) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut page, trace);
    page
}

fn write_page(page: &mut String, trace: &Trace) -> std::fmt::Result {
    let title = escaped(title(&trace.header));
    let scope = &trace.header.scope;
    let mut columns: Vec<Column> = scope.stores.iter().copied().map(Column::Store).collect();
    columns.extend((scope.max_replicas > 0).then_some(Column::Pd));
    writeln!(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(page, "<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>")?;
    for line in about(&trace.header) {
        writeln!(page, "<div>{}</div>", escaped(&line))?;
    }
    if let Some(verdict) = &trace.verdict {
        writeln!(page, "<p><strong>Verdict: {}</strong></p>", escaped(&verdict_words(verdict)))?;
    }
    write!(page, "<table>\n<thead><tr><th>step</th><th>what happens</th><th>outcome</th>")?;
    for column in &columns {
        match column {
            Column::Store(store) => write!(page, "<th>store {store}</th>")?,
            Column::Pd => write!(page, "<th>placement driver</th>")?,
        }
    }
    writeln!(page, "</tr></thead>\n<tbody>")?;
    if let Some(first) = &trace.header.view {
        write!(page, "<tr><td>0</td><td class=\"action\">the first state</td><td></td>")?;
        write_states(page, &columns, None, first)?;
        writeln!(page, "</tr>")?;
    }
    for (step, before) in with_views(trace) {
        write_row(page, &columns, step, before)?;
    }
    writeln!(page, "</tbody>\n</table>")?;
    if let Some(legend) = legend(page) {
        writeln!(page, "<p>{}</p>", escaped(legend))?;
    }
    writeln!(page, "</body>\n</html>")
}

fn write_row(page: &mut String, columns: &[Column], step: &Step, before: Option<&View>) -> std::fmt::Result {
    let class = match &step.outcome {
        _ if !step.violated.is_empty() => " class=\"violated\"",
        Some(Outcome::Refused(_)) => " class=\"refused\"",
        _ => "",
    };
    let action = escaped(&action_words(&step.action, before));
    write!(page, "<tr{class}><td>{}</td><td class=\"action\">{action}", step.index)?;
    if let (Some(before), Some(after)) = (before, &step.view) {
        let changes = changes(before, after);
        if !changes.is_empty() {
            let items = joined(changes.iter().map(|change| format!("<li>{}</li>", escaped(change))), "");
            write!(page, "<ul>{items}</ul>")?;
        }
    }
    for property in &step.violated {
        write!(page, "<div class=\"violation\">violated: {}</div>", escaped(property))?;
    }
    if !step.note.is_empty() {
        write!(page, "<div class=\"note\">{}</div>", escaped(&step.note))?;
    }
    write!(page, "</td><td>{}</td>", escaped(&outcome_words(step)))?;
    match &step.view {
        Some(after) => write_states(page, columns, before, after)?,
        None => columns.iter().try_for_each(|_| write!(page, "<td></td>"))?,
    }
    writeln!(page, "</tr>")
}

fn write_states(
    page: &mut String,
    columns: &[Column],
    before: Option<&View>,
    after: &View,
) -> std::fmt::Result {
    for column in columns {
        let state = |view: &View| match column {
            Column::Store(store) => view.stores.get(store).map(store_words).unwrap_or_default(),
            Column::Pd => pd_words(&view.pd),
        };
        let changed = before.is_some_and(|before| match column {
            Column::Store(store) => before.stores.get(store) != after.stores.get(store),
            Column::Pd => before.pd != after.pd,
        });
        let class = if changed { "state changed" } else { "state" };
        // What did not change is not said again.
        let words = if changed || before.is_none() { state(after) } else { String::new() };
        write!(page, "<td class=\"{class}\">{}</td>", escaped(&words))?;
    }
    Ok(())
}

fn store_words(store: &Store) -> String {
    let mut lines = Vec::new();
    if store.status != StoreStatus::Up {
        lines.push(store.status.to_string());
    }
    lines.extend(store.peers.iter().map(|(region, peer)| format!("region {region}: {}", peer_words(peer))));
    lines.extend(store.pending_messages.iter().map(|message| format!("pending message: {message}")));
    lines.join("\n")
}

fn peer_words(peer: &Peer) -> String {
    let Peer { id, region, commit, applied, .. } = peer;
    if peer.state == PeerState::Tombstone {
        return format!("tombstone of peer {id}\nepoch {}", region.epoch);
    }
    let state = match peer.state {
        PeerState::Uninitialised => ", uninitialised",
        PeerState::Merging => ", merging",
        _ => "",
    };
    let mut lines = vec![
        format!("peer {id}, {} in term {}{state}", peer.role, peer.term),
        format!("log {}, commit {commit}, applied {applied}", log_words(&peer.log)),
        format!("epoch {}", region.epoch),
        format!("peers {}", joined(&region.peers, " ")),
    ];
    if !region.range().is_whole() {
        lines.push(format!("range [{}, {})", region.start, region.end));
    }
    if let Some(merge) = &peer.merge {
        lines.push(format!("waits for region {} at epoch {}", merge.target.id, merge.target.epoch));
    }
    if let Some(snapshot) = &peer.snapshot {
        lines.push(format!("snapshot at {}", snapshot.position.index));
    }
    if !peer.data.is_empty() {
        let data = peer.data.iter().map(|(key, value)| format!("{key}={value}"));
        lines.push(joined(data, " "));
    }
    lines.join("\n")
}

/// The indexes of the log with their terms: `(5) 6:6 7:6`.
fn log_words(log: &Log) -> String {
    let entries = log.iter().map(|(index, entry)| format!(" {index}:{}", entry.term));
    format!("({}){}", log.truncated.index, joined(entries, ""))
}

/// Text that a browser takes for nothing but text.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}
