//! `Propose`: what a leader takes into its log, and what it refuses.
//!
//! Follows TiKV `peer.rs` (`pre_propose_raft_command`, `propose_conf_change`)
//! and `util.rs` (`admin_cmd_epoch_lookup`, `check_conf_change`), and one rule
//! more: `demote_before_removal`. A transfer is `transfer.rs`.

use rollcall_traces::{
    Change, ChangeKind, Command, Entry, Epoch, MemberRole, Peer, Reason, RegionId, StoreId,
};

use super::{conf_change, merge, raft, split, transfer};
use crate::draft::Draft;
use crate::guard::{Guard, GuardSet};

pub(crate) fn propose(
    draft: &mut Draft,
    region: RegionId,
    store: StoreId,
    command: &Command,
    epoch: Option<Epoch>,
) -> Result<(), Reason> {
    let guards = draft.guards();
    let peer = draft.leader(store, region)?;
    let epoch = epoch.unwrap_or(peer.region.epoch);
    check_epoch(&peer.region.epoch, &epoch, command)?;
    merge::check_not_merging(peer, command, guards)?;
    if let Command::TransferLeader { to } = command {
        return transfer::hand_over(draft, region, store, *to);
    }
    let mut command = check_command(draft, store, peer, command)?;
    if let Command::PrepareMerge { min_index, .. } = &mut command {
        *min_index = merge::first_index_missed(peer, guards)?;
    }
    let epoch = if matches!(command, Command::CompactLog { .. }) { Epoch::default() } else { epoch };
    let peer = draft.peer_mut(store, region);
    let is_change = command.is_conf_change();
    peer.log.entries.push(Entry { term: peer.term, command: Some(command), epoch });
    let last = peer.log.last_index();
    let id = peer.id;
    if let Some(leading) = &mut peer.leading {
        leading.matched.insert(id, last);
        if is_change {
            leading.pending_conf_index = last;
        }
    }
    raft::leader_commit(peer, guards);
    Ok(())
}

/// Whether the components that the command depends on are the region's own.
pub(crate) fn check_epoch(own: &Epoch, given: &Epoch, command: &Command) -> Result<(), Reason> {
    let matches = match command {
        Command::Put { .. } | Command::Delete { .. } => given.version == own.version,
        Command::Split { .. }
        | Command::PrepareMerge { .. }
        | Command::CommitMerge { .. }
        | Command::RollbackMerge { .. } => given == own,
        Command::ChangePeer(_) | Command::EnterJoint { .. } | Command::LeaveJoint => {
            given.conf_ver == own.conf_ver
        }
        Command::TransferLeader { .. } | Command::CompactLog { .. } => true,
    };
    if matches { Ok(()) } else { Err(Reason::EpochNotMatch) }
}

/// Whether the leader takes the command, and what its store makes of it.
fn check_command(draft: &Draft, store: StoreId, peer: &Peer, command: &Command) -> Result<Command, Reason> {
    let guards = draft.guards();
    match command {
        Command::Put { key, .. } | Command::Delete { key } if !peer.region.contains(key) => {
            return Err(Reason::KeyNotInRegion);
        }
        Command::Split { children, .. } => {
            split::validate(&peer.region, children, guards)?;
            split::check_unknown(draft, store, children)?;
        }
        Command::CompactLog { index } if *index <= peer.log.truncated.index || *index > peer.applied => {
            return Err(Reason::InvalidCompactIndex);
        }
        _ => {}
    }
    let whole = merge::look_beside(draft, store, peer, command)?;
    let transferring = peer.leading.as_ref().is_some_and(|leading| leading.transfer.is_some());
    if transferring && guards.holds(Guard::NoProposalsWhileTransferring) {
        return Err(Reason::TransferringLeader);
    }
    if command.is_conf_change() && raft::has_pending_conf(peer, peer.applied, guards) {
        return Err(Reason::PendingConfChange);
    }
    if epoch_is_changing(peer, command, guards) {
        return Err(Reason::EpochChanging);
    }
    if command.is_conf_change() {
        check_conf_change(peer, command, guards)?;
    }
    if command.is_merge() && peer.log.term(peer.applied) != Some(peer.term) {
        return Err(Reason::NotAppliedTerm);
    }
    Ok(whole)
}

/// TiKV `CmdEpochChecker`: what this leader proposed in its term and has not
/// applied makes the epoch stale that the new command is proposed under.
fn epoch_is_changing(peer: &Peer, command: &Command, guards: GuardSet) -> bool {
    let (version, conf_ver) = match command {
        Command::Put { .. } | Command::Delete { .. } => (true, false),
        Command::Split { .. }
        | Command::PrepareMerge { .. }
        | Command::CommitMerge { .. }
        | Command::RollbackMerge { .. } => (true, true),
        Command::ChangePeer(_) | Command::EnterJoint { .. } | Command::LeaveJoint => (false, true),
        Command::TransferLeader { .. } | Command::CompactLog { .. } => (false, false),
    };
    let changes = |earlier: &Command| {
        let closes =
            matches!(earlier, Command::PrepareMerge { .. }) && guards.holds(Guard::MergeStopsChanges);
        version && (matches!(earlier, Command::Split { .. }) || earlier.is_merge())
            || conf_ver && (earlier.is_conf_change() || closes)
    };
    (version || conf_ver)
        && peer.log.iter().any(|(index, entry)| {
            index > peer.applied && entry.term == peer.term && entry.command.as_ref().is_some_and(changes)
        })
}

fn check_conf_change(peer: &Peer, command: &Command, guards: GuardSet) -> Result<(), Reason> {
    if guards.holds(Guard::ChangeWaitsForOwnElection) && peer.log.term(peer.applied) != Some(peer.term) {
        return Err(Reason::NotAppliedTerm);
    }
    match conf_change::validate(&peer.region, command) {
        Err(Reason::InvalidChange)
            if !guards.holds(Guard::NoDuplicateChange) && is_duplicate(peer, command) => {}
        fault => fault?,
    }
    if guards.holds(Guard::LeaderNotRemoved) && removes_leader(peer, command) {
        return Err(Reason::LeaderRemoval);
    }
    if let Command::ChangePeer(Change { kind: ChangeKind::Remove, peer: removed, .. }) = command {
        let voters = peer.region.incoming_voters().count();
        if guards.holds(Guard::DemoteBeforeRemoval) && voters == 2 && peer.region.is_voter(*removed) {
            return Err(Reason::TwoVoters);
        }
    }
    Ok(())
}

/// Whether the change removes or demotes the leader that is asked.
/// A leader may enter a joint configuration that demotes it, and hands over
/// before that ends (TiKV `check_conf_change`: "In Joint confchange, the leader
/// is allowed to be DemotingVoter").
fn removes_leader(leader: &Peer, command: &Command) -> bool {
    match command {
        Command::ChangePeer(change) => change.kind == ChangeKind::Remove && change.peer == leader.id,
        // By force it may: nobody else is left to do it (`check_conf_change`, `ignore_safety`).
        Command::LeaveJoint => {
            let own = leader.region.member(leader.id).map(|member| member.role);
            own == Some(MemberRole::DemotingVoter) && !leader.is_by_force()
        }
        _ => false,
    }
}

/// A simple change that finds itself done already.
pub(crate) fn is_duplicate(peer: &Peer, command: &Command) -> bool {
    let Command::ChangePeer(change) = command else { return false };
    let member = peer.region.member(change.peer).filter(|member| member.store == change.store);
    match change.kind {
        ChangeKind::AddVoter => member.is_some_and(|member| member.role == MemberRole::Voter),
        ChangeKind::AddLearner => member.is_some_and(|member| member.role == MemberRole::Learner),
        ChangeKind::Remove => {
            peer.region.member_on(change.store).is_none() && peer.region.member(change.peer).is_none()
        }
    }
}
