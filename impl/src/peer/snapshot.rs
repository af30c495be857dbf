//! A region's state at one index, as raft sends it, and how the receiver handles it.
//!
//! An accepted snapshot is *staged*: term and vote are written, the rest waits for `ApplySnapshot`,
//! and a crash before that forgets it. Until then the peer handles no raft message (the catalogue's
//! row 1; TiKV handles no Ready meanwhile). Left out: sending in chunks.

use raft::eraftpb;

use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::peer::size::Size;
use crate::proto::position::Position;
use crate::proto::region::KeyRange;
use crate::proto::snapshot::{SnapshotBody, Staged};
use crate::raft_rs::log::Log;
use crate::raft_rs::replica::Replica;
use crate::storage::engine::{HardState, PeerState, Write};
use crate::store::ranges::Ranges;
use crate::store::step::{Failure, StepContext};

impl<R: Replica> Peer<R> {
    /// The content of a snapshot, if this peer may take it. The range must be free before raft sees
    /// it (`TiKV fsm/peer.rs check_snapshot`): raft's restore cannot be undone.
    pub(crate) fn check_snapshot<G: Guards>(
        &self,
        message: &eraftpb::Message,
        taken: &Ranges,
        step: &StepContext<'_, G>,
    ) -> Result<SnapshotBody, Failure> {
        if message.term < self.node.term() {
            return Err(Refusal::StaleTerm.into());
        }
        let body = SnapshotBody::decode(message.get_snapshot())?;
        if body.region.member(self.id).is_none() || self.misses_itself_in(&body.region, step.guards) {
            return Err(Refusal::NotInConfig.into());
        }
        let (range, version) = (body.region.range(), body.region.epoch.version);
        // A merge source that is still here is destroyed when the snapshot brings its range, so it
        // is no overlap. While this peer has unapplied entries it is one, because the `CommitMerge`
        // of that source may be among them.
        let storage = self.storage();
        let overlaps = if storage.applied == storage.hard.commit {
            taken.overlap_unmerged(self.region, version, &range)
        } else {
            taken.overlap(self.region, &range)
        };
        let overlaps = overlaps || taken.overlap_pending(self.region, &range);
        if overlaps && step.guards.holds(Guard::SnapshotChecksOverlap) {
            return Err(Refusal::SnapshotOverlap.into());
        }
        Ok(body)
    }

    /// The range of the snapshot that waits to be applied.
    pub(crate) fn pending_range(&self) -> Option<KeyRange> {
        self.staged.as_ref().map(|staged| staged.body.region.range())
    }

    /// Keeps an accepted snapshot for later. Term and vote become durable at once, its commit index
    /// does not.
    pub(crate) fn stage(&mut self, position: Position, body: SnapshotBody) {
        let (term, vote) = (self.node.term(), self.node.vote());
        let storage = self.node.storage_mut();
        let hard = HardState { term, vote, commit: storage.hard.commit };
        storage.set_hard(hard);
        self.staged = Some(Staged { position, body });
    }

    /// A staged snapshot becomes the peer's state.
    pub(crate) fn apply_snapshot<G: Guards>(&mut self, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        let Some(Staged { position, body }) = self.staged.take() else {
            return Err(Refusal::NoSnapshot.into());
        };
        if body.region.epoch.version != self.storage().region().epoch.version {
            self.drop_read(step);
        }
        self.size = Size::default();
        let storage = self.node.storage_mut();
        // A pending merge is over, because merging regions send no snapshot.
        storage.record.state = PeerState::Normal;
        storage.record.merge = None;
        storage.record.log_since = Some(body.region.epoch);
        storage.record.replaces_tombstone = false;
        storage.record.created_by = None;
        storage.record.region = body.region;
        storage.log = Log::new(position, Vec::new());
        storage.applied = position.index;
        storage.data = body.data;
        storage.revision += 1;
        step.batch.push(Write::Clear(self.region));
        step.batch.push(Write::Record(storage.record.clone()));
        for (key, value) in &storage.data {
            step.batch.push(Write::Put(self.region, key.clone(), value.clone()));
        }
        // The log was cleared with the rest.
        self.written = Default::default();
        let messages = self.node.take_snapshot();
        self.note_hard_state();
        for message in messages {
            self.send(message, step);
        }
        self.handle_ready(step, None);
        Ok(())
    }
}
