//! A search over several processes that was stopped continues from a barrier that all have.

use std::sync::Mutex;

use super::super::toys::{Grid, Layers, Ring, TwoPhase};
use super::super::{
    Exploration, ExploreError, Explored, Keep, Kept, Options, Row, barriers, explore, resume,
};
use super::Kind;
use super::across::{across, connected, options};
use super::kept::{Notes, read};
use super::tests::{actions, replays};

/// The checkpoints of each process.
type Checkpoints = Vec<Vec<Vec<u8>>>;

/// The same, up to so many barriers.
fn behind(all: &[Vec<Vec<u8>>], barrier: u64) -> Checkpoints {
    let is_last = |checkpoint: &Vec<u8>| barriers(checkpoint).expect("it is one") == Some(barrier);
    let up_to = |checkpoints: &Vec<Vec<u8>>| match barrier {
        0 => Vec::new(),
        _ => checkpoints[..=checkpoints.iter().position(is_last).expect("it has that barrier")].to_vec(),
    };
    all.iter().map(up_to).collect()
}

fn last_barrier(checkpoints: &[Vec<u8>]) -> u64 {
    checkpoints.iter().filter_map(|checkpoint| barriers(checkpoint).expect("it is one")).max().unwrap_or(0)
}

/// What each process yields that continues from these checkpoints, and the checkpoints in the end.
fn go_on<M>(
    model: &M,
    (workers, first_violation): (usize, bool),
    from: &[Vec<Vec<u8>>],
    kind: Kind<M>,
) -> (Vec<Exploration<M::State>>, Checkpoints)
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync + std::fmt::Debug,
{
    let notes: Vec<Mutex<Notes>> = from.iter().map(|_| Mutex::default()).collect();
    let with = |me: usize| Options {
        keep: Some(&notes[me] as &Mutex<dyn Keep>),
        stop_at_first_violation: first_violation,
        ..options(workers)
    };
    let all = across(from.len(), |_| model.clone(), with, |me| read(&from[me]), kind);
    let all = all.into_iter().map(|it| it.expect("nothing panics").expect("it is explored")).collect();
    let wrote = notes.into_iter().map(|notes| notes.into_inner().unwrap().checkpoints);
    (all, from.iter().zip(wrote).map(|(before, more)| [&before[..], &more].concat()).collect())
}

/// Searches, and again from behind each barrier: what does not depend on that.
fn goes_on_from_every_barrier<M>(model: &M, first_violation: bool, shapes: &[(usize, usize)], kind: Kind<M>)
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync + std::fmt::Debug,
    M::Action: Clone + PartialEq + std::fmt::Debug,
{
    type Figures = (u64, u64, u64, Vec<u64>, Option<Vec<u64>>);
    let figures = |of: &Exploration<M::State>| -> Figures {
        (of.distinct(), of.transitions, of.outside, of.kinds.clone(), of.levels.clone())
    };
    let verdicts = |of: &Exploration<M::State>| -> Vec<_> {
        let depth = |first: Option<u32>| first.map(|first| of.graph.depth(first));
        of.verdicts.iter().map(|it| (it.property, it.holds, depth(it.first))).collect()
    };
    let ways = |of: &Exploration<M::State>| -> Vec<_> {
        of.violations().map(|it| actions(of.trace(model, it.first.expect("it is violated")))).collect()
    };
    for &(count, workers) in shapes {
        let (whole, checkpoints) = go_on(model, (workers, first_violation), &vec![Vec::new(); count], kind);
        if !first_violation {
            let kinds = |state: &M::State, action: &M::Action| kind(model, state, action);
            let ordered = explore(model, &options(1), kinds).expect("it is explored");
            assert_eq!(figures(&whole[0]).0, ordered.distinct());
            assert_eq!(figures(&whole[0]).1, ordered.transitions);
        }
        let last = checkpoints.iter().map(|of| last_barrier(of)).min().expect("there are processes");
        assert!(last > 3, "{last} barriers are too few");
        // The first ones, at which a process may have no state yet, and some of the others.
        for barrier in (0..=last).filter(|barrier| *barrier < 3 || barrier % 3 == 0) {
            let said = format!("{count} of {workers} from behind barrier {barrier} of {last}");
            let (resumed, more) =
                go_on(model, (workers, first_violation), &behind(&checkpoints, barrier), kind);
            for explored in &resumed {
                assert_eq!(figures(explored), figures(&whole[0]), "{said}");
                assert_eq!(verdicts(explored), verdicts(&whole[0]), "{said}");
                assert_eq!(ways(explored), ways(&whole[0]), "{said}");
                assert_eq!(explored.ended, whole[0].ended, "{said}");
                (0..explored.graph.states()).for_each(|index| replays(model, explored, index));
            }
            // What was written then continues what was there: once more, from near the end.
            let end = more.iter().map(|of| last_barrier(of)).min().expect("there are processes");
            let (again, _) =
                go_on(model, (workers, first_violation), &behind(&more, end.min(barrier + 2)), kind);
            assert_eq!(figures(&again[0]), figures(&whole[0]), "{said}, and once more");
            assert_eq!(ways(&again[0]), ways(&whole[0]), "{said}, and once more");
        }
    }
}

#[test]
fn a_search_over_processes_continues_from_every_barrier() {
    let grid = Grid { sides: 5, most: 2, forbidden: 6, boundary: 1, ..Grid::default() };
    goes_on_from_every_barrier(&grid, false, &[(2, 1), (3, 2)], |_, _, side| *side);
    let ring = Ring { members: 4, patience: 5 };
    goes_on_from_every_barrier(&ring, false, &[(2, 2), (3, 1)], |_, _, _| 0);
    let layers = Layers { depth: 6, width: 300, successors: 4 };
    goes_on_from_every_barrier(&layers, false, &[(2, 2)], |_, _, _| 0);
}

#[test]
fn a_counterexample_over_processes_is_the_same_after_every_barrier() {
    let hasty = TwoPhase { managers: 4, hasty: true };
    goes_on_from_every_barrier(&hasty, true, &[(2, 1), (2, 2), (3, 1)], |_, _, phase| phase.kind());
}

/// Another number of workers or of processes would read other places.
#[test]
fn checkpoints_of_another_process_are_refused() {
    let grid = Grid { sides: 4, most: 2, ..Grid::default() };
    let kind: Kind<Grid> = |_, _, _| 0;
    let (_, checkpoints) = go_on(&grid, (2, false), &[Vec::new(), Vec::new()], kind);
    let own = |of: usize| read(&behind(&checkpoints, 3)[of]);
    let what = "they are of another process, or of another number of processes or workers";
    let refused = ExploreError::NotItsOwn { what };
    let by = |count: usize, threads, kept: Kept| {
        let mut all = connected(count);
        let zero = all.remove(0);
        super::within(1 << 14, Some(zero), &grid, (&options(threads), kept), kind).unwrap_err()
    };
    assert_eq!(by(2, 2, own(1)), refused, "another process");
    assert_eq!(by(2, 1, own(0)), refused, "another number of workers");
    assert_eq!(by(3, 2, own(0)), refused, "another number of processes");
    let alone = super::resume_in_shards(&grid, &options(2), kind, own(0));
    assert_eq!(alone.unwrap_err(), refused, "one process alone");
    assert_eq!(resume(&grid, &options(2), |_, _| 0, own(0)).unwrap_err(), refused, "the ordered explorer");
    let of_one = Mutex::new(Notes::default());
    let with = Options { keep: Some(&of_one), ..options(2) };
    super::resume_in_shards(&grid, &with, kind, Kept::default()).expect("it is explored");
    let of_one = read(&of_one.into_inner().unwrap().checkpoints);
    assert_eq!(by(2, 2, of_one), refused, "checkpoints of one process");
}

/// A piece without its barrier is no place to continue from.
#[test]
fn between_two_barriers_nobody_continues() {
    let layers = Layers { depth: 3, width: 60_000, successors: 3 };
    let kind: Kind<Layers> = |_, _, _| 0;
    let (_, checkpoints) = go_on(&layers, (1, false), &[Vec::new(), Vec::new()], kind);
    let is_piece = |checkpoint: &Vec<u8>| barriers(checkpoint).expect("it is one").is_none();
    let piece = checkpoints[0].iter().position(is_piece).expect("a level has more states than a piece");
    let zero = connected(2).remove(0);
    let kept = read(&checkpoints[0][..=piece]);
    let refused = super::within(1 << 14, Some(zero), &layers, (&options(1), kept), kind).unwrap_err();
    assert_eq!(refused, ExploreError::NotItsOwn { what: "they end between two barriers" });
}
