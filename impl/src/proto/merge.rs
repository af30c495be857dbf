//! The commands and records of a merge.

use std::sync::Arc;

use raft::eraftpb::Entry;

use crate::proto::codec::{DecodeError, Reader, put_bytes, put_region, put_u64};
use crate::proto::region::Region;

/// The state of a source between `PrepareMerge` and the end of the merge (kvproto `MergeState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeState {
    /// Every replica has the entries before this index.
    pub min_index: u64,
    /// The target's region at the time of the proposal. `CommitMerge` takes effect only at this
    /// epoch.
    pub target: Region,
    /// The index of the `PrepareMerge`.
    pub commit: u64,
}

impl MergeState {
    /// The merge state of a tombstone (`TiKV apply.rs exec_commit_merge`).
    pub(crate) fn of_tombstone(target: Region) -> Self {
        Self { min_index: 0, target, commit: 0 }
    }
}

/// The command in the source's log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PrepareMerge {
    /// The target's region.
    pub target: Region,
    /// Every replica has the entries before this index. The leader fills it in.
    pub min_index: u64,
}

/// The command in the target's log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommitMerge {
    /// The source's region at its `PrepareMerge`.
    pub source: Region,
    /// The index of the `PrepareMerge`.
    pub commit: u64,
    /// The entries up to it that a replica of the source may lack. Empty if every replica is known
    /// to have them all; a replica need not know that they are committed (tikv#5512).
    pub entries: Vec<CarriedEntry>,
}

/// An entry of the source's log, carried in the target's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CarriedEntry {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// Its data; it is never a conf change.
    pub data: Arc<[u8]>,
}

impl CarriedEntry {
    pub(crate) fn of(entry: &Entry) -> Self {
        Self { index: entry.index, term: entry.term, data: Arc::from(&*entry.data) }
    }

    pub(crate) fn to_raft(&self) -> Entry {
        Entry { index: self.index, term: self.term, data: self.data.to_vec().into(), ..Entry::default() }
    }
}

impl PrepareMerge {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_region(out, &self.target);
        put_u64(out, self.min_index);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { target: reader.region()?, min_index: reader.u64("an index")? })
    }
}

impl CommitMerge {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_region(out, &self.source);
        put_u64(out, self.commit);
        put_u64(out, self.entries.len() as u64);
        for entry in &self.entries {
            put_u64(out, entry.index);
            put_u64(out, entry.term);
            put_bytes(out, &entry.data);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (source, commit) = (reader.region()?, reader.u64("an index")?);
        let count = reader.u64("a number of entries")?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let (index, term) = (reader.u64("an entry")?, reader.u64("an entry")?);
            entries.push(CarriedEntry { index, term, data: reader.bytes("an entry")? });
        }
        Ok(Self { source, commit, entries })
    }
}
