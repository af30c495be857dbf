//! A stopped exploration continues with the result of one that never stopped.

use std::io;
use std::sync::Mutex;

use proptest::prelude::*;

use super::toys::{Grid, Layers, Ring, TwoPhase};
use super::*;

/// Keeps every checkpoint; one is due about every `every` states.
struct Notes {
    every: u64,
    last: u64,
    checkpoints: Vec<Vec<u8>>,
}

impl Notes {
    fn every(every: u64) -> Mutex<Self> {
        Mutex::new(Notes { every, last: 0, checkpoints: Vec::new() })
    }
}

impl Keep for Notes {
    fn is_due(&mut self, states: u64) -> bool {
        let due = states >= self.last + self.every;
        if due {
            self.last = states;
        }
        due
    }

    fn keep(&mut self, _: u64, checkpoint: &[u8]) -> io::Result<()> {
        self.checkpoints.push(checkpoint.to_vec());
        Ok(())
    }
}

fn read(checkpoints: &[Vec<u8>]) -> Kept {
    let mut kept = Kept::default();
    checkpoints.iter().for_each(|checkpoint| kept.take(checkpoint).unwrap());
    kept
}

/// The result without the peak of bytes.
fn bared<S>(mut exploration: Exploration<S>) -> Exploration<S> {
    exploration.peak_bytes = 0;
    exploration
}

/// Explores once without a stop, keeping checkpoints, and once from each of them.
fn goes_on_from_everywhere<M>(model: &M, every: u64, options: Options<'_>) -> usize
where
    M: Explored + Sync,
    M::State: Row + Send + Sync + std::fmt::Debug,
{
    let kind = |_: &M::State, _: &M::Action| 0;
    let keep = Notes::every(every);
    let whole = bared(explore(model, &Options { keep: Some(&keep), ..options }, kind).unwrap());
    assert_eq!(whole, bared(explore(model, &options, kind).unwrap()), "keeping changes nothing");
    let checkpoints = keep.into_inner().unwrap().checkpoints;
    for end in 0..=checkpoints.len() {
        let resumed = resume(model, &options, kind, read(&checkpoints[..end])).unwrap();
        assert_eq!(bared(resumed), whole, "from behind {end} of {} checkpoints", checkpoints.len());
    }
    checkpoints.len()
}

#[test]
fn an_exploration_resumes_from_every_checkpoint() {
    let grid = Grid { sides: 8, most: 2, forbidden: 9, ..Grid::default() };
    let layers = Layers { depth: 12, width: 900, successors: 6 };
    let two_phase = TwoPhase { managers: 4, hasty: true };
    for threads in [1, 3] {
        for keep_edges in [true, false] {
            for stop_at_first_violation in [true, false] {
                let options = Options { threads, keep_edges, stop_at_first_violation, ..Options::default() };
                let grids = goes_on_from_everywhere(&grid, 1, options);
                let others = goes_on_from_everywhere(&layers, 700, options)
                    + goes_on_from_everywhere(&two_phase, 50, options)
                    + goes_on_from_everywhere(&Ring { members: 5, patience: 6 }, 1, options);
                assert!(grids > 20 && others > 10, "{grids} and {others} checkpoints are too few");
            }
        }
    }
}

#[test]
fn an_exploration_resumes_without_the_bound_that_ended_it() {
    let model = Grid { sides: 8, most: 2, ..Grid::default() };
    let kind = |_: &[u8; 64], side: &usize| *side;
    let whole = bared(explore(&model, &Options::default(), kind).unwrap());
    for max_states in [1, 300, 2_000, 6_500] {
        let keep = Notes::every(u64::MAX);
        let options = Options { max_states, keep: Some(&keep), ..Options::default() };
        assert_eq!(explore(&model, &options, kind).unwrap().ended, Ended::Stopped(Bound::States(max_states)));
        // The end itself wrote the one checkpoint; continuing writes another.
        let kept = read(&keep.lock().unwrap().checkpoints);
        assert!(kept.states() > u64::from(max_states));
        let resumed =
            resume(&model, &Options { keep: Some(&keep), ..Options::default() }, kind, kept).unwrap();
        assert_eq!(bared(resumed), whole);
        let kept = read(&keep.lock().unwrap().checkpoints);
        assert_eq!(bared(resume(&model, &Options::default(), kind, kept).unwrap()), whole, "nothing is left");
    }
}

#[test]
fn memory_is_a_bound_like_the_others() {
    let model = Grid { sides: 8, most: 2, ..Grid::default() };
    let with =
        |limit| Options { memory: Some(Memory { limit, resident: || Some(4_204) }), ..Options::default() };
    let stopped = explore(&model, &with(4_203), |_, _| 0).unwrap();
    assert_eq!((stopped.ended, stopped.peak_resident), (Ended::Stopped(Bound::Memory(4_203)), Some(4_204)));
    assert!(explore(&model, &with(4_204), |_, _| 0).unwrap().is_exhausted());
}

struct Full;

impl Keep for Full {
    fn is_due(&mut self, states: u64) -> bool {
        states > 1_000
    }

    fn keep(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn a_failed_checkpoint_ends_the_exploration() {
    let model = Grid { sides: 8, most: 2, ..Grid::default() };
    let keep = Mutex::new(Full);
    let stopped = explore(&model, &Options { keep: Some(&keep), ..Options::default() }, |_, _| 0).unwrap();
    assert_eq!(stopped.ended, Ended::Stopped(Bound::NotKept(io::ErrorKind::StorageFull)));
    assert!(stopped.distinct() < 3_000);
}

#[test]
fn checkpoints_of_something_else_are_refused() {
    let keep = Notes::every(100);
    let options = Options { keep: Some(&keep), max_states: 1_000, ..Options::default() };
    let model = Grid { sides: 8, most: 2, ..Grid::default() };
    explore(&model, &options, |_, _| 0).unwrap();
    let checkpoints = keep.into_inner().unwrap().checkpoints;
    let refused = |kept, options: &Options<'_>| match resume(&model, options, |_, _| 0, kept).unwrap_err() {
        ExploreError::NotItsOwn { what } => what,
        other => panic!("{other}"),
    };
    let without = Options { keep_edges: false, ..Options::default() };
    assert_eq!(refused(read(&checkpoints), &without), "one has edges and the other has none");
    let two_phase = TwoPhase { managers: 4, hasty: true };
    let other = resume(&two_phase, &Options::default(), |_, _| 0, read(&checkpoints)).unwrap_err();
    assert_eq!(other, ExploreError::NotItsOwn { what: "their states have other parts" });
    // One checkpoint is missing, and one comes twice.
    for wrong in [[&checkpoints[0], &checkpoints[2]], [&checkpoints[1], &checkpoints[0]]] {
        let mut kept = Kept::default();
        assert!(wrong.into_iter().any(|checkpoint| kept.take(checkpoint).is_err()));
    }
    for end in 0..checkpoints[0].len() {
        assert!(Kept::default().take(&checkpoints[0][..end]).is_err(), "cut at {end}");
    }
    let longer = [&checkpoints[0][..], &[0]].concat();
    assert_eq!(Kept::default().take(&longer).unwrap_err().what, "there is something behind it");
}

proptest! {
    #[test]
    fn any_graph_resumes_from_every_checkpoint(depth in 1..9u32, width in 1..400u32, successors in 1..5u32) {
        goes_on_from_everywhere(&Layers { depth, width, successors }, 1, Options::default());
    }
}
