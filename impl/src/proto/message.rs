//! A message from one store to another.
//!
//! The fields around raft's message are those of kvproto `RaftMessage`. The receiving store needs
//! them to check a message for a peer that it does not have, or no longer has. The range is for a
//! message that may create a peer: the new peer's range must be free.

mod codec;

use protobuf::Message as _;
use raft::eraftpb;

use crate::proto::command::Payload;
use crate::proto::position::INITIAL_POSITION;
use crate::proto::region::{Epoch, KeyRange, Member, Region, RegionId};

pub use codec::MessageError;

/// A message from a peer to a peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The region of both.
    pub region: RegionId,
    /// The sender, with its role in its own configuration (learner if it has none).
    pub from: Member,
    /// The receiver as the sender knows it.
    pub to: Member,
    /// The sender's region epoch.
    pub epoch: Epoch,
    /// The range of the sender's region; the whole key space if it is not initialised.
    pub range: KeyRange,
    /// The content.
    pub payload: MessagePayload,
}

/// The content of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum MessagePayload {
    /// A message of raft.
    Raft(Box<eraftpb::Message>),
    /// The receiver was removed. The region as the sender knows it, at its epoch.
    GcPeer(Box<Region>),
    /// The receiver's region was merged into this region, given as of before the merge (kvproto
    /// `merge_target`).
    Merged(Box<Region>),
    /// Asks whether the sender is still a member (kvproto `MsgCheckStalePeer`).
    CheckStalePeer,
    /// The sender is destroyed. These were the members of its region, at this message's epoch
    /// (kvproto `MsgCheckStalePeerResponse`).
    CheckStalePeerResponse(Vec<Member>),
}

/// The most bytes of ids, roles and epoch around raft's message.
const ENVELOPE: u64 = 112;

/// The encoded size of raft's message and what is around it, in bytes.
fn whole_size(message: &eraftpb::Message, range: &KeyRange) -> u64 {
    u64::from(message.compute_size()) + ENVELOPE + (range.start.len() + range.end.len()) as u64
}

/// Removes the last entries of an append that is larger than the transport's limit. Otherwise it
/// would fail and be sent again unchanged for ever (row 50). The removed entries are sent after the
/// response. One entry always stays.
pub(crate) fn cut_to(message: &mut eraftpb::Message, range: &KeyRange, limit: u64) {
    while message.get_entries().len() > 1 && whole_size(message, range) > limit {
        message.mut_entries().pop();
    }
}

impl Message {
    /// Its encoded size in bytes; an upper bound for the part around raft's message.
    pub fn size(&self) -> u64 {
        let region = match &self.payload {
            MessagePayload::Raft(message) => return whole_size(message, &self.range),
            MessagePayload::GcPeer(region) | MessagePayload::Merged(region) => region,
            MessagePayload::CheckStalePeer => {
                return ENVELOPE + (self.range.start.len() + self.range.end.len()) as u64;
            }
            MessagePayload::CheckStalePeerResponse(peers) => {
                let keys = self.range.start.len() + self.range.end.len();
                return (1 + peers.len() as u64) * ENVELOPE + keys as u64;
            }
        };
        let keys = [&self.range.start, &self.range.end, &region.start, &region.end];
        let members = region.peers.len() as u64 * ENVELOPE;
        2 * ENVELOPE + members + keys.iter().map(|key| key.len() as u64).sum::<u64>()
    }

    /// raft's message, if it is one.
    pub fn raft(&self) -> Option<&eraftpb::Message> {
        match &self.payload {
            MessagePayload::Raft(message) => Some(message),
            MessagePayload::GcPeer(_)
            | MessagePayload::Merged(_)
            | MessagePayload::CheckStalePeer
            | MessagePayload::CheckStalePeerResponse(_) => None,
        }
    }

    /// Whether it brings a snapshot.
    pub fn is_snapshot(&self) -> bool {
        self.raft_type() == Some(eraftpb::MessageType::MsgSnapshot)
    }

    /// The type of raft's message, if it is one.
    pub fn raft_type(&self) -> Option<eraftpb::MessageType> {
        self.raft().map(eraftpb::Message::get_msg_type)
    }
}

/// Whether it is a response.
pub(crate) fn is_answer(message: &eraftpb::Message) -> bool {
    matches!(
        message.get_msg_type(),
        eraftpb::MessageType::MsgAppendResponse
            | eraftpb::MessageType::MsgRequestVoteResponse
            | eraftpb::MessageType::MsgHeartbeatResponse
            | eraftpb::MessageType::MsgRequestPreVoteResponse
    )
}

/// Whether it may create a peer: a vote request, or a heartbeat to a peer with unknown progress
/// (`TiKV util.rs is_initial_msg`).
pub(crate) fn is_initial(message: &eraftpb::Message) -> bool {
    use eraftpb::MessageType::{MsgHeartbeat, MsgRequestPreVote, MsgRequestVote};
    match message.get_msg_type() {
        MsgRequestVote | MsgRequestPreVote => true,
        MsgHeartbeat => message.commit == 0,
        _ => false,
    }
}

/// Whether it is one of the first messages of a new region of a split: a vote request in the first
/// term after the initial one, or an append of its first entry (`TiKV util.rs is_first_message`).
pub(crate) fn is_first(message: &eraftpb::Message) -> bool {
    use eraftpb::MessageType::{MsgAppend, MsgRequestPreVote, MsgRequestVote};
    match message.get_msg_type() {
        MsgRequestVote | MsgRequestPreVote => message.term == INITIAL_POSITION.term + 1,
        MsgAppend => match message.get_entries() {
            [entry] => entry.index == INITIAL_POSITION.index + 1 && Payload::of(entry) == Payload::Empty,
            _ => false,
        },
        _ => false,
    }
}

/// The fields of a message that a store checks.
#[derive(Clone)]
pub(crate) struct Envelope {
    pub(crate) region: RegionId,
    pub(crate) from: Member,
    pub(crate) to: Member,
    pub(crate) epoch: Epoch,
    pub(crate) range: KeyRange,
}
