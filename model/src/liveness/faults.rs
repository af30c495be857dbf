//! What continues once faults stop. This is the only place that decides it, action by action.
//!
//! Time passes, leaders are elected, rounds are answered, committed entries are applied, stores and
//! leaders report, and the patrol works. A joint configuration, a merge or a leadership that was
//! left half-way is ended. Losses, delays and crashes stop, and so do new requests of clients and
//! administrators. Stores that were given up may be given up again, as PD does by itself until its
//! timeout. A message under way may be lost as well, so nothing may depend on its late arrival.

use rollcall_traces::{Action, Cluster, Command, Reply, StoreStatus};

use crate::cluster::is_given_up;
use crate::semantics::Semantics;

/// Whether the action continues in `state` once faults stop.
pub fn is_fault_free<R: Semantics>(rules: &R, state: &R::State, action: &Action) -> bool {
    match action {
        Action::Vote { reply, .. }
        | Action::Replicate { reply, .. }
        | Action::Heartbeat { reply, .. }
        | Action::CheckStalePeer { reply, .. }
        | Action::RegionHeartbeat { reply, .. }
        | Action::Schedule { reply, .. }
        | Action::PushOperator { reply, .. } => *reply == Reply::Delivered,
        Action::Campaign { .. }
        | Action::ApplySnapshot { .. }
        | Action::Apply { .. }
        | Action::AnswerRead { .. }
        | Action::TimeoutNow { .. }
        | Action::TransferTimeout { .. }
        | Action::Restart { .. }
        | Action::Persist { .. }
        | Action::StoreHeartbeat { reply: Reply::Delivered, .. }
        | Action::OperatorTimeout { .. }
        | Action::CheckStores => true,
        // PD misses the heartbeats of a store that does not run.
        Action::MissedHeartbeat { store } => {
            !rules.cluster(state).stores().any(|(id, status)| id == *store && status == StoreStatus::Up)
        }
        // Again.
        Action::RemoveFailedStores { stores } => {
            stores.iter().all(|store| is_given_up(&rules.cluster(state), *store))
        }
        Action::Propose { command, .. } => ends_what_was_begun(command),
        Action::RecoveryTimeout | Action::ForceLeaderTimeout { .. } => true,
        Action::Crash { .. }
        | Action::LoseDisk { .. }
        | Action::StoreHeartbeat { .. }
        | Action::Hold { .. }
        | Action::Late { .. }
        | Action::PdRestart
        | Action::Read { .. }
        | Action::AskSplit { .. }
        | Action::AddStore { .. }
        | Action::Decommission { .. }
        | Action::CancelDecommission { .. }
        | Action::SetTombstone { .. }
        | Action::RemoveTombstone { .. }
        | Action::AddOperator { .. }
        | Action::RemoveOperator { .. }
        | Action::TombstonePeer { .. } => false,
    }
}

fn ends_what_was_begun(command: &Command) -> bool {
    match command {
        Command::LeaveJoint
        | Command::TransferLeader { .. }
        | Command::CommitMerge { .. }
        | Command::RollbackMerge { .. } => true,
        Command::Put { .. }
        | Command::Delete { .. }
        | Command::Split { .. }
        | Command::PrepareMerge { .. }
        | Command::ChangePeer(_)
        | Command::EnterJoint { .. }
        | Command::CompactLog { .. } => false,
    }
}
