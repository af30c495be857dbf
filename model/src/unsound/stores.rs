//! The end of peers, and how others learn of it.

use std::ops::RangeInclusive;

use rollcall_traces::{Command, Creator, Epoch, Peer, Reason, Region, RegionId, Role, StoreId};

use crate::cluster::ClusterMut;

/// Without `apply_needs_no_client` a follower that applies its own removal stays, because no client
/// waits for the result (row 12). Without `leader_steps_down_on_removal` a leader stays, and leads
/// a region without itself (row 19).
pub(crate) fn outlive_removal(peer: &mut Peer, after: Region, index: u64) {
    if peer.role == Role::Leader {
        peer.region = after;
    }
    peer.applied = index;
}

/// Without `removed_peer_splits_nothing` the loop over committed entries continues behind the
/// peer's own removal to a split, which TinyKV did not check (row 25).
pub(crate) fn split_behind_the_removal(peer: Option<&Peer>, removal: u64) -> Option<Command> {
    let peer = peer?;
    let mut committed =
        (removal + 1..=peer.commit).filter_map(|index| peer.log.entry(index)?.command.as_ref());
    committed.find(|command| matches!(command, Command::Split { .. })).cloned()
}

/// Without `tombstone_at_new_epoch` a tombstone has the epoch before the removal (row 17).
pub(crate) fn at_the_epoch_before(after: Region, before: &Region) -> Region {
    Region { epoch: before.epoch, ..after }
}

/// Without `stop_after_destroy` the ready loop continues and writes the apply state of the next
/// entry (row 20).
pub(crate) fn write_apply_state(
    cluster: &mut impl ClusterMut,
    store: StoreId,
    region: RegionId,
    behind: RangeInclusive<u64>,
) {
    if !behind.is_empty() {
        cluster.peer_mut(store, region).applied = *behind.start();
    }
}

/// Without `stale_peer_told` a removed peer that still sends gets no reply (row 18).
pub(crate) fn ignore_stale_peer() -> Reason {
    Reason::SenderRemoved
}

/// Without `stale_peer_asks` a peer that has had no leader for long does not ask whether it is
/// still a member (tikv#7386, tikv#5852).
pub(crate) fn ask_nobody() -> Result<(), Reason> {
    Err(Reason::NoEffect)
}

/// Without `creator_remembered` an uninitialised peer does not remember the sender whose message
/// created it, and has no peer to ask (tikv#15919).
pub(crate) fn forgotten_creator() -> Option<Creator> {
    None
}

/// Without `old_view_ends_no_new_peer` an uninitialised peer compares PD's region with its own
/// epoch, which is 0, instead of its creator's (TiKV `handle_validate_peer`, read from the code).
pub(crate) fn epoch_of_its_own_region(peer: &Peer) -> Epoch {
    peer.region.epoch
}
