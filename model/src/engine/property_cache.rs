//! Memoised verdicts of properties.
//!
//! Most properties concern one store, one peer with its region's history, or two peers. Such a
//! property holds of a cluster if it holds of each store without history, of each peer with the
//! history, and of each two peers without history ([`Property::is_of_two_peers`]). The same stores
//! and pairs of peers occur in thousands of states, and are checked once. The other properties are
//! memoised by the parts that they read.

use rollcall_traces::{History, HistoryParts, RegionId, StoreStatus};
use smallvec::smallvec;

use crate::engine::intern::{Column, Interner};
use crate::engine::memo::STORES;
use crate::engine::memo::{Memo, Numbers, ReadTracker, Side, Slot, Slots, Values};
use crate::engine::state::{InternTables, State, StoreMeta, StorePart};
use crate::properties::Property;
use crate::rules::index_of;

/// Which properties are violated; bit n is the model's n-th property.
pub(crate) struct PropertyCache {
    /// An empty cluster.
    nothing: State,
    /// The number of an empty store with a lost disk.
    gone: u32,
    /// What violates none of the pairwise properties.
    sound: Numbers,
    /// The other properties.
    others: Vec<Property>,
    /// Whether one of them is violated, by its place in the list, memoised by what it reads.
    broken: Memo<bool>,
    /// The parts of a history that they read.
    pasts: Interner<History>,
    /// The number of those parts, by the number of the history.
    pasts_of: Column,
}

/// What is checked: two things by their numbers, and where they are.
#[derive(Clone, Copy)]
enum Pair {
    /// Two stores.
    Stores,
    /// A store and the history, or the empty history.
    StoreInTime,
    /// Two peers.
    Peers,
    /// A peer and the history.
    PeerInTime,
}

impl PropertyCache {
    pub(crate) fn new(parts: &InternTables, properties: &[Property]) -> Self {
        let others = properties.iter().filter(|property| !property.is_of_two_peers());
        Self {
            nothing: parts.nothing(),
            gone: parts.empty(StoreStatus::DiskLost),
            sound: Numbers::new(),
            others: others.copied().collect(),
            broken: Memo::new(),
            pasts: Interner::new(),
            pasts_of: Column::new(),
        }
    }

    /// The properties that a state violates.
    pub(crate) fn broken(&self, parts: &InternTables, properties: &[Property], state: &State) -> u64 {
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
        let (values, past) = (parts.values(state), self.past(parts, state));
        for (question, property) in (0..).zip(&self.others) {
            let known = self.broken.known(question, &[past], &values);
            if known.unwrap_or_else(|| self.judge_other(parts, state, &values, (question, *property, past))) {
                broken |= bit(properties, *property);
            }
        }
        broken
    }

    /// The number of the parts of a state's history that the other properties read.
    fn past(&self, parts: &InternTables, state: &State) -> u32 {
        self.pasts_of.get_or(state.history, || {
            let read = self.others.iter().map(|property| property.parts());
            let read = read.fold(HistoryParts::NONE, HistoryParts::union);
            self.pasts.intern(parts.history.get(state.history).only(read))
        })
    }

    /// Whether a state violates one of the other properties.
    fn judge_other(
        &self,
        parts: &InternTables,
        state: &State,
        values: &Values<impl Fn(Slot) -> u32>,
        (question, property, past): (u32, Property, u32),
    ) -> bool {
        let noted = ReadTracker::new(Slots::NONE);
        let seen = parts.tracked(state, &noted, Side::Before);
        let breaks = property.check(&seen, self.pasts.get(past)).is_err();
        self.broken.learn(question, &[past], noted.get(), values, breaks);
        breaks
    }

    /// The state without what no property reads: the stores that an administrator has given up
    /// count as lost ([`rollcall_traces::Remaining`]).
    fn remaining(&self, parts: &InternTables, state: &State) -> State {
        let mut remaining = *state;
        for store in parts.history.get(state.history).abandoned() {
            if let Some(at) = parts.store_place(*store) {
                remaining.stores[at] = self.gone;
            }
        }
        remaining
    }

    /// Checks a store with the history: first without history, then each of its peers with it. With
    /// a single region a store has at most one peer, and is checked as a whole. (If a store is
    /// sound without history, its peers are sound without history.)
    fn store_in_time(&self, parts: &InternTables, properties: &[Property], state: &State, at: usize) -> u64 {
        let judged =
            |stores: &[(usize, u32)], history| breaks(properties, parts, &self.only(stores, history));
        let (place, history, nothing) = (state.stores[at], state.history, self.nothing.history);
        if parts.region_slots.is_single() {
            return judged(&[(at, place)], history);
        }
        let now =
            self.judge(Pair::StoreInTime, (at, at), (place, nothing), || judged(&[(at, place)], nothing));
        let in_time = |(region, peer): (RegionId, u32)| {
            let lone = || judged(&[(at, lone_peer(parts, region, peer))], history);
            self.judge(Pair::PeerInTime, (at, at), (peer, history), lone)
        };
        let broken = parts.store(state, at).peers.iter().fold(now, |all, peer| all | in_time(*peer));
        broken | judged(&[], history)
    }

    /// Checks two stores: each peer of one with each of the other.
    fn stores(
        &self,
        parts: &InternTables,
        properties: &[Property],
        state: &State,
        (one, other): (usize, usize),
    ) -> u64 {
        let judged =
            |stores: &[(usize, u32)]| breaks(properties, parts, &self.only(stores, self.nothing.history));
        if parts.region_slots.is_single() {
            return judged(&[(one, state.stores[one]), (other, state.stores[other])]);
        }
        let mut broken = 0;
        for &(region, first) in &parts.store(state, one).peers {
            for &(second_region, second) in &parts.store(state, other).peers {
                broken |= self.judge(Pair::Peers, (one, other), (first, second), || {
                    let (first, second) =
                        (lone_peer(parts, region, first), lone_peer(parts, second_region, second));
                    judged(&[(one, first), (other, second)])
                });
            }
        }
        broken
    }

    /// A cluster of only these stores, by their places and numbers, with this history.
    fn only(&self, stores: &[(usize, u32)], history: u32) -> State {
        let mut only = State { history, ..self.nothing };
        stores.iter().for_each(|(at, store)| only.stores[*at] = *store);
        only
    }

    /// Checks it, unless it is known to be sound.
    fn judge(
        &self,
        pair: Pair,
        (one, other): (usize, usize),
        (first, second): (u32, u32),
        judge: impl FnOnce() -> u64,
    ) -> u64 {
        // 3 + 3 + 2 bits, and 28 for each number. A larger number is not stored.
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

/// The number of a store with only this peer and its range index.
fn lone_peer(parts: &InternTables, region: RegionId, peer: u32) -> u32 {
    let ranges = index_of([parts.peers.get(peer)].into_iter());
    let meta = parts.metas.intern(StoreMeta { ranges, ..StoreMeta::default() });
    parts.store_parts.intern(StorePart { status: StoreStatus::Up, meta, peers: smallvec![(region, peer)] })
}

/// Which of the pairwise properties a state violates.
fn breaks(properties: &[Property], parts: &InternTables, state: &State) -> u64 {
    let (seen, history) = (parts.cluster(state), parts.history.get(state.history));
    let of_two = properties.iter().filter(|property| property.is_of_two_peers());
    let broken = of_two.filter(|property| property.check(&seen, history).is_err());
    broken.fold(0, |all, property| all | bit(properties, *property))
}

/// The bit of a property.
fn bit(properties: &[Property], property: Property) -> u64 {
    properties.iter().position(|known| *known == property).map_or(0, |at| 1 << at)
}

const _: () = assert!(STORES <= 8, "a store's place fits into three bits");
