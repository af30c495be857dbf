//! What can be proposed, and what a log entry carries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::Entry;
use crate::region::{Key, PeerId, Region, RegionId, StoreId, Value};

/// What can be proposed, and what a log entry carries.
///
/// Who proposes a command of a merge names the other region; the asked store
/// fills in what is left zero or empty here, and the log has it whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Writes a value.
    Put {
        /// The key.
        key: Key,
        /// The value.
        value: Value,
    },
    /// Removes a value.
    Delete {
        /// The key.
        key: Key,
    },
    /// Changes one member (a simple conf change, raft-rs v1).
    ChangePeer(Change),
    /// Enters a joint configuration with explicit leave (raft-rs v2).
    EnterJoint {
        /// The changes.
        changes: Vec<Change>,
    },
    /// Leaves the joint configuration.
    LeaveJoint,
    /// Divides the region: each key begins a part, one part keeps the region's
    /// id, the others become new regions with the ids that were allotted.
    Split {
        /// The new regions, in key order.
        children: Vec<Child>,
        /// Which part keeps the region's id.
        derive: Derive,
    },
    /// Hands leadership over; never written to the log.
    TransferLeader {
        /// The store of the peer that shall lead.
        to: StoreId,
    },
    /// Discards the log up to and including `index`.
    CompactLog {
        /// The last index to discard.
        index: u64,
    },
    /// The region gives itself up to a neighbour.
    PrepareMerge {
        /// Into what, as its peer on the asked store must know it.
        target: Box<Region>,
        /// Every replica has the entries before this one; filled in.
        #[serde(default, skip_serializing_if = "is_zero")]
        min_index: u64,
    },
    /// The region takes its neighbour in.
    CommitMerge {
        /// What is taken in, as of its `PrepareMerge`; a proposer names its id
        /// alone ([`Region::unknown`]).
        source: Box<Region>,
        /// The index of that `PrepareMerge`; filled in.
        #[serde(default, skip_serializing_if = "is_zero")]
        commit: u64,
        /// The entries up to it that a replica of the source may miss; filled in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        entries: Vec<Entry>,
    },
    /// The region stays after all.
    RollbackMerge {
        /// The index of the `PrepareMerge` that is taken back; filled in.
        #[serde(default, skip_serializing_if = "is_zero")]
        commit: u64,
    },
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Command {
    /// Gives the asked region up to `target`.
    pub fn prepare_merge(target: Region) -> Self {
        Command::PrepareMerge { target: Box::new(target), min_index: 0 }
    }

    /// Takes `source` into the asked region.
    pub fn commit_merge(source: RegionId) -> Self {
        let source = Box::new(Region::unknown(source));
        Command::CommitMerge { source, commit: 0, entries: Vec::new() }
    }

    /// Belongs to a merge.
    pub fn is_merge(&self) -> bool {
        use Command::{CommitMerge, PrepareMerge, RollbackMerge};
        matches!(self, PrepareMerge { .. } | CommitMerge { .. } | RollbackMerge { .. })
    }

    /// Takes effect by an [`Action::Apply`](crate::Action::Apply) of its own (all but `Put` and `Delete`).
    pub fn is_admin(&self) -> bool {
        self.written_key().is_none()
    }

    /// The key that a `Put` or `Delete` writes.
    pub fn written_key(&self) -> Option<&Key> {
        match self {
            Command::Put { key, .. } | Command::Delete { key } => Some(key),
            _ => None,
        }
    }

    /// Every store that the command names.
    pub fn stores(&self) -> Vec<StoreId> {
        match self {
            Command::ChangePeer(change) => vec![change.store],
            Command::EnterJoint { changes } => changes.iter().map(|change| change.store).collect(),
            Command::TransferLeader { to } => vec![*to],
            Command::Put { .. }
            | Command::Delete { .. }
            | Command::Split { .. }
            | Command::LeaveJoint
            | Command::CompactLog { .. }
            | Command::PrepareMerge { .. }
            | Command::CommitMerge { .. }
            | Command::RollbackMerge { .. } => Vec::new(),
        }
    }

    /// Changes the members.
    pub fn is_conf_change(&self) -> bool {
        matches!(self, Command::ChangePeer(_) | Command::EnterJoint { .. } | Command::LeaveJoint)
    }

    /// The changes of members that it names.
    pub fn changes(&self) -> &[Change] {
        match self {
            Command::ChangePeer(change) => std::slice::from_ref(change),
            Command::EnterJoint { changes } => changes,
            _ => &[],
        }
    }

    /// The one change that it makes at once: that of a simple change, or of a joint one of
    /// a single member, which enters no joint configuration (TiKV `to_confchange`).
    pub fn single_change(&self) -> Option<&Change> {
        match self {
            Command::ChangePeer(change) => Some(change),
            Command::EnterJoint { changes } if changes.len() == 1 => changes.first(),
            _ => None,
        }
    }
}

/// A new region of a split.
///
/// With the parts in key order, the children's keys begin every part but the
/// first. [`Derive::Left`] leaves the first part to the parent, and each child
/// begins at its key; [`Derive::Right`] leaves it the last, and each child ends
/// at its key (TiKV `exec_batch_split`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Child {
    /// The split key.
    pub key: Key,
    /// The new region's id.
    pub region: RegionId,
    /// The ids of its peers, in the order of the parent's.
    pub peers: Vec<PeerId>,
}

/// Which part of a split keeps the region's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Derive {
    /// The first (TinyKV).
    Left,
    /// The last (TiKV's `right-derive-when-split`, on by default).
    Right,
}

/// One change of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What happens to it.
    pub kind: ChangeKind,
    /// Its peer id.
    pub peer: PeerId,
    /// Its store.
    pub store: StoreId,
}

/// What happens to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Joins as a voter; a learner is promoted.
    AddVoter,
    /// Joins as a learner; a voter is demoted (joint only).
    AddLearner,
    /// Leaves.
    Remove,
}
