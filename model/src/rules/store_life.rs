//! A store crashes, restarts, or loses its disk.

use rollcall_traces::{PeerState, Reason, StoreId, StoreStatus};

use super::{persist, raft, ranges};
use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::unsound;

/// Volatile state is dropped at once: the view shows the peers as they will restart. The term and
/// vote of an uninitialised peer survive here. TiKV writes no hard state before the first snapshot
/// (`TiKV peer_storage.rs handle_raft_ready`).
pub(super) fn crash(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    cluster.up(store)?;
    cluster.set_status(store, StoreStatus::Down);
    let votes_survive = cluster.holds(Guard::UninitialisedVoteSurvives);
    for region in cluster.regions_on(store).collect::<Vec<_>>() {
        let guards = cluster.guards();
        let peer = cluster.peer_mut(store, region);
        persist::lose(peer);
        raft::lose_commit(peer, guards);
        peer.snapshot = None;
        peer.read = None;
        peer.stale_check = None;
        if peer.state != PeerState::Tombstone {
            peer.merged_into = None;
        }
        let term = if votes_survive { peer.term } else { unsound::term_of_the_initialised(peer) };
        raft::become_follower(peer, term, 0);
        persist::left_by_crash(peer, guards);
    }
    ranges::rebuild(cluster, store);
    end_plan(cluster, store);
    Ok(())
}

/// A store that does not run has no plan of an unsafe recovery under way.
fn end_plan(cluster: &mut impl ClusterMut, store: StoreId) {
    if cluster.recovery_plan(store).is_some() {
        cluster.set_plan(store, None);
    }
}

pub(super) fn restart(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    match cluster.status(store) {
        Some(StoreStatus::Down) => cluster.set_status(store, StoreStatus::Up),
        Some(StoreStatus::Up) => return Err(Reason::StoreUp),
        _ => return Err(Reason::StoreDown),
    }
    Ok(())
}

pub(super) fn lose_disk(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    match cluster.status(store) {
        Some(StoreStatus::Up | StoreStatus::Down) => {}
        _ => return Err(Reason::StoreDown),
    }
    cluster.set_status(store, StoreStatus::DiskLost);
    for region in cluster.regions_on(store).collect::<Vec<_>>() {
        cluster.put_peer(store, region, None);
    }
    ranges::rebuild(cluster, store);
    end_plan(cluster, store);
    Ok(())
}
