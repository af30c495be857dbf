//! The patrol: what a region lacks, in the order in which PD looks.
//!
//! A joint configuration that was left over, peers that nobody asked for,
//! missing ones, dead ones, those on a store that is leaving, learners that
//! should vote; the first that is found is mended. One rule: so many voters, on
//! any store (PD `checker/joint_state_checker.go, rule_checker.go`,
//! `placement/fit.go`). Left out: witnesses, TiFlash learners, labels, and with
//! them better locations.

use rollcall_traces::{
    KnownRegion, Liveness, Member, MemberRole, Operator, OperatorStep, Purpose, Reason, Seat, StoreId,
    StoreState,
};

use super::builder::{self, Sight};
use crate::guard::Guard;
use crate::unsound;

/// What is done about the region.
///
/// # Errors
/// Why nothing is.
pub(super) fn check(sight: &Sight, known: &KnownRegion, ids: &mut u64) -> Result<Operator, Reason> {
    let leader = builder::leader_of(known)?;
    if known.region.is_joint() {
        return leave_joint(sight, known, &leader);
    }
    let (places, orphans) = fit(sight, known);
    // What cannot be done about an orphan keeps nobody from the rest.
    let left = match fix_orphans(sight, known, &places, &orphans) {
        Ok(Some(made)) => return Ok(made),
        Ok(None) => None,
        Err(reason) => Some(reason),
    };
    fix_places(sight, known, &places, ids)?.ok_or(left.unwrap_or(Reason::NothingToDo))
}

/// Brings a peer, or promotes one that is there. In PD nobody is promoted while a
/// peer should come and no store is free: where a second learner has the last store,
/// both wait for ever (`fixRulePeer` ends at `ErrNoStoreToReplace`).
fn fix_places(
    sight: &Sight,
    known: &KnownRegion,
    places: &[Member],
    ids: &mut u64,
) -> Result<Option<Operator>, Reason> {
    let added = add_rule_peer(sight, known, places, ids);
    match added {
        Err(Reason::NoTarget) if sight.guards.holds(Guard::PromotionNeedsNoTarget) => {}
        Ok(None) => {}
        made => return made,
    }
    promote(sight, known, places).map_or(added, |made| Ok(Some(made)))
}

/// The first learner that holds a place becomes a voter; while none is well one is
/// waited for (PD `fixLooseMatchPeer`, `Builder.PromoteLearner`). Nobody comes to
/// vote on a store that has left.
fn promote(sight: &Sight, known: &KnownRegion, places: &[Member]) -> Option<Operator> {
    let has_left = |store| sight.pd.stores.get(&store).is_some_and(|of| of.state == StoreState::Tombstone);
    let learner = places
        .iter()
        .find(|peer| peer.role == MemberRole::Learner && known.is_well(peer.id) && !has_left(peer.store))?;
    let steps = vec![OperatorStep::PromoteLearner((*learner).into())];
    Some(builder::operator(known, Purpose::FixPeerRole, steps))
}

/// Fills an empty place, or replaces who cannot stay in one. With no target nothing
/// is made, not even for a leader: leaders are moved by hand (PD `addRulePeer,
/// replaceUnexpectedRulePeer`).
fn add_rule_peer(
    sight: &Sight,
    known: &KnownRegion,
    places: &[Member],
    ids: &mut u64,
) -> Result<Option<Operator>, Reason> {
    if places.len() < sight.replicas {
        let store = sight.target(known).ok_or(Reason::NoTarget)?;
        return Ok(Some(builder::operator(
            known,
            Purpose::AddRulePeer,
            builder::add_peer(known, store, ids)?,
        )));
    }
    let wrong = places.iter().find_map(|peer| {
        let leaving = is_leaving(sight, peer.store).then_some(Purpose::ReplaceRuleOfflinePeer);
        let purpose = is_dead(sight, known, peer).then_some(Purpose::ReplaceRuleDownPeer).or(leaving)?;
        Some((peer, purpose))
    });
    if let Some((peer, purpose)) = wrong {
        let store = sight.target(known).ok_or(Reason::NoTarget)?;
        let to = Seat { store, peer: builder::take_id(ids) };
        return Ok(Some(builder::operator(known, purpose, builder::replace(sight, known, peer, to)?)));
    }
    Ok(None)
}

/// Nobody else will end it (tikv#17602).
fn leave_joint(sight: &Sight, known: &KnownRegion, leader: &Member) -> Result<Operator, Reason> {
    if !sight.guards.holds(Guard::JointEndedByPatrol) {
        return unsound::leave_it_joint();
    }
    let with = |role| {
        let members = known.region.peers.iter().filter(move |member| member.role == role);
        members.map(|member| Seat::from(*member)).collect::<Vec<_>>()
    };
    let mut steps = Vec::new();
    if sight.guards.holds(Guard::JointHandsOverFirst) && leader.role == MemberRole::DemotingVoter {
        let transferee = sight.transferee_anywhere(known, leader.store).ok_or(Reason::NoNewLeader)?;
        steps.push(OperatorStep::TransferLeader { to: transferee.store });
    }
    let (promote, demote) = (with(MemberRole::IncomingVoter), with(MemberRole::DemotingVoter));
    steps.push(OperatorStep::LeaveJoint { promote, demote });
    Ok(builder::operator(known, Purpose::LeaveJoint, steps))
}

/// The leader misses it, and so does PD.
fn is_dead(sight: &Sight, known: &KnownRegion, member: &Member) -> bool {
    let down = sight.pd.stores.get(&member.store).is_some_and(|store| store.liveness == Liveness::Down);
    down && known.down.contains(&member.id)
}

fn is_leaving(sight: &Sight, store: StoreId) -> bool {
    sight.pd.stores.get(&store).is_some_and(|record| record.state != StoreState::Up)
}

/// Who fills the region's places, and who has none, both as PD goes through
/// them: the well, those that wait for a snapshot, those that do not answer, and
/// of the same the lower id first. Voters come before learners into a place; a
/// learner in one fits loosely. A peer on a store that PD does not know fits
/// nowhere. Whose store leaves, and who leads, is not asked.
fn fit(sight: &Sight, known: &KnownRegion) -> (Vec<Member>, Vec<Member>) {
    let mut peers = known.region.peers.clone();
    peers.sort_by_key(|peer| {
        let (down, pending) = (known.down.contains(&peer.id), known.pending.contains(&peer.id));
        (down, pending, peer.id)
    });
    let is_learner = |peer: &Member| peer.role == MemberRole::Learner;
    let counts = |peer: &&Member| {
        let is_known = sight.pd.stores.contains_key(&peer.store);
        is_known
            && (sight.guards.holds(Guard::PendingLearnerCounts)
                || !unsound::waits_for_its_snapshot(known, peer))
    };
    let (learners, voters): (Vec<&Member>, Vec<&Member>) =
        peers.iter().filter(counts).partition(|peer| is_learner(peer));
    let placed: Vec<u64> =
        voters.into_iter().chain(learners).take(sight.replicas).map(|peer| peer.id).collect();
    let (places, mut orphans): (Vec<Member>, Vec<Member>) =
        peers.into_iter().partition(|peer| placed.contains(&peer.id));
    if !sight.guards.holds(Guard::OrphansLeave) {
        unsound::spare_learners(&mut orphans);
    }
    (places, orphans)
}

/// PD gets no heartbeat from the store, or does not know it.
fn is_silent(sight: &Sight, store: StoreId) -> bool {
    sight.pd.stores.get(&store).is_none_or(|known| known.liveness != Liveness::Connected)
}

/// An orphan leaves once every place is filled by a voter that is well and whose
/// store is connected. Until then one that could take the place of a voter on a
/// silent store does (pd#6559), or, voting already, frees it; of several the sick
/// leave, and all the healthy but one (PD `fixOrphanPeers`).
fn fix_orphans(
    sight: &Sight,
    known: &KnownRegion,
    places: &[Member],
    orphans: &[Member],
) -> Result<Option<Operator>, Reason> {
    let Some(first) = orphans.first() else { return Ok(None) };
    let remove = |purpose, gone: &Member| {
        let steps = builder::remove_peer(sight, known, gone)?;
        Ok(Some(builder::operator(known, purpose, steps)))
    };
    let is_healthy = |peer: &Member| known.is_well(peer.id) && !is_silent(sight, peer.store);
    let full = places.len() == sight.replicas && places.iter().all(|peer| peer.role != MemberRole::Learner);
    let sick = places.iter().find(|peer| !is_healthy(peer));
    if full && sick.is_none() {
        return remove(Purpose::RemoveOrphanPeer, first);
    }
    // The first that is not healthy, and no other, is asked for.
    let missing = sick.filter(|peer| full && is_silent(sight, peer.store));
    let able = orphans.iter().find(|orphan| is_healthy(orphan));
    if sight.guards.holds(Guard::OrphanMayFill)
        && let (Some(missing), Some(able)) = (missing, able)
    {
        if able.role != MemberRole::Learner {
            return remove(Purpose::RemoveReplacedOrphanPeer, missing);
        }
        let steps = builder::replace(sight, known, missing, (*able).into())?;
        return Ok(Some(builder::operator(known, Purpose::ReplaceDownPeerWithOrphanPeer, steps)));
    }
    let stores = known.region.peers.iter().filter(|peer| sight.pd.stores.contains_key(&peer.store));
    let surplus = stores.count() > sight.replicas;
    let silent = orphans.iter().find(|orphan| is_silent(sight, orphan.store));
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
