//! How often each edge must be taken so that paths from the initial states cover all edges.
//!
//! A path that arrives in a state leaves by at most one edge. So a state with more edges out than
//! in needs more arrivals: this is a flow with lower bound 1 on every edge. One sweep from the
//! deepest level to the shallowest solves it. The arrivals that a state lacks are assigned to edges
//! from the level before. States with spare arrivals come first. The rest goes in equal shares to
//! those sources that are nearest to such a state upstream; these then lack arrivals in turn.
//! (Assigning everything to the parent's edge took 3.2 steps for each edge of a layered random
//! graph; this takes 1.4. On a grid, which has no spare arrivals, both are minimal.)
//!
//! If the graph has no cycle, the paths follow the plan exactly.

use std::collections::HashMap;
use std::ops::Range;

use crate::explorer::Graph;

/// No state upstream has spare arrivals, or none within this distance.
const FAR: u8 = u8::MAX;

/// How many times more than once each edge must be taken.
pub(super) struct TourPlan {
    /// For each edge; an excess over 255 is in `beyond`.
    again: Vec<u8>,
    beyond: HashMap<u32, u32>,
    steps: u64,
}

impl TourPlan {
    pub(super) fn new(graph: &Graph) -> Self {
        let edges = graph.edges();
        let mut plan =
            TourPlan { again: vec![0; edges as usize], beyond: HashMap::new(), steps: u64::from(edges) };
        let mut sweep = Sweep::new(graph);
        let levels: Vec<Range<u32>> = graph.levels().collect();
        for pair in levels.windows(2).rev() {
            sweep.spend_what_is_spare(&mut plan, &pair[0], &pair[1]);
            sweep.share_what_is_lacking(&mut plan, &pair[0], &pair[1]);
        }
        plan
    }

    /// All steps of the plan.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Uses one repetition of `edge`; false if none is left.
    pub(super) fn take(&mut self, edge: u32) -> bool {
        let again = &mut self.again[edge as usize];
        if *again == 0 {
            return false;
        }
        *again -= 1;
        if *again == 0
            && let Some(rest) = self.beyond.get_mut(&edge)
        {
            *again = (*rest).min(255) as u8;
            *rest -= u32::from(*again);
        }
        true
    }

    /// Whether a repetition of `edge` is left.
    pub(super) fn is_left(&self, edge: u32) -> bool {
        self.again[edge as usize] > 0
    }

    fn add(&mut self, edge: u32, times: u32) {
        self.steps += u64::from(times);
        let again = &mut self.again[edge as usize];
        let fits = times.min(u32::from(255 - *again));
        *again += fits as u8;
        if times > fits {
            *self.beyond.entry(edge).or_default() += times - fits;
        }
    }
}

struct Sweep<'g> {
    graph: &'g Graph,
    /// For each state, arrivals minus departures.
    balance: Vec<i64>,
    /// For each state, the distance upstream, itself not counted, to a state with spare arrivals.
    upstream: Vec<u8>,
    /// For each state that lacks arrivals, the least `upstream` of its sources one level up, and
    /// how many edges come from such sources.
    nearest: Vec<(u8, u32)>,
}

impl<'g> Sweep<'g> {
    fn new(graph: &'g Graph) -> Self {
        let states = graph.states() as usize;
        let mut balance = vec![0i64; states];
        for state in 0..graph.states() {
            balance[state as usize] -= graph.row(state).len() as i64;
            for edge in graph.row(state) {
                balance[graph.target(edge) as usize] += 1;
            }
        }
        let mut upstream = vec![FAR; states];
        let levels: Vec<Range<u32>> = graph.levels().collect();
        for pair in levels.windows(2) {
            for source in pair[0].clone() {
                let has_spare = balance[source as usize] > 0;
                let here = if has_spare { 1 } else { upstream[source as usize].saturating_add(1) };
                for edge in graph.row(source) {
                    let target = graph.target(edge);
                    if pair[1].contains(&target) {
                        let least = &mut upstream[target as usize];
                        *least = here.min(*least);
                    }
                }
            }
        }
        Sweep { graph, balance, upstream, nearest: vec![(FAR, 0); states] }
    }

    fn lay(&mut self, plan: &mut TourPlan, source: u32, edge: u32, times: i64) {
        self.balance[source as usize] -= times;
        self.balance[self.graph.target(edge) as usize] += times;
        plan.add(edge, times as u32);
    }

    /// The first pass over the edges from `sources` to `targets`, the level after it. It also finds
    /// the sources for the rest.
    fn spend_what_is_spare(&mut self, plan: &mut TourPlan, sources: &Range<u32>, targets: &Range<u32>) {
        for source in sources.clone() {
            for edge in self.graph.row(source) {
                let target = self.graph.target(edge);
                let lacking = -self.balance[target as usize];
                if !targets.contains(&target) || lacking <= 0 {
                    continue;
                }
                let spare = self.balance[source as usize];
                if spare > 0 {
                    self.lay(plan, source, edge, lacking.min(spare));
                }
                let upstream = self.upstream[source as usize];
                let (least, edges) = &mut self.nearest[target as usize];
                if *edges == 0 || upstream < *least {
                    (*least, *edges) = (upstream, 1);
                } else if upstream == *least {
                    *edges += 1;
                }
            }
        }
    }

    fn share_what_is_lacking(&mut self, plan: &mut TourPlan, sources: &Range<u32>, targets: &Range<u32>) {
        for source in sources.clone() {
            for edge in self.graph.row(source) {
                let target = self.graph.target(edge);
                let lacking = -self.balance[target as usize];
                if !targets.contains(&target) || lacking <= 0 {
                    continue;
                }
                let (least, edges) = &mut self.nearest[target as usize];
                if *least == self.upstream[source as usize] && *edges > 0 {
                    let share = (lacking + i64::from(*edges) - 1) / i64::from(*edges);
                    *edges -= 1;
                    self.lay(plan, source, edge, share);
                }
            }
        }
    }
}
