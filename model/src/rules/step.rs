//! One action: the rule that decides it, and its outcome.

use rollcall_traces::{Action, Outcome, Reason, Reply, Returned};

use super::{
    apply, apply_snapshot, ask_split, election, late, pd, persist, propose, read, recovery, replicate, stale,
    store_life, tikv_ctl, transfer,
};
use crate::cluster::ClusterMut;

/// Takes one action by the rule that decides it.
pub(crate) fn step(cluster: &mut impl ClusterMut, action: &Action) -> Result<Returned, Reason> {
    match *action {
        Action::Campaign { region, store } => election::campaign(cluster, region, store),
        Action::Vote { region, candidate, voter, reply } => {
            election::vote(cluster, region, candidate, voter, reply)
        }
        Action::Replicate { region, leader, follower, entries, reply } => {
            replicate::replicate(cluster, region, leader, follower, entries, reply)
        }
        Action::Heartbeat { region, leader, follower, reply } => {
            replicate::heartbeat_round(cluster, region, leader, follower, reply)
        }
        Action::CheckStalePeer { region, store, asks, reply } => {
            stale::check_stale_peer(cluster, region, store, asks, reply)
        }
        Action::ApplySnapshot { region, store } => {
            apply_snapshot::apply_snapshot(cluster, region, store).map(|()| persist::sync_all(cluster, store))
        }
        Action::Apply { region, store } => {
            apply::apply(cluster, region, store).map(|()| persist::sync_all(cluster, store))
        }
        Action::Propose { region, store, ref command, epoch } => {
            propose::propose(cluster, region, store, command, epoch)
        }
        Action::AskSplit { region, store, ref keys, derive, reply } => {
            return ask_split::ask(cluster, region, store, (keys, derive), None, reply);
        }
        Action::Read { region, store, ref key } => read::read(cluster, region, store, key),
        Action::AnswerRead { region, store } => return read::reply(cluster, region, store),
        Action::TimeoutNow { region, leader } => transfer::timeout_now(cluster, region, leader),
        Action::TransferTimeout { region, store } => transfer::transfer_timeout(cluster, region, store),
        Action::Crash { store } => store_life::crash(cluster, store),
        Action::Restart { store } => store_life::restart(cluster, store),
        Action::Persist { store } => persist::persist(cluster, store),
        Action::LoseDisk { store } => store_life::lose_disk(cluster, store),
        Action::Hold { region, from, to, message } => late::hold(cluster, region, from, to, message),
        Action::RegionHeartbeat { region, store, reply } => {
            return pd::region_heartbeat(cluster, region, store, reply);
        }
        Action::StoreHeartbeat { store, reply } => return recovery::heartbeat(cluster, store, reply),
        Action::MissedHeartbeat { store } => pd::count_missed_heartbeat(cluster, store),
        Action::Schedule { region, reply } => return pd::schedule(cluster, region, reply),
        Action::PushOperator { region, reply } => return pd::push_operator(cluster, region, reply),
        Action::OperatorTimeout { region } => pd::time_out_operator(cluster, region),
        Action::RemoveOperator { region } => pd::remove_operator(cluster, region),
        Action::CheckStores => pd::check_stores(cluster),
        Action::PdRestart => pd::restart(cluster),
        Action::AddStore { store } => pd::add_store(cluster, store),
        Action::Decommission { store, force } => pd::decommission(cluster, store, force),
        Action::CancelDecommission { store } => pd::cancel_decommission(cluster, store),
        Action::SetTombstone { store } => pd::set_tombstone(cluster, store),
        Action::RemoveTombstone { store } => pd::remove_tombstone(cluster, store),
        Action::AddOperator { region, ref operator, reply } => {
            return pd::add_operator(cluster, region, operator, reply);
        }
        Action::TombstonePeer { region, store, force } => {
            tikv_ctl::tombstone_peer(cluster, region, store, force)
        }
        Action::RemoveFailedStores { ref stores } => recovery::remove_failed_stores(cluster, stores),
        Action::RecoveryTimeout => return recovery::time_out(cluster),
        Action::ForceLeaderTimeout { region, store } => {
            recovery::time_out_force_leader(cluster, region, store)
        }
        Action::Late { slot } if late::is_store_report(cluster, slot) => {
            return late::store_report(cluster, slot);
        }
        Action::Late { slot } => late::late(cluster, slot, Reply::Dropped).map(drop),
    }
    .map(|()| Returned::Nothing)
}

/// The outcome of an action. It is refused exactly if the cluster is unchanged and nothing is
/// returned. A step that fails after it changed something is done.
pub(crate) fn outcome(taken: Result<Returned, Reason>, is_changed: bool) -> Outcome {
    match taken {
        Ok(returned) if is_changed || returned != Returned::Nothing => Outcome::Done(returned),
        Ok(_) => Outcome::Refused(Reason::NoEffect),
        Err(_) if is_changed => Outcome::DONE,
        Err(reason) => Outcome::Refused(reason),
    }
}
