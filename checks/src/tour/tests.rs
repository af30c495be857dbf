//! Tours of random graphs, checked edge by edge.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::explorer::toys::{Drawn, Grid, Layers};
use crate::explorer::{Options, explore};

fn graph_of(drawn: &Drawn) -> Graph {
    explore(drawn, &Options::default(), |_, _| 0).unwrap().graph
}

fn paths(mut tour: Tour<'_>) -> (Vec<Path>, Counters) {
    let (mut paths, mut path) = (Vec::new(), Path::default());
    while tour.next_path(&mut path) {
        paths.push(path.clone());
    }
    assert!(!tour.next_path(&mut path), "a tour that has ended stays so");
    (paths, tour.counters())
}

/// Every path is connected, every flag is right, and every edge is covered.
fn judge(graph: &Graph, paths: &[Path], counters: Counters) {
    let (mut edges, mut states) = (HashSet::new(), HashSet::new());
    for (number, path) in paths.iter().enumerate() {
        assert_eq!(path.number, number as u64);
        assert!(path.start < graph.initial());
        assert_eq!(path.new_start, states.insert(path.start));
        let mut at = path.start;
        for step in &path.steps {
            assert_eq!(step.from, at);
            assert!(graph.row(at).contains(&step.edge));
            assert_eq!(step.to, graph.target(step.edge));
            assert_eq!(step.new_edge, edges.insert(step.edge));
            assert_eq!(step.new_state, states.insert(step.to));
            at = step.to;
        }
        assert!(path.steps.last().is_none_or(|last| last.new_edge), "the last step serves nobody");
        assert!(path.new_start || !path.steps.is_empty());
    }
    assert_eq!(edges.len() as u32, graph.edges());
    assert_eq!(states.len() as u32, graph.states());
    let steps = paths.iter().map(|path| path.steps.len() as u64).sum::<u64>();
    let expected = Counters {
        edges: u64::from(graph.edges()),
        covered: edges.len() as u64,
        repeated: steps - edges.len() as u64,
        visited: states.len() as u64,
        paths: paths.len() as u64,
    };
    assert_eq!((counters, counters.steps()), (expected, steps));
}

#[test]
fn a_grid_is_toured_by_its_plan_to_the_step() {
    let grid = Grid { sides: 6, most: 2, ..Grid::default() };
    let graph = explore(&grid, &Options::default(), |_, _| 0).unwrap().graph;
    let planned = Tour::new(&graph).planned_steps();
    let (paths, counters) = paths(Tour::new(&graph));
    judge(&graph, &paths, counters);
    assert_eq!(counters.steps(), planned);
    // No state before the widest level has spare arrivals, so every extra departure needs a path
    // from the beginning.
    let least: i64 = (0..graph.states())
        .map(|state| {
            let arrivals = (0..graph.edges()).filter(|&edge| graph.target(edge) == state).count() as i64;
            (graph.row(state).len() as i64 - arrivals).max(0) * i64::from(graph.depth(state))
        })
        .sum();
    assert_eq!(planned as i64, i64::from(graph.edges()) + least);
}

#[test]
fn a_layered_graph_takes_fewer_than_three_steps_for_two_edges() {
    let layers = Layers { depth: 40, width: 300, successors: 8 };
    let graph = explore(&layers, &Options::default(), |_, _| 0).unwrap().graph;
    let planned = Tour::new(&graph).planned_steps();
    let (paths, counters) = paths(Tour::new(&graph));
    judge(&graph, &paths, counters);
    assert_eq!(counters.steps(), planned);
    assert!(counters.steps() * 2 < counters.edges * 3, "{counters:?}");
}

#[test]
fn a_ring_is_one_path_and_a_long_one_is_cut() {
    let ring = |states: u32| Drawn {
        initial: vec![0],
        successors: (0..states).map(|state| vec![(state + 1) % states]).collect(),
        bad: vec![],
    };
    let graph = graph_of(&ring(50));
    assert_eq!(paths(Tour::new(&graph)).1.paths, 1);
    let long = graph_of(&ring(2 * LONGEST_PATH as u32 + 10));
    let (cut, counters) = paths(Tour::new(&long));
    judge(&long, &cut, counters);
    assert_eq!(counters.paths, 3);
}

#[test]
fn an_initial_state_without_edges_is_visited() {
    let graph = graph_of(&Drawn { initial: vec![0, 1], successors: vec![vec![], vec![]], bad: vec![] });
    let (paths, counters) = paths(Tour::new(&graph));
    judge(&graph, &paths, counters);
    assert_eq!((counters.paths, counters.visited, counters.steps()), (2, 2, 0));
}

#[test]
fn many_repetitions_of_one_edge_are_counted_right() {
    // One bridge to 1,000 leaves: its edge is taken 1,000 times.
    let mut successors = vec![vec![1], (2..1_002).collect::<Vec<u32>>()];
    successors.resize(1_002, vec![]);
    let graph = graph_of(&Drawn { initial: vec![0], successors, bad: vec![] });
    let (paths, counters) = paths(Tour::new(&graph));
    judge(&graph, &paths, counters);
    assert_eq!((counters.paths, counters.steps(), counters.repeated), (1_000, 2_000, 999));
}

fn any_graph() -> impl Strategy<Value = Drawn> {
    (1..60u32, any::<bool>()).prop_flat_map(|(states, is_acyclic)| {
        let some = || prop::collection::vec(0..states, 1..3);
        let rows = prop::collection::vec(prop::collection::vec(0..states, 0..5), states as usize);
        (some(), rows).prop_map(move |(initial, mut successors)| {
            if is_acyclic {
                for (state, row) in successors.iter_mut().enumerate() {
                    row.retain(|&next| next as usize > state);
                }
            }
            Drawn { initial, successors, bad: vec![] }
        })
    })
}

proptest! {
    #[test]
    fn any_graph_is_covered_and_every_flag_is_true(drawn in any_graph()) {
        let graph = graph_of(&drawn);
        let (whole, counters) = paths(Tour::new(&graph));
        judge(&graph, &whole, counters);
        let (again, _) = paths(Tour::new(&graph));
        prop_assert_eq!(&whole, &again);
        if drawn.successors.iter().enumerate().all(|(state, row)| row.iter().all(|&next| next as usize > state)) {
            prop_assert_eq!(counters.steps(), Tour::new(&graph).planned_steps());
        }
    }

    /// Copies are kept exactly where a later path branches off, are found there, and none is kept
    /// without need.
    #[test]
    fn a_copy_is_kept_wherever_a_later_path_branches_off(drawn in any_graph()) {
        let graph = graph_of(&drawn);
        let (whole, _) = paths(Tour::new(&graph));
        let (mut tour, mut batch, mut batched) = (Tour::new(&graph), Batch::default(), Vec::new());
        while batch.take(PATHS, |path| tour.next_path(path)) {
            let mut stands: Vec<Vec<u32>> = Vec::new();
            let mut before: Option<(u32, Vec<u32>)> = None;
            for (path, Parting { shared, again, kept }) in batch.iter() {
                let way: Vec<u32> = path.steps.iter().map(|step| step.edge).collect();
                let (same, rest) = way.split_at(*shared);
                match before {
                    Some((start, before)) if start == path.start => {
                        prop_assert_eq!(same, &before[..*shared]);
                        prop_assert!(rest.is_empty() || before.get(*shared) != rest.first());
                    }
                    _ => prop_assert_eq!(*shared, 0),
                }
                stands.retain(|stand| stand.len() <= *shared);
                prop_assert!(*shared == 0 || stands.last().is_some_and(|stand| stand == same));
                if *shared > 0 && !again {
                    stands.pop();
                }
                prop_assert!(kept.is_sorted() && kept.iter().all(|steps| steps > shared));
                stands.extend(kept.iter().map(|steps| way[..*steps].to_vec()));
                before = Some((path.start, way));
            }
            prop_assert!(stands.is_empty(), "kept for nobody: {stands:?}");
            batched.extend(batch.iter().map(|(path, _)| path.clone()));
        }
        prop_assert_eq!(batched, whole);
    }
}
