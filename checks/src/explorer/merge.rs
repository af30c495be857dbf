//! Merges chunks strictly in order. Only this part uses the table.
//!
//! Four passes over a chunk make cache misses overlap: read the first slot of each successor's
//! search, search for a candidate, compare it, then settle the remaining successors in order.

use stateright::{Model, Property};

use super::chunk::{Chunk, hasher, short_hash};
use super::exploration::{Bound, Ended, Exploration, verdicts};
use super::graph::{Graph, NO_PARENT, make_room};
use super::kept::{Kept, Totals, checkpoint};
use super::kinds;
use super::rows::{self, Beyond, Row, Rows, States};
use super::table::Table;
use super::{CHUNK, Options, is_interrupted};

/// In the scratch list: not found among known states.
const OPEN: u32 = u32::MAX;
/// Resident memory is measured once in so many chunks.
const CHUNKS_PER_LOOK: u64 = 64;

pub(super) struct Merger {
    table: Table,
    width: usize,
    /// The rows of the level that is being found.
    next: Beyond,
    graph: Graph,
    transitions: u64,
    expanded: u64,
    checked: u64,
    outside: u64,
    kinds: Vec<u64>,
    found: Vec<Option<u32>>,
    is_always: Vec<bool>,
    keep_edges: bool,
    slots: Vec<u64>,
    resolved: Vec<u32>,
    states_bytes: u64,
    /// The number of states up to and including the level that is being expanded.
    known: usize,
    peak_bytes: u64,
    peak_resident: Option<u64>,
    largest_chunk: u64,
    /// The totals of the last checkpoint.
    kept: Totals,
}

impl Merger {
    pub(super) fn new(
        is_always: impl Iterator<Item = bool>,
        width: usize,
        kept: Kept,
        options: &Options<'_>,
    ) -> Self {
        let is_always: Vec<bool> = is_always.collect();
        let Kept { totals, mut graph, rows, .. } = kept;
        if options.keep_edges && graph.offsets == Default::default() {
            graph.offsets.push(0);
        }
        graph.levels.clone_from(&totals.levels);
        graph.initial = totals.initial;
        let mut found = totals.found.clone();
        found.resize(is_always.len(), None);
        let mut table = Table::new();
        let hasher = hasher();
        for (index, row) in (0..).zip(rows.iter()) {
            table.find_or_insert(short_hash(&hasher, row), index, |_| false);
        }
        Merger {
            table,
            width,
            next: Beyond::of(if rows.is_empty() { Rows::new(width) } else { rows }),
            graph,
            transitions: totals.transitions,
            expanded: totals.expanded,
            checked: totals.checked,
            outside: totals.outside,
            kinds: totals.kinds.clone(),
            found,
            is_always,
            keep_edges: options.keep_edges,
            slots: Vec::new(),
            resolved: Vec::new(),
            states_bytes: 0,
            known: 0,
            peak_bytes: 0,
            peak_resident: None,
            largest_chunk: 0,
            kept: totals,
        }
    }

    /// Adds the distinct initial states.
    pub(super) fn begin<S: Row>(&mut self, initial: impl Iterator<Item = S>) {
        let (hasher, width) = (hasher(), self.width);
        let (known, mut row) = (Rows::new(width), vec![0; width]);
        for state in initial {
            state.write(&mut row);
            let (next, index) = (&self.next, self.graph.states());
            let is_same = |other| next.row(&known, other as usize) == row;
            if self.table.find_or_insert(short_hash(&hasher, &row), index, is_same).is_none() {
                self.next.push(&row);
                self.graph.parents.push(NO_PARENT);
            }
        }
        self.graph.initial = self.graph.states();
    }

    /// Ends a level: its rows become known states.
    pub(super) fn move_level_to(&mut self, states: &mut Rows) {
        self.graph.levels.push(states.len() as u32);
        self.next.move_to(states);
        self.note_states(states);
    }

    /// Restores what checkpoints had, up to the level that was being expanded.
    pub(super) fn take_back(&mut self) -> Rows {
        let mut states = Rows::new(self.width);
        self.next.move_to(&mut states);
        self.next = states.split_off(self.kept.known);
        self.note_states(&states);
        states
    }

    fn note_states(&mut self, states: &Rows) {
        self.states_bytes = states.bytes();
        self.known = states.len();
        self.note_peak();
    }

    pub(super) fn is_level_empty(&self) -> bool {
        self.next.end() == self.known
    }

    pub(super) fn found(&self) -> &[Option<u32>] {
        &self.found
    }

    pub(super) fn distinct(&self) -> u64 {
        self.graph.parents.len() as u64
    }

    pub(super) fn expanded(&self) -> u64 {
        self.expanded
    }

    pub(super) fn depth(&self) -> u32 {
        self.graph.levels.len() as u32 - 1
    }

    /// The sizes of the complete levels, without the one that is being found.
    pub(super) fn level_sizes(&self) -> Vec<u64> {
        let ends = self.graph.levels.iter().skip(1).map(|&end| u64::from(end)).chain([self.known as u64]);
        self.graph.levels.iter().zip(ends).map(|(&first, end)| end - u64::from(first)).collect()
    }

    /// Merges `chunk`, which must be the next in order; returns the bound that was hit, if any.
    /// `states` are the rows of earlier levels.
    pub(super) fn merge(
        &mut self,
        states: &Rows,
        chunk: &Chunk,
        expand: bool,
        options: &Options<'_>,
    ) -> Option<Bound> {
        for (first, found) in self.found.iter_mut().zip(&chunk.found) {
            *first = first.or(*found);
        }
        self.checked = chunk.sources.end as u64;
        let is_violated =
            self.found.iter().zip(&self.is_always).any(|(found, always)| *always && found.is_some());
        if options.stop_at_first_violation && is_violated {
            return Some(Bound::Violation);
        }
        if expand {
            if self.keep_edges && self.graph.targets.len() + chunk.hashes.len() > u32::MAX as usize {
                return Some(Bound::Edges);
            }
            self.take_in(states, chunk);
        }
        self.largest_chunk = self.largest_chunk.max(chunk.bytes());
        self.note_peak();
        self.bound(options)
    }

    fn bound(&mut self, options: &Options<'_>) -> Option<Bound> {
        if is_interrupted(options) {
            return Some(Bound::Interrupted);
        }
        if self.distinct() > u64::from(options.max_states) {
            return Some(Bound::States(options.max_states));
        }
        if let Some(memory) = options.memory
            && (self.checked / CHUNK as u64).is_multiple_of(CHUNKS_PER_LOOK)
        {
            let resident = (memory.resident)();
            self.peak_resident = self.peak_resident.max(resident);
            if resident.is_some_and(|resident| resident > memory.limit) {
                return Some(Bound::Memory(memory.limit));
            }
        }
        options.max_bytes.filter(|&max| self.bytes() > max).map(Bound::Bytes)
    }

    fn take_in(&mut self, states: &Rows, chunk: &Chunk) {
        self.resolve_known(states, chunk);
        let mut begin = 0;
        for (source, &end) in chunk.sources.clone().zip(&chunk.ends) {
            for at in begin..end as usize {
                if self.resolved[at] == OPEN {
                    let successor = rows::row(&chunk.successors, self.width, at);
                    self.resolved[at] = self.settle(states, source as u32, successor, chunk.hashes[at]);
                }
            }
            begin = end as usize;
            if self.keep_edges {
                self.graph.offsets.push((self.transitions + u64::from(end)) as u32);
            }
        }
        if self.keep_edges {
            make_room(&mut self.graph.targets, self.resolved.len());
            self.graph.targets.extend_from_slice(&self.resolved);
            chunk.ordinals.iter().for_each(|&ordinal| self.graph.ordinals.push(ordinal));
        }
        self.transitions += chunk.hashes.len() as u64;
        self.expanded = chunk.sources.end as u64;
        self.outside += chunk.outside;
        kinds::add(&mut self.kinds, &chunk.kinds);
    }

    /// Finds the successors that were known before this chunk.
    fn resolve_known(&mut self, states: &Rows, chunk: &Chunk) {
        self.slots.clear();
        self.resolved.clear();
        let (table, width) = (&self.table, self.width);
        self.slots.extend(chunk.hashes.iter().map(|&hash| table.first_slot(hash)));
        let searches = chunk.hashes.iter().zip(&self.slots);
        self.resolved.extend(searches.map(|(&hash, &slot)| table.candidate(hash, slot).unwrap_or(OPEN)));
        for (resolved, successor) in self.resolved.iter_mut().zip(chunk.successors.chunks_exact(width)) {
            if *resolved != OPEN && self.next.row(states, *resolved as usize) != successor {
                *resolved = OPEN;
            }
        }
    }

    /// The index of `successor`; adds it if it is new.
    fn settle(&mut self, states: &Rows, source: u32, successor: &[u32], hash: u32) -> u32 {
        let index = self.graph.states();
        let next = &self.next;
        let known =
            self.table.find_or_insert(hash, index, |other| next.row(states, other as usize) == successor);
        known.unwrap_or_else(|| {
            self.next.push(successor);
            make_room(&mut self.graph.parents, 1);
            self.graph.parents.push(source);
            index
        })
    }

    /// Writes a checkpoint if one is due. `states` are the rows before the level that is being
    /// found.
    pub(super) fn keep_if_due(&mut self, states: &Rows, options: &Options<'_>) -> Option<Bound> {
        let mut keep = options.keep?.lock().expect("no thread panics while it holds this lock");
        if !keep.is_due(self.distinct()) {
            return None;
        }
        drop(keep);
        self.keep(states, options)
    }

    /// Writes a checkpoint.
    pub(super) fn keep(&mut self, states: &Rows, options: &Options<'_>) -> Option<Bound> {
        let mut keep = options.keep?.lock().expect("no thread panics while it holds this lock");
        let now = Totals {
            width: self.width,
            initial: self.graph.initial,
            levels: self.graph.levels.clone(),
            known: states.len(),
            states: self.graph.parents.len(),
            transitions: self.transitions,
            expanded: self.expanded,
            checked: self.checked,
            outside: self.outside,
            kinds: self.kinds.clone(),
            found: self.found.clone(),
            edges: self.keep_edges.then(|| self.graph.edges()),
            shared: None,
        };
        let bytes = checkpoint(&self.kept, &now, |index| self.next.row(states, index), &self.graph);
        self.kept = now;
        keep.keep(self.distinct(), &bytes).err().map(|error| Bound::NotKept(error.kind()))
    }

    /// The bytes of everything that grows with the number of states.
    fn bytes(&self) -> u64 {
        self.table.bytes() + self.states_bytes + self.next.bytes() + self.graph.bytes()
    }

    fn note_peak(&mut self) {
        let growing = self.table.peak_bytes() - self.table.bytes();
        self.peak_bytes = self.peak_bytes.max(self.bytes() + growing);
    }

    pub(super) fn into_exploration<M: Model>(
        self,
        states: Rows,
        properties: Vec<Property<M>>,
        ended: Ended,
    ) -> Exploration<M::State> {
        Exploration {
            states: States::new(states),
            levels: None,
            verdicts: verdicts(&properties, self.found, &ended),
            graph: self.graph,
            transitions: self.transitions,
            expanded: self.expanded,
            checked: self.checked,
            outside: self.outside,
            kinds: self.kinds,
            ended,
            peak_bytes: self.peak_bytes + self.largest_chunk,
            peak_resident: self.peak_resident,
        }
    }
}
