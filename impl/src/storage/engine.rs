//! What a store persists, and the trait of its engine.
//!
//! One batch for each step covers everything that the step changed: hard state, entries, apply
//! state, the peer's record and its data. So a crash cannot separate them (row 14: an applied index
//! older than the region). A batch is durable once `sync` returns. A batch that only raises commit
//! indexes may wait for the next sync ([`Write::Commit`]). Left out: the layout of bytes, which
//! each engine decides.

use std::collections::BTreeMap;

use raft::eraftpb::Entry;

use crate::error::EngineError;
use crate::proto::merge::MergeState;
use crate::proto::position::Position;
use crate::proto::region::{Epoch, Key, KeyRange, Member, PeerId, Region, RegionId, Value};

/// What raft must persist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HardState {
    /// The term.
    pub term: u64,
    /// The peer that it voted for in this term; 0 for none.
    pub vote: PeerId,
    /// The last index known to be committed.
    pub commit: u64,
}

/// The applied index and the beginning of the log (kvproto `RaftApplyState`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApplyState {
    /// The applied index.
    pub applied: u64,
    /// The last truncated entry.
    pub truncated: Position,
}

/// The life-cycle state of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Created by a message; it has neither a range nor members.
    Uninitialised,
    /// It has a region.
    Normal,
    /// It has a region with a prepared merge.
    Merging,
    /// It was removed.
    Tombstone,
}

/// The sender of the message that created a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Creator {
    /// The sender as a member.
    pub member: Member,
    /// The sender's region epoch.
    pub epoch: Epoch,
}

/// The record of a peer (kvproto `RegionLocalState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRecord {
    /// Its id.
    pub id: PeerId,
    /// Its life-cycle state.
    pub state: PeerState,
    /// The region at the applied index; for a tombstone, at its removal.
    pub region: Region,
    /// For an uninitialised peer, whether it replaced a tombstone.
    pub replaces_tombstone: bool,
    /// For an uninitialised peer, the sender of the message that created it (TiKV `create_by_peer`,
    /// which a restart loses together with the peer).
    pub created_by: Option<Creator>,
    /// For a merging peer, its merge. For a tombstone, the target that it was merged into, if it
    /// was.
    pub merge: Option<Box<MergeState>>,
    /// The epoch from which on the peer has applied every entry of its region: that of its last
    /// snapshot; `None` if it has applied all. For a tombstone of a merge the same, or an epoch
    /// beyond its own if it did not apply the end of its region.
    pub log_since: Option<Epoch>,
}

impl PeerRecord {
    /// The epoch from which on a peer that a merge destroys has applied every entry of its region.
    /// A peer that had not applied `PrepareMerge` cannot know what followed.
    pub(crate) fn witnessed_since(&self) -> Option<Epoch> {
        let Epoch { conf_ver, version } = self.region.epoch;
        match self.state {
            PeerState::Merging => self.log_since,
            _ => Some(Epoch { conf_ver, version: version + 1 }),
        }
    }

    /// A new peer of `region`.
    pub fn new(id: PeerId, state: PeerState, region: Region) -> Self {
        Self { id, state, region, replaces_tombstone: false, created_by: None, merge: None, log_since: None }
    }
}

/// One write of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Replaces the peer's record.
    Record(PeerRecord),
    /// Replaces the hard state.
    HardState(RegionId, HardState),
    /// Raises the commit index of the hard state and changes nothing else. raft-rs needs no sync
    /// for it (`Ready::must_sync`).
    Commit(RegionId, u64),
    /// Replaces the apply state, and truncates the log accordingly.
    ApplyState(RegionId, ApplyState),
    /// Appends entries, after discarding all from the first one's index on.
    Append(RegionId, Vec<Entry>),
    /// Writes a value.
    Put(RegionId, Key, Value),
    /// Deletes a value.
    Delete(RegionId, Key),
    /// Deletes the data outside of the range.
    Keep(RegionId, KeyRange),
    /// Deletes hard state, log, apply state and data; the record stays.
    Clear(RegionId),
}

impl Write {
    /// The region that it belongs to.
    pub fn region(&self) -> RegionId {
        match self {
            Write::Record(record) => record.region.id,
            Write::HardState(region, _)
            | Write::Commit(region, _)
            | Write::ApplyState(region, _)
            | Write::Append(region, _)
            | Write::Put(region, ..)
            | Write::Delete(region, _)
            | Write::Keep(region, _)
            | Write::Clear(region) => *region,
        }
    }
}

/// Everything persisted of one region.
#[derive(Clone, Debug, PartialEq)]
pub struct Persisted {
    /// The peer's record.
    pub record: PeerRecord,
    /// The hard state.
    pub hard_state: HardState,
    /// The apply state.
    pub apply_state: ApplyState,
    /// The entries after the truncated position.
    pub entries: Vec<Entry>,
    /// The data.
    pub data: BTreeMap<Key, Value>,
}

impl Persisted {
    /// A peer with nothing but its record.
    pub fn new(record: PeerRecord) -> Self {
        Self {
            record,
            hard_state: HardState::default(),
            apply_state: ApplyState::default(),
            entries: Vec::new(),
            data: BTreeMap::new(),
        }
    }

    /// The batch that writes all of it where nothing of the region is.
    pub fn to_batch(&self) -> Vec<Write> {
        let region = self.record.region.id;
        let mut batch = vec![
            Write::Record(self.record.clone()),
            Write::HardState(region, self.hard_state),
            Write::ApplyState(region, self.apply_state),
            Write::Append(region, self.entries.clone()),
        ];
        batch.extend(self.data.iter().map(|(key, value)| Write::Put(region, key.clone(), value.clone())));
        batch
    }

    /// Applies one write, which must be of this region.
    pub(super) fn take(&mut self, write: Write) {
        match write {
            Write::Record(record) => self.record = record,
            Write::HardState(_, state) => self.hard_state = state,
            Write::Commit(_, index) => self.hard_state.commit = index,
            Write::ApplyState(_, state) => {
                let first = self.entries.first().map_or(0, |entry| entry.index);
                if first != 0 && state.truncated.index >= first {
                    let gone = (state.truncated.index + 1 - first) as usize;
                    self.entries.drain(..gone.min(self.entries.len()));
                }
                self.apply_state = state;
            }
            Write::Append(_, entries) => {
                if let (Some(new), Some(old)) = (entries.first(), self.entries.first()) {
                    self.entries.truncate(new.index.saturating_sub(old.index) as usize);
                }
                self.entries.extend(entries);
            }
            Write::Put(_, key, value) => {
                self.data.insert(key, value);
            }
            Write::Delete(_, key) => {
                self.data.remove(&key);
            }
            Write::Keep(_, range) => self.data.retain(|key, _| range.contains(key)),
            Write::Clear(_) => {
                let record = self.record.clone();
                *self = Persisted::new(record);
            }
        }
    }
}

/// Where a store persists its state.
pub trait Engine {
    /// Writes the batch atomically: after a crash all of it or nothing is there.
    ///
    /// # Errors
    /// If the engine cannot write; then nothing of the batch may survive.
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError>;

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// If the engine cannot sync; what was written may be lost then.
    fn sync(&mut self) -> Result<(), EngineError>;

    /// The regions with persisted state, in order.
    ///
    /// # Errors
    /// If the engine cannot read.
    fn regions(&self) -> Result<Vec<RegionId>, EngineError>;

    /// The persisted state of a region, as a copy.
    ///
    /// # Errors
    /// If the engine cannot read.
    fn load(&self, region: RegionId) -> Result<Option<Persisted>, EngineError>;
}
