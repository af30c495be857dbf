//! A run at the grain of single messages: what happened to each store, what it
//! sent, and the durable facts afterwards.
//!
//! Nobody chose these events as actions of the model; a run is what an
//! implementation did on its own, written down to be explained. Facts are written
//! as changes: of a log only what is new. What a leader or candidate keeps in
//! mind of others (matched indexes, votes received) is no fact.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::command::{Command, Derive};
use crate::log::{Entry, LogPosition};
use crate::message::Held;
use crate::outcome::Outcome;
use crate::peer::{Creator, PeerState, Role};
use crate::region::{Epoch, Key, PeerId, Region, RegionId, StoreId, Value};
use crate::scope::Scope;

mod book;

pub use book::{Book, factual};

/// The version of the run file that is written, `rollcall-run/<major>`.
pub const RUN_SCHEMA: &str = "rollcall-run/1";

/// What a run is about, and everything that it takes to have it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHeader {
    /// The version of the file, [`RUN_SCHEMA`].
    pub schema: String,
    /// The name of the situation.
    pub scenario: String,
    /// From where all that is random is drawn.
    pub seed: u64,
    /// What happens to the cluster.
    pub parameters: Parameters,
    /// The cluster.
    pub scope: Scope,
}

/// What happens to the cluster of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// How many events there are before faults stop.
    pub events: u64,
    /// Clients that write and scan, each its own range of keys.
    pub clients: u64,
    /// Messages are lost and duplicated.
    pub unreliable: bool,
    /// Stores crash and restart.
    pub crash: bool,
    /// The network is parted in two, again and again.
    pub partitions: bool,
    /// Applied entries beyond which the log is compacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_limit: Option<u64>,
    /// Members come and go.
    pub conf_change: bool,
    /// Regions of too many bytes are split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitSizes>,
    /// Regions are merged into their neighbours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merges: bool,
}

/// When a region is split, in bytes of keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitSizes {
    /// One of more is split.
    pub max: u64,
    /// About what the left part keeps.
    pub split: u64,
    /// After so much was written a leader looks.
    pub check: u64,
    /// Which part keeps the id.
    pub derive: Derive,
}

/// One event: what happened to one store, what it then sent, and what it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place, from 1.
    pub index: u64,
    /// What happened.
    pub event: Happening,
    /// What the store sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<Sent>,
    /// What its peers were afterwards: the one that it happened to, or all of
    /// the store where others can have changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Facts>,
}

/// What can happen to a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// The clock of one peer goes on.
    Tick {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// A message reaches its receiver, for the first time or again.
    Deliver {
        /// The number under which it was sent.
        message: u64,
    },
    /// A message is lost, or one of its copies is.
    Lose {
        /// The number under which it was sent.
        message: u64,
    },
    /// The network says to the sender of a snapshot what became of it.
    ReportSnapshot {
        /// The region.
        region: RegionId,
        /// The store of the sender.
        store: StoreId,
        /// The number under which it was sent.
        message: u64,
        /// Whether it arrived.
        arrived: bool,
    },
    /// Something is proposed.
    Propose {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// What.
        command: Command,
        /// The epoch that the proposer knows; the peer's own if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
        /// What was answered at once.
        outcome: Outcome,
    },
    /// A leader finds its region too big and asks the placement driver for the
    /// ids of a split. What is sent is PD's answer.
    AskSplit {
        /// The region.
        region: RegionId,
        /// The store of the leader.
        store: StoreId,
        /// Where to split, in order.
        keys: Vec<Key>,
        /// Which part keeps the region's id.
        derive: Derive,
    },
    /// A peer that received nothing for long asks the members that it knows whether
    /// it is still one of them (TiKV `bcast_check_stale_peer_message`).
    AskMembers {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// A client asks for a value, or for all of the region (ReadIndex).
    Read {
        /// The region.
        region: RegionId,
        /// The store of the peer that is asked.
        store: StoreId,
        /// The key; left out for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// What was answered at once.
        outcome: Outcome,
    },
    /// A read is answered.
    AnswerRead {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The region that goes with the answer.
        meta: Region,
        /// What was asked for, as far as it is there.
        data: BTreeMap<Key, Value>,
    },
    /// The next committed admin entry takes effect.
    Apply {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// A received snapshot becomes the peer's state.
    ApplySnapshot {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// The process ends.
    Crash {
        /// The store.
        store: StoreId,
    },
    /// The process comes back from its disk.
    Restart {
        /// The store.
        store: StoreId,
    },
}

impl Happening {
    /// The region that it names; a message names its own.
    pub fn region(&self) -> Option<RegionId> {
        match self {
            Happening::Tick { region, .. }
            | Happening::ReportSnapshot { region, .. }
            | Happening::Propose { region, .. }
            | Happening::AskSplit { region, .. }
            | Happening::AskMembers { region, .. }
            | Happening::Read { region, .. }
            | Happening::AnswerRead { region, .. }
            | Happening::Apply { region, .. }
            | Happening::ApplySnapshot { region, .. } => Some(*region),
            Happening::Deliver { .. }
            | Happening::Lose { .. }
            | Happening::Crash { .. }
            | Happening::Restart { .. } => None,
        }
    }

    /// Every store that it names.
    pub fn stores(&self) -> Vec<StoreId> {
        match self {
            Happening::Tick { store, .. }
            | Happening::ReportSnapshot { store, .. }
            | Happening::AskSplit { store, .. }
            | Happening::AskMembers { store, .. }
            | Happening::Read { store, .. }
            | Happening::AnswerRead { store, .. }
            | Happening::Apply { store, .. }
            | Happening::ApplySnapshot { store, .. }
            | Happening::Crash { store }
            | Happening::Restart { store } => vec![*store],
            Happening::Propose { store, command, .. } => {
                let mut stores = command.stores();
                stores.push(*store);
                stores
            }
            Happening::Deliver { .. } | Happening::Lose { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Happening::Tick { region, store } => write!(f, "tick of region {region} on store {store}"),
            Happening::Deliver { message } => write!(f, "message {message} is delivered"),
            Happening::ReportSnapshot { store, message, arrived, .. } => {
                let fate = if *arrived { "arrived" } else { "was lost" };
                write!(f, "store {store} learns that its snapshot, message {message}, {fate}")
            }
            Happening::Lose { message } => write!(f, "message {message} is lost"),
            Happening::Propose { region, store, command, epoch, outcome } => {
                write!(f, "store {store} is asked to propose {command} in region {region}")?;
                epoch.map_or(Ok(()), |epoch| write!(f, " under epoch {epoch}"))?;
                write!(f, ": {outcome}")
            }
            Happening::AskSplit { region, store, keys, derive } => {
                let keys: Vec<String> = keys.iter().map(Key::to_string).collect();
                write!(f, "store {store} asks to split region {region} at {}, {derive}", keys.join(", "))
            }
            Happening::AskMembers { region, store } => {
                write!(f, "store {store} asks whether its peer is still in region {region}")
            }
            Happening::Read { region, store, key, outcome } => {
                let what = key.as_ref().map_or_else(|| "all values".to_string(), |key| format!("key {key}"));
                write!(f, "store {store} is asked for {what} of region {region}: {outcome}")
            }
            Happening::AnswerRead { region, store, meta, data } => {
                let (count, epoch) = (data.len(), meta.epoch);
                write!(f, "store {store} answers a read of region {region}: {count} values at {epoch}")
            }
            Happening::Apply { region, store } => write!(f, "store {store} applies in region {region}"),
            Happening::ApplySnapshot { region, store } => {
                write!(f, "store {store} applies a snapshot of region {region}")
            }
            Happening::Crash { store } => write!(f, "store {store} crashes"),
            Happening::Restart { store } => write!(f, "store {store} restarts"),
        }
    }
}

/// A message that a store sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its number, from 1 in the order of sending.
    pub id: u64,
    /// The message.
    pub message: Held,
}

/// What was in one place after an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The store.
    pub store: StoreId,
    /// The region.
    pub region: RegionId,
    /// The peer or tombstone; `None` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerFacts>,
}

/// The facts of one peer or tombstone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerFacts {
    /// Its id.
    pub id: PeerId,
    /// Where it stands in its life.
    pub state: PeerState,
    /// Whether a message made it where a tombstone was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(alias = "over_tombstone")]
    pub replaces_tombstone: bool,
    /// Of an uninitialised peer: who sent the message that created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Creator>,
    /// What it is in its term.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// Whom it voted for; 0 for nobody.
    pub vote: PeerId,
    /// Whom it takes for the leader; 0 for nobody.
    pub leader: PeerId,
    /// What is new of its log.
    pub log: LogFacts,
    /// The last index known to be committed.
    pub commit: u64,
    /// The last index that took effect.
    pub applied: u64,
    /// The region.
    pub meta: Region,
    /// Where the received snapshot stands that is not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<LogPosition>,
    /// What is new of the keys and values; nothing for a key that is gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Key, Option<Value>>,
}

/// A log, written by what is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFacts {
    /// The last discarded entry.
    pub truncated: LogPosition,
    /// Up to here the entries are as before.
    pub kept: u64,
    /// The entries behind `kept`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
}

/// A whole run in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What it is about.
    pub header: RunHeader,
    /// The events, their indexes from 1.
    pub events: Vec<Event>,
}
