//! Which states lead to a goal over some of the edges: repeated sweeps from the
//! last state to the first until nothing changes.
//!
//! In breadth-first order nearly every edge leads forward, so one sweep settles
//! nearly everything, and no reversed edges are needed.

use super::graph::Graph;

/// Of each state: whether a goal can be reached from it over edges that go on.
/// A state is judged only if none that follows it was seen to reach a goal
/// before, and at most once.
pub fn reaching(
    graph: &Graph,
    goes_on: impl Fn(u32) -> bool,
    mut is_goal: impl FnMut(u32) -> bool,
) -> Vec<bool> {
    let mut reaches = vec![false; graph.states() as usize];
    let leads_on = |reaches: &[bool], state| {
        graph.row(state).any(|edge| reaches[graph.target(edge) as usize] && goes_on(edge))
    };
    for state in (0..graph.states()).rev() {
        reaches[state as usize] = leads_on(&reaches, state) || is_goal(state);
    }
    loop {
        let mut changed = false;
        for state in (0..graph.states()).rev() {
            if !reaches[state as usize] && leads_on(&reaches, state) {
                reaches[state as usize] = true;
                changed = true;
            }
        }
        if !changed {
            return reaches;
        }
    }
}
