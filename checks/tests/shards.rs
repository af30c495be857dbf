//! The search in shards on the smoke scopes: the counts are those that `smoke.rs` has pinned
//! of the ordered explorer, and where a guard is missing the counterexample is as long. The same for
//! several processes on this machine.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;

use rollcall_checks::explorer::{
    Bound, Ended, Exploration, Options, explore, explore_in_shards, resume_in_shards,
};
use rollcall_checks::journal::{Journal, Opened, Pace};
use rollcall_checks::walk::{violation_trace, walk};
use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, Family, ScopePlan, Size, plans};
use rollcall_model::{Guard, GuardSet, Rollcall, State};
use rollcall_traces::Trace;
use tempfile::TempDir;

fn options(workers: usize) -> Options<'static> {
    Options { threads: workers, keep_edges: false, ..Options::default() }
}

fn in_shards(model: &Rollcall, options: &Options<'_>) -> Exploration<State> {
    explore_in_shards(model, options, Rollcall::kind_of).expect("it is explored")
}

/// Distinct states, transitions and depth of each scope, as they are pinned.
fn pinned(snapshot: &str) -> BTreeMap<&str, [u64; 3]> {
    let line = |line| {
        let mut words = str::split_whitespace(line);
        let name = words.next().filter(|name| name.ends_with("_smoke"))?;
        let mut number = || words.next()?.parse::<u64>().ok();
        Some((name, [number()?, number()?, number()?]))
    };
    snapshot.lines().filter_map(line).collect()
}

fn agrees_with_what_is_pinned(family: Family, snapshot: &str, which: impl Fn(usize) -> usize) {
    let pinned = pinned(snapshot);
    let plans = plans(family, Size::Smoke);
    assert_eq!(pinned.len(), plans.len(), "{family:?}");
    for (at, plan) in plans.into_iter().enumerate() {
        let name = plan.scope.name.as_str();
        let model = plan.model(GuardSet::ALL).expect("it begins");
        let explored = in_shards(&model, &options(which(at)));
        let figures = [explored.distinct(), explored.transitions, u64::from(explored.depth())];
        assert_eq!(figures, pinned[name], "{name} with {} workers", which(at));
        assert_eq!(explored.ended, Ended::Exhausted, "{name}");
        let refuted: Vec<_> =
            explored.verdicts.iter().filter(|verdict| verdict.holds != Some(true)).collect();
        assert!(refuted.is_empty(), "{name}: {refuted:?}");
    }
}

#[test]
fn conf_change() {
    let snapshot = include_str!("snapshots/smoke__smoke_conf-change.snap");
    // Two workers for most, so that two cores are busy; others now and then.
    agrees_with_what_is_pinned(Family::ConfChange, snapshot, |at| [2, 2, 2, 3, 2, 2, 2, 1][at % 8]);
}

#[test]
fn split() {
    let snapshot = include_str!("snapshots/smoke__smoke_split.snap");
    agrees_with_what_is_pinned(Family::Split, snapshot, |at| [2, 2, 1, 2, 2, 3][at % 6]);
}

#[test]
fn decommission() {
    let snapshot = include_str!("snapshots/smoke__smoke_decommission.snap");
    agrees_with_what_is_pinned(Family::Decommission, snapshot, |at| [2, 3, 2, 2, 2, 1, 2, 2][at % 8]);
}

/// A guard, what falls without it, and where.
const MISSING: [(Guard, Property, &str); 3] = [
    (Guard::SnapshotOnce, Property::AppliedAgreement, "replace_one_by_one_smoke"),
    (Guard::OneVoteATerm, Property::ElectionSafety, "old_term_entries_smoke"),
    (Guard::StopAfterDestroy, Property::CleanTombstone, "leader_removed_after_handover_smoke"),
];

fn without(guard: Guard, property: Property, scope: &str) -> Rollcall {
    let mut plan = scopes::named(scope).expect("it is there");
    plan.properties = vec![property];
    plan.model(GuardSet::without(guard)).expect("it begins")
}

fn first_violation(model: &Rollcall, options: &Options<'_>, is_ordered: bool) -> Trace {
    let options = Options { stop_at_first_violation: true, ..*options };
    let kind = |state: &State, action: &_| model.kind_of(state, action);
    let explored = match is_ordered {
        true => explore(model, &options, kind).expect("it is explored"),
        false => in_shards(model, &options),
    };
    assert_eq!(explored.ended, Ended::Stopped(Bound::Violation));
    let verdict = explored.violations().next().expect("it is violated");
    violation_trace(model, &explored, verdict.property, verdict.first.expect("a state"))
}

#[test]
fn without_a_guard_the_same_property_falls_after_as_many_steps() {
    for (guard, property, scope) in MISSING {
        let model = without(guard, property, scope);
        let ordered = first_violation(&model, &options(1), true);
        let ways = [1, 2, 3].map(|workers| first_violation(&model, &options(workers), false));
        for way in &ways {
            assert_eq!(way.steps.len(), ordered.steps.len(), "{scope} without {guard}");
            assert_eq!(way, &ways[0], "the same way for any number of workers");
            let again = walk(&model, way.steps.iter().map(|step| step.action.clone()));
            assert_eq!(again.steps, way.steps);
            let last = again.steps.last().expect("there are steps");
            assert_eq!(last.violated, [property.name()], "{scope} without {guard}");
            assert!(again.steps.iter().rev().skip(1).all(|step| step.violated.is_empty()));
        }
    }
}

/// Explores until there are so many states, and continues from the journal with other workers and a
/// new model, as another process would. How many states it began with.
fn stopped_and_resumed(
    model: &dyn Fn() -> Rollcall,
    at: u32,
    [first, then]: [usize; 2],
    options: &Options<'_>,
) -> (u64, Rollcall, Exploration<State>) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("x.journal");
    let open = |model: &Rollcall| Journal::open(&path, model, false, Pace::default()).expect("it opens");
    let stopped = {
        let model = model();
        let journal = Mutex::new(open(&model).journal);
        let with = Options { threads: first, max_states: at, keep: Some(&journal), ..*options };
        in_shards(&model, &with)
    };
    assert_eq!(stopped.ended, Ended::Stopped(Bound::States(at)));
    let model = model();
    let Opened { journal, kept, .. } = open(&model);
    let (states, journal) = (kept.states(), Mutex::new(journal));
    let with = Options { threads: then, keep: Some(&journal), ..*options };
    let resumed = resume_in_shards(&model, &with, Rollcall::kind_of, kept).expect("it is explored");
    (states, model, resumed)
}

#[test]
fn a_scope_that_was_stopped_has_the_same_figures_in_the_end() {
    let snapshots = [
        (Family::ConfChange, include_str!("snapshots/smoke__smoke_conf-change.snap")),
        (Family::Split, include_str!("snapshots/smoke__smoke_split.snap")),
        (Family::Decommission, include_str!("snapshots/smoke__smoke_decommission.snap")),
    ];
    let mut resumed = 0;
    for (family, snapshot) in snapshots {
        let pinned = pinned(snapshot);
        let small = |plan: &ScopePlan| (1_000..5_000).contains(&pinned[plan.scope.name.as_str()][0]);
        for (at, plan) in plans(family, Size::Smoke).into_iter().filter(small).enumerate() {
            let name = plan.scope.name.as_str();
            let model = || plan.model(GuardSet::ALL).expect("it begins");
            let half = pinned[name][0] as u32 / 2;
            let workers = [[2, 3], [3, 1], [1, 2]][at % 3];
            let (from, _, explored) = stopped_and_resumed(&model, half, workers, &options(1));
            assert!(from > 1 && from < pinned[name][0], "{name} went on from {from} states");
            let figures = [explored.distinct(), explored.transitions, u64::from(explored.depth())];
            assert_eq!(figures, pinned[name], "{name} with {workers:?} workers");
            assert_eq!(explored.ended, Ended::Exhausted, "{name}");
            assert!(explored.verdicts.iter().all(|verdict| verdict.holds == Some(true)), "{name}");
            resumed += 1;
        }
    }
    assert!(resumed > 12, "{resumed} scopes are too few");
}

#[test]
fn a_counterexample_does_not_depend_on_where_the_search_was_stopped() {
    for (guard, property, scope) in MISSING {
        let model = || without(guard, property, scope);
        let whole = first_violation(&model(), &options(2), false);
        let stopping = Options { stop_at_first_violation: true, ..options(1) };
        for (at, workers) in [(10, [2, 3]), (60, [3, 1]), (200, [1, 2])] {
            let (_, model, explored) = stopped_and_resumed(&model, at, workers, &stopping);
            let verdict = explored.violations().next().expect("it is violated");
            let first = verdict.first.expect("a state");
            let way = violation_trace(&model, &explored, verdict.property, first);
            assert_eq!(way, whole, "{scope} without {guard}, stopped at {at} states");
        }
    }
}

/// What the program says as each of so many processes on this machine.
fn on_hosts(folder: &Path, processes: usize, arguments: &[&str]) -> Vec<(Option<i32>, serde_json::Value)> {
    let bound: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let hosts = bound.iter().map(|one| one.local_addr().expect("it has one").to_string());
    let hosts: Vec<String> = hosts.collect();
    drop(bound);
    std::fs::write(folder.join("hosts"), hosts.join("\n")).expect("a file");
    let start = |process: usize| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
        command.arg("check").args(arguments).args(["--json", "--hosts", "hosts", "--process"]);
        command.arg(process.to_string()).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped());
        command.spawn().expect("it starts")
    };
    let running: Vec<Child> = (0..processes).map(start).collect();
    let ended = running.into_iter().map(|child| child.wait_with_output().expect("it ends"));
    let said = |output: Output| {
        let json = serde_json::from_slice(&output.stdout);
        (output.status.code(), json.expect("one JSON object"))
    };
    ended.map(said).collect()
}

/// A few scopes of each family here; `.ci/hosts` takes all of them.
#[test]
fn two_processes_find_what_is_pinned() {
    let snapshots = [
        include_str!("snapshots/smoke__smoke_conf-change.snap"),
        include_str!("snapshots/smoke__smoke_split.snap"),
        include_str!("snapshots/smoke__smoke_decommission.snap"),
    ];
    let pinned: BTreeMap<&str, [u64; 3]> = snapshots.into_iter().flat_map(pinned).collect();
    let folder = TempDir::new().expect("a folder");
    for (scope, processes, workers) in [
        ("two_voters_to_one_smoke", 2, "2"),
        ("split_against_a_remove_smoke", 2, "1"),
        ("batch_split_smoke", 3, "1"),
        ("process_ends_while_a_store_leaves_smoke", 2, "1"),
        ("leaders_store_leaves_smoke", 3, "2"),
    ] {
        for (code, said) in on_hosts(folder.path(), processes, &[scope, "--workers", workers]) {
            let figure = |name: &str| said[name].as_u64().expect("a number");
            let figures = ["distinct_states", "transitions", "depth"].map(figure);
            assert_eq!(figures, pinned[scope], "{scope} in {processes} processes of {workers}");
            assert_eq!((code, &said["verdict"]), (Some(0), &"holds".into()), "{scope}: {said}");
        }
    }
}

#[test]
fn two_processes_walk_a_counterexample_back() {
    let folder = TempDir::new().expect("a folder");
    for (guard, property, scope) in MISSING {
        let model = without(guard, property, scope);
        let ordered = first_violation(&model, &options(1), true);
        let (without, judged) = (guard.name(), property.name());
        let traces = ["1", "2"].map(|workers| {
            let asked = [scope, "--without", without, "--property", judged, "--workers", workers];
            let said = on_hosts(folder.path(), 2, &asked);
            for (code, said) in &said {
                assert_eq!((*code, &said["verdict"]), (Some(1), &"violated".into()), "{said}");
                assert_eq!(said["violation"], judged);
                assert_eq!(said["trace_steps"], ordered.steps.len(), "{scope} without {guard}");
            }
            // Process 0 alone writes it.
            assert!(said[1].1["trace"].is_null());
            let path = folder.path().join(said[0].1["trace"].as_str().expect("it was written"));
            let text = std::fs::read_to_string(&path).expect("it is there");
            std::fs::remove_file(path).expect("it is there");
            text
        });
        assert_eq!(traces[0], traces[1], "the same way for any number of workers");
        let in_one = first_violation(&model, &options(2), false);
        let actions = |trace: &Trace| trace.steps.iter().map(|step| step.action.clone()).collect::<Vec<_>>();
        let read = Trace::parse("trace", &traces[0]).expect("it is a trace");
        assert_eq!(actions(&read), actions(&in_one), "the same way as in one process");
        let again = walk(&model, actions(&read));
        assert_eq!(again.steps.last().expect("there are steps").violated, [property.name()]);
    }
}
