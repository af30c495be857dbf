//! Whether the remaining peers of a region that lost its majority could continue by force, and what
//! prevents it.
//!
//! This is decided by the remaining peers' state, not by the rules. A region that stays without a
//! reason here is missed.

use rollcall_traces::{
    Action, Cluster, Entries, Key, KnownStore, Liveness, LogPosition, MemberRole, Peer, RegionId, Reply,
    Role, StoreId, StoreState, StoreStatus,
};

use super::excuse::StuckReason;
use super::owed::{is_not_recovered, is_of_the_gone};
use crate::cluster::is_given_up;
use crate::semantics::Semantics;

/// The next action of a running recovery. If nothing else advances it, it times out, and so does a
/// forced leader that PD does not tell to step down.
pub(super) fn next<R: Semantics>(rules: &R, state: &R::State) -> Option<Action> {
    let cluster = rules.cluster(state);
    let timeouts = by_force(&cluster).map(|(region, store, _)| Action::ForceLeaderTimeout { region, store });
    let timeouts: Vec<Action> = [Action::RecoveryTimeout].into_iter().chain(timeouts).collect();
    conversation(rules, state, &[])
        .or_else(|| timeouts.into_iter().find(|action| rules.step(state, action).0 != *state))
}

/// Forced candidates get their votes, forced leaders replicate, and stores report and receive
/// plans.
pub(super) fn conversation<R: Semantics>(rules: &R, state: &R::State, except: &[StoreId]) -> Option<Action> {
    let cluster = &rules.cluster(state);
    let takes_part = |store: &StoreId| !except.contains(store);
    let whole = rules.scope().rounds.contains(&Entries::All);
    let entries = if whole { Entries::All } else { Entries::One };
    let reply = Reply::Delivered;
    let mut actions = Vec::new();
    for (region, store, peer) in by_force(cluster).filter(|(_, store, _)| takes_part(store)) {
        let others = peer.region.peers.iter().filter(|member| member.id != peer.id);
        let others = others.map(|member| member.store).filter(takes_part);
        actions.extend(others.map(|other| match peer.role {
            Role::Leader => Action::Replicate { region, leader: store, follower: other, entries, reply },
            _ => Action::Vote { region, candidate: store, voter: other, reply },
        }));
    }
    if cluster.pd().recovery.is_some()
        || cluster.stores().any(|(store, _)| cluster.recovery_plan(store).is_some())
    {
        let reports = cluster.pd().stores.iter().filter(|(_, known)| known.state != StoreState::Tombstone);
        let reports = reports.map(|(store, _)| *store).filter(takes_part);
        actions.extend(reports.map(|store| Action::StoreHeartbeat { store, reply }));
    }
    let mut actions = actions.into_iter().filter(|action| !is_of_the_gone(cluster, action));
    actions.find(|action| rules.step(state, action).0 != *state)
}

/// Forced leaders and forced candidates.
fn by_force(cluster: &impl Cluster) -> impl Iterator<Item = (RegionId, StoreId, &Peer)> {
    let of_region = move |region| {
        let peers = cluster.replicas(region).filter(|(_, peer)| peer.is_by_force());
        peers.map(move |(store, peer)| (region, store, peer))
    };
    let regions: Vec<RegionId> = cluster.regions().collect();
    regions.into_iter().flat_map(of_region)
}

/// The command for the given-up stores, and for lost stores that PD would otherwise wait for.
pub(super) fn of_all_who_are_gone(cluster: &impl Cluster) -> Action {
    let status = |store: StoreId| cluster.stores().find(|(id, _)| *id == store).map(|(_, status)| status);
    let is_gone = |store: &StoreId, known: &KnownStore| {
        is_given_up(cluster, *store)
            || known.liveness != Liveness::Connected && status(*store) == Some(StoreStatus::DiskLost)
    };
    let gone = cluster.pd().stores.iter().filter(|(store, known)| is_gone(store, known));
    Action::RemoveFailedStores { stores: gone.map(|(store, _)| *store).collect() }
}

/// A range of keys that no peer on a remaining store has, once stores were given up and while a
/// remaining store could serve it.
pub(super) fn hole(cluster: &impl Cluster) -> Option<(Key, Key)> {
    let is_left = |store: StoreId| !is_given_up(cluster, store);
    let reports = |store: StoreId| reporting(cluster).contains(&store);
    let serves = cluster.stores().any(|(store, status)| status != StoreStatus::DiskLost && reports(store));
    if cluster.pd().recovery_step == 0 || !serves {
        return None;
    }
    let mut ranges: Vec<(Key, Key)> = cluster
        .regions()
        .flat_map(|region| cluster.replicas(region))
        .filter(|(store, peer)| peer.is_initialized() && is_left(*store))
        .map(|(_, peer)| (peer.region.start.clone(), peer.region.end.clone()))
        .collect();
    ranges.sort();
    let mut end = Key::empty();
    for (start, until) in ranges {
        if start > end {
            return Some((end, start));
        }
        if until.is_empty() {
            return None;
        }
        end = end.max(until);
    }
    Some((end, Key::empty()))
}

/// Why no peer can lead the region by force; none if one could.
pub(super) fn obstacle(cluster: &impl Cluster, region: RegionId) -> Option<StuckReason> {
    let peers: Vec<(StoreId, &Peer)> = left(cluster, region).collect();
    if peers.is_empty() {
        return Some(StuckReason::NobodyLeft { region });
    }
    newer_log(&peers)
        .map(|store| StuckReason::NewerLogLeft { region, store })
        .or_else(|| target(cluster, region).map(|target| StuckReason::TargetNotRecovered { region, target }))
}

/// The stores whose reports PD waits for: not given up, not declared destroyed.
fn reporting(cluster: &impl Cluster) -> Vec<StoreId> {
    let waits = |known: &KnownStore| known.state != StoreState::Tombstone && !known.physically_destroyed;
    cluster.pd().stores.iter().filter(|(_, known)| waits(known)).map(|(store, _)| *store).collect()
}

/// The region's remaining peers, on stores that report.
fn left(cluster: &impl Cluster, region: RegionId) -> impl Iterator<Item = (StoreId, &Peer)> {
    let reporting = reporting(cluster);
    cluster.replicas(region).filter(move |(store, peer)| peer.is_initialized() && reporting.contains(store))
}

/// A voter whose log is newer than that of every peer with all known committed entries. It rejects
/// all of these, and as leader would overwrite a committed entry (Figure 8 of the Raft paper).
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

/// A region that is not recovered either and may have to merge this one.
fn target(cluster: &impl Cluster, region: RegionId) -> Option<RegionId> {
    let takes_in = |peer: &Peer| peer.log.merged_after(peer.commit).any(|source| source == region);
    cluster.regions().find(|target| {
        *target != region
            && is_not_recovered(cluster, *target)
            && left(cluster, *target).any(|(_, peer)| takes_in(peer))
    })
}
