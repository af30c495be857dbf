//! The search over several processes, each of them a thread here with a model of its own, against
//! the ordered search.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::thread;

use rollcall_model::scopes;
use rollcall_model::{GuardSet, Rollcall};
use stateright::Model;

use super::super::toys::{Grid, Layers, Ring, TwoPhase};
use super::super::{Bound, Ended, Exploration, ExploreError, Explored, Kept, Options, Row, explore};
use super::tests::{Panics, actions, replays};
use super::{Kind, Processes, within};

pub(super) fn options(threads: usize) -> Options<'static> {
    Options { threads, keep_edges: false, ..Options::default() }
}

/// Connections between so many processes.
pub(super) fn connected(count: usize) -> Vec<Processes> {
    let none = || (0..count).map(|_| None).collect();
    let mut all: Vec<Processes> = (0..count).map(|me| Processes { me, connections: none() }).collect();
    for one in 0..count {
        for other in 0..one {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = listener.local_addr().expect("it has one");
            let connection = TcpStream::connect(address).expect("somebody listens");
            all[one].connections[other] = Some(connection);
            all[other].connections[one] = Some(listener.accept().expect("somebody has connected").0);
        }
    }
    all
}

pub(super) type Yielded<M> = thread::Result<Result<Exploration<<M as Model>::State>, ExploreError>>;

/// What each process yields, with its own model, options and checkpoints.
pub(super) fn across<'a, M>(
    count: usize,
    model: impl Fn(usize) -> M + Sync,
    options: impl Fn(usize) -> Options<'a> + Sync,
    kept: impl Fn(usize) -> Kept + Sync,
    kind: Kind<M>,
) -> Vec<Yielded<M>>
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync,
{
    let run = |processes: Processes| {
        let me = processes.me;
        // With little room for what is under way, so that senders wait too.
        within(1 << 14, Some(processes), &model(me), (&options(me), kept(me)), kind)
    };
    thread::scope(|scope| {
        let run = &run;
        let running: Vec<_> =
            connected(count).into_iter().map(|processes| scope.spawn(move || run(processes))).collect();
        running.into_iter().map(|running| running.join()).collect()
    })
}

/// All that must not depend on who explores.
fn compare<M>(model: impl Fn() -> M + Sync, kind: Kind<M>, first_violation: bool, shapes: &[(usize, usize)])
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync + std::fmt::Debug,
    M::Action: Clone + PartialEq + std::fmt::Debug,
{
    let asked = |threads| Options { stop_at_first_violation: first_violation, ..options(threads) };
    let sound = model();
    let by_kind = |state: &M::State, action: &M::Action| kind(&sound, state, action);
    let ordered = explore(&sound, &asked(1), by_kind).expect("it can be explored");
    let depths = |explored: &Exploration<M::State>| {
        let depth = |first: Option<u32>| first.map(|first| explored.graph.depth(first));
        let verdicts = explored.verdicts.iter();
        verdicts.map(|verdict| (verdict.property, verdict.holds, depth(verdict.first))).collect::<Vec<_>>()
    };
    let mut ways: Option<Vec<_>> = None;
    for &(count, workers) in shapes {
        let models: Vec<M> = (0..count).map(|_| model()).collect();
        let all = across(count, |me| models[me].clone(), |_| asked(workers), |_| Kept::default(), kind);
        for (explored, model) in all.into_iter().zip(&models) {
            let explored = explored.expect("nothing panics").expect("it is explored");
            if !first_violation {
                let figures = |of: &Exploration<_>| (of.distinct(), of.transitions, of.outside, of.depth());
                assert_eq!(figures(&explored), figures(&ordered), "{count} of {workers}");
                assert_eq!(explored.kinds, ordered.kinds);
                assert_eq!((explored.expanded, explored.checked), (ordered.expanded, ordered.checked));
                assert_eq!(explored.depth_expanded(), ordered.depth_expanded());
            }
            assert_eq!(explored.ended, ordered.ended);
            // Which property falls first in a level may differ; that one falls, and how soon, may not.
            let least = |of: &Exploration<_>| of.violations().filter_map(|it| it.first).min();
            let depth = |of: &Exploration<_>| least(of).map(|first| of.graph.depth(first));
            assert_eq!(depth(&explored), depth(&ordered), "{count} of {workers}");
            if !first_violation {
                assert_eq!(depths(&explored), depths(&ordered), "{count} of {workers}");
            }
            (0..explored.graph.states()).for_each(|index| replays(model, &explored, index));
            let way = |first| actions(explored.trace(model, first));
            let found: Vec<_> =
                explored.violations().map(|verdict| way(verdict.first.expect("it is violated"))).collect();
            assert_eq!(*ways.get_or_insert_with(|| found.clone()), found, "{count} of {workers}");
        }
    }
}

#[test]
fn any_number_of_processes_finds_what_the_ordered_explorer_finds() {
    let shapes = [(1, 2), (2, 1), (2, 2), (3, 1)];
    let grid = || Grid { sides: 6, most: 2, forbidden: 5, boundary: 1, ..Grid::default() };
    compare(grid, |_, _, side| *side, false, &shapes);
    compare(|| Ring { members: 5, patience: 6 }, |_, _, _| 0, false, &shapes);
    compare(|| Layers { depth: 12, width: 600, successors: 4 }, |_, _, _| 0, false, &shapes);
    compare(|| TwoPhase { managers: 5, hasty: true }, |_, _, phase| phase.kind(), true, &shapes);
}

/// Each process numbers parts by itself.
#[test]
fn parts_are_translated() {
    let model =
        |name: &str, guards| scopes::named(name).expect("it is there").model(guards).expect("it begins");
    for name in ["grow_and_shrink_smoke", "split_against_a_remove_smoke"] {
        let sound = || model(name, GuardSet::ALL);
        compare(sound, Rollcall::kind_of, false, &[(2, 1), (2, 2)]);
    }
    let broken = || model("replace_one_by_one_smoke", GuardSet::without(rollcall_model::Guard::SnapshotOnce));
    compare(broken, Rollcall::kind_of, true, &[(2, 1), (3, 2)]);
}

#[test]
fn a_bound_that_one_hits_ends_all() {
    let model = |_| Layers { depth: 30, width: 3_000, successors: 4 };
    static INTERRUPT: AtomicBool = AtomicBool::new(true);
    let one = |me: usize| match me {
        1 => Options { interrupt: Some(&INTERRUPT), ..options(1) },
        _ => options(1),
    };
    let depth = |_| Options { max_depth: Some(3), ..options(2) };
    let cases: [(&(dyn Fn(usize) -> Options<'static> + Sync), _); 2] =
        [(&one, Bound::Interrupted), (&depth, Bound::Depth(3))];
    for (options, bound) in cases {
        for explored in across(2, model, options, |_| Kept::default(), |_, _, _| 0) {
            let explored = explored.expect("nothing panics").expect("it is explored");
            assert_eq!(explored.ended, Ended::Stopped(bound));
            assert!(explored.frontier() > 0, "{bound}");
        }
    }
}

/// Of the two that are left, the one that learns it first breaks off, too. So the other may lose
/// either of them first.
#[test]
fn a_process_that_breaks_off_ends_all() {
    let layers = Layers { depth: 8, width: 500, successors: 4 };
    let model = |me| Panics { layers: layers.clone(), panics: me == 1 };
    let mut ended = across(3, model, |_| options(1), |_| Kept::default(), |_, _, _| 0);
    assert!(ended.remove(1).is_err(), "it panics");
    let lost: Vec<_> =
        ended.into_iter().map(|ended| ended.expect("only the other panics").unwrap_err()).collect();
    let lost_by = |me: usize, other: usize| {
        [1, other].map(|process| ExploreError::Lost { process }).contains(&lost[me / 2])
    };
    assert!(lost_by(0, 2) && lost_by(2, 0), "{lost:?}");
    assert!(lost.contains(&ExploreError::Lost { process: 1 }), "{lost:?}");
}

/// One process connects and goes without a word.
#[test]
fn a_process_that_never_comes_ends_all() {
    let mut all = connected(2);
    drop(all.pop());
    let grid = Grid { sides: 4, most: 1, ..Grid::default() };
    let ended = within::<Grid>(1, all.pop(), &grid, (&options(2), Kept::default()), |_, _, _| 0);
    assert_eq!(ended.map(|explored| explored.distinct()), Err(ExploreError::Lost { process: 1 }));
}
