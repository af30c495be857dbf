//! A journal is read back from every point at which its writer may have died.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rollcall_model::scopes::{self, ScopePlan};
use rollcall_model::{Guard, GuardSet, Rollcall, State};
use tempfile::TempDir;

use super::frames::Frames;
use super::*;
use crate::explorer::{self, Bound, Ended, Exploration, Options};

const SCOPE: &str = "two_voters_to_one_smoke";

fn plan(name: &str) -> ScopePlan {
    scopes::named(name).expect("a scope of that name")
}

fn model() -> Rollcall {
    plan(SCOPE).model(GuardSet::ALL).expect("the scope can be begun")
}

fn pace(states: u64) -> Pace {
    Pace { states, time: Duration::MAX }
}

/// The result, without numbers that differ between processes.
#[derive(Clone, Debug, PartialEq)]
struct Counted {
    counts: (u64, u64, u32, u64, u64),
    kinds: Vec<u64>,
    verdicts: Vec<explorer::Verdict>,
    ended: Ended,
    graph: explorer::Graph,
    views: Vec<rollcall_traces::View>,
}

fn counted(model: &Rollcall, explored: &Exploration<State>) -> Counted {
    Counted {
        counts: (
            explored.distinct(),
            explored.transitions,
            explored.depth(),
            explored.expanded,
            explored.checked,
        ),
        kinds: explored.kinds.clone(),
        verdicts: explored.verdicts.clone(),
        ended: explored.ended,
        graph: explored.graph.clone(),
        views: explored.states.iter().step_by(97).map(|state| model.cluster(&state).view()).collect(),
    }
}

/// Continues from `path` to the end or to `max_states` states; also returns the state count that it
/// started from.
fn go_on(path: &Path, every: u64, max_states: u32, threads: usize) -> (u64, Counted) {
    let model = model();
    let Opened { journal, kept, .. } = Journal::open(path, &model, true, pace(every)).expect("it goes on");
    let (began, journal) = (kept.states(), Mutex::new(journal));
    let options = Options { max_states, threads, keep: Some(&journal), ..Options::default() };
    let kind = |state: &State, action: &_| model.kind_of(state, action);
    let explored = explorer::resume(&model, &options, kind, kept).expect("it can be explored");
    (began, counted(&model, &explored))
}

fn whole() -> Counted {
    let model = model();
    let kind = |state: &State, action: &_| model.kind_of(state, action);
    let explored = explorer::explore(&model, &Options::default(), kind).expect("it can be explored");
    counted(&model, &explored)
}

/// The end of each record of a journal; the first is the end of the magic bytes.
fn ends(path: &Path) -> Vec<usize> {
    let file = File::open(path).expect("the journal");
    let mut frames = Frames::begin(&file).unwrap_or_else(|fault| panic!("{fault:?}"));
    let mut ends = vec![frames.whole() as usize];
    while frames.next().expect("it is whole").is_some() {
        ends.push(frames.whole() as usize);
    }
    ends
}

#[test]
fn a_journal_resumes_from_wherever_its_writer_was_killed() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("whole.journal");
    let whole = whole();
    assert_eq!(go_on(&path, 60, u32::MAX, 2), (0, whole.clone()));
    let (bytes, ends) = (std::fs::read(&path).expect("the journal"), ends(&path));
    assert!(ends.len() > 8, "{} records are too few", ends.len());
    assert_eq!(ends.last(), Some(&bytes.len()));
    // At each end of a record, just before it, and in the middle of the next one.
    let cuts =
        ends.iter().zip(&ends[1..]).flat_map(|(&end, &next)| [end - 1, end, end + 7, (end + next) / 2]);
    let mut last = 0;
    for cut in cuts.chain([0, 3, bytes.len()]) {
        let path = folder.path().join("cut.journal");
        std::fs::write(&path, &bytes[..cut]).expect("it is written");
        let (began, result) = go_on(&path, 400, u32::MAX, 1);
        assert_eq!(result, whole, "cut at byte {cut} of {}", bytes.len());
        last = last.max(began);
        // A continued journal is as good as one that was written in one run.
        let (again, result) = go_on(&path, 400, u32::MAX, 1);
        assert_eq!((again, result), (whole.counts.0, whole.clone()), "cut at byte {cut}, once more");
    }
    assert_eq!(last, whole.counts.0);
}

#[test]
fn it_may_be_ended_over_and_over() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("often.journal");
    let whole = whole();
    let mut before = 0;
    for max_states in (100..).step_by(333) {
        let (began, result) = go_on(&path, u64::MAX, max_states, 1 + max_states as usize % 3);
        assert_eq!(began, before);
        before = result.counts.0;
        if result.ended == Ended::Exhausted {
            assert_eq!(result, whole);
            return;
        }
        assert_eq!(result.ended, Ended::Stopped(Bound::States(max_states)));
    }
}

/// The error of opening the journal; the file must be unchanged.
#[track_caller]
fn refused(path: &Path, model: &Rollcall, edges: bool) -> JournalError {
    let before = std::fs::read(path).expect("the file");
    let error = match Journal::open(path, model, edges, pace(100)) {
        Ok(_) => panic!("it is taken"),
        Err(error) => error,
    };
    assert_eq!(std::fs::read(path).expect("the file"), before, "{error}");
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    error
}

#[test]
fn a_byte_that_changed_anywhere_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("damaged.journal");
    go_on(&path, 300, 700, 1);
    let (bytes, ends) = (std::fs::read(&path).expect("the journal"), ends(&path));
    let heads = ends[..ends.len() - 1].iter().flat_map(|end| *end..*end + 13);
    let places = (0..MAGIC.len()).chain(heads).chain((MAGIC.len()..bytes.len()).step_by(1_009));
    for at in places {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).expect("it is written");
        let error = refused(&path, &model(), true);
        match error {
            JournalError::NotOne { .. } | JournalError::OtherVersion { .. } => {
                assert!(at < MAGIC.len(), "byte {at}: {error}")
            }
            JournalError::Damaged { at: begin, record, .. } => {
                assert_eq!(ends[record as usize - 1] as u64, begin);
                assert!(
                    (ends[record as usize - 1]..ends[record as usize]).contains(&at),
                    "byte {at}: {error}"
                );
            }
            other => panic!("byte {at}: {other}"),
        }
    }
}

#[test]
fn a_journal_of_another_exploration_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("one.journal");
    go_on(&path, 300, 700, 1);
    let differs = |model: Rollcall, edges| match refused(&path, &model, edges) {
        JournalError::OtherScope { what, .. } => what,
        other => panic!("{other}"),
    };
    let other = plan("grow_and_shrink_smoke").model(GuardSet::ALL).expect("the scope can be begun");
    assert_eq!(differs(other, true), format!("its scope is {SCOPE}, not grow_and_shrink_smoke"));
    let mut wider = plan(SCOPE);
    wider.scope.budgets.lost += 1;
    let wider = wider.model(GuardSet::ALL).expect("the scope can be begun");
    assert_eq!(differs(wider, true), format!("`{SCOPE}` had other bounds"));
    let without = plan(SCOPE).model(GuardSet::without(Guard::CommitOwnTerm)).expect("it can be begun");
    assert_eq!(differs(without, true), "the guards dropped are none, not commit_own_term");
    let mut fewer = plan(SCOPE);
    fewer.properties.truncate(1);
    let fewer = fewer.model(GuardSet::ALL).expect("it can be begun");
    assert!(differs(fewer, true).ends_with("not election_safety"));
    assert_eq!(differs(model(), false), "`verify` began it and keeps edges");
}

#[test]
fn another_version_is_refused_and_so_is_no_journal_at_all() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("other.journal");
    std::fs::write(&path, "rollcall-journal/2\nwhatever").expect("it is written");
    assert!(matches!(refused(&path, &model(), true), JournalError::OtherVersion { .. }));
    std::fs::write(&path, "{\"record\":\"header\"}\n").expect("it is written");
    assert!(matches!(refused(&path, &model(), true), JournalError::NotOne { .. }));
    let header = Header { program: "0.0.9 build 1-2".into(), ..Header::of(&model(), true) };
    let mut bytes = MAGIC.to_vec();
    append(&mut bytes, HEADER, &[&serde_json::to_vec(&header).expect("JSON")]).expect("a vector takes all");
    std::fs::write(&path, bytes).expect("it is written");
    match refused(&path, &model(), true) {
        JournalError::OtherVersion { theirs, ours, .. } => {
            assert_eq!((theirs.as_str(), ours.as_str()), ("0.0.9 build 1-2", program()));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn one_process_at_a_time_has_it() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("one.journal");
    let first = Journal::open(&path, &model(), true, pace(100)).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(refused(&path, &model(), true), JournalError::InUse { .. }));
    drop(first);
    assert!(Journal::open(&path, &model(), true, pace(100)).is_ok());
}

#[test]
fn healed_states_are_restored_from_the_journal() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("healed.journal");
    go_on(&path, 300, u32::MAX, 1);
    let open = || Journal::open(&path, &model(), true, pace(100)).unwrap_or_else(|error| panic!("{error}"));
    let mut opened = open();
    assert_eq!(opened.healed, 0);
    opened.journal.note_healed(70).expect("it is written");
    opened.journal.note_healed(176).expect("it is written");
    drop(opened);
    assert_eq!(open().healed, 176);
}
