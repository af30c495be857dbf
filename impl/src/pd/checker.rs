//! The patrol: what a region lacks, in the order in which PD looks.
//!
//! Joint left over, orphans, missing voters, down voters, voters on a store
//! that is leaving; the first that is found is mended. Follows `PD
//! checker/joint_state_checker.go, rule_checker.go` with one rule, so many
//! voters anywhere. A learner that can fill a missing place is promoted before
//! anything is added. Where a peer should move and no store can take it, at
//! least leadership leaves the store that is leaving.

use super::allocator::IdAllocator;
use super::builder;
use super::error::PdRefusal;
use super::operator::Purpose;
use super::regions::KnownRegion;
use super::step::{OperatorStep, Seat};
use super::store::{Liveness, StoreState};
use super::targets::Sight;
use crate::guard::{Guard, Guards};
use crate::region::{Member, MemberRole, StoreId};

/// What is to be done, and why.
pub(crate) struct Plan {
    pub(crate) purpose: Purpose,
    pub(crate) steps: Vec<OperatorStep>,
}

/// The region's members: who fills the rule's places, and who has none.
struct Fit {
    voters: Vec<Member>,
    orphans: Vec<Member>,
}

/// What the region lacks; refused with the reason if it is nothing, or cannot
/// be mended. An id is taken only for a plan that is made.
pub(crate) fn check<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    ids: &mut IdAllocator,
) -> Result<Plan, PdRefusal> {
    builder::check_leader(known)?;
    if known.region.is_joint() {
        if !sight.guards.holds(Guard::JointEndedByPatrol) {
            return Err(PdRefusal::JointState);
        }
        let steps = builder::leave_joint(sight, known)?;
        return Ok(Plan { purpose: Purpose::LeaveJoint, steps });
    }
    let fit = fit(sight, known);
    // PD logs what cannot be done about an orphan, and goes on.
    let left = match fix_orphans(sight, known, &fit) {
        Ok(Some(plan)) => return Ok(plan),
        Ok(None) => None,
        Err(refusal) => Some(refusal),
    };
    if fit.voters.len() < sight.config.max_replicas {
        return make_up(sight, known, &fit, ids);
    }
    for voter in &fit.voters {
        if is_dead(sight, known, voter) {
            return replace(sight, known, *voter, Purpose::ReplaceDownPeer, ids);
        }
        if is_leaving(sight, voter.store) {
            return replace(sight, known, *voter, Purpose::ReplaceOfflinePeer, ids);
        }
    }
    // PD cannot judge a peer on a store that it does not know (row 45).
    let lost = fit.voters.iter().any(|voter| sight.stores.get(voter.store).is_none());
    Err(left.unwrap_or(if lost { PdRefusal::StoreLost } else { PdRefusal::NothingToDo }))
}

/// The leader misses it, and so does PD.
fn is_dead<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion, member: &Member) -> bool {
    known.down.contains(&member.id) && sight.liveness(member.store) == Some(Liveness::Down)
}

/// Offline or Tombstone. Of a store that is not known nothing is.
fn is_leaving<G: Guards>(sight: Sight<'_, G>, store: StoreId) -> bool {
    sight.stores.get(store).is_some_and(|info| info.record.state != StoreState::Up)
}

/// Of more voters than the rule asks for, the worst are orphans: the dead, then
/// those on a leaving store, then those behind, then the last to have joined;
/// never the leader.
fn fit<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion) -> Fit {
    let rank = |voter: &Member| {
        let leads = known.leader == Some(voter.id);
        let (dead, leaving) = (is_dead(sight, known, voter), is_leaving(sight, voter.store));
        (!leads, dead, leaving, !known.is_well(voter.id))
    };
    let mut voters: Vec<Member> = known.voters().collect();
    voters.sort_by_key(rank);
    let surplus = voters.split_off(voters.len().min(sight.config.max_replicas));
    let joined = |member: &Member| known.region.peers.iter().position(|other| other.id == member.id);
    voters.sort_by_key(joined);
    let mut learners: Vec<Member> = Vec::new();
    if sight.guards.holds(Guard::OrphansLeave) {
        let of_region = known.region.peers.iter();
        learners.extend(of_region.filter(|member| member.role == MemberRole::Learner));
    }
    Fit { voters, orphans: surplus.into_iter().rev().chain(learners).collect() }
}

/// The leader finds the peer well, and PD hears from its store.
fn is_healthy<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion, member: &Member) -> bool {
    known.is_well(member.id) && sight.liveness(member.store) == Some(Liveness::Connected)
}

/// The leader misses it, and PD does not hear from its store; that it is Down
/// is not waited for where a learner can take the place at once.
fn is_missing<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion, member: &Member) -> bool {
    known.down.contains(&member.id) && sight.liveness(member.store) != Some(Liveness::Connected)
}

/// A learner that could vote: it has caught up, and its store stays and is heard from.
fn can_be_promoted<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion, member: &Member) -> bool {
    member.role == MemberRole::Learner
        && is_healthy(sight, known, member)
        && sight.stores.get(member.store).is_some_and(|info| info.record.state == StoreState::Up)
}

/// An orphan leaves once every place is filled by a voter that is well; until
/// then a dead voter may be replaced by it (pd#6559), and of several a sick
/// one leaves.
fn fix_orphans<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    fit: &Fit,
) -> Result<Option<Plan>, PdRefusal> {
    let Some(first) = fit.orphans.first() else { return Ok(None) };
    let full = fit.voters.len() == sight.config.max_replicas;
    let remove = |orphan: &Member| {
        let steps = builder::remove_peer(sight, known, *orphan)?;
        Ok(Some(Plan { purpose: Purpose::RemoveOrphanPeer, steps }))
    };
    if full && fit.voters.iter().all(|voter| is_healthy(sight, known, voter)) {
        return remove(first);
    }
    let missing = fit.voters.iter().find(|voter| is_missing(sight, known, voter));
    let mut able = fit.orphans.iter().find(|orphan| can_be_promoted(sight, known, orphan));
    if !sight.guards.holds(Guard::OrphanMayFill) {
        able = None;
    }
    if let (true, Some(missing), Some(able)) = (full, missing, able) {
        let steps = builder::replace(sight, known, *missing, (*able).into())?;
        return Ok(Some(Plan { purpose: Purpose::ReplaceDownPeerWithOrphan, steps }));
    }
    match fit.orphans.iter().find(|orphan| !known.is_well(orphan.id)) {
        Some(sick) if fit.orphans.len() > 1 => remove(sick),
        _ => Ok(None),
    }
}

/// A voter is missing: a learner takes the place, or a new peer.
fn make_up<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    fit: &Fit,
    ids: &mut IdAllocator,
) -> Result<Plan, PdRefusal> {
    if let Some(learner) = fit.orphans.iter().find(|orphan| can_be_promoted(sight, known, orphan)) {
        let steps = builder::promote(known, (*learner).into())?;
        return Ok(Plan { purpose: Purpose::PromoteLearner, steps });
    }
    let Some(store) = sight.target(known) else { return evict_leader(sight, known) };
    let steps = builder::add_peer(known, Seat { store, peer: ids.next() })?;
    Ok(Plan { purpose: Purpose::AddMissingPeer, steps })
}

fn replace<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    voter: Member,
    purpose: Purpose,
    ids: &mut IdAllocator,
) -> Result<Plan, PdRefusal> {
    let Some(store) = sight.target(known) else { return evict_leader(sight, known) };
    let to = Seat { store, peer: ids.next() };
    Ok(Plan { purpose, steps: builder::replace(sight, known, voter, to)? })
}

/// No peer can be moved; leadership can, away from a store that is leaving.
fn evict_leader<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion) -> Result<Plan, PdRefusal> {
    let leader = builder::check_leader(known)?;
    match sight.heir(known, leader.store) {
        Some(heir) if is_leaving(sight, leader.store) => {
            let steps = builder::transfer_leader(known, heir.store)?;
            Ok(Plan { purpose: Purpose::EvictLeader, steps })
        }
        _ => Err(PdRefusal::NoTarget),
    }
}
