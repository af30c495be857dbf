//! The wire, protocol 1: one JSON object a line each way, one answer for each
//! question, in order.
//!
//! A question has a number, and its answer the same one. Bytes are base64, unknown fields are
//! passed over, and what is empty may be left out. `adapters/README.md` tells it to
//! who writes an adapter; these types read and write it, and a Rust adapter may use
//! them.

mod answer;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use answer::{Answer, CAPABILITIES, Done, Handshake, Reading, Role, Status};

/// The version of this wire.
pub const PROTOCOL: u64 = 1;

/// A question: a verb under its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The answer carries the same number.
    pub seq: u64,
    /// What is asked.
    #[serde(flatten)]
    pub verb: Verb,
}

/// What may be asked of an adapter of level `node`. `node` is a handle, which Rollcall
/// makes up: one for each replica that lives; an earlier life has its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// The first line.
    Hello {
        /// [`PROTOCOL`].
        protocol: u64,
        /// Rollcall's version.
        rollcall: String,
    },
    /// A replica begins on what was persisted, as a follower.
    Open(Open),
    /// The replica is no more.
    Close {
        /// The replica.
        node: u64,
    },
    /// It asks for votes.
    Campaign {
        /// The replica.
        node: u64,
    },
    /// A tick of the clock: an election takes two, a heartbeat one.
    Tick {
        /// The replica.
        node: u64,
    },
    /// A message arrives.
    Step {
        /// The replica.
        node: u64,
        /// The message.
        message: Message,
    },
    /// A leader appends data.
    Propose {
        /// The replica.
        node: u64,
        /// The data.
        data: Bytes,
    },
    /// A leader appends a change of its members, with data as its context.
    ProposeChange {
        /// The replica.
        node: u64,
        /// The change.
        change: Change,
        /// The data.
        data: Bytes,
    },
    /// A committed change takes effect.
    ApplyChange {
        /// The replica.
        node: u64,
        /// The change.
        change: Change,
    },
    /// Entries up to there took effect.
    Applied {
        /// The replica.
        node: u64,
        /// The index of the last of them.
        index: u64,
    },
    /// The snapshot that waits is stored.
    TakeSnapshot {
        /// The replica.
        node: u64,
    },
    /// Entries up to there are discarded.
    Compact {
        /// The replica.
        node: u64,
        /// The index of the last of them.
        index: u64,
    },
    /// A leader takes a follower's log for known to before `next`, and sends it what comes next.
    Probe {
        /// The replica.
        node: u64,
        /// The follower.
        to: u64,
        /// The first index that it may lack.
        next: u64,
        /// At most one entry is sent.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        one: bool,
    },
    /// A leader sends heartbeats, with the context of its last read, and takes the log of
    /// `to` for known to its end.
    Beat {
        /// The replica.
        node: u64,
        /// The follower.
        to: u64,
    },
    /// A leader hands over.
    Transfer {
        /// The replica.
        node: u64,
        /// To whom.
        to: u64,
    },
    /// A leader asks whether it still leads, on behalf of a read.
    Read {
        /// The replica.
        node: u64,
        /// By what the read is known.
        context: Bytes,
    },
    /// It becomes a follower of nobody.
    Follow {
        /// The replica.
        node: u64,
        /// In this term, which is not below its own.
        term: u64,
    },
    /// A copy is made, which goes on as the replica would.
    Fork {
        /// The replica.
        node: u64,
        /// The copy's handle.
        #[serde(rename = "as")]
        copy: u64,
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
        }
    }
}

/// A replica as it was persisted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Its handle.
    pub node: u64,
    /// Its id, by which messages name it.
    pub id: u64,
    /// Its term.
    pub term: u64,
    /// Whom it voted for; 0 for nobody.
    pub vote: u64,
    /// What it knows to be committed.
    pub commit: u64,
    /// What took effect; `conf` is as of then.
    pub applied: u64,
    /// Index and term of the last discarded entry.
    pub truncated: (u64, u64),
    /// The entries behind it.
    pub entries: Vec<Entry>,
    /// The members, none of who knows none.
    pub conf: Conf,
}

/// A configuration (etcd `ConfState`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conf {
    /// The voters; of a joint configuration the incoming ones.
    pub voters: Vec<u64>,
    /// The learners.
    pub learners: Vec<u64>,
    /// The voters before, of a joint configuration.
    pub voters_outgoing: Vec<u64>,
    /// Who of them will be a learner.
    pub learners_next: Vec<u64>,
}

/// A change of the members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// How it comes into force.
    pub shape: Shape,
    /// What changes; nothing where a joint configuration is left.
    #[serde(default)]
    pub changes: Vec<Single>,
}

/// How a change comes into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// At once, one member.
    Simple,
    /// By a joint configuration, which is left when that is proposed. Of one change
    /// alone: a simple one in the newer form (etcd `ConfChangeV2`).
    Enter,
    /// A joint configuration is left.
    Leave,
}

/// What changes of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Single {
    /// What becomes of it.
    pub kind: Kind,
    /// Its id.
    pub peer: u64,
}

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A voter, new or promoted.
    AddVoter,
    /// A learner, new or demoted.
    AddLearner,
    /// It goes.
    Remove,
}

/// An entry of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// What was proposed, of a change its context; empty where a leader begins its term.
    #[serde(default, skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// The change, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What the adapter adds for itself: it comes back as it was.
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
    /// The answer to entries, and to a snapshot.
    AppendAnswer,
    /// A candidate asks for a vote.
    Vote,
    /// The answer to that.
    VoteAnswer,
    /// A leader is there.
    Heartbeat,
    /// The answer to that.
    HeartbeatAnswer,
    /// A state instead of entries.
    Snapshot,
    /// The receiver is to campaign at once.
    TimeoutNow,
}

/// A message. The head is for Rollcall to read; of what comes back `to`, `commit` and
/// `context` may be other than they were, and count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The sender's id.
    pub from: u64,
    /// The receiver's id.
    pub to: u64,
    /// The sender's term.
    pub term: u64,
    /// Of an append the index before its entries, of its answer the last that both
    /// have, of a vote request the candidate's last.
    #[serde(skip_serializing_if = "is_zero")]
    pub index: u64,
    /// The term of the entry there, of an append and of a vote request.
    #[serde(skip_serializing_if = "is_zero")]
    pub log_term: u64,
    /// A commit index.
    #[serde(skip_serializing_if = "is_zero")]
    pub commit: u64,
    /// The term of the entry there, where votes tell of commits.
    #[serde(skip_serializing_if = "is_zero")]
    pub commit_term: u64,
    /// Of an answer: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reject: bool,
    /// The read that a heartbeat carries.
    #[serde(skip_serializing_if = "Bytes::is_empty")]
    pub context: Bytes,
    /// The entries of an append.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
    /// What a snapshot is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// What the adapter adds for itself: it comes back as it was.
    #[serde(skip_serializing_if = "Bytes::is_empty")]
    pub body: Bytes,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a snapshot is of. What it carries Rollcall lays beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last index in it.
    pub index: u64,
    /// That entry's term.
    pub term: u64,
    /// The members as of then.
    #[serde(default)]
    pub conf: Conf,
}

/// Bytes, base64 on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// Whether there are none.
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
        // Go writes an absent slice as null.
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        STANDARD.decode(text).map(Bytes).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an adapter reads and writes, as the page shows it.
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
