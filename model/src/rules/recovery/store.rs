//! A store's side: it carries out a plan, and reports when it has finished.
//!
//! TiKV `unsafe_recovery.rs`, `fsm/peer.rs` (`on_enter_pre_force_leader`,
//! `on_unsafe_recovery_*`, `check_unsafe_recovery_state`, `on_exit_force_leader`).

use std::collections::BTreeSet;

use rollcall_traces::{
    Change, ChangeKind, Command, ForceLeader, LogPosition, Member, MemberRole, Peer, PeerId, PeerRecovery,
    PeerReport, PeerState, PlanUnderWay, Reason, RecoveryPlan, Region, RegionId, Role, StoreId,
};

use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::rules::peer::first_peer;
use crate::rules::peer::is_live;
use crate::rules::{destroy, election, propose, raft, ranges};

/// The store begins to carry out a plan. Regions that do not match the plan are skipped; the report
/// shows that.
pub(crate) fn take_plan(
    cluster: &mut impl ClusterMut,
    store: StoreId,
    plan: &RecoveryPlan,
) -> Result<(), Reason> {
    cluster.up(store)?;
    let step = plan.step;
    if cluster.recovery_plan(store).is_some_and(|under_way| under_way.step == step) {
        return Err(Reason::NoEffect);
    }
    let regions: Vec<RegionId> = cluster.regions_on(store).collect();
    let recovery = |region: &RegionId| cluster.peer(store, *region).and_then(|peer| peer.recovery.as_ref());
    if regions.iter().any(|region| matches!(recovery(region), Some(PeerRecovery::Demotes(_)))) {
        return Err(Reason::RecoveryInProgress);
    }
    let failed: Vec<RegionId> = regions.into_iter().filter(|region| recovery(region).is_some()).collect();
    failed.into_iter().for_each(|region| cluster.peer_mut(store, region).recovery = None);
    cluster.set_plan(store, Some(PlanUnderWay { step, exits: plan.force_leaders.is_none() }));
    if let Some(forces) = &plan.force_leaders {
        for (region, leader) in &forces.regions {
            let _ = force_leader(cluster, *region, store, &forces.failed_stores, leader);
        }
    }
    plan.creates.iter().for_each(|region| create(cluster, store, region));
    for region in &plan.tombstones {
        if cluster.peer(store, *region).is_some_and(is_live) {
            destroy::destroy_peer(cluster, store, *region);
        }
    }
    for (region, failed) in &plan.demotes {
        if cluster.leader(store, *region).is_ok_and(Peer::is_by_force) {
            cluster.peer_mut(store, *region).recovery = Some(PeerRecovery::Demotes(failed.clone()));
            next_step(cluster, *region, store);
        }
    }
    Ok(())
}

/// The peer campaigns without the failed stores. Refused if the remaining voters are a quorum
/// anyway, or if the peer lacks an entry that some remaining peer knows to be committed.
fn force_leader(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    failed: &BTreeSet<StoreId>,
    leader: &ForceLeader,
) -> Result<(), Reason> {
    let peer = cluster.live(store, region)?;
    if peer.leading.is_some() && peer.is_by_force() {
        return Err(Reason::AlreadyLeader);
    }
    let LogPosition { index, term } = leader.committed;
    let has = index < peer.log.truncated.index || peer.log.term(index) == Some(term);
    if cluster.holds(Guard::ForceKeepsWhatIsCommitted) && !has {
        return Err(Reason::NotPromotable);
    }
    let is_left = |id| peer.region.member(id).is_some_and(|member| !failed.contains(&member.store));
    if peer.is_initialized() && peer.region.has_quorum(is_left) {
        return Err(Reason::NothingToDo);
    }
    election::campaign_by_force(cluster, region, store, failed, leader.above)
}

/// Creates an empty region for keys that no region has (TiKV `on_unsafe_recovery_create_peer`).
fn create(cluster: &mut impl ClusterMut, store: StoreId, region: &Region) {
    let Some(own) = region.member_on(store).map(|member| member.id) else { return };
    let range = region.range();
    let taken = !ranges::owners(cluster, store, region.id, &range).is_empty()
        || ranges::awaited(cluster, store, region.id, &range)
        || cluster.peer(store, region.id).is_some();
    if !taken {
        cluster.put_peer(store, region.id, Some(first_peer(region, own)));
        ranges::set(cluster, store, region);
    }
}

/// Takes the next step once the previous one has taken effect.
pub(crate) fn go_on(cluster: &mut impl ClusterMut, region: RegionId, store: StoreId) {
    let Ok(peer) = cluster.leader(store, region) else { return };
    if peer.recovery.is_none() {
        return;
    }
    if !raft::has_pending_conf(peer, peer.applied, cluster.guards()) && !rolls_back(peer) {
        next_step(cluster, region, store);
    }
}

/// The next step of a forced leader that removes failed members, in this order: roll back a merge;
/// leave a joint configuration; demote failed voters, remove failed learners, and promote itself if
/// it is a learner (TiKV `demote_failed_voters_request`).
fn next_step(cluster: &mut impl ClusterMut, region: RegionId, store: StoreId) {
    let Ok(peer) = cluster.leader(store, region) else { return };
    let Some(PeerRecovery::Demotes(failed)) = &peer.recovery else { return };
    let (command, left) = if peer.state == PeerState::Merging {
        (Command::RollbackMerge { commit: 0 }, failed.clone())
    } else if peer.region.is_joint() {
        (Command::LeaveJoint, failed.clone())
    } else {
        (Command::EnterJoint { changes: changes(peer, failed) }, Vec::new())
    };
    let is_done = matches!(&command, Command::EnterJoint { changes } if changes.is_empty());
    let recovery = if is_done {
        None
    } else if propose::propose(cluster, region, store, &command, None).is_ok() {
        Some(PeerRecovery::Demotes(left))
    } else {
        Some(PeerRecovery::Failed)
    };
    cluster.peer_mut(store, region).recovery = recovery;
}

fn rolls_back(peer: &Peer) -> bool {
    let is_rollback = |command: &Command| matches!(command, Command::RollbackMerge { .. });
    peer.log
        .iter()
        .any(|(index, entry)| index > peer.applied && entry.command.as_ref().is_some_and(is_rollback))
}

fn changes(leader: &Peer, failed: &[PeerId]) -> Vec<Change> {
    let change = |member: &Member| {
        let kind = match member.role {
            MemberRole::Learner if member.id == leader.id => ChangeKind::AddVoter,
            _ if !failed.contains(&member.id) => return None,
            MemberRole::Learner => ChangeKind::Remove,
            _ => ChangeKind::AddLearner,
        };
        Some(Change { kind, peer: member.id, store: member.store })
    };
    leader.region.peers.iter().filter_map(change).collect()
}

/// Returns the report, step and peers, once the store's plan is carried out. If the plan forces no
/// leader, forced leaders step down first.
pub(super) fn end_plan(cluster: &mut impl ClusterMut, store: StoreId) -> Option<(u64, Vec<PeerReport>)> {
    let plan = cluster.recovery_plan(store)?;
    let regions: Vec<RegionId> = cluster.regions_on(store).collect();
    let live = |region: &RegionId| cluster.peer(store, *region).filter(|peer| is_live(peer));
    if !regions.iter().filter_map(live).all(|peer| is_done(peer, plan.exits)) {
        return None;
    }
    let steps_down = |peer: &Peer| peer.is_by_force() && peer.recovery != Some(PeerRecovery::Failed);
    let by_force = regions.iter().filter(|region| live(region).is_some_and(steps_down));
    let by_force: Vec<RegionId> = by_force.copied().filter(|_| plan.exits).collect();
    by_force.into_iter().for_each(|region| step_down(cluster, region, store));
    cluster.set_plan(store, None);
    let live = |region: &RegionId| cluster.peer(store, *region).filter(|peer| is_live(peer));
    Some((plan.step, regions.iter().filter_map(live).map(peer_report).collect()))
}

/// Whether the peer has no election, no demotion and nothing to apply left. TiKV waits until each
/// peer has applied what is committed, and a forced leader its whole log. A forced candidate is not
/// waited for if the plan makes it step down.
fn is_done(peer: &Peer, exits: bool) -> bool {
    let asks = peer.role == Role::Candidate && peer.is_by_force() && !exits;
    let demotes = matches!(peer.recovery, Some(PeerRecovery::Demotes(_)));
    let target =
        if peer.leading.is_some() && peer.is_by_force() { peer.log.last_index() } else { peer.commit };
    let waits = peer.snapshot.is_some() || peer.is_initialized() && peer.applied < target;
    !(asks || demotes || waits)
}

fn peer_report(peer: &Peer) -> PeerReport {
    let mut log = vec![peer.log.truncated];
    for (index, entry) in peer.log.iter() {
        match log[1..].last_mut().filter(|run| run.term == entry.term) {
            Some(run) => run.index = index,
            None => log.push(LogPosition { index, term: entry.term }),
        }
    }
    PeerReport {
        peer: peer.id,
        region: peer.region.clone(),
        term: peer.term,
        sources: peer.log.merged_after(peer.commit).collect(),
        log,
        commit: peer.commit,
        by_force: peer.is_by_force(),
    }
}

/// A forced leader, or a forced candidate, becomes a follower of its term.
fn step_down(cluster: &mut impl ClusterMut, region: RegionId, store: StoreId) {
    let peer = cluster.peer_mut(store, region);
    raft::become_follower(peer, peer.term, 0);
}

/// A forced leader steps down by itself, without PD's order. Here a forced candidate does so, too;
/// TiKV's does not.
pub(crate) fn time_out_force_leader(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
) -> Result<(), Reason> {
    if !cluster.live(store, region)?.is_by_force() {
        return Err(Reason::NotByForce);
    }
    step_down(cluster, region, store);
    Ok(())
}
