//! A state with the tables to which its numbers refer: a cluster, by the accessor trait. It can
//! record which parts are read (`engine::memo`).

use std::borrow::Cow;

use rollcall_traces::{
    Budgets, Cluster, ClusterSummary, Held, History, Member, Peer, PeerSummary, PlacementDriver,
    PlanUnderWay, RangeClaim, RangeEntry, Region, RegionId, Store, StoreId, StoreState, StoreStatus, View,
};

use crate::cluster::ClusterInScope;
use crate::engine::memo::{ReadTracker, Side, Slot, track};
use crate::engine::state::{InternTables, Rest, State, StoreMeta};

/// A state with the tables to which its numbers refer.
#[derive(Clone, Copy)]
pub struct StateRef<'a> {
    parts: &'a InternTables,
    state: &'a State,
    noted: Option<(&'a ReadTracker, Side)>,
}

impl InternTables {
    /// The state as a cluster.
    pub(crate) fn cluster<'a>(&'a self, state: &'a State) -> StateRef<'a> {
        StateRef::of(self, state, None)
    }

    /// The state as a cluster that records reads.
    pub(crate) fn tracked<'a>(
        &'a self,
        state: &'a State,
        noted: &'a ReadTracker,
        side: Side,
    ) -> StateRef<'a> {
        StateRef::of(self, state, Some((noted, side)))
    }
}

impl<'a> StateRef<'a> {
    /// The state as a cluster that records reads if there is a tracker.
    pub(crate) fn of(
        parts: &'a InternTables,
        state: &'a State,
        noted: Option<(&'a ReadTracker, Side)>,
    ) -> Self {
        Self { parts, state, noted }
    }

    fn track(&self, slot: impl Fn(Side) -> Slot) {
        if let Some((noted, side)) = self.noted {
            track(noted, slot(side));
        }
    }

    fn track_store(&self, at: usize) {
        self.track(|side| Slot::Store(side, at));
    }

    fn track_beside(&self, at: usize) {
        self.track(|side| match side {
            Side::Before => self.parts.region_slots.beside(at),
            Side::After => Slot::Store(side, at),
        });
    }

    fn track_beliefs(&self) {
        self.track(|side| match side {
            Side::Before => Slot::Believed,
            Side::After => Slot::Pd(side),
        });
    }

    fn track_peer(&self, at: usize, region: RegionId) {
        self.track(|side| match side {
            Side::Before => self.parts.region_slots.peer(at, region),
            Side::After => Slot::Store(side, at),
        });
    }

    /// What a store has besides its peers; the read is recorded.
    fn meta_of(&self, store: StoreId) -> Option<&'a StoreMeta> {
        let at = self.parts.store_place(store)?;
        self.track_beside(at);
        Some(self.parts.meta(self.state, at))
    }

    fn pd(&self) -> &'a PlacementDriver {
        self.parts.pds.get(self.rest().pd)
    }

    fn rest(&self) -> &'a Rest {
        self.parts.rest.get(self.state.rest)
    }
}

impl StateRef<'_> {
    /// A number for a store and its peers. Equal numbers from one model mean equal stores.
    /// Different numbers mean nothing.
    pub fn store_number(&self, store: StoreId) -> Option<usize> {
        Some(self.state.stores[self.parts.store_place(store)?] as usize)
    }

    /// The same for the placement driver.
    pub fn pd_number(&self) -> usize {
        self.rest().pd as usize
    }

    /// The readable form.
    pub fn view(&self) -> View {
        let store = |at: usize| {
            let place = self.parts.store(self.state, at);
            let StoreMeta { ranges, pending_messages, plan } = self.parts.metas.get(place.meta).clone();
            let peers = || self.parts.peers_on(self.state, at);
            let pending_ranges = peers().filter_map(|(_, peer)| RangeEntry::pending(peer)).collect();
            let peers = peers().map(|(region, peer)| (region, peer.clone())).collect();
            Store { status: place.status, peers, ranges, pending_ranges, pending_messages, plan }
        };
        let stores = self.parts.stores.iter().enumerate().map(|(at, id)| (*id, store(at))).collect();
        View { stores, held: self.held().to_vec(), pd: self.pd().clone() }
    }
}

impl Cluster for StateRef<'_> {
    fn stores(&self) -> impl Iterator<Item = (StoreId, StoreStatus)> + '_ {
        self.track(Slot::Statuses);
        let status = |at| self.parts.store(self.state, at).status;
        self.parts.stores.iter().enumerate().map(move |(at, id)| (*id, status(at)))
    }

    fn status(&self, store: StoreId) -> Option<StoreStatus> {
        let at = self.parts.store_place(store)?;
        self.track_beside(at);
        Some(self.parts.store(self.state, at).status)
    }

    fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        self.track(Slot::Regions);
        let beyond = move |last: Option<RegionId>| {
            let next = |at: usize| {
                let peers = self.parts.store(self.state, at).peers.iter();
                peers.map(|(region, _)| *region).find(|region| Some(*region) > last)
            };
            (0..self.parts.stores.len()).filter_map(next).min()
        };
        std::iter::successors(beyond(None), move |last| beyond(Some(*last)))
    }

    fn regions_on(&self, store: StoreId) -> impl Iterator<Item = RegionId> + '_ {
        let at = self.parts.store_place(store);
        at.iter().for_each(|at| self.track_store(*at));
        let peers = |at| self.parts.store(self.state, at).peers.iter();
        at.into_iter().flat_map(peers).map(|(region, _)| *region)
    }

    fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        let at = self.parts.store_place(store)?;
        self.track_peer(at, region);
        self.parts.peer(self.state, at, region)
    }

    fn replicas(&self, region: RegionId) -> impl Iterator<Item = (StoreId, &Peer)> + '_ {
        let peer = move |(at, store): (usize, &StoreId)| {
            self.track_peer(at, region);
            self.parts.peer(self.state, at, region).map(|peer| (*store, peer))
        };
        self.parts.stores.iter().enumerate().filter_map(peer)
    }

    fn ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        self.meta_of(store).into_iter().flat_map(|meta| meta.ranges.iter().cloned())
    }

    fn held(&self) -> &[Held] {
        self.track(Slot::Held);
        self.parts.held.get(self.rest().held)
    }

    fn pending_messages(&self, store: StoreId) -> &[Held] {
        self.meta_of(store).map_or(&[], |meta| &meta.pending_messages)
    }

    fn recovery_plan(&self, store: StoreId) -> Option<PlanUnderWay> {
        self.meta_of(store)?.plan
    }

    fn pd(&self) -> &PlacementDriver {
        self.track(Slot::Pd);
        self.pd()
    }

    fn believed(&self) -> impl Iterator<Item = &Region> + '_ {
        self.track_beliefs();
        self.pd().regions.values().map(|known| &known.region)
    }

    fn departed(&self) -> impl Iterator<Item = StoreId> + '_ {
        self.track_beliefs();
        let stores = self.pd().stores.iter();
        stores.filter(|(_, known)| known.state == StoreState::Tombstone).map(|(store, _)| *store)
    }
}

impl ClusterSummary for StateRef<'_> {
    fn summaries(&self, region: RegionId) -> impl Iterator<Item = Cow<'_, PeerSummary>> + '_ {
        // All at once, though the first may be enough: this keeps the number of slot sets of a
        // question small.
        for at in 0..self.parts.stores.len() {
            self.track(|side| match side {
                Side::Before => self.parts.region_slots.summary(at, region),
                Side::After => Slot::Store(side, at),
            });
        }
        (0..self.parts.stores.len()).filter_map(move |at| self.parts.summary(self.state, at, region))
    }

    fn range_claims(&self) -> impl Iterator<Item = Cow<'_, RangeClaim>> + '_ {
        for at in 0..self.parts.stores.len() {
            self.track(|side| match side {
                Side::Before => Slot::Claims(at),
                Side::After => Slot::Store(side, at),
            });
        }
        let claims = |at: usize| self.parts.claims(self.state, at).iter().map(Cow::Borrowed);
        (0..self.parts.stores.len()).flat_map(claims)
    }

    fn range_claims_of_others(&self, region: RegionId) -> impl Iterator<Item = Cow<'_, RangeClaim>> + '_ {
        // With a single region nothing is read.
        let is_alone = self.parts.region_slots.is_single() && self.parts.founded == [region];
        let claims = (!is_alone).then(|| self.range_claims());
        claims.into_iter().flatten().filter(move |claim| claim.region != region)
    }

    /// Only the comparison of the two sides is recorded.
    fn shares_store(&self, after: &Self, store: StoreId) -> bool {
        let Some(at) = self.parts.store_place(store) else { return false };
        self.track(|_| Slot::Moved(at));
        self.state.stores[at] == after.state.stores[at]
    }

    fn shares_pd(&self, after: &Self) -> bool {
        self.track(|_| Slot::PdMoved);
        self.rest().pd == after.rest().pd
    }
}

impl ClusterInScope for StateRef<'_> {
    fn store_at(&self, at: usize) -> StoreId {
        self.parts.stores[at]
    }

    fn founders(&self) -> impl Iterator<Item = &Member> + '_ {
        self.parts.founders.iter()
    }

    fn is_founded(&self, region: RegionId) -> bool {
        self.parts.founded.contains(&region)
    }

    fn replicas_wanted(&self) -> u64 {
        self.parts.replicas
    }

    fn history(&self) -> &History {
        self.track(|_| Slot::History);
        self.parts.history.get(self.state.history)
    }

    fn spent(&self) -> &Budgets {
        self.track(|_| Slot::Spent);
        self.parts.spent.get(self.rest().spent)
    }
}
