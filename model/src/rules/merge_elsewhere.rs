//! A source that was merged, on a store whose target did not follow by its log.
//!
//! Stores that took the source in keep tombstones that say into what, and
//! answer its messages with that. A source whose target here is past the merge,
//! or gone, ends; another remembers what it learned until its process ends, and
//! goes when a snapshot of the target brings its range. Follows TiKV
//! `fsm/store.rs` (`check_msg`) and `fsm/peer.rs` (`need_gc_merge`,
//! `on_stale_merge`, `maybe_destroy_source`).

use rollcall_traces::{KeyRange, Peer, PeerState, Reason, Region, RegionId, StoreId};

use super::destroy::destroy_merged_peer;
use super::ranges;
use crate::cluster::ClusterMut;
use crate::rules::peer::is_live;

/// Another store replies that `source` was merged into `target`, which was then as
/// it stands there.
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

/// The peer of `target` here went past the merge without it, or is gone.
fn will_never_take_in(cluster: &impl ClusterMut, store: StoreId, target: &Region) -> bool {
    let Some(peer) = cluster.peer(store, target.id) else { return false };
    let is_past = target.epoch.is_stale_against(&peer.region.epoch);
    match peer.state {
        PeerState::Uninitialised => false,
        PeerState::Normal | PeerState::Merging => is_past,
        PeerState::Tombstone => is_past || target.member_on(store).is_some_and(|member| member.id == peer.id),
    }
}

/// Whether `source` was taken in by `target` before that came to `version`: at the
/// very version that it had before, the target has not got the range yet.
fn is_merged(source: Option<&Peer>, target: RegionId, version: u64) -> bool {
    let into = source.filter(|peer| is_live(peer)).and_then(|peer| peer.merged_into.as_ref());
    into.is_some_and(|then| then.id == target && then.epoch.version < version)
}

/// Whether the range belongs to a region here that `region` has not taken in
/// elsewhere before it came to `version`.
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

/// Ends the sources whose range a snapshot of `target` has just brought.
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
