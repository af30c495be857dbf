//! The placement driver's part of healing: all stores report, and the patrol works. An operator
//! times out only if it can never finish.
//!
//! A store may stay if no other store could take its peers. PD must say so, and be right: this is
//! checked against the stores themselves, not against what PD knows of them.

use rollcall_traces::{
    Action, Cluster, KnownStore, Liveness, MemberRole, Operator, OperatorStep, Outcome, Peer, PeerState,
    Reason, Region, RegionId, Reply, Scope, StoreId, StoreState, StoreStatus,
};

use super::goal::{Goal, Missed};
use super::owed::{in_charge, is_owed};
use crate::cluster::is_given_up;
use crate::rules::seems_full;
use crate::semantics::Semantics;

/// Every running store sends heartbeats; PD misses those of the others.
pub(super) fn store_reports<R: Semantics>(rules: &R, state: &R::State) -> Option<Action> {
    let cluster = &rules.cluster(state);
    let actions = cluster.pd().stores.iter().filter(|(_, known)| known.state != StoreState::Tombstone).map(
        |(&store, known)| {
            if runs(cluster, store) { heartbeat(rules, store, known) } else { missed_heartbeat(store, known) }
        },
    );
    actions.flatten().next()
}

fn heartbeat(rules: &impl Semantics, store: StoreId, known: &KnownStore) -> Option<Action> {
    let scope = rules.scope();
    let full = seems_full(&scope.full, &scope.low_space, store, rules.guards());
    let is_current = known.liveness == Liveness::Connected && known.full == full;
    (!is_current).then_some(Action::StoreHeartbeat { store, reply: Reply::Delivered })
}

fn missed_heartbeat(store: StoreId, known: &KnownStore) -> Option<Action> {
    (known.liveness != Liveness::Down).then_some(Action::MissedHeartbeat { store })
}

pub(super) fn runs(cluster: &impl Cluster, store: StoreId) -> bool {
    cluster.stores().any(|(id, status)| id == store && status == StoreStatus::Up)
}

/// Once every region is at rest: leaders report, the patrol checks regions, and empty stores are
/// buried.
pub(super) fn patrol<R: Semantics>(rules: &R, state: &R::State) -> Option<Action> {
    let cluster = &rules.cluster(state);
    let reply = Reply::Delivered;
    let led =
        cluster.regions().filter_map(|region| in_charge(cluster, region).map(|(store, _)| (region, store)));
    let reports = led.map(|(region, store)| Action::RegionHeartbeat { region, store, reply });
    // An operator of a region that has lost its majority never ends.
    let owed = cluster.pd().regions.keys().filter(|region| is_owed(cluster, **region));
    let visits = owed.map(|&region| Action::Schedule { region, reply });
    let ends =
        cluster.pd().operators.iter().filter(|(region, operator)| waits_in_vain(cluster, **region, operator));
    let ends = ends.map(|(&region, _)| Action::OperatorTimeout { region });
    let actions = reports.chain(visits).chain([Action::CheckStores]).chain(ends);
    // An action without effect would be repeated for ever.
    actions.into_iter().find(|action| rules.step(state, action).0 != *state)
}

/// Whether the operator can never finish. Either the peer that it added was made a tombstone by
/// hand (tikv-ctl), and its store refuses it for ever; or the store of a peer that it promotes is
/// lost, and the leader keeps a majority of active voters. PD then waits until the operator times
/// out.
fn waits_in_vain(cluster: &impl Cluster, region: RegionId, operator: &Operator) -> bool {
    match operator.step() {
        Some(OperatorStep::EnterJoint { promote, .. }) => {
            return promote.iter().any(|seat| !runs(cluster, seat.store));
        }
        Some(OperatorStep::PromoteLearner(seat)) => return !runs(cluster, seat.store),
        _ => {}
    }
    let Some(OperatorStep::AddLearner(seat) | OperatorStep::AddPeer(seat)) = operator.step() else {
        return false;
    };
    let ended = |peer: &Peer| peer.state == PeerState::Tombstone && peer.id >= seat.peer;
    cluster.peer(seat.store, region).is_some_and(ended)
}

/// The goals that are not met, one of a kind, stores last.
pub(super) fn missed<R: Semantics>(rules: &R, state: &R::State) -> Vec<Missed> {
    let (scope, cluster) = (rules.scope(), &rules.cluster(state));
    let pd = cluster.pd();
    let mut regions = cluster.regions().filter(|region| is_reported(scope, cluster, *region));
    let unended = pd.all_operators().find(|(region, _)| is_reported(scope, cluster, *region)).map(
        |(region, operator)| {
            let what = format!("its operator never ends: {operator}");
            Missed { goal: Goal::OperatorsEnd, region, what }
        },
    );
    let missed = [
        regions.find_map(|region| believed(cluster, region)),
        unended,
        pd.regions.keys().find_map(|region| whole(rules, state, *region)),
        pd.stores.keys().find_map(|store| leaves(rules, state, *store)),
    ];
    missed.into_iter().flatten().collect()
}

/// The store of the region's leader, if a PD that places replicas has no record of it,
/// or gave it up.
pub(super) fn unreported_leader(scope: &Scope, cluster: &impl Cluster, region: RegionId) -> Option<StoreId> {
    let (store, _) = in_charge(cluster, region)?;
    let is_reported = cluster.pd().stores.contains_key(&store) && !is_given_up(cluster, store);
    (scope.max_replicas > 0 && !is_reported).then_some(store)
}

/// Whether PD can act on the region: it is owed a leader, and PD accepts the reports of its present
/// one.
fn is_reported(scope: &Scope, cluster: &impl Cluster, region: RegionId) -> bool {
    is_owed(cluster, region) && unreported_leader(scope, cluster, region).is_none()
}

/// PD knows the region's leader, and the region as its leader has it (L7).
fn believed(cluster: &impl Cluster, region: RegionId) -> Option<Missed> {
    let (_, leader) = in_charge(cluster, region)?;
    let known = cluster.pd().regions.get(&region);
    let is_true = known.is_some_and(|known| known.leader == leader.id && known.region == leader.region);
    let what = || match known {
        None => "PD does not know it".to_string(),
        Some(known) => format!("PD believes {}, led by peer {}", known.region, known.leader),
    };
    (!is_true).then(|| Missed { goal: Goal::PdViewCurrent, region, what: what() })
}

/// The region has the voters that PD wants, on stores that stay, and no other peer; or the patrol
/// says, rightly, that no store can take another peer.
fn whole<R: Semantics>(rules: &R, state: &R::State, region: RegionId) -> Option<Missed> {
    let (scope, cluster) = (rules.scope(), &rules.cluster(state));
    if !is_reported(scope, cluster, region) {
        return None;
    }
    let (_, leader) = in_charge(cluster, region)?;
    let verdict = rules.step(state, &Action::Schedule { region, reply: Reply::Delivered }).1;
    let words = |what: String| Some(Missed { goal: Goal::ReplicasWhole, region, what });
    match verdict {
        Outcome::Refused(Reason::NothingToDo) => {
            let wrong = wrong_peer(scope, cluster, &leader.region)?;
            words(format!("PD finds nothing to do, and {wrong}"))
        }
        Outcome::Refused(Reason::NoTarget) => {
            let store = legal_target(scope, cluster, &leader.region)?;
            words(format!("PD finds no target, and store {store} could take a peer"))
        }
        other => words(format!("the patrol comes to no end: {other}")),
    }
}

/// What is wrong with the region's members.
fn wrong_peer(scope: &Scope, cluster: &impl Cluster, region: &Region) -> Option<String> {
    let voters = region.peers.iter().filter(|member| member.role != MemberRole::Learner).count() as u64;
    if voters != scope.max_replicas {
        return Some(format!("it has {voters} voters"));
    }
    region.peers.iter().find_map(|member| {
        let state = cluster.pd().stores.get(&member.store).map(|known| known.state);
        match state {
            _ if member.role == MemberRole::Learner => Some(format!("{member} is asked for by nobody")),
            Some(StoreState::Up) if runs(cluster, member.store) => None,
            Some(StoreState::Up) => Some(format!("{member} is dead")),
            _ => Some(format!("{member} is on a store that leaves")),
        }
    })
}

/// A store that runs, stays, has space, and has no peer of the region, or a learner that could
/// vote.
fn legal_target(scope: &Scope, cluster: &impl Cluster, region: &Region) -> Option<StoreId> {
    let stays = |store: &StoreId| {
        cluster.pd().stores.get(store).is_some_and(|known| known.state == StoreState::Up)
            && runs(cluster, *store)
    };
    let fits = |store: &StoreId| match region.member_on(*store) {
        Some(member) => member.role == MemberRole::Learner,
        None => !scope.full.contains(store),
    };
    cluster.stores().map(|(store, _)| store).find(|store| stays(store) && fits(store))
}

/// A leaving store has left (L6), if enough others stay and each region on it could move.
fn leaves<R: Semantics>(rules: &R, state: &R::State, store: StoreId) -> Option<Missed> {
    let (scope, cluster) = (rules.scope(), &rules.cluster(state));
    let pd = cluster.pd();
    if pd.stores.get(&store)?.state != StoreState::Offline {
        return None;
    }
    let words = |what: String| {
        Some(Missed { goal: Goal::StoreLeaves, region: 0, what: format!("store {store}: {what}") })
    };
    if pd.regions_on(store).next().is_none() {
        return words("it is empty, and never Tombstone".into());
    }
    let stay = pd.stores.values().filter(|known| known.state == StoreState::Up).count() as u64;
    let forced = pd.stores.get(&store)?.physically_destroyed;
    if stay < rules.scope().max_replicas && !forced {
        return words(format!("it may leave although only {stay} stores remain"));
    }
    let movable = |region: &Region| {
        is_reported(scope, cluster, region.id) && legal_target(scope, cluster, region).is_some()
    };
    if let Some(known) = pd.regions_on(store).find(|known| movable(&known.region)) {
        return words(format!("{} could be moved, and is not", known.region));
    }
    // A region may stay only without a leader, or if no store can take the peer. PD may still know
    // a leader of a region that lost its majority (row 36).
    let stays = |region| {
        if !is_reported(scope, cluster, region) {
            return false;
        }
        let visit = Action::Schedule { region, reply: Reply::Delivered };
        let why = rules.step(state, &visit).1;
        !matches!(why, Outcome::Refused(Reason::NoLeader | Reason::NoTarget | Reason::NothingToDo))
    };
    let silent = pd.regions_on(store).find(|known| stays(known.region.id))?;
    words(format!("{} stays, and PD does not say why", silent.region))
}
