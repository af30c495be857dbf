//! An adapter's answers: a handshake, a replica's status, or an error.

use super::{Bytes, Entry, Message, Snapshot, is_zero};
use rollcall_traces::{Outcome, View};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An answer: exactly one of `ok`, `refused` and `failed`. The answer to
/// [`Verb::Hello`](super::Verb::Hello) is a [`Handshake`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer<T = Done> {
    /// The number of its request.
    #[serde(default)]
    pub seq: u64,
    /// The result.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    pub ok: Option<T>,
    /// Why it was refused. Nothing has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The replica found an error in itself and is closed. The other replicas stay open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

fn nothing<T>() -> Option<T> {
    None
}

/// The result of a verb; empty for [`Verb::Close`](super::Verb::Close).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    /// The replica's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Entries to persist, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub appended: Vec<Entry>,
    /// Messages to send after that, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<Message>,
    /// A snapshot that must be persisted. Until [`Verb::TakeSnapshot`](super::Verb::TakeSnapshot)
    /// the replica gets no other request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The contexts of reads that a quorum has confirmed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Bytes>,
}

/// What came of a verb of a whole cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// What an action returned; nothing if nobody says.
    #[serde(default = "done")]
    pub outcome: Outcome,
    /// What there is to see now.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
}

fn done() -> Outcome {
    Outcome::DONE
}

/// The adapter and its capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handshake {
    /// [`PROTOCOL`](super::PROTOCOL).
    #[serde(skip_serializing_if = "is_zero")]
    pub protocol: u64,
    /// The level: `node`, or `world`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub level: String,
    /// The implementation's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Its capabilities, of [`CAPABILITIES`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<String>,
    /// Its dialects, of [`Dialect`](crate::subject::dialect::Dialect).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dialect: Vec<String>,
    /// Of what other design it is, of [`DESIGNS`](crate::subject::dialect::DESIGNS): it is judged by properties alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_design: Vec<String>,
}

/// Each capability, with what is skipped without it.
pub const CAPABILITIES: &[(&str, &str)] = &[
    ("learners", "scopes and steps with learners"),
    ("joint", "steps that enter a joint configuration"),
    ("transfer", "leadership transfers"),
    ("reads", "reads by ReadIndex"),
    ("snapshots", "steps that compact a log or add a member: both may need a snapshot"),
    ("compact", "steps that compact a log"),
    ("probe", "everything: a round sets the leader's progress of the follower"),
    ("apply_when_told", "everything: a committed entry waits for its own step"),
    ("fork", "nothing: each path of a tour starts from the beginning"),
];

/// A replica's status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its id, as the library has it.
    pub id: u64,
    /// Its term.
    pub term: u64,
    /// The id of the peer that it voted for; 0 for none.
    pub vote: u64,
    /// Its role.
    pub role: Role,
    /// The id of the leader that it knows; 0 for none.
    pub leader: u64,
    /// Index and term of the last entry known to be committed.
    pub commit: (u64, u64),
    /// Index and term of the last applied entry.
    pub applied: (u64, u64),
    /// Index and term of its last entry.
    pub last: (u64, u64),
    /// Whether it is a voter of its configuration and may campaign.
    pub promotable: bool,
    /// The id of a leader's transferee; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub transferee: u64,
    /// A leader may have a pending membership change up to this index.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pending_change: u64,
    /// The votes of a candidate: granted or rejected, by voter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub votes: BTreeMap<u64, bool>,
    /// A leader's matched index of each member, its own included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub matched: BTreeMap<u64, u64>,
    /// A leader's pending reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reading: Vec<Reading>,
}

/// A replica's role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A follower.
    #[default]
    Follower,
    /// A candidate that has sent vote requests.
    Candidate,
    /// A leader.
    Leader,
}

/// A pending read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Its context.
    pub context: Bytes,
    /// The members that have confirmed it; the leader is included if the library counts it.
    pub acks: Vec<u64>,
}
