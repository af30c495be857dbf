//! Which states lead to a goal over a subset of the edges: sweeps from the last state to the first,
//! until nothing changes.
//!
//! In breadth-first order nearly every edge leads forward, so one sweep settles nearly everything,
//! and no reversed edges are needed. Threads share the first sweep, piece by piece. A thread does
//! not wait for another one's results on later states: it checks a state by itself, or leaves it to
//! the later sweeps, which check nothing.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::graph::Graph;

/// How many states a thread takes at a time.
const PIECE: u32 = 4_096;

/// For each state, whether a goal can be reached from it over the edges for which `goes_on` is
/// true. Each thread makes its own judge, which says whether a state is a goal. A state is judged
/// at most once, and only if no later state was found to lead to a goal.
pub fn reaching<J: FnMut(u32) -> bool>(
    graph: &Graph,
    threads: usize,
    goes_on: impl Fn(u32) -> bool + Sync,
    judge: impl Fn() -> J + Sync,
) -> Vec<bool> {
    reaching_in_pieces(graph, threads, PIECE, goes_on, judge)
}

pub(super) fn reaching_in_pieces<J: FnMut(u32) -> bool>(
    graph: &Graph,
    threads: usize,
    piece: u32,
    goes_on: impl Fn(u32) -> bool + Sync,
    judge: impl Fn() -> J + Sync,
) -> Vec<bool> {
    let reaches: Vec<AtomicBool> = (0..graph.states()).map(|_| AtomicBool::new(false)).collect();
    let has = |state: u32| reaches[state as usize].load(Ordering::Relaxed);
    let leads_on = |state: u32| graph.row(state).any(|edge| has(graph.target(edge)) && goes_on(edge));
    let pieces = AtomicU32::new(graph.states().div_ceil(piece));
    let sweep = || {
        let mut is_goal = judge();
        let next = |left: u32| left.checked_sub(1);
        while let Ok(left) = pieces.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            let begin = (left - 1) * piece;
            for state in (begin..graph.states().min(begin.saturating_add(piece))).rev() {
                if leads_on(state) || is_goal(state) {
                    reaches[state as usize].store(true, Ordering::Relaxed);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(sweep);
        }
    });
    loop {
        let mut changed = false;
        for state in (0..graph.states()).rev() {
            if !has(state) && leads_on(state) {
                reaches[state as usize].store(true, Ordering::Relaxed);
                changed = true;
            }
        }
        if !changed {
            return reaches.into_iter().map(AtomicBool::into_inner).collect();
        }
    }
}
