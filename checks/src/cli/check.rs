//! `check`: one scope, model only.

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use rollcall_model::GuardSet;
use rollcall_model::Rollcall;
use serde::Serialize;

use super::{End, INTERRUPTED, Lasting, lookup, out};
use crate::explorer::{self, Ended, Keep, Kept, Options};
use crate::journal::{Journal, Opened};
use crate::verify::covered;
use crate::walk::violation_trace;

/// What `check --json` prints.
#[derive(Serialize)]
struct Checked {
    scope: String,
    without: Option<String>,
    distinct_states: u64,
    transitions: u64,
    depth: u32,
    exhausted: bool,
    resumed_states: Option<u64>,
    violation: Option<String>,
    trace_steps: Option<usize>,
    trace: Option<String>,
}

pub(super) fn run(
    scope: &str,
    without: Option<&str>,
    properties: &[String],
    into: Option<&Path>,
    json: bool,
    lasting: &Lasting,
) -> Result<End> {
    let mut plan = lookup::plan(scope)?;
    let guards = without.map(lookup::guard).transpose()?.map_or(GuardSet::ALL, GuardSet::without);
    if !properties.is_empty() {
        plan.properties = properties.iter().map(|name| lookup::property(name)).collect::<Result<_>>()?;
    }
    let model = plan.model(guards)?;
    let path = lasting.journal_of(&plan);
    let opened = path.as_ref().map(|path| Journal::open(path, &model, false, lasting.pace())).transpose()?;
    let (journal, kept) = match opened {
        Some(Opened { journal, kept, .. }) => (Some(Mutex::new(journal)), kept),
        None => (None, Kept::default()),
    };
    let resumed = journal.as_ref().map(|_| kept.states());
    let interrupt = Arc::clone(&INTERRUPTED);
    let options = Options {
        stop_at_first_violation: true,
        keep_edges: false,
        interrupt: Some(&interrupt),
        memory: Some(lasting.memory()),
        keep: journal.as_ref().map(|journal| journal as &Mutex<dyn Keep>),
        threads: super::default_threads(),
        ..Options::default()
    };
    let explored = explorer::resume(&model, &options, |state, action| model.kind_of(state, action), kept)?;
    let found = explored.violations().filter_map(|verdict| Some((verdict.first?, verdict.property))).min();
    let mut checked = Checked {
        scope: scope.into(),
        without: without.map(Into::into),
        distinct_states: explored.distinct(),
        transitions: explored.transitions,
        depth: explored.depth(),
        exhausted: explored.is_exhausted(),
        resumed_states: resumed,
        violation: found.map(|(_, property)| property.into()),
        trace_steps: None,
        trace: None,
    };
    if let Some((state, property)) = found {
        let trace = violation_trace(&model, &explored, property, state);
        let default = default_name(&model, property);
        let path = into.unwrap_or(Path::new(&default));
        trace.write(path)?;
        checked.trace_steps = Some(trace.steps.len());
        checked.trace = Some(path.display().to_string());
        if !json {
            out::say(&rollcall_traces::render::terminal(&trace))?;
        }
    }
    say(&checked, json)?;
    if let Ended::Stopped(bound) = explored.ended
        && found.is_none()
    {
        eprintln!("not conclusive: {bound}; {}", covered(&explored));
        lasting.say_how_to_go_on(&[path]);
    } else {
        lasting.remove(&[path])?;
    }
    Ok(match (&checked.violation, checked.exhausted) {
        (Some(_), _) => End::Violated,
        (None, true) => End::Holds,
        (None, false) => End::NotConclusive,
    })
}

fn default_name(model: &Rollcall, property: &str) -> String {
    let dropped: String = model.guards().dropped().map(|guard| format!("-without-{guard}")).collect();
    format!("{}{dropped}-{property}.jsonl", model.scope().name)
}

fn say(checked: &Checked, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(checked)?);
        return Ok(());
    }
    let Checked { scope, distinct_states, transitions, depth, .. } = checked;
    match (&checked.violation, &checked.trace) {
        (Some(property), Some(trace)) => println!(
            "{scope}: {property} is violated after {} steps, found among {distinct_states} states; the trace is in {trace}",
            checked.trace_steps.unwrap_or(0)
        ),
        _ if checked.exhausted => {
            println!(
                "{scope}: every property holds in {distinct_states} states and {transitions} transitions, to depth {depth}"
            );
        }
        _ => println!("{scope}: broken off after {distinct_states} states at depth {depth}; not conclusive"),
    }
    Ok(())
}
