//! Compares the explorer with counts from formulas, brute force and stateright.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use proptest::prelude::*;
use stateright::{Expectation, Model};

use super::reaching::reaching_in_pieces;
use super::toys::{Drawn, Grid, Pass, Ring, TwoPhase, sum};
use super::*;

fn grid(sides: usize, most: u8) -> Grid {
    Grid { sides, most, ..Grid::default() }
}

fn all<M>(model: &M) -> Exploration<M::State>
where
    M: Explored + Sync,
    M::State: Row + Send + Sync,
{
    explore(model, &Options::default(), |_, _| 0).unwrap()
}

fn verdict<'a, S>(exploration: &'a Exploration<S>, name: &str) -> &'a Verdict {
    exploration.verdicts.iter().find(|v| v.property == name).unwrap()
}

#[test]
fn a_grid_has_the_counts_of_its_formula() {
    let exploration = explore(&grid(8, 2), &Options::default(), |_, &side| side).unwrap();
    assert!(exploration.is_exhausted());
    assert_eq!(exploration.distinct(), 3u64.pow(8));
    // Each counter goes up 2 times for every setting of the 7 others.
    assert_eq!(exploration.kinds, vec![2 * 3u64.pow(7); 8]);
    assert_eq!(exploration.transitions, 8 * 2 * 3u64.pow(7));
    assert_eq!(u64::from(exploration.graph.edges()), exploration.transitions);
    assert_eq!(exploration.depth(), 16);
    assert_eq!((exploration.checked, exploration.expanded), (3u64.pow(8), 3u64.pow(8)));
    for (index, state) in exploration.states.iter().enumerate() {
        assert_eq!(exploration.graph.depth(index as u32), sum(&state));
    }
}

#[test]
fn reachability_is_decided_once_exhausted() {
    let exploration = all(&grid(4, 1));
    let full = verdict(&exploration, "full");
    assert_eq!((full.first, full.holds), (Some(15), Some(true)));
    assert_eq!(exploration.unreached().map(|v| v.property).collect::<Vec<_>>(), ["beyond_full"]);
    assert_eq!(verdict(&exploration, "beyond_full").holds, Some(false));
    assert_eq!(verdict(&exploration, "below_forbidden").holds, Some(true));
}

#[test]
fn every_violated_property_gets_its_own_shortest_trace() {
    let ring = Ring { members: 5, patience: 6 };
    let exploration = all(&ring);
    let traces: Vec<_> =
        exploration.violations().map(|v| (v.property, exploration.trace(&ring, v.first.unwrap()))).collect();
    assert_eq!(traces.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["one_token", "three_tokens"]);
    // Six passes until the holder's patience ends, and one or two duplications.
    assert_eq!(traces[0].1.steps.len(), 7);
    assert_eq!(traces[1].1.steps.len(), 8);
    assert_eq!(traces[0].1.steps[5..].iter().map(|(a, _)| a).collect::<Vec<_>>(), [&Pass::On, &Pass::Twice]);
}

#[test]
fn a_trace_replays_to_the_state_it_names() {
    let model = TwoPhase { managers: 4, hasty: true };
    let exploration = explore(&model, &Options::default(), |_, phase| phase.kind()).unwrap();
    let violation = exploration.violations().next().unwrap();
    let trace = exploration.trace(&model, violation.first.unwrap());
    let mut state = exploration.states.get(trace.start);
    for (action, index) in trace.steps {
        state = model.next_state(&state, action).unwrap();
        assert_eq!(state, exploration.states.get(index));
    }
    assert!(exploration.kinds.iter().all(|&fired| fired > 0), "{:?}", exploration.kinds);
    assert_eq!(all(&TwoPhase { managers: 4, hasty: false }).violations().count(), 0);
}

#[test]
fn stopping_at_the_first_violation_names_the_same_state_and_claims_no_more() {
    let forbidding = Grid { forbidden: 5, ..grid(8, 2) };
    let to_the_end = all(&forbidding);
    let options = Options { stop_at_first_violation: true, ..Options::default() };
    let stopped = explore(&forbidding, &options, |_, _| 0).unwrap();
    assert_eq!(stopped.ended, Ended::Stopped(Bound::Violation));
    assert_eq!(verdict(&stopped, "below_forbidden"), verdict(&to_the_end, "below_forbidden"));
    assert_eq!(verdict(&stopped, "full").holds, None);
    assert!(stopped.distinct() < to_the_end.distinct());
}

#[test]
fn bounds_end_an_exploration_and_are_reported() {
    let whole = grid(8, 2);
    let interrupt = AtomicBool::new(true);
    let cases = [
        (Options { max_states: 500, ..Options::default() }, Bound::States(500)),
        (Options { max_depth: Some(3), ..Options::default() }, Bound::Depth(3)),
        (Options { max_bytes: Some(200_000), ..Options::default() }, Bound::Bytes(200_000)),
        (Options { interrupt: Some(&interrupt), ..Options::default() }, Bound::Interrupted),
    ];
    for (options, bound) in cases {
        let exploration = explore(&whole, &options, |_, _| 0).unwrap();
        assert_eq!(exploration.ended, Ended::Stopped(bound));
        assert!(!exploration.is_exhausted());
        assert!(exploration.verdicts.iter().all(|v| v.holds.is_none()), "{bound}");
        assert_eq!(exploration.graph.row(exploration.graph.states() - 1), 0..0);
        assert!(exploration.expanded < exploration.distinct(), "{bound}");
        let edges: u32 = (0..exploration.graph.states()).map(|s| exploration.graph.row(s).len() as u32).sum();
        assert_eq!(edges, exploration.graph.edges());
    }
}

#[test]
fn a_bound_that_is_met_exactly_is_no_bound() {
    let options = Options { max_states: 3u32.pow(8), max_depth: Some(17), ..Options::default() };
    assert!(explore(&grid(8, 2), &options, |_, _| 0).unwrap().is_exhausted());
}

#[test]
fn states_at_the_greatest_depth_are_judged() {
    let forbidding = Grid { forbidden: 3, ..grid(8, 2) };
    let options = Options { max_depth: Some(3), ..Options::default() };
    let exploration = explore(&forbidding, &options, |_, _| 0).unwrap();
    assert_eq!(verdict(&exploration, "below_forbidden").holds, Some(false));
    assert_eq!(exploration.checked, exploration.distinct());
}

#[test]
fn the_boundary_cuts_and_is_counted() {
    let bounded = Grid { boundary: 1, ..grid(4, 2) };
    let exploration = all(&bounded);
    assert!(exploration.is_exhausted());
    assert_eq!((exploration.distinct(), exploration.outside), (2 * 27, 27));
}

#[test]
fn unsupported_properties_are_refused() {
    let refused = |model: &Grid, options: &Options<'_>| explore(model, options, |_, _| 0).unwrap_err();
    let options = Options::default();
    let eventual = Grid { with_eventually: true, ..grid(2, 1) };
    assert_eq!(refused(&eventual, &options), ExploreError::Eventually { name: "ends_full" });
    assert_eq!(refused(&grid(2, 1), &Options { threads: 0, ..options }), ExploreError::NoThreads);
    let empty = Drawn { initial: vec![], successors: vec![], bad: vec![] };
    assert_eq!(explore(&empty, &options, |_, _| 0).unwrap_err(), ExploreError::NoInitialState);
}

#[test]
fn nothing_depends_on_the_number_of_threads() {
    let model = Grid { forbidden: 9, ..grid(10, 2) };
    for stop_at_first_violation in [false, true] {
        for max_states in [20_000, u32::MAX] {
            let run = |threads| {
                let options = Options { threads, stop_at_first_violation, max_states, ..Options::default() };
                let mut exploration = explore(&model, &options, |_, &side| side).unwrap();
                exploration.peak_bytes = 0; // buffers may differ in size
                exploration
            };
            let one = run(1);
            assert!(one == run(2) && one == run(3), "stop {stop_at_first_violation}, at most {max_states}");
        }
    }
}

#[test]
fn without_edges_everything_else_is_the_same() {
    let model = TwoPhase { managers: 5, hasty: true };
    let with = all(&model);
    let options = Options { keep_edges: false, ..Options::default() };
    let without = explore(&model, &options, |_, _| 0).unwrap();
    assert_eq!(without.graph.edges(), 0);
    assert_eq!((&without.states, &without.verdicts), (&with.states, &with.verdicts));
    assert_eq!((without.transitions, without.ended), (with.transitions, with.ended));
    assert!(without.peak_bytes < with.peak_bytes);
    let last = with.graph.states() - 1;
    assert_eq!(without.trace(&model, last), with.trace(&model, last));
}

#[test]
fn progress_is_reported_in_order() {
    let seen = Mutex::new(Vec::new());
    let note = |progress: Progress| seen.lock().unwrap().push(progress);
    let options = Options { threads: 2, progress: Some(&note), keep_edges: false, ..Options::default() };
    let exploration = explore(&grid(12, 2), &options, |_, _| 0).unwrap();
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.len() as u64, exploration.distinct() >> 13);
    assert!(seen.is_sorted_by_key(|p| (p.depth, p.states)));
    assert!(seen.iter().all(|p| p.frontier > 0 && p.frontier < p.states));
}

#[test]
fn peak_bytes_count_at_least_what_is_handed_out() {
    let exploration = all(&grid(10, 2));
    let handed_out = exploration.distinct() * (64 + 4 + 4) + exploration.transitions * 5;
    assert!(exploration.peak_bytes > handed_out);
    assert!(exploration.peak_bytes < 3 * handed_out);
}

struct Panics(Grid);

impl Model for Panics {
    type State = [u8; 64];
    type Action = usize;

    fn init_states(&self) -> Vec<[u8; 64]> {
        self.0.init_states()
    }

    fn actions(&self, state: &[u8; 64], actions: &mut Vec<usize>) {
        assert!(sum(state) < 12, "deliberate");
        self.0.actions(state, actions);
    }

    fn next_state(&self, state: &[u8; 64], side: usize) -> Option<[u8; 64]> {
        self.0.next_state(state, side)
    }
}

impl Explored for Panics {}

#[test]
#[should_panic]
fn a_model_that_panics_on_a_thread_ends_it_rather_than_hang_it() {
    let options = Options { threads: 2, ..Options::default() };
    let _ = explore(&Panics(grid(10, 2)), &options, |_, _| 0);
}

fn any_graph() -> impl Strategy<Value = Drawn> {
    (1..40u32).prop_flat_map(|states| {
        let successors = prop::collection::vec(prop::collection::vec(0..states, 0..5), states as usize);
        let some = || prop::collection::vec(0..states, 1..4);
        (some(), successors, some()).prop_map(|(initial, successors, bad)| Drawn { initial, successors, bad })
    })
}

/// The depth of every reachable state, by a queue and a map.
fn depths(drawn: &Drawn) -> HashMap<u32, u32> {
    let mut depths = HashMap::new();
    let mut queue: VecDeque<(u32, u32)> = drawn.initial.iter().map(|&state| (state, 0)).collect();
    while let Some((state, depth)) = queue.pop_front() {
        if let std::collections::hash_map::Entry::Vacant(entry) = depths.entry(state) {
            entry.insert(depth);
            queue.extend(drawn.successors[state as usize].iter().map(|&next| (next, depth + 1)));
        }
    }
    depths
}

proptest! {
    #[test]
    fn any_graph_is_explored_as_a_queue_and_a_map_would(drawn in any_graph()) {
        let exploration = all(&drawn);
        let depths = depths(&drawn);
        prop_assert_eq!(exploration.states.len(), depths.len());
        for (index, state) in exploration.states.iter().enumerate() {
            let index = index as u32;
            prop_assert_eq!(exploration.graph.depth(index), depths[&state]);
            prop_assert_eq!(exploration.trace(&drawn, index).steps.len() as u32, depths[&state]);
            let targets: Vec<u32> = exploration.graph.row(index)
                .map(|edge| exploration.states.get(exploration.graph.target(edge))).collect();
            prop_assert_eq!(&targets, &drawn.successors[state as usize]);
            for edge in exploration.graph.row(index) {
                let action = exploration.action(&drawn, index, exploration.graph.ordinal(edge));
                let target = exploration.states.get(exploration.graph.target(edge));
                let next = drawn.next_state(&state, action);
                prop_assert_eq!(next, Some(target));
            }
        }
        prop_assert_eq!(exploration.transitions, u64::from(exploration.graph.edges()));
        let shortest = drawn.bad.iter().filter_map(|bad| depths.get(bad)).min().copied();
        for verdict in &exploration.verdicts[..2] {
            prop_assert_eq!(verdict.first.map(|first| exploration.graph.depth(first)), shortest);
            prop_assert_eq!(verdict.holds, Some((verdict.expectation == Expectation::Sometimes) == shortest.is_some()));
        }
        let levels: Vec<u32> = exploration.graph.levels().flatten().collect();
        prop_assert_eq!(levels, (0..exploration.graph.states()).collect::<Vec<_>>());
        let agreement = agree(std::sync::Arc::new(drawn), &exploration, 2, None);
        prop_assert!(agreement.agrees, "{}", agreement.why);
    }
}

/// Which states lead to one of `goals` over the edges of `open`, by a search from each.
fn reaching_by_brute_force(graph: &Graph, open: impl Fn(u32) -> bool, goals: &[u32]) -> Vec<bool> {
    let reaches = |from: u32| {
        let (mut seen, mut queue) = (vec![from], VecDeque::from([from]));
        while let Some(state) = queue.pop_front() {
            if goals.contains(&state) {
                return true;
            }
            for edge in graph.row(state).filter(|edge| open(*edge)) {
                let target = graph.target(edge);
                if !seen.contains(&target) {
                    seen.push(target);
                    queue.push_back(target);
                }
            }
        }
        false
    };
    (0..graph.states()).map(reaches).collect()
}

proptest! {
    #[test]
    fn reaching_agrees_with_a_search_from_each_state(
        successors in proptest::collection::vec(proptest::collection::vec(0u32..24, 0..4), 24),
        goals in proptest::collection::vec(0u32..24, 0..4),
        closed in proptest::collection::hash_set(0u32..72, 0..40),
    ) {
        let drawn = Drawn { initial: vec![0], successors, bad: Vec::new() };
        let exploration = all(&drawn);
        let graph = &exploration.graph;
        let open = |edge: u32| !closed.contains(&edge);
        for threads in [1, 2] {
            let judged: Vec<AtomicU32> = exploration.states.iter().map(|_| AtomicU32::new(0)).collect();
            let reaches = reaching_in_pieces(graph, threads, 5, open, || |state: u32| {
                judged[state as usize].fetch_add(1, Ordering::Relaxed);
                goals.contains(&state)
            });
            prop_assert_eq!(reaches, reaching_by_brute_force(graph, open, &goals));
            let is_once = |times: &AtomicU32| times.load(Ordering::Relaxed) <= 1;
            prop_assert!(judged.iter().all(is_once), "a state was judged twice");
        }
    }
}

#[test]
fn a_ring_reaches_a_goal_on_it_and_none_behind_a_closed_edge() {
    let drawn =
        Drawn { initial: vec![0], successors: vec![vec![1], vec![2], vec![0, 3], vec![]], bad: vec![] };
    let exploration = all(&drawn);
    let graph = &exploration.graph;
    assert_eq!(reaching(graph, 2, |_| true, || |state| state == 1), [true, true, true, false]);
    assert_eq!(
        reaching(graph, 2, |edge| graph.target(edge) != 3, || |state| state == 3),
        [false, false, false, true]
    );
}
