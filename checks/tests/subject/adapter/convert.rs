//! Converts between the types of the wire and of raft-rs.

use protobuf::Message as _;
use raft::eraftpb;
use raft::eraftpb::{ConfChangeType, ConfState, EntryType, MessageType as RaftType};
use rollcall_checks::subject::wire::{
    Bytes, Change, Conf, Entry, Kind, Message, MessageType, Shape, Snapshot,
};

pub(super) fn conf_of(state: &ConfState) -> Conf {
    Conf {
        voters: state.get_voters().to_vec(),
        learners: state.get_learners().to_vec(),
        voters_outgoing: state.get_voters_outgoing().to_vec(),
        learners_next: state.get_learners_next().to_vec(),
    }
}

pub(super) fn to_conf(conf: Conf) -> ConfState {
    let mut state = ConfState::default();
    state.set_voters(conf.voters);
    state.set_learners(conf.learners);
    state.set_voters_outgoing(conf.voters_outgoing);
    state.set_learners_next(conf.learners_next);
    state
}

fn kind(kind: Kind) -> ConfChangeType {
    match kind {
        Kind::AddVoter => ConfChangeType::AddNode,
        Kind::AddLearner => ConfChangeType::AddLearnerNode,
        Kind::Remove => ConfChangeType::RemoveNode,
    }
}

pub(super) fn simple(change: &Change) -> eraftpb::ConfChange {
    let mut simple = eraftpb::ConfChange { node_id: change.changes[0].peer, ..Default::default() };
    simple.set_change_type(kind(change.changes[0].kind));
    simple
}

pub(super) fn joint(change: &Change) -> eraftpb::ConfChangeV2 {
    let mut joint = eraftpb::ConfChangeV2::default();
    if change.changes.len() > 1 {
        joint.set_transition(eraftpb::ConfChangeTransition::Explicit);
    }
    for change in &change.changes {
        let mut single = eraftpb::ConfChangeSingle { node_id: change.peer, ..Default::default() };
        single.set_change_type(kind(change.kind));
        joint.mut_changes().push(single);
    }
    joint
}

/// raft's own encoding travels as the body.
pub(super) fn entry_of(entry: &eraftpb::Entry) -> Entry {
    let is_change = entry.get_entry_type() != EntryType::EntryNormal;
    let any = || Change { shape: Shape::Leave, changes: Vec::new() };
    Entry {
        index: entry.index,
        term: entry.term,
        data: Bytes(if is_change { entry.context.to_vec() } else { entry.data.to_vec() }),
        change: is_change.then(any),
        body: Bytes(entry.write_to_bytes().expect("it was read")),
    }
}

pub(super) fn to_entry(entry: Entry) -> eraftpb::Entry {
    eraftpb::Entry::parse_from_bytes(&entry.body.0).expect("was written here")
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

pub(super) fn message_of(raft: &eraftpb::Message) -> Message {
    let kind = TYPES.iter().find(|(_, of)| *of == raft.get_msg_type()).expect("raft sends only these").0;
    let metadata = raft.get_snapshot().get_metadata();
    Message {
        kind,
        from: raft.from,
        to: raft.to,
        term: raft.term,
        index: raft.index,
        log_term: raft.log_term,
        commit: raft.commit,
        commit_term: raft.commit_term,
        reject: raft.reject,
        context: Bytes(raft.context.to_vec()),
        entries: raft.get_entries().iter().map(entry_of).collect(),
        snapshot: (kind == MessageType::Snapshot).then(|| Snapshot {
            index: metadata.index,
            term: metadata.term,
            conf: conf_of(metadata.get_conf_state()),
        }),
        body: Bytes(raft.write_to_bytes().expect("it was read")),
    }
}

pub(super) fn to_message(message: Message) -> eraftpb::Message {
    let mut raft = eraftpb::Message::parse_from_bytes(&message.body.0).expect("was written here");
    raft.to = message.to;
    raft.commit = message.commit;
    raft.context = message.context.0.into();
    raft
}
