//! Checkpoints: what an exploration has found since the last one, and how another exploration
//! continues from them.
//!
//! Chunks are merged strictly in order. So between two chunks the whole state of an exploration is
//! its rows, parents and edges so far and a few totals. An exploration that continues from there
//! finds the same as one that never stopped. All numbers are little endian. A checkpoint has the
//! length of its totals and the totals as JSON, then rows, parents, the number of edges of each
//! expanded state, then targets and ordinals.
//!
//! Where several processes explore, each keeps its own states. A parent may be another's, so it is
//! written as its place: its index at its worker, and behind all indices the numbers of these workers.
//!
//! Only the model can interpret the numbers in rows. For a model that interns components, the
//! interned components must be kept, too.

use std::io;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::graph::{Graph, MOST_ACTIONS, NO_PARENT};
use super::rows::Rows;
use super::sharded::Summary;

/// Keeps checkpoints.
pub trait Keep: Send {
    /// Called between chunks: whether to write a checkpoint now.
    fn is_due(&mut self, states: u64) -> bool;

    /// Writes a checkpoint, which continues the one before. `states` is the number of states found
    /// so far.
    ///
    /// # Errors
    /// If it cannot be written. The exploration then ends.
    fn keep(&mut self, states: u64, checkpoint: &[u8]) -> io::Result<()>;
}

/// Invalid checkpoint data.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a checkpoint does not fit what came before: {what}")]
pub struct Misfit {
    /// What is invalid.
    pub what: &'static str,
}

/// The place of a process among several that explore together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Its number.
    pub process: usize,
    /// How many there are.
    pub processes: usize,
    /// How many workers each of them has.
    pub workers: usize,
}

/// What several processes had done together at a barrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shared {
    /// Whose states these are.
    pub(super) seat: Seat,
    pub(super) all: Summary,
    /// The sizes of the levels that were expanded.
    pub(super) sizes: Vec<u64>,
}

/// The totals, which every checkpoint contains in full.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) width: usize,
    pub(super) initial: u32,
    pub(super) levels: Vec<u32>,
    /// The number of states up to and including the level that is being expanded.
    pub(super) known: usize,
    pub(super) states: usize,
    pub(super) transitions: u64,
    pub(super) expanded: u64,
    pub(super) checked: u64,
    pub(super) outside: u64,
    pub(super) kinds: Vec<u64>,
    pub(super) found: Vec<Option<u32>>,
    pub(super) edges: Option<u32>,
    /// Where several processes explore. The states and levels are then those of one process, with an
    /// empty level where it has no state, and what is counted and found is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shared: Option<Shared>,
}

impl Totals {
    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Misfit> {
        let length = bytes.number()? as usize;
        serde_json::from_slice(bytes.some(length)?)
            .map_err(|_| Misfit { what: "its totals are not readable" })
    }
}

/// How many barriers are whole with a checkpoint of one process among several; `None` if it ends
/// between two of them.
///
/// # Errors
/// If it is invalid.
pub fn barriers(checkpoint: &[u8]) -> Result<Option<u64>, Misfit> {
    let totals = Totals::read(&mut Bytes(checkpoint))?;
    let shared = totals.shared.as_ref().ok_or(Misfit { what: "one process wrote it alone" })?;
    Ok((totals.known == totals.states).then_some(shared.sizes.len() as u64 + 1))
}

/// An exploration as restored from checkpoints.
#[derive(Default)]
pub struct Kept {
    pub(super) totals: Totals,
    pub(super) rows: Rows,
    pub(super) graph: Graph,
    /// Whose the parents are, where several processes explore.
    pub(super) parents_owners: Vec<u16>,
}

impl Kept {
    /// Whether there was no checkpoint.
    pub(crate) fn is_none(&self) -> bool {
        self.rows.is_empty() && self.totals.shared.is_none()
    }

    /// The number of distinct states.
    pub fn states(&self) -> u64 {
        self.graph.parents.len() as u64
    }

    /// The rows of the states.
    pub fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.rows.iter()
    }

    /// Adds the next checkpoint.
    ///
    /// # Errors
    /// If it is invalid, or not the next one.
    pub fn take(&mut self, checkpoint: &[u8]) -> Result<(), Misfit> {
        let mut bytes = Bytes(checkpoint);
        let totals = Totals::read(&mut bytes)?;
        let before = &self.totals;
        let seat = |of: &Totals| of.shared.as_ref().map(|shared| shared.seat);
        let is_next = totals.states >= before.states
            && totals.expanded >= before.expanded
            && (self.rows.is_empty()
                || (totals.width == before.width
                    && totals.edges.is_some() == before.edges.is_some()
                    && seat(&totals) == seat(before)));
        if !is_next || totals.width == 0 || totals.known > totals.states {
            return Err(Misfit { what: "its totals" });
        }
        let states = totals.states - before.states;
        if self.rows.is_empty() {
            self.rows = Rows::new(totals.width);
        }
        let mut row = vec![0; totals.width];
        for _ in 0..states {
            for word in &mut row {
                *word = bytes.number()?;
            }
            self.rows.push(&row);
        }
        for _ in 0..states {
            let parent = bytes.number()?;
            let is_here = totals.shared.is_none() && parent != NO_PARENT;
            if is_here && parent as usize >= self.graph.parents.len() {
                return Err(Misfit { what: "a state before its parent" });
            }
            self.graph.parents.push(parent);
        }
        for _ in 0..totals.shared.as_ref().map_or(0, |_| states) {
            let owner = bytes.number()?.try_into();
            self.parents_owners.push(owner.map_err(|_| Misfit { what: "a parent that is nobody's" })?);
        }
        self.take_edges(&mut bytes, &totals)?;
        if !bytes.0.is_empty() {
            return Err(Misfit { what: "there is something behind it" });
        }
        self.totals = totals;
        Ok(())
    }

    fn take_edges(&mut self, bytes: &mut Bytes<'_>, totals: &Totals) -> Result<(), Misfit> {
        let Some(edges) = totals.edges else { return Ok(()) };
        if self.totals.edges.is_none() {
            self.graph.offsets.push(0);
        }
        let before = self.totals.edges.unwrap_or(0);
        let mut offset = before;
        for _ in self.totals.expanded..totals.expanded {
            let row = bytes.short()?;
            offset += u32::from(row);
            if usize::from(row) > MOST_ACTIONS || offset > edges {
                return Err(Misfit { what: "a row of edges" });
            }
            self.graph.offsets.push(offset);
        }
        if offset != edges {
            return Err(Misfit { what: "rows that do not hold its edges" });
        }
        for _ in before..edges {
            let target = bytes.number()?;
            if target as usize >= totals.states {
                return Err(Misfit { what: "an edge that leads nowhere" });
            }
            self.graph.targets.push(target);
        }
        for _ in before..edges {
            self.graph.ordinals.push(bytes.short()?);
        }
        Ok(())
    }
}

/// The data of a checkpoint that continues the one with totals `before`.
pub(super) fn checkpoint<'a>(
    before: &Totals,
    now: &Totals,
    row: impl Fn(usize) -> &'a [u32],
    graph: &'a Graph,
) -> Vec<u8> {
    let rows = (before.states..now.states).flat_map(row);
    let mut bytes = checkpoint_of(now, rows.chain(&graph.parents[before.states..]));
    if let Some(edges) = now.edges {
        for state in before.expanded..now.expanded {
            bytes.extend((graph.row(state as u32).len() as u16).to_le_bytes());
        }
        let fresh = before.edges.unwrap_or(0)..edges;
        for edge in fresh.clone() {
            bytes.extend(graph.target(edge).to_le_bytes());
        }
        for edge in fresh {
            bytes.extend(graph.ordinal(edge).to_le_bytes());
        }
    }
    bytes
}

/// The data of a checkpoint without edges: its totals, then the rows and then the parents of the states
/// that it adds.
pub(super) fn checkpoint_of<'a>(now: &Totals, numbers: impl Iterator<Item = &'a u32>) -> Vec<u8> {
    let json = serde_json::to_vec(now).expect("numbers become JSON");
    let mut bytes = Vec::new();
    bytes.extend((json.len() as u32).to_le_bytes());
    bytes.extend(json);
    numbers.for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes
}

/// The bytes that are still to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn some(&mut self, length: usize) -> Result<&'a [u8], Misfit> {
        let (some, rest) = self.0.split_at_checked(length).ok_or(Misfit { what: "it ends too early" })?;
        self.0 = rest;
        Ok(some)
    }

    fn number(&mut self) -> Result<u32, Misfit> {
        let (word, rest) = self.0.split_first_chunk().ok_or(Misfit { what: "it ends too early" })?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*word))
    }

    fn short(&mut self) -> Result<u16, Misfit> {
        let (word, rest) = self.0.split_first_chunk().ok_or(Misfit { what: "it ends too early" })?;
        self.0 = rest;
        Ok(u16::from_le_bytes(*word))
    }
}
