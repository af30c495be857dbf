//! What one store sends to another.
//!
//! The fields around raft's message are those of kvproto `RaftMessage`: the
//! receiver's store needs them to judge a message for a peer that it does not
//! have, or had. The range is there for a message that may create a peer: what
//! it would bring must be free.

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
    /// The sender, with its role in its own configuration (a learner where it knows none).
    pub from: Member,
    /// The receiver as the sender knows it.
    pub to: Member,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// The range of the sender's region; the whole key space where it knows none.
    pub range: KeyRange,
    /// What it says.
    pub payload: MessagePayload,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum MessagePayload {
    /// A message of raft.
    Raft(Box<eraftpb::Message>),
    /// "You were removed": the region as the teller knows it, at its epoch.
    GcPeer(Box<Region>),
    /// "Your region was merged": into this one, as it was before (kvproto
    /// `merge_target`).
    Merged(Box<Region>),
    /// "Am I a member still?" (kvproto `MsgCheckStalePeer`).
    CheckStalePeer,
    /// "I am gone, and these were members with me": of the epoch of this message (kvproto
    /// `MsgCheckStalePeerResponse`).
    CheckStalePeerResponse(Vec<Member>),
}

/// What ids, roles and epoch around raft's message take at most on the wire.
const ENVELOPE: u64 = 112;

/// How many bytes raft's message and what is around it take on the wire.
fn whole_size(message: &eraftpb::Message, range: &KeyRange) -> u64 {
    u64::from(message.compute_size()) + ENVELOPE + (range.start.len() + range.end.len()) as u64
}

/// Leaves out the last entries of an append that the transport would not take:
/// it would fail, and be sent again as it is, for ever (row 50). What is left
/// out is sent behind the answer. One entry stays, however long.
pub(crate) fn cut_to(message: &mut eraftpb::Message, range: &KeyRange, limit: u64) {
    while message.get_entries().len() > 1 && whole_size(message, range) > limit {
        message.mut_entries().pop();
    }
}

impl Message {
    /// How many bytes it takes on the wire; of what is not raft's, at most.
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

    /// The type of raft's message, if it is one.
    pub fn raft_type(&self) -> Option<eraftpb::MessageType> {
        self.raft().map(eraftpb::Message::get_msg_type)
    }
}

/// Answers something that the receiver sent.
pub(crate) fn is_answer(message: &eraftpb::Message) -> bool {
    matches!(
        message.get_msg_type(),
        eraftpb::MessageType::MsgAppendResponse
            | eraftpb::MessageType::MsgRequestVoteResponse
            | eraftpb::MessageType::MsgHeartbeatResponse
            | eraftpb::MessageType::MsgRequestPreVoteResponse
    )
}

/// May create a peer: a vote request, or a heartbeat to somebody of whom the
/// leader knows nothing (`TV util.rs is_initial_msg`).
pub(crate) fn is_initial(message: &eraftpb::Message) -> bool {
    use eraftpb::MessageType::{MsgHeartbeat, MsgRequestPreVote, MsgRequestVote};
    match message.get_msg_type() {
        MsgRequestVote | MsgRequestPreVote => true,
        MsgHeartbeat => message.commit == 0,
        _ => false,
    }
}

/// One of the first that a region sends that was just split off: a vote request
/// of the first term behind the initial one, or an append of its first entry
/// (`TV util.rs is_first_message`).
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

/// The parts of a message by which a store judges it.
#[derive(Clone)]
pub(crate) struct Envelope {
    pub(crate) region: RegionId,
    pub(crate) from: Member,
    pub(crate) to: Member,
    pub(crate) epoch: Epoch,
    pub(crate) range: KeyRange,
}
