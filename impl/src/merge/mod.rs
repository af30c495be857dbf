//! Region merge: the source becomes part of its neighbour, the target.
//!
//! Two logs take part. Only the order of entries within each is agreed on. `PrepareMerge` in the
//! source's log closes the source. `CommitMerge` in the target's log, proposed at exactly the epoch
//! that the source expects, merges it. `RollbackMerge` in the source's log opens it again, once
//! that epoch has passed and `CommitMerge` can no longer take effect anywhere. This file says which
//! regions fit. `proto/merge.rs` has the commands and records, `propose.rs` the checks of the other
//! region's peer on the store, `apply.rs` the effect of the entries, `catch_up.rs` how a lagging
//! source gets its missing entries, and `elsewhere.rs` what happens to a source whose own target
//! can no longer merge it. Follows `TiKV fsm/peer.rs schedule_merge, check_merge_proposal`, `TV
//! apply.rs exec_prepare_merge, exec_commit_merge, exec_rollback_merge`.

mod apply;
mod catch_up;
mod elsewhere;
mod propose;

use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::proto::region::Region;

/// Whether `source` can merge into `target`: they are adjacent, and every store with a peer of one
/// has a peer of the other in the same role (`TiKV util.rs is_sibling_regions,
/// region_on_same_stores`).
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

/// `target` with the range of `source`. Its version is above both, so that among overlapping
/// regions the result has the newest version.
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

#[cfg(test)]
mod tests;
