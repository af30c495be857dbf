//! Taking chunks in, strictly in order: the part that owns the table.
//!
//! Four passes over a chunk, so that cache misses overlap: read the slot where
//! the search for each successor begins, search for a candidate, compare it,
//! then settle in order what is still open.

use std::hash::Hash;

use stateright::{Expectation, Model, Property};

use super::chunk::{Chunk, hasher, short_hash};
use super::exploration::{Bound, Ended, Exploration, Verdict};
use super::graph::{Graph, NO_PARENT};
use super::table::Table;
use super::{Options, is_interrupted};

/// In the scratch list: no known state was recognised yet.
const OPEN: u32 = u32::MAX;

pub(super) struct Merger<S> {
    table: Table,
    /// The states of the level that is being found.
    pub(super) next: Vec<S>,
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
    peak_bytes: u64,
    largest_chunk: u64,
}

impl<S: Clone + Hash + Eq> Merger<S> {
    pub(super) fn new(is_always: impl Iterator<Item = bool>, options: &Options<'_>) -> Self {
        let is_always: Vec<bool> = is_always.collect();
        let mut graph = Graph::default();
        if options.keep_edges {
            graph.offsets.push(0);
        }
        Merger {
            table: Table::new(),
            next: Vec::new(),
            graph,
            transitions: 0,
            expanded: 0,
            checked: 0,
            outside: 0,
            kinds: Vec::new(),
            found: vec![None; is_always.len()],
            is_always,
            keep_edges: options.keep_edges,
            slots: Vec::new(),
            resolved: Vec::new(),
            states_bytes: 0,
            peak_bytes: 0,
            largest_chunk: 0,
        }
    }

    /// Takes in the initial states, each once.
    pub(super) fn begin(&mut self, initial: impl Iterator<Item = S>) {
        let hasher = hasher();
        for state in initial {
            self.table.reserve(1);
            let (next, index) = (&self.next, self.next.len() as u32);
            let hash = short_hash(&hasher, &state);
            if self.table.find_or_insert(hash, index, |other| next[other as usize] == state).is_none() {
                self.next.push(state);
                self.graph.parents.push(NO_PARENT);
            }
        }
    }

    /// Ends a level: what was found becomes part of the known states.
    pub(super) fn move_level_to(&mut self, states: &mut Vec<S>) {
        make_room(states, self.next.len());
        states.append(&mut self.next);
        self.states_bytes = (states.capacity() * size_of::<S>()) as u64;
        self.note_peak();
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

    /// Takes in `chunk`, which must be the next in order, and says whether a
    /// bound was hit. `states` are those of the levels before.
    pub(super) fn merge(
        &mut self,
        states: &[S],
        chunk: &Chunk<S>,
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
            if self.keep_edges && self.graph.targets.len() + chunk.successors.len() > u32::MAX as usize {
                return Some(Bound::Edges);
            }
            self.take_in(states, chunk);
        }
        self.largest_chunk = self.largest_chunk.max(chunk.bytes());
        self.note_peak();
        if is_interrupted(options) {
            return Some(Bound::Interrupted);
        }
        if self.distinct() > u64::from(options.max_states) {
            return Some(Bound::States(options.max_states));
        }
        options.max_bytes.filter(|&max| self.bytes() > max).map(Bound::Bytes)
    }

    fn take_in(&mut self, states: &[S], chunk: &Chunk<S>) {
        self.resolve_known(states, chunk);
        let mut begin = 0;
        for (source, &end) in chunk.sources.clone().zip(&chunk.ends) {
            for at in begin..end as usize {
                if self.resolved[at] == OPEN {
                    self.resolved[at] =
                        self.settle(states, source as u32, &chunk.successors[at], chunk.hashes[at]);
                }
            }
            begin = end as usize;
            if self.keep_edges {
                self.graph.offsets.push((self.transitions + u64::from(end)) as u32);
            }
        }
        if self.keep_edges {
            make_room(&mut self.graph.targets, self.resolved.len());
            make_room(&mut self.graph.ordinals, self.resolved.len());
            self.graph.targets.extend_from_slice(&self.resolved);
            self.graph.ordinals.extend_from_slice(&chunk.ordinals);
        }
        self.transitions += chunk.successors.len() as u64;
        self.expanded = chunk.sources.end as u64;
        self.outside += chunk.outside;
        if self.kinds.len() < chunk.kinds.len() {
            self.kinds.resize(chunk.kinds.len(), 0);
        }
        for (sum, fired) in self.kinds.iter_mut().zip(&chunk.kinds) {
            *sum += fired;
        }
    }

    /// Recognises the successors that were known before this chunk.
    fn resolve_known(&mut self, states: &[S], chunk: &Chunk<S>) {
        self.table.reserve(chunk.successors.len());
        self.slots.clear();
        self.resolved.clear();
        let table = &self.table;
        self.slots.extend(chunk.hashes.iter().map(|&hash| table.first_slot(hash)));
        let searches = chunk.hashes.iter().zip(&self.slots);
        self.resolved.extend(searches.map(|(&hash, &slot)| table.candidate(hash, slot).unwrap_or(OPEN)));
        for (resolved, successor) in self.resolved.iter_mut().zip(&chunk.successors) {
            if *resolved != OPEN && state_at(states, &self.next, *resolved) != successor {
                *resolved = OPEN;
            }
        }
    }

    /// The index of `successor`, which is taken in if it is new.
    fn settle(&mut self, states: &[S], source: u32, successor: &S, hash: u32) -> u32 {
        let index = self.graph.parents.len() as u32;
        let next = &self.next;
        let known =
            self.table.find_or_insert(hash, index, |other| state_at(states, next, other) == successor);
        known.unwrap_or_else(|| {
            make_room(&mut self.next, 1);
            self.next.push(successor.clone());
            make_room(&mut self.graph.parents, 1);
            self.graph.parents.push(source);
            index
        })
    }

    /// Bytes held now by everything that grows with the states.
    fn bytes(&self) -> u64 {
        let graph = &self.graph;
        let words = graph.parents.capacity() + graph.offsets.capacity() + graph.targets.capacity();
        self.table.bytes()
            + self.states_bytes
            + (self.next.capacity() * size_of::<S>() + words * 4 + graph.ordinals.capacity() * 2) as u64
    }

    fn note_peak(&mut self) {
        let growing = self.table.peak_bytes() - self.table.bytes();
        self.peak_bytes = self.peak_bytes.max(self.bytes() + growing);
    }

    pub(super) fn into_exploration<M: Model<State = S>>(
        self,
        states: Vec<S>,
        levels: Vec<u32>,
        initial: u32,
        properties: Vec<Property<M>>,
        ended: Ended,
    ) -> Exploration<S> {
        let is_exhausted = ended == Ended::Exhausted;
        let verdicts = properties.into_iter().zip(self.found).map(|(property, first)| {
            let when_found = property.expectation == Expectation::Sometimes;
            let holds = match first {
                Some(_) => Some(when_found),
                None => is_exhausted.then_some(!when_found),
            };
            Verdict { property: property.name, expectation: property.expectation, first, holds }
        });
        Exploration {
            states,
            verdicts: verdicts.collect(),
            graph: Graph { initial, levels, ..self.graph },
            transitions: self.transitions,
            expanded: self.expanded,
            checked: self.checked,
            outside: self.outside,
            kinds: self.kinds,
            ended,
            peak_bytes: self.peak_bytes + self.largest_chunk,
        }
    }
}

fn state_at<'a, S>(states: &'a [S], next: &'a [S], index: u32) -> &'a S {
    let index = index as usize;
    if index < states.len() { &states[index] } else { &next[index - states.len()] }
}

/// Grows by a quarter, not by half again: what is held is what is counted.
fn make_room<T>(list: &mut Vec<T>, additional: usize) {
    if list.capacity() - list.len() < additional {
        list.reserve_exact(additional.max(list.len() / 4).max(1_024));
    }
}
