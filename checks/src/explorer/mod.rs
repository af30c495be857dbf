//! A breadth-first explorer for stateright's `Model`.
//!
//! stateright's own checker, in version 0.31, reports counterexamples that are not shortest, passes
//! truncated runs and yields no edges. This explorer is exact (it compares whole states, so there
//! are no collisions), yields shortest traces and every edge, and says if it did not finish.
//! [`agree`] compares the two.
//!
//! A level of the breadth-first order is split into chunks of [`CHUNK`] states. Threads generate
//! chunks in any order. They are merged strictly in order, by whichever thread finds the next one
//! ready. So states, indices, parents, counts and verdicts do not depend on the number of threads.
//!
//! For the same reason an exploration that ended can continue from its checkpoints ([`resume`])
//! with the same result.
//!
//! [`explore_in_shards`] is the same search for more cores, without one order.
//!
//! Left out: `eventually` (it misses cycles; healing is checked on the edges instead), symmetry,
//! and heap memory behind a state. The bytes counted are those of the explorer's own tables.

mod agree;
mod chunk;
mod exploration;
mod explored;
mod graph;
mod kept;
mod kinds;
mod merge;
mod pipeline;
mod progress;
mod reaching;
#[cfg(test)]
mod resuming;
mod rows;
mod sharded;
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
pub use kept::{Keep, Kept, Misfit, Seat, barriers};
pub use progress::Progress;
pub use reaching::reaching;
pub use rows::{Row, States};
pub use sharded::{Kind, MOST_WORKERS, Processes, explore_in_shards, explore_with_others, resume_in_shards};

use chunk::Level;
use merge::Merger;
use rows::Rows;

/// How many states are expanded before their successors are looked up together. Then about 1,000
/// successors are in flight, which hides the table's cache misses.
pub const CHUNK: usize = 128;

/// The bounds and settings of an exploration.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The number of threads, at least 1. The result does not depend on it.
    pub threads: usize,
    /// More distinct states than this end the exploration. Checked between chunks.
    pub max_states: u32,
    /// States at this distance from an initial state are checked, but not expanded.
    pub max_depth: Option<u32>,
    /// More bytes than this in the explorer's tables end the exploration. Checked between chunks.
    pub max_bytes: Option<u64>,
    /// More resident bytes than this end the exploration. Checked once in 64 chunks.
    pub memory: Option<Memory>,
    /// Whether the first violated `always` property ends the exploration.
    pub stop_at_first_violation: bool,
    /// Whether the edges are kept (5 bytes each, and 2 bytes a state).
    pub keep_edges: bool,
    /// Set it to `true` to end the exploration.
    pub interrupt: Option<&'a AtomicBool>,
    /// Called about every 8,192 states, from any thread.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// Keeps checkpoints: whenever one is due, and one at the end.
    pub keep: Option<&'a Mutex<dyn Keep>>,
}

/// A limit on resident memory, and how to measure it.
#[derive(Clone, Copy)]
pub struct Memory {
    /// The limit in bytes.
    pub limit: u64,
    /// The resident bytes now, if they can be measured.
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

/// Why a model cannot be explored.
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
    /// The model has no initial state.
    #[error("the model has no initial state within its boundary; an exploration of nothing proves nothing")]
    NoInitialState,
    /// The options name no thread.
    #[error("0 threads were asked for; ask for at least 1")]
    NoThreads,
    /// The search in shards does without something.
    #[error("a search in shards has no {what}")]
    NotInShards {
        /// What it does without.
        what: &'static str,
    },
    /// The search in shards continues only from between two levels.
    #[error(
        "the checkpoints end within a level, where only the ordered search continues; leave out `--workers`"
    )]
    WithinALevel,
    /// A process that took part ended too early.
    #[error("process {process} has ended in the middle of the search")]
    Lost {
        /// Its number.
        process: usize,
    },
    /// The connections to other processes cannot be used.
    #[error("the connections to other processes fail: {why}")]
    NotConnected {
        /// Why.
        why: String,
    },
    /// The checkpoints belong to another exploration.
    #[error("the checkpoints are of another exploration: {what}")]
    NotItsOwn {
        /// How they differ.
        what: &'static str,
    },
}

/// Explores `model` breadth first. `kind` maps an action and the state in which it is taken to a
/// kind, numbered from 0. The actions taken are counted by kind.
///
/// # Errors
/// If the model cannot be explored at all. A bound that was hit is no error:
/// [`Exploration::ended`] has it.
///
/// # Panics
/// If a state has more than [`MOST_ACTIONS`] actions, or the model panics.
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

/// Continues from checkpoints, or from the beginning if there are none. The result equals that of
/// an exploration that never stopped.
///
/// # Errors
/// As [`explore`]. Also if the checkpoints belong to another model, or have edges where
/// the options have none, or the reverse.
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
        fits(&kept, (width, properties.len()), options, None)?;
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
        // After a failed checkpoint, a later one would not continue the last.
        Ended::Stopped(Bound::NotKept(_)) => ended,
        _ => merger.keep(&states, options).map_or(ended, Ended::Stopped),
    };
    // An interrupted level has left states that are not expanded.
    if !merger.is_level_empty() {
        merger.move_level_to(&mut states);
    }
    Ok(merger.into_exploration(states, properties, ended))
}

/// Whether the checkpoints fit this exploration, and this process.
fn fits(
    kept: &Kept,
    (width, properties): (usize, usize),
    options: &Options<'_>,
    seat: Option<Seat>,
) -> Result<(), ExploreError> {
    let totals = &kept.totals;
    let theirs = totals.shared.as_ref().map(|shared| shared.seat);
    let what = match () {
        () if totals.width != width => "their states have other parts",
        () if totals.found.len() != properties => "they judge other properties",
        () if totals.edges.is_some() != options.keep_edges => "one has edges and the other has none",
        () if theirs != seat => "they are of another process, or of another number of processes or workers",
        () => return Ok(()),
    };
    Err(ExploreError::NotItsOwn { what })
}

/// The properties; an error if this explorer cannot check one.
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
