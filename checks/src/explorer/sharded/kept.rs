//! A search in shards that was stopped continues, with any number of workers, and by the ordered
//! explorer as well.

use std::io;
use std::sync::Mutex;

use proptest::prelude::*;
use rollcall_model::{GuardSet, Rollcall, scopes};

use super::super::toys::{Grid, Layers, Ring, TwoPhase};
use super::super::{
    Bound, Ended, Exploration, ExploreError, Explored, Keep, Kept, Options, Row, resume, resume_in_shards,
};
use super::Kind;
use super::tests::replays;

/// Keeps every checkpoint of a search in shards; of the ordered explorer one in so many states.
#[derive(Default)]
pub(super) struct Notes {
    every: u64,
    last: u64,
    pub(super) checkpoints: Vec<Vec<u8>>,
}

impl Keep for Notes {
    fn is_due(&mut self, states: u64) -> bool {
        let due = states >= self.last + self.every;
        self.last = if due { states } else { self.last };
        due
    }

    fn keep(&mut self, _: u64, checkpoint: &[u8]) -> io::Result<()> {
        self.checkpoints.push(checkpoint.to_vec());
        Ok(())
    }
}

fn options(threads: usize) -> Options<'static> {
    Options { threads, keep_edges: false, ..Options::default() }
}

pub(super) fn read(checkpoints: &[Vec<u8>]) -> Kept {
    let mut kept = Kept::default();
    checkpoints.iter().for_each(|checkpoint| kept.take(checkpoint).expect("it continues the one before"));
    kept
}

/// What does not depend on who explores, nor on how often it was stopped.
#[derive(Debug, PartialEq)]
struct Counts {
    distinct: u64,
    transitions: u64,
    depth: u32,
    expanded: (u64, u64),
    outside: u64,
    kinds: Vec<u64>,
    initial: u32,
    levels: Vec<u32>,
    verdicts: Vec<(Option<bool>, Option<u32>)>,
    ended: Ended,
}

fn counts<S: Row>(explored: &Exploration<S>) -> Counts {
    let depth = |first: Option<u32>| first.map(|first| explored.graph.depth(first));
    Counts {
        distinct: explored.distinct(),
        transitions: explored.transitions,
        depth: explored.depth(),
        expanded: (explored.expanded, explored.checked),
        outside: explored.outside,
        kinds: explored.kinds.clone(),
        initial: explored.graph.initial(),
        levels: explored.graph.levels().map(|level| level.start).collect(),
        verdicts: explored.verdicts.iter().map(|verdict| (verdict.holds, depth(verdict.first))).collect(),
        ended: explored.ended,
    }
}

/// Searches with these workers, and again from behind each checkpoint with others.
fn goes_on_from_everywhere<M>(model: &M, workers: usize, kind: Kind<M>) -> usize
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync + std::fmt::Debug,
{
    let ordered = |options: &Options<'_>, kept| {
        resume(model, options, |state, action| kind(model, state, action), kept).expect("it is explored")
    };
    let sharded =
        |options: &Options<'_>, kept| resume_in_shards(model, options, kind, kept).expect("it is explored");
    let whole = counts(&ordered(&options(1), Kept::default()));
    let keep = Mutex::new(Notes::default());
    let kept = sharded(&Options { keep: Some(&keep), ..options(workers) }, Kept::default());
    assert_eq!(counts(&kept), whole, "keeping changes nothing");
    let checkpoints = keep.into_inner().unwrap().checkpoints;
    for end in 0..=checkpoints.len() {
        let behind = || read(&checkpoints[..end]);
        let said = format!("{workers} workers, then others from behind {end} of {}", checkpoints.len());
        let (others, keep) = (1 + end % 3, Mutex::new(Notes::default()));
        let resumed = sharded(&Options { keep: Some(&keep), ..options(others) }, behind());
        assert_eq!(counts(&resumed), whole, "{said}: {others}");
        (0..resumed.graph.states()).step_by(37).for_each(|index| replays(model, &resumed, index));
        // What was written then continues what was there, and is the whole of it.
        let more = keep.into_inner().unwrap().checkpoints;
        let all = read(&[&checkpoints[..end], &more].concat());
        assert_eq!(all.states(), whole.distinct, "{said}: {others}, and what was written");
        assert_eq!(counts(&sharded(&options(1), all)), whole, "{said}: {others}, and once more");
        assert_eq!(counts(&ordered(&options(2), behind())), whole, "{said}: the ordered explorer");
    }
    checkpoints.len()
}

#[test]
fn a_search_continues_from_every_checkpoint() {
    let grid = Grid { sides: 5, most: 2, forbidden: 6, ..Grid::default() };
    let layers = Layers { depth: 9, width: 100, successors: 4 };
    for workers in [1, 2, 3] {
        let grids = goes_on_from_everywhere(&grid, workers, |_, _, side| *side);
        let others = goes_on_from_everywhere(&layers, workers, |_, _, _| 0)
            + goes_on_from_everywhere(&TwoPhase { managers: 2, hasty: true }, workers, |_, _, _| 0)
            + goes_on_from_everywhere(&Ring { members: 4, patience: 4 }, workers, |_, _, _| 0);
        assert!(grids > 10 && others > 20, "{grids} and {others} checkpoints are too few");
    }
}

#[test]
fn a_scope_continues_from_every_checkpoint() {
    let plan = scopes::named("one_of_four_goes_smoke").expect("a scope of that name");
    let model = plan.model(GuardSet::ALL).expect("the scope can be begun");
    // The copies of a model share the numbers of parts, so checkpoints need no definitions here.
    let checkpoints = goes_on_from_everywhere(&model, 2, Rollcall::kind_of);
    assert!(checkpoints > 30, "{checkpoints} checkpoints are too few");
}

#[test]
fn a_level_that_was_written_in_part_is_found_again() {
    // More states in a level than a piece has.
    let model = Layers { depth: 3, width: 60_000, successors: 9 };
    let kind: Kind<Layers> = |_, _, _| 0;
    let keep = Mutex::new(Notes::default());
    let with = Options { keep: Some(&keep), ..options(2) };
    let whole = counts(&resume_in_shards(&model, &with, kind, Kept::default()).unwrap());
    let checkpoints = keep.into_inner().unwrap().checkpoints;
    let mut in_part = 0;
    for end in 1..checkpoints.len() {
        let kept = read(&checkpoints[..end]);
        in_part += usize::from(kept.totals.states > kept.totals.known);
        assert_eq!(counts(&resume_in_shards(&model, &options(3), kind, kept).unwrap()), whole, "from {end}");
    }
    assert!(in_part >= 4, "{in_part} checkpoints end within a level");
}

#[test]
fn checkpoints_within_a_level_are_for_the_ordered_explorer() {
    let model = Layers { depth: 5, width: 2_000, successors: 4 };
    let keep = Mutex::new(Notes { every: 100, ..Notes::default() });
    let with = Options { keep: Some(&keep), ..options(1) };
    let whole = counts(&resume(&model, &with, |_, _| 0, Kept::default()).unwrap());
    let checkpoints = keep.into_inner().unwrap().checkpoints;
    let mut refused = 0;
    for end in 1..=checkpoints.len() {
        match resume_in_shards(&model, &options(2), |_, _, _| 0, read(&checkpoints[..end])) {
            Err(error) => {
                assert_eq!(error, ExploreError::WithinALevel);
                refused += 1;
            }
            Ok(resumed) => assert_eq!(counts(&resumed), whole),
        }
    }
    assert!(refused > 1 && refused < checkpoints.len(), "{refused} of {}", checkpoints.len());
}

#[test]
fn checkpoints_of_something_else_are_refused() {
    let keep = Mutex::new(Notes::default());
    let grid = Grid { sides: 8, most: 2, ..Grid::default() };
    resume_in_shards(&grid, &Options { keep: Some(&keep), ..options(2) }, |_, _, _| 0, Kept::default())
        .unwrap();
    let checkpoints = keep.into_inner().unwrap().checkpoints;
    let two_phase = TwoPhase { managers: 4, hasty: true };
    let other = resume_in_shards(&two_phase, &options(2), |_, _, _| 0, read(&checkpoints)).unwrap_err();
    assert_eq!(other, ExploreError::NotItsOwn { what: "their states have other parts" });
}

struct Full;

impl Keep for Full {
    fn is_due(&mut self, _: u64) -> bool {
        true
    }

    fn keep(&mut self, states: u64, _: &[u8]) -> io::Result<()> {
        if states > 1_000 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

#[test]
fn a_failed_checkpoint_ends_the_search() {
    let model = Layers { depth: 400, width: 4_000, successors: 4 };
    let keep = Mutex::new(Full);
    let with = Options { keep: Some(&keep), ..options(2) };
    let stopped = resume_in_shards(&model, &with, |_, _, _| 0, Kept::default()).unwrap();
    assert_eq!(stopped.ended, Ended::Stopped(Bound::NotKept(io::ErrorKind::StorageFull)));
    assert!(stopped.depth() < 400, "it went on to depth {}", stopped.depth());
}

struct Panicking;

impl Keep for Panicking {
    fn is_due(&mut self, _: u64) -> bool {
        true
    }

    fn keep(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        panic!("no checkpoint for you")
    }
}

#[test]
#[should_panic = "no checkpoint for you"]
fn who_panics_while_it_keeps_ends_every_worker() {
    let model = Layers { depth: 400, width: 400, successors: 4 };
    let keep = Mutex::new(Panicking);
    let with = Options { keep: Some(&keep), ..options(2) };
    let _ = resume_in_shards(&model, &with, |_, _, _| 0, Kept::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn any_graph_continues_from_every_checkpoint(
        depth in 1..7u32,
        width in 1..200u32,
        successors in 1..5u32,
        workers in 1..4usize,
    ) {
        goes_on_from_everywhere(&Layers { depth, width, successors }, workers, |_, _, _| 0);
    }
}
