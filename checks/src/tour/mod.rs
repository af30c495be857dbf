//! A tour covers every edge of an explored graph by few and long paths.
//!
//! Every path begins at an initial state. A plan (`plan.rs`) says how often each edge must be
//! taken; each path takes what is left until no edge leads on. In a graph with cycles some cycles
//! may remain. They are covered afterwards, each by the breadth-first path to its first state.
//! Paths are made one at a time: a tour holds a byte for each edge and about four for each state. A
//! batch of paths (`batch.rs`) says where each branches off the one before.
//!
//! Left out: replaying.

mod batch;
mod plan;
#[cfg(test)]
mod tests;

use crate::explorer::Graph;
use plan::TourPlan;

pub use batch::{Batch, PATHS, Parting};

/// The longest path. Only a cycle could make a longer one. The bound keeps divergences readable.
pub const LONGEST_PATH: usize = 4_096;

/// Set in a state's cursor if the edge at the cursor has been taken.
const TAKEN: u32 = 1 << 31;

/// One step along an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TourStep {
    /// The state before.
    pub from: u32,
    /// The edge.
    pub edge: u32,
    /// The state after.
    pub to: u32,
    /// Whether this is the tour's first step on this edge.
    pub new_edge: bool,
    /// Whether this is the tour's first visit of `to`.
    pub new_state: bool,
}

/// A path from an initial state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Its number in the tour, from 0. For a path to a state, that state.
    pub number: u64,
    /// The initial state.
    pub start: u32,
    /// Whether this is the tour's first path from `start`.
    pub new_start: bool,
    /// The steps. Empty only if the initial state has no edge.
    pub steps: Vec<TourStep>,
}

impl Path {
    /// Becomes the breadth-first path to `state`. Nothing on it counts as new.
    pub fn lead_to(&mut self, graph: &Graph, state: u32) {
        let lineage = graph.lineage(state);
        (self.start, self.new_start) = (lineage[0], false);
        self.steps.clear();
        self.steps.extend(lineage.windows(2).map(|pair| {
            let edge = graph.edge_between(pair[0], pair[1]).expect("a parent leads to its child");
            TourStep { from: pair[0], edge, to: pair[1], new_edge: false, new_state: false }
        }));
    }

    /// The last state.
    pub fn end(&self) -> u32 {
        self.steps.last().map_or(self.start, |step| step.to)
    }
}

/// How much of the graph a tour has covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The edges of the graph.
    pub edges: u64,
    /// Edges covered: the steps on new edges.
    pub covered: u64,
    /// Steps on covered edges.
    pub repeated: u64,
    /// States visited for the first time.
    pub visited: u64,
    /// Paths.
    pub paths: u64,
}

impl Counters {
    /// All steps.
    pub fn steps(&self) -> u64 {
        self.covered + self.repeated
    }
}

/// The paths of a tour, in order.
pub struct Tour<'g> {
    graph: &'g Graph,
    plan: TourPlan,
    /// For each state, its next edge, with [`TAKEN`].
    cursors: Vec<u32>,
    visited: Vec<u64>,
    /// The initial state whose paths are being made. After the last of them, the first state that
    /// may still have an uncovered edge.
    root: u32,
    leftover: u32,
    counters: Counters,
}

impl<'g> Tour<'g> {
    /// Plans the tour of the whole graph.
    ///
    /// # Panics
    /// If the graph has 2^31 edges or more.
    pub fn new(graph: &'g Graph) -> Self {
        assert!(graph.edges() < TAKEN, "a tour numbers fewer than 2^31 edges; explore a smaller scope");
        let states = graph.states();
        Tour {
            graph,
            plan: TourPlan::new(graph),
            cursors: (0..states).map(|state| graph.row(state).start).collect(),
            visited: vec![0; (states as usize).div_ceil(64)],
            root: 0,
            leftover: 0,
            counters: Counters { edges: u64::from(graph.edges()), ..Counters::default() },
        }
    }

    /// The steps of all paths together. Exact without cycles, otherwise slightly too low.
    pub fn planned_steps(&self) -> u64 {
        self.plan.steps()
    }

    /// The counts of the paths so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Bytes held, not counting the graph.
    pub fn bytes(&self) -> u64 {
        u64::from(self.graph.edges()) + self.cursors.len() as u64 * 4 + self.visited.len() as u64 * 8
    }

    /// Overwrites `path` with the next path; false if there is none.
    pub fn next_path(&mut self, path: &mut Path) -> bool {
        if !self.make(path) {
            return false;
        }
        path.number = self.counters.paths;
        self.count(path);
        true
    }

    fn count(&mut self, path: &Path) {
        let covered = path.steps.iter().filter(|step| step.new_edge).count() as u64;
        self.counters.covered += covered;
        self.counters.repeated += path.steps.len() as u64 - covered;
        self.counters.visited +=
            u64::from(path.new_start) + path.steps.iter().filter(|step| step.new_state).count() as u64;
        self.counters.paths += 1;
    }

    fn make(&mut self, path: &mut Path) -> bool {
        path.steps.clear();
        while self.root < self.graph.initial() {
            path.start = self.root;
            path.new_start = self.visit(self.root);
            let leads_on = self.walk(self.root, path);
            if path.new_start || !path.steps.is_empty() {
                return true;
            }
            if !leads_on {
                self.root += 1;
            }
        }
        while self.leftover < self.graph.states() {
            if self.has_edge_left(self.leftover) {
                self.walk_to(self.leftover, path);
                self.walk(self.leftover, path);
                return true;
            }
            self.leftover += 1;
        }
        false
    }

    /// Takes what is left until no edge leads on; returns whether any did. Repeated edges at the
    /// end are removed again.
    fn walk(&mut self, from: u32, path: &mut Path) -> bool {
        let mut at = from;
        // After the planned paths, the remaining repetitions of an edge are not needed.
        let is_planned = self.root < self.graph.initial();
        let begin = path.steps.len();
        while path.steps.len() < begin + LONGEST_PATH {
            let Some((edge, new_edge)) = self.leave(at, is_planned) else { break };
            let to = self.graph.target(edge);
            let new_state = new_edge && self.visit(to);
            path.steps.push(TourStep { from: at, edge, to, new_edge, new_state });
            at = to;
        }
        let leads_on = path.steps.len() > begin;
        let useful = path.steps.iter().rposition(|step| step.new_edge).map_or(0, |last| last + 1);
        path.steps.truncate(useful);
        leads_on
    }

    /// The next edge out of `state`, and whether it is new.
    fn leave(&mut self, state: u32, is_planned: bool) -> Option<(u32, bool)> {
        let end = self.graph.row(state).end;
        loop {
            let cursor = self.cursors[state as usize];
            let edge = cursor & !TAKEN;
            if edge >= end {
                return None;
            }
            if cursor & TAKEN == 0 {
                let has_more = self.plan.is_left(edge);
                self.cursors[state as usize] = if has_more { edge | TAKEN } else { edge + 1 };
                return Some((edge, true));
            }
            if is_planned && self.plan.take(edge) {
                return Some((edge, false));
            }
            self.cursors[state as usize] = edge + 1;
        }
    }

    fn has_edge_left(&self, state: u32) -> bool {
        let cursor = self.cursors[state as usize];
        let next_new = if cursor & TAKEN == 0 { cursor } else { (cursor & !TAKEN) + 1 };
        next_new < self.graph.row(state).end
    }

    /// Appends the breadth-first path to `state`. Its edges are covered: their sources have lower
    /// numbers and no edge left.
    fn walk_to(&mut self, state: u32, path: &mut Path) {
        path.lead_to(self.graph, state);
        path.new_start = self.visit(path.start);
    }

    fn visit(&mut self, state: u32) -> bool {
        let (word, bit) = (&mut self.visited[state as usize / 64], 1 << (state % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}
