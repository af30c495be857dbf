//! Traces from an exploration: the shortest path to a state, and what is wrong there.

use rollcall_model::{Rollcall, State};
use rollcall_traces::{Action, Header, Step, Trace, Verdict};

use crate::explorer::Exploration;
use crate::recover::Stuck;

/// A shortest trace into a violated state, with every outcome and view.
pub fn violation_trace(model: &Rollcall, explored: &Exploration<State>, property: &str, state: u32) -> Trace {
    let mut trace = walk(model, explored.trace(model, state).steps.into_iter().map(|(action, _)| action));
    trace.verdict = Some(Verdict::violated(property, trace.steps.len() as u64));
    trace
}

/// The most healing steps that a trace shows.
pub(crate) const SHOWN: usize = 24;

/// The path to a state that does not heal, and the beginning of its healing.
pub fn stuck_trace(model: &Rollcall, explored: &Exploration<State>, stuck: &Stuck) -> Trace {
    let way = explored.trace(model, stuck.state).steps.into_iter().map(|(action, _)| action);
    let mut trace = walk(model, way.chain(stuck.healing.iter().take(SHOWN).cloned()));
    if let Some(last) = trace.steps.last_mut() {
        last.note = stuck.to_string();
    }
    trace.verdict = Some(Verdict::violated(stuck.first().goal.name(), trace.steps.len() as u64));
    trace
}

/// The model's outcomes, views and violations for these actions, from its first state. The caller
/// sets the verdict.
pub fn walk(model: &Rollcall, actions: impl IntoIterator<Item = Action>) -> Trace {
    let mut header = Header::new(model.scope().clone());
    header.without = model.guards().dropped().map(|guard| guard.name().to_string()).collect();
    header.properties = model.checked().iter().map(|property| property.name().to_string()).collect();
    let mut at = model.first();
    header.view = Some(model.cluster(&at).view());
    let mut steps = Vec::new();
    for (index, action) in (1..).zip(actions) {
        let (after, outcome) = model.take(&at, &action);
        at = after;
        let mut step = Step::new(index, action);
        step.outcome = Some(outcome);
        step.view = Some(model.cluster(&at).view());
        step.violated = model.violated(&at).iter().map(|property| property.name().to_string()).collect();
        if let Some((_, words)) = model.violation(&at) {
            step.note = words;
        }
        steps.push(step);
    }
    Trace { header, steps, verdict: None }
}
