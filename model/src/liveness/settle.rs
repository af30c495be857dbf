//! Settling: leaders replicate and all peers apply until nothing moves.
//!
//! It spares a scenario from writing each of these steps. Like healing it is a deterministic
//! schedule that depends only on the present state. Unlike healing it starts no election, restarts
//! no store and loses no message. It reports nothing to PD except during an unsafe recovery: then
//! the recovery's candidates get their votes, and its stores report until it ends.
//!
//! A leader applies last: as in TiKV, a removed peer knows by then that its removal is committed.

use rollcall_traces::{Action, Cluster, Entries, RegionId, Reply, Role, Settle, StoreId};

use super::recovery::conversation;
use crate::rules::is_live;
use crate::semantics::Semantics;

/// The next step of settling; `None` if nothing moves.
pub fn next_to_settle<R: Semantics>(rules: &R, state: &R::State, settle: &Settle) -> Option<Action> {
    let cluster = rules.cluster(state);
    let mut regions = cluster.regions().filter(|region| settle.region.is_none_or(|only| only == *region));
    let next = regions.find_map(|region| next_of(rules, state, settle, region));
    // An unsafe recovery belongs to no region.
    let recovers = || conversation(rules, state, &settle.except).filter(|_| settle.region.is_none());
    next.or_else(recovers)
}

fn next_of<R: Semantics>(rules: &R, state: &R::State, settle: &Settle, region: RegionId) -> Option<Action> {
    let cluster = rules.cluster(state);
    let takes_part = |store: &StoreId| !settle.except.contains(store);
    let is_done = |action: &Action| rules.step(state, action).1.is_done();
    let leads = cluster.replicas(region).filter(|(_, peer)| peer.role == Role::Leader);
    let leader = leads.max_by_key(|(_, peer)| peer.term).filter(|(store, _)| takes_part(store));
    if let Some((leader, peer)) = leader {
        let others = peer.region.peers.iter().filter(|member| member.id != peer.id);
        let followers = others.map(|member| member.store).filter(takes_part);
        let (entries, reply) = (Entries::All, Reply::Delivered);
        let round = |follower| Action::Replicate { region, leader, follower, entries, reply };
        if let Some(action) = followers.map(round).find(is_done) {
            return Some(action);
        }
    }
    let leader = leader.map(|(store, _)| store);
    let peers = cluster.replicas(region).filter(|(store, peer)| takes_part(store) && is_live(peer));
    let mut applies: Vec<StoreId> =
        peers.map(|(store, _)| store).filter(|store| !rules.scope().apply_stalled.contains(store)).collect();
    applies.sort_by_key(|store| leader == Some(*store));
    let takes = |store| [Action::ApplySnapshot { region, store }, Action::Apply { region, store }];
    applies.into_iter().flat_map(takes).find(is_done)
}
