//! The states of one worker, and taking in more of them.
//!
//! A state comes with what says where it belongs: the lower half of its fingerprint, which is its
//! hash in the table, and its parent's index and hash. Passes over what came together, so that
//! cache misses overlap, as the ordered explorer does.

use super::super::graph::make_room;
use super::super::rows::Rows;
use super::super::table::Table;
use super::summary::Place;

/// Words of a state beside its row: its hash, its parent's index there and its parent's hash.
pub(super) const BESIDE: usize = 3;

/// In the scratch list: no known state was recognised yet.
const OPEN: u32 = u32::MAX;

pub(super) struct Owner {
    width: usize,
    table: Table,
    pub(super) rows: Rows,
    /// The first state of each level, the one included that is being found.
    pub(super) levels: Vec<u32>,
    /// Of each state its parent's index, and whose that is.
    pub(super) parents: Vec<u32>,
    pub(super) parents_owners: Vec<u16>,
    /// Of each state of the level that is being found: its parent's hash.
    parents_hashes: Vec<u32>,
    slots: Vec<u64>,
    resolved: Vec<u32>,
}

impl Owner {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            table: Table::new(),
            rows: Rows::new(width),
            levels: vec![0],
            parents: Vec::new(),
            parents_owners: Vec::new(),
            parents_hashes: Vec::new(),
            slots: Vec::new(),
            resolved: Vec::new(),
        }
    }

    pub(super) fn states(&self) -> u32 {
        self.parents.len() as u32
    }

    /// Takes in a state that a checkpoint has.
    pub(super) fn restore(&mut self, row: &[u32], hash: u32, parent: Place) {
        self.table.find_or_insert(hash, self.states(), |_| false);
        self.rows.push(row);
        self.parents.push(parent.index);
        self.parents_owners.push(parent.owner as u16);
    }

    /// What is restored next is in the next level.
    pub(super) fn restore_level(&mut self) {
        self.levels.push(self.states());
    }

    /// Takes in states that somebody found, each with what is [`BESIDE`] it.
    pub(super) fn take_in(&mut self, from: usize, words: &[u32]) {
        let (stride, width) = (self.width + BESIDE, self.width);
        let states = || words.chunks_exact(stride);
        self.slots.clear();
        self.resolved.clear();
        let table = &self.table;
        self.slots.extend(states().map(|state| table.first_slot(state[width])));
        let searches = states().zip(&self.slots);
        self.resolved
            .extend(searches.map(|(state, &slot)| table.candidate(state[width], slot).unwrap_or(OPEN)));
        for (resolved, state) in self.resolved.iter_mut().zip(states()) {
            if *resolved != OPEN && self.rows.row(*resolved as usize) != &state[..width] {
                *resolved = OPEN;
            }
        }
        let level = *self.levels.last().expect("a level is being found");
        for (at, state) in states().enumerate() {
            let (row, beside) = state.split_at(width);
            let known = match self.resolved[at] {
                OPEN => self.settle(from, row, beside),
                known => Some(known),
            };
            if let Some(fresh) = known.and_then(|known| known.checked_sub(level)) {
                self.choose_parent(fresh as usize, from, beside);
            }
        }
    }

    /// The index of a state that is known after all; it is taken in otherwise.
    fn settle(&mut self, from: usize, row: &[u32], beside: &[u32]) -> Option<u32> {
        let (index, rows) = (self.states(), &self.rows);
        let known = self.table.find_or_insert(beside[0], index, |other| rows.row(other as usize) == row);
        if known.is_none() {
            self.rows.push(row);
            make_room(&mut self.parents, 1);
            make_room(&mut self.parents_owners, 1);
            self.parents.push(beside[1]);
            self.parents_owners.push(from as u16);
            self.parents_hashes.push(beside[2]);
        }
        known
    }

    /// Of two parents in one level the one with the less hash stays.
    fn choose_parent(&mut self, fresh: usize, from: usize, beside: &[u32]) {
        if beside[2] < self.parents_hashes[fresh] {
            let index = *self.levels.last().expect("a level is being found") as usize + fresh;
            self.parents_hashes[fresh] = beside[2];
            self.parents[index] = beside[1];
            self.parents_owners[index] = from as u16;
        }
    }

    /// The level that was being found is whole: its states, sorted by their rows.
    pub(super) fn next_level(&mut self) -> Vec<u32> {
        let first = *self.levels.last().expect("a level was being found");
        self.levels.push(self.states());
        self.parents_hashes.clear();
        let key = |index: u32| {
            let row = self.rows.row(index as usize);
            (u64::from(row[0]) << 32 | u64::from(row.get(1).copied().unwrap_or(0)), index)
        };
        let mut keyed: Vec<(u64, u32)> = (first..self.states()).map(key).collect();
        keyed.sort_unstable_by(|(one, at), (other, beside)| {
            let rest = |index: u32| self.rows.row(index as usize).get(2..);
            one.cmp(other).then_with(|| rest(*at).cmp(&rest(*beside)))
        });
        keyed.into_iter().map(|(_, index)| index).collect()
    }

    /// Bytes held now by everything that grows with the states.
    pub(super) fn bytes(&self) -> u64 {
        let parents = self.parents.capacity() * 4 + self.parents_owners.capacity() * 2;
        let beside = parents + self.parents_hashes.capacity() * 4;
        self.table.bytes() + self.rows.bytes() + beside as u64
    }
}
