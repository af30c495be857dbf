//! A store's index from key range to region.
//!
//! Follows TiKV `StoreMeta::region_ranges`. It lists the initialised peers and is written beside
//! them, when a peer gets a range (split, snapshot) or is destroyed. A property checks that the two
//! agree.

use rollcall_traces::{KeyRange, Peer, RangeEntry, Region, RegionId, StoreId};

use crate::cluster::ClusterMut;

/// Sets the region's range and drops its old one.
pub(super) fn set(cluster: &mut impl ClusterMut, store: StoreId, region: &Region) {
    let ranges = cluster.ranges_mut(store);
    ranges.retain(|entry| entry.region != region.id);
    let key = (&region.start, region.id);
    let at = ranges.partition_point(|entry| (&entry.start, entry.region) < key);
    ranges.insert(at, entry_of(region));
}

/// Removes the range of a peer that is destroyed.
pub(super) fn end(cluster: &mut impl ClusterMut, store: StoreId, region: RegionId) {
    if cluster.peer(store, region).is_some_and(Peer::is_initialized) {
        cluster.ranges_mut(store).retain(|entry| entry.region != region);
    }
}

/// Rebuilds the index from the peers, as a restart does, and drops pending first messages.
pub(super) fn rebuild(cluster: &mut impl ClusterMut, store: StoreId) {
    let regions: Vec<RegionId> = cluster.regions_on(store).collect();
    let peers = regions.iter().filter_map(|region| cluster.peer(store, *region));
    let ranges = index_of(peers);
    *cluster.ranges_mut(store) = ranges;
    cluster.pending_messages_mut(store).clear();
}

/// The other regions in the index that own a part of the range.
pub(super) fn owners(
    cluster: &impl ClusterMut,
    store: StoreId,
    region: RegionId,
    range: &KeyRange,
) -> Vec<RegionId> {
    let owned =
        |entry: &RangeEntry| entry.region != region && range.overlaps_between(&entry.start, &entry.end);
    cluster.ranges(store).filter(owned).map(|entry| entry.region).collect()
}

/// Whether a pending snapshot of another region on this store covers a part of the range.
pub(super) fn awaited(cluster: &impl ClusterMut, store: StoreId, region: RegionId, range: &KeyRange) -> bool {
    let awaited = |other: RegionId| {
        let snapshot = cluster.peer(store, other).and_then(|peer| peer.snapshot.as_ref());
        snapshot.is_some_and(|snapshot| snapshot.region.range().overlaps(range))
    };
    cluster.regions_on(store).any(|other| other != region && awaited(other))
}

/// The index of these peers: the initialised ones, in key order.
pub(crate) fn index_of<'a>(peers: impl Iterator<Item = &'a Peer>) -> Vec<RangeEntry> {
    let initialised = peers.filter(|peer| peer.is_initialized());
    let mut ranges: Vec<_> = initialised.map(|peer| entry_of(&peer.region)).collect();
    ranges.sort_by(|a, b| (&a.start, a.region).cmp(&(&b.start, b.region)));
    ranges
}

/// A region's entry in a range index.
pub(crate) fn entry_of(region: &Region) -> RangeEntry {
    RangeEntry { start: region.start.clone(), end: region.end.clone(), region: region.id }
}
