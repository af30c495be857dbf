//! The wire, protocol 1: one JSON object on each line, and one answer to each request, in order.
//!
//! An answer has the number of its request. Bytes are base64. Unknown fields are ignored. Empty
//! fields may be left out. `adapters/README.md` explains the protocol to authors of adapters. These
//! types read and write it; a Rust adapter may use them.

mod answer;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollcall_traces::{Action, Scope};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use answer::{Answer, CAPABILITIES, Done, Handshake, Reading, Role, Shown, Status};

/// The version of this protocol.
pub const PROTOCOL: u64 = 1;

/// A request: a verb and its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The request's number; its answer has the same.
    pub seq: u64,
    /// The verb.
    #[serde(flatten)]
    pub verb: Verb,
}

/// The requests to an adapter: [`Reset`](Verb::Reset) and [`Apply`](Verb::Apply) for level `world`, the
/// others for level `node`. `node` is a handle that Rollcall chooses: one for
/// each open replica. A replica that is opened again gets a new handle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// The handshake. The first line.
    Hello {
        /// [`PROTOCOL`].
        protocol: u64,
        /// Rollcall's version.
        rollcall: String,
    },
    /// Opens a replica on its persisted state, as a follower.
    Open(Open),
    /// Closes the replica.
    Close {
        /// The replica.
        node: u64,
    },
    /// The replica campaigns.
    Campaign {
        /// The replica.
        node: u64,
    },
    /// Ticks the clock once. An election takes two ticks, a heartbeat one.
    Tick {
        /// The replica.
        node: u64,
    },
    /// Delivers a message.
    Step {
        /// The replica.
        node: u64,
        /// The message.
        message: Message,
    },
    /// Proposes data to a leader.
    Propose {
        /// The replica.
        node: u64,
        /// The data.
        data: Bytes,
    },
    /// Proposes a membership change to a leader, with data as its context.
    ProposeChange {
        /// The replica.
        node: u64,
        /// The change.
        change: Change,
        /// The data.
        data: Bytes,
    },
    /// Applies a committed membership change.
    ApplyChange {
        /// The replica.
        node: u64,
        /// The change.
        change: Change,
    },
    /// Tells the replica that entries up to `index` are applied.
    Applied {
        /// The replica.
        node: u64,
        /// The index of the last of them.
        index: u64,
    },
    /// Tells the replica that its pending snapshot is persisted.
    TakeSnapshot {
        /// The replica.
        node: u64,
    },
    /// Discards entries up to `index`.
    Compact {
        /// The replica.
        node: u64,
        /// The index of the last of them.
        index: u64,
    },
    /// The leader sets a follower's progress to match before `next`, and sends what follows.
    Probe {
        /// The replica.
        node: u64,
        /// The follower.
        to: u64,
        /// The first index that it may lack.
        next: u64,
        /// Whether to send at most one entry.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        one: bool,
    },
    /// The leader sends heartbeats with the context of its last read, and sets the progress of `to`
    /// to the end of that follower's log.
    Beat {
        /// The replica.
        node: u64,
        /// The follower.
        to: u64,
    },
    /// The leader transfers leadership.
    Transfer {
        /// The replica.
        node: u64,
        /// The transferee.
        to: u64,
    },
    /// A ReadIndex request: the leader must confirm that it still leads.
    Read {
        /// The replica.
        node: u64,
        /// The read's context.
        context: Bytes,
    },
    /// The replica becomes a follower without a leader.
    Follow {
        /// The replica.
        node: u64,
        /// The new term, at least its own.
        term: u64,
    },
    /// Copies the replica.
    Fork {
        /// The replica.
        node: u64,
        /// The copy's handle.
        #[serde(rename = "as")]
        copy: u64,
    },
    /// The cluster begins anew.
    Reset {
        /// As what; its setup is taken step by step.
        scope: Box<Scope>,
    },
    /// The cluster takes an action.
    Apply {
        /// The action.
        action: Box<Action>,
    },
}

impl Verb {
    /// Its name, as on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Hello { .. } => "hello",
            Verb::Open(_) => "open",
            Verb::Close { .. } => "close",
            Verb::Campaign { .. } => "campaign",
            Verb::Tick { .. } => "tick",
            Verb::Step { .. } => "step",
            Verb::Propose { .. } => "propose",
            Verb::ProposeChange { .. } => "propose_change",
            Verb::ApplyChange { .. } => "apply_change",
            Verb::Applied { .. } => "applied",
            Verb::TakeSnapshot { .. } => "take_snapshot",
            Verb::Compact { .. } => "compact",
            Verb::Probe { .. } => "probe",
            Verb::Beat { .. } => "beat",
            Verb::Transfer { .. } => "transfer",
            Verb::Read { .. } => "read",
            Verb::Follow { .. } => "follow",
            Verb::Fork { .. } => "fork",
            Verb::Reset { .. } => "reset",
            Verb::Apply { .. } => "apply",
        }
    }
}

/// A replica's persisted state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Its handle.
    pub node: u64,
    /// Its id, by which messages name it.
    pub id: u64,
    /// Its term.
    pub term: u64,
    /// The id of the peer that it voted for; 0 for none.
    pub vote: u64,
    /// The commit index.
    pub commit: u64,
    /// The applied index; `conf` is the configuration at this index.
    pub applied: u64,
    /// Index and term of the last truncated entry.
    pub truncated: (u64, u64),
    /// The entries after it.
    pub entries: Vec<Entry>,
    /// The configuration; empty if the replica knows no member.
    pub conf: Conf,
}

/// A configuration (etcd `ConfState`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conf {
    /// The voters; in a joint configuration, the incoming ones.
    pub voters: Vec<u64>,
    /// The learners.
    pub learners: Vec<u64>,
    /// The outgoing voters of a joint configuration.
    pub voters_outgoing: Vec<u64>,
    /// The outgoing voters that become learners.
    pub learners_next: Vec<u64>,
}

/// A membership change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// How it takes effect.
    pub shape: Shape,
    /// The single changes; empty when a joint configuration is left.
    #[serde(default)]
    pub changes: Vec<Single>,
}

/// How a membership change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// At once, for one member.
    Simple,
    /// By a joint configuration that is left by a later proposal. A single change is a simple
    /// change in the newer form (etcd `ConfChangeV2`).
    Enter,
    /// Leaves the joint configuration.
    Leave,
}

/// The change of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Single {
    /// The kind of change.
    pub kind: Kind,
    /// Its id.
    pub peer: u64,
}

/// The kind of change of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Becomes a voter, added or promoted.
    AddVoter,
    /// Becomes a learner, added or demoted.
    AddLearner,
    /// Is removed.
    Remove,
}

/// An entry of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// The proposed data; of a membership change, its context; empty for a new leader's no-op.
    #[serde(default, skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// The membership change, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The adapter's own data. Rollcall returns it unchanged.
    #[serde(default, skip_serializing_if = "Bytes::is_empty")]
    pub body: Bytes,
}

/// The type of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageType {
    /// Entries for a follower.
    #[default]
    Append,
    /// The response to entries and to a snapshot.
    AppendAnswer,
    /// A candidate asks for a vote.
    Vote,
    /// The response to a vote request.
    VoteAnswer,
    /// A leader's heartbeat.
    Heartbeat,
    /// The response to a heartbeat.
    HeartbeatAnswer,
    /// A state instead of entries.
    Snapshot,
    /// The receiver must campaign at once.
    TimeoutNow,
}

/// A message. Rollcall reads its fields. Rollcall may change `to`, `commit` and `context`; the
/// adapter must use the changed values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The sender's id.
    pub from: u64,
    /// The receiver's id.
    pub to: u64,
    /// The sender's term.
    pub term: u64,
    /// In an append, the index before its entries. In its response, the last index at which both
    /// logs agree. In a vote request, the candidate's last index.
    #[serde(skip_serializing_if = "is_zero")]
    pub index: u64,
    /// In an append and a vote request, the term of the entry at `index`.
    #[serde(skip_serializing_if = "is_zero")]
    pub log_term: u64,
    /// A commit index.
    #[serde(skip_serializing_if = "is_zero")]
    pub commit: u64,
    /// The term of the entry at `commit`, if votes carry commit indexes.
    #[serde(skip_serializing_if = "is_zero")]
    pub commit_term: u64,
    /// Whether a response rejects.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reject: bool,
    /// The context of the read that a heartbeat carries.
    #[serde(skip_serializing_if = "Bytes::is_empty")]
    pub context: Bytes,
    /// The entries of an append.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
    /// The snapshot's metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The adapter's own data. Rollcall returns it unchanged.
    #[serde(skip_serializing_if = "Bytes::is_empty")]
    pub body: Bytes,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A snapshot's metadata. Rollcall adds the data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last index that it includes.
    pub index: u64,
    /// That entry's term.
    pub term: u64,
    /// The configuration at that index.
    #[serde(default)]
    pub conf: Conf,
}

/// Bytes, base64 on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Go writes a nil slice as null.
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        STANDARD.decode(text).map(Bytes).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that an adapter reads and writes, as `adapters/README.md` shows them.
    #[test]
    fn lines_are_as_the_page_shows_them() {
        let asked = Request { seq: 7, verb: Verb::Applied { node: 3, index: 9 } };
        assert_eq!(serde_json::to_string(&asked).unwrap(), r#"{"seq":7,"applied":{"node":3,"index":9}}"#);
        let line = r#"{"seq":8,"step":{"node":3,"message":{"type":"vote","from":1,"to":2,"term":6,"index":5,"log_term":5,"body":"AQI="}}}"#;
        let read: Request = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), line);
        let answer = r#"{"seq":8,"ok":{"status":{"id":2,"term":6,"vote":1,"role":"follower","leader":0,"commit":[5,5],"applied":[5,5],"last":[5,5],"promotable":true},"sent":null,"later":1}}"#;
        assert!(serde_json::from_str::<Answer<Done>>(answer).is_err(), "a list is a list");
        let answer: Answer = serde_json::from_str(&answer.replace(r#""sent":null,"#, "")).unwrap();
        assert_eq!(answer.ok.and_then(|done| done.status).map(|status| status.commit), Some((5, 5)));
    }

    #[test]
    fn bytes_that_are_no_base64_are_refused() {
        assert!(serde_json::from_str::<Bytes>(r#""A""#).is_err());
        assert_eq!(serde_json::from_str::<Bytes>("null").unwrap(), Bytes::default());
    }
}
