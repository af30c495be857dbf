//! What one peer has persisted, as raft reads it.
//!
//! One owner for log, hard state, applied index, region and data, inside the
//! `RawNode`, so a snapshot that raft asks for in the middle of a step is of
//! one point in time. What changes here is noted and written by the peer in
//! its one batch. Follows raft-rs `storage.rs` for the errors that raft
//! expects.

use std::collections::BTreeMap;

use raft::eraftpb::{self, ConfState, Entry};
use raft::{GetEntriesContext, RaftState, StorageError, util::limit_size};

use crate::proto::command::Payload;
use crate::proto::position::Position;
use crate::proto::region::{Key, Region, Value};
use crate::proto::snapshot::SnapshotBody;
use crate::raft_rs::log::Log;
use crate::storage::engine::{ApplyState, HardState, PeerRecord, PeerState, Persisted};

/// One peer's persistent state: its log, hard state, region and data. A raft library
/// reads it as a [`raft::Storage`]; its parts are the peer's.
#[derive(Clone, Debug)]
pub struct PeerStorage {
    pub(crate) record: PeerRecord,
    pub(crate) hard: HardState,
    pub(crate) applied: u64,
    pub(crate) log: Log,
    pub(crate) data: BTreeMap<Key, Value>,
    /// Raised by every change of any of it.
    pub(crate) revision: u64,
    /// Whether the log knows where it begins (row 27).
    pub(crate) bounds_checked: bool,
    /// Whether raft knows both halves of a joint configuration, not their union.
    pub(crate) both_halves: bool,
}

impl PeerStorage {
    /// What was loaded from an engine.
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

    /// The last index that took effect.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The term of the entry at `index`, the last discarded one's included.
    pub fn term_of(&self, index: u64) -> Option<u64> {
        self.log.term(index)
    }

    /// The last discarded entry.
    pub fn truncated(&self) -> Position {
        self.log.truncated()
    }

    /// The last entry, the last discarded one's place where there is none.
    pub fn log_end(&self) -> Position {
        let index = self.log.last_index();
        Position { index, term: self.log.term(index).unwrap_or_default() }
    }

    /// Writes entries, and discards all from the first one's index on.
    ///
    /// # Panics
    /// Where they do not join the log.
    pub fn append(&mut self, entries: &[Entry]) {
        self.log.append(entries);
        self.revision += 1;
    }

    /// The entries with what they say.
    pub fn entries_and_payloads(&self) -> impl ExactSizeIterator<Item = (&Entry, &Payload)> {
        self.log.iter()
    }

    /// Term, vote and commit index.
    pub fn hard_state(&self) -> HardState {
        self.hard
    }

    /// The configuration as of the applied index; nobody of who knows none.
    pub fn conf_state(&self) -> ConfState {
        if self.is_initialized() { self.region().conf_state(self.both_halves) } else { ConfState::default() }
    }

    /// The region as of the applied index.
    pub fn region(&self) -> &Region {
        &self.record.region
    }

    /// Whether it knows its region.
    pub(crate) fn is_initialized(&self) -> bool {
        matches!(self.record.state, PeerState::Normal | PeerState::Merging)
    }

    /// Whether its region waits to be taken in by another.
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

    /// Applied and truncated, as they are written.
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
        // A merging region is of no use to anybody new, and no member needs one:
        // the log gap is checked before (TiKV takes none either).
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
