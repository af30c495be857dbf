//! The functions of `unsound.rs` that need only a replica.

use raft::eraftpb::Entry;

use crate::proto::region::PeerId;
use crate::raft_rs::replica::{Innards, Replica};

/// Puts back entries that raft cut off after a conflicting one.
pub(crate) fn keep_behind<R: Replica>(node: &mut R, behind: &[Entry]) {
    if !behind.is_empty() {
        innards(node).keep_behind(behind);
    }
}

/// Sets the transferee, whatever raft's own state is.
pub(crate) fn hand_over_to<R: Replica>(node: &mut R, to: Option<PeerId>) {
    innards(node).set_lead_transferee(to);
}

/// The replica's internals. A store without them does not open without a guard that needs them.
pub(super) fn innards<R: Replica>(node: &mut R) -> &mut dyn Innards {
    node.innards().expect("a store does not open without this guard on such a replica")
}
