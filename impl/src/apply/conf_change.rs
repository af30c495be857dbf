//! Which changes of the members are valid, and what they make of a region.
//!
//! Follows `TV apply.rs exec_change_peer(_v2)` for the effect and `TV peer.rs
//! check_conf_change` for what is refused at propose. One rule is our own: one
//! of an even number of voters is not removed directly (tikv#10595, etcd#10563). Validity is checked at
//! propose and again at apply; the rules that protect the leader only at
//! propose, because at apply everybody must come to the same result.

use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::proto::command::{Change, ChangeKind, Command};
use crate::proto::region::{Member, MemberRole, PeerId, Region, StoreId};

/// What `leader` may propose. Epoch and pending changes are checked before.
pub(crate) fn check_propose(
    guards: impl Guards,
    region: &Region,
    leader: PeerId,
    command: &Command,
) -> Result<(), Refusal> {
    check(guards, region, command)?;
    // A leader may enter a joint configuration that demotes it, and hands over
    // before that ends.
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

/// Whether the voters that are active will outvote the others, if they do now
/// (`TV util.rs check_availability_by_last_heartbeats`). As there, somebody new is
/// taken for active, and an inactive one counts even where the change removes it. Here a
/// leader is active; there its own heartbeat grows old, and its demotion is not
/// counted.
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

/// Whether a quorum of the new configuration has what the leader's log no longer has
/// (`TV util.rs check_conf_change`, `promoted_commit_index`). A voter that is alone may
/// do as it likes.
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

/// The region after `command`, if it is valid.
pub(crate) fn apply(guards: impl Guards, region: &Region, command: &Command) -> Result<Region, Refusal> {
    check(guards, region, command)?;
    Ok(apply_unchecked(region, command))
}

/// The region after `command`, whatever it is.
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

/// Puts a member in its place; who is there keeps its rank.
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

/// Whether `command` fits the members, whoever leads.
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

/// Who the change means: nobody yet, or the member with its id on its store.
enum Target {
    New,
    Member(MemberRole),
    /// The id lives elsewhere, or another peer on the store.
    Other,
}

fn target(region: &Region, change: &Change) -> Target {
    match (region.member(change.peer), region.member_on(change.store)) {
        (None, None) => Target::New,
        (Some(member), _) if member.store == change.store => Target::Member(member.role),
        _ => Target::Other,
    }
}

/// The change finds itself done already.
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

/// One member changes by what would be a joint change of several. Such a change may
/// demote a voter, which `ChangePeer` may not (tikv#11463).
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
    // Without a voter touched the region would not even show that it is joint.
    if keeps_voter && touches_voter { Ok(()) } else { Err(Refusal::InvalidChange) }
}

#[cfg(test)]
mod tests;
