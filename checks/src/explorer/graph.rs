//! The explored graph without its states: edges in compressed rows.
//!
//! States are numbered in breadth-first order, so the levels are ranges and a
//! parent comes before its children. An edge is numbered by its place in the
//! rows; the action on it is the `ordinal`th of those that the model lists for
//! its source.

use std::ops::Range;

/// In place of the parent of an initial state.
pub const NO_PARENT: u32 = u32::MAX;

/// Which state leads to which.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Graph {
    pub(crate) initial: u32,
    pub(crate) levels: Vec<u32>,
    pub(crate) parents: Vec<u32>,
    /// Of each expanded state where its row begins, and the end of the last.
    pub(crate) offsets: Vec<u32>,
    pub(crate) targets: Vec<u32>,
    pub(crate) ordinals: Vec<u16>,
}

impl Graph {
    /// How many states there are.
    pub fn states(&self) -> u32 {
        self.parents.len() as u32
    }

    /// How many states are initial: those from 0 up to here.
    pub fn initial(&self) -> u32 {
        self.initial
    }

    /// How many edges were kept.
    pub fn edges(&self) -> u32 {
        self.targets.len() as u32
    }

    /// The edges out of `state`; none if it was not expanded.
    pub fn row(&self, state: u32) -> Range<u32> {
        match self.offsets.get(state as usize..state as usize + 2) {
            Some(ends) => ends[0]..ends[1],
            None => 0..0,
        }
    }

    /// Where `edge` leads.
    pub fn target(&self, edge: u32) -> u32 {
        self.targets[edge as usize]
    }

    /// Which of its source's actions lies on `edge`.
    pub fn ordinal(&self, edge: u32) -> u16 {
        self.ordinals[edge as usize]
    }

    /// Where `state` was first reached from; [`NO_PARENT`] for initial states.
    pub fn parent(&self, state: u32) -> u32 {
        self.parents[state as usize]
    }

    /// The least number of actions from an initial state to `state`.
    pub fn depth(&self, state: u32) -> u32 {
        self.levels.partition_point(|&first| first <= state) as u32 - 1
    }

    /// The states of each depth, as ranges.
    pub fn levels(&self) -> impl DoubleEndedIterator<Item = Range<u32>> + '_ {
        let ends = self.levels.iter().skip(1).copied().chain([self.states()]);
        let ends: Vec<u32> = ends.collect();
        (0..self.levels.len()).map(move |depth| self.levels[depth]..ends[depth])
    }

    /// `state` and its ancestors, the initial one first: a shortest way to it.
    pub fn lineage(&self, state: u32) -> Vec<u32> {
        let mut lineage = vec![state];
        let mut at = self.parent(state);
        while at != NO_PARENT {
            lineage.push(at);
            at = self.parent(at);
        }
        lineage.reverse();
        lineage
    }

    /// The first edge from `source` to `target`.
    pub fn edge_between(&self, source: u32, target: u32) -> Option<u32> {
        self.row(source).find(|&edge| self.target(edge) == target)
    }
}
