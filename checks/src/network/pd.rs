//! The placement driver of a run. It allots ids and learns from heartbeats where each key's leader
//! is. Clients ask it for routes.
//!
//! A heartbeat is accepted if no overlapping region is newer (PD `PreCheckPutRegion`). Like
//! TinyKV's mock scheduler, it is never partitioned from the stores. Left out: everything that PD
//! schedules.

use rollcall_impl::{Child, IdAllocator, Input, Key, Output, Region, StateRole};
use rollcall_traces::{Happening, StoreId};

use super::{Changed, Network};
use crate::world::convert;

/// A region and its leader as of the last heartbeat.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) region: Region,
    pub(super) leader: StoreId,
    term: u64,
}

/// The placement driver.
pub(super) struct Pd {
    ids: IdAllocator,
    /// In key order, without overlaps. There may be gaps.
    routes: Vec<Route>,
}

impl Pd {
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

    /// Takes a leader's region heartbeat.
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

    /// The route to the region that has `key`, if PD knows one.
    pub(super) fn route(&self, key: &[u8]) -> Option<&Route> {
        self.routes.iter().find(|known| known.region.contains(key))
    }

    /// Every known region.
    pub(super) fn routes(&self) -> &[Route] {
        &self.routes
    }
}

impl Network {
    /// Reports a region to the placement driver. A new child has no leader yet, so its parent's
    /// leader reports it.
    pub(super) fn report_region(&mut self, at: usize, region: Region) {
        let peer = self.status(at, region.id).filter(|peer| peer.role() == StateRole::Leader);
        let term = peer.map_or(0, |peer| peer.term());
        self.pd.heartbeat(region, self.nodes[at].id, term);
    }

    /// Every leader reports its region to PD and checks the region's size.
    pub(super) fn report(&mut self) {
        for (at, region) in self.leaders() {
            let Some(peer) = self.status(at, region) else { continue };
            let known = peer.region().clone();
            self.report_region(at, known);
            let outputs = self.step(at, Input::SplitCheck { region }).expect("a live peer may look");
            let asked = outputs.iter().find_map(|output| match output {
                Output::AskSplit { keys, derive, .. } => Some((keys, *derive)),
                _ => None,
            });
            if let Some((keys, derive)) = asked {
                let event = Happening::AskSplit {
                    region,
                    store: self.nodes[at].id,
                    keys: keys.iter().map(convert::key).collect(),
                    derive: convert::derive(derive),
                };
                self.happened(Changed::Peer(at, region), event, outputs);
            }
        }
    }
}
