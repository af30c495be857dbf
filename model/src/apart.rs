//! Regions told apart, so that what one does is worked out once, whatever another
//! does on the same stores meanwhile.
//!
//! Where a scope has several regions each peer is a part of its own
//! ([`Slot::Peer`]); where it has one a store is, for there a peer is most of what
//! a store holds, and one part is compared faster than two.

use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_traces::{RegionId, Scope};

use crate::actions;
use crate::memo::{REGIONS, Side, Slot};

/// The regions of which each peer is a part of its own. A region gets a number
/// when it is first looked at; the numbers name parts, and nothing depends on
/// which region has which.
pub(crate) struct Apart {
    /// There is one region and never another.
    is_single: bool,
    /// Their ids, from the first on; 0 where there is none yet.
    regions: [AtomicU64; REGIONS],
}

impl Apart {
    pub(crate) fn new(scope: &Scope) -> Self {
        let is_single = scope.regions.len() == 1 && !actions::divides(scope);
        Self { is_single, regions: Default::default() }
    }

    /// Whether there is one region and never another.
    pub(crate) fn is_single(&self) -> bool {
        self.is_single
    }

    /// The part in which a peer or tombstone of the region is, or that there is none.
    pub(crate) fn peer(&self, at: usize, region: RegionId) -> Slot {
        match self.number(region) {
            Some(nth) if !self.is_single => Slot::Peer(at, nth),
            _ => Slot::Store(Side::Before, at),
        }
    }

    /// The part that this is of what its face is, or that there is none.
    pub(crate) fn face(&self, at: usize, region: RegionId) -> Slot {
        self.number(region).map_or(Slot::Store(Side::Before, at), |nth| Slot::Face(at, nth))
    }

    /// The same of what it reports.
    pub(crate) fn report(&self, at: usize, region: RegionId) -> Slot {
        self.number(region).map_or(Slot::Store(Side::Before, at), |nth| Slot::Report(at, nth))
    }

    /// The part in which that is which a store holds beside its peers.
    pub(crate) fn beside(&self, at: usize) -> Slot {
        if self.is_single { Slot::Store(Side::Before, at) } else { Slot::Beside(at) }
    }

    /// The region with this number.
    pub(crate) fn region(&self, nth: usize) -> RegionId {
        self.regions[nth].load(Ordering::Relaxed)
    }

    /// The number of a region, if it has one or there is one left.
    fn number(&self, region: RegionId) -> Option<usize> {
        self.regions.iter().position(|known| match known.load(Ordering::Relaxed) {
            0 => {
                let new = known.compare_exchange(0, region, Ordering::Relaxed, Ordering::Relaxed);
                new.is_ok() || new == Err(region)
            }
            id => id == region,
        })
    }
}
