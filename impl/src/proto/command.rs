//! The commands that can be proposed, and their encoding in a raft entry.
//!
//! Everything but a conf change is an entry's data. A conf change is a raft `ConfChange` (simple)
//! or an explicit `ConfChangeV2` (joint), with the whole request in the entry's context, as in TiKV
//! (`TiKV util.rs ChangePeerI::to_confchange`). raft's change has peer ids but no stores, so a change
//! without its request cannot be applied.

use raft::eraftpb::{
    ConfChange, ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, Entry, EntryType,
};

use crate::proto::codec::{DecodeError, Reader, put_bytes, put_epoch, put_u64};
use crate::proto::merge::{CommitMerge, PrepareMerge};
use crate::proto::region::{Epoch, Key, PeerId, Region, RegionId, StoreId, Value};

/// A command that can be proposed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Writes a value.
    Put {
        /// The key.
        key: Key,
        /// The value.
        value: Value,
    },
    /// Deletes a value.
    Delete {
        /// The key.
        key: Key,
    },
    /// Changes one member (raft-rs v1).
    ChangePeer(Change),
    /// Enters a joint configuration that is left explicitly (raft-rs v2).
    EnterJoint(Vec<Change>),
    /// Leaves the joint configuration.
    LeaveJoint,
    /// Splits the region. Each key begins a new region or ends one (`derive`). One of the regions
    /// keeps the id.
    Split {
        /// The new regions, in key order.
        children: Vec<Child>,
        /// Which region keeps the id.
        derive: Derive,
    },
    /// Transfers leadership to the peer on this store. It is never an entry.
    TransferLeader {
        /// The store.
        to: StoreId,
    },
    /// Truncates the log up to and including `index`.
    CompactLog {
        /// The last index to truncate.
        index: u64,
    },
    /// Prepares the merge of this region into a neighbour; [`Command::prepare_merge`].
    PrepareMerge(Box<PrepareMerge>),
    /// Merges a neighbour into this region; [`Command::commit_merge`].
    CommitMerge(Box<CommitMerge>),
    /// Ends a prepared merge without merging; [`Command::rollback_merge`].
    RollbackMerge {
        /// The index of the `PrepareMerge` that is rolled back.
        commit: u64,
    },
}

impl Command {
    /// Prepares the merge of the region into `target`. The target's peer on the leader's store must
    /// have exactly this region. The leader fills in the rest.
    pub fn prepare_merge(target: Region) -> Command {
        Command::PrepareMerge(Box::new(PrepareMerge { target, min_index: 0 }))
    }

    /// Merges `source` into the region. The store fills in the rest from the source's peer on the
    /// leader's store.
    pub fn commit_merge(source: RegionId) -> Command {
        let source = Region::unknown(source);
        Command::CommitMerge(Box::new(CommitMerge { source, commit: 0, entries: Vec::new() }))
    }

    /// Rolls back the region's `PrepareMerge`. The store fills in its index.
    pub fn rollback_merge() -> Command {
        Command::RollbackMerge { commit: 0 }
    }

    /// Whether it is a command of a merge.
    pub fn is_merge(&self) -> bool {
        matches!(self, Command::PrepareMerge(_) | Command::CommitMerge(_) | Command::RollbackMerge { .. })
    }

    /// Whether it is applied in a step of its own (all but `Put` and `Delete`).
    pub fn is_admin(&self) -> bool {
        !matches!(self, Command::Put { .. } | Command::Delete { .. })
    }

    /// Whether it changes the members.
    pub fn is_conf_change(&self) -> bool {
        matches!(self, Command::ChangePeer(_) | Command::EnterJoint(_) | Command::LeaveJoint)
    }

    /// The single changes of a membership change.
    pub(crate) fn changes(&self) -> &[Change] {
        match self {
            Command::ChangePeer(change) => std::slice::from_ref(change),
            Command::EnterJoint(changes) => changes,
            _ => &[],
        }
    }

    /// The only change of a simple membership change. A joint change with one member is a simple
    /// one (`TiKV util.rs to_confchange`).
    pub(crate) fn single_change(&self) -> Option<&Change> {
        match self {
            Command::ChangePeer(change) => Some(change),
            Command::EnterJoint(changes) => match &changes[..] {
                [change] => Some(change),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A new region of a split.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Child {
    /// The split key. The new region begins at it; if the right region keeps the parent's id, the
    /// new region ends at it.
    pub key: Key,
    /// The new region's id.
    pub region: RegionId,
    /// The ids of its peers, in the order of the parent's.
    pub peers: Vec<PeerId>,
}

/// Which region of a split keeps the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Derive {
    /// The first (TinyKV).
    Left,
    /// The last (TiKV `right-derive-when-split`, its default).
    Right,
}

/// One change of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// The kind of change.
    pub kind: ChangeKind,
    /// Its peer id.
    pub peer: PeerId,
    /// Its store.
    pub store: StoreId,
}

/// The kind of change of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Joins as a voter; a learner is promoted.
    AddVoter,
    /// Joins as a learner; a voter is demoted (joint only).
    AddLearner,
    /// Leaves the region.
    Remove,
}

/// A command and the epoch under which it was proposed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// The command.
    pub command: Command,
    /// The epoch; zero if the command checks none (`CompactLog`).
    pub epoch: Epoch,
}

/// The content of a log entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The empty entry of a new leader.
    Empty,
    /// A request.
    Request(Request),
    /// A change or command that cannot be decoded. It has no effect, on every replica alike. As a
    /// conf change it still needs a step of its own.
    Unreadable {
        /// Whether raft treats it as a conf change.
        conf_change: bool,
    },
}

impl Payload {
    /// The request, if it is one.
    pub fn request(&self) -> Option<&Request> {
        match self {
            Payload::Request(request) => Some(request),
            Payload::Empty | Payload::Unreadable { .. } => None,
        }
    }

    /// Whether it is applied in a step of its own.
    pub(crate) fn is_admin(&self) -> bool {
        match self {
            Payload::Empty => false,
            Payload::Request(request) => request.command.is_admin(),
            Payload::Unreadable { conf_change } => *conf_change,
        }
    }

    /// Whether it changes the members.
    pub(crate) fn is_conf_change(&self) -> bool {
        match self {
            Payload::Empty => false,
            Payload::Request(request) => request.command.is_conf_change(),
            Payload::Unreadable { conf_change } => *conf_change,
        }
    }

    /// Decodes `entry`.
    pub fn of(entry: &Entry) -> Payload {
        let conf_change = entry.get_entry_type() != EntryType::EntryNormal;
        let bytes: &[u8] = if conf_change { &entry.context } else { &entry.data };
        if bytes.is_empty() && !conf_change {
            return Payload::Empty;
        }
        match Request::decode(bytes) {
            Ok(request) if request.command.is_conf_change() == conf_change => Payload::Request(request),
            _ => Payload::Unreadable { conf_change },
        }
    }
}

impl Request {
    /// Encodes the request.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        put_epoch(&mut out, self.epoch);
        match &self.command {
            Command::Put { key, value } => {
                out.push(0);
                put_bytes(&mut out, key);
                put_bytes(&mut out, value);
            }
            Command::ChangePeer(change) => {
                out.push(1);
                put_change(&mut out, change);
            }
            Command::EnterJoint(changes) => {
                out.push(2);
                put_u64(&mut out, changes.len() as u64);
                changes.iter().for_each(|change| put_change(&mut out, change));
            }
            Command::LeaveJoint => out.push(3),
            Command::TransferLeader { to } => {
                out.push(4);
                put_u64(&mut out, *to);
            }
            Command::CompactLog { index } => {
                out.push(5);
                put_u64(&mut out, *index);
            }
            Command::Delete { key } => {
                out.push(6);
                put_bytes(&mut out, key);
            }
            Command::PrepareMerge(prepare) => {
                out.push(8);
                prepare.put(&mut out);
            }
            Command::CommitMerge(commit) => {
                out.push(9);
                commit.put(&mut out);
            }
            Command::RollbackMerge { commit } => {
                out.push(10);
                put_u64(&mut out, *commit);
            }
            Command::Split { children, derive } => {
                out.push(7);
                out.push(match derive {
                    Derive::Left => 0,
                    Derive::Right => 1,
                });
                put_u64(&mut out, children.len() as u64);
                children.iter().for_each(|child| put_child(&mut out, child));
            }
        }
        out
    }

    /// Decodes what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Request, DecodeError> {
        let mut reader = Reader::new(bytes);
        let epoch = reader.epoch()?;
        let command = match reader.u8("a command")? {
            0 => Command::Put { key: reader.bytes("a key")?, value: reader.bytes("a value")? },
            1 => Command::ChangePeer(change(&mut reader)?),
            2 => {
                let count = reader.u64("a number of changes")?;
                Command::EnterJoint((0..count).map(|_| change(&mut reader)).collect::<Result<_, _>>()?)
            }
            3 => Command::LeaveJoint,
            4 => Command::TransferLeader { to: reader.u64("a store")? },
            5 => Command::CompactLog { index: reader.u64("an index")? },
            6 => Command::Delete { key: reader.bytes("a key")? },
            7 => {
                let derive = match reader.u8("a split")? {
                    0 => Derive::Left,
                    1 => Derive::Right,
                    _ => return Err(reader.fail("a split")),
                };
                let count = reader.u64("a number of regions")?;
                let children = (0..count).map(|_| child(&mut reader)).collect::<Result<_, _>>()?;
                Command::Split { children, derive }
            }
            8 => Command::PrepareMerge(Box::new(PrepareMerge::read(&mut reader)?)),
            9 => Command::CommitMerge(Box::new(CommitMerge::read(&mut reader)?)),
            10 => Command::RollbackMerge { commit: reader.u64("an index")? },
            _ => return Err(reader.fail("a command")),
        };
        reader.end("a command")?;
        Ok(Request { command, epoch })
    }
}

fn put_child(out: &mut Vec<u8>, child: &Child) {
    put_bytes(out, &child.key);
    put_u64(out, child.region);
    put_u64(out, child.peers.len() as u64);
    child.peers.iter().for_each(|id| put_u64(out, *id));
}

fn child(reader: &mut Reader<'_>) -> Result<Child, DecodeError> {
    let (key, region) = (reader.bytes("a split key")?, reader.u64("a region id")?);
    let count = reader.u64("a number of peers")?;
    let peers = (0..count).map(|_| reader.u64("a peer")).collect::<Result<_, _>>()?;
    Ok(Child { key, region, peers })
}

fn put_change(out: &mut Vec<u8>, change: &Change) {
    out.push(match change.kind {
        ChangeKind::AddVoter => 0,
        ChangeKind::AddLearner => 1,
        ChangeKind::Remove => 2,
    });
    put_u64(out, change.peer);
    put_u64(out, change.store);
}

fn change(reader: &mut Reader<'_>) -> Result<Change, DecodeError> {
    let kind = match reader.u8("a change")? {
        0 => ChangeKind::AddVoter,
        1 => ChangeKind::AddLearner,
        2 => ChangeKind::Remove,
        _ => return Err(reader.fail("a change")),
    };
    Ok(Change { kind, peer: reader.u64("a peer")?, store: reader.u64("a store")? })
}

/// The conf change as raft applies it.
pub enum RaftChange {
    /// A simple change.
    V1(ConfChange),
    /// A change that enters or leaves a joint configuration.
    V2(ConfChangeV2),
}

impl RaftChange {
    /// The raft form of `command`; `None` if it changes no members.
    pub fn of(command: &Command) -> Option<RaftChange> {
        match command {
            Command::ChangePeer(change) => {
                let mut simple = ConfChange::default();
                simple.set_change_type(raft_kind(change.kind));
                simple.node_id = change.peer;
                Some(RaftChange::V1(simple))
            }
            Command::EnterJoint(changes) => {
                let mut joint = ConfChangeV2::default();
                let alone = changes.len() <= 1;
                joint.set_transition(if alone {
                    ConfChangeTransition::Auto
                } else {
                    ConfChangeTransition::Explicit
                });
                for change in changes {
                    let mut single = ConfChangeSingle::default();
                    single.set_change_type(raft_kind(change.kind));
                    single.node_id = change.peer;
                    joint.mut_changes().push(single);
                }
                Some(RaftChange::V2(joint))
            }
            // An empty change means "leave" in raft-rs.
            Command::LeaveJoint => Some(RaftChange::V2(ConfChangeV2::default())),
            Command::Put { .. }
            | Command::Delete { .. }
            | Command::Split { .. }
            | Command::TransferLeader { .. }
            | Command::CompactLog { .. }
            | Command::PrepareMerge(_)
            | Command::CommitMerge(_)
            | Command::RollbackMerge { .. } => None,
        }
    }
}

fn raft_kind(kind: ChangeKind) -> ConfChangeType {
    match kind {
        ChangeKind::AddVoter => ConfChangeType::AddNode,
        ChangeKind::AddLearner => ConfChangeType::AddLearnerNode,
        ChangeKind::Remove => ConfChangeType::RemoveNode,
    }
}

#[cfg(test)]
mod tests;
