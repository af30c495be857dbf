//! A region merges into a neighbour: which merge commands may be proposed, and what each of the
//! three entries of a merge does.
//!
//! Two logs take part. `PrepareMerge` closes the source. `CommitMerge`, in the target's log and at
//! exactly the epoch that the source expects, merges the source into the target. `RollbackMerge`
//! reopens the source after the target left that epoch in another way. `merge_elsewhere.rs` has
//! what stores tell each other about a merge.
//!
//! Follows TiKV `fsm/peer.rs` (`check_merge_proposal`, `schedule_merge`), `peer.rs`
//! (`pre_propose_prepare_merge`, `maybe_append_merge_entries`) and `apply.rs`
//! (`exec_prepare_merge`, `exec_commit_merge`, `exec_rollback_merge`). One rule differs: TiKV's
//! leader asks a quorum before it rolls back. Here it decides alone, and only if the target's peer
//! on its store left the epoch by applying entries.

use std::collections::BTreeMap;

use rollcall_traces::{
    Command, Entry, Key, LogPosition, MergeState, Peer, PeerState, Reason, Region, RegionId, StoreId, Value,
};

use super::destroy::destroy_merged_peer;
use super::{epoch, raft, ranges};
use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};
use crate::rules::peer::is_live;
use crate::unsound;

/// How many entries a replica may miss when a merge begins (TiKV `merge_max_log_gap`).
const LOG_GAP: u64 = 10;

/// A merging region accepts only the entry that ends the merge (TiKV `ProposalInMergingMode`).
pub(super) fn check_not_merging(peer: &Peer, command: &Command, guards: GuardSet) -> Result<(), Reason> {
    let allowed = match command {
        // TiKV asks a quorum first, except for a forced leader (tikv#15580).
        Command::RollbackMerge { .. } => guards.holds(Guard::ForceRollsBack) || !peer.is_by_force(),
        Command::Put { .. } | Command::Delete { .. } => !guards.holds(Guard::MergeStopsWrites),
        _ if command.is_transfer() => true,
        _ => false,
    };
    if peer.state == PeerState::Merging && !allowed { Err(Reason::Merging) } else { Ok(()) }
}

/// Whether a `PrepareMerge` is applied, or committed and so bound to be applied (TiKV `peer.rs
/// is_merging`).
pub(super) fn is_merging(peer: &Peer) -> bool {
    let is_prepare = |index| {
        let command = peer.log.entry(index).and_then(|entry| entry.command.as_ref());
        matches!(command, Some(Command::PrepareMerge { .. }))
    };
    peer.state == PeerState::Merging || (peer.applied + 1..=peer.commit).any(is_prepare)
}

/// The command, completed from the other region's peer on this store if it is a merge command.
pub(super) fn complete_merge_command(
    cluster: &impl ClusterMut,
    store: StoreId,
    own: &Peer,
    command: &Command,
) -> Result<Command, Reason> {
    match command {
        Command::PrepareMerge { target, .. } => {
            check_target(cluster, store, own, target).map(|()| command.clone())
        }
        Command::CommitMerge { source, .. } => commit_of(cluster, store, own, source.id),
        Command::RollbackMerge { .. } => merge_to_roll_back(cluster, store, own)
            .map(|merge| Command::RollbackMerge { commit: merge.commit }),
        other => Ok(other.clone()),
    }
}

fn initialised(cluster: &impl ClusterMut, store: StoreId, region: RegionId) -> Option<&Peer> {
    cluster.peer(store, region).filter(|peer| peer.is_initialized())
}

fn check_target(
    cluster: &impl ClusterMut,
    store: StoreId,
    own: &Peer,
    target: &Region,
) -> Result<(), Reason> {
    if own.region.is_joint() {
        return Err(Reason::AlreadyJoint);
    }
    let known = initialised(cluster, store, target.id).ok_or(Reason::MergeTargetNotFound)?;
    if known.region != *target {
        return Err(Reason::MergeTargetNotMatch);
    }
    check_fit(cluster.guards(), &own.region, target)
}

/// The `CommitMerge` for `target`, built from the peer of `source` on its store.
fn commit_of(
    cluster: &impl ClusterMut,
    store: StoreId,
    target: &Peer,
    source: RegionId,
) -> Result<Command, Reason> {
    let source = initialised(cluster, store, source).ok_or(Reason::MergeSourceNotFound)?;
    let merge = source.merge.as_ref().filter(|merge| merge.target.id == target.region.id);
    let merge = merge.ok_or(Reason::SourceNotMerging)?;
    let (expected, now) = (merge.target.epoch, target.region.epoch);
    if expected.is_stale_against(&now) {
        return Err(Reason::MergeTargetChanged);
    }
    if now.is_stale_against(&expected) {
        return Err(Reason::MergeTargetBehind);
    }
    check_fit(cluster.guards(), &source.region, &target.region)?;
    let entries = entries_to_carry(source, merge);
    Ok(Command::CommitMerge { source: Box::new(source.region.clone()), commit: merge.commit, entries })
}

/// The merge of `own` that can no longer be committed anywhere. The target left the expected epoch
/// by an entry that this store applied. Had that entry been the `CommitMerge`, the source would not
/// be here.
fn merge_to_roll_back<'a>(
    cluster: &impl ClusterMut,
    store: StoreId,
    own: &'a Peer,
) -> Result<&'a MergeState, Reason> {
    let merge = own.merge.as_ref().ok_or(Reason::NotMerging)?;
    let has_left = cluster.peer(store, merge.target.id).is_some_and(|target| has_left(merge, target, store));
    if cluster.holds(Guard::RollbackNeedsCause) && !has_left {
        return Err(Reason::MergeTargetUnchanged);
    }
    Ok(merge)
}

/// Whether this target peer left the expected epoch by applying entries. A peer removed, or merged
/// away, by its own log also counts (TiKV `is_merge_target_region_stale`). A peer destroyed by a
/// message does not, because it may have missed the merge.
pub(crate) fn has_left(merge: &MergeState, target: &Peer, store: StoreId) -> bool {
    let (expected, now) = (merge.target.epoch, target.region.epoch);
    let followed = target.log_since.is_none_or(|since| !expected.is_stale_against(&since));
    let is_past = expected.is_stale_against(&now);
    match target.state {
        PeerState::Normal | PeerState::Merging => followed && is_past,
        PeerState::Tombstone if target.is_merged_away() => followed && !now.is_stale_against(&expected),
        PeerState::Tombstone => target.region.member_on(store).is_none() && is_past,
        PeerState::Uninitialised => false,
    }
}

/// Whether the regions may merge: one begins where the other ends, and each store that has a peer
/// of one has a peer of the other in the same role (TiKV `is_sibling_regions`,
/// `region_on_same_stores`).
fn check_fit(guards: GuardSet, source: &Region, target: &Region) -> Result<(), Reason> {
    let joins = |left: &Region, right: &Region| !left.end.is_empty() && left.end == right.start;
    if source.id == target.id || !(joins(source, target) || joins(target, source)) {
        return Err(Reason::NotSiblings);
    }
    let mut members = source.peers.iter();
    let same = source.peers.len() == target.peers.len()
        && members
            .all(|member| target.member_on(member.store).is_some_and(|other| other.role == member.role));
    if guards.holds(Guard::MergeNeedsSameStores) && !same {
        return Err(Reason::StoresNotMatch);
    }
    Ok(())
}

/// The first index that some replica is not known to have. The target's log carries the entries
/// from there on. Therefore they must be few, none may be compacted, and none may be an admin
/// entry. Admin entries that a replica has but may not know to be committed are refused, too.
pub(super) fn first_index_missed(peer: &Peer, guards: GuardSet) -> Result<u64, Reason> {
    let (matched, last) = (least_matched(peer), peer.log.last_index());
    if !guards.holds(Guard::MergeGapBounded) {
        return unsound::carry_whatever_is_missed(matched);
    }
    let known = if guards.holds(Guard::MergeWaitsForCommits) {
        least_committed(peer)
    } else {
        unsound::take_matched_for_committed(matched)
    };
    let is_too_far =
        |index: u64, gap| index == 0 || index < peer.log.truncated.index || last.saturating_sub(index) > gap;
    if is_too_far(matched, LOG_GAP) || is_too_far(known, 2 * LOG_GAP) {
        return Err(Reason::LogGapTooLarge);
    }
    if guards.holds(Guard::MergeWaitsForSnapshot) && matched < last_snapshot(peer) {
        return Err(Reason::LogGapTooLarge);
    }
    if peer.log.iter().any(|(index, entry)| index > matched.min(known) && entry.is_admin()) {
        return Err(Reason::AdminInLogGap);
    }
    Ok(matched + 1)
}

/// The least matched index of all replicas; 0 for a peer that does not lead.
fn least_matched(peer: &Peer) -> u64 {
    peer.leading.as_ref().and_then(|leading| leading.matched.values().copied().min()).unwrap_or(0)
}

/// The least commit index that the replicas, the leader included, are known to have.
fn least_committed(peer: &Peer) -> u64 {
    let others = peer.leading.iter().flat_map(|leading| leading.committed.values());
    others.fold(peer.commit, |least, known| least.min(*known))
}

/// The highest index up to which a snapshot may have brought some replica, which then could not
/// pass on the entries before it as leader. Covers snapshots that this leader sent, and those that
/// earlier leaders may have sent before its first entry (TiKV `last_sent_snapshot_idx`).
fn last_snapshot(peer: &Peer) -> u64 {
    let sent = peer.leading.as_ref().map_or(0, |leading| leading.sent_snapshot);
    // Its first entry may be compacted; then every replica has it.
    let mut known = peer.log.truncated.index..=peer.log.last_index();
    let begun = known.find(|index| peer.log.term(*index) == Some(peer.term));
    sent.max(begun.unwrap_or(0))
}

/// The entries up to the `PrepareMerge` that a replica may miss.
fn entries_to_carry(source: &Peer, merge: &MergeState) -> Vec<Entry> {
    let low = merge.min_index.max(least_matched(source) + 1);
    source
        .log
        .iter()
        .filter(|(index, _)| (low..=merge.commit).contains(index))
        .map(|(_, entry)| entry.clone())
        .collect()
}

/// Whether a `PrepareMerge` also raises the conf_ver.
pub(super) fn stops_changes(guards: GuardSet) -> bool {
    guards.holds(Guard::MergeStopsChanges)
}

/// A committed `PrepareMerge` closes the region.
pub(super) fn apply_prepare(peer: &mut Peer, entry: &Entry, index: u64, guards: GuardSet) {
    let Some(Command::PrepareMerge { target, min_index }) = &entry.command else { return };
    if !epoch::is_current_at_apply(&peer.region.epoch, entry, guards) {
        return;
    }
    peer.region.epoch.version += 1;
    // Every conf change under way becomes stale.
    if stops_changes(guards) {
        peer.region.epoch.conf_ver += 1;
    }
    peer.state = PeerState::Merging;
    peer.merge = Some(MergeState { min_index: *min_index, target: (**target).clone(), commit: index });
    peer.read = None;
}

/// A committed `RollbackMerge` reopens the region. The epoch check already identifies the merge,
/// because every prepare and every rollback raises the version.
pub(super) fn apply_rollback(peer: &mut Peer, entry: &Entry, guards: GuardSet) {
    let Some(Command::RollbackMerge { commit }) = entry.command else { return };
    let is_this = peer.merge.as_ref().is_some_and(|merge| merge.commit == commit);
    if !epoch::is_current_at_apply(&peer.region.epoch, entry, guards) || !is_this {
        return;
    }
    peer.region.epoch.version += 1;
    peer.state = PeerState::Normal;
    peer.merge = None;
    peer.read = None;
}

/// The result of applying a `CommitMerge`.
pub(super) enum Taken {
    /// It is stale: only the applied index moves.
    Stale,
    /// The source is merged; the rest of applying the entry follows.
    In,
    /// The source received missing entries, and this entry waits for it.
    Helped,
}

/// A committed `CommitMerge` merges the source if its peer here has prepared. Otherwise the source
/// receives the entries that it lacks.
pub(super) fn apply_commit(
    cluster: &mut impl ClusterMut,
    target: RegionId,
    store: StoreId,
    entry: &Entry,
) -> Result<Taken, Reason> {
    let Some(Command::CommitMerge { source, commit, entries }) = &entry.command else {
        return Ok(Taken::Stale);
    };
    let guards = cluster.guards();
    let own = cluster.live(store, target)?;
    if !epoch::is_current_at_apply(&own.region.epoch, entry, guards) {
        return Ok(Taken::Stale);
    }
    let before = own.region.clone();
    // The epoch check already identifies the merge: a second merge of this source follows a
    // rollback, and a rollback needs this epoch to be past.
    let has_prepared = |peer: &Peer| {
        peer.snapshot.is_none() && peer.merge.as_ref().is_some_and(|merge| merge.commit == *commit)
    };
    let ready = initialised(cluster, store, source.id).is_some_and(has_prepared);
    if guards.holds(Guard::MergeWaitsForSource) && !ready {
        let helped = catch_up(cluster, source.id, store, *commit, entries);
        return if helped { Ok(Taken::Helped) } else { Err(Reason::WaitsForSource) };
    }
    let mut data = BTreeMap::new();
    if let Some(peer) = cluster.peer(store, source.id).filter(|peer| is_live(peer)) {
        data = peer.data.clone();
        destroy_merged_peer(cluster, store, (**source).clone(), Some(before));
    }
    take_in(cluster, target, store, source, data);
    Ok(Taken::In)
}

/// Adds the source's range and data to the target.
fn take_in(
    cluster: &mut impl ClusterMut,
    target: RegionId,
    store: StoreId,
    source: &Region,
    data: BTreeMap<Key, Value>,
) {
    let guards = cluster.guards();
    let peer = cluster.peer_mut(store, target);
    peer.region = merged(guards, source, &peer.region);
    peer.state = PeerState::Normal;
    peer.merge = None;
    peer.read = None;
    peer.data.extend(data);
    let region = peer.region.clone();
    ranges::set(cluster, store, &region);
}

/// `target` extended by `source`. Its version is above both, so that it wins over each in a
/// comparison of overlapping regions by version.
fn merged(guards: GuardSet, source: &Region, target: &Region) -> Region {
    let mut region = target.clone();
    region.epoch.version = if guards.holds(Guard::MergeVersionAboveBoth) {
        target.epoch.version.max(source.epoch.version) + 1
    } else {
        unsound::version_above_the_target_alone(target)
    };
    if !target.end.is_empty() && target.end == source.start {
        region.end = source.end.clone();
    } else {
        region.start = source.start.clone();
    }
    region
}

/// Brings a source that is behind up to the `PrepareMerge`: gives it the entries that the target's
/// log carries, and commits them. The commit index advances even if no entries are carried because
/// every replica has them (tikv#5512). Returns whether the source advanced.
fn catch_up(
    cluster: &mut impl ClusterMut,
    source: RegionId,
    store: StoreId,
    commit: u64,
    entries: &[Entry],
) -> bool {
    let guards = cluster.guards();
    let behind = |peer: &&Peer| peer.snapshot.is_none() && peer.commit < commit;
    let Some(peer) = initialised(cluster, store, source).filter(behind) else { return false };
    if !guards.holds(Guard::MergeForwardsCommit) && unsound::forwards_nothing(entries) {
        return false;
    }
    let first = (commit + 1 - entries.len() as u64).max(peer.commit + 1);
    let missed = &entries[entries.len() - (commit + 1 - first).min(entries.len() as u64) as usize..];
    let reaches = if missed.is_empty() { commit } else { first - 1 };
    if peer.log.last_index() < reaches {
        return false;
    }
    let peer = cluster.peer_mut(store, source);
    let log_end = |peer: &Peer| LogPosition { index: peer.log.last_index(), term: peer.log.last_term() };
    let before = log_end(peer);
    if let Some(last) = missed.last() {
        if last.term > peer.term {
            // A leader's append would have brought the term, too. Only without `merge_gap_bounded`
            // has the peer never received a message of the leader that wrote these.
            raft::become_follower(peer, last.term, 0);
        }
        let conflict =
            (first..).zip(missed).position(|(index, entry)| peer.log.term(index) != Some(entry.term));
        if let Some(new) = conflict {
            let kept = first - 1 + new as u64 - peer.log.truncated.index;
            peer.log.entries.truncate(kept as usize);
            peer.log.entries.extend_from_slice(&missed[new..]);
        }
    }
    // The candidate's log no longer ends where its vote requests say.
    let now = log_end(peer);
    if let Some(campaign) = &mut peer.campaign {
        let asked = campaign.last.unwrap_or(before);
        campaign.last = (asked != now).then_some(asked);
    }
    raft::commit_to(peer, commit, guards);
    true
}
