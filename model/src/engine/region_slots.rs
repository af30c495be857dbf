//! Slots for the peers of the first regions, so that a step of one region is computed once,
//! whatever another region does on the same stores.
//!
//! With several regions, each peer is a part of its own ([`Slot::Peer`]). With a single region a
//! store is: there the peer is most of the store, and one part is compared faster than two.

use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_traces::{RegionId, Scope};

use crate::bounds::actions;
use crate::engine::memo::{REGIONS, Side, Slot};

/// The regions whose peers are parts of their own. A region gets a number when its first peer is
/// created. The numbers only name parts; nothing depends on their order.
pub(crate) struct RegionSlots {
    /// There is only ever one region.
    is_single: bool,
    /// Their ids, in order; 0 if there is none yet.
    regions: [AtomicU64; REGIONS],
}

impl RegionSlots {
    pub(crate) fn new(scope: &Scope) -> Self {
        let is_single = scope.regions.len() == 1 && !actions::divides(scope);
        let region_slots = Self { is_single, regions: Default::default() };
        scope.regions.iter().for_each(|region| region_slots.add(region.id));
        region_slots
    }

    /// Gives the region a number if it has none and one is left.
    pub(crate) fn add(&self, region: RegionId) {
        let _ = self.regions.iter().find(|known| match known.load(Ordering::Relaxed) {
            0 => {
                let new = known.compare_exchange(0, region, Ordering::Relaxed, Ordering::Relaxed);
                new.is_ok() || new == Err(region)
            }
            id => id == region,
        });
    }

    /// Whether there is only ever one region.
    pub(crate) fn is_single(&self) -> bool {
        self.is_single
    }

    /// The part with the store's peer or tombstone of the region, or its absence.
    pub(crate) fn peer(&self, at: usize, region: RegionId) -> Slot {
        match self.number(region) {
            Some(nth) if !self.is_single => Slot::Peer(at, nth),
            _ => Slot::Store(Side::Before, at),
        }
    }

    /// The part with the summary of the store's peer of the region, or its absence.
    pub(crate) fn summary(&self, at: usize, region: RegionId) -> Slot {
        self.number(region).map_or(Slot::Store(Side::Before, at), |nth| Slot::Summary(at, nth))
    }

    /// The part with that peer's report, or the reason why it has none.
    pub(crate) fn report(&self, at: usize, region: RegionId) -> Slot {
        self.number(region).map_or(Slot::Store(Side::Before, at), |nth| Slot::Report(at, nth))
    }

    /// The part with the store's status and what it has besides its peers.
    pub(crate) fn beside(&self, at: usize) -> Slot {
        if self.is_single { Slot::Store(Side::Before, at) } else { Slot::Beside(at) }
    }

    /// The region with this number.
    pub(crate) fn region(&self, nth: usize) -> RegionId {
        self.regions[nth].load(Ordering::Relaxed)
    }

    /// The number of a region, if it has one.
    fn number(&self, region: RegionId) -> Option<usize> {
        self.regions.iter().position(|known| known.load(Ordering::Relaxed) == region)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::engine::rollcall::Rollcall;
    use crate::guard::GuardSet;
    use crate::scopes;

    fn model(scope: &str) -> Rollcall {
        scopes::named(scope).expect("there is such a scope").model(GuardSet::ALL).expect("it begins")
    }

    /// Every state's successors and verdict equal those of a model without memoisation.
    fn agrees_with_forgetful(model: &Rollcall) {
        let forgetful = model.forgetful();
        let (mut known, mut open) = (HashSet::from([model.first()]), vec![model.first()]);
        while let Some(state) = open.pop() {
            let after = |model: &Rollcall| {
                let mut all = Vec::new();
                model.expand(&state, |place, _, after| all.push((place, after)));
                (all, model.broken(&state))
            };
            let found = after(model);
            assert!(found == after(&forgetful));
            let new = found.0.into_iter().map(|(_, after)| after).filter(|after| known.insert(*after));
            open.extend(new);
        }
        assert!(known.len() > 300, "{}", known.len());
    }

    #[test]
    fn a_region_keeps_its_number_and_those_beyond_have_none() {
        let region_slots = RegionSlots { is_single: false, regions: Default::default() };
        [7, 10, 7, 3, 4].into_iter().for_each(|region| region_slots.add(region));
        for (nth, region) in [7, 10, 3].into_iter().enumerate() {
            assert_eq!(region_slots.peer(1, region), Slot::Peer(1, nth));
            assert_eq!(region_slots.summary(0, region), Slot::Summary(0, nth));
            assert_eq!(region_slots.region(nth), region);
        }
        assert_eq!(region_slots.peer(1, 10), Slot::Peer(1, 1));
        assert_eq!(region_slots.peer(1, 4), Slot::Store(Side::Before, 1));
        assert_eq!(region_slots.report(1, 4), Slot::Store(Side::Before, 1));
        assert_eq!(region_slots.beside(1), Slot::Beside(1));
    }

    #[test]
    fn where_there_is_one_region_a_store_is_one_part() {
        let region_slots = RegionSlots { is_single: true, regions: Default::default() };
        region_slots.add(1);
        assert_eq!(region_slots.peer(2, 1), Slot::Store(Side::Before, 2));
        assert_eq!(region_slots.beside(2), Slot::Store(Side::Before, 2));
        assert_eq!(region_slots.summary(2, 1), Slot::Summary(2, 0));
    }

    #[test]
    fn regions_without_slots_are_read_with_their_stores() {
        for taken in 0..REGIONS as RegionId {
            let model = model("split_on_two_peers_smoke");
            // Numbers for regions that do not exist.
            (0..taken).for_each(|nth| model.parts().region_slots.add(1_000 + nth));
            agrees_with_forgetful(&model);
        }
    }
}
