//! A breadth-first explorer over stateright's `Model`.
//!
//! It stands beside stateright's own checker because version 0.31 of that
//! reports counterexamples that are not shortest, lets truncated runs pass and
//! yields no edges. This one is exact (whole states are compared, so there are
//! no odds of a collision), yields shortest traces and every edge, and says
//! when it did not finish. [`agree`] holds the two against each other.
//!
//! A level of the breadth-first order is cut into chunks of [`CHUNK`] states.
//! Threads generate chunks in any order; they are merged strictly in order, by
//! whichever thread finds the next one ready. So states, indices, parents,
//! counts and verdicts are the same for every number of threads.
//!
//! Left out: `eventually` (it misses cycles; recoverability is judged on the
//! edges instead), symmetry, resuming, and the heap behind a state: the bytes
//! counted are those of the explorer's own tables.

mod agree;
mod chunk;
mod exploration;
mod explored;
mod graph;
mod merge;
mod pipeline;
mod reaching;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod toys;

use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};

use stateright::{Expectation, Model, Property};
use thiserror::Error;

pub use agree::{Agreement, agree};
pub use exploration::{Bound, Ended, Exploration, Trace, Verdict};
pub use explored::Explored;
pub use graph::{Graph, NO_PARENT};
pub use reaching::reaching;

use chunk::Level;
use merge::Merger;

/// How many states are expanded before their successors are looked up together.
/// About 1,000 successors are in flight then, which hides the table's cache misses.
pub const CHUNK: usize = 128;

/// How far to explore, and with what.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Threads, at least 1. The result does not depend on it.
    pub threads: usize,
    /// More distinct states than this end the exploration. Looked at between chunks.
    pub max_states: u32,
    /// States so many actions away from an initial one are judged, not expanded.
    pub max_depth: Option<u32>,
    /// More bytes than this in the explorer's tables end the exploration. Looked at between chunks.
    pub max_bytes: Option<u64>,
    /// Whether the first violated `always` property ends the exploration.
    pub stop_at_first_violation: bool,
    /// Whether the edges are kept (6 bytes each, and 4 bytes a state).
    pub keep_edges: bool,
    /// Ends the exploration when it becomes true.
    pub interrupt: Option<&'a AtomicBool>,
    /// Called about every 65,536 states, from any of the threads.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            threads: 1,
            max_states: u32::MAX - (1 << 24),
            max_depth: None,
            max_bytes: None,
            stop_at_first_violation: false,
            keep_edges: true,
            interrupt: None,
            progress: None,
        }
    }
}

/// How far an exploration has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Distinct states found.
    pub states: u64,
    /// Distinct states not yet expanded.
    pub frontier: u64,
    /// The depth of the states that are being expanded.
    pub depth: u32,
}

/// A model that cannot be explored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExploreError {
    /// The property is an `eventually`.
    #[error(
        "property `{name}` is an `eventually`, which breadth-first search misjudges on cycles; \
         state it as recoverability, or as an `always`"
    )]
    Eventually {
        /// The property.
        name: &'static str,
    },
    /// Two properties have the same name.
    #[error("two properties are named `{name}`; rename one")]
    RepeatedProperty {
        /// The property.
        name: &'static str,
    },
    /// Nothing to begin with.
    #[error("the model has no initial state within its boundary; an exploration of nothing proves nothing")]
    NoInitialState,
    /// The options name no thread.
    #[error("0 threads were asked for; ask for at least 1")]
    NoThreads,
}

/// Explores `model` breadth first. `kind` sorts an action, by itself and the
/// state that it is taken in, into kinds from 0, of which the firings are counted.
///
/// # Errors
/// Where the model cannot be judged at all; a bound that was hit is no error
/// but shown by [`Exploration::ended`].
///
/// # Panics
/// Where a state has more than 65,536 actions, or the model panics.
pub fn explore<M>(
    model: &M,
    options: &Options<'_>,
    kind: impl Fn(&M::State, &M::Action) -> usize + Sync,
) -> Result<Exploration<M::State>, ExploreError>
where
    M: Explored + Sync,
    M::State: Clone + Hash + Eq + Send + Sync,
{
    let properties = checked_properties(model)?;
    if options.threads == 0 {
        return Err(ExploreError::NoThreads);
    }
    let settled: Vec<AtomicBool> = properties.iter().map(|_| AtomicBool::new(false)).collect();
    let mut merger = Merger::new(properties.iter().map(|p| p.expectation == Expectation::Always), options);
    let mut states: Vec<M::State> = Vec::new();
    merger.begin(model.init_states().into_iter().filter(|state| model.within_boundary(state)));
    let initial = merger.next.len() as u32;
    if initial == 0 {
        return Err(ExploreError::NoInitialState);
    }
    let mut levels = vec![0];
    let ended = loop {
        let first = states.len();
        merger.move_level_to(&mut states);
        let depth = levels.len() as u32 - 1;
        let expand = options.max_depth.is_none_or(|max| depth < max);
        let level = Level {
            model,
            properties: &properties,
            settled: &settled,
            states: &states,
            first,
            expand,
            kind: &kind,
        };
        if let Some(bound) = pipeline::run(&level, &mut merger, options, depth) {
            break Ended::Stopped(bound);
        }
        if !expand {
            break Ended::Stopped(Bound::Depth(depth));
        }
        if merger.next.is_empty() {
            break Ended::Exhausted;
        }
        levels.push(states.len() as u32);
    };
    // A level that was broken off has left states behind that nobody expanded.
    if !merger.next.is_empty() {
        levels.push(states.len() as u32);
        merger.move_level_to(&mut states);
    }
    Ok(merger.into_exploration(states, levels, initial, properties, ended))
}

/// The properties, refused where this explorer cannot judge them.
fn checked_properties<M: Model>(model: &M) -> Result<Vec<Property<M>>, ExploreError> {
    let properties = model.properties();
    for (at, property) in properties.iter().enumerate() {
        if property.expectation == Expectation::Eventually {
            return Err(ExploreError::Eventually { name: property.name });
        }
        if properties[..at].iter().any(|other| other.name == property.name) {
            return Err(ExploreError::RepeatedProperty { name: property.name });
        }
    }
    Ok(properties)
}

fn is_interrupted(options: &Options<'_>) -> bool {
    options.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed))
}
