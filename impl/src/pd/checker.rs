//! The patrol: what a region lacks, in PD's order of checks.
//!
//! It fixes the first of these: a leftover joint configuration, orphans, an empty place, a down
//! peer, a peer on a store that is leaving, a learner in a place. Follows `PD
//! checker/joint_state_checker.go, rule_checker.go, placement/fit.go` with one rule: a number of
//! voters on any store. Left out: witnesses, rules for learners, and locations.

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

/// An operator's steps and its purpose.
pub(crate) struct PlannedOperator {
    pub(crate) purpose: Purpose,
    pub(crate) steps: Vec<OperatorStep>,
}

/// The region's members: those that fill the rule's places, and the orphans. Both in PD's order:
/// healthy, pending, down.
struct Fit {
    places: Vec<Member>,
    orphans: Vec<Member>,
}

impl Fit {
    /// Voters fill the rule's places first, then learners. Leaving stores and leadership do not
    /// matter. A peer on a store that PD does not know gets no place.
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

/// The operator that the region needs, or why there is none. An id is taken only for an operator
/// that is made.
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
    // PD logs a failed orphan check and continues.
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
    // The builder promotes only a healthy learner, so the patrol waits for one.
    let state = |store| sight.stores.get(store).map(|info| info.record.state);
    let may_vote = |peer: &&Member| {
        let is_well = known.is_well(peer.id);
        peer.role == MemberRole::Learner && is_well && state(peer.store) != Some(StoreState::Tombstone)
    };
    let learner = fit.places.iter().find(may_vote).ok_or(refusal)?;
    let steps = builder::promote(known, (*learner).into())?;
    Ok(PlannedOperator { purpose: Purpose::PromoteLearner, steps })
}

/// Adds a peer to an empty place, or replaces a down peer or one on a leaving store.
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

/// The seat of the region's next peer. Without a target store PD makes no operator, not even a
/// leader transfer.
fn new_seat<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    ids: &mut IdAllocator,
) -> Result<Seat, PdRefusal> {
    let store = sight.target(known).ok_or(PdRefusal::NoTarget)?;
    Ok(Seat { store, peer: ids.next() })
}

/// Whether the peer is down by the leader's report, and its store Down by PD's record.
fn is_dead<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion, member: &Member) -> bool {
    known.down.contains(&member.id) && sight.liveness(member.store) == Some(Liveness::Down)
}

/// Whether the store is Offline or Tombstone; false for an unknown store.
fn is_leaving<G: Guards>(sight: Sight<'_, G>, store: StoreId) -> bool {
    sight.stores.get(store).is_some_and(|info| info.record.state != StoreState::Up)
}

/// Whether PD misses the store's heartbeats, or does not know the store.
fn is_disconnected<G: Guards>(sight: Sight<'_, G>, store: StoreId) -> bool {
    sight.liveness(store) != Some(Liveness::Connected)
}

/// The leader reports the peer as healthy, and its store is connected.
fn is_healthy<G: Guards>(sight: Sight<'_, G>, known: &KnownRegion, member: &Member) -> bool {
    known.is_well(member.id) && !is_disconnected(sight, member.store)
}

/// Removes the first orphan once healthy voters fill all places. Until then see [`stand_in`] and
/// [`thin_out`].
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

/// A healthy orphan replaces a voter on a disconnected store (pd#6559). A learner takes that
/// voter's place; if the orphan votes already, the voter is only removed.
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

/// Removes one of several orphans: the first unhealthy one; otherwise, if the region has too many
/// peers, one on a disconnected store or the second.
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
