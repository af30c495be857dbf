//! The epoch that a command was proposed under is checked at propose and again at apply.
//!
//! Follows TiKV `util.rs` (`admin_cmd_epoch_lookup`, `check_req_region_epoch`).

use rollcall_traces::{Command, Entry, Epoch, Reason};

use crate::guard::{Guard, GuardSet};

/// The epoch is checked at propose (TiKV `check_region_epoch`, `EpochNotMatch`,
/// "epoch not match"): the components that the command depends on must be the region's own.
/// [`is_current_at_apply`] checks again.
pub(crate) fn check_region_epoch(own: &Epoch, given: &Epoch, command: &Command) -> Result<(), Reason> {
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

/// The epoch is checked at apply (TiKV `apply.rs`, which calls `check_region_epoch` again):
/// an entry whose region has changed since it was proposed has no effect.
pub(super) fn is_current_at_apply(own: &Epoch, entry: &Entry, guards: GuardSet) -> bool {
    let Some(command) = &entry.command else { return true };
    !guards.holds(Guard::EpochCheckedAtApply) || check_region_epoch(own, &entry.epoch, command).is_ok()
}
