//! A peer of the implementation in the dictionary's types.

use super::{World, convert, persist};
use rollcall_impl::{Guards, MemoryEngine, Replica, StateRole, SyncedStore};
use rollcall_traces::{Peer, RegionId, StoreId};

impl<G: Guards, R: Replica> World<G, R> {
    /// The peer or tombstone of `region` on `store`.
    pub fn peer(&self, store: StoreId, region: RegionId) -> Option<Peer> {
        let stored = self.nodes[self.index_of(store)?].store.as_ref()?;
        match stored.peer(region) {
            Some(status) => {
                let merged_into = stored.merged_elsewhere_into(region);
                let peer = convert::peer(status, self.timeout_now(region, store).is_some(), merged_into);
                let durable = self.durable(stored, region).map(|durable| Box::new(persist::shown(durable)));
                let mut peer = Peer { synced_commit: self.synced_commit(stored, region), durable, ..peer };
                if let Some(leading) = peer.leading.as_mut().filter(|_| !self.reports_commits()) {
                    leading.committed.clear();
                }
                Some(peer)
            }
            None => stored.tombstone(region).map(convert::tombstone),
        }
    }

    /// The commit index that a crash would leave, in a scope whose crashes lose unsynced commits.
    pub(super) fn synced_commit(
        &self,
        store: &SyncedStore<G, MemoryEngine, R>,
        region: RegionId,
    ) -> Option<u64> {
        if self.config.unsynced_commits { store.synced_commit(region) } else { None }
    }

    /// Whether a view shows the commit indexes that a leader knows of others.
    pub(super) fn reports_commits(&self) -> bool {
        R::HAS_INNARDS && self.scope.as_ref().is_some_and(|scope| scope.reports_commits())
    }

    /// The sum of the commit indexes that the peer of `region` knows of others. While its mark is
    /// the same, each of them only rises.
    pub(super) fn known_commits(&self, node: usize, region: RegionId) -> u64 {
        let leader = self.status(node, region).filter(|status| status.role() == StateRole::Leader);
        let reporting = leader.filter(|_| self.reports_commits());
        reporting.map_or(0, |status| status.committed().map(|(_, index)| index).sum())
    }
}
