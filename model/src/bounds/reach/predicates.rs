//! What situations are made of: some peer, some child, some leader for which something holds.

use rollcall_traces::{Message, PeerState, Role, StoreState};

use crate::cluster::ClusterInScope;

/// Any peer or tombstone for which `is` holds.
pub(super) fn some(cluster: impl ClusterInScope, is: impl Fn(u64, &rollcall_traces::Peer) -> bool) -> bool {
    cluster.regions().any(|region| cluster.replicas(region).any(|(store, peer)| is(store, peer)))
}

/// Any region that a split brought.
pub(super) fn some_child(
    cluster: impl ClusterInScope,
    is: impl Fn(u64, &rollcall_traces::Peer) -> bool,
) -> bool {
    some(cluster, |store, peer| !cluster.is_founded(peer.region.id) && is(store, peer))
}

/// Any live peer for which `is` holds that its region's leader does not list.
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

/// How many initialised regions a store has at most.
pub(super) fn most_regions(cluster: impl ClusterInScope) -> usize {
    cluster.stores().map(|(store, _)| cluster.ranges(store).count()).max().unwrap_or(0)
}

/// How many stores have left, as far as PD knows, and of which `is` holds.
pub(super) fn tombstones(cluster: impl ClusterInScope, is: impl Fn(u64) -> bool) -> usize {
    let left = |(store, known): &(&u64, &rollcall_traces::KnownStore)| {
        known.state == StoreState::Tombstone && is(**store)
    };
    cluster.pd().stores.iter().filter(left).count()
}

/// Some region's leader in charge, and what PD believes of the region.
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

/// Any source beside a target whose next committed entry is to take it in, up to
/// where it must have applied its log, and whether that entry carries any of it.
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

/// Any store's report under way to a PD that waits for that store, by its step and the step
/// that PD waits for.
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
