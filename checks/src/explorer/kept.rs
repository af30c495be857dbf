//! Checkpoints: what an exploration has found since the last one, and how one
//! that ended goes on from them.
//!
//! Chunks are taken in strictly in order, so between two of them an exploration
//! is nothing but its rows, parents and edges so far and a few totals, and one
//! that goes on from there finds what it would have found. The bytes are little
//! endian: the totals as JSON behind their length, then rows, parents, and of
//! each expanded state the number of its edges, then targets and ordinals.
//!
//! What the numbers in rows mean is the model's business: whoever keeps
//! checkpoints of a model that interns has to keep what it interned, too.

use std::io;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::graph::{Graph, MOST_ACTIONS, NO_PARENT};
use super::rows::Rows;

/// Where checkpoints go.
pub trait Keep: Send {
    /// Asked between chunks: whether there shall be a checkpoint now.
    fn is_due(&mut self, states: u64) -> bool;

    /// Takes a checkpoint, which continues the one before; `states` were found by now.
    ///
    /// # Errors
    /// Where it cannot be written, which ends the exploration.
    fn keep(&mut self, states: u64, checkpoint: &[u8]) -> io::Result<()>;
}

/// A checkpoint that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a checkpoint does not fit what came before: {what}")]
pub struct Misfit {
    /// What does not.
    pub what: &'static str,
}

/// What is carried whole from checkpoint to checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) width: usize,
    pub(super) initial: u32,
    pub(super) levels: Vec<u32>,
    /// The states up to and including the level that is being expanded.
    pub(super) known: usize,
    pub(super) states: usize,
    pub(super) transitions: u64,
    pub(super) expanded: u64,
    pub(super) checked: u64,
    pub(super) outside: u64,
    pub(super) kinds: Vec<u64>,
    pub(super) found: Vec<Option<u32>>,
    pub(super) edges: Option<u32>,
}

/// An exploration as its checkpoints left it.
#[derive(Default)]
pub struct Kept {
    pub(super) totals: Totals,
    pub(super) rows: Rows,
    pub(super) graph: Graph,
}

impl Kept {
    /// How many distinct states had been found.
    pub fn states(&self) -> u64 {
        self.graph.parents.len() as u64
    }

    /// The rows of those states.
    pub fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.rows.iter()
    }

    /// Takes the next checkpoint in.
    ///
    /// # Errors
    /// Where it is none, or not the next.
    pub fn take(&mut self, checkpoint: &[u8]) -> Result<(), Misfit> {
        let mut bytes = Bytes(checkpoint);
        let length = bytes.number()? as usize;
        let totals: Totals = serde_json::from_slice(bytes.some(length)?)
            .map_err(|_| Misfit { what: "its totals are not readable" })?;
        let before = &self.totals;
        let is_next = totals.states >= before.states
            && totals.expanded >= before.expanded
            && (self.rows.is_empty()
                || (totals.width == before.width && totals.edges.is_some() == before.edges.is_some()));
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
            if parent != NO_PARENT && parent as usize >= self.graph.parents.len() {
                return Err(Misfit { what: "a state before its parent" });
            }
            self.graph.parents.push(parent);
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

/// What a checkpoint says beyond the one before, whose totals are `before`.
pub(super) fn checkpoint<'a>(
    before: &Totals,
    now: &Totals,
    row: impl Fn(usize) -> &'a [u32],
    graph: &Graph,
) -> Vec<u8> {
    let json = serde_json::to_vec(now).expect("numbers become JSON");
    let mut bytes = Vec::new();
    bytes.extend((json.len() as u32).to_le_bytes());
    bytes.extend(json);
    let mut number = |word: &u32| bytes.extend(word.to_le_bytes());
    (before.states..now.states).flat_map(row).for_each(&mut number);
    graph.parents[before.states..].iter().for_each(&mut number);
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

/// Bytes that are still to be read.
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
