//! The table of `verify`, and the summary below it.

use std::collections::BTreeMap;

use bytesize::ByteSize;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::super::out::{self, grouped, outln};
use super::verdict_of;
use crate::verify::ScopeReport;

/// A column's heading, and its cell for a report.
type Figure = (&'static str, fn(&ScopeReport) -> String);

/// The columns between the scope and its verdict, by importance: a narrow terminal drops the last
/// ones first.
const FIGURES: [Figure; 8] = [
    ("states", |report| grouped(report.distinct_states)),
    ("replayed", |report| number(report.transitions_replayed)),
    ("transitions", |report| grouped(report.transitions)),
    ("depth", |report| report.depth.to_string()),
    ("steps", |report| number(report.replayed_steps)),
    ("refusals", |report| number(report.refusals)),
    ("explore s", |report| format!("{:.1}", report.explore_seconds)),
    ("replay s", |report| report.replay_seconds.map_or("-".into(), |seconds| format!("{seconds:.1}"))),
];

/// The order in the table.
const ORDER: [&str; 8] =
    ["states", "transitions", "depth", "replayed", "steps", "refusals", "explore s", "replay s"];

fn number(figure: Option<u64>) -> String {
    figure.map_or("-".into(), grouped)
}

/// A row for each scope, with as many figures as fit.
pub(super) fn table(reports: &[ScopeReport], columns: Option<usize>) -> String {
    for figures in (0..=FIGURES.len()).rev() {
        let text = with(reports, figures, None);
        if columns.is_none_or(|columns| text.lines().all(|line| line.chars().count() <= columns)) {
            return text;
        }
    }
    // Only names are wrapped then.
    with(reports, 1, columns)
}

fn with(reports: &[ScopeReport], figures: usize, columns: Option<usize>) -> String {
    let kept = &FIGURES[..figures];
    let shown: Vec<_> = ORDER.iter().filter_map(|name| kept.iter().find(|(of, _)| of == name)).collect();
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if let Some(columns) = columns {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns as u16);
    }
    let names = shown.iter().map(|(name, _)| *name);
    table.set_header(["scope"].into_iter().chain(names).chain(["verdict"]));
    for report in reports {
        let cells = shown.iter().map(|(_, figure)| figure(report));
        table.add_row([report.scope.clone()].into_iter().chain(cells).chain([verdict_of(report).into()]));
    }
    for column in 1..=shown.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_string() + "\n").collect::<String>().trim_end().to_string()
}

/// Prints the totals of all scopes; with `details`, also counts and times.
pub(super) fn totals(reports: &[ScopeReport], details: bool) {
    let sum = |of: fn(&ScopeReport) -> u64| reports.iter().map(of).sum::<u64>();
    let states = sum(|report| report.distinct_states);
    let steps = sum(|report| report.replayed_steps.unwrap_or(0));
    let explore: f64 = reports.iter().map(|report| report.explore_seconds).sum();
    let replay: f64 = reports.iter().filter_map(|report| report.replay_seconds).sum();
    let bytes = sum(|report| report.peak_bytes);
    let any =
        |of: fn(&ScopeReport) -> Option<u64>| reports.iter().filter_map(of).reduce(|sum, more| sum + more);
    let mut said = vec![format!("{} distinct states", grouped(states))];
    said.extend(
        any(|report| report.recovered_states).map(|healed| format!("{} of them healed", grouped(healed))),
    );
    let there = any(|report| report.healed_on_implementation);
    said.extend(there.map(|healed| format!("{} on the implementation too", grouped(healed))));
    outln!("{}", out::wrapped(&said.join(", ")));
    let mut said = vec![format!("{} transitions", grouped(sum(|report| report.transitions)))];
    said.extend(
        any(|report| report.transitions_replayed).map(|all| format!("{} of them replayed", grouped(all))),
    );
    said.extend(
        any(|report| report.refusals).map(|all| format!("{} disabled actions refused", grouped(all))),
    );
    outln!("{}", out::wrapped(&said.join(", ")));
    let asked = reports.iter().filter(|report| report.stateright_agrees.is_some()).count();
    if asked > 0 {
        let agrees = reports.iter().filter(|report| report.stateright_agrees == Some(true)).count();
        outln!("stateright's checker agrees on {agrees} of {asked} scopes");
    }
    let stuck = reports.iter().filter(|report| report.stuck_states.is_some_and(|states| states > 0));
    let (scopes, states_stuck) =
        stuck.fold((0, 0), |(n, sum), report| (n + 1, sum + report.stuck_states.unwrap_or(0)));
    if scopes > 0 {
        outln!(
            "{} states of {scopes} scopes miss a goal for a reason that their scope lists",
            grouped(states_stuck)
        );
    }
    if !details {
        return;
    }
    outln!("{}", stuck_reasons(reports));
    outln!("{}", how_often(reports));
    if let Some(checked) = any(|report| report.refusals_checked) {
        outln!(
            "{} of the disabled actions were checked; for the others an earlier refusal was reused",
            grouped(checked)
        );
    }
    if let Some(reaching) = any(|report| report.reaching_states) {
        let within = grouped(sum(|report| report.healed_within_scope.unwrap_or(0)));
        let outside = steps_outside(reports);
        outln!(
            "{} states reach the goals through fault-free edges, {within} of them by the healing schedule; the others heal by steps outside their scopes: {outside}",
            grouped(reaching)
        );
    }
    if states > 0 && explore > 0.0 {
        let resumed = sum(|report| report.resumed_states.unwrap_or(0));
        outln!(
            "explored {} distinct states a second, {} bytes per distinct state in the explorer's tables",
            grouped(((states - resumed) as f64 / explore) as u64),
            bytes / states
        );
    }
    let both =
        || reports.iter().filter_map(|report| Some((report.explore_seconds, report.stateright_seconds?)));
    let (own, others): (f64, f64) = both().fold((0.0, 0.0), |sum, both| (sum.0 + both.0, sum.1 + both.1));
    if own > 0.0 && others > 0.0 {
        outln!(
            "stateright's checker took {:.1} times as long for the same states, without memoisation",
            others / own
        );
    }
    if let Some(resident) = reports.iter().filter_map(|report| report.peak_resident_bytes).max() {
        outln!("the process held at most {} while it explored", ByteSize(resident));
    }
    if replay > 0.0 {
        outln!(
            "replayed {} steps a second on the implementation, disabled actions included in the time",
            grouped((steps as f64 / replay) as u64)
        );
    }
    outln!("seconds: {}", seconds_of_each_part(reports));
}

/// Seconds of each phase, over all scopes; phases that did not run are left out.
fn seconds_of_each_part(reports: &[ScopeReport]) -> String {
    type Part = (&'static str, fn(&ScopeReport) -> Option<f64>);
    let parts: [Part; 6] = [
        ("exploring", |report| Some(report.explore_seconds)),
        ("stateright's checker", |report| report.stateright_seconds),
        ("healing", |report| report.heal_seconds),
        ("healing by the graph", |report| report.second_answer_seconds),
        ("replaying", |report| report.replay_seconds),
        ("healing the implementation", |report| report.implementation_heal_seconds),
    ];
    let shares = parts.iter().filter_map(|(part, of)| {
        let seconds = reports.iter().filter_map(of).reduce(|sum, more| sum + more)?;
        Some(format!("{part} {seconds:.1}"))
    });
    shares.collect::<Vec<_>>().join(", ")
}

/// The kinds of steps by which healings leave the scopes, the most frequent first.
fn steps_outside(reports: &[ScopeReport]) -> String {
    let mut steps = BTreeMap::<&str, u64>::new();
    for (kind, count) in reports.iter().flat_map(|report| &report.outside) {
        *steps.entry(kind).or_default() += count;
    }
    let mut steps: Vec<(&str, u64)> = steps.into_iter().collect();
    steps.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words = steps.into_iter().map(|(kind, count)| format!("{kind} {}", grouped(count)));
    let words = words.collect::<Vec<_>>().join(", ");
    if words.is_empty() { "none".into() } else { words }
}

/// A table of counts under a heading; empty without counts.
fn counted(heading: &str, counts: impl Iterator<Item = (String, u64)>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    for (name, count) in counts {
        table.add_row([format!("  {name}"), grouped(count)]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let rows = table.lines().map(|line| format!("\n{}", line.trim_end()));
    format!("{heading}:{}", rows.collect::<String>())
}

/// How many states of each scope have each stuck reason.
fn stuck_reasons(reports: &[ScopeReport]) -> String {
    let each = reports.iter().flat_map(|report| {
        report
            .stuck
            .iter()
            .map(|(stuck_reason, states)| (format!("{}: {stuck_reason}", report.scope), *states))
    });
    counted("states that miss a goal, by reason", each)
}

/// How often each kind of action was taken, and how often both sides gave each reason.
fn how_often(reports: &[ScopeReport]) -> String {
    let mut actions = BTreeMap::<String, u64>::new();
    let mut reasons = BTreeMap::<String, u64>::new();
    for report in reports {
        for (kind, fired) in &report.actions {
            *actions.entry((*kind).to_string()).or_default() += fired;
        }
        for (reason, given) in &report.reasons {
            *reasons.entry(reason.to_string()).or_default() += given;
        }
    }
    let actions = counted("transitions by action", actions.into_iter());
    actions + "\n" + &counted("refused actions by reason", reasons.into_iter())
}
