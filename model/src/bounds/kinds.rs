//! The kinds of action by which reports count. Delayed messages are counted by their content.

use rollcall_traces::{Action, Authority, Command, Message, Outgoing, Reply};

use crate::cluster::ClusterInScope;

/// Defines the kinds. Each row has the actions of a kind, beside the message that an [`Action::Late`]
/// delivers, and the kind's name and label.
macro_rules! kinds {
    ($($of:pat => $name:ident = $label:literal;)*) => {
        /// The kinds of action, in the order of the report.
        pub const ACTION_KINDS: &[&str] = &[$($label),*];

        /// An index in [`ACTION_KINDS`].
        #[derive(Clone, Copy)]
        enum Kind {
            $($name),*
        }

        fn kind(action: &Action, late: Option<&Message>) -> Kind {
            match (action, late) {
                $($of => Kind::$name,)*
                (Action::Late { .. }, Some(Message::PreTransferLeader | Message::AckTransferLeader { .. })) => {
                    unreachable!("no message of a transfer is delayed by itself")
                }
                (Action::Late { .. }, Some(Message::CheckStalePeer)) => {
                    unreachable!("only the reply of a stale check is delayed")
                }
            }
        }
    };
}

kinds! {
    (Action::Campaign { .. }, _) => Campaign = "campaign";
    (Action::Vote { reply: Reply::Delivered, .. }, _) => Vote = "vote";
    (Action::Vote { reply: Reply::Dropped, .. }, _) => VoteReplyDropped = "vote, reply dropped";
    (Action::Vote { reply: Reply::Delayed, .. }, _) => VoteReplyDelayed = "vote, reply delayed";
    (Action::Replicate { reply: Reply::Delivered, .. }, _) => Replicate = "replicate";
    (Action::Replicate { reply: Reply::Dropped, .. }, _) => ReplicateReplyDropped = "replicate, reply dropped";
    (Action::Replicate { reply: Reply::Delayed, .. }, _) => ReplicateReplyDelayed = "replicate, reply delayed";
    (Action::Heartbeat { .. }, _) => Heartbeat = "heartbeat";
    (Action::CheckStalePeer { asks: Authority::Member(_), reply: Reply::Delivered | Reply::Dropped, .. }, _)
        => CheckStalePeer = "check stale peer";
    (Action::CheckStalePeer { asks: Authority::Member(_), reply: Reply::Delayed, .. }, _)
        => CheckStalePeerReplyDelayed = "check stale peer, reply delayed";
    (Action::CheckStalePeer { asks: Authority::PlacementDriver, reply: Reply::Delivered | Reply::Dropped, .. }, _)
        => ValidatePeer = "validate peer";
    (Action::CheckStalePeer { asks: Authority::PlacementDriver, reply: Reply::Delayed, .. }, _)
        => ValidatePeerReplyDelayed = "validate peer, reply delayed";
    (Action::ApplySnapshot { .. }, _) => ApplySnapshot = "apply snapshot";
    (Action::Apply { .. }, _) => Apply = "apply";
    (Action::Propose { command: Command::Put { .. }, .. }, _) => Put = "put";
    (Action::Propose { command: Command::ChangePeer(_), .. }, _) => ChangePeer = "change peer";
    (Action::Propose { command: Command::EnterJoint { .. }, .. }, _) => EnterJoint = "enter joint";
    (Action::Propose { command: Command::LeaveJoint, .. }, _) => LeaveJoint = "leave joint";
    (Action::Propose { command: Command::Delete { .. }, .. }, _) => Delete = "delete";
    (Action::Propose { command: Command::Split { .. }, .. }, _) => Split = "split";
    (Action::Propose { command: Command::PrepareMerge { .. }, .. }, _) => PrepareMerge = "prepare merge";
    (Action::Propose { command: Command::CommitMerge { .. }, .. }, _) => CommitMerge = "commit merge";
    (Action::Propose { command: Command::RollbackMerge { .. }, .. }, _) => RollbackMerge = "rollback merge";
    (Action::AskSplit { reply: Reply::Delivered, .. }, _) => AskSplit = "ask split";
    (Action::AskSplit { reply: Reply::Dropped, .. }, _) => AskSplitReplyDropped = "ask split, reply dropped";
    (Action::AskSplit { reply: Reply::Delayed, .. }, _) => AskSplitReplyDelayed = "ask split, reply delayed";
    (Action::Propose { command: Command::TransferLeader { .. }, .. }, _) => TransferLeader = "transfer leader";
    (Action::Propose { command: Command::CompactLog { .. }, .. }, _) => CompactLog = "compact log";
    (Action::Read { .. }, _) => Read = "read";
    (Action::AnswerRead { .. }, _) => AnswerRead = "answer read";
    (Action::TimeoutNow { .. }, _) => TimeoutNow = "timeout now";
    (Action::TransferTimeout { .. }, _) => TransferTimeout = "transfer timeout";
    (Action::Crash { .. }, _) => Crash = "crash";
    (Action::Restart { .. }, _) => Restart = "restart";
    (Action::Persist { .. }, _) => Persist = "persist";
    (Action::LoseDisk { .. }, _) => LoseDisk = "lose disk";
    (Action::Hold { message: Outgoing::Append, .. }, _) => HoldAppend = "hold append";
    (Action::Hold { message: Outgoing::Heartbeat, .. }, _) => HoldHeartbeat = "hold heartbeat";
    (Action::Hold { message: Outgoing::TimeoutNow, .. }, _) => HoldTimeoutNow = "hold timeout now";
    (Action::Hold { message: Outgoing::VoteRequest, .. }, _) => HoldVoteRequest = "hold vote request";
    (Action::Late { .. }, Some(Message::VoteRequest { .. })) => LateVoteRequest = "late vote request";
    (Action::Late { .. }, Some(Message::VoteResponse { .. })) => LateVoteResponse = "late vote response";
    (Action::Late { .. }, None | Some(Message::Append { .. })) => LateAppend = "late append";
    (Action::Late { .. }, Some(Message::AppendResponse { .. })) => LateAppendResponse = "late append response";
    (Action::Late { .. }, Some(Message::Heartbeat { .. })) => LateHeartbeat = "late heartbeat";
    (Action::Late { .. }, Some(Message::Snapshot(_))) => LateSnapshot = "late snapshot";
    (Action::Late { .. }, Some(Message::TimeoutNow)) => LateTimeoutNow = "late timeout now";
    (Action::Late { .. }, Some(Message::GcPeer { .. })) => LateGcPeer = "late gc peer";
    (Action::Late { .. }, Some(Message::CheckStalePeerResponse { .. }))
        => LateCheckStalePeerResponse = "late check stale peer response";
    (Action::Late { .. }, Some(Message::Merged { .. })) => LateMerged = "late merged";
    (Action::Late { .. }, Some(Message::AskSplitResponse { .. })) => LateIdsForASplit = "late ids for a split";
    // The kinds from here on need a placement driver.
    (Action::RegionHeartbeat { reply: Reply::Delivered, .. }, _) => RegionHeartbeat = "region heartbeat";
    (Action::RegionHeartbeat { reply: Reply::Dropped, .. }, _) => RegionHeartbeatOrderDropped = "region heartbeat, order dropped";
    (Action::RegionHeartbeat { reply: Reply::Delayed, .. }, _) => RegionHeartbeatOrderDelayed = "region heartbeat, order delayed";
    (Action::StoreHeartbeat { reply: Reply::Delivered, .. }, _) => StoreHeartbeat = "store heartbeat";
    (Action::MissedHeartbeat { .. }, _) => MissedHeartbeat = "missed heartbeat";
    (Action::Schedule { reply: Reply::Delivered, .. }, _) => Schedule = "schedule";
    (Action::Schedule { reply: Reply::Dropped, .. }, _) => ScheduleOrderDropped = "schedule, order dropped";
    (Action::Schedule { reply: Reply::Delayed, .. }, _) => ScheduleOrderDelayed = "schedule, order delayed";
    (Action::PushOperator { reply: Reply::Delivered | Reply::Dropped, .. }, _) => PushOperator = "push operator";
    (Action::PushOperator { reply: Reply::Delayed, .. }, _) => PushOperatorOrderDelayed = "push operator, order delayed";
    (Action::OperatorTimeout { .. }, _) => OperatorTimeout = "operator timeout";
    (Action::CheckStores, _) => CheckStores = "check stores";
    (Action::PdRestart, _) => PdRestart = "pd restart";
    (Action::AddStore { .. }, _) => AddStore = "add store";
    (Action::Decommission { .. }, _) => Decommission = "decommission";
    (Action::CancelDecommission { .. }, _) => CancelDecommission = "cancel decommission";
    (Action::SetTombstone { .. }, _) => SetTombstone = "set tombstone";
    (Action::RemoveTombstone { .. }, _) => RemoveTombstone = "remove tombstone";
    (Action::AddOperator { .. }, _) => AddOperator = "add operator";
    (Action::RemoveOperator { .. }, _) => RemoveOperator = "remove operator";
    (Action::TombstonePeer { force: false, .. }, _) => TombstonePeer = "tombstone peer";
    (Action::TombstonePeer { force: true, .. }, _) => TombstonePeerByForce = "tombstone peer by force";
    (Action::RemoveFailedStores { .. }, _) => RemoveFailedStores = "remove failed stores";
    (Action::RecoveryTimeout, _) => RecoveryTimeout = "recovery timeout";
    (Action::ForceLeaderTimeout { .. }, _) => ForceLeaderTimeout = "force leader timeout";
    (Action::StoreHeartbeat { reply: Reply::Dropped, .. }, _) => StoreHeartbeatPlanDropped = "store heartbeat, plan dropped";
    (Action::StoreHeartbeat { reply: Reply::Delayed, .. }, _) => StoreHeartbeatPlanDelayed = "store heartbeat, plan delayed";
    (Action::Late { .. }, Some(Message::RecoveryPlan(_))) => LateRecoveryPlan = "late recovery plan";
    (Action::Hold { message: Outgoing::StoreReport, .. }, _) => HoldStoreReport = "hold store report";
    (Action::Late { .. }, Some(Message::StoreReport { .. })) => LateStoreReport = "late store report";
    (Action::Hold { message: Outgoing::RegionReport, .. }, _) => HoldRegionReport = "hold region report";
    (Action::Late { .. }, Some(Message::RegionReport { .. })) => LateRegionReport = "late region report";
    (Action::Late { .. }, Some(Message::Order(_))) => LateOrder = "late order";
}

/// Whether this kind needs a placement driver: all from the region heartbeat on, and a stale check
/// with PD.
pub(crate) fn needs_pd(kind: &str) -> bool {
    let mut of_pd = ACTION_KINDS.iter().skip_while(|kind| **kind != "region heartbeat");
    kind.starts_with("validate peer") || of_pd.any(|of| *of == kind)
}

/// The index in [`ACTION_KINDS`] of an action taken in this state.
pub(crate) fn kind_of(cluster: impl ClusterInScope, action: &Action) -> usize {
    let late = match action {
        Action::Late { slot } => cluster.held().get(*slot).map(|held| &held.message),
        _ => None,
    };
    kind(action, late) as usize
}
