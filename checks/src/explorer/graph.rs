//! The explored graph without its states: edges in compressed rows.
//!
//! States are numbered in breadth-first order, so each level is a range, and a parent comes before
//! its children. An edge's number is its index in the rows. Its action is the one with index
//! `ordinal` in the model's list for its source. An edge takes five bytes, a state six.

use std::ops::Range;

/// The parent of an initial state.
pub const NO_PARENT: u32 = u32::MAX;

/// The most actions of a state. With this limit two bytes suffice for the beginning of a row.
pub const MOST_ACTIONS: usize = 1_024;

/// The edges between states.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Graph {
    pub(crate) initial: u32,
    pub(crate) levels: Vec<u32>,
    pub(crate) parents: Vec<u32>,
    /// For each expanded state the beginning of its row, then the end of the last row.
    pub(crate) offsets: Offsets,
    pub(crate) targets: Vec<u32>,
    pub(crate) ordinals: Ordinals,
}

impl Graph {
    /// The number of states.
    pub fn states(&self) -> u32 {
        self.parents.len() as u32
    }

    /// The number of initial states. They come first.
    pub fn initial(&self) -> u32 {
        self.initial
    }

    /// The number of edges kept.
    pub fn edges(&self) -> u32 {
        self.targets.len() as u32
    }

    /// The edges out of `state`; empty if it was not expanded.
    pub fn row(&self, state: u32) -> Range<u32> {
        match self.offsets.get(state as usize + 1) {
            Some(end) => self.offsets.get(state as usize).expect("the row before")..end,
            None => 0..0,
        }
    }

    /// The target of `edge`.
    pub fn target(&self, edge: u32) -> u32 {
        self.targets[edge as usize]
    }

    /// The index of the edge's action in its source's list.
    pub fn ordinal(&self, edge: u32) -> u16 {
        self.ordinals.get(edge)
    }

    /// The state from which `state` was first reached; [`NO_PARENT`] for initial states.
    pub fn parent(&self, state: u32) -> u32 {
        self.parents[state as usize]
    }

    /// The length of a shortest path from an initial state to `state`, in actions.
    pub fn depth(&self, state: u32) -> u32 {
        self.levels.partition_point(|&first| first <= state) as u32 - 1
    }

    /// The states of each depth, as ranges of indices.
    pub fn levels(&self) -> impl DoubleEndedIterator<Item = Range<u32>> + '_ {
        let ends = self.levels.iter().skip(1).copied().chain([self.states()]);
        let ends: Vec<u32> = ends.collect();
        (0..self.levels.len()).map(move |depth| self.levels[depth]..ends[depth])
    }

    /// A shortest path to `state`, from an initial state to `state` itself.
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

    pub(super) fn bytes(&self) -> u64 {
        let words = self.parents.capacity() + self.targets.capacity();
        words as u64 * 4 + self.offsets.bytes() + self.ordinals.bytes()
    }
}

/// The number of offsets in a block.
const BLOCK: usize = 64;

/// The beginnings of rows: the first of each block in full, the others as distances from it. 63
/// rows of [`MOST_ACTIONS`] fit in 16 bits.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Offsets {
    blocks: Vec<u32>,
    within: Vec<u16>,
}

impl Offsets {
    pub(super) fn push(&mut self, offset: u32) {
        if self.within.len().is_multiple_of(BLOCK) {
            make_room(&mut self.blocks, 1);
            self.blocks.push(offset);
        }
        let base = self.blocks[self.within.len() / BLOCK];
        make_room(&mut self.within, 1);
        self.within.push(u16::try_from(offset - base).expect("63 rows of 1,024 edges at most"));
    }

    fn get(&self, at: usize) -> Option<u32> {
        self.within.get(at).map(|&within| self.blocks[at / BLOCK] + u32::from(within))
    }

    fn bytes(&self) -> u64 {
        (self.blocks.capacity() * 4 + self.within.capacity() * 2) as u64
    }
}

/// The ordinal of each edge: a byte, or [`WIDE`] and an entry in `wide`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Ordinals {
    bytes: Vec<u8>,
    /// Edge and ordinal, sorted by edge.
    wide: Vec<(u32, u16)>,
}

const WIDE: u8 = u8::MAX;

impl Ordinals {
    pub(super) fn push(&mut self, ordinal: u16) {
        let byte = u8::try_from(ordinal).unwrap_or(WIDE);
        if byte == WIDE {
            self.wide.push((self.bytes.len() as u32, ordinal));
        }
        make_room(&mut self.bytes, 1);
        self.bytes.push(byte);
    }

    fn get(&self, edge: u32) -> u16 {
        match self.bytes[edge as usize] {
            WIDE => {
                let at = self.wide.binary_search_by_key(&edge, |(edge, _)| *edge);
                self.wide[at.expect("every wide ordinal has an entry")].1
            }
            byte => u16::from(byte),
        }
    }

    fn bytes(&self) -> u64 {
        (self.bytes.capacity() + self.wide.capacity() * size_of::<(u32, u16)>()) as u64
    }
}

/// Grows by an eighth instead of doubling, so that little memory is unused.
pub(super) fn make_room<T>(list: &mut Vec<T>, additional: usize) {
    if list.capacity() - list.len() < additional {
        list.reserve_exact(additional.max(list.len() / 8).max(1_024));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_the_widest_rows_come_back() {
        let mut offsets = Offsets::default();
        let of = |row: usize| (row * MOST_ACTIONS) as u32;
        (0..200).for_each(|row| offsets.push(of(row)));
        assert!((0..200).all(|row| offsets.get(row) == Some(of(row))));
        assert_eq!(offsets.get(200), None);
    }

    #[test]
    fn ordinals_beyond_a_byte_come_back() {
        let mut ordinals = Ordinals::default();
        let drawn = [3, 254, 255, 256, 0, 1_023];
        drawn.iter().for_each(|&ordinal| ordinals.push(ordinal));
        assert!((0..).zip(drawn).all(|(edge, ordinal)| ordinals.get(edge) == ordinal));
    }
}
