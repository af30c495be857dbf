//! Commands that are proposed and that log entries carry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::Entry;
use crate::region::{Key, PeerId, Region, RegionId, StoreId, Value};

/// A command that is proposed and that a log entry carries.
///
/// The proposer of a merge command names only the other region. The asked store fills in the fields
/// that are zero or empty here, and the log has all of them.
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
    /// Splits the region at these keys. One part keeps the region's id. The others become new
    /// regions with the ids that PD allotted.
    Split {
        /// The new regions, in key order.
        children: Vec<Child>,
        /// Which part keeps the region's id.
        derive: Derive,
    },
    /// Transfers leadership. It is not written to the log.
    TransferLeader {
        /// The store of the transferee.
        to: StoreId,
    },
    /// Discards the log up to and including `index`.
    CompactLog {
        /// The last index to discard.
        index: u64,
    },
    /// Prepares to merge the region into its neighbour.
    PrepareMerge {
        /// The target region, as the asked store's peer of it must have it.
        target: Box<Region>,
        /// Every replica has the entries before this index. Filled in by the store.
        #[serde(default, skip_serializing_if = "is_zero")]
        min_index: u64,
    },
    /// Merges the neighbour into this region.
    CommitMerge {
        /// The source region as of its `PrepareMerge`. A proposer names only its id
        /// ([`Region::unknown`]).
        source: Box<Region>,
        /// The index of the source's `PrepareMerge`. Filled in by the store.
        #[serde(default, skip_serializing_if = "is_zero")]
        commit: u64,
        /// The source's entries up to that index that a replica may lack. Filled in by the store.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        entries: Vec<Entry>,
    },
    /// Cancels the merge of this region.
    RollbackMerge {
        /// The index of the `PrepareMerge` that is cancelled. Filled in by the store.
        #[serde(default, skip_serializing_if = "is_zero")]
        commit: u64,
    },
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Command {
    /// A `PrepareMerge` of the asked region into `target`.
    pub fn prepare_merge(target: Region) -> Self {
        Command::PrepareMerge { target: Box::new(target), min_index: 0 }
    }

    /// A `CommitMerge` of `source` into the asked region.
    pub fn commit_merge(source: RegionId) -> Self {
        let source = Box::new(Region::unknown(source));
        Command::CommitMerge { source, commit: 0, entries: Vec::new() }
    }

    /// Whether it is one of the three merge commands.
    pub fn is_merge(&self) -> bool {
        use Command::{CommitMerge, PrepareMerge, RollbackMerge};
        matches!(self, PrepareMerge { .. } | CommitMerge { .. } | RollbackMerge { .. })
    }

    /// Whether it has an [`Action::Apply`](crate::Action::Apply) of its own: every command but
    /// `Put` and `Delete`.
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

    /// Whether it transfers leadership.
    pub fn is_transfer(&self) -> bool {
        matches!(self, Command::TransferLeader { .. })
    }

    /// Whether it changes the members.
    pub fn is_conf_change(&self) -> bool {
        matches!(self, Command::ChangePeer(_) | Command::EnterJoint { .. } | Command::LeaveJoint)
    }

    /// The member changes in it.
    pub fn changes(&self) -> &[Change] {
        match self {
            Command::ChangePeer(change) => std::slice::from_ref(change),
            Command::EnterJoint { changes } => changes,
            _ => &[],
        }
    }

    /// The change, if the command is a simple change, or a joint one of a single member. The latter
    /// enters no joint configuration (TiKV `to_confchange`).
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
/// Split keys are the borders between the parts. With [`Derive::Left`] the parent keeps the first
/// part, and each child starts at its key. With [`Derive::Right`] the parent keeps the last part,
/// and each child ends at its key (TiKV `exec_batch_split`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Child {
    /// The split key.
    pub key: Key,
    /// The new region's id.
    pub region: RegionId,
    /// Its peers' ids, in the order of the parent's peers.
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

/// One member change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The kind of change.
    pub kind: ChangeKind,
    /// The peer's id.
    pub peer: PeerId,
    /// The peer's store.
    pub store: StoreId,
}

/// The kinds of member change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Adds a voter, or promotes a learner.
    AddVoter,
    /// Adds a learner, or demotes a voter (joint only).
    AddLearner,
    /// Removes the peer.
    Remove,
}
