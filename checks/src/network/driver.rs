//! The placement driver of a run: it allots ids, and knows from heartbeats
//! where each key's leader is. Clients ask it for the way.
//!
//! A heartbeat counts if no region that it overlaps is newer (PD
//! `PreCheckPutRegion`); it cannot be parted from the stores, as TinyKV's mock
//! scheduler cannot. Leaves out everything that a driver schedules.

use rollcall_impl::{Child, IdAllocator, Key, Region};
use rollcall_traces::StoreId;

/// Where a region's leader was when it last said so.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) region: Region,
    pub(super) leader: StoreId,
    term: u64,
}

/// The placement driver.
pub(super) struct Driver {
    ids: IdAllocator,
    /// In key order, without overlaps; there may be holes.
    routes: Vec<Route>,
}

impl Driver {
    pub(super) fn new(next_id: u64) -> Self {
        Self { ids: IdAllocator { next_id }, routes: Vec::new() }
    }

    /// A fresh peer id.
    pub(super) fn peer_id(&mut self) -> u64 {
        self.ids.next_id += 1;
        self.ids.next_id - 1
    }

    pub(super) fn allot(&mut self, region: &Region, keys: &[Key]) -> Vec<Child> {
        self.ids.allot(region, keys)
    }

    /// A leader says what its region is.
    pub(super) fn heartbeat(&mut self, region: Region, leader: StoreId, term: u64) {
        let range = region.range();
        let epoch = region.epoch;
        let outdates = |known: &Route| {
            let other = known.region.epoch;
            if known.region.id == region.id {
                epoch.is_stale_against(&other) || epoch == other && term < known.term
            } else {
                known.region.range().overlaps(&range) && epoch.version < other.version
            }
        };
        if self.routes.iter().any(outdates) {
            return;
        }
        self.routes.retain(|known| known.region.id != region.id && !known.region.range().overlaps(&range));
        let at = self.routes.partition_point(|known| known.region.start < region.start);
        self.routes.insert(at, Route { region, leader, term });
    }

    /// The way to the region that has `key`, if the driver knows of one.
    pub(super) fn route(&self, key: &[u8]) -> Option<&Route> {
        self.routes.iter().find(|known| known.region.contains(key))
    }

    /// Every region that it knows.
    pub(super) fn routes(&self) -> &[Route] {
        &self.routes
    }
}
