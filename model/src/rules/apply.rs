//! `Apply`: the next committed admin entry takes effect.
//!
//! Follows TiKV `apply.rs` (`exec_change_peer`, `exec_compact_log`) and `fsm/peer.rs on_ready_change_peer`.

use rollcall_traces::{
    Command, Entry, LogPosition, Peer, PeerId, PeerState, Reason, Region, RegionId, Role, StoreId,
};

use super::destroy::write_tombstone;
use super::propose::takes_duplicate;
use super::{apply_split, conf_change, epoch, merge, persist, raft, read, recovery, split};
use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};
use crate::unsound;

/// The next committed admin entry takes effect (TiKV `exec_raft_cmd`).
pub(crate) fn apply(cluster: &mut impl ClusterMut, region: RegionId, store: StoreId) -> Result<(), Reason> {
    let guards = cluster.guards();
    let peer = cluster.live(store, region)?;
    if peer.snapshot.is_some() {
        return Err(Reason::ApplyingSnapshot);
    }
    let index = peer.applied + 1;
    if index > persist::may_apply_to(peer, guards) {
        return Err(Reason::NothingToApply);
    }
    let entry = peer.log.entry(index).cloned().ok_or(Reason::NothingToApply)?;
    if !entry.is_admin() {
        // A crash came between the commit index and the entry's effect.
        raft::apply_ordinary(cluster.peer_mut(store, region), guards);
        return Ok(());
    }
    let Some(command) = &entry.command else { return Err(Reason::NothingToApply) };
    if let Command::CommitMerge { .. } = command
        && let merge::Taken::Helped = merge::apply_commit(cluster, region, store, &entry)?
    {
        return Ok(());
    }
    let peer = cluster.peer_mut(store, region);
    if let Command::CompactLog { index: to } = command {
        compact(peer, *to);
    } else if let Command::PrepareMerge { .. } = command {
        merge::apply_prepare(peer, &entry, index, guards);
    } else if let Command::RollbackMerge { .. } = command {
        merge::apply_rollback(peer, &entry, guards);
    } else if command.is_merge() {
        // Merged, or stale.
    } else if matches!(command, Command::Split { .. }) {
        apply_split::apply(cluster, region, store, &entry);
    } else if is_valid(peer, &entry, command, guards) {
        let after = conf_change::changed(&peer.region, command);
        if after.member(peer.id).is_none() && peer.region.member(peer.id).is_some() {
            removed(cluster, store, after, index);
            return Ok(());
        }
        take_configuration(peer, after, guards);
    }
    let peer = cluster.peer_mut(store, region);
    peer.applied = index;
    raft::apply_ordinary(peer, guards);
    recovery::go_on(cluster, region, store);
    Ok(())
}

fn is_valid(peer: &Peer, entry: &Entry, command: &Command, guards: GuardSet) -> bool {
    epoch::is_current_at_apply(&peer.region.epoch, entry, guards)
        && (conf_change::validate(&peer.region, command).is_ok() || takes_duplicate(peer, command, guards))
}

/// Discards the log up to `to`, which must be applied. A merging region keeps its log, because the
/// target's replicas may need it.
fn compact(peer: &mut Peer, to: u64) {
    let truncated = peer.log.truncated.index;
    if peer.state == PeerState::Merging || to <= truncated || to > peer.applied {
        return;
    }
    let Some(term) = peer.log.term(to) else { return };
    peer.log.entries.drain(..(to - truncated) as usize);
    peer.log.truncated = LogPosition { index: to, term };
}

/// The peer applied its own removal.
fn removed(cluster: &mut impl ClusterMut, store: StoreId, after: Region, index: u64) {
    let region = after.id;
    let before = cluster.peer(store, region).map(|peer| (peer.region.clone(), peer.role, peer.commit));
    let Some((old, role, commit)) = before else { return };
    let guards = cluster.guards();
    let has_client = role == Role::Leader;
    let ends = if has_client { steps_down(guards) } else { guards.holds(Guard::ApplyNeedsNoClient) };
    if !ends {
        let peer = cluster.peer_mut(store, region);
        unsound::outlive_removal(peer, after, index);
        raft::apply_ordinary(peer, guards);
        return;
    }
    if !cluster.holds(Guard::RemovedPeerSplitsNothing)
        && let Some(split) = unsound::split_behind_the_removal(cluster.peer(store, region), index)
    {
        split::index_children(cluster, store, &after, &split);
    }
    let known = if cluster.holds(Guard::TombstoneAtNewEpoch) {
        after
    } else {
        unsound::at_the_epoch_before(after, &old)
    };
    write_tombstone(cluster, store, known);
    if !cluster.holds(Guard::StopAfterDestroy) {
        unsound::write_apply_state(cluster, store, region, index + 1..=commit);
    }
}

/// Whether a leader that its own entry removes or demotes steps down.
fn steps_down(guards: GuardSet) -> bool {
    guards.holds(Guard::LeaderStepsDownOnRemoval)
}

/// The new configuration takes effect on a peer that is still in it.
fn take_configuration(peer: &mut Peer, after: Region, guards: GuardSet) {
    peer.region = after;
    let by_force = peer.is_by_force();
    let Some(leading) = &mut peer.leading else { return };
    let members: Vec<PeerId> = peer.region.peers.iter().map(|member| member.id).collect();
    leading.matched.retain(|id, _| members.contains(id));
    leading.committed.retain(|id, _| members.contains(id));
    for id in members {
        leading.matched.entry(id).or_insert(0);
        if id != peer.id {
            leading.committed.entry(id).or_insert(0);
        }
    }
    raft::forget_sent_snapshot(leading);
    // A learner may lead by force (TiKV `on_ready_change_peer`, `demote_self`).
    if !peer.region.is_voter(peer.id) && !by_force {
        if steps_down(guards) {
            raft::become_follower(peer, peer.term, 0);
        }
        return;
    }
    if leading.transfer.is_some_and(|transfer| !peer.region.is_voter(transfer.to)) {
        leading.transfer = None;
    }
    raft::leader_commit(peer, guards);
    read::acknowledged(peer, peer.id, guards);
}
