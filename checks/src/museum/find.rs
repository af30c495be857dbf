//! Shortest paths: into a violation, into a state that does not heal, to a step that is decided
//! differently.

use std::sync::atomic::AtomicBool;

use rollcall_model::liveness::{self, Goal};
use rollcall_model::properties::Property;
use rollcall_model::scopes::ScopePlan;
use rollcall_model::{EXPLORED, Guard, GuardSet, ModelSubject, Rollcall, State};
use rollcall_traces::{Action, Trace, Verdict, record_again};
use stateright::Model;

use super::{DELAYS, MuseumError, Piece};
use crate::explorer::{self, Exploration, Options};
use crate::judge::Judge;
use crate::recover::{self, BOUND, Stuck, recover};
use crate::walk::{SHOWN, stuck_trace, violation_trace, walk};

pub(super) struct Found {
    pub(super) states: u64,
    pub(super) trace: Trace,
}

/// A shortest trace into a violation of the property.
pub(super) fn counterexample(
    piece: &Piece,
    plan: ScopePlan,
    property: Property,
    options: Options<'_>,
) -> Result<Option<Found>, MuseumError> {
    let plan = ScopePlan { properties: vec![property], reachable: Vec::new(), ..plan };
    let model = plan.model(GuardSet::without(piece.guard))?;
    let explored = explorer::explore(&model, &options, |_, _| 0)?;
    let mut found = explored.violations().filter(|verdict| verdict.property != EXPLORED);
    let Some(state) = found.find_map(|verdict| verdict.first) else { return Ok(None) };
    let trace = violation_trace(&model, &explored, property.name(), state);
    let sound = plan.model(GuardSet::ALL)?;
    let begin_alike = sound.cluster(&sound.first()).view() == model.cluster(&model.first()).view();
    let trace = if begin_alike { trace } else { with_setup_taken(&trace, &model, &[property])? };
    Ok(Some(Found { states: u64::from(state) + 1, trace }))
}

/// The same trace with the scope's setup as its first steps, because the guard decides a step of
/// the setup.
pub(super) fn with_setup_taken(
    trace: &Trace,
    model: &Rollcall,
    properties: &[Property],
) -> Result<Trace, MuseumError> {
    let mut header = trace.header.clone();
    let setup = std::mem::take(&mut header.scope.setup);
    let actions = setup.into_iter().chain(trace.steps.iter().map(|step| step.action.clone()));
    let scenario = Trace::scenario(header, actions);
    let mut judge = Judge::new(properties);
    let mut subject = ModelSubject::new(model.guards(), properties);
    Ok(record_again(&mut subject, &scenario, |view, taken| judge.names(view, taken))?)
}

pub(super) fn options(threads: usize, stop_at_first_violation: bool, interrupt: &AtomicBool) -> Options<'_> {
    let interrupt = Some(interrupt);
    Options { threads, stop_at_first_violation, keep_edges: false, interrupt, ..Options::default() }
}

/// A shortest trace into a state that does not heal without the guard, its failed healing, and the
/// step that the sound rules would take from there.
pub(super) fn stuck(
    plan: &ScopePlan,
    guard: Guard,
    goal: Goal,
    threads: usize,
    interrupt: &AtomicBool,
) -> Result<Option<Found>, MuseumError> {
    let plan = ScopePlan { properties: Vec::new(), reachable: Vec::new(), ..plan.clone() };
    let without = plan.model(GuardSet::without(guard))?;
    let explored = explorer::explore(&without, &options(threads, false, interrupt), |_, _| 0)?;
    let first = recover(&without, &explored, threads, interrupt).stuck;
    // An earlier state may miss another goal.
    let stuck = first.and_then(|mut first| {
        first.missed.retain(|missed| missed.goal == goal);
        if first.missed.is_empty() {
            recover::first_that_misses(&without, &explored, goal, interrupt)
        } else {
            Some(first)
        }
    });
    let Some(stuck) = stuck else { return Ok(None) };
    let mut trace = stuck_trace(&without, &explored, &stuck);
    if let Some((healed, other)) = parting(&without, &explored, &stuck) {
        let way = trace.steps.len() - stuck.healing.len().min(SHOWN);
        let would = other.is_some();
        let actions = trace.actions().take(way).cloned().chain(stuck.healing[..healed].iter().cloned());
        trace = walk(&without, actions.chain(other).collect::<Vec<_>>());
        trace.verdict = Some(Verdict::violated(goal.name(), trace.steps.len() as u64));
        if let Some(last) = trace.steps.last_mut() {
            let refused = last.outcome.as_ref().is_some_and(|outcome| !outcome.is_done());
            let here = match (would, refused) {
                (true, true) => {
                    format!("the rules with every guard do this here; without {guard} it is refused, and")
                }
                (true, false) => {
                    format!("the rules with every guard do this here with another result; without {guard}")
                }
                (false, _) => format!("the guard changes this step; without {guard}"),
            };
            last.note = format!("{here} {stuck}");
        }
    }
    Ok(Some(Found { states: u64::from(stuck.state) + 1, trace }))
}

/// Where the sound rules would heal differently: after how many healing steps, and their next step
/// if it is another one.
fn parting(
    without: &Rollcall,
    explored: &Exploration<State>,
    stuck: &Stuck,
) -> Option<(usize, Option<Action>)> {
    let sound = without.with_guards(GuardSet::ALL);
    let mut state = without.at_rest(&explored.states.get(stuck.state));
    for (healed, action) in stuck.healing.iter().enumerate() {
        // A step with the same result under both rules shows no difference.
        let shows = |other: &Action| without.step(&state, other) != sound.step(&state, other);
        if let Some(other) = liveness::next(&sound, &state).filter(|other| other != action && shows(other)) {
            return Some((healed, Some(other)));
        }
        let after = without.step(&state, action);
        if after != sound.step(&state, action) {
            return Some((healed + 1, None));
        }
        state = after.0;
    }
    if stuck.healing.len() == BOUND {
        return None;
    }
    let shows = || liveness::change_that_shows(without, &state, stuck.first().region);
    let action = liveness::next(&sound, &state).or_else(shows)?;
    Some((stuck.healing.len(), Some(action)))
}

/// A shortest trace to a step that the rules decide differently without the guard. Both agree up to
/// that step, so the states of the sound rules are searched.
pub(super) fn trap(
    piece: &Piece,
    plan: &ScopePlan,
    options: Options<'_>,
) -> Result<Option<Found>, MuseumError> {
    let plan = ScopePlan { properties: Vec::new(), reachable: Vec::new(), ..plan.clone() };
    let sound = plan.model(GuardSet::ALL)?;
    let without = sound.with_guards(GuardSet::without(piece.guard));
    let explored = explorer::explore(&sound, &options, |_, _| 0)?;
    let mut actions = Vec::new();
    for (index, state) in (0..).zip(explored.states.iter()) {
        let state = &state;
        actions.clear();
        without.actions(state, &mut actions);
        // A different reason for a refusal is no harm.
        let bites = |action: &&Action| {
            let ((sound, _), (without, outcome)) = (sound.step(state, action), without.step(state, action));
            sound != without && (outcome.is_done() || sound != *state)
        };
        if let Some(action) = actions.iter().find(bites) {
            let trace = trap_trace(&without, &explored, index, action);
            return Ok(Some(Found { states: u64::from(index) + 1, trace }));
        }
    }
    Ok(None)
}

/// Checks that only time is lost: every state of the scope heals without the guard, too.
pub(super) fn more_than_delay(
    plan: &ScopePlan,
    guard: Guard,
    threads: usize,
    interrupt: &AtomicBool,
) -> Result<Option<String>, MuseumError> {
    let plan = ScopePlan { properties: Vec::new(), reachable: Vec::new(), ..plan.clone() };
    let without = plan.model(GuardSet::without(guard))?;
    let explored = explorer::explore(&without, &options(threads, false, interrupt), |_, _| 0)?;
    let recovery = recover(&without, &explored, threads, interrupt);
    let stuck = recovery.stuck.map(|stuck| format!("more than time is lost: state {}: {stuck}", stuck.state));
    Ok(stuck.or_else(|| (!recovery.finished).then(|| "whether more than time is lost is not known".into())))
}

/// The path to `state` and the step there, by the rules without the guard.
fn trap_trace(without: &Rollcall, explored: &Exploration<State>, state: u32, action: &Action) -> Trace {
    let way = explored.trace(without, state).steps.into_iter().map(|(action, _)| action);
    let mut trace = walk(without, way.chain([action.clone()]));
    if let Some(last) = trace.steps.last_mut() {
        last.note = format!("the guard changes this step; {DELAYS}");
    }
    trace.verdict = Some(Verdict::diverged(trace.steps.len() as u64));
    trace
}
