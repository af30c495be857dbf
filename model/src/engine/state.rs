//! The compact form of a cluster: small, canonical, cheap to copy and to hash.
//!
//! A [`State`] is a row of numbers, one for each store and two more; [`InternTables`] has the parts
//! to which they refer. The part of a store is itself a row of numbers, one for each peer, because
//! a peer's local state repeats on many stores (SPIN's "collapse", twice). [`StateRef`] combines a
//! state with the tables.

use std::borrow::Cow;

use rollcall_traces::{
    Action, Budgets, Cluster, Held, History, Member, Outcome, Peer, PeerSummary, PlacementDriver,
    PlanUnderWay, RangeClaim, RangeEntry, Reason, Region, RegionId, Scope, StoreId, StoreStatus, View,
};
use smallvec::SmallVec;

use crate::bounds::costs;
use crate::engine::intern::{Column, Interner};
use crate::engine::memo::{Numbered, REGIONS, STORES, Side, Slot, Values};
use crate::engine::region_slots::RegionSlots;
use crate::rules;
use crate::rules::Report;

/// Stands for the number of a store that the scope does not have.
pub(crate) const UNUSED: u32 = u32::MAX;

/// One global state, as numbers of interned parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) stores: [u32; STORES],
    pub(crate) rest: u32,
    pub(crate) history: u32,
}

/// The numbers of the peers and tombstones on a store, by region.
pub(crate) type Peers = SmallVec<[(RegionId, u32); 2]>;

/// The part of one store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StorePart {
    pub(crate) status: StoreStatus,
    /// The number of its [`StoreMeta`].
    pub(crate) meta: u32,
    pub(crate) peers: Peers,
}

/// Stands for the number of a missing peer.
const NO_PEER: u32 = u32::MAX;

/// The bits of a status in [`Slot::Beside`], below the number of the meta.
const STATUS_BITS: u32 = 2;

/// The statuses by those bits.
const STATUSES: [StoreStatus; 3] = [StoreStatus::Up, StoreStatus::Down, StoreStatus::DiskLost];

impl StorePart {
    /// The number of the peer or tombstone of a region.
    fn peer(&self, region: RegionId) -> Option<u32> {
        self.peers.iter().find(|(of, _)| *of == region).map(|(_, number)| *number)
    }

    /// The store's part with this peer, or none, in place of the region's old one.
    pub(crate) fn with_peer(mut self, region: RegionId, peer: Option<u32>) -> Self {
        match (peer, self.peers.binary_search_by_key(&region, |(of, _)| *of)) {
            (Some(peer), Ok(at)) => self.peers[at].1 = peer,
            (Some(peer), Err(at)) => self.peers.insert(at, (region, peer)),
            (None, Ok(at)) => {
                self.peers.remove(at);
            }
            (None, Err(_)) => {}
        }
        self
    }
}

/// One number for a replacement: the number of a store's part or the rest, the replaced slot and
/// its value. `None` if one of them is too large.
fn replacement(number: u32, part: Slot, value: u32) -> Option<u64> {
    let (value, fits) = if value == NO_PEER { (0, true) } else { (value + 1, value < (1 << 28) - 1) };
    let part = part.index() as u64;
    (fits && number < 1 << 28).then(|| 1 << 63 | part << 56 | u64::from(number) << 28 | u64::from(value))
}

const _: () = assert!(crate::engine::memo::SLOTS <= 1 << 7, "a part's place fits into seven bits");

/// What a store has besides its peers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct StoreMeta {
    /// In key order.
    pub(crate) ranges: Vec<RangeEntry>,
    pub(crate) pending_messages: Vec<Held>,
    /// The unsafe recovery plan that it is executing.
    pub(crate) plan: Option<PlanUnderWay>,
}

/// What a state has besides its stores: the numbers of the delayed messages, of the placement
/// driver and of the spent budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rest {
    pub(crate) held: u32,
    pub(crate) pd: u32,
    pub(crate) spent: u32,
}

/// The parts to which the numbers in a [`State`] refer, and the order of the stores.
pub(crate) struct InternTables {
    pub(crate) stores: Vec<StoreId>,
    /// The members of the first configuration.
    pub(crate) founders: Vec<Member>,
    /// The regions of the first state.
    pub(crate) founded: Vec<RegionId>,
    /// The number of voters that PD wants in a region; 0 if PD only allots ids.
    pub(crate) replicas: u64,
    /// The stores that have too little space for another peer.
    pub(crate) full: Vec<StoreId>,
    /// The stores that are low on space by ratio only.
    pub(crate) low_space: Vec<StoreId>,
    /// Whether a crash reverts unsynced commit indexes.
    pub(crate) unsynced_commits: bool,
    /// Whether what a step writes is durable later.
    pub(crate) late_persistence: bool,
    /// Whether views show the commit indexes that a leader knows of other peers.
    pub(crate) reports_commits: bool,
    /// How many operators the patrol may run at a time.
    pub(crate) schedule_limit: usize,
    /// How many more may wait.
    pub(crate) waiting_limit: usize,
    pub(crate) peers: Interner<Peer>,
    pub(crate) metas: Interner<StoreMeta>,
    pub(crate) store_parts: Interner<StorePart>,
    /// The regions whose peers are parts of their own.
    pub(crate) region_slots: RegionSlots,
    /// The result of each [`replacement`].
    replaced: Numbered,
    /// Lists of regions.
    regions: Interner<Vec<RegionId>>,
    /// Summaries of peers.
    summaries: Interner<PeerSummary>,
    /// The number of a peer's summary, by the number of its region and that of the store's part.
    summaries_of: [Column; REGIONS],
    /// Reports of peers, or the reasons why there is none.
    reports: Interner<Result<Report, Reason>>,
    /// The number of that, by the store, the number of the region and that of the store's part.
    reports_of: [[Column; REGIONS]; STORES],
    /// The range claims of a store's peers.
    claims: Interner<Vec<RangeClaim>>,
    /// The number of that, by the number of the store's part.
    claims_of: Column,
    pub(crate) pds: Interner<PlacementDriver>,
    /// PD's regions and Tombstone stores.
    beliefs: Interner<(Vec<Region>, Vec<StoreId>)>,
    /// The number of that, by the number of PD.
    beliefs_of: Column,
    pub(crate) held: Interner<Vec<Held>>,
    pub(crate) spent: Interner<Budgets>,
    pub(crate) rest: Interner<Rest>,
    pub(crate) history: Interner<History>,
}

impl InternTables {
    pub(crate) fn new(scope: &Scope) -> Self {
        let mut stores = scope.stores.clone();
        stores.sort_unstable();
        Self {
            stores,
            founders: scope.regions.iter().flat_map(|region| region.peers.iter().copied()).collect(),
            founded: scope.regions.iter().map(|region| region.id).collect(),
            replicas: scope.max_replicas,
            full: scope.full.clone(),
            low_space: scope.low_space.clone(),
            unsynced_commits: scope.unsynced_commits,
            late_persistence: scope.late_persistence,
            reports_commits: scope.reports_commits(),
            schedule_limit: rules::limit(scope.schedule_limit),
            waiting_limit: usize::try_from(scope.waiting_limit).unwrap_or(usize::MAX),
            peers: Interner::new(),
            metas: Interner::new(),
            store_parts: Interner::new(),
            region_slots: RegionSlots::new(scope),
            replaced: Numbered::new(),
            regions: Interner::new(),
            summaries: Interner::new(),
            summaries_of: Column::some(),
            reports: Interner::new(),
            reports_of: std::array::from_fn(|_| Column::some()),
            claims: Interner::new(),
            claims_of: Column::new(),
            pds: Interner::new(),
            beliefs: Interner::new(),
            beliefs_of: Column::new(),
            held: Interner::new(),
            spent: Interner::new(),
            rest: Interner::new(),
            history: Interner::new(),
        }
    }

    pub(crate) fn store_place(&self, store: StoreId) -> Option<usize> {
        self.stores.iter().position(|id| *id == store)
    }

    pub(crate) fn store(&self, state: &State, at: usize) -> &StorePart {
        self.store_parts.get(state.stores[at])
    }

    pub(crate) fn meta(&self, state: &State, at: usize) -> &StoreMeta {
        self.metas.get(self.store(state, at).meta)
    }

    pub(crate) fn peer(&self, state: &State, at: usize, region: RegionId) -> Option<&Peer> {
        Some(self.peers.get(self.store(state, at).peer(region)?))
    }

    /// The peers and tombstones on a store.
    pub(crate) fn peers_on(&self, state: &State, at: usize) -> impl Iterator<Item = (RegionId, &Peer)> {
        self.store(state, at).peers.iter().map(|(region, peer)| (*region, self.peers.get(*peer)))
    }

    /// The number of the store's part, or of the rest, that differs from the one with this number
    /// only in one slot.
    pub(crate) fn replace(&self, number: u32, part: Slot, value: u32) -> u32 {
        let key = replacement(number, part, value);
        if let Some(known) = key.and_then(|key| self.replaced.get(key)) {
            return known;
        }
        let (place, rest) = (|| self.store_parts.get(number).clone(), || *self.rest.get(number));
        let replaced = match part {
            Slot::Peer(_, nth) => {
                let peer = (value != NO_PEER).then_some(value);
                self.store_parts.intern(place().with_peer(self.region_slots.region(nth), peer))
            }
            Slot::Beside(_) => {
                let status = STATUSES[(value & ((1 << STATUS_BITS) - 1)) as usize];
                self.store_parts.intern(StorePart { status, meta: value >> STATUS_BITS, ..place() })
            }
            Slot::Held(_) => self.rest.intern(Rest { held: value, ..rest() }),
            Slot::Pd(_) => self.rest.intern(Rest { pd: value, ..rest() }),
            Slot::Spent => self.rest.intern(Rest { spent: value, ..rest() }),
            _ => unreachable!("no part of a place or a rest: {part:?}"),
        };
        if let Some(key) = key {
            self.replaced.keep(key, replaced);
        }
        replaced
    }

    /// The compact form of a view, with nothing spent and an empty history. `None` if the view has
    /// a store that the tables do not have.
    pub(crate) fn state_of(&self, view: &View) -> Option<State> {
        let mut stores = [UNUSED; STORES];
        for store in view.stores.keys() {
            self.store_place(*store)?;
        }
        for (number, store) in stores.iter_mut().zip(&self.stores) {
            let seen = view.stores.get(store).cloned().unwrap_or_default();
            seen.peers.keys().for_each(|region| self.region_slots.add(*region));
            let peers =
                seen.peers.into_iter().map(|(region, peer)| (region, self.peers.intern(peer))).collect();
            let meta = self.metas.intern(StoreMeta {
                ranges: seen.ranges,
                pending_messages: seen.pending_messages,
                plan: seen.plan,
            });
            *number = self.store_parts.intern(StorePart { status: seen.status, meta, peers });
        }
        let rest = self.rest_of(&view.held, &view.pd, Budgets::default());
        Some(State { stores, rest, history: self.history.intern(History::default()) })
    }

    /// The number of a rest.
    pub(crate) fn rest_of(&self, held: &Vec<Held>, pd: &PlacementDriver, spent: Budgets) -> u32 {
        let (held, pd) = (self.held.intern_ref(held), self.pds.intern_ref(pd));
        self.rest.intern(Rest { held, pd, spent: self.spent.intern(spent) })
    }

    /// The number of an empty store.
    pub(crate) fn empty(&self, status: StoreStatus) -> u32 {
        let meta = self.metas.intern(StoreMeta::default());
        self.store_parts.intern(StorePart { status, meta, peers: Peers::new() })
    }

    /// A state in which every store is empty.
    pub(crate) fn nothing(&self) -> State {
        let place = self.empty(StoreStatus::Up);
        let rest = self.rest_of(&Vec::new(), &PlacementDriver::default(), Budgets::default());
        let mut stores = [UNUSED; STORES];
        stores[..self.stores.len()].fill(place);
        State { stores, rest, history: self.history.intern(History::default()) }
    }

    /// The values of the slots of a state.
    pub(crate) fn values<'a>(&'a self, state: &'a State) -> Values<impl Fn(Slot) -> u32 + 'a> {
        self.values_of_step(state, state)
    }

    /// The values of the slots of a step.
    pub(crate) fn values_of_step<'a>(
        &'a self,
        before: &'a State,
        after: &'a State,
    ) -> Values<impl Fn(Slot) -> u32 + 'a> {
        Values::of(move |slot| self.value(before, after, slot))
    }

    /// The value of a slot.
    pub(crate) fn value(&self, before: &State, after: &State, slot: Slot) -> u32 {
        let of = |side| if side == Side::Before { before } else { after };
        let rest = |side| self.rest.get(of(side).rest);
        match slot {
            Slot::Store(side, at) => of(side).stores[at],
            Slot::Beside(at) => {
                let place = self.store(before, at);
                place.meta << STATUS_BITS | place.status as u32
            }
            Slot::Peer(at, nth) => {
                self.store(before, at).peer(self.region_slots.region(nth)).unwrap_or(NO_PEER)
            }
            Slot::Held(side) => rest(side).held,
            Slot::Pd(side) => rest(side).pd,
            Slot::Believed => self.beliefs_of.get_or(rest(Side::Before).pd, || {
                let seen = self.cluster(before);
                self.beliefs.intern((seen.believed().cloned().collect(), seen.departed().collect()))
            }),
            Slot::PdMoved => u32::from(rest(Side::Before).pd != rest(Side::After).pd),
            Slot::Spent => rest(Side::Before).spent,
            Slot::History => before.history,
            Slot::Summary(at, nth) => self.summaries_of[nth].get_or(before.stores[at], || {
                let peer = self.peer(before, at, self.region_slots.region(nth));
                peer.map_or(NO_PEER, |peer| self.summaries.intern(PeerSummary::of(peer)))
            }),
            Slot::Report(at, nth) => self.reports_of[at][nth].get_or(before.stores[at], || {
                self.reports.intern(self.report(before, at, self.region_slots.region(nth)))
            }),
            Slot::Claims(at) => self.claims_number(before.stores[at]),
            Slot::Moved(at) => u32::from(before.stores[at] != after.stores[at]),
            Slot::Regions(side) => self.regions.intern(self.cluster(of(side)).regions().collect()),
            Slot::Statuses(side) => {
                let bits = |at: usize| (self.store(of(side), at).status as u32) << (2 * at);
                (0..self.stores.len()).map(bits).fold(0, |all, bits| all | bits)
            }
        }
    }

    /// The number of a rest after paying for an action that was done.
    pub(crate) fn spend(&self, rest: u32, action: &Action, outcome: &Outcome) -> u32 {
        let mut spent = *self.spent.get(self.rest.get(rest).spent);
        if !costs::spend(&mut spent, action, outcome) {
            return rest;
        }
        self.replace(rest, Slot::Spent, self.spent.intern(spent))
    }

    /// The summary of the peer or tombstone.
    pub(crate) fn summary(&self, state: &State, at: usize, region: RegionId) -> Option<Cow<'_, PeerSummary>> {
        let peer = self.peer(state, at, region)?;
        Some(match self.region_slots.summary(at, region) {
            part @ Slot::Summary(..) => Cow::Borrowed(self.summaries.get(self.value(state, state, part))),
            _ => Cow::Owned(PeerSummary::of(peer)),
        })
    }

    /// The report of a store's peer of the region.
    pub(crate) fn report(&self, state: &State, at: usize, region: RegionId) -> Result<Report, Reason> {
        Report::of(self.stores[at], self.store(state, at).status, self.peer(state, at, region))
    }

    /// The range claims of the peers on a store.
    pub(crate) fn claims(&self, state: &State, at: usize) -> &[RangeClaim] {
        self.claims.get(self.claims_number(state.stores[at]))
    }

    fn claims_number(&self, place: u32) -> u32 {
        self.claims_of.get_or(place, || {
            let peers = &self.store_parts.get(place).peers;
            self.claims.intern(peers.iter().flat_map(|(_, id)| RangeClaim::of(self.peers.get(*id))).collect())
        })
    }
}
