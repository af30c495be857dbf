//! Where a peer is destroyed: its range is freed, and a tombstone stays.
//!
//! Follows TiKV `fsm/peer.rs` (`destroy_peer`, `handle_destroy_peer`, `handle_gc_peer_msg`) and `peer_storage.rs`
//! (`write_peer_state`, `PeerState::Tombstone`).

use rollcall_traces::{Epoch, Member, MemberRole, Peer, PeerState, Region, RegionId, StoreId};

use super::ranges;
use crate::cluster::ClusterMut;

/// Destroys the peer of a region that was merged into `target`. Its tombstone keeps `region`, and
/// the epoch since which the peer has followed the log; a region that merges into this one needs
/// that (`merge::has_left`).
pub(super) fn destroy_merged_peer(
    cluster: &mut impl ClusterMut,
    store: StoreId,
    mut region: Region,
    target: Option<Region>,
) {
    let peer = cluster.peer(store, region.id).expect("the destroyed peer is on its store");
    let at = region.id;
    if peer.state == PeerState::Uninitialised {
        region.peers.push(Member { id: peer.id, store, role: MemberRole::Learner });
    }
    // A peer that had not applied PrepareMerge does not know how its region ended.
    let behind = Epoch { version: peer.region.epoch.version + 1, ..peer.region.epoch };
    let log_since = if peer.state == PeerState::Merging { peer.log_since } else { Some(behind) };
    let log_since = log_since.filter(|_| target.is_some());
    write_tombstone(cluster, store, region);
    let tombstone = cluster.peer_mut(store, at);
    (tombstone.merged_into, tombstone.log_since) = (target, log_since);
}

/// Destroys the peer; its tombstone keeps `region`.
pub(crate) fn write_tombstone(cluster: &mut impl ClusterMut, store: StoreId, region: Region) {
    let id = cluster.peer(store, region.id).expect("the destroyed peer is on its store").id;
    let region_id = region.id;
    ranges::end(cluster, store, region_id);
    cluster.put_peer(store, region_id, Some(Peer::blank(id, PeerState::Tombstone, region)));
}

/// Destroys a peer that did not apply its removal (TiKV `handle_destroy_peer`, `on_destroy_peer`):
/// it received the removal message, or a newer peer of the region replaces it. The tombstone keeps
/// the region as the peer knew it, which lists the peer itself.
pub(crate) fn destroy_peer(cluster: &mut impl ClusterMut, store: StoreId, region: RegionId) {
    let peer = cluster.peer(store, region).expect("the destroyed peer is on its store");
    let mut last = peer.region.clone();
    if peer.state == PeerState::Uninitialised {
        last.peers.push(Member { id: peer.id, store, role: MemberRole::Learner });
    }
    write_tombstone(cluster, store, last);
}
