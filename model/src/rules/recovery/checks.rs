//! What is refused while an unsafe recovery runs.

use rollcall_traces::{Command, Peer, Reason};

use crate::cluster::ClusterMut;

/// A forced leader serves no client. It accepts only conf changes and the rollback of a merge (TiKV
/// `pre_propose_raft_command`).
pub(crate) fn check_command(leader: &Peer, command: Option<&Command>) -> Result<(), Reason> {
    let allowed =
        |command: &Command| command.is_conf_change() || matches!(command, Command::RollbackMerge { .. });
    if leader.is_by_force() && !command.is_some_and(allowed) {
        return Err(Reason::RecoveryInProgress);
    }
    Ok(())
}

/// A second recovery, the patrol and requests for split ids are refused meanwhile (PD
/// `IsSchedulingHalted`, `AskBatchSplit`).
pub(crate) fn check_none(cluster: &impl ClusterMut) -> Result<(), Reason> {
    if cluster.pd().recovery.is_some() { Err(Reason::RecoveryRunning) } else { Ok(()) }
}
