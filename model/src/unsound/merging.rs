//! Merges, and unsafe recovery of regions that take part in one.

use std::collections::BTreeSet;

use rollcall_traces::{Entry, Reason, Region, RegionId};

/// Without `merge_gap_bounded` a merge begins however many entries the slowest replica lacks (TiKV
/// `pre_propose_prepare_merge`).
pub(crate) fn carry_whatever_is_missed(matched: u64) -> Result<u64, Reason> {
    Ok(matched + 1)
}

/// Without `merge_waits_for_commits` a replica that has an entry is taken to know that it is
/// committed (tikv#8081).
pub(crate) fn take_matched_for_committed(matched: u64) -> u64 {
    matched
}

/// Without `merge_version_above_both` the source's version does not count (TiKV `exec_commit_merge`).
pub(crate) fn version_above_the_target_alone(target: &Region) -> u64 {
    target.epoch.version + 1
}

/// Without `merge_forwards_commit` a merge that carries no entry does not advance the source's
/// commit index, although the source may not know that its `PrepareMerge` is committed (row 35,
/// tikv#5512).
pub(crate) fn forwards_nothing(entries: &[Entry]) -> bool {
    entries.is_empty()
}

/// Without `force_target_first` PD does not check whether a region may have to commit a merge, and
/// forces all leaders at once (tikv#12627).
pub(crate) fn look_for_no_merge() -> BTreeSet<RegionId> {
    BTreeSet::new()
}

/// Without `demoting_voter_ranks_last` a voter that is being demoted counts as one that stays (PD
/// `isRaftStale`).
pub(crate) fn stays_voter() -> bool {
    true
}
