//! The missed goals of each region; those of the placement driver are in `pd`.

use rollcall_traces::{
    Action, Cluster, Command, Key, Outcome, Peer, PeerState, Reason, RegionId, StoreId, StoreStatus,
};

use super::goal::{Goal, Missed};
use super::owed::{
    hangs, has_nobody_to_ask, in_charge, is_merged_away, is_not_recovered, is_owed, is_there, refuses,
    removed_peers,
};
use super::{pd, recovery};
use crate::cluster::is_given_up;
use crate::rules::is_live;
use crate::semantics::Semantics;

/// The goals that are owed but not met in a state, at most one per region.
pub fn missed<R: Semantics>(rules: &R, state: &R::State) -> Vec<Missed> {
    let cluster = &rules.cluster(state);
    let regions = cluster.regions().filter(|region| is_owed(cluster, *region));
    let of_pd = rules.scope().max_replicas > 0;
    let of_pd = if of_pd { pd::missed(rules, state) } else { Vec::new() };
    let merged = cluster.regions().filter(|region| is_merged_away(cluster, *region));
    let left = merged.filter_map(|region| merged_and_lives(cluster, region));
    let given_up = cluster.regions().filter_map(|region| could_go_on(cluster, region));
    let left = left.chain(given_up).chain(hole(cluster));
    regions.filter_map(|region| missed_of(rules, state, region)).chain(of_pd).chain(left).collect()
}

/// Keys that were lost with given-up stores and that no region covers again.
fn hole(cluster: &impl Cluster) -> Option<Missed> {
    let (start, end) = recovery::hole(cluster)?;
    Some(Missed {
        goal: Goal::KeysCovered,
        region: 0,
        what: format!("no store has the keys [{start}, {end})"),
    })
}

/// A remaining peer of a merged region.
fn merged_and_lives(cluster: &impl Cluster, region: RegionId) -> Option<Missed> {
    let lives = |(store, peer): &(StoreId, &Peer)| is_live(peer) && !is_given_up(cluster, *store);
    let (store, peer) = cluster.replicas(region).find(lives)?;
    let what = format!("peer {} on store {store} was merged and still exists", peer.id);
    Some(Missed { goal: Goal::RemovedGone, region, what })
}

/// A region that lost its majority with given-up stores, although a remaining peer could lead by
/// force.
fn could_go_on(cluster: &impl Cluster, region: RegionId) -> Option<Missed> {
    let stays = is_not_recovered(cluster, region) && recovery::obstacle(cluster, region).is_none();
    let what = || format!("it could be led by force; {}", without_leader(cluster, region));
    stays.then(|| Missed { goal: Goal::LeaderElectable, region, what: what() })
}

fn missed_of<R: Semantics>(rules: &R, state: &R::State, region: RegionId) -> Option<Missed> {
    let (scope, cluster) = (rules.scope(), &rules.cluster(state));
    let miss = |goal, what: String| Some(Missed { goal, region, what });
    let Some((store, leader)) = in_charge(cluster, region) else {
        return miss(Goal::LeaderElectable, without_leader(cluster, region));
    };
    if let Some(what) = unanswered(cluster, region, leader) {
        return miss(Goal::RequestsEnd, format!("the leader on store {store} {what}"));
    }
    for member in &leader.region.peers {
        if !cluster.stores().any(|(id, status)| id == member.store && status == StoreStatus::Up) {
            continue;
        }
        // A peer id that was destroyed on that store is refused there as `tombstone` for ever. That
        // is correct: PD gives no id twice.
        if cluster.peer(member.store, region).is_some_and(|peer| refuses(peer, member)) {
            continue;
        }
        if hangs(scope, member.store) || !is_there(cluster, member.store) {
            continue;
        }
        let there = cluster.peer(member.store, region).filter(|peer| peer.id == member.id);
        let caught_up = there.is_some_and(|peer| {
            peer.state == PeerState::Normal && peer.applied == leader.applied && peer.snapshot.is_none()
        });
        if !caught_up {
            let now = match there {
                None => "is not there".to_string(),
                Some(peer) => {
                    format!("is {} and has applied {} of {}", peer.state, peer.applied, leader.applied)
                }
            };
            return miss(Goal::MembersCaughtUp, format!("member {member} {now}"));
        }
    }
    let can_learn_of_removal = |(store, peer): &(StoreId, &Peer)| {
        !hangs(scope, *store) && !has_nobody_to_ask(scope, cluster, &leader.region, *store, peer)
    };
    if let Some((store, peer)) = removed_peers(cluster, &leader.region).find(can_learn_of_removal) {
        return miss(
            Goal::RemovedGone,
            format!("peer {} on store {store} was removed and still exists", peer.id),
        );
    }
    if let Some(transfer) = leader.leading.as_ref().and_then(|leading| leading.transfer) {
        return miss(Goal::TransferEnds, format!("the transfer to peer {} never ends", transfer.to));
    }
    let change = |command| Action::Propose { region, store, command, epoch: None };
    match rules.step(state, &change(Command::LeaveJoint)).1 {
        Outcome::Refused(Reason::NotJoint) => {}
        // A demoted leader transfers leadership before its region leaves the joint configuration,
        // if PD orders that. PD does not know a leader on a store without a record.
        Outcome::Refused(Reason::LeaderRemoval)
            if pd::unreported_leader(scope, cluster, region).is_some() => {}
        other => return miss(Goal::ChangesPossible, format!("a conf change meets: {other}")),
    }
    match rules.step(state, &change(write_to(leader))).1 {
        Outcome::Done(_) => None,
        refused => {
            miss(Goal::LeaderElectable, format!("the leader on store {store} does not serve: {refused}"))
        }
    }
}

/// A write that the region's leader may accept.
pub(super) fn write_to(leader: &Peer) -> Command {
    let key = if leader.region.start.is_empty() { Key::from("0") } else { leader.region.start.clone() };
    Command::Put { key: key.clone(), value: key }
}

/// What the leader appended but has not finished, beginning with its own election's entry.
fn unanswered(cluster: &impl Cluster, region: RegionId, leader: &Peer) -> Option<String> {
    let last = leader.log.last_index();
    if leader.applied < last {
        return Some(format!("has applied {} of {last}", leader.applied));
    }
    let reads = cluster.replicas(region).find(|(_, peer)| is_live(peer) && peer.read.is_some());
    reads.map(|(store, _)| format!("serves, and a read waits on store {store}"))
}

fn without_leader(cluster: &impl Cluster, region: RegionId) -> String {
    let words: Vec<String> = cluster
        .replicas(region)
        .filter(|(_, peer)| is_live(peer))
        .map(|(store, peer)| {
            format!("peer {} on store {store} is {} of term {}", peer.id, peer.role, peer.term)
        })
        .collect();
    format!("no leader: {}", words.join(", "))
}
