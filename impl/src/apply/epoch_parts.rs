//! Which parts of the epoch a command needs to be right, and which it changes.
//!
//! One table, the same at propose and at apply (`TV util.rs
//! admin_cmd_epoch_lookup`): comparison is by equality of each part that a
//! command checks.

use crate::guard::{Guard, Guards};
use crate::proto::command::Command;
use crate::proto::region::Epoch;

/// Some of an epoch's two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochParts {
    version: bool,
    conf_ver: bool,
}

impl EpochParts {
    const NONE: EpochParts = EpochParts { version: false, conf_ver: false };
    const VERSION: EpochParts = EpochParts { version: true, conf_ver: false };
    const CONF_VER: EpochParts = EpochParts { version: false, conf_ver: true };
    const BOTH: EpochParts = EpochParts { version: true, conf_ver: true };

    /// What `command` needs to be the region's.
    pub(crate) fn checked_by(command: &Command) -> Self {
        match command {
            Command::Put { .. } | Command::Delete { .. } => Self::VERSION,
            Command::ChangePeer(_) | Command::EnterJoint(_) | Command::LeaveJoint => Self::CONF_VER,
            Command::Split { .. }
            | Command::PrepareMerge(_)
            | Command::CommitMerge(_)
            | Command::RollbackMerge { .. } => Self::BOTH,
            Command::CompactLog { .. } | Command::TransferLeader { .. } => Self::NONE,
        }
    }

    /// What `command` raises.
    pub(crate) fn changed_by(command: &Command, guards: impl Guards) -> Self {
        match command {
            Command::ChangePeer(_) | Command::EnterJoint(_) | Command::LeaveJoint => Self::CONF_VER,
            Command::PrepareMerge(_) if guards.holds(Guard::MergeStopsChanges) => Self::BOTH,
            Command::Split { .. }
            | Command::PrepareMerge(_)
            | Command::CommitMerge(_)
            | Command::RollbackMerge { .. } => Self::VERSION,
            Command::Put { .. }
            | Command::Delete { .. }
            | Command::CompactLog { .. }
            | Command::TransferLeader { .. } => Self::NONE,
        }
    }

    /// Whether these parts are the same in both.
    pub(crate) fn agree(self, one: Epoch, other: Epoch) -> bool {
        (!self.version || one.version == other.version) && (!self.conf_ver || one.conf_ver == other.conf_ver)
    }

    /// Whether both have a part.
    pub(crate) fn meet(self, other: EpochParts) -> bool {
        (self.version && other.version) || (self.conf_ver && other.conf_ver)
    }
}
