//! The predicates of which situations consist: some peer, child or leader with a property.

use rollcall_traces::{Message, PeerState, Role, StoreState};

use crate::cluster::ClusterInScope;

/// Any peer or tombstone for which `is` holds.
pub(super) fn some(cluster: impl ClusterInScope, is: impl Fn(u64, &rollcall_traces::Peer) -> bool) -> bool {
    cluster.regions().any(|region| cluster.replicas(region).any(|(store, peer)| is(store, peer)))
}

/// Any region that a split created.
pub(super) fn some_child(
    cluster: impl ClusterInScope,
    is: impl Fn(u64, &rollcall_traces::Peer) -> bool,
) -> bool {
    some(cluster, |store, peer| !cluster.is_founded(peer.region.id) && is(store, peer))
}

/// Any live peer that its region's leader does not list and for which `is` holds.
pub(super) fn some_stray(
    cluster: impl ClusterInScope,
    is: impl Fn(u64, &rollcall_traces::Peer) -> bool,
) -> bool {
    let leads = |peer: &rollcall_traces::Peer| peer.role == Role::Leader;
    some(cluster, |store, peer| {
        let leaders = || cluster.replicas(peer.region.id).filter(|(_, leader)| leads(leader));
        peer.state != PeerState::Tombstone
            && is(store, peer)
            && leaders().any(|(_, leader)| {
                leader.region.member(peer.id).is_none()
                    && peer.region.epoch.is_stale_against(&leader.region.epoch)
            })
    })
}

/// The largest number of initialised regions on a store.
pub(super) fn most_regions(cluster: impl ClusterInScope) -> usize {
    cluster.stores().map(|(store, _)| cluster.ranges(store).count()).max().unwrap_or(0)
}

/// How many stores are Tombstone in PD's view and satisfy `is`.
pub(super) fn tombstones(cluster: impl ClusterInScope, is: impl Fn(u64) -> bool) -> usize {
    let left = |(store, known): &(&u64, &rollcall_traces::KnownStore)| {
        known.state == StoreState::Tombstone && is(**store)
    };
    cluster.pd().stores.iter().filter(left).count()
}

/// A region with a leader that has applied an entry of its own term, and PD's view of the region.
pub(super) fn some_led(
    cluster: impl ClusterInScope,
    is: impl Fn(&rollcall_traces::Peer, &rollcall_traces::KnownRegion) -> bool,
) -> bool {
    cluster.pd().regions.values().any(|known| {
        let leads = |peer: &rollcall_traces::Peer| {
            peer.role == Role::Leader && peer.log.term(peer.applied) == Some(peer.term)
        };
        cluster.replicas(known.region.id).any(|(_, peer)| leads(peer) && is(peer, known))
    })
}

/// Any source on a store where the target's next committed entry merges it. `is` gets the index up
/// to which the source must apply, and whether the entry carries any of its entries.
pub(super) fn some_waiting(
    cluster: impl ClusterInScope,
    is: impl Fn(&rollcall_traces::Peer, u64, bool) -> bool,
) -> bool {
    use rollcall_traces::Command;
    some(cluster, |store, target| {
        let next = target.log.entry(target.applied + 1).filter(|_| target.applied < target.commit);
        let Some(Command::CommitMerge { source, commit, entries }) =
            next.and_then(|entry| entry.command.as_ref())
        else {
            return false;
        };
        let source = cluster.peer(store, source.id).filter(|peer| peer.is_initialized());
        source.is_some_and(|source| is(source, *commit, !entries.is_empty()))
    })
}

/// Any delayed report of a store that PD awaits, with its step and PD's.
pub(super) fn some_store_report(cluster: impl ClusterInScope, is: impl Fn(u64, u64) -> bool) -> bool {
    let pd = cluster.pd();
    let waits = |store: u64| {
        pd.recovery.as_ref().is_some_and(|recovery| matches!(recovery.reports.get(&store), Some(None)))
    };
    cluster.held().iter().any(|held| match held.message {
        Message::StoreReport { step, .. } => waits(held.from.store) && is(step, pd.recovery_step),
        _ => false,
    })
}

pub(super) fn is_split(entry: &rollcall_traces::Entry) -> bool {
    matches!(entry.command, Some(rollcall_traces::Command::Split { .. }))
}
