//! Converts between the implementation's types and the dictionary's. No other file does.

use std::collections::BTreeMap;

use rollcall_impl as imp;
use rollcall_impl::eraftpb::{self, MessageType};
use rollcall_impl::{PeerStatus, Replica, StateRole};
use rollcall_traces as tr;

pub(crate) mod pd;
pub(crate) mod recovery;

/// The store's refusal as a reason. The match is exhaustive on purpose.
pub(crate) fn reason(refusal: imp::Refusal) -> tr::Reason {
    use rollcall_impl::Refusal as R;
    match refusal {
        R::RegionNotFound => tr::Reason::RegionNotFound,
        R::NotLeader => tr::Reason::NotLeader,
        R::AlreadyLeader => tr::Reason::AlreadyLeader,
        R::NotInConfig => tr::Reason::NotInConfig,
        R::NotPromotable => tr::Reason::NotPromotable,
        R::UnappliedConfChange => tr::Reason::UnappliedConfChange,
        R::ApplyingSnapshot => tr::Reason::ApplyingSnapshot,
        R::NoSnapshot => tr::Reason::NoSnapshot,
        R::NothingToApply => tr::Reason::NothingToApply,
        R::StaleTerm => tr::Reason::StaleTerm,
        R::StaleEpoch => tr::Reason::StaleEpoch,
        R::SenderRemoved => tr::Reason::SenderRemoved,
        R::Tombstone => tr::Reason::Tombstone,
        R::StillMember => tr::Reason::StillMember,
        R::RegionStale => tr::Reason::RegionStale,
        R::StalePeerId => tr::Reason::StalePeerId,
        R::NotInitialMessage => tr::Reason::NotInitialMessage,
        R::RangeOverlap => tr::Reason::RangeOverlap,
        R::SnapshotOverlap => tr::Reason::SnapshotOverlap,
        R::MessageAlreadyPending => tr::Reason::MessageAlreadyPending,
        R::EpochNotMatch => tr::Reason::EpochNotMatch,
        R::EpochChanging => tr::Reason::EpochChanging,
        R::NoSplitKey => tr::Reason::NoSplitKey,
        R::SplitKeyEmpty => tr::Reason::SplitKeyEmpty,
        R::SplitKeyAtStart => tr::Reason::SplitKeyAtStart,
        R::SplitKeyAtEnd => tr::Reason::SplitKeyAtEnd,
        R::SplitKeyOutside => tr::Reason::SplitKeyOutside,
        R::SplitKeysOutOfOrder => tr::Reason::SplitKeysOutOfOrder,
        R::SplitIdsMismatch => tr::Reason::SplitIdsMismatch,
        R::IdInUse => tr::Reason::IdInUse,
        R::KeyNotInRegion => tr::Reason::KeyNotInRegion,
        R::PendingConfChange => tr::Reason::PendingConfChange,
        R::NotAppliedTerm => tr::Reason::NotAppliedTerm,
        R::TransferringLeader => tr::Reason::TransferringLeader,
        R::LeaderRemoval => tr::Reason::LeaderRemoval,
        R::DemoteFirst => tr::Reason::DemoteFirst,
        R::MajorityLost => tr::Reason::MajorityLost,
        R::QuorumBehind => tr::Reason::QuorumBehind,
        R::VoterRemoval => tr::Reason::VoterRemoval,
        R::InvalidChange => tr::Reason::InvalidChange,
        R::AlreadyJoint => tr::Reason::AlreadyJoint,
        R::NotJoint => tr::Reason::NotJoint,
        R::TransfereeNotVoter => tr::Reason::TransfereeNotVoter,
        R::InvalidCompactIndex => tr::Reason::InvalidCompactIndex,
        R::RecoveryInProgress => tr::Reason::RecoveryInProgress,
        R::NotByForce => tr::Reason::NotByForce,
        R::Merging => tr::Reason::Merging,
        R::NotMerging => tr::Reason::NotMerging,
        R::MergeTargetNotFound => tr::Reason::MergeTargetNotFound,
        R::MergeTargetNotMatch => tr::Reason::MergeTargetNotMatch,
        R::NotSiblings => tr::Reason::NotSiblings,
        R::StoresNotMatch => tr::Reason::StoresNotMatch,
        R::LogGapTooLarge => tr::Reason::LogGapTooLarge,
        R::AdminInLogGap => tr::Reason::AdminInLogGap,
        R::MergeSourceNotFound => tr::Reason::MergeSourceNotFound,
        R::SourceNotMerging => tr::Reason::SourceNotMerging,
        R::MergeTargetChanged => tr::Reason::MergeTargetChanged,
        R::MergeTargetBehind => tr::Reason::MergeTargetBehind,
        R::MergeTargetUnchanged => tr::Reason::MergeTargetUnchanged,
        R::WaitsForSource => tr::Reason::WaitsForSource,
        R::NotCommittedTerm => tr::Reason::NotCommittedTerm,
        R::ReadPending => tr::Reason::ReadPending,
        R::NoReadReady => tr::Reason::NoReadReady,
        R::InvalidConfVer => tr::Reason::InvalidConfVer,
        R::PeerStillListed => tr::Reason::PeerStillListed,
        R::NoEffect => tr::Reason::NoEffect,
        R::KeyTooLarge | R::ValueTooLarge => unreachable!("stores of a world have no such limits"),
    }
}

// To the implementation.

pub(crate) fn to_epoch(epoch: tr::Epoch) -> imp::Epoch {
    imp::Epoch { conf_ver: epoch.conf_ver, version: epoch.version }
}

pub(crate) fn to_key(key: &tr::Key) -> imp::Key {
    key.as_bytes().into()
}

pub(crate) fn to_region(region: &tr::Region) -> imp::Region {
    imp::Region {
        id: region.id,
        start: to_key(&region.start),
        end: to_key(&region.end),
        epoch: to_epoch(region.epoch),
        peers: region.peers.iter().map(to_member).collect(),
    }
}

fn to_member(member: &tr::Member) -> imp::Member {
    let role = match member.role {
        tr::MemberRole::Voter => imp::MemberRole::Voter,
        tr::MemberRole::Learner => imp::MemberRole::Learner,
        tr::MemberRole::IncomingVoter => imp::MemberRole::IncomingVoter,
        tr::MemberRole::DemotingVoter => imp::MemberRole::DemotingVoter,
    };
    imp::Member { id: member.id, store: member.store, role }
}

pub(crate) fn to_command(command: &tr::Command) -> imp::Command {
    match command {
        tr::Command::Put { key, value } => imp::Command::Put { key: to_key(key), value: to_key(value) },
        tr::Command::Delete { key } => imp::Command::Delete { key: to_key(key) },
        tr::Command::Split { children, derive } => imp::Command::Split {
            children: children.iter().map(to_child).collect(),
            derive: to_derive(*derive),
        },
        tr::Command::ChangePeer(change) => imp::Command::ChangePeer(to_change(change)),
        tr::Command::EnterJoint { changes } => {
            imp::Command::EnterJoint(changes.iter().map(to_change).collect())
        }
        tr::Command::LeaveJoint => imp::Command::LeaveJoint,
        tr::Command::TransferLeader { to } => imp::Command::TransferLeader { to: *to },
        tr::Command::CompactLog { index } => imp::Command::CompactLog { index: *index },
        // The command names the other region; the store fills in the rest.
        tr::Command::PrepareMerge { target, .. } => imp::Command::prepare_merge(to_region(target)),
        tr::Command::CommitMerge { source, .. } => imp::Command::commit_merge(source.id),
        tr::Command::RollbackMerge { .. } => imp::Command::rollback_merge(),
    }
}

fn to_child(child: &tr::Child) -> imp::Child {
    imp::Child { key: to_key(&child.key), region: child.region, peers: child.peers.clone() }
}

pub(crate) fn to_derive(derive: tr::Derive) -> imp::Derive {
    match derive {
        tr::Derive::Left => imp::Derive::Left,
        tr::Derive::Right => imp::Derive::Right,
    }
}

fn to_change(change: &tr::Change) -> imp::Change {
    let kind = match change.kind {
        tr::ChangeKind::AddVoter => imp::ChangeKind::AddVoter,
        tr::ChangeKind::AddLearner => imp::ChangeKind::AddLearner,
        tr::ChangeKind::Remove => imp::ChangeKind::Remove,
    };
    imp::Change { kind, peer: change.peer, store: change.store }
}

pub(crate) fn to_limit(entries: tr::Entries) -> imp::AppendLimit {
    match entries {
        tr::Entries::One => imp::AppendLimit::One,
        tr::Entries::All => imp::AppendLimit::All,
    }
}

// From the implementation.

pub(crate) fn epoch(epoch: imp::Epoch) -> tr::Epoch {
    tr::Epoch { conf_ver: epoch.conf_ver, version: epoch.version }
}

pub(crate) fn key(key: &imp::Key) -> tr::Key {
    tr::Key::from(&key[..])
}

pub(crate) fn member(member: &imp::Member) -> tr::Member {
    tr::Member { id: member.id, store: member.store, role: member_role(member.role) }
}

pub(crate) fn member_role(role: imp::MemberRole) -> tr::MemberRole {
    match role {
        imp::MemberRole::Voter => tr::MemberRole::Voter,
        imp::MemberRole::Learner => tr::MemberRole::Learner,
        imp::MemberRole::IncomingVoter => tr::MemberRole::IncomingVoter,
        imp::MemberRole::DemotingVoter => tr::MemberRole::DemotingVoter,
    }
}

pub(crate) fn region(region: &imp::Region) -> tr::Region {
    tr::Region {
        id: region.id,
        start: key(&region.start),
        end: key(&region.end),
        epoch: epoch(region.epoch),
        peers: region.peers.iter().map(member).collect(),
    }
}

pub(crate) fn position(position: imp::Position) -> tr::LogPosition {
    tr::LogPosition { index: position.index, term: position.term }
}

pub(crate) fn command(command: &imp::Command) -> tr::Command {
    match command {
        imp::Command::Put { key: at, value } => tr::Command::Put { key: key(at), value: key(value) },
        imp::Command::Delete { key: at } => tr::Command::Delete { key: key(at) },
        imp::Command::Split { children, derive: kept } => {
            tr::Command::Split { children: children.iter().map(child).collect(), derive: derive(*kept) }
        }
        imp::Command::ChangePeer(changed) => tr::Command::ChangePeer(change(changed)),
        imp::Command::EnterJoint(changes) => {
            tr::Command::EnterJoint { changes: changes.iter().map(change).collect() }
        }
        imp::Command::LeaveJoint => tr::Command::LeaveJoint,
        imp::Command::TransferLeader { to } => tr::Command::TransferLeader { to: *to },
        imp::Command::CompactLog { index } => tr::Command::CompactLog { index: *index },
        imp::Command::PrepareMerge(prepare) => tr::Command::PrepareMerge {
            target: Box::new(region(&prepare.target)),
            min_index: prepare.min_index,
        },
        imp::Command::CommitMerge(commit) => tr::Command::CommitMerge {
            source: Box::new(region(&commit.source)),
            commit: commit.commit,
            entries: commit.entries.iter().map(carried).collect(),
        },
        imp::Command::RollbackMerge { commit } => tr::Command::RollbackMerge { commit: *commit },
    }
}

pub(crate) fn child(child: &imp::Child) -> tr::Child {
    tr::Child { key: key(&child.key), region: child.region, peers: child.peers.clone() }
}

pub(crate) fn derive(derive: imp::Derive) -> tr::Derive {
    match derive {
        imp::Derive::Left => tr::Derive::Left,
        imp::Derive::Right => tr::Derive::Right,
    }
}

pub(crate) fn range_entry(entry: imp::RangeEntry<'_>) -> tr::RangeEntry {
    tr::RangeEntry { start: key(entry.start), end: key(entry.end), region: entry.region }
}

pub(crate) fn change(change: &imp::Change) -> tr::Change {
    let kind = match change.kind {
        imp::ChangeKind::AddVoter => tr::ChangeKind::AddVoter,
        imp::ChangeKind::AddLearner => tr::ChangeKind::AddLearner,
        imp::ChangeKind::Remove => tr::ChangeKind::Remove,
    };
    tr::Change { kind, peer: change.peer, store: change.store }
}

fn entry(entry: &eraftpb::Entry, payload: &imp::Payload) -> tr::Entry {
    let proposed = payload.request().map(|request| epoch(request.epoch)).unwrap_or_default();
    // `None` for the empty entry, and for one that cannot be decoded.
    let said = payload.request().map(|request| command(&request.command));
    tr::Entry { term: entry.term, command: said, epoch: proposed }
}

/// A log as an engine has it.
pub(crate) fn log(truncated: imp::Position, entries: &[eraftpb::Entry]) -> tr::Log {
    let entries = entries.iter().map(|raft| entry(raft, &imp::Payload::of(raft))).collect();
    tr::Log { truncated: position(truncated), entries }
}

/// An entry of the source's log that a merge carries into the target's.
fn carried(carried: &imp::CarriedEntry) -> tr::Entry {
    let raft = eraftpb::Entry {
        index: carried.index,
        term: carried.term,
        data: carried.data.to_vec().into(),
        ..Default::default()
    };
    entry(&raft, &imp::Payload::of(&raft))
}

pub(crate) fn data(data: &BTreeMap<imp::Key, imp::Value>) -> BTreeMap<tr::Key, tr::Value> {
    data.iter().map(|(at, value)| (key(at), key(value))).collect()
}

fn snapshot(at: imp::Position, body: &imp::SnapshotBody) -> tr::Snapshot {
    tr::Snapshot { position: position(at), region: region(&body.region), data: data(&body.data) }
}

pub(crate) fn state(state: imp::PeerState) -> tr::PeerState {
    match state {
        imp::PeerState::Uninitialised => tr::PeerState::Uninitialised,
        imp::PeerState::Normal => tr::PeerState::Normal,
        imp::PeerState::Merging => tr::PeerState::Merging,
        imp::PeerState::Tombstone => tr::PeerState::Tombstone,
    }
}

/// A pre-candidate is a candidate.
pub(crate) fn role(role: StateRole) -> tr::Role {
    match role {
        StateRole::Follower => tr::Role::Follower,
        StateRole::Candidate | StateRole::PreCandidate => tr::Role::Candidate,
        StateRole::Leader => tr::Role::Leader,
    }
}

/// The end of a candidate's log when it sent its vote requests, if the log ends elsewhere now.
pub(crate) fn asked_with<R: Replica>(status: PeerStatus<'_, R>) -> Option<tr::LogPosition> {
    let asked = position(status.asked_with());
    let last = status.last_index();
    let now = tr::LogPosition { index: last, term: status.log_term(last).unwrap_or_default() };
    (asked != now).then_some(asked)
}

fn merge_state(merge: &imp::MergeState) -> tr::MergeState {
    let imp::MergeState { min_index, target, commit } = merge;
    tr::MergeState { min_index: *min_index, target: region(target), commit: *commit }
}

pub(crate) fn creator(creator: imp::Creator) -> tr::Creator {
    tr::Creator { member: member(&creator.member), epoch: epoch(creator.epoch) }
}

pub(crate) fn stale_check(check: &imp::StaleCheck) -> tr::StaleCheck {
    tr::StaleCheck { conf_ver: check.conf_ver, peers: members(&check.peers) }
}

fn members(peers: &[imp::Member]) -> Vec<tr::Member> {
    peers.iter().map(member).collect()
}

/// A live peer as its disk has it. `timeout_now` says whether its `TimeoutNow` is pending,
/// `merged_into` is the merge of its region that other stores have reported to it.
pub(crate) fn peer<R: Replica>(
    status: PeerStatus<'_, R>,
    timeout_now: bool,
    merged_into: Option<&imp::Region>,
) -> tr::Peer {
    let role = role(status.role());
    let voted = |granted| status.votes().filter(move |vote| vote.1 == granted).map(|vote| vote.0).collect();
    tr::Peer {
        id: status.id(),
        state: state(status.state()),
        replaces_tombstone: status.replaces_tombstone(),
        role,
        term: status.term(),
        vote: status.vote(),
        leader: status.leader(),
        log: tr::Log {
            truncated: position(status.truncated()),
            entries: status.entries().map(|(raft, payload)| entry(raft, payload)).collect(),
        },
        commit: status.commit(),
        synced_commit: None,
        durable: None,
        applied: status.applied(),
        region: region(status.region()),
        merge: status.merge().map(merge_state),
        merged_into: merged_into.map(region),
        created_by: status.created_by().map(creator),
        stale_check: status.stale_check().map(stale_check),
        log_since: status.log_since().map(epoch),
        snapshot: status.staged().map(|(at, body)| snapshot(at, body)),
        campaign: (role == tr::Role::Candidate).then(|| tr::Campaign {
            commit: position(status.asked_at()),
            last: asked_with(status),
            granted: voted(true),
            rejected: voted(false),
        }),
        leading: (role == tr::Role::Leader).then(|| tr::Leading {
            matched: status.matched().collect(),
            committed: status.committed().collect(),
            pending_conf_index: status.pending_conf_index(),
            sent_snapshot: status.sent_snapshot(),
            transfer: status.lead_transferee().map(|to| tr::Transfer { to, timeout_now }),
        }),
        failed_stores: status.failed_stores().clone(),
        recovery: status.recovery().map(recovery::peer_recovery),
        read: status.read().map(|read| tr::Read {
            // A read without a key does not exist in the dictionary.
            key: read.key.map_or_else(tr::Key::empty, key),
            index: read.index,
            acks: read.acks.into_iter().collect(),
            ready: read.ready,
        }),
        data: data(status.data()),
    }
}

/// The tombstone of a destroyed peer.
pub(crate) fn tombstone(tombstone: imp::Tombstone<'_>) -> tr::Peer {
    tr::Peer {
        applied: tombstone.applied,
        merged_into: tombstone.merged_into.map(region),
        log_since: tombstone.log_since.map(epoch),
        ..tr::Peer::blank(tombstone.id, tr::PeerState::Tombstone, region(tombstone.region))
    }
}

/// A message in flight.
pub(crate) fn held(message: &imp::Message) -> tr::Held {
    let (term, said) = match &message.payload {
        imp::MessagePayload::Raft(raft) => (raft.term, said(raft)),
        imp::MessagePayload::GcPeer(known) => (0, tr::Message::GcPeer { region: region(known) }),
        imp::MessagePayload::Merged(target) => (0, tr::Message::Merged { target: region(target) }),
        imp::MessagePayload::CheckStalePeer => (0, tr::Message::CheckStalePeer),
        imp::MessagePayload::CheckStalePeerResponse(peers) => {
            (0, tr::Message::CheckStalePeerResponse { peers: members(peers) })
        }
    };
    tr::Held {
        region: message.region,
        from: member(&message.from),
        to: member(&message.to),
        term,
        epoch: epoch(message.epoch),
        range: tr::KeyRange { start: key(&message.range.start), end: key(&message.range.end) },
        message: said,
    }
}

fn said(raft: &eraftpb::Message) -> tr::Message {
    let commit = tr::LogPosition { index: raft.commit, term: raft.commit_term };
    let before = tr::LogPosition { index: raft.index, term: raft.log_term };
    let reply = |index| tr::Message::AppendResponse { index, commit: raft.commit };
    match raft.get_msg_type() {
        MessageType::MsgRequestVote => tr::Message::VoteRequest { last: before, commit },
        MessageType::MsgRequestVoteResponse => tr::Message::VoteResponse { granted: !raft.reject, commit },
        MessageType::MsgAppend => tr::Message::Append {
            previous: before,
            entries: raft.entries.iter().map(|raft| entry(raft, &imp::Payload::of(raft))).collect(),
            commit: raft.commit,
        },
        MessageType::MsgAppendResponse if raft.reject => reply(0),
        MessageType::MsgAppendResponse => reply(raft.index),
        MessageType::MsgHeartbeat => tr::Message::Heartbeat { commit: raft.commit },
        MessageType::MsgHeartbeatResponse => reply(0),
        MessageType::MsgSnapshot => {
            let metadata = raft.get_snapshot().get_metadata();
            let body = imp::SnapshotBody::decode(raft.get_snapshot()).expect("was encoded by a store");
            let at = imp::Position { index: metadata.index, term: metadata.term };
            tr::Message::Snapshot(snapshot(at, &body))
        }
        MessageType::MsgTimeoutNow => tr::Message::TimeoutNow,
        MessageType::MsgTransferLeader => match raft.index {
            0 => tr::Message::PreTransferLeader,
            applied => tr::Message::AckTransferLeader { applied },
        },
        other => unreachable!("no store sends a {other:?} to another"),
    }
}
