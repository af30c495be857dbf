//! TinyKV's generic tests with conf changes (`kv/test_raftstore/test_test.go`,
//! `GenericTest`), as what happens to a cluster.
//!
//! Where TinyKV counts seconds, these count events; its log limit of 100 for
//! runs of 15 s is scaled to the number of entries that such a run has here.
//! Clients put and the run looks at its end whether everything acknowledged is
//! there; that scans read it in between is the business of the reads in the
//! scopes.

use rollcall_traces::{Epoch, Key, Member, MemberRole, Parameters, Region, Scope};

/// A named mix.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// The test that it follows.
    pub source: &'static str,
    /// Its mix; `events` is what a run has by default.
    pub parameters: Parameters,
}

const fn mix(
    clients: u64,
    unreliable: bool,
    crash: bool,
    partitions: bool,
    log_limit: Option<u64>,
) -> Parameters {
    Parameters { events: 3000, clients, unreliable, crash, partitions, log_limit, conf_change: true }
}

/// Every mix there is.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "conf-change-recover",
        source: "TestConfChangeRecover3B",
        parameters: mix(1, false, true, false, None),
    },
    Scenario {
        name: "conf-change-recover-many-clients",
        source: "TestConfChangeRecoverManyClients3B",
        parameters: mix(20, false, true, false, None),
    },
    Scenario {
        name: "conf-change-unreliable",
        source: "TestConfChangeUnreliable3B",
        parameters: mix(5, true, false, false, None),
    },
    Scenario {
        name: "conf-change-unreliable-recover",
        source: "TestConfChangeUnreliableRecover3B",
        parameters: mix(5, true, true, false, None),
    },
    Scenario {
        name: "conf-change-snapshot-unreliable-recover",
        source: "TestConfChangeSnapshotUnreliableRecover3B",
        parameters: mix(5, true, true, false, Some(10)),
    },
    Scenario {
        name: "conf-change-snapshot-unreliable-recover-concurrent-partition",
        source: "TestConfChangeSnapshotUnreliableRecoverConcurrentPartition3B",
        parameters: mix(5, true, true, true, Some(10)),
    },
    Scenario {
        name: "conf-change-partition",
        source: "the mix of them all without losses, for what partitions do alone",
        parameters: mix(5, false, false, true, Some(10)),
    },
];

/// The mix of that name.
pub fn scenario(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// The region that every run begins with.
const REGION: u64 = 1;

impl Scenario {
    /// TinyKV's five servers with one region on all of them.
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
            name: self.name.into(),
            question: format!("does the model explain what the implementation does? ({})", self.source),
            stores,
            regions: vec![region],
            prelude: Vec::new(),
            rounds: vec![rollcall_traces::Entries::One],
            commands: Vec::new(),
            keys: Vec::new(),
            campaigners: Vec::new(),
            crashers: Vec::new(),
            budgets: rollcall_traces::Budgets::default(),
        }
    }
}
