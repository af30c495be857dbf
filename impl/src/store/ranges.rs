//! The key ranges that regions own on a store.
//!
//! The index from range to region holds the initialised peers. Beside it are the ranges of pending
//! snapshots. Both are volatile and follow every change of a peer: bootstrap, split, snapshot,
//! destroy. Follows `TiKV store meta: region_ranges, pending_snapshot_regions`.

use std::collections::BTreeMap;

use crate::proto::region::{Key, KeyRange, Region, RegionId};

/// One entry of the range index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeEntry<'a> {
    /// The first key of the range.
    pub start: &'a Key,
    /// The first key beyond it; empty for no end.
    pub end: &'a Key,
    /// Its region.
    pub region: RegionId,
}

/// The ranges that are taken on one store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    /// By start; the key includes the region because a store without a guard may hold two ranges
    /// with one start.
    ends: BTreeMap<(Key, RegionId), Key>,
    starts: BTreeMap<RegionId, Key>,
    pending: BTreeMap<RegionId, KeyRange>,
    /// Regions here that other stores have merged, with their targets.
    merged: BTreeMap<RegionId, Region>,
}

impl Ranges {
    /// Sets the region's range and drops its old one.
    pub(crate) fn set(&mut self, region: RegionId, range: KeyRange) {
        self.remove(region);
        self.starts.insert(region, range.start.clone());
        self.ends.insert((range.start, region), range.end);
    }

    /// Removes the region's range.
    pub(crate) fn remove(&mut self, region: RegionId) {
        if let Some(start) = self.starts.remove(&region) {
            self.ends.remove(&(start, region));
        }
    }

    /// Sets the range of the region's pending snapshot, if there is one.
    pub(crate) fn set_pending(&mut self, region: RegionId, range: Option<KeyRange>) {
        match range {
            Some(range) => self.pending.insert(region, range),
            None => self.pending.remove(&region),
        };
    }

    /// Other stores have merged the region into `target`, as it was then.
    pub(crate) fn set_merged(&mut self, region: RegionId, target: Option<Region>) {
        match target {
            Some(target) => self.merged.insert(region, target),
            None => self.merged.remove(&region),
        };
    }

    /// The target into which other stores have merged the region, if they said so.
    pub(crate) fn merged_into(&self, region: RegionId) -> Option<&Region> {
        self.merged.get(&region)
    }

    /// Whether an initialised peer of another region owns a part of `range`.
    pub(crate) fn overlap(&self, region: RegionId, range: &KeyRange) -> bool {
        self.overlapping(region, range).next().is_some()
    }

    /// The same, except for regions that `region` merged elsewhere before it reached `version`.
    pub(crate) fn overlap_unmerged(&self, region: RegionId, version: u64, range: &KeyRange) -> bool {
        self.overlapping(region, range).any(|other| !self.is_merged(other, region, version))
    }

    /// Those of them that `region` has merged.
    pub(crate) fn overlap_merged(&self, region: RegionId, version: u64, range: &KeyRange) -> Vec<RegionId> {
        self.overlapping(region, range).filter(|other| self.is_merged(*other, region, version)).collect()
    }

    fn is_merged(&self, source: RegionId, target: RegionId, version: u64) -> bool {
        self.merged.get(&source).is_some_and(|then| then.id == target && then.epoch.version < version)
    }

    fn overlapping(&self, region: RegionId, range: &KeyRange) -> impl Iterator<Item = RegionId> {
        self.iter()
            .take_while(|entry| range.end.is_empty() || *entry.start < range.end)
            .filter(move |entry| entry.region != region && (entry.end.is_empty() || *entry.end > range.start))
            .map(|entry| entry.region)
    }

    /// Whether a pending snapshot of another region covers a part of `range`.
    pub(crate) fn overlap_pending(&self, region: RegionId, range: &KeyRange) -> bool {
        self.pending.iter().any(|(other, taken)| *other != region && taken.overlaps(range))
    }

    /// The ranges of snapshots that wait to be applied, by region.
    pub(crate) fn pending(&self) -> impl Iterator<Item = RangeEntry<'_>> {
        self.pending.iter().map(|(region, range)| RangeEntry {
            start: &range.start,
            end: &range.end,
            region: *region,
        })
    }

    /// Whether a snapshot of the region waits to be applied.
    pub(crate) fn is_pending(&self, region: RegionId) -> bool {
        self.pending.contains_key(&region)
    }

    /// The index, in key order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = RangeEntry<'_>> {
        self.ends.iter().map(|((start, region), end)| RangeEntry { start, end, region: *region })
    }
}

#[cfg(test)]
mod tests;
