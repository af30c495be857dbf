//! What only a simulator may do: set a leader's progress of one follower to a known state, so that
//! a round depends on the two logs alone and not on earlier losses.
//!
//! Not for production: raft-rs finds this progress by itself. Only for a store whose disk is in
//! memory; so is a store's copy.

use raft::eraftpb::MessageType;

use crate::error::{Error, Refusal};
use crate::guard::Guards;
use crate::proto::message::Message;
use crate::proto::region::{PeerId, RegionId};
use crate::raft_rs::replica::{AppendLimit, Replica};
use crate::storage::memory_engine::MemoryEngine;
use crate::store::input::Output;
use crate::store::step::{Failure, Gathered, StepContext};
use crate::store::synced_store::SyncedStore;

impl<G: Guards, R: Replica> SyncedStore<G, MemoryEngine, R> {
    /// Simulator only: the engine, to watch its calls or to let the power fail at one of them.
    pub fn engine_mut(&mut self) -> &mut MemoryEngine {
        &mut self.engine
    }

    /// Simulator only: the leader of `region` takes the log of `to` for matched up to before
    /// `next_index`, and sends the next message: an append, or a snapshot if its own log does not
    /// reach back.
    ///
    /// # Errors
    /// If the peer is not here, does not lead, or does not know `to`.
    pub fn probe(
        &mut self,
        region: RegionId,
        to: PeerId,
        next_index: u64,
        limit: AppendLimit,
    ) -> Result<Vec<Output>, Error> {
        self.as_leader(region, to, |peer, step| {
            let sent = peer.sent_snapshot;
            peer.node.probe(to, next_index, limit);
            peer.handle_ready(step, None);
            // A round may have no effect, and then nothing was sent.
            peer.sent_snapshot = sent;
            Ok(())
        })
    }

    /// Simulator only: the snapshot up to `index` that a probe of `to` made is in flight.
    ///
    /// # Errors
    /// If the peer is not here, does not lead, or does not know `to`.
    pub fn sent_snapshot(&mut self, region: RegionId, to: PeerId, index: u64) -> Result<(), Error> {
        let noted = self.as_leader(region, to, |peer, _| {
            peer.note_sent_snapshot(index);
            Ok(())
        });
        noted.map(drop)
    }

    /// Simulator only: the heartbeat that the leader of `region` would send to
    /// `to`, with or without the context of its pending read.
    ///
    /// # Errors
    /// If the peer is not here, does not lead, or does not know `to`.
    pub fn heartbeat(
        &mut self,
        region: RegionId,
        to: PeerId,
        with_read_context: bool,
    ) -> Result<Message, Error> {
        let outputs = self.as_leader(region, to, |peer, step| {
            peer.node.beat(to);
            peer.handle_ready(step, None);
            Ok(())
        })?;
        let beats = outputs.into_iter().filter_map(|output| match output {
            Output::Message(message) if message.to.id == to => Some(message),
            _ => None,
        });
        let mut beat = beats
            .into_iter()
            .find(|message| message.raft_type() == Some(MessageType::MsgHeartbeat))
            .ok_or(Error::Refused { region, store: self.id(), refusal: Refusal::NotInConfig })?;
        if let crate::proto::message::MessagePayload::Raft(raft) = &mut beat.payload
            && !with_read_context
        {
            raft.clear_context();
        }
        Ok(beat)
    }

    fn as_leader(
        &mut self,
        region: RegionId,
        to: PeerId,
        act: impl FnOnce(&mut crate::peer::Peer<R>, &mut StepContext<'_, G>) -> Result<(), Failure>,
    ) -> Result<Vec<Output>, Error> {
        let mut gathered = Gathered::default();
        let mut step = self.store.gather(&mut gathered);
        let result = self.store.live(region).map_err(Failure::from).and_then(|peer| {
            if !peer.is_leader() {
                return Err(Refusal::NotLeader.into());
            }
            if peer.node.matched_by(to).is_none() || to == peer.id {
                return Err(Refusal::NotInConfig.into());
            }
            act(peer, &mut step)
        });
        let effects = self.store.finish(region, result, gathered)?;
        if !self.store.config.late_persistence {
            return self.persist(effects);
        }
        Ok(self.write_late(effects)?.outputs())
    }
}
