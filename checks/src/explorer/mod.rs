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
//! That is also why one that ended goes on from its checkpoints ([`resume`])
//! and finds what it would have found.
//!
//! Left out: `eventually` (it misses cycles; recoverability is judged on the
//! edges instead), symmetry, and the heap behind a state: the bytes counted are
//! those of the explorer's own tables.

mod agree;
mod chunk;
mod exploration;
mod explored;
mod graph;
mod kept;
mod merge;
mod pipeline;
mod progress;
mod reaching;
#[cfg(test)]
mod resuming;
mod rows;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod toys;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use stateright::{Expectation, Model, Property};
use thiserror::Error;

pub use agree::{Agreement, agree};
pub use exploration::{Bound, Ended, Exploration, Trace, Verdict};
pub use explored::Explored;
pub use graph::{Graph, MOST_ACTIONS, NO_PARENT};
pub use kept::{Keep, Kept, Misfit};
pub use progress::Progress;
pub use reaching::reaching;
pub use rows::{Row, States};

use chunk::Level;
use merge::Merger;
use rows::Rows;

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
    /// Ends the exploration when the whole process holds more. Looked at every so many chunks.
    pub memory: Option<Memory>,
    /// Whether the first violated `always` property ends the exploration.
    pub stop_at_first_violation: bool,
    /// Whether the edges are kept (5 bytes each, and 2 bytes a state).
    pub keep_edges: bool,
    /// Ends the exploration when it becomes true.
    pub interrupt: Option<&'a AtomicBool>,
    /// Called about every 8,192 states, from any of the threads.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// Where checkpoints go: when they are due, and one at the end.
    pub keep: Option<&'a Mutex<dyn Keep>>,
}

/// How much memory the process may hold, and how one learns how much it does.
#[derive(Clone, Copy)]
pub struct Memory {
    /// Bytes.
    pub limit: u64,
    /// The bytes that it holds now, if that can be said.
    pub resident: fn() -> Option<u64>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            threads: 1,
            max_states: u32::MAX - (1 << 24),
            max_depth: None,
            max_bytes: None,
            memory: None,
            stop_at_first_violation: false,
            keep_edges: true,
            interrupt: None,
            progress: None,
            keep: None,
        }
    }
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
    /// The checkpoints are of another exploration.
    #[error("the checkpoints are of another exploration: {what}")]
    NotItsOwn {
        /// In what they differ.
        what: &'static str,
    },
}

/// Explores `model` breadth first. `kind` sorts an action, by itself and the
/// state that it is taken in, into kinds from 0, of which the firings are counted.
///
/// # Errors
/// Where the model cannot be judged at all; a bound that was hit is no error
/// but shown by [`Exploration::ended`].
///
/// # Panics
/// Where a state has more than [`MOST_ACTIONS`] actions, or the model panics.
pub fn explore<M>(
    model: &M,
    options: &Options<'_>,
    kind: impl Fn(&M::State, &M::Action) -> usize + Sync,
) -> Result<Exploration<M::State>, ExploreError>
where
    M: Explored + Sync,
    M::State: Row + Send + Sync,
{
    resume(model, options, kind, Kept::default())
}

/// Goes on from where checkpoints end; from the beginning if there is none.
/// What comes of it is what an exploration would have found that never ended.
///
/// # Errors
/// As [`explore`], and where the checkpoints are not of this model or were made
/// with or without edges where the options say otherwise.
///
/// # Panics
/// As [`explore`].
pub fn resume<M>(
    model: &M,
    options: &Options<'_>,
    kind: impl Fn(&M::State, &M::Action) -> usize + Sync,
    kept: Kept,
) -> Result<Exploration<M::State>, ExploreError>
where
    M: Explored + Sync,
    M::State: Row + Send + Sync,
{
    let properties = checked_properties(model)?;
    if options.threads == 0 {
        return Err(ExploreError::NoThreads);
    }
    let initial: Vec<M::State> =
        model.init_states().into_iter().filter(|state| model.within_boundary(state)).collect();
    let width = initial.first().ok_or(ExploreError::NoInitialState)?.width();
    let is_resumed = kept.states() > 0;
    if is_resumed {
        fits(&kept, width, properties.len(), options)?;
    }
    let is_always = properties.iter().map(|p| p.expectation == Expectation::Always);
    let mut merger = Merger::new(is_always, width, kept, options);
    let mut states = Rows::new(width);
    if is_resumed {
        states = merger.take_back();
    } else {
        merger.begin(initial.into_iter());
        merger.move_level_to(&mut states);
    }
    let settled: Vec<AtomicBool> =
        merger.found().iter().map(|found| AtomicBool::new(found.is_some())).collect();
    let ended = loop {
        let depth = merger.depth();
        let level = Level {
            model,
            properties: &properties,
            settled: &settled,
            states: &states,
            width,
            first: merger.expanded() as usize,
            expand: options.max_depth.is_none_or(|max| depth < max),
            kind: &kind,
        };
        let expand = level.expand;
        if let Some(bound) = pipeline::run(&level, &mut merger, options) {
            break Ended::Stopped(bound);
        }
        if !expand {
            break Ended::Stopped(Bound::Depth(depth));
        }
        if merger.is_level_empty() {
            break Ended::Exhausted;
        }
        merger.move_level_to(&mut states);
    };
    let ended = match ended {
        // What lies behind a checkpoint that failed would fit no more.
        Ended::Stopped(Bound::NotKept(_)) => ended,
        _ => merger.keep(&states, options).map_or(ended, Ended::Stopped),
    };
    // A level that was broken off has left states behind that nobody expanded.
    if !merger.is_level_empty() {
        merger.move_level_to(&mut states);
    }
    Ok(merger.into_exploration(states, properties, ended))
}

/// Whether checkpoints can be of an exploration like this.
fn fits(kept: &Kept, width: usize, properties: usize, options: &Options<'_>) -> Result<(), ExploreError> {
    let totals = &kept.totals;
    let what = match () {
        () if totals.width != width => "their states have other parts",
        () if totals.found.len() != properties => "they judge other properties",
        () if totals.edges.is_some() != options.keep_edges => "one has edges and the other has none",
        () => return Ok(()),
    };
    Err(ExploreError::NotItsOwn { what })
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
