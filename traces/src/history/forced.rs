//! What remains of a cluster after an administrator gave up some stores.
//!
//! By naming a store to `unsafe remove-failed-stores` the administrator promises that it never
//! comes back. Its peers are not destroyed. If they do come back they may elect, commit and answer
//! as before: no rule prevents it, and nothing is promised for them. The properties hold for the
//! other stores.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Acknowledged, ClusterSummary, Fold, History, PeerStep, RegionHistory, Write};
use crate::action::Action;
use crate::cluster::Cluster;
use crate::message::Held;
use crate::pd::{PlacementDriver, StoreState};
use crate::peer::{Peer, Role};
use crate::recovery::PlanUnderWay;
use crate::region::{Key, Region, RegionId, StoreId};
use crate::view::{RangeEntry, StoreStatus};

/// A cluster without the peers of some stores. Their disks count as lost.
pub struct Remaining<'a, C> {
    cluster: &'a C,
    abandoned: &'a BTreeSet<StoreId>,
}

impl<'a, C: Cluster> Remaining<'a, C> {
    /// `cluster` without those stores.
    pub fn of(cluster: &'a C, abandoned: &'a BTreeSet<StoreId>) -> Self {
        Self { cluster, abandoned }
    }
}

impl<C: Cluster> Cluster for Remaining<'_, C> {
    fn stores(&self) -> impl Iterator<Item = (StoreId, StoreStatus)> + '_ {
        self.cluster.stores().map(|(store, status)| match self.abandoned.contains(&store) {
            true => (store, StoreStatus::DiskLost),
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

    fn pending_ranges(&self, store: StoreId) -> impl Iterator<Item = RangeEntry> + '_ {
        self.cluster.pending_ranges(store).filter(move |_| !self.abandoned.contains(&store))
    }

    fn held(&self) -> &[Held] {
        self.cluster.held()
    }

    fn pending_messages(&self, store: StoreId) -> &[Held] {
        if self.abandoned.contains(&store) { &[] } else { self.cluster.pending_messages(store) }
    }

    fn recovery_plan(&self, store: StoreId) -> Option<PlanUnderWay> {
        self.cluster.recovery_plan(store).filter(|_| !self.abandoned.contains(&store))
    }

    fn pd(&self) -> &PlacementDriver {
        self.cluster.pd()
    }

    fn believed(&self) -> impl Iterator<Item = &Region> + '_ {
        self.cluster.believed()
    }

    fn departed(&self) -> impl Iterator<Item = StoreId> + '_ {
        self.cluster.departed()
    }
}

impl<C: ClusterSummary> ClusterSummary for Remaining<'_, C> {
    fn shares_store(&self, after: &Self, store: StoreId) -> bool {
        self.cluster.shares_store(after.cluster, store)
    }

    fn shares_pd(&self, after: &Self) -> bool {
        self.cluster.shares_pd(after.cluster)
    }
}

/// The regions whose history starts again with this step: those that get a forced leader, and their
/// merge sources. What was known of them before may have been known only on the failed stores. A
/// region that still has a majority is judged as before.
pub(super) fn begins(
    abandoned: &BTreeSet<StoreId>,
    before: &impl Cluster,
    action: &Action,
    after: &impl Cluster,
) -> BTreeSet<RegionId> {
    let touched = action.touched(before);
    let leads = |peer: &&Peer| peer.is_by_force() && peer.role == Role::Leader;
    let mut begins = BTreeSet::new();
    for store in touched.stores() {
        let regions = touched.region.into_iter().chain(after.regions_on(store));
        for region in regions {
            let was = before.peer(store, region);
            let Some(is) = after.peer(store, region).filter(leads) else { continue };
            if was.is_some_and(|was| leads(&was) && was.term == is.term) {
                continue;
            }
            begins.extend(is.log.merged_after(was.map_or(0, |was| was.commit)));
            begins.insert(region);
        }
    }
    begins.retain(|region| !has_majority_left(abandoned, before, *region));
    begins
}

/// Whether the remaining stores have a majority of the newest configuration that they know.
fn has_majority_left(abandoned: &BTreeSet<StoreId>, left: &impl Cluster, region: RegionId) -> bool {
    let metas = left.replicas(region).map(|(_, peer)| &peer.region).filter(|meta| !meta.peers.is_empty());
    let newest = metas.max_by_key(|meta| (meta.epoch.version, meta.epoch.conf_ver));
    newest.is_some_and(|meta| {
        meta.has_quorum(|id| meta.member(id).is_some_and(|member| !abandoned.contains(&member.store)))
    })
}

impl History {
    /// The history of a cluster without these stores: nothing that they do from now on counts.
    pub(super) fn without(
        &self,
        stores: &[StoreId],
        action: &Action,
        before: &impl Cluster,
        after: &impl Cluster,
    ) -> Cow<'_, Self> {
        let mut next = self.clone();
        next.abandoned.extend(stores.iter().filter(|store| !has_left(before, **store)));
        let mut fold = Fold::of(Cow::Owned(next));
        if self.parts.pd {
            fold.pd(action, before.pd(), after.pd());
        }
        fold.finish()
    }

    /// The history in which these regions start again from what the remaining stores know.
    pub(super) fn begun_anew(&self, regions: &BTreeSet<RegionId>, left: &impl Cluster) -> Self {
        let mut fold = Fold::of(Cow::Borrowed(self));
        for &region in regions {
            let past = fold.past_mut().regions.remove(&region).unwrap_or_default();
            for (store, peer) in left.replicas(region) {
                fold.peer(&PeerStep::born(region, store, peer), left);
            }
            // What the remaining stores did themselves was not lost. A source without remaining
            // peer and record gets no entry.
            let is_left = |store: StoreId| !self.abandoned.contains(&store);
            for (store, ended) in past.destroyed.iter().filter(|(store, _)| is_left(**store)) {
                fold.region_mut(region).destroyed.entry(*store).or_insert(*ended);
            }
            for (term, winner) in past.leaders.iter().filter(|(_, winner)| is_left(winner.store)) {
                fold.region_mut(region).leaders.entry(*term).or_insert(*winner);
            }
            if self.parts.writes {
                fold.still_owed(region, &past, left);
            }
        }
        fold.finish().into_owned()
    }
}

/// A Tombstone store has left, or was given up before.
fn has_left(before: &impl Cluster, store: StoreId) -> bool {
    before.pd().stores.get(&store).is_some_and(|known| known.state == StoreState::Tombstone)
}

impl Fold<'_> {
    /// The writes of `region` that remain owed: those that a remaining peer had applied or knew to
    /// be committed. They count as known to a client, whether or not one got a response.
    fn still_owed(&mut self, region: RegionId, past: &RegionHistory, left: &impl Cluster) {
        for (_, peer) in left.replicas(region).filter(|(_, peer)| peer.is_initialized()) {
            let keys = peer.data.keys().chain(past.writes.keys()).chain(self.region(region).writes.keys());
            let keys: BTreeSet<Key> = keys.filter(|key| peer.region.contains(key)).cloned().collect();
            for key in keys {
                if let Some(Acknowledged { write, known_in }) = self.owed_by(region, peer, &key, past) {
                    self.acknowledge(region, &key, write, known_in);
                }
            }
        }
    }

    /// The last write of `key` that `peer` has applied or knows to be owed.
    fn owed_by(
        &self,
        region: RegionId,
        peer: &Peer,
        key: &Key,
        past: &RegionHistory,
    ) -> Option<Acknowledged> {
        let (past, new) = (past.writes.get(key), self.region(region).writes.get(key));
        let acknowledged = past.and_then(|writes| writes.acknowledged.as_ref());
        let acknowledged = acknowledged.filter(|known| known.write.index <= peer.commit);
        let shown = [past, new].map(|writes| writes.and_then(|writes| writes.shown_at(peer.applied)));
        let shown = shown.into_iter().flatten().max_by_key(|write| write.index);
        if let Some(known) =
            acknowledged.filter(|known| shown.is_none_or(|write| write.index <= known.write.index))
        {
            return Some(known.clone());
        }
        // It is older than the last write that a client knows, and the log behind it is truncated.
        let discarded = || {
            let value = Some(peer.data.get(key)?.clone());
            let at = peer.log.truncated;
            Some(Write { index: at.index, term: at.term, version: peer.region.epoch.version, value })
        };
        let write = shown.cloned().or_else(discarded)?;
        Some(Acknowledged { write, known_in: peer.term })
    }
}
