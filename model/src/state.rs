//! The compact form of a cluster: small, canonical, cheap to copy and to hash.
//!
//! A [`State`] is a row of numbers, one for each store and two for the rest; a
//! [`Parts`] keeps what they stand for. A store's part is itself a row of
//! numbers, one for each peer on it, because a peer's local state repeats in
//! many stores' states (SPIN's "collapse", twice). [`Seen`] puts the two
//! together and shows the cluster by the accessor trait.

use rollcall_traces::{
    Budgets, Cluster, Held, History, Member, Peer, PlacementDriver, RangeEntry, Region, RegionId, Scope,
    Store, StoreId, StoreStatus, View,
};
use smallvec::SmallVec;

use crate::intern::Interner;

/// The most stores that a scope may have.
pub const STORES: usize = 8;

/// One global state, as numbers of interned parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) stores: [u32; STORES],
    pub(crate) rest: u32,
    pub(crate) history: u32,
}

/// The peers and tombstones on a store: the numbers of their parts, by region.
pub(crate) type Peers = SmallVec<[(RegionId, u32); 2]>;

/// What one store holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) status: StoreStatus,
    /// The number of its [`Meta`].
    pub(crate) meta: u32,
    pub(crate) peers: Peers,
}

/// What a store keeps beside its peers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Meta {
    /// In key order.
    pub(crate) ranges: Vec<RangeEntry>,
    pub(crate) parked: Vec<Held>,
}

/// What a state holds beside its stores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rest {
    pub(crate) held: Vec<Held>,
    /// The number of the placement driver's part.
    pub(crate) pd: u32,
    /// What was spent of each budget.
    pub(crate) spent: Budgets,
}

/// The parts that the numbers in a [`State`] stand for, and the stores' places.
pub(crate) struct Parts {
    pub(crate) stores: Vec<StoreId>,
    /// The members that the regions began with.
    pub(crate) founders: Vec<Member>,
    /// The regions that were there first.
    pub(crate) founded: Vec<RegionId>,
    /// How many voters the placement driver wants of a region; 0 if it only allots ids.
    pub(crate) replicas: u64,
    /// The stores that have too little space for another peer.
    pub(crate) full: Vec<StoreId>,
    pub(crate) peers: Interner<Peer>,
    pub(crate) metas: Interner<Meta>,
    pub(crate) places: Interner<Place>,
    pub(crate) drivers: Interner<PlacementDriver>,
    pub(crate) rest: Interner<Rest>,
    pub(crate) history: Interner<History>,
}

impl Parts {
    pub(crate) fn new(scope: &Scope) -> Self {
        let mut stores = scope.stores.clone();
        stores.sort_unstable();
        Self {
            stores,
            founders: scope.regions.iter().flat_map(|region| region.peers.iter().copied()).collect(),
            founded: scope.regions.iter().map(|region| region.id).collect(),
            replicas: scope.max_replicas,
            full: scope.full.clone(),
            peers: Interner::new(),
            metas: Interner::new(),
            places: Interner::new(),
            drivers: Interner::new(),
            rest: Interner::new(),
            history: Interner::new(),
        }
    }

    pub(crate) fn store_place(&self, store: StoreId) -> Option<usize> {
        self.stores.iter().position(|id| *id == store)
    }

    pub(crate) fn place(&self, state: &State, at: usize) -> &Place {
        self.places.get(state.stores[at])
    }

    pub(crate) fn meta(&self, state: &State, at: usize) -> &Meta {
        self.metas.get(self.place(state, at).meta)
    }

    pub(crate) fn peer(&self, state: &State, at: usize, region: RegionId) -> Option<&Peer> {
        let (_, id) = self.place(state, at).peers.iter().find(|(of, _)| *of == region)?;
        Some(self.peers.get(*id))
    }

    /// The compact form of a view: nothing spent, nothing remembered. `None`
    /// where the view has a store that the parts do not.
    pub(crate) fn state_of(&self, view: &View) -> Option<State> {
        let mut stores = [0; STORES];
        for store in view.stores.keys() {
            self.store_place(*store)?;
        }
        for (number, store) in stores.iter_mut().zip(&self.stores) {
            let seen = view.stores.get(store).cloned().unwrap_or_default();
            let peers =
                seen.peers.into_iter().map(|(region, peer)| (region, self.peers.intern(peer))).collect();
            let meta = self.metas.intern(Meta { ranges: seen.ranges, parked: seen.parked });
            *number = self.places.intern(Place { status: seen.status, meta, peers });
        }
        let pd = self.drivers.intern_ref(&view.pd);
        let rest = Rest { held: view.held.clone(), pd, spent: Budgets::default() };
        Some(State { stores, rest: self.rest.intern(rest), history: self.history.intern(History::default()) })
    }

    pub(crate) fn seen<'a>(&'a self, state: &'a State) -> Seen<'a> {
        Seen { parts: self, state }
    }
}

/// The index from key range to region of these peers: initialised ones, in key order.
pub(crate) fn index_of<'a>(peers: impl Iterator<Item = &'a Peer>) -> Vec<RangeEntry> {
    let initialised = peers.filter(|peer| peer.is_initialised());
    let mut ranges: Vec<_> = initialised.map(|peer| entry_of(&peer.region)).collect();
    ranges.sort_by(|a, b| (&a.start, a.region).cmp(&(&b.start, b.region)));
    ranges
}

/// A region's entry in a range index.
pub(crate) fn entry_of(region: &Region) -> RangeEntry {
    RangeEntry { start: region.start.clone(), end: region.end.clone(), region: region.id }
}

/// A state together with what its numbers stand for.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    parts: &'a Parts,
    state: &'a State,
}

impl<'a> Seen<'a> {
    /// The replicas of a region, for as long as the state is there.
    pub(crate) fn replicas_of(self, region: RegionId) -> impl Iterator<Item = (StoreId, &'a Peer)> + 'a {
        let Seen { parts, state } = self;
        let peer =
            move |(at, store): (usize, &StoreId)| parts.peer(state, at, region).map(|peer| (*store, peer));
        parts.stores.iter().enumerate().filter_map(peer)
    }
}

impl Seen<'_> {
    /// The readable form.
    pub fn view(&self) -> View {
        let store = |at: usize| {
            let place = self.parts.place(self.state, at);
            let Meta { ranges, parked } = self.parts.metas.get(place.meta).clone();
            let peer = |(region, id): &(RegionId, u32)| (*region, self.parts.peers.get(*id).clone());
            let peers = place.peers.iter().map(peer).collect();
            Store { status: place.status, peers, ranges, parked }
        };
        let stores = self.parts.stores.iter().enumerate().map(|(at, id)| (*id, store(at))).collect();
        View { stores, held: self.held().to_vec(), pd: self.pd().clone() }
    }

    /// The members that the regions began with, in their first roles.
    pub fn founders(&self) -> &[Member] {
        &self.parts.founders
    }

    /// Whether the region was there first; the others came by a split.
    pub fn is_founded(&self, region: RegionId) -> bool {
        self.parts.founded.contains(&region)
    }

    /// What earlier states left behind.
    pub fn history(&self) -> &History {
        self.parts.history.get(self.state.history)
    }

    /// What was spent of each budget.
    pub fn spent(&self) -> &Budgets {
        &self.rest().spent
    }

    fn rest(&self) -> &Rest {
        self.parts.rest.get(self.state.rest)
    }
}

impl Cluster for Seen<'_> {
    fn stores(&self) -> impl Iterator<Item = (StoreId, StoreStatus)> + '_ {
        let status = |at| self.parts.place(self.state, at).status;
        self.parts.stores.iter().enumerate().map(move |(at, id)| (*id, status(at)))
    }

    fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        let places: [&[(RegionId, u32)]; STORES] =
            std::array::from_fn(|at| match self.parts.stores.get(at) {
                Some(_) => &self.parts.place(self.state, at).peers[..],
                None => &[],
            });
        let beyond = move |last: Option<RegionId>| {
            let next = |peers: &&[(RegionId, u32)]| {
                peers.iter().map(|(region, _)| *region).find(|region| Some(*region) > last)
            };
            places.iter().filter_map(next).min()
        };
        std::iter::successors(beyond(None), move |last| beyond(Some(*last)))
    }

    fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        self.parts.peer(self.state, self.parts.store_place(store)?, region)
    }

    fn replicas(&self, region: RegionId) -> impl Iterator<Item = (StoreId, &Peer)> + '_ {
        self.replicas_of(region)
    }

    fn ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        let place = self.parts.store_place(store);
        place.into_iter().flat_map(|at| self.parts.meta(self.state, at).ranges.iter().cloned())
    }

    fn held(&self) -> &[Held] {
        &self.rest().held
    }

    fn parked(&self, store: StoreId) -> &[Held] {
        self.parts.store_place(store).map_or(&[], |at| &self.parts.meta(self.state, at).parked)
    }

    fn pd(&self) -> &PlacementDriver {
        self.parts.drivers.get(self.rest().pd)
    }
}
