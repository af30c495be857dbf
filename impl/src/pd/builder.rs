//! Builds the steps of an operator.
//!
//! A voter is replaced by joint consensus: the new peer joins as a learner, learner and voter
//! change roles at once, and the old voter, now a learner, is removed. No step removes a voter
//! before its replacement votes, and none makes the leader remove or demote itself. Follows `PD
//! operator/builder.go`.

use super::error::PdRefusal;
use super::regions::KnownRegion;
use super::step::{OperatorStep, Seat};
use super::targets::Sight;
use crate::guard::{Guard, Guards};
use crate::proto::region::{Key, Member, MemberRole, StoreId};

/// Nothing is built for a region without a leader (row 41).
pub(crate) fn check_leader(known: &KnownRegion) -> Result<Member, PdRefusal> {
    known.leader().ok_or(PdRefusal::NoLeader)
}

fn check_buildable(known: &KnownRegion) -> Result<Member, PdRefusal> {
    let leader = check_leader(known)?;
    if known.region.is_joint() { Err(PdRefusal::JointState) } else { Ok(leader) }
}

/// A new voter, which joins as a learner.
pub(crate) fn add_peer(known: &KnownRegion, seat: Seat) -> Result<Vec<OperatorStep>, PdRefusal> {
    check_buildable(known)?;
    Ok(vec![OperatorStep::AddLearner(seat), OperatorStep::PromoteLearner(seat)])
}

/// A new voter, at once.
pub(crate) fn add_voter(known: &KnownRegion, seat: Seat) -> Result<Vec<OperatorStep>, PdRefusal> {
    check_buildable(known)?;
    Ok(vec![OperatorStep::AddPeer(seat)])
}

/// A learner that is there becomes a voter.
pub(crate) fn promote(known: &KnownRegion, seat: Seat) -> Result<Vec<OperatorStep>, PdRefusal> {
    check_buildable(known)?;
    Ok(vec![OperatorStep::PromoteLearner(seat)])
}

/// Replaces `from` by `to`, which may be a learner already. A learner `from` is not demoted: `to`
/// becomes a voter, and `from` is removed.
pub(crate) fn replace<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    from: Member,
    to: Seat,
) -> Result<Vec<OperatorStep>, PdRefusal> {
    let leader = check_buildable(known)?;
    let (promote, demote) = (vec![to], vec![Seat::from(from)]);
    let transferee = sight.transferee(known, from.store);
    let hands_over = leader.id == from.id && sight.guards.holds(Guard::LeaderHandsOverFirst);
    if hands_over && transferee.is_none() && !sight.guards.holds(Guard::LoneLeaderMoves) {
        return Err(PdRefusal::NoNewLeader);
    }
    let mut steps = Vec::new();
    if !sight.guards.holds(Guard::ReplacementJoinsFirst) {
        steps.extend(
            transferee
                .filter(|_| hands_over)
                .map(|transferee| OperatorStep::TransferLeader { to: transferee.store }),
        );
        steps.push(OperatorStep::RemovePeer(from.into()));
        return Ok(steps);
    }
    if known.region.member(to.peer).is_none() {
        steps.push(OperatorStep::AddLearner(to));
    }
    if from.role == MemberRole::Learner {
        steps.push(OperatorStep::PromoteLearner(to));
        steps.push(OperatorStep::RemovePeer(from.into()));
        return Ok(steps);
    }
    if hands_over && let Some(transferee) = transferee {
        steps.push(OperatorStep::TransferLeader { to: transferee.store });
    }
    steps.push(OperatorStep::EnterJoint { promote: promote.clone(), demote: demote.clone() });
    // If no other voter may lead, only the new one can, and not before this step.
    if hands_over && transferee.is_none() {
        steps.push(OperatorStep::TransferLeader { to: to.store });
    }
    steps.push(OperatorStep::LeaveJoint { promote, demote });
    steps.push(OperatorStep::RemovePeer(from.into()));
    Ok(steps)
}

/// One of an even number of voters is demoted first, because its leader demands it: a direct
/// removal could take the others' quorum with it (row 15, tikv#10595, etcd#10563; PD does so only
/// for two peers, pd#4411).
fn must_be_demoted(voters: usize, guards: impl Guards) -> bool {
    voters.is_multiple_of(2) && guards.holds(Guard::PlanDemotesFirst)
}

/// Removes the peer without a replacement.
pub(crate) fn remove_peer<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    from: Member,
) -> Result<Vec<OperatorStep>, PdRefusal> {
    let leader = check_buildable(known)?;
    let seat = Seat::from(from);
    if from.role == MemberRole::Learner {
        return Ok(vec![OperatorStep::RemovePeer(seat)]);
    }
    let voters = known.voters().count();
    if voters == 1 {
        return Err(PdRefusal::LastVoter);
    }
    check_majority_after(sight, known, from)?;
    let mut steps = Vec::new();
    if leader.id == from.id {
        let transferee = sight.transferee(known, from.store).ok_or(PdRefusal::NoNewLeader)?;
        steps.push(OperatorStep::TransferLeader { to: transferee.store });
    }
    if must_be_demoted(voters, sight.guards) {
        // The store makes a simple change of it: there is no joint configuration to
        // leave (`PD builder.go execChangePeerV2`).
        steps.push(OperatorStep::EnterJoint { promote: Vec::new(), demote: vec![seat] });
    }
    steps.push(OperatorStep::RemovePeer(seat));
    Ok(steps)
}

/// A live voter is not removed if the dead would then outvote the living (row 46); a pending voter
/// counts as dead. In TiKV the leader checks this (`TiKV peer.rs
/// check_availability_by_last_heartbeats, propose_conf_change`: the index that would be committed
/// is not truncated). Here PD does, by its own knowledge.
fn check_majority_after<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    from: Member,
) -> Result<(), PdRefusal> {
    let voters = known.voters().count() - 1;
    let live = known.voters().filter(|voter| voter.id != from.id && sight.is_live(known, voter)).count();
    let enough = live > voters / 2 || !sight.guards.holds(Guard::RemovalKeepsMajority);
    if enough || !sight.is_live(known, &from) { Ok(()) } else { Err(PdRefusal::MajorityLost) }
}

/// Transfers leadership to the voter on `to`. A joint region allows it, too: it is often the only
/// way out.
pub(crate) fn transfer_leader(known: &KnownRegion, to: StoreId) -> Result<Vec<OperatorStep>, PdRefusal> {
    let leader = check_leader(known)?;
    if leader.store == to {
        return Err(PdRefusal::AlreadyLeader);
    }
    Ok(vec![OperatorStep::TransferLeader { to }])
}

/// Transfers leadership from the store `from` to the first peer that may lead (`PD
/// schedulers/evict_leader.go`).
pub(crate) fn evict_leader<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
    from: StoreId,
) -> Result<Vec<OperatorStep>, PdRefusal> {
    if check_leader(known)?.store != from {
        return Err(PdRefusal::LedElsewhere);
    }
    let transferee = sight.transferee(known, from).ok_or(PdRefusal::NoNewLeader)?;
    transfer_leader(known, transferee.store)
}

/// Leaves a joint configuration. A leader that it demotes may not leave it itself, so leadership
/// moves first, to any peer that can lead.
pub(crate) fn leave_joint<G: Guards>(
    sight: Sight<'_, G>,
    known: &KnownRegion,
) -> Result<Vec<OperatorStep>, PdRefusal> {
    let leader = check_leader(known)?;
    let with = |role: MemberRole| -> Vec<Seat> {
        known
            .region
            .peers
            .iter()
            .filter(|member| member.role == role)
            .map(|member| (*member).into())
            .collect()
    };
    let mut steps = Vec::new();
    if leader.role == MemberRole::DemotingVoter && sight.guards.holds(Guard::JointHandsOverFirst) {
        let transferee = sight.transferee_anywhere(known, leader.store).ok_or(PdRefusal::NoNewLeader)?;
        steps.push(OperatorStep::TransferLeader { to: transferee.store });
    }
    let (promote, demote) = (with(MemberRole::IncomingVoter), with(MemberRole::DemotingVoter));
    steps.push(OperatorStep::LeaveJoint { promote, demote });
    Ok(steps)
}

/// Splits the region at ascending keys behind its start.
pub(crate) fn split(known: &KnownRegion, keys: &[Key]) -> Result<Vec<OperatorStep>, PdRefusal> {
    check_buildable(known)?;
    let region = &known.region;
    let ascend = keys.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = keys.iter().all(|key| region.contains(key) && *key != region.start);
    if keys.is_empty() || !ascend || !inside {
        return Err(PdRefusal::InvalidSplitKey);
    }
    let (start, end) = (region.start.clone(), region.end.clone());
    Ok(vec![OperatorStep::Split { keys: keys.to_vec(), start, end }])
}
