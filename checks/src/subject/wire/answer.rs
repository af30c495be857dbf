//! What an adapter answers: a handshake, the state of a replica, or a fault.

use super::{Bytes, Entry, Message, Snapshot, is_zero};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An answer: one of the three. That to [`Verb::Hello`](super::Verb::Hello) is a [`Handshake`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer<T = Done> {
    /// The number of its question.
    #[serde(default)]
    pub seq: u64,
    /// It was done.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    pub ok: Option<T>,
    /// It was not, and nothing has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The replica has found itself broken, and is gone. The others live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

fn nothing<T>() -> Option<T> {
    None
}

/// What came of a verb. Of [`Verb::Close`](super::Verb::Close) nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    /// How the replica stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Entries that are to be persisted, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub appended: Vec<Entry>,
    /// Messages that are to be sent then, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<Message>,
    /// A snapshot waits to be stored. Until [`Verb::TakeSnapshot`](super::Verb::TakeSnapshot) the replica is asked
    /// nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The contexts of reads that a quorum has acknowledged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Bytes>,
}

/// Who answers, and what it can.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handshake {
    /// [`PROTOCOL`](super::PROTOCOL).
    #[serde(skip_serializing_if = "is_zero")]
    pub protocol: u64,
    /// `node`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub level: String,
    /// The implementation's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What it can, of [`CAPABILITIES`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<String>,
    /// How it differs, of [`Dialect`](crate::subject::dialect::Dialect).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dialect: Vec<String>,
}

/// What a subject may have, each with what is skipped without it.
pub const CAPABILITIES: &[(&str, &str)] = &[
    ("learners", "whatever has a learner, or makes one"),
    ("joint", "whatever enters a joint configuration"),
    ("transfer", "whatever hands leadership over"),
    ("reads", "whatever reads by ReadIndex"),
    ("snapshots", "whatever compacts a log, or adds a member: both may need a snapshot"),
    ("compact", "whatever compacts a log"),
    ("probe", "everything: a round begins with the leader's knowledge of the follower's log"),
    ("apply_when_told", "everything: what is committed waits for its step"),
    ("fork", "nothing: each path of a tour is gone from its beginning"),
];

/// How a replica stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its id, as the library has it.
    pub id: u64,
    /// Its term.
    pub term: u64,
    /// Whom it voted for; 0 for nobody.
    pub vote: u64,
    /// What it is.
    pub role: Role,
    /// Whom it takes for the leader; 0 for nobody.
    pub leader: u64,
    /// Index and term of the last entry that it knows to be committed.
    pub commit: (u64, u64),
    /// Index and term of the last entry that took effect.
    pub applied: (u64, u64),
    /// Index and term of its last entry.
    pub last: (u64, u64),
    /// It is a voter of its configuration, and may campaign.
    pub promotable: bool,
    /// To whom a leader hands over; 0 for nobody.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub transferee: u64,
    /// Up to here a leader may have a change under way.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pending_change: u64,
    /// The votes that a candidate has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub votes: BTreeMap<u64, bool>,
    /// How far a leader knows each member's log to match, its own among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub matched: BTreeMap<u64, u64>,
    /// The reads that a leader asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reading: Vec<Reading>,
}

/// What a replica is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It follows, or waits.
    #[default]
    Follower,
    /// It has asked for votes.
    Candidate,
    /// It leads.
    Leader,
}

/// A read under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// By what it is known.
    pub context: Bytes,
    /// Who has acknowledged it, the leader itself among them where the library counts it.
    pub acks: Vec<u64>,
}
