//! A run at the grain of single messages: what happened to each store, what it
//! sent, and the durable facts afterwards.
//!
//! Nobody chose these events as actions of the model; a run is what an
//! implementation did on its own, written down to be explained. Facts are told
//! as changes: of a log only what is new. What a leader or candidate keeps in
//! mind of others (matched indexes, votes received) is no fact.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::action::Command;
use crate::outcome::Outcome;
use crate::region::{Key, PeerId, Region, RegionId, StoreId, Value};
use crate::scope::Scope;
use crate::view::{Entry, Held, Log, LogPosition, Peer, PeerState, Role, Snapshot};

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
    /// Clients that write, each its own key.
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
    /// What its peers were afterwards.
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
    /// Something is proposed under the peer's own epoch.
    Propose {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// What.
        command: Command,
        /// What was answered at once.
        outcome: Outcome,
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
    /// Every store that it names.
    pub fn stores(&self) -> Vec<StoreId> {
        match self {
            Happening::Tick { store, .. }
            | Happening::ReportSnapshot { store, .. }
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
                write!(f, "store {store} hears that its snapshot, message {message}, {fate}")
            }
            Happening::Lose { message } => write!(f, "message {message} is lost"),
            Happening::Propose { region, store, command, outcome } => {
                write!(f, "store {store} is asked to propose {command} in region {region}: {outcome}")
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
    /// The keys and values, if they are not as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<BTreeMap<Key, Value>>,
}

/// A log, told by what is new.
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

/// The peer without what is no fact.
pub fn factual(peer: &Peer) -> Peer {
    let snapshot = peer.snapshot.as_ref().map(|snapshot| Snapshot {
        position: snapshot.position,
        region: Region::unknown(snapshot.region.id),
        data: BTreeMap::new(),
    });
    Peer { snapshot, campaign: None, leading: None, read: None, ..peer.clone() }
}

/// The facts so far: what changes are told against.
#[derive(Clone, Debug, Default)]
pub struct Book {
    peers: BTreeMap<(StoreId, RegionId), Peer>,
}

impl Book {
    /// Notes what is in a place without telling it: how a run begins.
    pub fn note(&mut self, store: StoreId, region: RegionId, peer: &Peer) {
        self.peers.insert((store, region), factual(peer));
    }

    /// What is in a place, as far as it was told.
    pub fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        self.peers.get(&(store, region))
    }

    /// What is to be told of a place where `now` is.
    pub fn tell(&mut self, store: StoreId, region: RegionId, now: Option<Peer>) -> Facts {
        let Some(now) = now.map(|peer| factual(&peer)) else {
            self.peers.remove(&(store, region));
            return Facts { store, region, peer: None };
        };
        let before = self.peers.get(&(store, region)).filter(|before| before.id == now.id);
        let kept = before.map_or(now.log.truncated.index, |before| common(&before.log, &now.log));
        let data = match before {
            Some(before) if before.data == now.data => None,
            _ => Some(now.data.clone()),
        };
        let log = LogFacts {
            truncated: now.log.truncated,
            kept,
            entries: now.log.entries[(kept - now.log.truncated.index) as usize..].to_vec(),
        };
        let facts = PeerFacts {
            id: now.id,
            state: now.state,
            role: now.role,
            term: now.term,
            vote: now.vote,
            leader: now.leader,
            log,
            commit: now.commit,
            applied: now.applied,
            meta: now.region.clone(),
            snapshot: now.snapshot.as_ref().map(|snapshot| snapshot.position),
            data,
        };
        self.peers.insert((store, region), now);
        Facts { store, region, peer: Some(facts) }
    }

    /// What is in a place by what is told; `Err` with the fault where that
    /// cannot be.
    pub fn learn(&mut self, told: &Facts) -> Result<Option<&Peer>, String> {
        let place = (told.store, told.region);
        let Some(facts) = &told.peer else {
            self.peers.remove(&place);
            return Ok(None);
        };
        let before = self.peers.remove(&place).filter(|before| before.id == facts.id);
        let (truncated, kept) = (facts.log.truncated, facts.log.kept);
        let mut entries = Vec::new();
        for index in truncated.index + 1..=kept {
            let entry = before.as_ref().and_then(|before| before.log.entry(index));
            let entry = entry.ok_or_else(|| format!("it keeps entry {index}, which was not there before"))?;
            entries.push(entry.clone());
        }
        entries.extend(facts.log.entries.iter().cloned());
        let data = match &facts.data {
            Some(data) => data.clone(),
            None => {
                before.map(|before| before.data).ok_or("its data are as before, and nothing was there")?
            }
        };
        let unknown = || Region::unknown(told.region);
        let peer = Peer {
            id: facts.id,
            state: facts.state,
            role: facts.role,
            term: facts.term,
            vote: facts.vote,
            leader: facts.leader,
            log: Log { truncated, entries },
            commit: facts.commit,
            applied: facts.applied,
            region: facts.meta.clone(),
            snapshot: facts.snapshot.map(|position| Snapshot {
                position,
                region: unknown(),
                data: BTreeMap::new(),
            }),
            campaign: None,
            leading: None,
            read: None,
            data,
        };
        Ok(Some(self.peers.entry(place).insert_entry(peer).into_mut()))
    }
}

/// Up to where two logs have the same entries, as far as the second still has them.
fn common(before: &Log, now: &Log) -> u64 {
    let first = now.truncated.index;
    let same = |index: &u64| before.entry(*index).is_some_and(|entry| now.entry(*index) == Some(entry));
    (first + 1..=now.last_index()).take_while(same).last().unwrap_or(first)
}
