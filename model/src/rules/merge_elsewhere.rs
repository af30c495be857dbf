//! A merged source on a store whose target peer did not apply the merge.
//!
//! A store that applied the merge keeps the source's tombstone with the target's region, and
//! replies with it to the source's messages. A source whose target peer here is past the merge, or
//! destroyed, is destroyed. Otherwise the source remembers the reply in memory, and a snapshot of
//! the target that covers its range destroys it.
//!
//! Follows TiKV `fsm/store.rs` (`check_msg`) and `fsm/peer.rs` (`need_gc_merge`, `on_stale_merge`,
//! `maybe_destroy_source`).

use rollcall_traces::{KeyRange, Peer, PeerState, Reason, Region, RegionId, StoreId};

use super::destroy::destroy_merged_peer;
use super::ranges;
use crate::cluster::ClusterMut;
use crate::rules::peer::is_live;

/// Handles another store's reply that `source` was merged into `target`. `target` is the region as
/// it was before the merge.
pub(super) fn handle_merged(
    cluster: &mut impl ClusterMut,
    source: RegionId,
    store: StoreId,
    target: &Region,
) -> Result<(), Reason> {
    let peer = cluster.peer(store, source).filter(|peer| is_live(peer)).ok_or(Reason::NotInitialMessage)?;
    let known = peer.merged_into.as_ref() == Some(target);
    let rest = peer.region.clone();
    if will_never_take_in(cluster, store, target) {
        destroy_merged_peer(cluster, store, rest, Some(target.clone()));
    } else if !known {
        cluster.peer_mut(store, source).merged_into = Some(target.clone());
    }
    Ok(())
}

/// Whether the peer of `target` here is past the merge, or destroyed.
fn will_never_take_in(cluster: &impl ClusterMut, store: StoreId, target: &Region) -> bool {
    let Some(peer) = cluster.peer(store, target.id) else { return false };
    let is_past = target.epoch.is_stale_against(&peer.region.epoch);
    match peer.state {
        PeerState::Uninitialised => false,
        PeerState::Normal | PeerState::Merging => is_past,
        PeerState::Tombstone => is_past || target.member_on(store).is_some_and(|member| member.id == peer.id),
    }
}

/// Whether `target` merged `source` before it reached `version`. At the version that it had before
/// the merge, the target does not own the range yet.
fn is_merged(source: Option<&Peer>, target: RegionId, version: u64) -> bool {
    let into = source.filter(|peer| is_live(peer)).and_then(|peer| peer.merged_into.as_ref());
    into.is_some_and(|then| then.id == target && then.epoch.version < version)
}

/// Whether another region here owns a part of the range, except those that `region` merged
/// elsewhere before it reached `version`.
pub(super) fn taken_but_for_merged(
    cluster: &impl ClusterMut,
    store: StoreId,
    region: RegionId,
    version: u64,
    range: &KeyRange,
) -> bool {
    let owners = ranges::owners(cluster, store, region, range);
    owners.into_iter().any(|other| !is_merged(cluster.peer(store, other), region, version))
}

/// Destroys the sources whose range a snapshot of `target` has just brought.
pub(super) fn destroy_merged_sources(cluster: &mut impl ClusterMut, store: StoreId, target: &Region) {
    for source in ranges::owners(cluster, store, target.id, &target.range()) {
        let peer = cluster.peer(store, source).filter(|peer| peer.is_initialized());
        let Some(peer) = peer.filter(|peer| is_merged(Some(peer), target.id, target.epoch.version)) else {
            continue;
        };
        let (rest, then) = (peer.region.clone(), peer.merged_into.clone());
        destroy_merged_peer(cluster, store, rest, then);
    }
}
