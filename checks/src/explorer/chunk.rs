//! Expands one chunk of a level without using the table.
//!
//! It computes actions, successors, hashes and properties of up to [`CHUNK`] states. It reads only
//! states of earlier levels, so any number of threads may do it at once.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use ahash::RandomState;
use stateright::{Expectation, Model, Property};

use super::graph::MOST_ACTIONS;
use super::kinds;
use super::rows::{self, Row, Rows};
use super::{CHUNK, Explored};

/// What every chunk of one level reads.
pub(super) struct Level<'a, M: Model, K> {
    pub(super) model: &'a M,
    pub(super) properties: &'a [Property<M>],
    /// The properties whose first state has been merged.
    pub(super) settled: &'a [AtomicBool],
    /// The rows of all states up to and including this level.
    pub(super) states: &'a Rows,
    /// The numbers in a row.
    pub(super) width: usize,
    /// The first state of the level that is not expanded yet.
    pub(super) first: usize,
    /// Whether to generate successors; otherwise only properties are checked.
    pub(super) expand: bool,
    pub(super) kind: &'a K,
}

/// The successors of some states, in order.
#[derive(Default)]
pub(super) struct Chunk {
    /// The states that were expanded.
    pub(super) sources: Range<usize>,
    /// One row for each.
    pub(super) successors: Vec<u32>,
    /// The hash of each successor.
    pub(super) hashes: Vec<u32>,
    /// For each successor, the index of its action in its source's list.
    pub(super) ordinals: Vec<u16>,
    /// For each source, the end of its successors.
    pub(super) ends: Vec<u32>,
    /// How many actions of each kind were taken.
    pub(super) kinds: Vec<u64>,
    /// Successors beyond the model's boundary.
    pub(super) outside: u64,
    /// For each property, the first source that violates it (`always`) or has it (`sometimes`).
    pub(super) found: Vec<Option<u32>>,
}

impl Chunk {
    pub(super) fn bytes(&self) -> u64 {
        (self.successors.capacity() * 4 + self.hashes.capacity() * 6 + self.ends.capacity() * 4) as u64
    }

    fn clear(&mut self, sources: Range<usize>, properties: usize) {
        self.sources = sources;
        self.successors.clear();
        self.hashes.clear();
        self.ordinals.clear();
        self.ends.clear();
        self.kinds.fill(0);
        self.outside = 0;
        self.found.clear();
        self.found.resize(properties, None);
    }
}

/// Fixed seeds give the same hashes in every run, although no result depends on them.
pub(super) fn hasher() -> RandomState {
    RandomState::with_seeds(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344)
}

pub(super) fn short_hash(hasher: &RandomState, row: &[u32]) -> u32 {
    (hasher.hash_one(row) >> 32) as u32
}

impl<M, K> Level<'_, M, K>
where
    M: Explored,
    M::State: Row,
    K: Fn(&M::State, &M::Action) -> usize,
{
    pub(super) fn chunks(&self) -> usize {
        (self.known() - self.first).div_ceil(CHUNK)
    }

    /// The number of states up to and including this level.
    pub(super) fn known(&self) -> usize {
        self.states.len()
    }

    /// Fills `chunk` with chunk number `number` of the level. `actions` is scratch space.
    pub(super) fn generate(&self, number: usize, chunk: &mut Chunk, actions: &mut Vec<M::Action>) {
        let begin = self.first + number * CHUNK;
        let end = (begin + CHUNK).min(self.known());
        chunk.clear(begin..end, self.properties.len());
        for source in begin..end {
            let state = M::State::read(self.states.row(source));
            self.judge(source, &state, chunk);
            if self.expand {
                self.expand_one(source, &state, chunk, actions);
            }
        }
        let (hasher, rows) = (hasher(), chunk.successors.chunks_exact(self.width));
        chunk.hashes.extend(rows.map(|row| short_hash(&hasher, row)));
    }

    fn judge(&self, source: usize, state: &M::State, chunk: &mut Chunk) {
        let broken = self.model.broken(state);
        for (at, property) in self.properties.iter().enumerate() {
            // Only the first state counts. If another chunk has settled the property meanwhile, its
            // state comes earlier.
            if chunk.found[at].is_some() || self.settled[at].load(Ordering::Relaxed) {
                continue;
            }
            let is_so = match broken {
                Some(broken) if property.expectation == Expectation::Always => broken >> at & 1 == 0,
                _ => (property.condition)(self.model, state),
            };
            if is_so == (property.expectation == Expectation::Sometimes) {
                chunk.found[at] = Some(source as u32);
            }
        }
    }

    fn expand_one(&self, source: usize, state: &M::State, chunk: &mut Chunk, actions: &mut Vec<M::Action>) {
        self.model.expand(state, actions, self.kind, |ordinal, kind, successor| {
            assert!(ordinal < MOST_ACTIONS, "state {source} has more than {MOST_ACTIONS} actions");
            if !self.model.within_boundary(&successor) {
                chunk.outside += 1;
                return;
            }
            kinds::count(&mut chunk.kinds, kind);
            rows::push(&mut chunk.successors, self.width, &successor);
            chunk.ordinals.push(ordinal as u16);
        });
        chunk.ends.push(chunk.ordinals.len() as u32);
    }
}
