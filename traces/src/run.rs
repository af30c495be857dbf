//! A run at the grain of single messages: events at stores, messages sent, and the durable facts
//! afterwards.
//!
//! These events are not actions of the model. A run records what an implementation did on its own,
//! so that the model can explain it. Facts are recorded as changes: of a log, only what is new.
//! Volatile knowledge of other peers (matched indexes, votes received) is not a fact.

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

/// The version of the run file, `rollcall-run/<major>`.
pub const RUN_SCHEMA: &str = "rollcall-run/1";

/// The header of a run, with everything that is needed to repeat it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHeader {
    /// The version of the file, [`RUN_SCHEMA`].
    pub schema: String,
    /// The scenario's name.
    pub scenario: String,
    /// The seed of all random choices.
    pub seed: u64,
    /// What happens to the cluster.
    pub parameters: Parameters,
    /// The cluster.
    pub scope: Scope,
}

/// What happens to the cluster in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// The number of events before faults stop.
    pub events: u64,
    /// The number of clients that write and scan, each in a key range of its own.
    pub clients: u64,
    /// Messages are lost and duplicated.
    pub unreliable: bool,
    /// Stores crash and restart.
    pub crash: bool,
    /// The network is partitioned in two, repeatedly.
    pub partitions: bool,
    /// The log is compacted when it has more applied entries than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_limit: Option<u64>,
    /// Members are added and removed.
    pub conf_change: bool,
    /// Regions that grow too large are split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitSizes>,
    /// Regions are merged into their neighbours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merges: bool,
}

/// When a region is split, in bytes of keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitSizes {
    /// A larger region is split.
    pub max: u64,
    /// The approximate size of the left part.
    pub split: u64,
    /// A leader checks the size after this many bytes were written.
    pub check: u64,
    /// Which part keeps the region's id.
    pub derive: Derive,
}

/// One event at a store, the messages that it sent, and the facts afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its index, from 1.
    pub index: u64,
    /// The event.
    pub event: Happening,
    /// The messages that the store sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<Sent>,
    /// The facts afterwards: of the peer concerned, or of all peers of the store if others may have
    /// changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Facts>,
}

/// The kinds of event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A peer's clock ticks.
    Tick {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// A message reaches its receiver, for the first time or again.
    Deliver {
        /// The message's id.
        message: u64,
    },
    /// A message, or one copy of it, is lost.
    Lose {
        /// The message's id.
        message: u64,
    },
    /// The network tells the sender of a snapshot whether it arrived.
    ReportSnapshot {
        /// The region.
        region: RegionId,
        /// The store of the sender.
        store: StoreId,
        /// The message's id.
        message: u64,
        /// Whether it arrived.
        arrived: bool,
    },
    /// A command is proposed.
    Propose {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The command.
        command: Command,
        /// The epoch that the proposer knows. If left out, it is that of the peer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
        /// The immediate outcome.
        outcome: Outcome,
    },
    /// A leader finds its region too large and asks the placement driver for the ids of a split.
    /// The message that is sent is PD's response.
    AskSplit {
        /// The region.
        region: RegionId,
        /// The store of the leader.
        store: StoreId,
        /// The split keys, in order.
        keys: Vec<Key>,
        /// Which part keeps the region's id.
        derive: Derive,
    },
    /// A peer without messages for long asks its members whether it is still one of them (TiKV
    /// `bcast_check_stale_peer_message`).
    AskMembers {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// A client reads one key or the whole region (ReadIndex).
    Read {
        /// The region.
        region: RegionId,
        /// The store of the peer that is asked.
        store: StoreId,
        /// The key; all keys if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// The immediate outcome.
        outcome: Outcome,
    },
    /// A read is answered.
    AnswerRead {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The region returned with the result.
        meta: Region,
        /// The keys that were read and exist, with their values.
        data: BTreeMap<Key, Value>,
    },
    /// The peer applies the next committed admin entry.
    Apply {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// The peer applies its received snapshot.
    ApplySnapshot {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// The process stops.
    Crash {
        /// The store.
        store: StoreId,
    },
    /// The process restarts from its disk.
    Restart {
        /// The store.
        store: StoreId,
    },
}

impl Happening {
    /// The region that the event names. A message names its own.
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

    /// Every store that the event names.
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
    /// Its id, from 1 in the order of sending.
    pub id: u64,
    /// The message.
    pub message: Held,
}

/// The facts of a region on a store after an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The store.
    pub store: StoreId,
    /// The region.
    pub region: RegionId,
    /// The peer or tombstone; `None` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerFacts>,
}

/// The facts of one peer or tombstone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerFacts {
    /// Its id.
    pub id: PeerId,
    /// Its state.
    pub state: PeerState,
    /// Uninitialised peer only: it replaced a tombstone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(alias = "over_tombstone")]
    pub replaces_tombstone: bool,
    /// Uninitialised peer only: the sender of the message that created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Creator>,
    /// Its Raft role.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// Its vote; 0 for none.
    pub vote: PeerId,
    /// The leader that it knows; 0 for none.
    pub leader: PeerId,
    /// The change of its log.
    pub log: LogFacts,
    /// The last index known to be committed.
    pub commit: u64,
    /// The last index that was applied.
    pub applied: u64,
    /// The region.
    pub meta: Region,
    /// The position of a received snapshot that is not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<LogPosition>,
    /// The changes of keys and values; `None` for a deleted key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Key, Option<Value>>,
}

/// The change of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFacts {
    /// The last truncated entry.
    pub truncated: LogPosition,
    /// The entries up to this index are unchanged.
    pub kept: u64,
    /// The entries after `kept`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
}

/// A whole run in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The header.
    pub header: RunHeader,
    /// The events, with indexes from 1.
    pub events: Vec<Event>,
}
