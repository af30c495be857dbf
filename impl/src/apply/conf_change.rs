//! Which membership changes are valid, and their effect on a region.
//!
//! Follows `TiKV apply.rs exec_change_peer(_v2)` for the effect and `TiKV peer.rs check_conf_change`
//! for what is refused at propose. One rule is our own: one of an even number of voters is not
//! removed directly (tikv#10595, etcd#10563). Validity is checked at propose and again at apply.
//! The rules that protect the leader are checked only at propose, because at apply every replica
//! must reach the same result.

use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::proto::command::{Change, ChangeKind, Command};
use crate::proto::region::{Member, MemberRole, PeerId, Region, StoreId};

/// Whether `leader` may propose the command. The caller has checked the epoch and pending changes.
pub(crate) fn check_propose(
    guards: impl Guards,
    region: &Region,
    leader: PeerId,
    command: &Command,
) -> Result<(), Refusal> {
    check(guards, region, command)?;
    // A leader may enter a joint configuration that demotes it: it transfers leadership before
    // leaving.
    let removes_leader = match (command, command.single_change()) {
        (_, Some(change)) => change.kind != ChangeKind::AddVoter && change.peer == leader,
        (Command::LeaveJoint, None) => {
            region.member(leader).is_some_and(|member| member.role == MemberRole::DemotingVoter)
        }
        _ => false,
    };
    if removes_leader && guards.holds(Guard::LeaderNotRemoved) {
        return Err(Refusal::LeaderRemoval);
    }
    if let Some(change) = command.single_change()
        && change.kind == ChangeKind::Remove
        && region.is_voter(change.peer)
        && region.voter_count().is_multiple_of(2)
        && guards.holds(Guard::DemoteBeforeRemoval)
    {
        return Err(Refusal::DemoteFirst);
    }
    Ok(())
}

/// Whether the active voters outvote the others after the command, if they do now (`TiKV util.rs
/// check_availability_by_last_heartbeats`). As in TiKV, a new member counts as active, and an
/// inactive one counts even if the change removes it. Here a leader is active. In TiKV its own
/// heartbeat grows old, and its demotion is not counted.
pub(crate) fn check_availability(
    guards: impl Guards,
    region: &Region,
    command: &Command,
    inactive: &[StoreId],
) -> Result<(), Refusal> {
    if !guards.holds(Guard::ChangeKeepsMajorityHeard) {
        return Ok(());
    }
    let votes = |member: &&Member| matches!(member.role, MemberRole::Voter | MemberRole::IncomingVoter);
    let (inactive_voters, active_voters): (Vec<&Member>, Vec<&Member>) =
        region.peers.iter().filter(votes).partition(|member| inactive.contains(&member.store));
    let (mut inactive_voters, mut active_voters) = (inactive_voters.len(), active_voters.len());
    if active_voters <= inactive_voters {
        return Ok(());
    }
    for change in command.changes() {
        let member = region.member(change.peer);
        let is_inactive = inactive.contains(&change.store);
        match (change.kind, member.filter(votes)) {
            (ChangeKind::AddVoter, None) if member.is_some() && is_inactive => inactive_voters += 1,
            (ChangeKind::AddVoter, None) => active_voters += 1,
            (ChangeKind::Remove | ChangeKind::AddLearner, Some(_)) if !is_inactive => active_voters -= 1,
            _ => {}
        }
    }
    if inactive_voters >= active_voters { Err(Refusal::MajorityLost) } else { Ok(()) }
}

/// Whether a quorum of the new configuration has the entries that the leader's log has truncated
/// (`TiKV util.rs check_conf_change`, `promoted_commit_index`). A single voter may propose any
/// change.
pub(crate) fn check_new_quorum(
    guards: impl Guards,
    region: &Region,
    command: &Command,
    has_log: impl Fn(PeerId) -> bool,
) -> Result<(), Refusal> {
    if command.changes().is_empty() || region.voter_count() == 1 || !guards.holds(Guard::NewQuorumHasLog) {
        return Ok(());
    }
    let next = apply_unchecked(region, command);
    let majority = |votes: fn(MemberRole) -> bool| {
        let voters = next.peers.iter().filter(|member| votes(member.role));
        let (all, yes) =
            voters.fold((0, 0), |(all, yes), voter| (all + 1, yes + usize::from(has_log(voter.id))));
        yes > all / 2
    };
    let incoming = |role| matches!(role, MemberRole::Voter | MemberRole::IncomingVoter);
    let outgoing = |role| matches!(role, MemberRole::Voter | MemberRole::DemotingVoter);
    let reached = if guards.holds(Guard::JointNeedsBothMajorities) {
        majority(incoming) && (!next.is_joint() || majority(outgoing))
    } else {
        majority(|role| role != MemberRole::Learner)
    };
    if reached { Ok(()) } else { Err(Refusal::QuorumBehind) }
}

/// The region after `command`, or why `command` is not valid.
pub(crate) fn apply(guards: impl Guards, region: &Region, command: &Command) -> Result<Region, Refusal> {
    check(guards, region, command)?;
    Ok(apply_unchecked(region, command))
}

/// The region after `command`, without any check.
pub(crate) fn apply_unchecked(region: &Region, command: &Command) -> Region {
    let mut next = region.clone();
    if let Some(change) = command.single_change() {
        set_member(&mut next, change, MemberRole::Voter, MemberRole::Learner);
        next.epoch.conf_ver += 1;
        return next;
    }
    match command {
        Command::EnterJoint(changes) => {
            for change in changes {
                set_member(&mut next, change, MemberRole::IncomingVoter, MemberRole::DemotingVoter);
            }
            next.epoch.conf_ver += changes.len() as u64;
        }
        Command::LeaveJoint => {
            for member in &mut next.peers {
                let role = match member.role {
                    MemberRole::IncomingVoter => MemberRole::Voter,
                    MemberRole::DemotingVoter => MemberRole::Learner,
                    MemberRole::Voter | MemberRole::Learner => continue,
                };
                member.role = role;
                next.epoch.conf_ver += 1;
            }
        }
        Command::ChangePeer(_)
        | Command::Put { .. }
        | Command::Delete { .. }
        | Command::Split { .. }
        | Command::TransferLeader { .. }
        | Command::CompactLog { .. }
        | Command::PrepareMerge(_)
        | Command::CommitMerge(_)
        | Command::RollbackMerge { .. } => {}
    }
    next
}

/// Applies a change to the members. A learner that becomes a voter, or a new voter, gets the role
/// `promoted`; a voter that becomes a learner gets `demoted`. Anything else keeps its role.
fn set_member(region: &mut Region, change: &Change, promoted: MemberRole, demoted: MemberRole) {
    let place = region.peers.iter().position(|member| member.id == change.peer);
    match (change.kind, place) {
        (ChangeKind::Remove, Some(at)) => {
            region.peers.remove(at);
        }
        (ChangeKind::Remove, None) => {}
        (ChangeKind::AddVoter, Some(at)) => {
            let role = &mut region.peers[at].role;
            if *role == MemberRole::Learner {
                *role = promoted;
            }
        }
        (ChangeKind::AddLearner, Some(at)) => {
            let role = &mut region.peers[at].role;
            if *role == MemberRole::Voter {
                *role = demoted;
            }
        }
        (ChangeKind::AddVoter, None) => {
            region.peers.push(Member { id: change.peer, store: change.store, role: promoted });
        }
        (ChangeKind::AddLearner, None) => {
            region.peers.push(Member { id: change.peer, store: change.store, role: MemberRole::Learner });
        }
    }
}

/// Whether `command` fits the members, whoever the leader is.
fn check(guards: impl Guards, region: &Region, command: &Command) -> Result<(), Refusal> {
    match command {
        Command::ChangePeer(change)
            if !guards.holds(Guard::NoDuplicateChange) && !region.is_joint() && is_done(region, change) =>
        {
            Ok(())
        }
        Command::ChangePeer(_) | Command::EnterJoint(_) if region.is_joint() => Err(Refusal::AlreadyJoint),
        Command::ChangePeer(change) => check_simple(region, change),
        Command::EnterJoint(changes) => match &changes[..] {
            [change] => check_alone(region, change),
            _ => check_joint(region, changes),
        },
        Command::LeaveJoint if !region.is_joint() => Err(Refusal::NotJoint),
        _ => Ok(()),
    }
}

/// The target of a change: a new member, or the member with this id on this store.
enum Target {
    New,
    Member(MemberRole),
    /// The id is on another store, or another peer is on the store.
    Other,
}

fn target(region: &Region, change: &Change) -> Target {
    match (region.member(change.peer), region.member_on(change.store)) {
        (None, None) => Target::New,
        (Some(member), _) if member.store == change.store => Target::Member(member.role),
        _ => Target::Other,
    }
}

/// Whether the change is already in effect.
fn is_done(region: &Region, change: &Change) -> bool {
    matches!(
        (change.kind, target(region, change)),
        (ChangeKind::AddVoter, Target::Member(MemberRole::Voter))
            | (ChangeKind::AddLearner, Target::Member(MemberRole::Learner))
            | (ChangeKind::Remove, Target::New)
    )
}

fn check_simple(region: &Region, change: &Change) -> Result<(), Refusal> {
    let fits = match (change.kind, target(region, change)) {
        (ChangeKind::AddVoter, Target::New | Target::Member(MemberRole::Learner)) => true,
        (ChangeKind::AddLearner, Target::New) => true,
        (ChangeKind::Remove, Target::Member(MemberRole::Learner)) => true,
        (ChangeKind::Remove, Target::Member(_)) => region.voter_count() > 1,
        _ => false,
    };
    if fits { Ok(()) } else { Err(Refusal::InvalidChange) }
}

/// A joint change with one member, which is applied as a simple one. Unlike `ChangePeer` it may
/// demote a voter (tikv#11463).
fn check_alone(region: &Region, change: &Change) -> Result<(), Refusal> {
    let demotes = change.kind == ChangeKind::AddLearner
        && matches!(target(region, change), Target::Member(MemberRole::Voter));
    if demotes && region.voter_count() > 1 { Ok(()) } else { check_simple(region, change) }
}

fn check_joint(region: &Region, changes: &[Change]) -> Result<(), Refusal> {
    let mut touches_voter = false;
    for (at, change) in changes.iter().enumerate() {
        let repeats = |other: &Change| other.peer == change.peer || other.store == change.store;
        if changes[..at].iter().any(repeats) {
            return Err(Refusal::InvalidChange);
        }
        match (change.kind, target(region, change)) {
            (ChangeKind::AddVoter, Target::New | Target::Member(MemberRole::Learner))
            | (ChangeKind::AddLearner, Target::Member(MemberRole::Voter)) => touches_voter = true,
            (ChangeKind::AddLearner, Target::New)
            | (ChangeKind::Remove, Target::Member(MemberRole::Learner)) => {}
            (ChangeKind::Remove, Target::Member(_)) => return Err(Refusal::VoterRemoval),
            _ => return Err(Refusal::InvalidChange),
        }
    }
    let next = apply_unchecked(region, &Command::EnterJoint(changes.to_vec()));
    let keeps_voter =
        next.peers.iter().any(|member| matches!(member.role, MemberRole::Voter | MemberRole::IncomingVoter));
    // If no voter changes, the region does not even show that it is joint.
    if keeps_voter && touches_voter { Ok(()) } else { Err(Refusal::InvalidChange) }
}

#[cfg(test)]
mod tests;
