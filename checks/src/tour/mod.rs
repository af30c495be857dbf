//! A tour: every edge of an explored graph, by few and long paths.
//!
//! Every path begins at an initial state. A plan (`plan.rs`) says how often each
//! edge has to be taken for that; the paths simply take what is
//! left until nothing leads on. In a graph with cycles some cycles may
//! remain: they are fetched afterwards, by the breadth-first way to
//! the first state of each. Paths are made one at a time: what is held is a
//! byte an edge and about four a state. A batch of them (`batch.rs`) says where
//! each parts from the one before.
//!
//! Left out: replaying.

mod batch;
mod plan;
#[cfg(test)]
mod tests;

use crate::explorer::Graph;
use plan::TourPlan;

pub use batch::{Batch, PATHS, Parting};

/// No path goes on longer than this. Only cycles could; a divergence should stay readable.
pub const LONGEST_PATH: usize = 4_096;

/// Of a state's cursor: the edge that it points to has been taken before.
const TAKEN: u32 = 1 << 31;

/// One edge taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TourStep {
    /// The state before.
    pub from: u32,
    /// The edge.
    pub edge: u32,
    /// The state after.
    pub to: u32,
    /// Whether no step of the whole tour took this edge before.
    pub new_edge: bool,
    /// Whether no step of the whole tour came to `to` before.
    pub new_state: bool,
}

/// A way from an initial state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Its place in the whole tour, from 0; of a way to a state, that state.
    pub number: u64,
    /// The initial state.
    pub start: u32,
    /// Whether no path of the whole tour came to `start` before.
    pub new_start: bool,
    /// The steps. None only where an initial state has no edge.
    pub steps: Vec<TourStep>,
}

impl Path {
    /// Becomes the breadth-first way to `state`, on which nothing is new.
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
    /// Steps on edges taken before.
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

/// The paths of a tour, one after the other.
pub struct Tour<'g> {
    graph: &'g Graph,
    plan: TourPlan,
    /// Of each state its next edge, with [`TAKEN`].
    cursors: Vec<u32>,
    visited: Vec<u64>,
    /// The initial state whose paths are being made; behind them the first
    /// state that may still have an edge left.
    root: u32,
    leftover: u32,
    counters: Counters,
}

impl<'g> Tour<'g> {
    /// The whole tour.
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

    /// The steps of all paths together: exact without cycles, otherwise a little too few.
    pub fn planned_steps(&self) -> u64 {
        self.plan.steps()
    }

    /// What the paths yielded so far come to.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Bytes held, without the graph.
    pub fn bytes(&self) -> u64 {
        u64::from(self.graph.edges()) + self.cursors.len() as u64 * 4 + self.visited.len() as u64 * 8
    }

    /// Writes the next path over `path`; false if there is none.
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

    /// Takes what is left until nothing leads on; whether anything did.
    /// Repetitions at the end are cut off again: they serve a later new edge or nobody.
    fn walk(&mut self, from: u32, path: &mut Path) -> bool {
        let mut at = from;
        // Once the planned paths are made, an edge's leftover repetitions serve nobody.
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

    /// The breadth-first way to `state`: its edges were covered before, since
    /// their sources have lower numbers and nothing left.
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
