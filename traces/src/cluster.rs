//! The trait by which properties read a cluster.
//!
//! [`View`] implements it, and so does the model's compact state. A property is written once and
//! judges both model states and implementation runs.

use crate::message::Held;
use crate::pd::{PlacementDriver, StoreState};
use crate::peer::Peer;
use crate::recovery::PlanUnderWay;
use crate::region::{Region, RegionId, StoreId};
use crate::view::{RangeEntry, StoreStatus, View};

/// Read access to a cluster.
pub trait Cluster {
    /// The stores with their status, by id.
    fn stores(&self) -> impl Iterator<Item = (StoreId, StoreStatus)> + '_;
    /// The status of the store.
    fn status(&self, store: StoreId) -> Option<StoreStatus> {
        self.stores().find(|(id, _)| *id == store).map(|(_, status)| status)
    }
    /// The regions with a peer or tombstone on any store, by id.
    fn regions(&self) -> impl Iterator<Item = RegionId> + '_;
    /// The peer or tombstone of `region` on `store`.
    fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer>;
    /// The store's index from key range to region, in key order.
    fn ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_;
    /// The ranges of received snapshots that the store has not applied, by region.
    fn pending_ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        self.regions_on(store).filter_map(move |region| RangeEntry::pending(self.peer(store, region)?))
    }
    /// The delayed messages, oldest first.
    fn held(&self) -> &[Held];
    /// The store's pending first messages, oldest first.
    fn pending_messages(&self, store: StoreId) -> &[Held];
    /// The unsafe recovery plan that the store is executing.
    fn recovery_plan(&self, store: StoreId) -> Option<PlanUnderWay>;
    /// The placement driver.
    fn pd(&self) -> &PlacementDriver;

    /// The regions with a peer or tombstone on the store, by id.
    fn regions_on(&self, store: StoreId) -> impl Iterator<Item = RegionId> + '_ {
        self.regions().filter(move |region| self.peer(store, *region).is_some())
    }

    /// The regions in PD's view.
    fn believed(&self) -> impl Iterator<Item = &Region> + '_ {
        self.pd().regions.values().map(|known| &known.region)
    }

    /// The stores that are Tombstone in PD's record.
    fn departed(&self) -> impl Iterator<Item = StoreId> + '_ {
        let stores = self.pd().stores.iter();
        stores.filter(|(_, known)| known.state == StoreState::Tombstone).map(|(store, _)| *store)
    }

    /// Every peer or tombstone of `region`, by store.
    fn replicas(&self, region: RegionId) -> impl Iterator<Item = (StoreId, &Peer)> + '_ {
        self.stores().filter_map(move |(store, _)| self.peer(store, region).map(|peer| (store, peer)))
    }
}

impl Cluster for View {
    fn stores(&self) -> impl Iterator<Item = (StoreId, StoreStatus)> + '_ {
        self.stores.iter().map(|(id, store)| (*id, store.status))
    }

    fn status(&self, store: StoreId) -> Option<StoreStatus> {
        self.stores.get(&store).map(|store| store.status)
    }

    fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        let ids: std::collections::BTreeSet<_> =
            self.stores.values().flat_map(|store| store.peers.keys().copied()).collect();
        ids.into_iter()
    }

    fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        self.stores.get(&store)?.peers.get(&region)
    }

    fn ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        self.stores.get(&store).into_iter().flat_map(|store| store.ranges.iter().cloned())
    }

    fn pending_ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        self.stores.get(&store).into_iter().flat_map(|store| store.pending_ranges.iter().cloned())
    }

    fn held(&self) -> &[Held] {
        &self.held
    }

    fn pending_messages(&self, store: StoreId) -> &[Held] {
        self.stores.get(&store).map_or(&[], |store| &store.pending_messages)
    }

    fn recovery_plan(&self, store: StoreId) -> Option<PlanUnderWay> {
        self.stores.get(&store)?.plan
    }

    fn pd(&self) -> &PlacementDriver {
        &self.pd
    }
}
