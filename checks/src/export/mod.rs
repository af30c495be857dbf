//! Traces of a whole scope, for an implementation that reads files instead of implementing
//! `Subject`.
//!
//! Every trace begins in the scope's first state. Together they cover every transition, every
//! state, or every kind of action ([`Cover`]). Each step has its outcome and view, so a reader
//! needs no model.

pub(crate) mod itf;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rollcall_model::{ACTION_KINDS, Rollcall, State};
use rollcall_traces::{Action, Trace, Verdict};

use crate::explorer::Exploration;
use crate::tour::{Path, Tour};
use crate::walk::walk;

/// What the traces cover together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// Every transition, by the paths of the tour, which repeat few transitions.
    Transitions,
    /// Every state, by its shortest path. A state on another's path needs no trace of its own.
    States,
    /// Every kind of action that occurs in the scope: the shortest trace to each.
    Actions,
}

/// Calls `each` with the traces, one at a time; returns how many there were.
///
/// # Errors
/// The first error of `each`, which ends the export.
pub(crate) fn traces<E>(
    model: &Rollcall,
    exploration: &Exploration<State>,
    cover: Cover,
    mut each: impl FnMut(Trace) -> Result<(), E>,
) -> Result<u64, E> {
    let mut count = 0;
    let mut give = |actions: Vec<Action>| {
        count += 1;
        let mut trace = walk(model, actions);
        let broken = trace.steps.iter().find_map(|step| Some((step.violated.first()?, step.index)));
        trace.verdict = Some(broken.map_or(Verdict::HOLDS, |(property, at)| Verdict::violated(property, at)));
        each(trace)
    };
    match cover {
        Cover::Transitions => {
            let (mut tour, mut path) = (Tour::new(&exploration.graph), Path::default());
            while tour.next_path(&mut path) {
                let taken = path.steps.iter().map(|step| action(model, exploration, step.from, step.edge));
                give(taken.collect())?;
            }
        }
        Cover::States => {
            for state in ends_of_ways(exploration) {
                give(way_to(model, exploration, state))?;
            }
        }
        Cover::Actions => {
            for (state, edge) in first_of_each_kind(model, exploration) {
                let mut way = way_to(model, exploration, state);
                way.push(action(model, exploration, state, edge));
                give(way)?;
            }
        }
    }
    Ok(count)
}

fn action(model: &Rollcall, exploration: &Exploration<State>, from: u32, edge: u32) -> Action {
    let state = exploration.states.get(from);
    let place = usize::from(exploration.graph.ordinal(edge));
    let offered = model.offered_at(&state, place).expect("an edge has an action that was offered");
    offered.action.into_owned()
}

fn way_to(model: &Rollcall, exploration: &Exploration<State>, state: u32) -> Vec<Action> {
    exploration.trace(model, state).steps.into_iter().map(|(action, _)| action).collect()
}

/// The states that lie on no other state's breadth-first path.
fn ends_of_ways(exploration: &Exploration<State>) -> Vec<u32> {
    let graph = &exploration.graph;
    let mut is_parent = vec![false; graph.states() as usize];
    for state in 0..graph.states() {
        if let [.., parent, _] = graph.lineage(state)[..] {
            is_parent[parent as usize] = true;
        }
    }
    (0..graph.states()).filter(|state| !is_parent[*state as usize]).collect()
}

/// For each kind of action, the first state in breadth-first order in which it is taken, and its
/// edge.
fn first_of_each_kind(model: &Rollcall, exploration: &Exploration<State>) -> Vec<(u32, u32)> {
    let mut left: BTreeSet<usize> = (0..ACTION_KINDS.len()).collect();
    let mut found = Vec::new();
    for state in 0..exploration.graph.states() {
        for edge in exploration.graph.row(state) {
            let kind =
                model.kind_of(&exploration.states.get(state), &action(model, exploration, state, edge));
            if left.remove(&kind) {
                found.push((state, edge));
            }
        }
        if left.is_empty() {
            break;
        }
    }
    found
}
