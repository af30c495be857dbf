//! Whether what is left of a region that was given up could go on by force, and what
//! in the state keeps it from that.
//!
//! It is told from what the peers that are left show, and not from what the rules
//! make of it: a region of which nothing here says why it stays is missed.

use rollcall_traces::{
    Cluster, Command, KnownStore, Liveness, LogPosition, MemberRole, Peer, RegionId, StoreId, StoreState,
    StoreStatus,
};

use super::excuse::Excuse;
use super::is_not_recovered;
use crate::seen::Seen;

/// Why nobody leads the region by force; none where somebody could.
pub(super) fn obstacle(seen: Seen<'_>, region: RegionId) -> Option<Excuse> {
    if let Some(store) = silent(seen) {
        return Some(Excuse::RecoveryWaits { region, store });
    }
    let peers: Vec<(StoreId, &Peer)> = left(seen, region).collect();
    if peers.is_empty() {
        return Some(Excuse::NobodyLeft { region });
    }
    newer_log(&peers)
        .map(|store| Excuse::NewerLogLeft { region, store })
        .or_else(|| target(seen, region).map(|target| Excuse::TargetNotRecovered { region, target }))
}

/// The stores whose reports PD waits for: not given up, not said to be gone.
fn reporting(seen: Seen<'_>) -> Vec<StoreId> {
    let waits = |known: &KnownStore| known.state != StoreState::Tombstone && !known.physically_destroyed;
    seen.pd().stores.iter().filter(|(_, known)| waits(known)).map(|(store, _)| *store).collect()
}

/// A store that PD waits for and that is gone.
fn silent(seen: Seen<'_>) -> Option<StoreId> {
    let gone =
        |store: &StoreId| seen.stores().any(|(id, status)| id == *store && status == StoreStatus::Destroyed);
    let missed = |store: &StoreId| seen.pd().stores[store].liveness != Liveness::Connected;
    reporting(seen).into_iter().find(|store| gone(store) && missed(store))
}

/// The region's peers that are left, on stores that report.
fn left<'a>(seen: Seen<'a>, region: RegionId) -> impl Iterator<Item = (StoreId, &'a Peer)> {
    let reporting = reporting(seen);
    seen.replicas_of(region).filter(move |(store, peer)| peer.is_initialised() && reporting.contains(store))
}

/// A voter with a better log than anybody has who has what is known to be committed: it
/// grants none of those, and would write that over (Figure 8 of the Raft paper).
fn newer_log(peers: &[(StoreId, &Peer)]) -> Option<StoreId> {
    let known = |(_, peer): &(StoreId, &Peer)| {
        let term = peer.log.term(peer.commit).unwrap_or_default();
        LogPosition { index: peer.commit, term }
    };
    let committed = peers.iter().map(known).max_by_key(|known| known.index)?;
    let has = |peer: &Peer| {
        committed.index < peer.log.truncated.index || peer.log.term(committed.index) == Some(committed.term)
    };
    let end = |peer: &Peer| (peer.log.last_term(), peer.log.last_index());
    let best = peers.iter().filter(|(_, peer)| has(peer)).map(|(_, peer)| end(peer)).max()?;
    let votes =
        |peer: &Peer| peer.region.member(peer.id).is_some_and(|member| member.role != MemberRole::Learner);
    peers.iter().find(|(_, peer)| votes(peer) && end(peer) > best).map(|(store, _)| *store)
}

/// A region that is not recovered either and may have to take this one in.
fn target(seen: Seen<'_>, region: RegionId) -> Option<RegionId> {
    let takes_in = |peer: &Peer| {
        let uncommitted = peer.log.iter().filter(|(index, _)| *index > peer.commit);
        uncommitted.into_iter().any(|(_, entry)| {
            matches!(&entry.command, Some(Command::CommitMerge { source, .. }) if source.id == region)
        })
    };
    seen.regions().find(|target| {
        *target != region
            && is_not_recovered(seen, *target)
            && left(seen, *target).any(|(_, peer)| takes_in(peer))
    })
}
