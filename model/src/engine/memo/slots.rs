//! The parts of a state on which an answer can depend.

use std::cell::Cell;

/// The most stores that a scope may have.
pub const STORES: usize = 8;

/// The number of regions with a slot for each peer. Peers of other regions are read with their
/// store.
pub(crate) const REGIONS: usize = 3;

/// A set of parts of a state, or of the states before and after a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots(u128);

/// To which state a part belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The only state, or the one before the step. Also the one after it, if the part before
    /// decides that.
    Before,
    /// The state after the step.
    After,
}

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A store and everything on it.
    Store(Side, usize),
    /// A store's status and what it has besides its peers, before the step.
    Beside(usize),
    /// A store's peer or tombstone of a region, before the step. The region is given by its number
    /// among those with slots of their own ([`crate::engine::region_slots`]).
    Peer(usize, usize),
    /// The delayed messages.
    Held(Side),
    /// The placement driver.
    Pd(Side),
    /// PD's regions and Tombstone stores, before the step.
    Believed,
    /// Whether the step changed the placement driver.
    PdMoved,
    /// The spent budgets, before the step.
    Spent,
    /// The history, before the step.
    History,
    /// The summary of a store's peer of a region, before the step
    /// ([`rollcall_traces::PeerSummary`]).
    Summary(usize, usize),
    /// The report of a store's peer of a region, before the step ([`crate::rules::Report`]).
    Report(usize, usize),
    /// The range claims of the peers on a store, before the step ([`rollcall_traces::RangeClaim`]).
    Claims(usize),
    /// Whether the step changed a store.
    Moved(usize),
    /// The status of every store.
    Statuses(Side),
    /// The regions with a peer or tombstone on any store.
    Regions(Side),
}

// Each store has five slots, and three more for each region.
const PEERS: usize = 5;
const SUMMARIES: usize = PEERS + REGIONS;
const REPORTS: usize = SUMMARIES + REGIONS;
/// How many kinds of slots each store has.
const OF_STORES: usize = REPORTS + REGIONS;

pub(crate) const SLOTS: usize = OF_STORES * STORES + 12;
const _: () = assert!(SLOTS <= 128, "a set of slots fits into 128 bits");

impl Slot {
    const fn bit(self) -> u128 {
        1 << self.index()
    }

    pub(crate) const fn index(self) -> usize {
        const BESIDE: usize = OF_STORES * STORES;
        match self {
            Slot::Store(Side::Before, at) => at,
            Slot::Store(Side::After, at) => STORES + at,
            Slot::Moved(at) => 2 * STORES + at,
            Slot::Beside(at) => 3 * STORES + at,
            Slot::Claims(at) => 4 * STORES + at,
            Slot::Peer(at, region) => (PEERS + region) * STORES + at,
            Slot::Summary(at, region) => (SUMMARIES + region) * STORES + at,
            Slot::Report(at, region) => (REPORTS + region) * STORES + at,
            Slot::Held(Side::Before) => BESIDE,
            Slot::Held(Side::After) => BESIDE + 1,
            Slot::Pd(Side::Before) => BESIDE + 2,
            Slot::Pd(Side::After) => BESIDE + 3,
            Slot::PdMoved => BESIDE + 4,
            Slot::Spent => BESIDE + 5,
            Slot::History => BESIDE + 6,
            Slot::Statuses(Side::Before) => BESIDE + 7,
            Slot::Statuses(Side::After) => BESIDE + 8,
            Slot::Regions(Side::Before) => BESIDE + 9,
            Slot::Regions(Side::After) => BESIDE + 10,
            Slot::Believed => BESIDE + 11,
        }
    }

    pub(crate) fn of_index(index: usize) -> Self {
        let at = index % STORES;
        match index / STORES {
            0 => Slot::Store(Side::Before, at),
            1 => Slot::Store(Side::After, at),
            2 => Slot::Moved(at),
            3 => Slot::Beside(at),
            4 => Slot::Claims(at),
            kind if kind < SUMMARIES => Slot::Peer(at, kind - PEERS),
            kind if kind < REPORTS => Slot::Summary(at, kind - SUMMARIES),
            kind if kind < OF_STORES => Slot::Report(at, kind - REPORTS),
            _ => match index - OF_STORES * STORES {
                0 => Slot::Held(Side::Before),
                1 => Slot::Held(Side::After),
                2 => Slot::Pd(Side::Before),
                3 => Slot::Pd(Side::After),
                4 => Slot::PdMoved,
                5 => Slot::Spent,
                6 => Slot::History,
                7 => Slot::Statuses(Side::Before),
                8 => Slot::Statuses(Side::After),
                9 => Slot::Regions(Side::Before),
                10 => Slot::Regions(Side::After),
                _ => Slot::Believed,
            },
        }
    }
}

impl Slots {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn of(slot: Slot) -> Self {
        Self(slot.bit())
    }

    pub(crate) fn with(self, slot: Slot) -> Self {
        Self(self.0 | slot.bit())
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has(self, slot: Slot) -> bool {
        self.0 & slot.bit() != 0
    }

    /// The same set without parts of stores that were read entirely.
    pub(crate) fn settled(self) -> Self {
        let is_whole = |at: usize| self.has(Slot::Store(Side::Before, at));
        let of_store = |at: usize| {
            let peers = (0..REGIONS).map(move |region| Slot::Peer(at, region));
            peers.chain([Slot::Beside(at)]).fold(Slots::NONE, Slots::with)
        };
        let whole = (0..STORES).filter(|at| is_whole(*at)).map(of_store);
        Self(self.0 & !whole.fold(Slots::NONE, Slots::union).0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Slot> {
        self.places().map(Slot::of_index)
    }

    fn places(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let at = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(at)
        })
    }
}

/// A slot set that is iterated often, as a list of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    count: u8,
    places: [u8; Self::MOST],
}

impl Listed {
    /// The longest list.
    const MOST: usize = 23;

    /// The list of the set, unless it is too long.
    pub(super) fn of(slots: Slots) -> Option<Self> {
        let mut listed = Self { count: 0, places: [0; Self::MOST] };
        for place in slots.places() {
            *listed.places.get_mut(usize::from(listed.count))? = place as u8;
            listed.count += 1;
        }
        Some(listed)
    }

    /// The set.
    pub(super) fn slots(&self) -> Slots {
        self.places().map(Slot::of_index).fold(Slots::NONE, Slots::with)
    }

    pub(super) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.places[..usize::from(self.count)].iter().map(|place| usize::from(*place))
    }
}

/// The values of the slots of one state or step, looked up on demand. Many questions are asked
/// about one state.
pub(crate) struct Values<F> {
    look_up: F,
    values: [Cell<u32>; SLOTS],
}

/// Stands for a value that was not looked up. A value that equals it is looked up each time.
const UNKNOWN: u32 = u32::MAX - 1;

impl<F: Fn(Slot) -> u32> Values<F> {
    pub(crate) fn of(look_up: F) -> Self {
        Self { look_up, values: [const { Cell::new(UNKNOWN) }; SLOTS] }
    }

    #[inline]
    pub(super) fn at(&self, place: usize) -> u32 {
        match self.values[place].get() {
            UNKNOWN => {
                let value = (self.look_up)(Slot::of_index(place));
                self.values[place].set(value);
                value
            }
            known => known,
        }
    }
}

/// Records which parts were read.
pub(crate) type ReadTracker = Cell<Slots>;

pub(crate) fn track(noted: &ReadTracker, slot: Slot) {
    noted.set(noted.get().with(slot));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_its_set_unless_that_is_too_long() {
        for count in [0, 1, Listed::MOST] {
            let slots = (0..count).map(|nth| Slot::of_index(5 * nth)).fold(Slots::NONE, Slots::with);
            assert_eq!(Listed::of(slots).expect("it is short enough").slots(), slots);
        }
        let too_many = (0..=Listed::MOST).map(Slot::of_index).fold(Slots::NONE, Slots::with);
        assert_eq!(Listed::of(too_many), None);
    }

    #[test]
    fn a_store_that_was_read_whole_is_one_part() {
        let parts = [Slot::Peer(1, 0), Slot::Peer(1, 2), Slot::Beside(1), Slot::Peer(2, 0), Slot::Beside(2)];
        let parts = parts.into_iter().fold(Slots::NONE, Slots::with);
        assert_eq!(parts.settled(), parts);
        let whole = Slot::Store(Side::Before, 1);
        let left = [whole, Slot::Peer(2, 0), Slot::Beside(2)].into_iter().fold(Slots::NONE, Slots::with);
        assert_eq!(parts.with(whole).settled(), left);
    }

    #[test]
    fn a_value_is_looked_up_once_unless_it_is_the_one_that_stands_for_none() {
        let asked = Cell::new(0);
        let values = Values::of(|slot| {
            asked.set(asked.get() + 1);
            if slot == Slot::Spent { UNKNOWN } else { 7 }
        });
        for _ in 0..2 {
            assert_eq!(values.at(Slot::History.index()), 7);
        }
        assert_eq!(asked.get(), 1);
        for _ in 0..2 {
            assert_eq!(values.at(Slot::Spent.index()), UNKNOWN);
        }
        assert_eq!(asked.get(), 3);
    }

    #[test]
    fn every_slot_has_a_bit_of_its_own() {
        for at in 0..SLOTS {
            assert_eq!(Slot::of_index(at).index(), at);
        }
        let some = [Slot::Store(Side::After, 3), Slot::Held(Side::Before), Slot::Statuses(Side::After)];
        let slots = some.into_iter().fold(Slots::NONE, Slots::with);
        assert_eq!(slots.iter().collect::<Vec<_>>(), some);
        assert!(slots.has(Slot::Held(Side::Before)) && !slots.has(Slot::Held(Side::After)));
    }
}
