//! The patrol: what a region lacks, in the order in which PD looks.
//!
//! A joint configuration that was left over, peers that nobody asked for,
//! missing voters, dead ones, those on a store that is leaving; the first that
//! is found is mended (PD `checker/joint_state_checker.go, rule_checker.go`).

use rollcall_traces::{
    KnownRegion, Liveness, Member, MemberRole, Operator, OperatorStep, Purpose, Reason, Seat, StoreId,
    StoreState,
};

use super::plan::{self, Sight};
use crate::guard::Guard;

/// What is done about the region.
///
/// # Errors
/// Why nothing is.
pub(super) fn check(sight: &Sight, known: &KnownRegion, ids: &mut u64) -> Result<Operator, Reason> {
    let leader = plan::leader_of(known)?;
    if known.region.is_joint() {
        return leave_joint(sight, known, &leader);
    }
    let (places, orphans) = fit(sight, known);
    // What cannot be done about an orphan keeps nobody from the rest.
    let left = match orphan(sight, known, &places, &orphans) {
        Ok(Some(made)) => return Ok(made),
        Ok(None) => None,
        Err(reason) => Some(reason),
    };
    if places.len() < sight.replicas {
        if let Some(learner) = orphans.iter().find(|orphan| may_be_promoted(sight, known, orphan)) {
            let steps = vec![OperatorStep::PromoteLearner((*learner).into())];
            return Ok(plan::operator(known, Purpose::FixPeerRole, steps));
        }
        let Some(store) = sight.target(known) else { return evict(sight, known, &leader) };
        return Ok(plan::operator(known, Purpose::AddRulePeer, plan::add_peer(known, store, ids)?));
    }
    let wrong = places.iter().find_map(|voter| {
        let leaving = is_leaving(sight, voter.store).then_some(Purpose::ReplaceRuleOfflinePeer);
        let purpose = is_dead(sight, known, voter).then_some(Purpose::ReplaceRuleDownPeer).or(leaving)?;
        Some((voter, purpose))
    });
    if let Some((voter, purpose)) = wrong {
        let Some(store) = sight.target(known) else { return evict(sight, known, &leader) };
        let to = Seat { store, peer: plan::take_id(ids) };
        return Ok(plan::operator(known, purpose, plan::replace(sight, known, voter, to)?));
    }
    let lost = places.iter().any(|voter| !sight.pd.stores.contains_key(&voter.store));
    Err(left.unwrap_or(if lost { Reason::StoreLost } else { Reason::NothingToDo }))
}

/// Nobody else will end it (tikv#17602).
fn leave_joint(sight: &Sight, known: &KnownRegion, leader: &Member) -> Result<Operator, Reason> {
    if !sight.guards.holds(Guard::JointEndedByPatrol) {
        return Err(Reason::JointState);
    }
    let with = |role| {
        let members = known.region.peers.iter().filter(move |member| member.role == role);
        members.map(|member| Seat::from(*member)).collect::<Vec<_>>()
    };
    let mut steps = Vec::new();
    if leader.role == MemberRole::DemotingVoter && sight.guards.holds(Guard::JointHandsOverFirst) {
        let heir = sight.heir_anywhere(known, leader.store).ok_or(Reason::NoNewLeader)?;
        steps.push(OperatorStep::TransferLeader { to: heir.store });
    }
    let (promote, demote) = (with(MemberRole::IncomingVoter), with(MemberRole::DemotingVoter));
    steps.push(OperatorStep::LeaveJoint { promote, demote });
    Ok(plan::operator(known, Purpose::LeaveJoint, steps))
}

/// The leader misses it, and so does the driver.
fn is_dead(sight: &Sight, known: &KnownRegion, member: &Member) -> bool {
    let down = sight.pd.stores.get(&member.store).is_some_and(|store| store.liveness == Liveness::Down);
    down && known.down.contains(&member.id)
}

fn is_leaving(sight: &Sight, store: StoreId) -> bool {
    sight.pd.stores.get(&store).is_some_and(|record| record.state != StoreState::Up)
}

/// The voters that fill the region's places, in member order, and who has
/// none: surplus voters, the worst first, then learners.
fn fit(sight: &Sight, known: &KnownRegion) -> (Vec<Member>, Vec<Member>) {
    let mut ranked: Vec<Member> = plan::voters(known).collect();
    ranked.sort_by_key(|voter| {
        let follows = known.leader != voter.id;
        let (dead, leaving) = (is_dead(sight, known, voter), is_leaving(sight, voter.store));
        (follows, dead, leaving, !known.is_well(voter.id))
    });
    let surplus = ranked.split_off(ranked.len().min(sight.replicas));
    let filled = |voter: &Member| ranked.iter().any(|other| other.id == voter.id);
    let places = plan::voters(known).filter(filled).collect();
    let learners = known
        .region
        .peers
        .iter()
        .copied()
        .filter(|member| member.role == MemberRole::Learner && sight.guards.holds(Guard::OrphansLeave));
    (places, surplus.into_iter().rev().chain(learners).collect())
}

/// A learner that has caught up and whose store stays and is heard from.
fn may_be_promoted(sight: &Sight, known: &KnownRegion, member: &Member) -> bool {
    let up = sight.pd.stores.get(&member.store).is_some_and(|store| store.state == StoreState::Up);
    member.role == MemberRole::Learner && up && is_healthy(sight, known, member)
}

/// The leader finds the peer well, and PD hears from its store.
fn is_healthy(sight: &Sight, known: &KnownRegion, member: &Member) -> bool {
    let store = sight.pd.stores.get(&member.store);
    known.is_well(member.id) && store.is_some_and(|store| store.liveness == Liveness::Connected)
}

/// The leader misses the voter, and PD does not hear from its store: a learner
/// that is there takes its place at once, without waiting until it is Down.
fn is_missing(sight: &Sight, known: &KnownRegion, member: &Member) -> bool {
    let heard = |store: &rollcall_traces::KnownStore| store.liveness == Liveness::Connected;
    known.down.contains(&member.id) && !sight.pd.stores.get(&member.store).is_some_and(heard)
}

/// An orphan leaves once every place is filled by a healthy voter; until then a
/// voter that is missing is replaced by it (pd#6559), and of several a sick one
/// leaves.
fn orphan(
    sight: &Sight,
    known: &KnownRegion,
    places: &[Member],
    orphans: &[Member],
) -> Result<Option<Operator>, Reason> {
    let Some(first) = orphans.first() else { return Ok(None) };
    let full = places.len() == sight.replicas;
    let remove = |orphan: &Member| {
        let steps = plan::remove_peer(sight, known, orphan)?;
        Ok(Some(plan::operator(known, Purpose::RemoveOrphanPeer, steps)))
    };
    if full && places.iter().all(|voter| is_healthy(sight, known, voter)) {
        return remove(first);
    }
    let missing = places.iter().find(|voter| is_missing(sight, known, voter));
    let able = orphans.iter().find(|orphan| may_be_promoted(sight, known, orphan));
    if let (Some(missing), Some(able)) = (missing, able)
        && full
        && sight.guards.holds(Guard::OrphanMayFill)
    {
        let steps = plan::replace(sight, known, missing, (*able).into())?;
        return Ok(Some(plan::operator(known, Purpose::ReplaceDownPeerWithOrphanPeer, steps)));
    }
    match orphans.iter().find(|orphan| !known.is_well(orphan.id)) {
        Some(sick) if orphans.len() > 1 => remove(sick),
        _ => Ok(None),
    }
}

/// No peer can be moved; leadership can, away from a store that is leaving.
fn evict(sight: &Sight, known: &KnownRegion, leader: &Member) -> Result<Operator, Reason> {
    match sight.heir(known, leader.store) {
        Some(heir) if is_leaving(sight, leader.store) => {
            let steps = vec![OperatorStep::TransferLeader { to: heir.store }];
            Ok(plan::operator(known, Purpose::EvictLeader, steps))
        }
        _ => Err(Reason::NoTarget),
    }
}
