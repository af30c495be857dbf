//! Late persistence: steps write, and the disk is done when the model says so.
//!
//! The stores' own [`Effects`](rollcall_impl::Effects) say which messages may leave early. A delivered
//! or delayed reply makes its store durable first. Messages that may not be sent yet are refused. Rules
//! and reasons are in `model/src/rules/persist.rs`.

use rollcall_impl::{
    Error, Guards, Input, MemoryEngine, Message, Output, Persisted, Replica, SyncedStore, Ticket,
};
use rollcall_traces::{Durable, Peer, Reason, RegionId, Reply, StoreId};

use super::{World, convert};

/// What the last step handed out.
#[derive(Clone, Default)]
pub(super) struct Handed {
    /// The messages that may leave before its batch is durable.
    early: Vec<Message>,
    /// The batch that the others wait for.
    pub(super) ticket: Ticket,
}

impl<G: Guards, R: Replica> World<G, R> {
    /// Whether what a step writes is durable later.
    pub(super) fn is_late(&self) -> bool {
        self.config.late_persistence
    }

    /// `Persist`.
    pub(super) fn persist(&mut self, store: StoreId) -> Result<(), Reason> {
        let node = self.up(store)?;
        self.sync(node);
        Ok(())
    }

    /// Takes a step. What changes who a peer is, and what takes effect, is durable at once.
    pub(super) fn step_late(
        &mut self,
        node: usize,
        region: RegionId,
        input: Input,
    ) -> Result<Vec<Output>, Error> {
        let takes_effect = matches!(input, Input::Apply { .. } | Input::ApplySnapshot { .. });
        let unsynced = self.touch(node, region).step_late(input)?;
        self.handed = Handed { early: unsynced.messages.clone(), ticket: unsynced.ticket };
        if takes_effect || unsynced.changes_record {
            while self.has_unsynced(node) {
                self.sync(node);
            }
        }
        Ok(unsynced.outputs())
    }

    fn has_unsynced(&self, node: usize) -> bool {
        self.nodes[node].store.as_ref().is_some_and(|store| store.engine().has_unsynced())
    }

    /// What the store wrote is durable. What it hands out because of that belongs to no round.
    pub(super) fn sync(&mut self, node: usize) {
        if !self.is_late() || !self.has_unsynced(node) {
            return;
        }
        self.changed = true;
        let regions: Vec<RegionId> =
            self.nodes[node].store.iter().flat_map(|store| store.regions()).collect();
        for region in regions.iter().skip(1) {
            self.touch(node, *region);
        }
        let region = *regions.first().expect("something was written of a region");
        let synced = self.touch(node, region).sync().expect("a disk in memory does not fail");
        let ticket = synced.ticket;
        self.absorb(&synced.outputs(), ticket);
    }

    /// A reply of the store leaves.
    pub(super) fn before_reply(&mut self, node: usize, replied: &Message, reply: Reply) {
        if reply != Reply::Dropped && !self.handed.early.contains(replied) {
            self.sync(node);
        }
    }

    /// A leader's messages wait for the batch with which it became leader.
    pub(super) fn check_leads_durably(&self, node: usize, region: RegionId) -> Result<(), Reason> {
        let store = self.nodes[node].store.as_ref();
        let may_send = !self.is_late() || store.is_some_and(|store| store.leads_durably(region));
        if may_send { Ok(()) } else { Err(Reason::NotPersisted) }
    }

    /// Whether what was written up to the ticket is durable.
    pub(super) fn check_durable(&self, node: usize, ticket: Ticket) -> Result<(), Reason> {
        let store = self.nodes[node].store.as_ref();
        if store.is_some_and(|store| store.is_durable(ticket)) { Ok(()) } else { Err(Reason::NotPersisted) }
    }

    /// What a crash would leave of a peer, where that is not all of it.
    pub(super) fn durable<'a>(
        &self,
        store: &'a SyncedStore<G, MemoryEngine, R>,
        region: RegionId,
    ) -> Option<&'a Persisted> {
        if self.is_late() { store.durable(region) } else { None }
    }

    /// Whether that is what is expected.
    pub(super) fn same_durable(
        &self,
        store: &SyncedStore<G, MemoryEngine, R>,
        region: RegionId,
        peer: &Peer,
    ) -> bool {
        match (self.durable(store, region), &peer.durable) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => shown(ours) == **theirs,
            _ => false,
        }
    }
}

/// In the words of the dictionary.
pub(super) fn shown(durable: &Persisted) -> Durable {
    Durable {
        term: durable.hard_state.term,
        vote: durable.hard_state.vote,
        log: convert::log(durable.apply_state.truncated, &durable.entries),
        commit: durable.hard_state.commit,
        applied: durable.apply_state.applied,
        data: convert::data(&durable.data),
    }
}
