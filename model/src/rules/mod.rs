//! The rules: what each action does to a cluster, or why it is refused.
//!
//! Pure: no clock, no thread, no I/O. Bounds are elsewhere (`bounds`).

mod apply;
mod conf_change;
mod deliver;
mod election;
mod force;
mod late;
mod merge;
mod merge_elsewhere;
mod pd;
mod peer;
mod propose;
pub(crate) mod raft;
mod ranges;
mod read;
mod recovery;
mod replicate;
mod split;
mod stale;
mod transfer;

use rollcall_traces::{
    Action, Answer, Held, Message, Outcome, PeerState, Reason, Returned, StoreId, StoreStatus,
};

use crate::cluster::ClusterMut;
use crate::guard::Guard;

pub(crate) use late::deliver;
pub(crate) use merge::has_left;
pub(crate) use pd::{Report, limit, seems_full};
pub use peer::{FIRST, first_peer};
pub(crate) use peer::{is_live, member_of_own_region, snapshot_of};
pub(crate) use ranges::index_of;
pub(crate) use stale::known_to;
pub(crate) use transfer::question as transfer_question;

/// What an action comes to. It is refused exactly when the cluster is unchanged and
/// nothing is returned; a step that is cut short after something changed is done.
pub(crate) fn outcome(taken: Result<Returned, Reason>, is_changed: bool) -> Outcome {
    match taken {
        Ok(returned) if is_changed || returned != Returned::Nothing => Outcome::Done(returned),
        Ok(_) => Outcome::Refused(Reason::NoEffect),
        Err(_) if is_changed => Outcome::DONE,
        Err(reason) => Outcome::Refused(reason),
    }
}

/// A message was sent, and its sender remembers that.
pub(crate) fn sent(cluster: &mut impl ClusterMut, message: &Held) {
    let (store, region) = (message.from.store, message.region);
    if let Message::Snapshot(snapshot) = &message.message
        && cluster.leader(store, region).is_ok()
    {
        replicate::sent_snapshot(cluster, store, region, snapshot.position.index);
    }
}

/// Takes one action: the rule that decides it.
pub(crate) fn step(cluster: &mut impl ClusterMut, action: &Action) -> Result<Returned, Reason> {
    match *action {
        Action::Campaign { region, store } => election::campaign(cluster, region, store),
        Action::Vote { region, candidate, voter, answer } => {
            election::vote(cluster, region, candidate, voter, answer)
        }
        Action::Replicate { region, leader, follower, entries, answer } => {
            replicate::replicate(cluster, region, leader, follower, entries, answer)
        }
        Action::Heartbeat { region, leader, follower, answer } => {
            replicate::heartbeat_round(cluster, region, leader, follower, answer)
        }
        Action::CheckStalePeer { region, store, asks, answer } => {
            stale::check_stale_peer(cluster, region, store, asks, answer)
        }
        Action::ApplySnapshot { region, store } => replicate::apply_snapshot(cluster, region, store),
        Action::Apply { region, store } => apply::apply(cluster, region, store),
        Action::Propose { region, store, ref command, epoch } => {
            propose::propose(cluster, region, store, command, epoch)
        }
        Action::AskSplit { region, store, ref keys, derive, answer } => {
            return split::ask(cluster, region, store, keys, derive, answer);
        }
        Action::Read { region, store, ref key } => read::read(cluster, region, store, key),
        Action::AnswerRead { region, store } => return read::answer(cluster, region, store),
        Action::TimeoutNow { region, leader } => transfer::timeout_now(cluster, region, leader),
        Action::TransferTimeout { region, store } => transfer::transfer_timeout(cluster, region, store),
        Action::Crash { store } => crash(cluster, store),
        Action::Restart { store } => restart(cluster, store),
        Action::Destroy { store } => destroy(cluster, store),
        Action::Hold { region, from, to, message } => late::hold(cluster, region, from, to, message),
        Action::RegionHeartbeat { region, store, answer } => {
            return pd::region_heartbeat(cluster, region, store, answer);
        }
        Action::StoreHeartbeat { store, answer } => return recovery::heartbeat(cluster, store, answer),
        Action::StoreSilent { store } => pd::add_silence(cluster, store),
        Action::Schedule { region, answer } => return pd::schedule(cluster, region, answer),
        Action::PushOperator { region, answer } => return pd::push_operator(cluster, region, answer),
        Action::OperatorTimeout { region } => pd::time_out_operator(cluster, region),
        Action::RemoveOperator { region } => pd::remove_operator(cluster, region),
        Action::CheckStores => pd::check_stores(cluster),
        Action::PdRestart => pd::restart(cluster),
        Action::AddStore { store } => pd::add_store(cluster, store),
        Action::Decommission { store, force } => pd::decommission(cluster, store, force),
        Action::CancelDecommission { store } => pd::cancel_decommission(cluster, store),
        Action::SetTombstone { store } => pd::set_tombstone(cluster, store),
        Action::RemoveTombstone { store } => pd::remove_tombstone(cluster, store),
        Action::AddOperator { region, ref operator, answer } => {
            return pd::add_operator(cluster, region, operator, answer);
        }
        Action::TombstonePeer { region, store, force } => {
            force::tombstone_peer(cluster, region, store, force)
        }
        Action::RemoveFailedStores { ref stores } => recovery::remove_failed_stores(cluster, stores),
        Action::RecoveryTimeout => return recovery::time_out(cluster),
        Action::ForceLeaderTimeout { region, store } => recovery::lead_no_longer(cluster, region, store),
        Action::Late { slot } if late::is_store_report(cluster, slot) => {
            return late::store_report(cluster, slot);
        }
        Action::Late { slot } => late::late(cluster, slot, Answer::Lost).map(drop),
    }
    .map(|()| Returned::Nothing)
}

/// What is volatile is gone at once: the peers are shown as they will come back.
/// The term and the vote of an uninitialised peer are not; TiKV writes no hard
/// state before the first snapshot (`TV peer_storage.rs handle_raft_ready`).
fn crash(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    cluster.up(store)?;
    cluster.set_status(store, StoreStatus::Down);
    let votes_survive = cluster.holds(Guard::UninitialisedVoteSurvives);
    for region in cluster.regions_on(store).collect::<Vec<_>>() {
        let guards = cluster.guards();
        let peer = cluster.peer_mut(store, region);
        raft::lose_commit(peer, guards);
        peer.snapshot = None;
        peer.read = None;
        peer.stale_check = None;
        if peer.state != PeerState::Tombstone {
            peer.merged_into = None;
        }
        let forgets = peer.state == PeerState::Uninitialised && !votes_survive;
        raft::become_follower(peer, if forgets { 0 } else { peer.term }, 0);
    }
    ranges::rebuild(cluster, store);
    end_plan(cluster, store);
    Ok(())
}

/// Nobody carries out a plan on a store that does not run.
fn end_plan(cluster: &mut impl ClusterMut, store: StoreId) {
    if cluster.plan(store).is_some() {
        cluster.set_plan(store, None);
    }
}

fn restart(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    match cluster.status(store) {
        Some(StoreStatus::Down) => cluster.set_status(store, StoreStatus::Up),
        Some(StoreStatus::Up) => return Err(Reason::StoreUp),
        _ => return Err(Reason::StoreDown),
    }
    Ok(())
}

fn destroy(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    match cluster.status(store) {
        Some(StoreStatus::Up | StoreStatus::Down) => {}
        _ => return Err(Reason::StoreDown),
    }
    cluster.set_status(store, StoreStatus::Destroyed);
    for region in cluster.regions_on(store).collect::<Vec<_>>() {
        cluster.put_peer(store, region, None);
    }
    ranges::rebuild(cluster, store);
    end_plan(cluster, store);
    Ok(())
}
