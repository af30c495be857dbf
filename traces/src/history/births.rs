//! Regions that a split brings: what they begin with, and whether one of them
//! may be born once more on a store that is behind.

use super::merges::is_merged_away;
use super::summary::{Claimant, ClusterSummary, RangeClaim};
use super::{Acknowledged, BIRTH, Fold, KeyWrites, Write, initialised};
use crate::cluster::Cluster;
use crate::message::Message;
use crate::peer::Peer;
use crate::region::{Key, KeyRange, Region, RegionId, StoreId};

impl Fold<'_> {
    /// Takes in what the regions begin with that `parent` brings on `store`:
    /// all that it held of their keys, under the index at which they begin.
    ///
    /// It counts as known to a client, and that is right even where nobody was
    /// answered yet. What the parent held there it had applied, so it was committed
    /// in front of the split; every replica that splits holds the same, every
    /// replica of the child begins with it or takes it from one that did, so
    /// none may ever show less. A leader of the parent that is slow tells its
    /// client when it has applied the write in turn; that may be long after the
    /// child was born elsewhere, and after newer writes there. It is no false
    /// alarm: such a write is remembered of the parent, for which only replicas
    /// answer that have not split yet. And it is not lost from sight when the
    /// last of those has split, for the child was born with it. A write that
    /// stands behind the split in the parent's log is skipped by every replica,
    /// so no client learns of it.
    ///
    /// A replica that is born later finds its keys here and adds none: what the
    /// first brought stands, and all that was written since stands behind it.
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

    /// What of the parent's keys is the child's and not remembered of it yet;
    /// keys that were deleted are among them.
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

    /// A region answers for a key as long as one of its replicas has the key in
    /// its range: after a split that is the child's business alone. A region of
    /// which no replica is initialised keeps what it owes.
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

/// The peer that a split brought: initialised now, and not before.
pub(super) fn born<'a>(before: Option<&Peer>, after: Option<&'a Peer>) -> Option<&'a Peer> {
    let after = after.filter(|after| after.is_initialized())?;
    let was_there = before.is_some_and(|before| before.is_initialized() && before.id == after.id);
    (!was_there).then_some(after)
}

/// Whether a split may still create a replica of `region`: somewhere there is
/// the region from which it was split off, as it was before. Its replicas may
/// be slow, or removed and not aware of it; a snapshot of it may wait, applied
/// or under way. An uninitialised peer brings nothing unless one of these
/// gives it a region first.
///
/// What overlaps the newest range of `region` under an older version is such
/// an ancestor: versions along the line of owners of one key only rise.
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

/// Whether the newest ranges of the regions leave no key out.
pub(super) fn covers_every_key(cluster: &impl Cluster) -> bool {
    let newest = |region| {
        let initialised = |(_, peer): &(StoreId, &Peer)| peer.is_initialized();
        let metas = cluster.replicas(region).filter(initialised).map(|(_, peer)| &peer.region);
        metas.max_by_key(|meta| meta.epoch.version)
    };
    let mut from = Key::empty();
    loop {
        // A range that begins no later and ends beyond: the search goes on behind it.
        let further = |meta: &&Region| meta.contains(&from);
        let Some(meta) = cluster.regions().filter_map(newest).find(further) else { return false };
        if meta.end.is_empty() {
            return true;
        }
        from = meta.end.clone();
    }
}
