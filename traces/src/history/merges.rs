//! Regions that a merge ends: the data that they hand over.

use super::summary::ClusterSummary;
use super::{Fold, Write};
use crate::cluster::Cluster;
use crate::command::Command;
use crate::peer::Peer;
use crate::region::{Key, RegionId, StoreId};

impl Fold<'_> {
    /// If `target` has just applied a `CommitMerge` on `store`, records all that the source held
    /// there, at the index of the `CommitMerge`.
    ///
    /// It counts as known to a client, as the data of a split does. The source had applied it,
    /// every replica of the source holds the same at its end, and every replica of the target shows
    /// it from that index on. A record of a key from an earlier time in the target is older.
    pub(super) fn merges(
        &mut self,
        target: RegionId,
        store: StoreId,
        before: &impl Cluster,
        after: &impl Cluster,
    ) {
        let (Some(was), Some(now)) = (before.peer(store, target), after.peer(store, target)) else { return };
        let index = was.applied + 1;
        let Some(entry) = was.log.entry(index) else { return };
        let Some(Command::CommitMerge { source, .. }) = &entry.command else { return };
        let ended = after.peer(store, source.id).is_some_and(Peer::is_merged_away);
        let Some(held) = before.peer(store, source.id).filter(|held| held.is_initialized() && ended) else {
            return;
        };
        let of_source = &self.region(source.id).writes;
        let deleted = of_source.keys().filter(|key| !held.data.contains_key(*key));
        let keys: Vec<Key> = held.data.keys().chain(deleted).cloned().collect();
        for key in keys {
            let last =
                self.region(source.id).writes.get(&key).and_then(|writes| writes.shown_at(held.applied));
            let version = last.map_or(held.region.epoch.version, |write| write.version);
            let value = held.data.get(&key).cloned();
            let write = Write { index, term: entry.term, version, value };
            self.acknowledge(target, &key, write, now.term);
        }
    }
}

/// Whether some store has merged the region into another, so that it ends everywhere.
pub(super) fn is_merged_away(cluster: &impl ClusterSummary, region: RegionId) -> bool {
    cluster.summaries(region).any(|peer| peer.merged_away)
}
