//! The search in shards against the ordered one, which has its own tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use stateright::{Expectation, Model};

use super::super::toys::{Drawn, Grid, Layers, Ring, TwoPhase};
use super::super::{
    Bound, Ended, Exploration, ExploreError, Explored, Kept, Options, Row, Trace, explore, explore_in_shards,
};
use super::within;

fn options(threads: usize) -> Options<'static> {
    Options { threads, keep_edges: false, ..Options::default() }
}

fn in_shards<M>(model: &M, workers: usize) -> Exploration<M::State>
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync,
{
    explore_in_shards(model, &options(workers), |_, _, _| 0).expect("it can be explored")
}

/// All that must not depend on who explores, the traces' ends among it.
fn compare<M>(model: &M, workers: &[usize])
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync + Ord + std::fmt::Debug,
    M::Action: Clone + PartialEq + std::fmt::Debug,
{
    let ordered = explore(model, &options(1), |_, _| 0).expect("it can be explored");
    let mut traces: Option<Vec<Option<Vec<M::Action>>>> = None;
    for &workers in workers {
        let sharded = in_shards(model, workers);
        assert_eq!(sharded.states.iter().count() as u64, ordered.distinct());
        let (transitions, depth) = (sharded.transitions, sharded.depth());
        assert_eq!((transitions, depth), (ordered.transitions, ordered.depth()), "{workers} workers");
        assert_eq!((sharded.outside, &sharded.kinds), (ordered.outside, &ordered.kinds));
        assert_eq!(sharded.ended, Ended::Exhausted);
        assert_eq!((sharded.expanded, sharded.checked), (ordered.expanded, ordered.checked));
        assert_eq!(sharded.graph.initial(), ordered.graph.initial());
        assert_eq!(levels(&sharded), levels(&ordered), "{workers} workers");
        for (ours, theirs) in sharded.verdicts.iter().zip(&ordered.verdicts) {
            assert_eq!((ours.property, &ours.expectation, ours.holds), {
                (theirs.property, &theirs.expectation, theirs.holds)
            });
            let depth = |explored: &Exploration<_>, first: Option<u32>| {
                first.map(|first| explored.graph.depth(first))
            };
            assert_eq!(depth(&sharded, ours.first), depth(&ordered, theirs.first), "{}", ours.property);
        }
        (0..sharded.graph.states()).for_each(|index| replays(model, &sharded, index));
        let ways = sharded.verdicts.iter().filter(|verdict| verdict.expectation == Expectation::Always);
        let ways = ways.map(|verdict| Some(actions(sharded.trace(model, verdict.first?)))).collect();
        assert_eq!(*traces.get_or_insert_with(|| Vec::clone(&ways)), ways, "{workers} workers");
    }
}

pub(super) fn actions<A>(trace: Trace<A>) -> Vec<A> {
    trace.steps.into_iter().map(|(action, _)| action).collect()
}

/// The states of each depth.
fn levels<S: Row + Ord>(explored: &Exploration<S>) -> Vec<BTreeSet<S>> {
    let level = |level: std::ops::Range<u32>| level.map(|index| explored.states.get(index)).collect();
    explored.graph.levels().map(level).collect()
}

/// The trace to a state leads there, in as many steps as it is deep.
pub(super) fn replays<M>(model: &M, explored: &Exploration<M::State>, index: u32)
where
    M: Explored,
    M::State: Row + std::fmt::Debug,
{
    let trace = explored.trace(model, index);
    assert!(trace.start < explored.graph.initial());
    assert_eq!(trace.steps.len() as u32, explored.graph.depth(index));
    let mut state = explored.states.get(trace.start);
    for (action, next) in trace.steps {
        state = model.next_state(&state, action).expect("a step of the model");
        assert_eq!(state, explored.states.get(next));
    }
    assert_eq!(state, explored.states.get(index));
}

#[test]
fn any_number_of_workers_finds_what_the_ordered_explorer_finds() {
    let grid = Grid { sides: 6, most: 2, ..Grid::default() };
    compare(&grid, &[1, 2, 3, 5]);
    compare(&Grid { forbidden: 5, boundary: 1, ..grid }, &[1, 2, 3]);
    compare(&Ring { members: 5, patience: 6 }, &[1, 2, 3, 8]);
    compare(&Layers { depth: 12, width: 600, successors: 4 }, &[1, 2, 3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_graph_is_explored_alike(
        successors in prop::collection::vec(prop::collection::vec(0..40u32, 0..5), 40),
        initial in prop::collection::vec(0..40u32, 1..4),
        bad in prop::collection::vec(0..40u32, 1..4),
    ) {
        compare(&Drawn { initial, successors, bad }, &[2, 3]);
    }
}

#[test]
fn the_same_way_is_the_counterexample_for_any_number_of_workers() {
    let model = TwoPhase { managers: 5, hasty: true };
    let mut ways = BTreeMap::new();
    for workers in [1, 2, 3, 4] {
        let options = Options { stop_at_first_violation: true, ..options(workers) };
        let explored = explore_in_shards(&model, &options, |_, _, phase| phase.kind()).unwrap();
        assert_eq!(explored.ended, Ended::Stopped(Bound::Violation));
        let verdict = explored.violations().next().expect("haste is punished");
        assert_eq!(verdict.holds, Some(false));
        let first = verdict.first.expect("it is violated");
        replays(&model, &explored, first);
        // The level of the violation was expanded, and the next one only found.
        let found_deepest = explored.graph.depth(first) + 1;
        assert_eq!((explored.depth(), explored.depth_expanded()), (found_deepest, Some(found_deepest - 1)));
        let way = actions(explored.trace(&model, first));
        ways.entry(format!("{way:?}")).or_insert_with(Vec::new).push((workers, explored.distinct()));
    }
    assert_eq!(ways.len(), 1, "{ways:?}");
    let distinct: BTreeSet<u64> = ways.values().flatten().map(|(_, distinct)| *distinct).collect();
    assert_eq!(distinct.len(), 1, "{ways:?}");
    let options = Options { stop_at_first_violation: true, ..Options::default() };
    let ordered = explore(&model, &options, |_, phase| phase.kind()).unwrap();
    let first = ordered.violations().next().and_then(|verdict| verdict.first).expect("it is violated");
    assert!(
        ways.keys().all(|way| way.matches("(").count() == ordered.graph.depth(first) as usize),
        "{ways:?}"
    );
}

/// With room for nothing every worker waits behind each batch until all of it is taken in.
#[test]
fn nobody_waits_for_ever_where_hardly_anything_may_be_under_way() {
    let layers = Layers { depth: 5, width: 5_000, successors: 6 };
    let ordered = explore(&layers, &options(1), |_, _| 0).unwrap();
    for workers in [2, 3] {
        // Beyond one slice in each of the last levels.
        let explored = within(1, None, &layers, (&options(workers), Kept::default()), |_, _, _| 0).unwrap();
        assert_eq!(
            (explored.distinct(), explored.transitions, explored.depth()),
            (ordered.distinct(), ordered.transitions, ordered.depth())
        );
    }
}

#[test]
fn bounds_end_it_and_it_says_so() {
    let whole = Grid { sides: 9, most: 2, ..Grid::default() };
    let interrupt = AtomicBool::new(true);
    for workers in [1, 2, 3] {
        let cases = [
            (Options { max_states: 500, ..options(workers) }, Bound::States(500)),
            (Options { max_depth: Some(3), ..options(workers) }, Bound::Depth(3)),
            (Options { max_bytes: Some(100_000), ..options(workers) }, Bound::Bytes(100_000)),
            (Options { interrupt: Some(&interrupt), ..options(workers) }, Bound::Interrupted),
        ];
        for (options, bound) in cases {
            let explored = explore_in_shards(&whole, &options, |_, _, _| 0).unwrap();
            assert_eq!(explored.ended, Ended::Stopped(bound));
            assert!(explored.verdicts.iter().all(|verdict| verdict.holds.is_none()), "{bound}");
            assert!(explored.expanded < explored.distinct(), "{bound}");
            assert_eq!(explored.states.len() as u32, explored.graph.states());
            (0..explored.graph.states()).step_by(97).for_each(|index| replays(&whole, &explored, index));
        }
        let exactly = Options { max_states: 3u32.pow(9), max_depth: Some(19), ..options(workers) };
        assert!(explore_in_shards(&whole, &exactly, |_, _, _| 0).unwrap().is_exhausted());
        let at_the_depth = Grid { forbidden: 3, ..whole.clone() };
        let options = Options { max_depth: Some(3), ..options(workers) };
        let explored = explore_in_shards(&at_the_depth, &options, |_, _, _| 0).unwrap();
        assert_eq!(explored.verdicts[0].holds, Some(false), "states at the greatest depth are judged");
    }
}

#[test]
fn progress_grows_and_ends_with_everything() {
    let seen = std::sync::Mutex::new(Vec::new());
    let note = |progress| seen.lock().unwrap().push(progress);
    let grid = Grid { sides: 6, most: 2, ..Grid::default() };
    let options = Options { progress: Some(&note), ..options(2) };
    explore_in_shards(&grid, &options, |_, _, _| 0).unwrap();
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.len(), 13, "one a level");
    assert!(seen.is_sorted_by_key(|progress| progress.states));
    assert_eq!(seen.last().map(|progress| (progress.states, progress.frontier)), Some((729, 0)));
}

#[test]
fn what_it_cannot_do_is_refused() {
    let refused = |options: &Options<'_>| {
        explore_in_shards(&Grid { sides: 2, most: 1, ..Grid::default() }, options, |_, _, _| 0).unwrap_err()
    };
    assert_eq!(refused(&Options { threads: 0, ..options(1) }), ExploreError::NoThreads);
    assert_eq!(refused(&Options::default()), ExploreError::NotInShards { what: "edges" });
    let many = Options { threads: super::MOST_WORKERS + 1, ..options(1) };
    assert!(refused(&many).to_string().contains("1,024 workers"));
    let empty = Drawn { initial: vec![], successors: vec![], bad: vec![] };
    assert_eq!(
        explore_in_shards(&empty, &options(2), |_, _, _| 0).unwrap_err(),
        ExploreError::NoInitialState
    );
}

/// Panics in the middle of a level, in one worker of three.
#[derive(Clone)]
pub(super) struct Panics {
    pub(super) layers: Layers,
    pub(super) panics: bool,
}

impl Model for Panics {
    type State = (u32, u32);
    type Action = u32;

    fn init_states(&self) -> Vec<(u32, u32)> {
        self.layers.init_states()
    }

    fn actions(&self, state: &(u32, u32), actions: &mut Vec<u32>) {
        self.layers.actions(state, actions);
    }

    fn next_state(&self, state: &(u32, u32), action: u32) -> Option<(u32, u32)> {
        assert!(!self.panics || state.0 < 5 || state.1 % 50 != 7, "the model is broken here");
        self.layers.next_state(state, action)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        vec![stateright::Property::always("explored", |_, _| true)]
    }
}

impl Explored for Panics {}

#[test]
#[should_panic(expected = "the model is broken here")]
fn a_model_that_panics_ends_every_worker() {
    in_shards(&Panics { layers: Layers { depth: 8, width: 500, successors: 4 }, panics: true }, 3);
}
