//! What a store keeps on disk, and the trait by which it keeps it.
//!
//! One batch a step covers all that the step changed: hard state, entries,
//! apply state, the peer's record and its data, so a crash can part none of
//! them (the catalogue's row 14: an applied index older than the region it
//! belongs to). A batch is durable once `sync` returns, not before; one that
//! raises commit indexes alone may wait for the next ([`Write::Commit`]). Leaves out
//! how bytes are laid out: that is the engine's own business.

use std::collections::BTreeMap;

use raft::eraftpb::Entry;

use crate::error::EngineError;
use crate::proto::merge::MergeState;
use crate::proto::position::Position;
use crate::proto::region::{Epoch, Key, KeyRange, Member, PeerId, Region, RegionId, Value};

/// What raft may not forget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HardState {
    /// The term.
    pub term: u64,
    /// Whom the peer voted for in it; 0 for nobody.
    pub vote: PeerId,
    /// The last index known to be committed.
    pub commit: u64,
}

/// How far the log took effect, and where it begins (kvproto `RaftApplyState`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApplyState {
    /// The last index that took effect.
    pub applied: u64,
    /// The last discarded entry.
    pub truncated: Position,
}

/// Where a peer stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Created by a message; it knows neither range nor members.
    Uninitialised,
    /// It has a region.
    Normal,
    /// It has a region, which waits to be taken in by another.
    Merging,
    /// It was removed.
    Tombstone,
}

/// Who sent the message that created a peer, and knew that it is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Creator {
    /// The sender.
    pub member: Member,
    /// The sender's epoch.
    pub epoch: Epoch,
}

/// Who a peer is (kvproto `RegionLocalState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRecord {
    /// Its id.
    pub id: PeerId,
    /// Where it stands in its life.
    pub state: PeerState,
    /// The region as of the applied index; of a tombstone, as of its removal.
    pub region: Region,
    /// Of an uninitialised peer: a tombstone stood in its place.
    pub replaces_tombstone: bool,
    /// Of an uninitialised peer: by whose message it is there (TiKV `create_by_peer`,
    /// which a restart forgets with the peer).
    pub created_by: Option<Creator>,
    /// Of a merging peer: into what and since when. Of a tombstone: what took
    /// it in, if a merge did.
    pub merge: Option<Box<MergeState>>,
    /// From which epoch on the peer has followed its region entry by entry: that
    /// of its last snapshot; `None` for all of them, since its first. Of a tombstone by a
    /// merge the same, or beyond its own epoch where it did not see its region's end.
    pub log_since: Option<Epoch>,
}

impl PeerRecord {
    /// Since when a peer that a merge ends has seen all that became of its region. Who had
    /// not given the region up did not see that, and is a witness of nothing.
    pub(crate) fn witnessed_since(&self) -> Option<Epoch> {
        let Epoch { conf_ver, version } = self.region.epoch;
        match self.state {
            PeerState::Merging => self.log_since,
            _ => Some(Epoch { conf_ver, version: version + 1 }),
        }
    }

    /// A peer of `region` as of now.
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
    /// Raises the commit index of the hard state, and nothing else of it: raft-rs
    /// does not ask for a sync (`Ready::must_sync`).
    Commit(RegionId, u64),
    /// Replaces the apply state, and discards the entries that it says are truncated.
    ApplyState(RegionId, ApplyState),
    /// Writes entries, and discards all from the first one's index on.
    Append(RegionId, Vec<Entry>),
    /// Writes a value.
    Put(RegionId, Key, Value),
    /// Removes a value.
    Delete(RegionId, Key),
    /// Discards the data outside the range.
    Keep(RegionId, KeyRange),
    /// Discards hard state, log, apply state and data; the record stays.
    Clear(RegionId),
}

impl Write {
    /// Whose it is.
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

/// All that is kept of one region.
#[derive(Clone, Debug, PartialEq)]
pub struct Persisted {
    /// Who the peer is.
    pub record: PeerRecord,
    /// The hard state.
    pub hard_state: HardState,
    /// The apply state.
    pub apply_state: ApplyState,
    /// The entries behind what is truncated.
    pub entries: Vec<Entry>,
    /// The data.
    pub data: BTreeMap<Key, Value>,
}

impl Persisted {
    /// A peer of which nothing but its record is known.
    pub fn new(record: PeerRecord) -> Self {
        Self {
            record,
            hard_state: HardState::default(),
            apply_state: ApplyState::default(),
            entries: Vec::new(),
            data: BTreeMap::new(),
        }
    }

    /// Takes one write; `write` must be of this region.
    fn take(&mut self, write: Write) {
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

/// Where a store keeps what must survive.
pub trait Engine {
    /// Takes the batch as one: all of it or nothing survives a crash.
    ///
    /// # Errors
    /// Where the engine cannot write; nothing of the batch may survive then.
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError>;

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// Where the engine cannot; what was written may be gone then.
    fn sync(&mut self) -> Result<(), EngineError>;

    /// The regions of which anything is kept, in order.
    ///
    /// # Errors
    /// Where the engine cannot read.
    fn regions(&self) -> Result<Vec<RegionId>, EngineError>;

    /// What is kept of a region: a copy as of now.
    ///
    /// # Errors
    /// Where the engine cannot read.
    fn load(&self, region: RegionId) -> Result<Option<Persisted>, EngineError>;
}

/// An engine in memory, for simulation: it can be copied, and it can lose
/// what was not synced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryEngine {
    synced: BTreeMap<RegionId, Persisted>,
    unsynced: Vec<Vec<Write>>,
}

impl MemoryEngine {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// What would be left of a region if the machine failed now.
    pub fn synced(&self, region: RegionId) -> Option<&Persisted> {
        self.synced.get(&region)
    }

    /// The machine fails: what was not synced is gone.
    pub fn lose_unsynced(&mut self) {
        self.unsynced.clear();
    }

    fn take(synced: &mut BTreeMap<RegionId, Persisted>, write: Write) {
        let region = write.region();
        match (synced.get_mut(&region), write) {
            (Some(persisted), write) => persisted.take(write),
            (None, Write::Record(record)) => {
                synced.insert(region, Persisted::new(record));
            }
            // Nothing is there to discard.
            (None, Write::Clear(_)) => {}
            (None, write) => panic!("a peer's record is written first, not {write:?}"),
        }
    }
}

impl Engine for MemoryEngine {
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        self.unsynced.push(batch);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        for write in self.unsynced.drain(..).flatten() {
            Self::take(&mut self.synced, write);
        }
        Ok(())
    }

    fn regions(&self) -> Result<Vec<RegionId>, EngineError> {
        if self.unsynced.is_empty() {
            return Ok(self.synced.keys().copied().collect());
        }
        let mut all = self.clone();
        all.sync()?;
        Ok(all.synced.into_keys().collect())
    }

    fn load(&self, region: RegionId) -> Result<Option<Persisted>, EngineError> {
        if self.unsynced.is_empty() {
            return Ok(self.synced.get(&region).cloned());
        }
        let mut all = self.clone();
        all.sync()?;
        Ok(all.synced.remove(&region))
    }
}
