//! Which conf changes are valid, and the region that results.
//!
//! Follows TiKV `util.rs check_conf_change`, `apply.rs exec_change_peer`,
//! `apply_conf_change`, `apply_leave_joint` (`LeaveJoint`).

use rollcall_traces::{Change, ChangeKind, Command, Member, MemberRole, Reason, Region};

/// Whether the change is valid for the region, whichever peer leads.
pub(crate) fn validate(region: &Region, command: &Command) -> Result<(), Reason> {
    match command {
        Command::ChangePeer(change) => {
            if region.is_joint() {
                return Err(Reason::AlreadyJoint);
            }
            validate_simple(region, change)
        }
        Command::EnterJoint { changes } => {
            if region.is_joint() {
                return Err(Reason::AlreadyJoint);
            }
            match changes[..] {
                [change] => validate_alone(region, &change),
                _ => validate_joint(region, changes),
            }
        }
        Command::LeaveJoint => check_leave_joint(region),
        _ => Ok(()),
    }
}

/// Where a leader may leave joint state: in a joint region (TiKV `in_joint_state`), by an entry of its own
/// (TiKV `LeaveJoint`, `exit_joint_request`, `apply_leave_joint`; raft-rs's `auto_leave` is off).
/// A leader that is being demoted may not propose it: `propose.rs` `removes_leader`.
fn check_leave_joint(region: &Region) -> Result<(), Reason> {
    if region.is_joint() { Ok(()) } else { Err(Reason::NotJoint) }
}

fn validate_simple(region: &Region, change: &Change) -> Result<(), Reason> {
    let role = role_before(region, change)?;
    match (change.kind, role) {
        (ChangeKind::AddVoter, None | Some(MemberRole::Learner)) | (ChangeKind::AddLearner, None) => Ok(()),
        (ChangeKind::Remove, Some(MemberRole::Voter)) if region.incoming_voters().count() == 1 => {
            Err(Reason::InvalidChange)
        }
        (ChangeKind::Remove, Some(_)) => Ok(()),
        _ => Err(Reason::InvalidChange),
    }
}

/// A joint change of one member is a simple one (TiKV `to_confchange`, `ConfChangeKind`). Unlike
/// other simple changes it may demote a voter (tikv#11463).
fn validate_alone(region: &Region, change: &Change) -> Result<(), Reason> {
    let demotes = change.kind == ChangeKind::AddLearner;
    match role_before(region, change)? {
        Some(MemberRole::Voter) if demotes && region.incoming_voters().count() > 1 => Ok(()),
        _ => validate_simple(region, change),
    }
}

fn validate_joint(region: &Region, changes: &[Change]) -> Result<(), Reason> {
    let mut after = region.clone();
    let mut touches_voter = false;
    for (at, change) in changes.iter().enumerate() {
        let repeats = |other: &Change| other.peer == change.peer || other.store == change.store;
        if changes[..at].iter().any(repeats) {
            return Err(Reason::InvalidChange);
        }
        match (change.kind, role_before(region, change)?) {
            (ChangeKind::AddVoter, None | Some(MemberRole::Learner)) => touches_voter = true,
            (ChangeKind::AddLearner, None) => {}
            (ChangeKind::AddLearner, Some(MemberRole::Voter)) => touches_voter = true,
            (ChangeKind::Remove, Some(MemberRole::Voter)) => return Err(Reason::VoterRemoval),
            (ChangeKind::Remove, Some(MemberRole::Learner)) => {}
            _ => return Err(Reason::InvalidChange),
        }
        enter_one(&mut after, change);
    }
    if !touches_voter || after.incoming_voters().next().is_none() {
        return Err(Reason::InvalidChange);
    }
    Ok(())
}

/// The role of the member that the change names. Refused if peer id and store belong to different
/// members.
fn role_before(region: &Region, change: &Change) -> Result<Option<MemberRole>, Reason> {
    match (region.member(change.peer), region.member_on(change.store)) {
        (None, None) => Ok(None),
        (Some(by_id), Some(by_store)) if by_id == by_store => Ok(Some(by_id.role)),
        _ => Err(Reason::InvalidChange),
    }
}

/// The region after a valid conf change.
pub(crate) fn changed(region: &Region, command: &Command) -> Region {
    let mut after = region.clone();
    if let Some(change) = command.single_change() {
        change_one(&mut after, change);
        after.epoch.conf_ver += 1;
        return after;
    }
    match command {
        Command::EnterJoint { changes } => {
            changes.iter().for_each(|change| enter_one(&mut after, change));
            after.epoch.conf_ver += changes.len() as u64;
        }
        Command::LeaveJoint => {
            for member in &mut after.peers {
                let settled = match member.role {
                    MemberRole::IncomingVoter => MemberRole::Voter,
                    MemberRole::DemotingVoter => MemberRole::Learner,
                    settled => settled,
                };
                if settled != member.role {
                    member.role = settled;
                    after.epoch.conf_ver += 1;
                }
            }
        }
        _ => {}
    }
    after
}

fn change_one(region: &mut Region, change: &Change) {
    match change.kind {
        ChangeKind::AddVoter => set_role(region, change, MemberRole::Voter),
        ChangeKind::AddLearner => set_role(region, change, MemberRole::Learner),
        ChangeKind::Remove => region.peers.retain(|member| member.id != change.peer),
    }
}

fn enter_one(region: &mut Region, change: &Change) {
    match change.kind {
        ChangeKind::AddVoter => set_role(region, change, MemberRole::IncomingVoter),
        ChangeKind::AddLearner if region.member(change.peer).is_some() => {
            set_role(region, change, MemberRole::DemotingVoter);
        }
        ChangeKind::AddLearner => set_role(region, change, MemberRole::Learner),
        ChangeKind::Remove => region.peers.retain(|member| member.id != change.peer),
    }
}

fn set_role(region: &mut Region, change: &Change, role: MemberRole) {
    match region.peers.iter_mut().find(|member| member.id == change.peer) {
        Some(member) => member.role = role,
        None => region.peers.push(Member { id: change.peer, store: change.store, role }),
    }
}
