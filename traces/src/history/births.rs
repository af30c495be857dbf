//! Regions created by a split: their initial data, and whether another replica may still be created
//! on a store that is behind.

use super::merges::is_merged_away;
use super::summary::{Claimant, ClusterSummary, RangeClaim};
use super::{Acknowledged, BIRTH, Fold, KeyWrites, Write, initialised};
use crate::cluster::Cluster;
use crate::message::Message;
use crate::peer::Peer;
use crate::region::{Key, KeyRange, Region, RegionId, StoreId};

impl Fold<'_> {
    /// Records the initial data of the regions that `parent` creates on `store`: all that the
    /// parent held of their keys, at the index at which they start.
    ///
    /// It counts as known to a client, even if no client got a response yet. The parent had applied
    /// it, so it was committed before the split. Every replica that applies the split holds the
    /// same, and every replica of the child starts with it or takes it from one that did. So none
    /// may ever show less.
    ///
    /// A slow leader of the parent answers its client when it applies the write itself. The child
    /// may have been created elsewhere long before, and may have newer writes. This raises no false
    /// alarm: such a write is recorded for the parent, for which only replicas count that have not
    /// applied the split. Nor is the write lost when the last of them applies the split, because
    /// the child started with it. A write after the split in the parent's log is skipped by every
    /// replica, so no client learns of it.
    ///
    /// A replica that is created later adds nothing. Its keys are recorded already, and all later
    /// writes follow them.
    pub(super) fn births(
        &mut self,
        parent: RegionId,
        store: StoreId,
        before: &impl Cluster,
        after: &impl Cluster,
    ) {
        let Some(parent) = before.peer(store, parent) else { return };
        for region in after.regions_on(store).filter(|region| *region != parent.region.id) {
            let Some(child) = born(before.peer(store, region), after.peer(store, region)) else { continue };
            let handed_over = self.handed_over(parent, &child.region);
            if !handed_over.is_empty() {
                self.region_mut(region).writes.extend(handed_over);
            }
        }
    }

    /// The parent's keys, deleted ones included, that now belong to the child and are not recorded
    /// for it.
    fn handed_over(&self, parent: &Peer, child: &Region) -> Vec<(Key, KeyWrites)> {
        let (of_parent, of_child) = (&self.region(parent.region.id).writes, &self.region(child.id).writes);
        let deleted = of_parent.keys().filter(|key| !parent.data.contains_key(*key));
        let keys = parent.data.keys().chain(deleted);
        keys.filter(|key| child.contains(key) && !of_child.contains_key(*key))
            .map(|key| {
                let last = of_parent.get(key).and_then(|writes| writes.shown_at(parent.applied));
                let version = last.map_or(parent.region.epoch.version, |write| write.version);
                let value = parent.data.get(key).cloned();
                let write = Write { index: BIRTH.index, term: BIRTH.term, version, value };
                let acknowledged = Some(Acknowledged { write, known_in: BIRTH.term });
                (key.clone(), KeyWrites { acknowledged, later: Vec::new() })
            })
            .collect()
    }

    /// A region accounts for a key while the range of one of its replicas contains the key. After a
    /// split only the child does. A region without an initialised replica keeps its record.
    pub(super) fn forget_writes(&mut self, region: RegionId, after: &impl ClusterSummary) {
        let writes = &self.region(region).writes;
        if writes.is_empty() || initialised(after, region).next().is_none() && !is_merged_away(after, region)
        {
            return;
        }
        let given_away = |key: &Key| initialised(after, region).all(|peer| !peer.extent.contains(key));
        if writes.keys().any(given_away) && !may_be_born(after, region) {
            self.region_mut(region).writes.retain(|key, _| !given_away(key));
        }
    }
}

/// The peer that a split created: initialised now, and not before.
pub(super) fn born<'a>(before: Option<&Peer>, after: Option<&'a Peer>) -> Option<&'a Peer> {
    let after = after.filter(|after| after.is_initialized())?;
    let was_there = before.is_some_and(|before| before.is_initialized() && before.id == after.id);
    (!was_there).then_some(after)
}

/// Whether a split may still create a replica of `region`. This needs the ancestor region, as it
/// was before the split, on some store. Its replicas may be slow, or removed without knowing it, or
/// a snapshot of it may be delayed or unapplied. An uninitialised peer counts only once one of
/// these gives it a region.
///
/// An ancestor is whatever overlaps the newest range of `region` under an older version: along the
/// owners of one key, versions only rise.
pub(super) fn may_be_born(cluster: &impl ClusterSummary, region: RegionId) -> bool {
    let metas = cluster.summaries(region).filter(|peer| peer.shows_epoch());
    let newest = metas.map(|peer| peer.into_owned().extent).max_by_key(|extent| extent.epoch.version);
    let is_ancestor = |version: u64, range: &KeyRange| {
        newest.as_ref().is_none_or(|newest| version < newest.epoch.version && range.overlaps(&newest.range))
    };
    let brings = |claim: &RangeClaim| match claim.by {
        Claimant::Peer | Claimant::Snapshot => is_ancestor(claim.version, &claim.range),
        Claimant::Tombstone | Claimant::MergedAway => false,
    };
    cluster.range_claims_of_others(region).any(|claim| brings(&claim))
        || cluster.held().iter().any(|held| match &held.message {
            Message::Snapshot(snapshot) => {
                let sent = &snapshot.region;
                sent.id != region && is_ancestor(sent.epoch.version, &sent.range())
            }
            _ => false,
        })
}

/// Whether the newest ranges of the regions cover every key.
pub(super) fn covers_every_key(cluster: &impl Cluster) -> bool {
    let newest = |region| {
        let initialised = |(_, peer): &(StoreId, &Peer)| peer.is_initialized();
        let metas = cluster.replicas(region).filter(initialised).map(|(_, peer)| &peer.region);
        metas.max_by_key(|meta| meta.epoch.version)
    };
    let mut from = Key::empty();
    loop {
        // A range that starts no later and ends further on. The search continues from its end.
        let further = |meta: &&Region| meta.contains(&from);
        let Some(meta) = cluster.regions().filter_map(newest).find(further) else { return false };
        if meta.end.is_empty() {
            return true;
        }
        from = meta.end.clone();
    }
}
