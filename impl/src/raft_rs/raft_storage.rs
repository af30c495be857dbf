//! What one peer has persisted, as raft reads it.
//!
//! One struct inside the `RawNode` owns log, hard state, applied index, region and data. So a
//! snapshot that raft requests during a step is consistent. The peer writes all changes of a step
//! in its one batch. Follows raft-rs `storage.rs` for the errors that raft expects.

use std::collections::BTreeMap;

use raft::eraftpb::{self, ConfState, Entry};
use raft::{GetEntriesContext, RaftState, StorageError, util::limit_size};

use crate::proto::command::Payload;
use crate::proto::position::Position;
use crate::proto::region::{Key, Region, Value};
use crate::proto::snapshot::SnapshotBody;
use crate::raft_rs::log::Log;
use crate::storage::engine::{ApplyState, HardState, PeerRecord, PeerState, Persisted};

/// One peer's persistent state: its log, hard state, region and data. A raft library reads it as a
/// [`raft::Storage`].
#[derive(Clone, Debug)]
pub struct PeerStorage {
    pub(crate) record: PeerRecord,
    pub(crate) hard: HardState,
    pub(crate) applied: u64,
    pub(crate) log: Log,
    pub(crate) data: BTreeMap<Key, Value>,
    /// Increases with every change.
    pub(crate) revision: u64,
    /// Whether the log checks its bounds (row 27).
    pub(crate) bounds_checked: bool,
    /// Whether raft gets both halves of a joint configuration, instead of their union.
    pub(crate) both_halves: bool,
}

impl PeerStorage {
    /// The state that was loaded from an engine.
    pub(crate) fn new(persisted: Persisted, bounds_checked: bool, both_halves: bool) -> Self {
        Self {
            record: persisted.record,
            hard: persisted.hard_state,
            applied: persisted.apply_state.applied,
            log: Log::new(persisted.apply_state.truncated, persisted.entries),
            data: persisted.data,
            revision: 0,
            bounds_checked,
            both_halves,
        }
    }

    /// The applied index.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The term of the entry at `index`, including the last truncated one.
    pub fn term_of(&self, index: u64) -> Option<u64> {
        self.log.term(index)
    }

    /// The last truncated entry.
    pub fn truncated(&self) -> Position {
        self.log.truncated()
    }

    /// The last entry; the last truncated one if there is no other.
    pub fn log_end(&self) -> Position {
        let index = self.log.last_index();
        Position { index, term: self.log.term(index).unwrap_or_default() }
    }

    /// Appends entries, after discarding all from the first one's index on.
    ///
    /// # Panics
    /// If they leave a gap after the log.
    pub fn append(&mut self, entries: &[Entry]) {
        self.log.append(entries);
        self.revision += 1;
    }

    /// The entries with their content.
    pub fn entries_and_payloads(&self) -> impl ExactSizeIterator<Item = (&Entry, &Payload)> {
        self.log.iter()
    }

    /// Term, vote and commit index.
    pub fn hard_state(&self) -> HardState {
        self.hard
    }

    /// The configuration at the applied index; empty if the peer is uninitialised.
    pub fn conf_state(&self) -> ConfState {
        if self.is_initialized() { self.region().conf_state(self.both_halves) } else { ConfState::default() }
    }

    /// The region at the applied index.
    pub fn region(&self) -> &Region {
        &self.record.region
    }

    /// Whether the peer is initialised.
    pub(crate) fn is_initialized(&self) -> bool {
        matches!(self.record.state, PeerState::Normal | PeerState::Merging)
    }

    /// Whether its region has a prepared merge.
    pub(crate) fn is_merging(&self) -> bool {
        self.record.state == PeerState::Merging
    }

    /// Replaces the hard state.
    pub(crate) fn set_hard(&mut self, hard: HardState) {
        if self.hard != hard {
            self.hard = hard;
            self.revision += 1;
        }
    }

    /// The applied index and the truncated position, as they are written.
    pub(crate) fn apply_state(&self) -> ApplyState {
        ApplyState { applied: self.applied, truncated: self.log.truncated() }
    }
}

fn storage_error<T>(error: StorageError) -> raft::Result<T> {
    Err(raft::Error::Store(error))
}

impl raft::Storage for PeerStorage {
    fn initial_state(&self) -> raft::Result<RaftState> {
        let HardState { term, vote, commit } = self.hard;
        let hard_state = eraftpb::HardState { term, vote, commit, ..Default::default() };
        Ok(RaftState { hard_state, conf_state: self.conf_state() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if self.bounds_checked {
            if low <= self.log.truncated().index {
                return storage_error(StorageError::Compacted);
            }
            if high > self.log.last_index() + 1 {
                return storage_error(StorageError::Unavailable);
            }
        }
        let mut entries = self.log.slice(low, high).to_vec();
        limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        match self.log.term(index) {
            Some(term) => Ok(term),
            None if index < self.log.truncated().index => storage_error(StorageError::Compacted),
            None => storage_error(StorageError::Unavailable),
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(if self.bounds_checked { self.log.truncated().index + 1 } else { 1 })
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.log.last_index())
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<eraftpb::Snapshot> {
        // A new member has no use for a snapshot of a merging region, and no present member needs
        // one: the log gap is checked before (TiKV makes none either).
        if self.applied < request_index || self.is_merging() {
            return storage_error(StorageError::SnapshotTemporarilyUnavailable);
        }
        let term = self.log.term(self.applied).expect("the applied entry's term is known");
        let position = Position { index: self.applied, term };
        Ok(SnapshotBody::encode(position, self.region(), &self.data, self.both_halves))
    }
}

#[cfg(test)]
mod tests;
