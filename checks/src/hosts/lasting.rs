//! Processes with a journal each, as threads here: stopped, and continued from where all can.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::thread;

use rollcall_model::{Guard, GuardSet, Rollcall, State};
use tempfile::TempDir;

use super::tests::{LONG, free, model};
use super::{Hosts, Meeting};
use crate::explorer::{Exploration, Options, Seat, explore_in_shards, explore_with_others};
use crate::journal::{Journal, Opened, Pace, SharedJournal};
use crate::walk::violation_trace;

const SCOPE: &str = "one_of_four_goes_smoke";

struct Group {
    folder: TempDir,
    scope: &'static str,
    guards: GuardSet,
    count: usize,
    workers: usize,
}

/// How many states a process began with, what it found, and its model.
type Searched = (u64, Exploration<State>, Rollcall);

impl Group {
    fn new(count: usize, workers: usize) -> Self {
        let folder = TempDir::new().expect("a folder");
        Self { folder, scope: SCOPE, guards: GuardSet::ALL, count, workers }
    }

    fn path(&self, me: usize) -> PathBuf {
        self.folder.path().join(format!("{me}.journal"))
    }

    fn seat(&self, process: usize) -> Seat {
        Seat { process, processes: self.count, workers: self.workers }
    }

    fn open(&self, me: usize, model: &Rollcall) -> SharedJournal {
        SharedJournal::open(&self.path(me), model, self.seat(me)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// How many whole barriers each journal has.
    fn barriers(&self) -> Vec<u64> {
        let model = model(self.scope, self.guards);
        let of = |me| self.open(me, &model).runs().last().map_or(0, |run| run.barriers);
        (0..self.count).map(of).collect()
    }

    fn bytes(&self) -> Vec<Option<Vec<u8>>> {
        (0..self.count).map(|me| std::fs::read(self.path(me)).ok()).collect()
    }

    /// One process, with a model of its own.
    fn one(&self, hosts: &Hosts, me: usize, max_states: u32) -> Result<Searched, String> {
        let model = model(self.scope, self.guards);
        let mut journal = self.open(me, &model);
        let met = Meeting::begin(hosts, me, self.workers, &model, Some(&mut journal))
            .and_then(|meeting| meeting.meet(LONG, &AtomicBool::new(false)));
        let processes = met.map_err(|error| error.to_string())?;
        let Opened { journal, kept, .. } =
            journal.begin(&model, Pace::default()).map_err(|error| error.to_string())?;
        let (states, journal) = (kept.states(), Mutex::new(journal));
        let options = Options { max_states, keep: Some(&journal), ..options(self.workers) };
        let explored = explore_with_others(&model, &options, Rollcall::kind_of, processes, kept)
            .map_err(|error| error.to_string())?;
        Ok((states, explored, model))
    }

    /// All, until one has so many states.
    fn all(&self, max_states: u32) -> Vec<Result<Searched, String>> {
        let hosts = &free(self.count);
        thread::scope(|scope| {
            let running: Vec<_> =
                (0..self.count).map(|me| scope.spawn(move || self.one(hosts, me, max_states))).collect();
            running.into_iter().map(|running| running.join().expect("nothing panics")).collect()
        })
    }

    /// They find what one process finds. How many states all began with.
    fn ends_as_one_does(&self, said: &str) -> u64 {
        let model = model(self.scope, self.guards);
        let alone = explore_in_shards(&model, &options(2), Rollcall::kind_of).expect("it is explored");
        let mut began = 0;
        for searched in self.all(u32::MAX) {
            let (states, explored, own) = searched.unwrap_or_else(|why| panic!("{said}: {why}"));
            began += states;
            let figures = |of: &Exploration<State>| (of.distinct(), of.transitions, of.depth(), of.ended);
            assert_eq!(figures(&explored), figures(&alone), "{said}");
            assert_eq!(explored.kinds, alone.kinds, "{said}");
            assert_eq!(way(&own, &explored), way(&model, &alone), "{said}");
        }
        began
    }
}

/// The actions to the first violation.
fn way(model: &Rollcall, explored: &Exploration<State>) -> Option<Vec<rollcall_traces::Action>> {
    let verdict = explored.violations().next()?;
    let trace = violation_trace(model, explored, verdict.property, verdict.first?);
    Some(trace.steps.into_iter().map(|step| step.action).collect())
}

fn options(threads: usize) -> Options<'static> {
    Options { threads, keep_edges: false, stop_at_first_violation: true, ..Options::default() }
}

fn cut(group: &Group, me: usize, share: f64) {
    let file = std::fs::OpenOptions::new().write(true).open(group.path(me)).expect("a journal");
    let length = file.metadata().expect("it has a length").len();
    file.set_len((length as f64 * share) as u64).expect("it is cut");
}

#[test]
fn who_has_more_barriers_goes_back() {
    for (count, workers) in [(2, 2), (3, 1)] {
        let group = Group::new(count, workers);
        group.all(1_000).into_iter().for_each(|stopped| drop(stopped.expect("it stops")));
        // One is killed in the middle of what it wrote, and others have written more.
        cut(&group, 1, 0.61);
        let before = group.barriers();
        let least = *before.iter().min().expect("there are processes");
        assert!(least > 3 && before[0] > least && before[1] == least, "{before:?}");
        let began = group.ends_as_one_does(&format!("{count} of {workers} from {before:?}"));
        assert!(began > 50, "they began with {began} states");
        // What was written then continues what was there.
        cut(&group, 0, 0.9);
        let again = group.ends_as_one_does("once more");
        assert!(again > began, "they began with {again} states");
    }
}

#[test]
fn a_counterexample_does_not_depend_on_the_barrier() {
    let scope = "replace_one_by_one_smoke";
    for (share, at) in [(1.0, 20), (0.7, 100), (0.5, 300)] {
        let guards = GuardSet::without(Guard::SnapshotOnce);
        let group = Group { scope, guards, ..Group::new(2, 1) };
        group.all(at).into_iter().for_each(|stopped| drop(stopped.expect("it stops")));
        cut(&group, 0, share);
        group.ends_as_one_does(&format!("{share} of a journal, stopped at {at} states"));
    }
}

/// Where one has not written its first barrier, all begin again, though others have some. A process
/// without states has barriers as well.
#[test]
fn the_first_barriers_are_gone_back_to_as_well() {
    let group = Group::new(3, 1);
    group.all(300).into_iter().for_each(|stopped| drop(stopped.expect("it stops")));
    let whole = group.bytes();
    let model = model(group.scope, group.guards);
    for barriers in 0..4 {
        for (me, bytes) in whole.iter().enumerate() {
            std::fs::write(group.path(me), bytes.as_ref().expect("a journal")).expect("it is written");
        }
        let journal = group.open(0, &model);
        let end = journal.end_of(barriers);
        drop(journal);
        let file = std::fs::OpenOptions::new().write(true).open(group.path(0)).expect("a journal");
        file.set_len(end).expect("it is cut");
        assert_eq!(group.barriers()[0], barriers);
        let began = group.ends_as_one_does(&format!("from behind barrier {barriers}"));
        assert_eq!(began == 0, barriers == 0, "they began with {began} states");
        // What each has written behind its first barriers is read again.
        assert!(group.ends_as_one_does("once more") > began);
    }
}

/// A journal that was put back from an earlier run has the same barriers, but not the same places.
#[test]
fn barriers_of_an_earlier_run_are_not_taken_for_those_of_a_later_one() {
    let group = Group::new(2, 1);
    group.all(800).into_iter().for_each(|stopped| drop(stopped.expect("it stops")));
    let earlier = std::fs::read(group.path(0)).expect("a journal");
    cut(&group, 1, 0.5);
    let common = group.barriers()[1];
    group.all(800).into_iter().for_each(|stopped| drop(stopped.expect("it stops")));
    std::fs::write(group.path(0), earlier).expect("it is put back");
    let before = group.barriers();
    assert!(before.iter().all(|barriers| *barriers > common), "{before:?}, not more than {common}");
    let model = model(group.scope, group.guards);
    let ends: Vec<u64> = (0..2).map(|me| group.open(me, &model).end_of(common)).collect();
    group.ends_as_one_does("from the run before");
    for (me, end) in ends.into_iter().enumerate() {
        assert_eq!(group.open(me, &model).end_of(common), end, "that barrier is as it was");
        let runs = group.open(me, &model).runs().to_vec();
        let kept: Vec<u64> = runs.iter().map(|run| run.barriers).take(runs.len() - 1).collect();
        assert!(kept.iter().all(|barriers| *barriers == common), "{kept:?} and not {common} is kept");
    }
}

/// Each says so, or learns it from another; every file is as it was.
#[test]
fn journals_of_different_runs_do_not_mix() {
    let (group, other) = (Group::new(2, 1), Group::new(2, 1));
    for group in [&group, &other] {
        group.all(600).into_iter().for_each(|stopped| drop(stopped.expect("it stops")));
    }
    let refused = |says: &str| {
        let before = group.bytes();
        let all = group.all(u32::MAX);
        assert_eq!(group.bytes(), before, "{says}");
        for refused in all {
            let why = refused.err().expect("they do not begin");
            assert!(why.contains(says) && why.contains("all need the journals of one run"), "{why}");
        }
    };
    let own = std::fs::read(group.path(1)).expect("a journal");
    std::fs::copy(other.path(1), group.path(1)).expect("it is copied");
    refused("its journal is of another run than that of process 0");
    std::fs::remove_file(group.path(1)).expect("it was there");
    refused("it has no journal, and process 0 has one");
    std::fs::write(group.path(1), own).expect("it is put back");
    assert!(group.ends_as_one_does("the right journals") > 100);
}

/// The file belongs to its place among as many processes with as many workers.
#[test]
fn a_journal_of_another_place_is_refused() {
    let group = Group::new(2, 2);
    group.all(600).into_iter().for_each(|stopped| drop(stopped.expect("it stops")));
    let (model, path) = (model(group.scope, group.guards), group.path(1));
    let refused = |seat: Option<Seat>, says: &str| {
        let before = std::fs::read(&path).expect("a journal");
        let error = match seat {
            Some(seat) => SharedJournal::open(&path, &model, seat).err().expect("it is refused").to_string(),
            None => {
                Journal::open(&path, &model, false, Pace::default()).err().expect("it is refused").to_string()
            }
        };
        assert!(error.contains(says), "{error}");
        assert_eq!(std::fs::read(&path).expect("a journal"), before);
    };
    let wrote = "it was written by process 1 of 2 with 2 workers each, not ";
    let seat = |process, processes, workers| Some(Seat { process, processes, workers });
    refused(seat(0, 2, 2), &format!("{wrote}process 0 of 2 with 2 workers each"));
    refused(seat(1, 3, 2), &format!("{wrote}process 1 of 3 with 2 workers each"));
    refused(seat(1, 2, 1), &format!("{wrote}process 1 of 2 with 1 worker each"));
    refused(None, &format!("{wrote}a process alone"));
    // And the reverse.
    std::fs::remove_file(&path).expect("it was there");
    let opened = Journal::open(&path, &model, false, Pace::default());
    let Opened { journal, kept, .. } = opened.unwrap_or_else(|error| panic!("{error}"));
    let journal = Mutex::new(journal);
    let with = Options { keep: Some(&journal), ..options(1) };
    crate::explorer::resume_in_shards(&model, &with, Rollcall::kind_of, kept).expect("it runs");
    drop(journal);
    refused(seat(1, 2, 2), "it was written by a process alone, not process 1 of 2 with 2 workers each");
}
