//! The patrol: what a region lacks, in the order in which PD looks.
//!
//! Joint left over, orphans, a place that is empty, a peer in one that is dead or
//! on a store that leaves, a learner in one; the first that is found is mended.
//! Follows `PD checker/joint_state_checker.go, rule_checker.go, placement/fit.go`
//! with one rule, so many voters anywhere. Leaves out witnesses, learners that a
//! rule asks for, and locations.

use super::allocator::IdAllocator;
use super::builder;
use super::error::PdRefusal;
use super::operator::Purpose;
use super::regions::KnownRegion;
use super::step::{OperatorStep, Seat};
use super::store::{Liveness, StoreState};
use super::targets::Sight;
use crate::guard::{Guard, Guards};
use crate::proto::region::{Member, MemberRole, PeerId, StoreId};

/// What is to be done, and why.
pub(crate) struct PlannedOperator {
    pub(crate) purpose: Purpose,
    pub(crate) steps: Vec<OperatorStep>,
}

/// The region's members: who fills the rule's places, and who has none; the well
/// before those that wait for a snapshot, and last those that do not answer.
struct Fit {
    places: Vec<Member>,
    orphans: Vec<Member>,
}

impl Fit {
    /// As many as the rule asks for get a place: voters, and learners if there are
    /// too few of them. PD does not look whether a store leaves or who leads, and has
    /// no place for a peer on a store that it does not know.
    fn of<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion) -> Self {
        let waiting_counts = sight.guards.holds(Guard::PendingLearnerCounts);
        let is_learner = |peer: &Member| peer.role == MemberRole::Learner;
        let rank = |peer: &Member| {
            let score = if known.down.contains(&peer.id) { 2 } else { u8::from(!known.is_well(peer.id)) };
            (score, peer.id)
        };
        let fits = |peer: &&Member| {
            let waits = is_learner(peer) && !known.is_well(peer.id);
            sight.stores.get(peer.store).is_some() && (waiting_counts || !waits)
        };
        let mut peers = known.region.peers.clone();
        peers.sort_by_key(rank);
        let mut placed: Vec<&Member> = peers.iter().filter(fits).collect();
        placed.sort_by_key(|peer| (is_learner(peer), rank(peer)));
        placed.truncate(sight.config.max_replicas);
        let placed: Vec<PeerId> = placed.iter().map(|peer| peer.id).collect();
        let mut fit = Self { places: Vec::new(), orphans: Vec::new() };
        for peer in peers {
            let goes = !is_learner(&peer) || sight.guards.holds(Guard::OrphansLeave);
            if placed.contains(&peer.id) {
                fit.places.push(peer);
            } else if goes {
                fit.orphans.push(peer);
            }
        }
        fit
    }
}

/// What the region lacks; refused with the reason if it is nothing, or cannot
/// be mended. An id is taken only for a plan that is made.
pub(crate) fn check<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    ids: &mut IdAllocator,
) -> Result<PlannedOperator, PdRefusal> {
    builder::check_leader(known)?;
    if known.region.is_joint() {
        if !sight.guards.holds(Guard::JointEndedByPatrol) {
            return Err(PdRefusal::JointState);
        }
        let steps = builder::leave_joint(sight, known)?;
        return Ok(PlannedOperator { purpose: Purpose::LeaveJoint, steps });
    }
    let fit = Fit::of(sight, known);
    // PD logs what cannot be done about an orphan, and goes on.
    let refusal = match fix_orphans(sight, known, &fit) {
        Ok(Some(plan)) => return Ok(plan),
        Ok(None) => PdRefusal::NothingToDo,
        Err(refusal) => refusal,
    };
    let refusal = match add_rule_peer(sight, known, &fit, ids) {
        Ok(Some(plan)) => return Ok(plan),
        Ok(None) => refusal,
        // PD ends here: a learner that could vote waits until a store is free.
        Err(PdRefusal::NoTarget) if sight.guards.holds(Guard::PromotionNeedsNoTarget) => PdRefusal::NoTarget,
        Err(refusal) => return Err(refusal),
    };
    // The builder promotes nobody who is not well: somebody is waited for.
    let state = |store| sight.stores.get(store).map(|info| info.record.state);
    let may_vote = |peer: &&Member| {
        let is_well = known.is_well(peer.id);
        peer.role == MemberRole::Learner && is_well && state(peer.store) != Some(StoreState::Tombstone)
    };
    let learner = fit.places.iter().find(may_vote).ok_or(refusal)?;
    let steps = builder::promote(known, (*learner).into())?;
    Ok(PlannedOperator { purpose: Purpose::PromoteLearner, steps })
}

/// A place is empty, or who is in one is dead or has to leave: a peer comes.
fn add_rule_peer<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    fit: &Fit,
    ids: &mut IdAllocator,
) -> Result<Option<PlannedOperator>, PdRefusal> {
    if fit.places.len() < sight.config.max_replicas {
        let to = new_seat(sight, known, ids)?;
        return Ok(Some(PlannedOperator {
            purpose: Purpose::AddMissingPeer,
            steps: builder::add_peer(known, to)?,
        }));
    }
    for peer in &fit.places {
        let purpose = if is_dead(sight, known, peer) {
            Purpose::ReplaceDownPeer
        } else if is_leaving(sight, peer.store) {
            Purpose::ReplaceOfflinePeer
        } else {
            continue;
        };
        let to = new_seat(sight, known, ids)?;
        return Ok(Some(PlannedOperator { purpose, steps: builder::replace(sight, known, *peer, to)? }));
    }
    Ok(None)
}

/// Where the region's next peer goes. PD makes nothing without such a store, and
/// moves no leader instead.
fn new_seat<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    ids: &mut IdAllocator,
) -> Result<Seat, PdRefusal> {
    let store = sight.target(known).ok_or(PdRefusal::NoTarget)?;
    Ok(Seat { store, peer: ids.next() })
}

/// The leader misses it, and so does PD.
fn is_dead<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion, member: &Member) -> bool {
    known.down.contains(&member.id) && sight.liveness(member.store) == Some(Liveness::Down)
}

/// Offline or Tombstone. Of a store that is not known nothing is.
fn is_leaving<G: Guards>(sight: Sight<'_, G>, store: StoreId) -> bool {
    sight.stores.get(store).is_some_and(|info| info.record.state != StoreState::Up)
}

/// PD receives nothing from the store, or does not know it.
fn is_disconnected<G: Guards>(sight: Sight<'_, G>, store: StoreId) -> bool {
    sight.liveness(store) != Some(Liveness::Connected)
}

/// The leader reports the peer as healthy, and its store is connected.
fn is_healthy<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion, member: &Member) -> bool {
    known.is_well(member.id) && !is_disconnected(sight, member.store)
}

/// The first orphan leaves once all places are filled by healthy voters; until
/// then see [`stand_in`] and [`thin_out`].
fn fix_orphans<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    fit: &Fit,
) -> Result<Option<PlannedOperator>, PdRefusal> {
    let Some(first) = fit.orphans.first() else { return Ok(None) };
    let votes = |peer: &Member| peer.role != MemberRole::Learner;
    let satisfied = fit.places.len() == sight.config.max_replicas && fit.places.iter().all(votes);
    let unhealthy = fit.places.iter().find(|peer| !is_healthy(sight, known, peer));
    match unhealthy {
        None if satisfied => remove(sight, known, Purpose::RemoveOrphanPeer, first).map(Some),
        Some(missing) if satisfied && is_disconnected(sight, missing.store) => {
            match stand_in(sight, known, fit, missing)? {
                None => thin_out(sight, known, fit),
                plan => Ok(plan),
            }
        }
        _ => thin_out(sight, known, fit),
    }
}

fn remove<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    purpose: Purpose,
    peer: &Member,
) -> Result<PlannedOperator, PdRefusal> {
    Ok(PlannedOperator { purpose, steps: builder::remove_peer(sight, known, *peer)? })
}

/// A healthy orphan stands in for a voter that PD gets no heartbeat from (pd#6559): a
/// learner takes its place, beside a voter it can simply go.
fn stand_in<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    fit: &Fit,
    missing: &Member,
) -> Result<Option<PlannedOperator>, PdRefusal> {
    let able = fit.orphans.iter().find(|orphan| is_healthy(sight, known, orphan));
    let Some(able) = able.filter(|_| sight.guards.holds(Guard::OrphanMayFill)) else { return Ok(None) };
    if able.role != MemberRole::Learner {
        return remove(sight, known, Purpose::RemoveReplacedOrphan, missing).map(Some);
    }
    let steps = builder::replace(sight, known, *missing, (*able).into())?;
    Ok(Some(PlannedOperator { purpose: Purpose::ReplaceDownPeerWithOrphan, steps }))
}

/// Of several orphans the first that is not well leaves, else the second, or one on
/// a silent store in its place, if the region has more peers than it should.
fn thin_out<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    fit: &Fit,
) -> Result<Option<PlannedOperator>, PdRefusal> {
    let [first, second, ..] = &fit.orphans[..] else { return Ok(None) };
    let on_known = known.region.peers.iter().filter(|peer| sight.stores.get(peer.store).is_some()).count();
    let is_unwell = |peer: &&Member| !known.is_well(peer.id);
    let may_go = on_known > sight.config.max_replicas;
    let early = [first, second].into_iter().find(is_unwell);
    let unwell = if may_go { early } else { fit.orphans.iter().find(is_unwell) };
    if let Some(unwell) = unwell {
        return remove(sight, known, Purpose::RemoveUnhealthyOrphan, unwell).map(Some);
    }
    if !may_go {
        return Ok(None);
    }
    let silent = fit.orphans.iter().find(|orphan| is_disconnected(sight, orphan.store));
    remove(sight, known, Purpose::RemoveOrphanPeer, silent.unwrap_or(second)).map(Some)
}
