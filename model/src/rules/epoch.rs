//! The epoch that a command was proposed under is checked at propose and again at apply.
//!
//! Follows TiKV `util.rs` (`admin_cmd_epoch_lookup`, `check_req_region_epoch`).

use rollcall_traces::{Command, Entry, Epoch, Reason};

use crate::guard::{Guard, GuardSet};

/// Which components of the epoch a command depends on: `(version, conf_ver)` (TiKV
/// `admin_cmd_epoch_lookup`).
pub(super) fn depends_on(command: &Command) -> (bool, bool) {
    match command {
        Command::Put { .. } | Command::Delete { .. } => (true, false),
        Command::CompactLog { .. } => (false, false),
        _ if command.is_transfer() => (false, false),
        _ if command.is_conf_change() => (false, true),
        _ => (true, true),
    }
}

/// The epoch is checked at propose (TiKV `check_region_epoch`, `EpochNotMatch`,
/// "epoch not match"): the components that the command depends on must be the region's own.
/// [`is_current_at_apply`] checks again.
pub(crate) fn check_region_epoch(own: &Epoch, given: &Epoch, command: &Command) -> Result<(), Reason> {
    let (version, conf_ver) = depends_on(command);
    let matches = (!version || given.version == own.version) && (!conf_ver || given.conf_ver == own.conf_ver);
    if matches { Ok(()) } else { Err(Reason::EpochNotMatch) }
}

/// Only the version is checked of an order to split.
pub(super) fn check_version(own: &Epoch, given: &Epoch) -> Result<(), Reason> {
    if given.version == own.version { Ok(()) } else { Err(Reason::EpochNotMatch) }
}

/// The epoch is checked at apply (TiKV `apply.rs`, which calls `check_region_epoch` again):
/// an entry whose region has changed since it was proposed has no effect.
pub(super) fn is_current_at_apply(own: &Epoch, entry: &Entry, guards: GuardSet) -> bool {
    let Some(command) = &entry.command else { return true };
    !guards.holds(Guard::EpochCheckedAtApply) || check_region_epoch(own, &entry.epoch, command).is_ok()
}
