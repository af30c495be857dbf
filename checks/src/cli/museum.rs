//! `museum`: every guard dropped once.

use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use comfy_table::{ContentArrangement, Table, presets};

use super::end::{End, INTERRUPTED};
use super::out;
use super::out::{errln, outln};
use crate::museum::{BELOW_THE_GRAIN, Exhibit, PIECES, page, parts, show};

/// Prints the page `docs/museum.md`, with the lengths of the stored traces.
pub(super) fn say_page() -> Result<End> {
    out::say(&page(Path::new("traces/museum"))?)
}

pub(super) fn run(guard: Option<&str>, into: Option<&Path>, json: bool) -> Result<End> {
    guard.map(crate::lookup::any_guard).transpose()?;
    if let Some(folder) = into {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{}: the traces are written into a folder", folder.display()))?;
    }
    let mut unwritten = Vec::new();
    let mut exhibits = Vec::new();
    for piece in PIECES.iter().filter(|piece| guard.is_none_or(|name| piece.guard.name() == name)) {
        if INTERRUPTED.load(Ordering::SeqCst) {
            break;
        }
        let shown = show(piece, super::lasting::default_threads(), &INTERRUPTED)?;
        if let (Some(folder), Some(trace)) = (into, &shown.trace) {
            let path = folder.join(format!("{}.jsonl", piece.name()));
            if let Err(error) = trace.write(&path) {
                errln!("rollcall: {error}");
                unwritten.push(path);
            }
        }
        if json {
            outln!("{}", serde_json::to_string(&shown.exhibit)?);
        }
        exhibits.push(shown.exhibit);
    }
    let below = rollcall_impl::Guard::ALL.iter().filter(|guard| guard.is_implementation_only());
    for guard in below.filter(|known| guard.is_none_or(|name| known.name() == name)) {
        let exhibit = below_the_grain(*guard);
        if json {
            outln!("{}", serde_json::to_string(&exhibit)?);
        }
        exhibits.push(exhibit);
    }
    if !json {
        if guard.is_some() || out::columns().is_some_and(|columns| columns < NARROW) {
            exhibits.iter().for_each(|exhibit| outln!("{}", listed(exhibit)));
        } else {
            outln!("{}", table(&exhibits));
        }
        if let Some(name) = guard {
            for piece in PIECES.iter().filter(|piece| piece.guard.name() == name) {
                outln!("scope {}, trace traces/museum/{}.jsonl", piece.scope, piece.name());
                outln!("  rollcall check {} --without {name}", piece.scope);
                outln!("  rollcall show traces/museum/{}.jsonl", piece.name());
            }
            outln!("  rollcall explain {name}");
        }
    }
    if INTERRUPTED.load(Ordering::SeqCst) {
        errln!("not conclusive: interrupted after {} exhibits, the last of them cut short", exhibits.len());
        return Ok(End::NotConclusive);
    }
    let mut end = End::Holds;
    for exhibit in &exhibits {
        for failure in &exhibit.failures {
            errln!("{}: {failure}", exhibit.guard);
            end = End::Violated;
        }
    }
    if let (Some(path), End::Holds) = (unwritten.first(), end) {
        bail!(
            "{} of {} traces cannot be written, for example {}",
            unwritten.len(),
            exhibits.len(),
            path.display()
        );
    }
    Ok(end)
}

/// A guard below the model's grain: `cargo test -p rollcall-impl <guard>` kills it.
fn below_the_grain(guard: rollcall_impl::Guard) -> Exhibit {
    Exhibit {
        guard: guard.name().into(),
        incident: guard.incident().into(),
        decider: Some(guard.decider().to_string()),
        level: "implementation".into(),
        property: None,
        states_to_find: None,
        trace_steps: None,
        killed_in_model: None,
        killed_on_implementation: Some(format!("{BELOW_THE_GRAIN} {}", guard.name())),
        parts_at: None,
        failures: Vec::new(),
    }
}

/// With fewer columns a table would break names.
const NARROW: usize = 100;

/// An exhibit with one line for each figure.
fn listed(exhibit: &Exhibit) -> String {
    let mut lines = vec![exhibit.guard.clone()];
    let mut say = |what: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("  {what:<28}{value}")));
    };
    say("incident", Some(row_of(&exhibit.incident)));
    say("violates", exhibit.property.clone());
    say("states until it is found", exhibit.states_to_find.map(|states| states.to_string()));
    say("steps of the trace", exhibit.trace_steps.map(|steps| steps.to_string()));
    say("the two sides differ at step", exhibit.parts_at.map(|step| step.to_string()));
    say("killed in the model by", exhibit.killed_in_model.clone());
    say("killed on impl by", exhibit.killed_on_implementation.clone());
    lines.join("\n")
}

fn table(exhibits: &[Exhibit]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    match out::columns() {
        Some(columns) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns as u16);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table.set_header([
        "guard",
        "incident",
        "violates",
        "states",
        "steps",
        "parts at",
        "in the model killed by",
        "on the implementation killed by",
    ]);
    for exhibit in exhibits {
        let number = |figure: Option<u64>| figure.map_or("-".to_string(), |figure| figure.to_string());
        let words = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        table.add_row([
            exhibit.guard.clone(),
            row_of(&exhibit.incident),
            words(&exhibit.property),
            number(exhibit.states_to_find),
            number(exhibit.trace_steps),
            number(exhibit.parts_at),
            words(&exhibit.killed_in_model),
            words(&exhibit.killed_on_implementation),
        ]);
    }
    table
}

/// The reference at the end of an incident; the table prints only that.
fn row_of(incident: &str) -> String {
    let (words, reference) = parts(incident);
    if reference.is_empty() { words } else { reference }.into()
}
