//! Converts between raft's own types and the wire's.
//!
//! The adapter's own data (`body`) travels in an unknown field of raft's messages and entries.
//! Nothing here reads that field, and code that copies or stores a message keeps it.

use protobuf::Message as _;
use rollcall_impl::eraftpb::{self, ConfChangeType, ConfState, EntryType, MessageType as RaftType};
use rollcall_impl::{Payload, RaftChange};

use super::wire::{Bytes, Change, Conf, Entry, Kind, Message, MessageType, Shape, Single, Snapshot};

/// The number of the unknown field with the body.
const BODY: u32 = 1000;

fn keep_body(fields: &mut protobuf::UnknownFields, body: Bytes) {
    if !body.is_empty() {
        fields.add_length_delimited(BODY, body.0);
    }
}

fn body(fields: &protobuf::UnknownFields) -> Bytes {
    let values = fields.get(BODY).map(|values| values.length_delimited.concat());
    Bytes(values.unwrap_or_default())
}

/// A configuration.
pub(super) fn conf(state: &ConfState) -> Conf {
    Conf {
        voters: state.get_voters().to_vec(),
        learners: state.get_learners().to_vec(),
        voters_outgoing: state.get_voters_outgoing().to_vec(),
        learners_next: state.get_learners_next().to_vec(),
    }
}

fn to_conf(conf: Conf) -> ConfState {
    let mut state = ConfState::default();
    state.set_voters(conf.voters);
    state.set_learners(conf.learners);
    state.set_voters_outgoing(conf.voters_outgoing);
    state.set_learners_next(conf.learners_next);
    state
}

/// A membership change.
pub(super) fn change(change: &RaftChange) -> Change {
    match change {
        RaftChange::V1(simple) => {
            let single = Single { kind: kind(simple.get_change_type()), peer: simple.node_id };
            Change { shape: Shape::Simple, changes: vec![single] }
        }
        RaftChange::V2(joint) if joint.get_changes().is_empty() => {
            Change { shape: Shape::Leave, changes: Vec::new() }
        }
        RaftChange::V2(joint) => {
            let changes = joint.get_changes().iter();
            let changes =
                changes.map(|single| Single { kind: kind(single.get_change_type()), peer: single.node_id });
            Change { shape: Shape::Enter, changes: changes.collect() }
        }
    }
}

fn kind(kind: ConfChangeType) -> Kind {
    match kind {
        ConfChangeType::AddNode => Kind::AddVoter,
        ConfChangeType::AddLearnerNode => Kind::AddLearner,
        ConfChangeType::RemoveNode => Kind::Remove,
    }
}

/// An entry, with the membership change that its payload describes.
pub(super) fn entry(raft: &eraftpb::Entry, payload: &Payload) -> Entry {
    let is_change = raft.get_entry_type() != EntryType::EntryNormal;
    let said = match payload {
        Payload::Request(request) if is_change => RaftChange::of(&request.command),
        _ => None,
    };
    let data = if is_change { &raft.context } else { &raft.data };
    Entry {
        index: raft.index,
        term: raft.term,
        data: Bytes(data.to_vec()),
        change: said.as_ref().map(change),
        body: body(raft.get_unknown_fields()),
    }
}

/// An entry of raft-rs. The context of a membership change describes the change.
pub(super) fn to_entry(entry: Entry) -> eraftpb::Entry {
    let mut raft = eraftpb::Entry { index: entry.index, term: entry.term, ..Default::default() };
    match entry.change {
        Some(_) => {
            raft.set_entry_type(EntryType::EntryConfChangeV2);
            raft.context = entry.data.0.into();
        }
        None => raft.data = entry.data.0.into(),
    }
    keep_body(raft.mut_unknown_fields(), entry.body);
    raft
}

const TYPES: &[(MessageType, RaftType)] = &[
    (MessageType::Append, RaftType::MsgAppend),
    (MessageType::AppendAnswer, RaftType::MsgAppendResponse),
    (MessageType::Vote, RaftType::MsgRequestVote),
    (MessageType::VoteAnswer, RaftType::MsgRequestVoteResponse),
    (MessageType::Heartbeat, RaftType::MsgHeartbeat),
    (MessageType::HeartbeatAnswer, RaftType::MsgHeartbeatResponse),
    (MessageType::Snapshot, RaftType::MsgSnapshot),
    (MessageType::TimeoutNow, RaftType::MsgTimeoutNow),
];

/// A message for an adapter.
///
/// # Panics
/// If no store ever passes a message of this type to raft.
pub(super) fn message(raft: &eraftpb::Message) -> Message {
    let kind = TYPES.iter().find(|(_, of)| *of == raft.get_msg_type());
    let metadata = raft.get_snapshot().get_metadata();
    let is_snapshot = raft.get_msg_type() == RaftType::MsgSnapshot;
    Message {
        kind: kind.expect("a store hands only these to raft").0,
        from: raft.from,
        to: raft.to,
        term: raft.term,
        index: raft.index,
        log_term: raft.log_term,
        commit: raft.commit,
        commit_term: raft.commit_term,
        reject: raft.reject,
        context: Bytes(raft.context.to_vec()),
        entries: raft.get_entries().iter().map(|raft| entry(raft, &Payload::of(raft))).collect(),
        snapshot: is_snapshot.then(|| Snapshot {
            index: metadata.index,
            term: metadata.term,
            conf: conf(metadata.get_conf_state()),
        }),
        body: body(raft.get_unknown_fields()),
    }
}

/// A message from an adapter. The caller adds a snapshot's data.
pub(super) fn to_message(message: Message) -> eraftpb::Message {
    let mut raft = eraftpb::Message {
        from: message.from,
        to: message.to,
        term: message.term,
        index: message.index,
        log_term: message.log_term,
        commit: message.commit,
        commit_term: message.commit_term,
        reject: message.reject,
        context: message.context.0.into(),
        ..Default::default()
    };
    let kind = TYPES.iter().find(|(of, _)| *of == message.kind);
    raft.set_msg_type(kind.expect("each has one").1);
    raft.set_entries(message.entries.into_iter().map(to_entry).collect::<Vec<_>>().into());
    if let Some(snapshot) = message.snapshot {
        let metadata = raft.mut_snapshot().mut_metadata();
        (metadata.index, metadata.term) = (snapshot.index, snapshot.term);
        metadata.set_conf_state(to_conf(snapshot.conf));
    }
    keep_body(raft.mut_unknown_fields(), message.body);
    raft
}
