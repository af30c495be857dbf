//! The epoch that a command was proposed under, asked at propose and at apply.
//!
//! Follows TiKV `util.rs` (`admin_cmd_epoch_lookup`, `check_req_region_epoch`).

use rollcall_traces::{Command, Entry, Epoch, Reason};

use crate::guard::{Guard, GuardSet};

/// Where the epoch is checked at propose (TiKV `check_region_epoch`): the components that the
/// command depends on must be the region's own. [`check_epoch_at_apply`] checks again.
pub(crate) fn check_epoch(own: &Epoch, given: &Epoch, command: &Command) -> Result<(), Reason> {
    let matches = match command {
        Command::Put { .. } | Command::Delete { .. } => given.version == own.version,
        Command::Split { .. }
        | Command::PrepareMerge { .. }
        | Command::CommitMerge { .. }
        | Command::RollbackMerge { .. } => given == own,
        Command::ChangePeer(_) | Command::EnterJoint { .. } | Command::LeaveJoint => {
            given.conf_ver == own.conf_ver
        }
        Command::TransferLeader { .. } | Command::CompactLog { .. } => true,
    };
    if matches { Ok(()) } else { Err(Reason::EpochNotMatch) }
}

/// Where the epoch is checked at apply (TiKV `apply.rs` `exec_raft_cmd`, `check_region_epoch`): an
/// entry whose epoch has changed since it was proposed has no effect.
pub(super) fn check_epoch_at_apply(own: &Epoch, entry: &Entry, guards: GuardSet) -> bool {
    let Some(command) = &entry.command else { return true };
    !guards.holds(Guard::EpochCheckedAtApply) || check_epoch(own, &entry.epoch, command).is_ok()
}
