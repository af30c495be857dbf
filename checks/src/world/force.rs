//! What an administrator does to the disk of a stopped store.

use std::rc::Rc;

use rollcall_impl::{Guards, PeerState, Replica, ctl};
use rollcall_traces::{Reason, RegionId, StoreId, StoreStatus};

use super::{World, power};

impl<G: Guards, R: Replica> World<G, R> {
    /// tikv-ctl `tombstone`. Without force it asks the placement driver for the region. The disk is
    /// read first.
    pub(super) fn tombstone_peer(
        &mut self,
        region: RegionId,
        store: StoreId,
        force: bool,
    ) -> Result<(), Reason> {
        let at = self.index_of(store).ok_or(Reason::StoreDown)?;
        match self.nodes[at].status {
            StoreStatus::Up => return Err(Reason::StoreUp),
            StoreStatus::DiskLost => return Err(Reason::StoreDown),
            StoreStatus::Down => {}
        }
        let peer = self
            .status(at, region)
            .filter(|peer| matches!(peer.state(), PeerState::Normal | PeerState::Merging));
        peer.ok_or(Reason::RegionNotFound)?;
        let known = if force { None } else { Some(self.known(region)?.clone()) };
        let stopped = self.nodes[at].store.take().expect("its disk is there");
        let mut engine = stopped.engine().clone();
        let done = ctl::tombstone_peer(&mut engine, self.guards, store, region, known.as_ref());
        self.nodes[at].store = Some(Rc::new(self.open(store, engine)));
        done.map_err(power::refused)?;
        self.changed = true;
        Ok(())
    }
}
