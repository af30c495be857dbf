//! The first step at which the two sides diverge, and the shortest schedule to a divergence.
//!
//! A tour compares only what is new to the tour, and the first of several threads decides. So the
//! step at which it finds a difference may be long after the wrong one. Therefore the path is
//! driven again from its beginning with every step compared, and cut at the first that differs.
//! Then states nearer to the initial one are searched in breadth-first order for an earlier
//! divergence. Within [`STEPS`] the result does not depend on the order of threads.

use std::sync::atomic::{AtomicBool, Ordering};

use rollcall_model::{Rollcall, State};
use rollcall_traces::{Action, Divergence, Outcome};

use crate::conformance::panicked;
use crate::driven::Driven;
use crate::explorer::Exploration;

/// How many steps of the implementation are spent on finding a shorter schedule.
const STEPS: u64 = 300_000;

/// The first step of `way` after which the sides differ, with the path cut there; `None` if they
/// agree to its end.
pub(crate) fn first_on<D: Driven>(
    world: &mut D,
    model: &Rollcall,
    way: &[Action],
) -> Option<Box<Divergence>> {
    world.begin(model);
    let mut state = model.first();
    if !world.shows(&model.cluster(&state)) {
        return Some(parted(world, model, &state, &[], None));
    }
    for (taken, action) in (1..).zip(way) {
        let (after, expected) = model.step(&state, action);
        state = after;
        let outcome = match world.take(action) {
            Ok(outcome) => outcome,
            Err(words) => return Some(panicked(&model.scope().name, world.sides(), &way[..taken], &words)),
        };
        if !world.agrees(&expected, &outcome) || !world.shows(&model.cluster(&state)) {
            return Some(parted(world, model, &state, &way[..taken], Some((expected, outcome))));
        }
    }
    None
}

fn parted<D: Driven>(
    world: &D,
    model: &Rollcall,
    state: &State,
    way: &[Action],
    outcomes: Option<(Outcome, Outcome)>,
) -> Box<Divergence> {
    let (expected, actual) =
        outcomes.map_or((None, None), |(expected, actual)| (Some(expected), Some(actual)));
    Box::new(Divergence {
        scenario: model.scope().name.clone(),
        sides: world.sides(),
        step: way.len() as u64,
        action: way.last().cloned(),
        expected,
        actual,
        differences: world.differences(&model.cluster(state).view()),
        guards: Vec::new(),
        places: Vec::new(),
        prefix: way.to_vec(),
        fault: Vec::new(),
        judged: None,
        command: None,
    })
}

/// The first divergence in breadth-first order with at most `most` steps.
pub(crate) fn shortest<D: Driven>(
    mut world: D,
    model: &Rollcall,
    exploration: &Exploration<State>,
    most: u64,
    interrupt: &AtomicBool,
) -> Option<Box<Divergence>> {
    if let Some(first) = first_on(&mut world, model, &[]) {
        return Some(first);
    }
    // Each try begins with a copy.
    world.copied()?;
    let mut steps = 0;
    for index in 0..exploration.states.len() as u32 {
        let way = exploration.trace(model, index).steps.into_iter().map(|(action, _)| action);
        let mut way: Vec<Action> = way.collect();
        if way.len() as u64 >= most || steps >= STEPS || interrupt.load(Ordering::Relaxed) {
            return None;
        }
        // Every edge on the path has been compared.
        world.begin(model);
        way.iter().for_each(|action| drop(world.take(action)));
        let (next, spent) = first_from(&world, model, exploration, index);
        steps += spent + way.len() as u64;
        if let Some(action) = next {
            way.push(action);
            if let Some(parting) = first_on(&mut world, model, &way) {
                return Some(parting);
            }
        }
    }
    None
}

/// An action with different outcomes in a state, or refused differently, and the number of steps
/// that this search took.
fn first_from<D: Driven>(
    world: &D,
    model: &Rollcall,
    exploration: &Exploration<State>,
    index: u32,
) -> (Option<Action>, u64) {
    let (state, graph) = (exploration.states.get(index), &exploration.graph);
    let mut steps = 0;
    for edge in graph.row(index) {
        let offered = model.offered_at(&state, usize::from(graph.ordinal(edge)));
        let action = offered.expect("an edge has an action that was offered").action.into_owned();
        if world.copied().is_some_and(|mut copy| parts(&mut copy, model, &state, &action)) {
            return (Some(action), steps);
        }
        steps += 1;
    }
    let Some(mut copy) = world.copied() else { return (None, steps) };
    for (action, _) in model.disabled(&state) {
        if parts(&mut copy, model, &state, &action) {
            return (Some(action), steps);
        }
        steps += 1;
    }
    (None, steps)
}

fn parts<D: Driven>(world: &mut D, model: &Rollcall, state: &State, action: &Action) -> bool {
    let (after, expected) = model.step(state, action);
    !world.take(action).is_ok_and(|outcome| world.agrees(&expected, &outcome))
        || !world.shows(&model.cluster(&after))
}
