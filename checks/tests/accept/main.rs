//! TinyKV's generic tests with conf changes and splits as seeded message-level runs. The model must
//! explain them, the cluster must settle as promised, and a run with one altered fact must be
//! refused at exactly that event.

mod facts;
mod files;
mod mix;
mod splits;
mod transfers;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rollcall_checks::accept::{Accepted, HIDDEN, Unexplained, accept};
use rollcall_checks::network::{self, Recorded};
use rollcall_traces::{Command, Happening, Outcome, Reason, RegionId, Run};

const SEED: u64 = 2;

fn again(scenario: &str, seed: u64) -> String {
    format!(
        "rollcall record --scenario {scenario} --seed {seed} --out run.jsonl && rollcall accept run.jsonl"
    )
}

fn recorded(scenario: &str, seed: u64) -> Recorded {
    let found = network::scenario(scenario).expect("a scenario of that name");
    network::record(found, seed, found.parameters.events)
}

fn verdict(run: &Run) -> Result<Accepted, Box<Unexplained>> {
    accept(run).expect("the model can begin as the run does")
}

fn happens(run: &Run, kind: fn(&Happening) -> bool) -> bool {
    run.events.iter().any(|event| kind(&event.event))
}

/// Every region of the run.
fn regions(run: &Run) -> BTreeSet<RegionId> {
    run.events.iter().flat_map(|event| event.facts.iter().map(|facts| facts.region)).collect()
}

/// The run is explained, and the cluster settled as promised.
fn judged(scenario: &str, seed: u64) -> (Recorded, Accepted) {
    let recorded = recorded(scenario, seed);
    let again = again(scenario, seed);
    let accepted = verdict(&recorded.run).unwrap_or_else(|refusal| panic!("{refusal}\n{again}"));
    assert_eq!(recorded.kept, Ok(()), "{again}");
    assert!(accepted.most_hidden <= HIDDEN, "{accepted:?}: {again}");
    (recorded, accepted)
}

/// The run is accepted, and is long enough to mean something.
fn is_accepted(scenario: &str, seed: u64) {
    let (recorded, accepted) = judged(scenario, seed);
    let again = again(scenario, seed);
    assert!(recorded.acknowledged > 10, "{} writes: {again}", recorded.acknowledged);
    assert!(recorded.scans > 10, "{} scans: {again}", recorded.scans);
    assert!(accepted.delivered > 1000, "{accepted:?}: {again}");
    let (run, parameters) = (&recorded.run, recorded.run.header.parameters);
    let crashes = happens(run, |event| matches!(event, Happening::Crash { .. }));
    assert_eq!(parameters.crash, crashes, "{again}");
    let loses = happens(run, |event| matches!(event, Happening::Lose { .. }));
    assert!(!parameters.unreliable || loses, "{again}");
    assert_eq!(parameters.conf_change, recorded.changes > 5, "{} changes: {again}", recorded.changes);
    if parameters.conf_change {
        assert!(happens(run, |event| matches!(event, Happening::ApplySnapshot { .. })), "{again}");
    }
    match parameters.split {
        Some(_) if parameters.merges => {}
        Some(_) => assert!(recorded.regions > 2, "{} regions: {again}", recorded.regions),
        None => assert_eq!(recorded.regions, 1, "{again}"),
    }
    assert!(regions(run).len() as u64 >= recorded.regions, "{again}");
    let removes =
        |event: &Happening| matches!(event, Happening::Propose { command: Command::Delete { .. }, .. });
    assert!(happens(run, removes), "{again}");
}

#[test]
fn conf_change_recover() {
    is_accepted("conf-change-recover", SEED);
}

#[test]
fn conf_change_recover_many_clients() {
    is_accepted("conf-change-recover-many-clients", SEED);
}

#[test]
fn conf_change_unreliable() {
    is_accepted("conf-change-unreliable", SEED);
}

#[test]
fn conf_change_unreliable_recover() {
    is_accepted("conf-change-unreliable-recover", SEED);
}

#[test]
fn conf_change_snapshot_unreliable_recover() {
    is_accepted("conf-change-snapshot-unreliable-recover", SEED);
}

#[test]
fn conf_change_snapshot_unreliable_recover_concurrent_partition() {
    is_accepted("conf-change-snapshot-unreliable-recover-concurrent-partition", SEED);
}

#[test]
fn conf_change_partition() {
    is_accepted("conf-change-partition", SEED);
}

/// With an odd seed the right region of a split keeps the id, with an even seed the left.
#[test]
fn split_recover() {
    is_accepted("split-recover", SEED);
}

#[test]
fn split_recover_many_clients() {
    is_accepted("split-recover-many-clients", SEED + 1);
}

#[test]
fn split_unreliable() {
    is_accepted("split-unreliable", SEED + 1);
}

#[test]
fn split_unreliable_recover() {
    is_accepted("split-unreliable-recover", SEED);
}

#[test]
fn split_conf_change_snapshot_unreliable_recover() {
    is_accepted("split-conf-change-snapshot-unreliable-recover", SEED);
}

#[test]
fn split_conf_change_snapshot_unreliable_recover_concurrent_partition() {
    is_accepted("split-conf-change-snapshot-unreliable-recover-concurrent-partition", SEED + 1);
}

#[test]
fn merge_split_conf_change_snapshot_unreliable_recover() {
    is_accepted(network::DEFAULT, SEED);
}

#[test]
fn merge_split_conf_change_partition() {
    is_accepted("merge-split-conf-change-partition", SEED);
}

/// The scenario itself checks what the original test expects step by step: its success says that
/// the left region refused k2, and that the partitioned store caught up.
#[test]
fn one_split() {
    let (recorded, accepted) = judged("one-split", SEED);
    let again = again("one-split", SEED);
    assert_eq!((recorded.acknowledged, recorded.regions), (102, 2), "{again}");
    assert!(accepted.delivered > 1000, "{accepted:?}: {again}");
    let refused = |event: &Happening| {
        let outside = Outcome::Refused(Reason::KeyNotInRegion);
        matches!(event, Happening::Read { key: Some(_), outcome, .. } if *outcome == outside)
    };
    assert!(happens(&recorded.run, refused), "{again}");
    assert!(happens(&recorded.run, |event| matches!(event, Happening::AskSplit { .. })), "{again}");
}

/// An accepted run, to be altered.
static RUN: LazyLock<Run> = LazyLock::new(|| recorded("conf-change-snapshot-unreliable-recover", SEED).run);

/// An accepted run with splits.
static SPLIT: LazyLock<Run> =
    LazyLock::new(|| recorded("split-conf-change-snapshot-unreliable-recover", SEED).run);
