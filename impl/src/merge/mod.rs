//! Region merge: the source gives itself up to a neighbour, the target.
//!
//! Two logs take part, and nothing but the order of entries within each is
//! agreed on. `PrepareMerge` in the source's log closes the source; `CommitMerge`
//! in the target's, proposed under the very epoch that the source expects, takes
//! it in; `RollbackMerge` in the source's opens it again, once that epoch is past
//! and `CommitMerge` can take effect nowhere. What stands here is what travels and
//! which regions fit; `propose.rs` has what is asked of the other region's peer on
//! the store, `apply.rs` what the entries do, `catch_up.rs` how a source that is
//! behind gets what it misses, `elsewhere.rs` what becomes of a source whose own
//! target can no longer take it in. Follows `TV fsm/peer.rs
//! schedule_merge, check_merge_proposal`, `TV apply.rs exec_prepare_merge,
//! exec_commit_merge, exec_rollback_merge`.

mod apply;
mod catch_up;
mod elsewhere;
mod propose;

use std::sync::Arc;

use raft::eraftpb::Entry;

use crate::codec::{DecodeError, Reader, put_bytes, put_region, put_u64};
use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::region::Region;

/// What a source waits for (kvproto `MergeState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeState {
    /// Every replica has the entries before this one.
    pub min_index: u64,
    /// Into what, as it was when that was proposed. `CommitMerge` takes effect
    /// at this epoch and at no other.
    pub target: Region,
    /// The index of the `PrepareMerge`.
    pub commit: u64,
}

impl MergeState {
    /// What a tombstone keeps of it (`TV apply.rs exec_commit_merge`).
    pub(crate) fn of_tombstone(target: Region) -> Self {
        Self { min_index: 0, target, commit: 0 }
    }
}

/// The source's command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PrepareMerge {
    /// Into what.
    pub target: Region,
    /// Every replica has the entries before this one; the leader fills it in.
    pub min_index: u64,
}

/// The target's command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommitMerge {
    /// What is taken in, as of its `PrepareMerge`.
    pub source: Region,
    /// The index of that.
    pub commit: u64,
    /// The entries up to it that a replica of the source may miss. None if
    /// every replica is known to have them all; it need not know that they are
    /// committed (tikv#5512).
    pub entries: Vec<CarriedEntry>,
}

/// An entry of the source's log in the target's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CarriedEntry {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// Its data; a conf change is never among them.
    pub data: Arc<[u8]>,
}

impl CarriedEntry {
    fn of(entry: &Entry) -> Self {
        Self { index: entry.index, term: entry.term, data: Arc::from(&*entry.data) }
    }

    fn to_raft(&self) -> Entry {
        Entry { index: self.index, term: self.term, data: self.data.to_vec().into(), ..Entry::default() }
    }
}

/// Whether `source` can go into `target`: one begins where the other ends, and
/// every store that has a peer of one has a peer of the other in the same role
/// (`TV util.rs is_sibling_regions, region_on_same_stores`).
pub(crate) fn check_fit(guards: impl Guards, source: &Region, target: &Region) -> Result<(), Refusal> {
    let joins = |left: &Region, right: &Region| !left.end.is_empty() && left.end == right.start;
    if source.id == target.id || !(joins(source, target) || joins(target, source)) {
        return Err(Refusal::NotSiblings);
    }
    let same = source.peers.len() == target.peers.len()
        && source
            .peers
            .iter()
            .all(|member| target.member_on(member.store).is_some_and(|other| other.role == member.role));
    if !same && guards.holds(Guard::MergeNeedsSameStores) {
        return Err(Refusal::StoresNotMatch);
    }
    Ok(())
}

/// `target` with `source` in it. Its version is above both, so that whoever
/// compares overlapping regions by version takes the result for the newest.
pub(crate) fn merged(guards: impl Guards, source: &Region, target: &Region) -> Region {
    let mut region = target.clone();
    let version = if guards.holds(Guard::MergeVersionAboveBoth) {
        source.epoch.version.max(target.epoch.version)
    } else {
        target.epoch.version
    };
    region.epoch.version = version + 1;
    if !target.end.is_empty() && target.end == source.start {
        region.end = source.end.clone();
    } else {
        region.start = source.start.clone();
    }
    region
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

#[cfg(test)]
mod tests;
