//! States judged by what was judged before.
//!
//! Most properties are about one store, about one peer and what is remembered of
//! its region, or about two peers, and nothing else: such a property holds of a
//! cluster if it holds of each of its stores with nothing remembered, of each peer
//! with the history, and of each two peers with none ([`Property::is_of_two_peers`]).
//! The same two peers turn up in thousands of states, and so do the same two stores:
//! they are judged once. The others are judged by the parts that they look at.

use rollcall_traces::{History, RegionId, StoreStatus};
use smallvec::smallvec;

use crate::intern::{Column, Interner};
use crate::memo::{Memo, Noted, Numbers, Side, Slot, Slots, Values};
use crate::properties::Property;
use crate::state::{Meta, Parts, Place, STORES, Seen, State, index_of};

/// Which properties broke where, bit n for the nth of the model's.
pub(crate) struct Judged {
    /// A cluster with nothing in it.
    nothing: State,
    /// The number of a store whose disk is gone.
    gone: u32,
    /// What breaks none of the properties that are of two peers.
    sound: Numbers,
    /// The other properties.
    others: Vec<Other>,
    /// Whether one of them is broken, by its place in the list, by what it looks at.
    broken: Memo<bool>,
    /// What their histories are made of.
    pasts: Interner<History>,
}

/// A property that is about more than two peers.
struct Other {
    property: Property,
    /// By the number of a history: that of what the property reads of it.
    pasts: Column,
}

/// What is judged: two things by their numbers, and where they are.
#[derive(Clone, Copy)]
enum Pair {
    /// Two stores.
    Stores,
    /// A store and the history.
    StoreInTime,
    /// Two peers.
    Peers,
    /// A peer and the history.
    PeerInTime,
}

impl Judged {
    pub(crate) fn new(parts: &Parts, properties: &[Property]) -> Self {
        let meta = parts.metas.intern(Meta::default());
        let gone = Place { status: StoreStatus::Destroyed, meta, peers: smallvec![] };
        let gone = parts.places.intern(gone);
        let others = properties.iter().filter(|property| !property.is_of_two_peers());
        let other = |property: &Property| Other { property: *property, pasts: Column::new() };
        Self {
            nothing: parts.nothing(),
            gone,
            sound: Numbers::new(),
            others: others.map(other).collect(),
            broken: Memo::new(),
            pasts: Interner::new(),
        }
    }

    /// The properties that a state breaks.
    pub(crate) fn broken(&self, parts: &Parts, properties: &[Property], state: &State) -> u64 {
        let state = &self.remaining(parts, state);
        let stores = parts.stores.len();
        let mut broken = 0;
        for one in 0..stores {
            let place = state.stores[one];
            broken |= self.judge(Pair::StoreInTime, (one, one), (place, state.history), || {
                self.store_in_time(parts, properties, state, one)
            });
            for other in one + 1..stores {
                broken |= self.judge(Pair::Stores, (one, other), (place, state.stores[other]), || {
                    self.stores(parts, properties, state, (one, other))
                });
            }
        }
        let values = parts.values(state);
        for (question, other) in (0..).zip(&self.others) {
            if self.breaks_other(parts, state, &values, (question, other)) {
                broken |= bit(properties, other.property);
            }
        }
        broken
    }

    /// Whether a state breaks one of the other properties.
    fn breaks_other(
        &self,
        parts: &Parts,
        state: &State,
        values: &Values<impl Fn(Slot) -> u32>,
        (question, other): (u32, &Other),
    ) -> bool {
        let past = other.pasts.get_or(state.history, || {
            self.pasts.intern(parts.history.get(state.history).only(other.property.parts()))
        });
        self.broken.known(question, &[past], values).unwrap_or_else(|| {
            let noted = Noted::new(Slots::NONE);
            let seen = parts.noted(state, &noted, Side::Before);
            let breaks = other.property.check(&seen, self.pasts.get(past)).is_err();
            self.broken.learn(question, &[past], noted.get(), values, breaks);
            breaks
        })
    }

    /// The state without what no property looks at: the stores that an administrator
    /// has given up look as though their disks were gone ([`rollcall_traces::Remaining`]).
    fn remaining(&self, parts: &Parts, state: &State) -> State {
        let mut remaining = *state;
        for store in parts.history.get(state.history).abandoned() {
            if let Some(at) = parts.store_place(*store) {
                remaining.stores[at] = self.gone;
            }
        }
        remaining
    }

    /// A store with nothing remembered, and each of its peers with the history.
    fn store_in_time(&self, parts: &Parts, properties: &[Property], state: &State, at: usize) -> u64 {
        let history = state.history;
        let mut alone = self.nothing;
        alone.stores[at] = state.stores[at];
        let mut broken = self.judge(Pair::StoreInTime, (at, at), (state.stores[at], alone.history), || {
            breaks(properties, &parts.seen(&alone))
        });
        let nobody = State { history, ..self.nothing };
        broken |= breaks(properties, &parts.seen(&nobody));
        for &(region, peer) in &parts.place(state, at).peers {
            broken |= self.judge(Pair::PeerInTime, (at, at), (peer, history), || {
                let mut lone = nobody;
                lone.stores[at] = lone_peer(parts, region, peer);
                breaks(properties, &parts.seen(&lone))
            });
        }
        broken
    }

    /// Each peer of a store with each peer of another.
    fn stores(
        &self,
        parts: &Parts,
        properties: &[Property],
        state: &State,
        (one, other): (usize, usize),
    ) -> u64 {
        let mut broken = 0;
        for &(region, peer) in &parts.place(state, one).peers {
            for &(second_region, second) in &parts.place(state, other).peers {
                broken |= self.judge(Pair::Peers, (one, other), (peer, second), || {
                    let mut both = self.nothing;
                    both.stores[one] = lone_peer(parts, region, peer);
                    both.stores[other] = lone_peer(parts, second_region, second);
                    breaks(properties, &parts.seen(&both))
                });
            }
        }
        broken
    }

    /// Judges, unless it is known to be sound.
    fn judge(
        &self,
        pair: Pair,
        (one, other): (usize, usize),
        (first, second): (u32, u32),
        judge: impl FnOnce() -> u64,
    ) -> u64 {
        // 3 + 3 + 2 bits, and 28 for each number; a larger one is not kept.
        let kind = ((pair as usize) << 6 | one << 3 | other) as u64;
        let number = kind << 56 | u64::from(first) << 28 | u64::from(second);
        let fits = first >> 28 == 0 && second >> 28 == 0;
        if fits && self.sound.has(number) {
            return 0;
        }
        let broken = judge();
        if fits && broken == 0 {
            self.sound.keep(number);
        }
        broken
    }
}

/// The number of a store that has this peer alone, and its index.
fn lone_peer(parts: &Parts, region: RegionId, peer: u32) -> u32 {
    let ranges = index_of([parts.peers.get(peer)].into_iter());
    let meta = parts.metas.intern(Meta { ranges, parked: Vec::new() });
    parts.places.intern(Place { status: StoreStatus::Up, meta, peers: smallvec![(region, peer)] })
}

/// Which of the properties that are of two peers a cluster breaks.
fn breaks(properties: &[Property], seen: &Seen<'_>) -> u64 {
    let history = seen.history();
    let of_two = properties.iter().filter(|property| property.is_of_two_peers());
    let broken = of_two.filter(|property| property.check(seen, history).is_err());
    broken.fold(0, |all, property| all | bit(properties, *property))
}

/// The bit that stands for a property.
fn bit(properties: &[Property], property: Property) -> u64 {
    properties.iter().position(|known| *known == property).map_or(0, |at| 1 << at)
}

const _: () = assert!(STORES <= 8, "a store's place fits into three bits");
