//! Which parts of the epoch a command checks, and which it changes.
//!
//! One table serves propose and apply (`TiKV util.rs admin_cmd_epoch_lookup`). A command compares
//! each part that it checks by equality.

use crate::guard::{Guard, Guards};
use crate::proto::command::Command;
use crate::proto::region::Epoch;

/// Either or both parts of an epoch.
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

    /// The parts that `command` checks.
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

    /// The parts that `command` changes.
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

    /// Whether these parts are equal in both epochs.
    pub(crate) fn agree(self, one: Epoch, other: Epoch) -> bool {
        (!self.version || one.version == other.version) && (!self.conf_ver || one.conf_ver == other.conf_ver)
    }

    /// Whether they have a part in common.
    pub(crate) fn meet(self, other: EpochParts) -> bool {
        (self.version && other.version) || (self.conf_ver && other.conf_ver)
    }
}
