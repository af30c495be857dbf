//! The patrol: what a region lacks, in PD's order of checks.
//!
//! It fixes the first of these: a leftover joint configuration, orphans, missing peers, down peers,
//! peers on a store that is leaving, learners that should vote. There is one rule: a number of
//! voters, on any store (PD `checker/joint_state_checker.go, rule_checker.go`, `placement/fit.go`).
//! Left out: witnesses, TiFlash learners, labels, and with them better locations.

use rollcall_traces::{
    KnownRegion, Liveness, Member, MemberRole, Operator, OperatorStep, Purpose, Reason, Seat, StoreId,
    StoreState,
};

use super::builder::{self, PlanContext};
use crate::guard::Guard;
use crate::unsound;

/// The operator for the region.
///
/// # Errors
/// Why there is none.
pub(super) fn check(context: &PlanContext, known: &KnownRegion, ids: &mut u64) -> Result<Operator, Reason> {
    let leader = builder::leader_of(known)?;
    if known.region.is_joint() {
        return leave_joint(context, known, &leader);
    }
    let (places, orphans) = fit(context, known);
    // A failed orphan check does not block the other checks.
    let left = match fix_orphans(context, known, &places, &orphans) {
        Ok(Some(made)) => return Ok(made),
        Ok(None) => None,
        Err(reason) => Some(reason),
    };
    fix_places(context, known, &places, ids)?.ok_or(left.unwrap_or(Reason::NothingToDo))
}

/// Adds or replaces a peer, or promotes a learner. PD promotes none while a peer is missing and no
/// store is free: if a second learner has the last store, both wait for ever (`fixRulePeer` ends at
/// `ErrNoStoreToReplace`).
fn fix_places(
    context: &PlanContext,
    known: &KnownRegion,
    places: &[Member],
    ids: &mut u64,
) -> Result<Option<Operator>, Reason> {
    let added = add_rule_peer(context, known, places, ids);
    match added {
        Err(Reason::NoTarget) if context.guards.holds(Guard::PromotionNeedsNoTarget) => {}
        Ok(None) => {}
        made => return made,
    }
    promote(context, known, places).map_or(added, |made| Ok(Some(made)))
}

/// Promotes the first healthy learner that holds a place (PD `fixLooseMatchPeer`,
/// `Builder.PromoteLearner`). While no learner is healthy, the patrol waits. It promotes none on a
/// Tombstone store.
fn promote(context: &PlanContext, known: &KnownRegion, places: &[Member]) -> Option<Operator> {
    let has_left = |store| context.pd.stores.get(&store).is_some_and(|of| of.state == StoreState::Tombstone);
    let learner = places
        .iter()
        .find(|peer| peer.role == MemberRole::Learner && known.is_well(peer.id) && !has_left(peer.store))?;
    let steps = vec![OperatorStep::PromoteLearner((*learner).into())];
    Some(builder::operator(known, Purpose::FixPeerRole, steps))
}

/// Fills an empty place, or replaces a peer that cannot stay. Without a target store there is no
/// operator, not even a leader transfer: an administrator moves leaders (PD `addRulePeer,
/// replaceUnexpectedRulePeer`).
fn add_rule_peer(
    context: &PlanContext,
    known: &KnownRegion,
    places: &[Member],
    ids: &mut u64,
) -> Result<Option<Operator>, Reason> {
    if places.len() < context.replicas {
        let store = context.target_store(known).ok_or(Reason::NoTarget)?;
        return Ok(Some(builder::operator(
            known,
            Purpose::AddRulePeer,
            builder::add_peer(known, store, ids)?,
        )));
    }
    let wrong = places.iter().find_map(|peer| {
        let leaving = is_leaving(context, peer.store).then_some(Purpose::ReplaceRuleOfflinePeer);
        let purpose =
            is_down_peer(context, known, peer).then_some(Purpose::ReplaceRuleDownPeer).or(leaving)?;
        Some((peer, purpose))
    });
    if let Some((peer, purpose)) = wrong {
        let store = context.target_store(known).ok_or(Reason::NoTarget)?;
        let to = Seat { store, peer: builder::take_id(ids) };
        return Ok(Some(builder::operator(known, purpose, builder::replace(context, known, peer, to)?)));
    }
    Ok(None)
}

/// Nothing else ends a leftover joint configuration (tikv#17602).
fn leave_joint(context: &PlanContext, known: &KnownRegion, leader: &Member) -> Result<Operator, Reason> {
    if !context.guards.holds(Guard::JointEndedByPatrol) {
        return unsound::leave_it_joint();
    }
    let with = |role| {
        let members = known.region.peers.iter().filter(move |member| member.role == role);
        members.map(|member| Seat::from(*member)).collect::<Vec<_>>()
    };
    let mut steps = Vec::new();
    if context.guards.holds(Guard::JointHandsOverFirst) && leader.role == MemberRole::DemotingVoter {
        let transferee = context.transferee_anywhere(known, leader.store).ok_or(Reason::NoNewLeader)?;
        steps.push(OperatorStep::TransferLeader { to: transferee.store });
    }
    let (promote, demote) = (with(MemberRole::IncomingVoter), with(MemberRole::DemotingVoter));
    steps.push(OperatorStep::LeaveJoint { promote, demote });
    Ok(builder::operator(known, Purpose::LeaveJoint, steps))
}

/// Whether the peer is down (PD `isDownPeer`) by the leader's report, and its store Down by PD's
/// record.
fn is_down_peer(context: &PlanContext, known: &KnownRegion, member: &Member) -> bool {
    let down = context.pd.stores.get(&member.store).is_some_and(|store| store.liveness == Liveness::Down);
    down && known.down.contains(&member.id)
}

fn is_leaving(context: &PlanContext, store: StoreId) -> bool {
    context.pd.stores.get(&store).is_some_and(|record| record.state != StoreState::Up)
}

/// The peers that fill the region's places, and the orphans, both in PD's order: healthy, pending,
/// down, and each by id. Voters fill places before learners; a learner in a place fits loosely. A
/// peer on a store that PD does not know is an orphan. Leadership and a leaving store do not
/// matter.
fn fit(context: &PlanContext, known: &KnownRegion) -> (Vec<Member>, Vec<Member>) {
    let mut peers = known.region.peers.clone();
    peers.sort_by_key(|peer| {
        let (down, pending) = (known.down.contains(&peer.id), known.pending.contains(&peer.id));
        (down, pending, peer.id)
    });
    let is_learner = |peer: &Member| peer.role == MemberRole::Learner;
    let counts = |peer: &&Member| {
        let is_known = context.pd.stores.contains_key(&peer.store);
        is_known
            && (context.guards.holds(Guard::PendingLearnerCounts)
                || !unsound::waits_for_its_snapshot(known, peer))
    };
    let (learners, voters): (Vec<&Member>, Vec<&Member>) =
        peers.iter().filter(counts).partition(|peer| is_learner(peer));
    let placed: Vec<u64> =
        voters.into_iter().chain(learners).take(context.replicas).map(|peer| peer.id).collect();
    let (places, mut orphans): (Vec<Member>, Vec<Member>) =
        peers.into_iter().partition(|peer| placed.contains(&peer.id));
    if !context.guards.holds(Guard::OrphansLeave) {
        unsound::spare_learners(&mut orphans);
    }
    (places, orphans)
}

/// Whether PD misses the store's heartbeats, or does not know the store.
fn is_disconnected(context: &PlanContext, store: StoreId) -> bool {
    context.pd.stores.get(&store).is_none_or(|known| known.liveness != Liveness::Connected)
}

/// Removes an orphan once every place has a healthy voter on a connected store. Before that, a
/// healthy orphan replaces a member on a disconnected store (pd#6559); if the orphan votes already,
/// that member is only removed. Among several orphans the unhealthy ones go, and all healthy ones
/// but one (PD `fixOrphanPeers`).
fn fix_orphans(
    context: &PlanContext,
    known: &KnownRegion,
    places: &[Member],
    orphans: &[Member],
) -> Result<Option<Operator>, Reason> {
    let Some(first) = orphans.first() else { return Ok(None) };
    let remove = |purpose, gone: &Member| {
        let steps = builder::remove_peer(context, known, gone)?;
        Ok(Some(builder::operator(known, purpose, steps)))
    };
    let is_healthy = |peer: &Member| known.is_well(peer.id) && !is_disconnected(context, peer.store);
    let full = places.len() == context.replicas && places.iter().all(|peer| peer.role != MemberRole::Learner);
    let sick = places.iter().find(|peer| !is_healthy(peer));
    if full && sick.is_none() {
        return remove(Purpose::RemoveOrphanPeer, first);
    }
    // Only the first unhealthy place counts.
    let missing = sick.filter(|peer| full && is_disconnected(context, peer.store));
    let able = orphans.iter().find(|orphan| is_healthy(orphan));
    if context.guards.holds(Guard::OrphanMayFill)
        && let (Some(missing), Some(able)) = (missing, able)
    {
        if able.role != MemberRole::Learner {
            return remove(Purpose::RemoveReplacedOrphanPeer, missing);
        }
        let steps = builder::replace(context, known, missing, (*able).into())?;
        return Ok(Some(builder::operator(known, Purpose::ReplaceDownPeerWithOrphanPeer, steps)));
    }
    let stores = known.region.peers.iter().filter(|peer| context.pd.stores.contains_key(&peer.store));
    let surplus = stores.count() > context.replicas;
    let silent = orphans.iter().find(|orphan| is_disconnected(context, orphan.store));
    for (nth, orphan) in orphans.iter().enumerate().filter(|_| orphans.len() > 1) {
        if !known.is_well(orphan.id) {
            return remove(Purpose::RemoveUnhealthyOrphanPeer, orphan);
        }
        if nth > 0 && surplus {
            return remove(Purpose::RemoveOrphanPeer, silent.unwrap_or(orphan));
        }
    }
    Ok(None)
}
