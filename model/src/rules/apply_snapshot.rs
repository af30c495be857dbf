//! Snapshots on a follower: which are refused (snapshot overlap among the reasons), which wait, and
//! what applying one does.
//!
//! Follows TiKV `fsm/peer.rs` (`check_snapshot`, `on_ready_persist_snapshot`) and raft-rs `restore`.

use rollcall_traces::{Log, PeerState, Reason, RegionId, Snapshot, StoreId};

use super::envelope::Envelope;
use super::{merge_elsewhere, raft, ranges};
use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::unsound;

/// The store's checks of a snapshot before raft sees it (TiKV `check_snapshot`), and raft-rs's
/// check that the receiver is a member (`restore`).
pub(crate) fn check_snapshot(
    cluster: &impl ClusterMut,
    envelope: &Envelope,
    snapshot: &Snapshot,
) -> Result<(), Reason> {
    // raft-rs accepts an outgoing voter, too.
    let Some(member) = snapshot.region.member(envelope.to.id) else { return Err(Reason::NotInConfig) };
    if !cluster.holds(Guard::DemotedTakesSnapshots) {
        unsound::look_among_incoming_members(member)?;
    }
    check_snapshot_overlap(cluster, envelope, snapshot)
}

/// Snapshot overlap (TiKV `fsm/peer.rs` `check_snapshot`): a snapshot is refused while another region
/// on the store (`region_ranges`), or another pending snapshot (`pending_snapshot_regions`), owns a part
/// of its range.
fn check_snapshot_overlap(
    cluster: &impl ClusterMut,
    envelope: &Envelope,
    snapshot: &Snapshot,
) -> Result<(), Reason> {
    let range = snapshot.region.range();
    let (store, region) = (envelope.to.store, envelope.region);
    let receiver = cluster.live(store, region)?;
    // A merge source that is still here ends when the snapshot brings its range, so it is no
    // overlap. While the receiver has unapplied entries it is one, because the `CommitMerge` of
    // that source may be among them.
    let taken = if receiver.applied == receiver.commit {
        let version = snapshot.region.epoch.version;
        merge_elsewhere::taken_but_for_merged(cluster, store, region, version, &range)
    } else {
        !ranges::owners(cluster, store, region, &range).is_empty()
    };
    if cluster.holds(Guard::SnapshotChecksOverlap)
        && (taken || ranges::awaited(cluster, store, region, &range))
    {
        return Err(Reason::SnapshotOverlap);
    }
    Ok(())
}

/// The follower's side of a snapshot (raft-rs `restore`). A snapshot older than the commit index is
/// dropped. If the log has its last entry, only the commit index advances. Otherwise it waits until
/// it is applied.
pub(crate) fn take_snapshot(
    cluster: &mut impl ClusterMut,
    envelope: &Envelope,
    mut snapshot: Snapshot,
) -> Result<(), Reason> {
    let guards = cluster.guards();
    let follower = cluster.peer_mut(envelope.to.store, envelope.region);
    raft::become_follower(follower, envelope.term, envelope.from.id);
    let position = snapshot.position;
    if position.index < follower.commit {
        return Ok(());
    }
    if follower.log.term(position.index) == Some(position.term) {
        raft::commit_to(follower, position.index, guards);
        return Ok(());
    }
    if let Some(pending) = follower.snapshot.take() {
        // Only without `snapshot_once`.
        unsound::overwrite_half_way(&mut snapshot, pending);
    }
    follower.snapshot = Some(snapshot);
    Ok(())
}

/// The pending snapshot replaces log, data and region (TiKV `on_ready_persist_snapshot`). A merge
/// source in the new range ends with it.
pub(crate) fn apply_snapshot(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
) -> Result<(), Reason> {
    let peer = cluster.live(store, region)?;
    if peer.snapshot.is_none() {
        return Err(Reason::NoSnapshot);
    }
    let moves = cluster.holds(Guard::SnapshotUpdatesRanges);
    let peer = cluster.peer_mut(store, region);
    if let Some(snapshot) = peer.snapshot.take() {
        if snapshot.region.epoch.version != peer.region.epoch.version {
            peer.read = None;
        }
        peer.state = PeerState::Normal;
        peer.merge = None;
        peer.log_since = Some(snapshot.region.epoch);
        peer.replaces_tombstone = false;
        peer.created_by = None;
        peer.log = Log { truncated: snapshot.position, entries: Vec::new() };
        peer.commit = snapshot.position.index;
        peer.applied = snapshot.position.index;
        peer.region = snapshot.region;
        peer.data = snapshot.data;
        let region = peer.region.clone();
        merge_elsewhere::destroy_merged_sources(cluster, store, &region);
        if moves {
            ranges::set(cluster, store, &region);
        }
    }
    Ok(())
}
