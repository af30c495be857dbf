//! TinyKV's generic tests with conf changes and splits (`kv/test_raftstore/test_test.go`,
//! `GenericTest`) as parameters of a run, and `TestOneSplit3B`, which has steps of its own.
//!
//! TinyKV counts seconds, these count events. TinyKV's log limit of 100 for runs of 15 s is scaled
//! to the number of entries in a run here.

use rollcall_traces::{Derive, Epoch, Key, Member, MemberRole, Parameters, Region, Scope, SplitSizes};

/// A named scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// TinyKV's test.
    pub source: &'static str,
    /// Its course of events.
    pub(super) course: Course,
    /// Its parameters; `events` is the default length of a run.
    pub parameters: Parameters,
}

/// The course of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// Clients and faults, then a quiet end.
    Generic,
    /// `TestOneSplit3B`.
    OneSplit,
}

/// `RegionMaxSize` and `RegionSplitSize` of `GenericTest`. A leader checks the size after an eighth
/// of the latter.
const SPLIT: SplitSizes = SplitSizes { max: 300, split: 200, check: 25, derive: Derive::Left };

/// Those of `TestOneSplit3B`. The size is reached with the last write, and TinyKV checks every time
/// while it does not know the size, so this does too.
const ONE_SPLIT: SplitSizes = SplitSizes { max: 800, split: 500, check: 1, derive: Derive::Left };

const QUIET: Parameters = Parameters {
    events: 3000,
    clients: 0,
    unreliable: false,
    crash: false,
    partitions: false,
    log_limit: None,
    conf_change: false,
    split: None,
    merges: false,
};

const fn mix(
    clients: u64,
    unreliable: bool,
    crash: bool,
    partitions: bool,
    log_limit: Option<u64>,
) -> Parameters {
    Parameters { clients, unreliable, crash, partitions, log_limit, ..QUIET }
}

const fn conf_change(name: &'static str, source: &'static str, mix: Parameters) -> Scenario {
    let parameters = Parameters { conf_change: true, ..mix };
    Scenario { name, source, course: Course::Generic, parameters }
}

const fn split(name: &'static str, source: &'static str, mix: Parameters) -> Scenario {
    let parameters = Parameters { events: 6000, split: Some(SPLIT), ..mix };
    Scenario { name, source, course: Course::Generic, parameters }
}

const fn both(name: &'static str, source: &'static str, mix: Parameters) -> Scenario {
    split(name, source, Parameters { conf_change: true, ..mix })
}

const fn merges(name: &'static str, source: &'static str, mix: Parameters) -> Scenario {
    both(name, source, Parameters { merges: true, ..mix })
}

/// The scenario with every kind of fault and change.
pub const DEFAULT: &str = "merge-split-conf-change-snapshot-unreliable-recover";

/// Every scenario.
pub const SCENARIOS: &[Scenario] = &[
    conf_change("conf-change-recover", "TestConfChangeRecover3B", mix(1, false, true, false, None)),
    conf_change(
        "conf-change-recover-many-clients",
        "TestConfChangeRecoverManyClients3B",
        // More clients make more events in a tick.
        Parameters { events: 6000, ..mix(20, false, true, false, None) },
    ),
    conf_change("conf-change-unreliable", "TestConfChangeUnreliable3B", mix(5, true, false, false, None)),
    conf_change(
        "conf-change-unreliable-recover",
        "TestConfChangeUnreliableRecover3B",
        mix(5, true, true, false, None),
    ),
    conf_change(
        "conf-change-snapshot-unreliable-recover",
        "TestConfChangeSnapshotUnreliableRecover3B",
        mix(5, true, true, false, Some(10)),
    ),
    conf_change(
        "conf-change-snapshot-unreliable-recover-concurrent-partition",
        "TestConfChangeSnapshotUnreliableRecoverConcurrentPartition3B",
        mix(5, true, true, true, Some(10)),
    ),
    conf_change(
        "conf-change-partition",
        "the mix of them all without losses, for what partitions do alone",
        mix(5, false, false, true, Some(10)),
    ),
    Scenario {
        name: "one-split",
        source: "TestOneSplit3B",
        course: Course::OneSplit,
        parameters: Parameters { events: 1500, split: Some(ONE_SPLIT), ..QUIET },
    },
    split("split-recover", "TestSplitRecover3B", mix(1, false, true, false, None)),
    split("split-recover-many-clients", "TestSplitRecoverManyClients3B", mix(20, false, true, false, None)),
    split("split-unreliable", "TestSplitUnreliable3B", mix(5, true, false, false, None)),
    split("split-unreliable-recover", "TestSplitUnreliableRecover3B", mix(5, true, true, false, None)),
    both(
        "split-conf-change-snapshot-unreliable-recover",
        "TestSplitConfChangeSnapshotUnreliableRecover3B",
        mix(5, true, true, false, Some(10)),
    ),
    both(
        "split-conf-change-snapshot-unreliable-recover-concurrent-partition",
        "TestSplitConfChangeSnapshotUnreliableRecoverConcurrentPartition3B",
        mix(5, true, true, true, Some(10)),
    ),
    merges(DEFAULT, "the mix of them all, and regions merge again", mix(5, true, true, false, Some(10))),
    merges(
        "merge-split-conf-change-partition",
        "the same without losses and crashes, for what partitions do to merges",
        mix(5, false, false, true, None),
    ),
];

/// The scenario of that name.
pub fn scenario(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// The region that every run begins with.
const REGION: u64 = 1;

/// The first id that the placement driver allots.
const NEXT_ID: u64 = 100;

impl Scenario {
    /// TinyKV's five servers, with one region on all of them.
    pub fn scope(&self) -> Scope {
        let stores: Vec<u64> = (1..=5).collect();
        let member = |id: &u64| Member { id: *id, store: *id, role: MemberRole::Voter };
        let region = Region {
            id: REGION,
            start: Key::empty(),
            end: Key::empty(),
            epoch: Epoch { conf_ver: 1, version: 1 },
            peers: stores.iter().map(member).collect(),
        };
        Scope {
            question: format!("does the model explain what the implementation does? ({})", self.source),
            stores,
            regions: vec![region],
            next_id: NEXT_ID,
            ..Scope::empty(self.name)
        }
    }
}
