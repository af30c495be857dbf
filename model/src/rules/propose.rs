//! `Propose`: what a leader appends to its log, and what it refuses.
//!
//! Follows TiKV `peer.rs` (`pre_propose_raft_command`, `propose_conf_change`) and `util.rs`
//! (`admin_cmd_epoch_lookup`, `check_conf_change`). One rule is added: `demote_before_removal`. A
//! transfer is in `transfer.rs`.

use rollcall_traces::{
    Change, ChangeKind, Command, Entry, Epoch, MemberRole, Peer, PeerId, Reason, RegionId, StoreId,
    StoreStatus,
};

use super::epoch::check_region_epoch;
use super::{conf_change, epoch, merge, persist, raft, recovery, split, transfer};
use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};
use crate::unsound;

pub(crate) fn propose(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    command: &Command,
    epoch: Option<Epoch>,
) -> Result<(), Reason> {
    let guards = cluster.guards();
    let peer = cluster.leader(store, region)?;
    recovery::check_command(peer, Some(command))?;
    let epoch = epoch.unwrap_or(peer.region.epoch);
    check_region_epoch(&peer.region.epoch, &epoch, command)?;
    merge::check_not_merging(peer, command, guards)?;
    if let Command::TransferLeader { to } = command {
        return transfer::transfer_leader(cluster, region, store, *to);
    }
    let mut command = check_command(cluster, store, peer, command)?;
    if let Command::PrepareMerge { min_index, .. } = &mut command {
        *min_index = merge::first_index_missed(peer, guards)?;
    }
    let epoch = if matches!(command, Command::CompactLog { .. }) { Epoch::default() } else { epoch };
    let peer = cluster.peer_mut(store, region);
    let is_change = command.is_conf_change();
    peer.log.entries.push(Entry { term: peer.term, command: Some(command), epoch });
    let last = peer.log.last_index();
    let id = peer.id;
    if let Some(leading) = &mut peer.leading {
        let counted = leading.matched.get(&id).copied().unwrap_or_default();
        leading.matched.insert(id, persist::own_copy(counted, last, guards));
        if is_change {
            leading.pending_conf_index = last;
        }
    }
    raft::leader_commit(peer, guards);
    Ok(())
}

/// Checks the command, and completes it if it is a merge command.
fn check_command(
    cluster: &impl ClusterMut,
    store: StoreId,
    peer: &Peer,
    command: &Command,
) -> Result<Command, Reason> {
    let guards = cluster.guards();
    match command {
        Command::Put { key, .. } | Command::Delete { key } if !peer.region.contains(key) => {
            return Err(Reason::KeyNotInRegion);
        }
        Command::Split { children, .. } => {
            split::validate(&peer.region, children, guards)?;
            split::check_unknown(cluster, store, children)?;
        }
        Command::CompactLog { index } if *index <= peer.log.truncated.index || *index > peer.applied => {
            return Err(Reason::InvalidCompactIndex);
        }
        _ => {}
    }
    let whole = merge::complete_merge_command(cluster, store, peer, command)?;
    let transferring = peer.leading.as_ref().is_some_and(|leading| leading.transfer.is_some());
    if guards.holds(Guard::NoProposalsWhileTransferring) && transferring {
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
        check_availability(cluster, peer, command)?;
        if guards.holds(Guard::NewQuorumHasLog)
            && !peer.is_by_force()
            && !new_quorum_has_log(peer, command, guards)
        {
            return Err(Reason::QuorumBehind);
        }
    }
    if command.is_merge() && peer.log.term(peer.applied) != Some(peer.term) {
        return Err(Reason::NotAppliedTerm);
    }
    Ok(whole)
}

/// TiKV `CmdEpochChecker`: whether an entry that this leader proposed in its term and has not
/// applied will make the new command's epoch stale.
fn epoch_is_changing(peer: &Peer, command: &Command, guards: GuardSet) -> bool {
    let (version, conf_ver) = epoch::depends_on(command);
    let changes = |earlier: &Command| {
        let closes = matches!(earlier, Command::PrepareMerge { .. }) && merge::stops_changes(guards);
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
        Err(Reason::InvalidChange) if takes_duplicate(peer, command, guards) => {}
        fault => fault?,
    }
    if guards.holds(Guard::LeaderNotRemoved) && removes_leader(peer, command) {
        return Err(Reason::LeaderRemoval);
    }
    if let Some(Change { kind: ChangeKind::Remove, peer: removed, .. }) = command.single_change() {
        let voters = peer.region.incoming_voters().count();
        let is_one_of_even = voters.is_multiple_of(2) && peer.region.is_voter(*removed);
        if guards.holds(Guard::DemoteBeforeRemoval) && is_one_of_even {
            return Err(Reason::DemoteFirst);
        }
    }
    Ok(())
}

/// Refuses a change that leaves no majority of active voters, if there is one now (TiKV
/// `check_availability_by_last_heartbeats`). Time is not modelled: a member is active while its
/// store runs, because heartbeats are answered between rounds. As in TiKV, a new member counts as
/// active, and an inactive voter counts even if the change removes it.
fn check_availability(cluster: &impl ClusterMut, leader: &Peer, command: &Command) -> Result<(), Reason> {
    if !cluster.holds(Guard::ChangeKeepsMajorityHeard) || command.changes().is_empty() {
        return Ok(());
    }
    let votes = |role| matches!(role, MemberRole::Voter | MemberRole::IncomingVoter);
    let is_active = |store: StoreId| {
        !leader.failed_stores.contains(&store) && cluster.status(store) == Some(StoreStatus::Up)
    };
    let (mut active, mut inactive) = (0, 0);
    for member in leader.region.peers.iter().filter(|member| votes(member.role)) {
        *(if is_active(member.store) { &mut active } else { &mut inactive }) += 1;
    }
    if active <= inactive {
        return Ok(());
    }
    for change in command.changes() {
        let member = leader.region.member(change.peer);
        match (change.kind, member.is_some_and(|member| votes(member.role))) {
            (ChangeKind::AddVoter, false) if member.is_some() && !is_active(change.store) => inactive += 1,
            (ChangeKind::AddVoter, false) => active += 1,
            (ChangeKind::Remove | ChangeKind::AddLearner, true) if is_active(change.store) => active -= 1,
            _ => {}
        }
    }
    if inactive >= active { Err(Reason::MajorityLost) } else { Ok(()) }
}

/// Whether a quorum of the new configuration has everything that the leader's log has discarded
/// (TiKV `check_conf_change`, `promoted_commit_index`). A sole voter is exempt.
fn new_quorum_has_log(leader: &Peer, command: &Command, guards: GuardSet) -> bool {
    let is_alone =
        leader.region.peers.iter().filter(|member| member.role != MemberRole::Learner).count() == 1;
    let matched = |id| leading_matched(leader, id);
    command.changes().is_empty()
        || is_alone
        || raft::has_quorum(guards, &conf_change::changed(&leader.region, command), |id| {
            matched(id) >= leader.log.truncated.index
        })
}

fn leading_matched(leader: &Peer, id: PeerId) -> u64 {
    leader.leading.as_ref().and_then(|leading| leading.matched.get(&id)).copied().unwrap_or(0)
}

/// Whether the change removes or demotes the leader that is asked. A leader may enter a joint
/// configuration that demotes it; it transfers leadership before leaving (TiKV `check_conf_change`:
/// "In Joint confchange, the leader is allowed to be DemotingVoter").
fn removes_leader(leader: &Peer, command: &Command) -> bool {
    if let Some(change) = command.single_change() {
        return change.kind != ChangeKind::AddVoter && change.peer == leader.id;
    }
    match command {
        // A forced leader may, because no other peer can lead (`check_conf_change`,
        // `ignore_safety`).
        Command::LeaveJoint => {
            let own = leader.region.member(leader.id).map(|member| member.role);
            own == Some(MemberRole::DemotingVoter) && !leader.is_by_force()
        }
        _ => false,
    }
}

/// Whether an invalid change is accepted because it is already in effect.
pub(super) fn takes_duplicate(peer: &Peer, command: &Command, guards: GuardSet) -> bool {
    !guards.holds(Guard::NoDuplicateChange) && unsound::is_done_already(&peer.region, command)
}
