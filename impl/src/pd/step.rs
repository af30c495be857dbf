//! The steps of an operator: what each orders, when it is finished, how far it raises the conf_ver,
//! and when it is stale.
//!
//! A step is finished when the leader's report shows it, whatever caused it. Follows `PD
//! operator/step.go`. One difference: a peer counts as removed once its id is gone. PD checks the
//! store, and would remove the peer's successor.

use super::regions::KnownRegion;
use crate::proto::command::{Change, ChangeKind, Command};
use crate::proto::region::{Key, Member, MemberRole, PeerId, StoreId};

/// An order to a leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Propose this.
    Propose(Command),
    /// Ask for the ids of a split at these keys.
    Split {
        /// Where.
        keys: Vec<Key>,
    },
}

/// Why an operator is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StaleOperator {
    /// The conf_ver rose by more than its steps account for.
    EpochNotMatch,
    /// A store that it needs is unknown.
    StoreGone,
    /// A store that it needs is Down.
    StoreDown,
    /// A peer that it needs is missing.
    PeerMissing,
    /// Another peer is on the store where it would add one.
    PeerExists,
    /// A peer has a role that the step cannot change.
    WrongRole,
    /// It would remove or demote the leader.
    LeaderRemoval,
    /// The region is joint by another change.
    NotAtomic,
}

/// A peer and the store that it lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    /// The store.
    pub store: StoreId,
    /// The peer.
    pub peer: PeerId,
}

impl From<Member> for Seat {
    fn from(member: Member) -> Self {
        Self { store: member.store, peer: member.id }
    }
}

/// One step of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OperatorStep {
    /// Leadership goes to the peer on this store.
    TransferLeader {
        /// The store.
        to: StoreId,
    },
    /// A new learner.
    AddLearner(Seat),
    /// A learner becomes a voter.
    PromoteLearner(Seat),
    /// A new voter, at once (TinyKV, and PD before learners).
    AddPeer(Seat),
    /// A peer leaves.
    RemovePeer(Seat),
    /// Learners become voters and voters learners, in a joint configuration.
    EnterJoint {
        /// The learners.
        promote: Vec<Seat>,
        /// The voters.
        demote: Vec<Seat>,
    },
    /// The joint configuration ends.
    LeaveJoint {
        /// The promoted peers.
        promote: Vec<Seat>,
        /// The demoted peers.
        demote: Vec<Seat>,
    },
    /// The region is divided.
    Split {
        /// Where.
        keys: Vec<Key>,
        /// The range before the split: once it changes, the step is finished.
        start: Key,
        /// See `start`.
        end: Key,
    },
}

impl OperatorStep {
    /// Whether the region shows that the step is finished. A peer counts as added once it has
    /// caught up.
    pub fn is_finished(&self, known: &KnownRegion) -> bool {
        match self {
            OperatorStep::TransferLeader { to } => known.leader().is_some_and(|leader| leader.store == *to),
            OperatorStep::AddLearner(seat) => {
                is_seat(known.learner_on(seat.store), seat) && !known.pending.contains(&seat.peer)
            }
            OperatorStep::AddPeer(seat) => {
                is_seat(known.voter_on(seat.store), seat) && !known.pending.contains(&seat.peer)
            }
            OperatorStep::PromoteLearner(seat) => role(known, seat) == Some(MemberRole::Voter),
            OperatorStep::RemovePeer(seat) => role(known, seat).is_none(),
            OperatorStep::EnterJoint { promote, demote } => {
                promote.iter().all(|seat| role(known, seat).is_some_and(is_promoted))
                    && demote.iter().all(|seat| role(known, seat).is_some_and(is_demoted))
            }
            OperatorStep::LeaveJoint { promote, demote } => {
                promote.iter().all(|seat| role(known, seat) == Some(MemberRole::Voter))
                    && demote.iter().all(|seat| role(known, seat) == Some(MemberRole::Learner))
                    && !known.region.is_joint()
            }
            OperatorStep::Split { start, end, .. } => {
                known.region.start != *start || known.region.end != *end
            }
        }
    }

    /// How far the step has raised the region's conf_ver, by its members. A wrong count cancels
    /// sound operators (pd#1714).
    pub fn conf_ver_delta(&self, known: &KnownRegion) -> u64 {
        let happened = match self {
            OperatorStep::TransferLeader { .. } | OperatorStep::Split { .. } => false,
            OperatorStep::AddLearner(seat) => role(known, seat).is_some(),
            OperatorStep::AddPeer(seat) => is_seat(known.voter_on(seat.store), seat),
            OperatorStep::PromoteLearner(seat) => role(known, seat) == Some(MemberRole::Voter),
            OperatorStep::RemovePeer(seat) => role(known, seat).is_none(),
            // A demoted peer may have been removed since.
            OperatorStep::EnterJoint { promote, demote } => {
                promote.iter().all(|seat| role(known, seat).is_some_and(is_promoted))
                    && demote.iter().all(|seat| role(known, seat).is_none_or(is_demoted))
            }
            OperatorStep::LeaveJoint { promote, demote } => {
                let left = |seat: &Seat| role(known, seat).is_none_or(|role| role == MemberRole::Learner);
                promote.iter().all(|seat| role(known, seat) == Some(MemberRole::Voter))
                    && demote.iter().all(left)
            }
        };
        if happened { self.changes() } else { 0 }
    }

    /// Its number of member changes.
    fn changes(&self) -> u64 {
        match self {
            OperatorStep::TransferLeader { .. } | OperatorStep::Split { .. } => 0,
            OperatorStep::EnterJoint { promote, demote } | OperatorStep::LeaveJoint { promote, demote } => {
                (promote.len() + demote.len()) as u64
            }
            _ => 1,
        }
    }

    /// Its timeout in ticks.
    pub(crate) fn time_allowed(&self, slow: u64, fast: u64) -> u64 {
        match self {
            OperatorStep::AddLearner(_) | OperatorStep::AddPeer(_) => slow,
            OperatorStep::EnterJoint { .. } | OperatorStep::LeaveJoint { .. } => fast * (self.changes() + 1),
            _ => fast,
        }
    }

    /// The store that must not be Down, or the step is stale.
    pub(crate) fn target(&self) -> Option<StoreId> {
        match self {
            OperatorStep::TransferLeader { to } => Some(*to),
            OperatorStep::AddLearner(seat) | OperatorStep::AddPeer(seat) => Some(seat.store),
            _ => None,
        }
    }

    /// Checks that the step still fits these members.
    ///
    /// # Errors
    /// Why it is stale.
    pub fn check_in_progress(&self, known: &KnownRegion) -> Result<(), StaleOperator> {
        match self {
            OperatorStep::TransferLeader { to } => match known.region.member_on(*to) {
                None => Err(StaleOperator::PeerMissing),
                Some(member) if member.role == MemberRole::Learner => Err(StaleOperator::WrongRole),
                Some(_) => Ok(()),
            },
            OperatorStep::AddLearner(seat) | OperatorStep::AddPeer(seat) => {
                match known.region.member_on(seat.store) {
                    None => Ok(()),
                    Some(member) if member.id != seat.peer => Err(StaleOperator::PeerExists),
                    Some(member) => {
                        let wants_learner = matches!(self, OperatorStep::AddLearner(_));
                        let wrong = wants_learner && member.role != MemberRole::Learner;
                        if wrong { Err(StaleOperator::WrongRole) } else { Ok(()) }
                    }
                }
            }
            OperatorStep::PromoteLearner(seat) => {
                role(known, seat).map(|_| ()).ok_or(StaleOperator::PeerMissing)
            }
            OperatorStep::RemovePeer(seat) => {
                let leads = known.leader == Some(seat.peer);
                if leads { Err(StaleOperator::LeaderRemoval) } else { Ok(()) }
            }
            OperatorStep::EnterJoint { promote, demote } => check_joint(known, promote, demote),
            OperatorStep::LeaveJoint { promote, demote } => {
                check_joint(known, promote, demote)?;
                let still_learner = |seat: &Seat| role(known, seat) == Some(MemberRole::Learner);
                let still_voter = |seat: &Seat| role(known, seat) == Some(MemberRole::Voter);
                if promote.iter().any(still_learner) || demote.iter().any(still_voter) {
                    return Err(StaleOperator::WrongRole);
                }
                let demotes_leader = demote.iter().any(|seat| known.leader == Some(seat.peer));
                let refused = known.region.is_joint() && demotes_leader;
                if refused { Err(StaleOperator::LeaderRemoval) } else { Ok(()) }
            }
            OperatorStep::Split { .. } => Ok(()),
        }
    }

    /// The order to the leader; none while a peer that was added
    /// catches up.
    pub fn order(&self, known: &KnownRegion) -> Option<Order> {
        let command = match self {
            OperatorStep::TransferLeader { to } => Command::TransferLeader { to: *to },
            OperatorStep::AddLearner(seat) | OperatorStep::AddPeer(seat)
                if known.region.member_on(seat.store).is_some() =>
            {
                return None;
            }
            OperatorStep::AddLearner(seat) => simple(ChangeKind::AddLearner, seat),
            OperatorStep::AddPeer(seat) | OperatorStep::PromoteLearner(seat) => {
                simple(ChangeKind::AddVoter, seat)
            }
            OperatorStep::RemovePeer(seat) => simple(ChangeKind::Remove, seat),
            OperatorStep::EnterJoint { promote, demote } => {
                let promote = promote.iter().map(|seat| change(ChangeKind::AddVoter, seat));
                let demote = demote.iter().map(|seat| change(ChangeKind::AddLearner, seat));
                Command::EnterJoint(promote.chain(demote).collect())
            }
            OperatorStep::LeaveJoint { .. } => Command::LeaveJoint,
            OperatorStep::Split { keys, .. } => return Some(Order::Split { keys: keys.clone() }),
        };
        Some(Order::Propose(command))
    }
}

/// Checks that either none of the joint step's peers has changed roles, or all of them and no
/// other.
fn check_joint(known: &KnownRegion, promote: &[Seat], demote: &[Seat]) -> Result<(), StaleOperator> {
    let (mut joint, mut simple) = (0, 0);
    let sides = [(promote, MemberRole::DemotingVoter), (demote, MemberRole::IncomingVoter)];
    for (seats, opposite) in sides {
        for seat in seats {
            match role(known, seat) {
                None => return Err(StaleOperator::PeerMissing),
                Some(role) if role == opposite => return Err(StaleOperator::WrongRole),
                Some(MemberRole::Voter | MemberRole::Learner) => simple += 1,
                Some(MemberRole::IncomingVoter | MemberRole::DemotingVoter) => joint += 1,
            }
        }
    }
    let in_joint = |member: &&Member| !matches!(member.role, MemberRole::Voter | MemberRole::Learner);
    let all = known.region.peers.iter().filter(in_joint).count();
    if (joint > 0 && simple > 0) || all != joint { Err(StaleOperator::NotAtomic) } else { Ok(()) }
}

fn is_promoted(role: MemberRole) -> bool {
    matches!(role, MemberRole::Voter | MemberRole::IncomingVoter)
}

fn is_demoted(role: MemberRole) -> bool {
    matches!(role, MemberRole::Learner | MemberRole::DemotingVoter)
}

fn is_seat(member: Option<Member>, seat: &Seat) -> bool {
    member.is_some_and(|member| member.id == seat.peer)
}

/// The role of this peer, if it is still on its store.
fn role(known: &KnownRegion, seat: &Seat) -> Option<MemberRole> {
    known.region.member_on(seat.store).filter(|member| member.id == seat.peer).map(|member| member.role)
}

fn change(kind: ChangeKind, seat: &Seat) -> Change {
    Change { kind, peer: seat.peer, store: seat.store }
}

fn simple(kind: ChangeKind, seat: &Seat) -> Command {
    Command::ChangePeer(change(kind, seat))
}
