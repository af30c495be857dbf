//! Peers that end, and who learns of it.

use rollcall_traces::{Command, Creator, Epoch, Peer, Reason, Region, Role};

/// Without `apply_needs_no_client` a follower that applies its own removal stays, for nobody waits
/// for that (row 12); without `leader_steps_down_on_removal` a leader stays, and leads a region
/// without itself (row 19).
pub(crate) fn outlive_removal(peer: &mut Peer, after: Region, index: u64) {
    if peer.role == Role::Leader {
        peer.region = after;
    }
    peer.applied = index;
}

/// Without `removed_peer_splits_nothing` the loop over what is committed goes on behind the peer's
/// own removal, up to a split, which TinyKV checked against nothing (row 25).
pub(crate) fn split_behind_the_removal(peer: Option<&Peer>, removal: u64) -> Option<Command> {
    let peer = peer?;
    let mut committed =
        (removal + 1..=peer.commit).filter_map(|index| peer.log.entry(index)?.command.as_ref());
    committed.find(|command| matches!(command, Command::Split { .. })).cloned()
}

/// Without `tombstone_at_new_epoch` a tombstone has the epoch from before the removal (row 17).
pub(crate) fn at_the_epoch_before(after: Region, before: &Region) -> Region {
    Region { epoch: before.epoch, ..after }
}

/// Without `stop_after_destroy` the ready loop goes on and writes the apply state of the next
/// entry (row 20).
pub(crate) fn write_apply_state(tombstone: &mut Peer, applied: u64) {
    tombstone.applied = applied;
}

/// Without `stale_peer_told` whoever was removed and still sends receives nothing of it (row 18).
pub(crate) fn ignore_stale_peer() -> Reason {
    Reason::SenderRemoved
}

/// Without `stale_peer_asks` a peer that has had no leader for long asks nobody
/// (tikv#7386, tikv#5852).
pub(crate) fn ask_nobody() -> Result<(), Reason> {
    Err(Reason::NoEffect)
}

/// Without `creator_remembered` an uninitialised peer does not know whose message created it, and
/// has nobody to ask (tikv#15919).
pub(crate) fn forgotten_creator() -> Option<Creator> {
    None
}

/// Without `old_view_ends_no_new_peer` an uninitialised peer holds PD's region against its own
/// epoch, which is 0, and not against its creator's (TiKV
/// `handle_validate_peer`, by its code).
pub(crate) fn epoch_of_its_own_region(peer: &Peer) -> Epoch {
    peer.region.epoch
}
