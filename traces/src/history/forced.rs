//! What is left of a cluster once an administrator has given up some stores.
//!
//! Whoever names a store to `unsafe remove-failed-stores` says that it will
//! never be back. Its peers are not destroyed by that, and if they come back
//! they may elect, commit and answer as they did before: no rule prevents it,
//! and nothing is promised of them. What is promised holds of the others.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Fold, History, Step};
use crate::cluster::Cluster;
use crate::driver::PlacementDriver;
use crate::region::{RegionId, StoreId};
use crate::view::{Held, Peer, RangeEntry, StoreStatus};

/// A cluster without the peers of some stores, whose disks it takes for gone.
pub struct Remaining<'a, C> {
    cluster: &'a C,
    abandoned: &'a BTreeSet<StoreId>,
}

impl<'a, C: Cluster> Remaining<'a, C> {
    /// What is left of `cluster` without those stores.
    pub fn of(cluster: &'a C, abandoned: &'a BTreeSet<StoreId>) -> Self {
        Self { cluster, abandoned }
    }
}

impl<C: Cluster> Cluster for Remaining<'_, C> {
    fn stores(&self) -> impl Iterator<Item = (StoreId, StoreStatus)> + '_ {
        self.cluster.stores().map(|(store, status)| match self.abandoned.contains(&store) {
            true => (store, StoreStatus::Destroyed),
            false => (store, status),
        })
    }

    fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        self.cluster.regions().filter(|region| self.replicas(*region).next().is_some())
    }

    fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        self.cluster.peer(store, region).filter(|_| !self.abandoned.contains(&store))
    }

    fn ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        self.cluster.ranges(store).filter(move |_| !self.abandoned.contains(&store))
    }

    fn held(&self) -> &[Held] {
        self.cluster.held()
    }

    fn parked(&self, store: StoreId) -> &[Held] {
        if self.abandoned.contains(&store) { &[] } else { self.cluster.parked(store) }
    }

    fn pd(&self) -> &PlacementDriver {
        self.cluster.pd()
    }
}

impl History {
    /// Takes in a recovery by force. A region of which a remaining peer has
    /// moved was led by force, or nearly so: what was known of it before may
    /// have been known to those alone that were given up.
    pub(super) fn forced(
        &self,
        stores: &[StoreId],
        before: &impl Cluster,
        after: &impl Cluster,
    ) -> Cow<'_, Self> {
        let mut next = self.clone();
        next.abandoned.extend(stores);
        let abandoned = next.abandoned.clone();
        let mut fold = Fold::of(Cow::Owned(next));
        if self.parts.driver {
            fold.driver(
                &crate::action::Action::UnsafeRecover { stores: stores.to_vec() },
                before.pd(),
                after.pd(),
            );
        }
        let left = Remaining::of(after, &abandoned);
        for region in left.regions() {
            let moved = left.replicas(region).any(|(store, peer)| before.peer(store, region) != Some(peer));
            if moved {
                fold.past_mut().regions.remove(&region);
                for (store, peer) in left.replicas(region) {
                    fold.peer(&Step::born(region, store, peer), &left);
                }
            }
            fold.forget(region, &left);
        }
        fold.finish()
    }
}
