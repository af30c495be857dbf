//! The compact form of a cluster: small, canonical, cheap to copy and to hash.
//!
//! A [`State`] is a row of numbers, one for each peer and two for the rest; a
//! [`Parts`] keeps what they stand for. [`Seen`] puts the two together and
//! shows the cluster by the accessor trait.

use rollcall_traces::{
    Budgets, Cluster, Held, History, Member, Peer, PeerState, RangeEntry, Region, RegionId, Scope, Store,
    StoreId, StoreStatus, View,
};

use crate::intern::Interner;

/// The most peers (stores times regions) that a scope may have.
pub const SLOTS: usize = 14;

/// Nobody in that slot.
pub(crate) const ABSENT: u32 = 0;

/// One global state, as numbers of interned parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) peers: [u32; SLOTS],
    pub(crate) rest: u32,
    pub(crate) history: u32,
}

/// What a state holds beside its peers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rest {
    /// By place of the store in the scope.
    pub(crate) status: Vec<StoreStatus>,
    pub(crate) held: Vec<Held>,
    /// What was spent of each budget.
    pub(crate) spent: Budgets,
}

/// The parts that the numbers in a [`State`] stand for, and the places of
/// stores and regions.
pub(crate) struct Parts {
    pub(crate) stores: Vec<StoreId>,
    pub(crate) regions: Vec<RegionId>,
    /// The members that the regions began with.
    pub(crate) founders: Vec<Member>,
    pub(crate) peers: Interner<Option<Peer>>,
    pub(crate) rest: Interner<Rest>,
    pub(crate) history: Interner<History>,
}

impl Parts {
    pub(crate) fn new(scope: &Scope) -> Self {
        let parts = Self {
            stores: sorted(scope.stores.clone()),
            founders: scope.regions.iter().flat_map(|region| region.peers.iter().copied()).collect(),
            regions: sorted(scope.regions.iter().map(|region| region.id).collect()),
            peers: Interner::new(),
            rest: Interner::new(),
            history: Interner::new(),
        };
        let absent = parts.peers.intern(None);
        assert_eq!(absent, ABSENT);
        parts
    }

    pub(crate) fn store_place(&self, store: StoreId) -> Option<usize> {
        self.stores.iter().position(|id| *id == store)
    }

    pub(crate) fn slot(&self, store: StoreId, region: RegionId) -> Option<usize> {
        let region = self.regions.iter().position(|id| *id == region)?;
        Some(region * self.stores.len() + self.store_place(store)?)
    }

    pub(crate) fn peer(&self, state: &State, slot: usize) -> Option<&Peer> {
        self.peers.get(state.peers[slot]).as_ref()
    }

    /// The compact form of a view: nothing spent, nothing remembered. `None`
    /// where the view has a store or a region that the parts do not.
    pub(crate) fn state_of(&self, view: &View) -> Option<State> {
        let mut peers = [ABSENT; SLOTS];
        let mut status = vec![StoreStatus::Up; self.stores.len()];
        for (store, seen) in &view.stores {
            status[self.store_place(*store)?] = seen.status;
            for (region, peer) in &seen.peers {
                peers[self.slot(*store, *region)?] = self.peers.intern(Some(peer.clone()));
            }
        }
        let rest = Rest { status, held: view.held.clone(), spent: Budgets::default() };
        Some(State { peers, rest: self.rest.intern(rest), history: self.history.intern(History::default()) })
    }

    pub(crate) fn seen<'a>(&'a self, state: &'a State) -> Seen<'a> {
        Seen { parts: self, state }
    }
}

fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A state together with what its numbers stand for.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    parts: &'a Parts,
    state: &'a State,
}

impl Seen<'_> {
    /// The readable form.
    pub fn view(&self) -> View {
        let stores = self
            .stores()
            .map(|(id, status)| {
                let peers = self
                    .parts
                    .regions
                    .iter()
                    .filter_map(|region| self.peer(id, *region).map(|peer| (*region, peer.clone())))
                    .collect();
                (id, Store { status, peers, ranges: self.ranges(id).collect() })
            })
            .collect();
        View { stores, held: self.held().to_vec() }
    }

    /// The members that the regions began with, in their first roles.
    pub fn founders(&self) -> &[Member] {
        &self.parts.founders
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
        self.parts.stores.iter().copied().zip(self.rest().status.iter().copied())
    }

    fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        self.parts.regions.iter().copied()
    }

    fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        self.parts.peer(self.state, self.parts.slot(store, region)?)
    }

    fn ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        let mut ranges: Vec<_> = self
            .parts
            .regions
            .iter()
            .filter_map(|region| self.peer(store, *region))
            .filter(|peer| peer.state == PeerState::Normal)
            .map(|peer| range_of(&peer.region))
            .collect();
        ranges.sort_by(|a, b| a.start.cmp(&b.start));
        ranges.into_iter()
    }

    fn held(&self) -> &[Held] {
        &self.rest().held
    }
}

fn range_of(region: &Region) -> RangeEntry {
    RangeEntry { start: region.start.clone(), end: region.end.clone(), region: region.id }
}
