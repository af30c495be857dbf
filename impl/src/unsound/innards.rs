//! What of the undoing needs a replica alone.

use raft::eraftpb::Entry;

use crate::proto::region::PeerId;
use crate::raft_rs::replica::{Innards, Replica};

/// Puts back what raft cut off behind an entry that conflicted, if it did.
pub(crate) fn keep_behind<R: Replica>(node: &mut R, behind: &[Entry]) {
    if !behind.is_empty() {
        innards(node).keep_behind(behind);
    }
}

/// Hands over to `to`, or to nobody any more, whatever raft says.
pub(crate) fn hand_over_to<R: Replica>(node: &mut R, to: Option<PeerId>) {
    innards(node).set_lead_transferee(to);
}

/// Only a store whose replicas can be reached into opens without a guard that asks for it.
pub(super) fn innards<R: Replica>(node: &mut R) -> &mut dyn Innards {
    node.innards().expect("a store does not open without this guard on such a replica")
}
