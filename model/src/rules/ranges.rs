//! A store's index from key range to region.
//!
//! Follows TiKV `StoreMeta::region_ranges`: it has the initialised peers and
//! is written where a peer gets a range (split, snapshot) or ends, beside the
//! peers themselves. Whether the two agree is a property, not a matter of course.

use rollcall_traces::{KeyRange, Peer, RangeEntry, Region, RegionId, StoreId};

use crate::draft::Draft;
use crate::state::{entry_of, index_of};

/// The region has this range from now on, and no other.
pub(super) fn set(draft: &mut Draft, store: StoreId, region: &Region) {
    let ranges = &mut draft.meta_mut(store).ranges;
    ranges.retain(|entry| entry.region != region.id);
    let key = (&region.start, region.id);
    let at = ranges.partition_point(|entry| (&entry.start, entry.region) < key);
    ranges.insert(at, entry_of(region));
}

/// The peer ends, and with it its range.
pub(super) fn end(draft: &mut Draft, store: StoreId, region: RegionId) {
    if draft.peer(store, region).is_some_and(Peer::is_initialised) {
        draft.meta_mut(store).ranges.retain(|entry| entry.region != region);
    }
}

/// As it is after a restart: read from the peers. Nothing waits there.
pub(super) fn rebuild(draft: &mut Draft, store: StoreId) {
    let regions = draft.regions_on(store);
    let peers = regions.iter().filter_map(|region| draft.peer(store, *region));
    let ranges = index_of(peers);
    let meta = draft.meta_mut(store);
    meta.ranges = ranges;
    meta.parked.clear();
}

/// The other regions here that own a part of the range, by the index.
pub(super) fn owners(draft: &Draft, store: StoreId, region: RegionId, range: &KeyRange) -> Vec<RegionId> {
    let owned =
        |entry: &&RangeEntry| entry.region != region && range.overlaps_between(&entry.start, &entry.end);
    draft.meta(store).ranges.iter().filter(owned).map(|entry| entry.region).collect()
}

/// Whether the range will be taken by a snapshot that waits here.
pub(super) fn awaited(draft: &Draft, store: StoreId, region: RegionId, range: &KeyRange) -> bool {
    let awaited = |other: RegionId| {
        let snapshot = draft.peer(store, other).and_then(|peer| peer.snapshot.as_ref());
        snapshot.is_some_and(|snapshot| snapshot.region.range().overlaps(range))
    };
    draft.regions_on(store).into_iter().any(|other| other != region && awaited(other))
}
