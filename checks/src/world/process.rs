//! The process of a store: crash, restart, and the loss of its disk.

use rollcall_impl::{Guards, MemoryEngine, Replica, SyncedStore};
use rollcall_traces::{Reason, StoreId, StoreStatus};
use std::rc::Rc;

use super::World;

impl<G: Guards, R: Replica> World<G, R> {
    /// Stops the process, or the machine with the loss of what was not synced. The store is
    /// reopened from its engine at once, and its view is as it will restart.
    pub(super) fn crash(&mut self, store: StoreId) -> Result<(), Reason> {
        let at = self.up(store)?;
        self.forget_what_it_sends(store);
        let node = &mut self.nodes[at];
        node.status = StoreStatus::Down;
        let mut engine = node.store.take().expect("a running store is there").engine().clone();
        engine.lose_unsynced();
        let opened = self.open(store, engine);
        self.nodes[at].store = Some(Rc::new(opened));
        self.changed = true;
        Ok(())
    }

    pub(super) fn restart(&mut self, store: StoreId) -> Result<(), Reason> {
        let at = self.index_of(store).ok_or(Reason::StoreDown)?;
        let node = &mut self.nodes[at];
        match node.status {
            StoreStatus::Up => Err(Reason::StoreUp),
            StoreStatus::DiskLost => Err(Reason::StoreDown),
            StoreStatus::Down => {
                node.status = StoreStatus::Up;
                self.changed = true;
                Ok(())
            }
        }
    }

    pub(super) fn lose_disk(&mut self, store: StoreId) -> Result<(), Reason> {
        let at = self.index_of(store).ok_or(Reason::StoreDown)?;
        let node = &mut self.nodes[at];
        if node.status == StoreStatus::DiskLost {
            return Err(Reason::StoreDown);
        }
        node.status = StoreStatus::DiskLost;
        node.store = None;
        self.changed = true;
        self.forget_what_it_sends(store);
        Ok(())
    }

    pub(super) fn open(&self, id: StoreId, engine: MemoryEngine) -> SyncedStore<G, MemoryEngine, R> {
        let opened = SyncedStore::open_with(self.maker.clone(), id, self.config, self.guards, engine);
        opened.expect("what a store wrote it can read")
    }

    pub(super) fn forget_what_it_sends(&mut self, store: StoreId) {
        self.requests.retain(|kept| kept.candidate != store);
        self.timeouts.retain(|kept| kept.from.store != store);
    }
}
