//! Region merge: the source gives itself up to a neighbour, the target.
//!
//! Two logs take part, and nothing but the order of entries within each is
//! agreed on. `PrepareMerge` in the source's log closes the source; `CommitMerge`
//! in the target's, proposed under the very epoch that the source expects, takes
//! it in; `RollbackMerge` in the source's opens it again, once that epoch is past
//! and `CommitMerge` can take effect nowhere. What stands here is which
//! regions fit; `proto/merge.rs` has what travels, `propose.rs` has what is asked of the other region's peer on
//! the store, `apply.rs` what the entries do, `catch_up.rs` how a source that is
//! behind gets what it misses, `elsewhere.rs` what becomes of a source whose own
//! target can no longer take it in. Follows `TV fsm/peer.rs
//! schedule_merge, check_merge_proposal`, `TV apply.rs exec_prepare_merge,
//! exec_commit_merge, exec_rollback_merge`.

mod apply;
mod catch_up;
mod elsewhere;
mod propose;

use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::proto::region::Region;

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

#[cfg(test)]
mod tests;
