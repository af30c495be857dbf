//! The kinds of action that reports count, held messages by what they say.

use rollcall_traces::{Action, Answer, Cluster, Command, Message, Outgoing};

use crate::state::Seen;

/// Which kind of held message an action delivers late, for the report.
pub(crate) fn late_kind(message: &Message) -> &'static str {
    match message {
        Message::VoteRequest { .. } => "late vote request",
        Message::VoteAnswer { .. } => "late vote answer",
        Message::Append { .. } => "late append",
        Message::AppendAnswer { .. } => "late append answer",
        Message::Snapshot(_) => "late snapshot",
        Message::Heartbeat { .. } => "late heartbeat",
        Message::TimeoutNow => "late timeout now",
        Message::Removed { .. } => "late removed",
        Message::SplitAnswer { .. } => "late ids for a split",
    }
}

/// The kinds of action that the report counts, in its order.
pub const ACTION_KINDS: &[&str] = &[
    "campaign",
    "vote",
    "vote, answer lost",
    "vote, answer held",
    "replicate",
    "replicate, answer lost",
    "replicate, answer held",
    "apply snapshot",
    "apply",
    "put",
    "change peer",
    "enter joint",
    "leave joint",
    "delete",
    "split",
    "ask split",
    "ask split, answer lost",
    "ask split, answer held",
    "transfer leader",
    "compact log",
    "read",
    "answer read",
    "timeout now",
    "transfer timeout",
    "crash",
    "restart",
    "destroy",
    "hold append",
    "hold heartbeat",
    "hold timeout now",
    "hold vote request",
    "late vote request",
    "late vote answer",
    "late append",
    "late append answer",
    "late heartbeat",
    "late snapshot",
    "late timeout now",
    "late removed",
    "late ids for a split",
];

/// The place in [`ACTION_KINDS`] of an action taken in `seen`.
pub(crate) fn kind_of(seen: Seen<'_>, action: &Action) -> usize {
    let name = match action {
        Action::Campaign { .. } => "campaign",
        Action::Vote { answer: Answer::Given, .. } => "vote",
        Action::Vote { answer: Answer::Lost, .. } => "vote, answer lost",
        Action::Vote { answer: Answer::Held, .. } => "vote, answer held",
        Action::Replicate { answer: Answer::Given, .. } => "replicate",
        Action::Replicate { answer: Answer::Lost, .. } => "replicate, answer lost",
        Action::Replicate { answer: Answer::Held, .. } => "replicate, answer held",
        Action::ApplySnapshot { .. } => "apply snapshot",
        Action::Apply { .. } => "apply",
        Action::Propose { command, .. } => match command {
            Command::Put { .. } => "put",
            Command::Delete { .. } => "delete",
            Command::Split { .. } => "split",
            Command::ChangePeer(_) => "change peer",
            Command::EnterJoint { .. } => "enter joint",
            Command::LeaveJoint => "leave joint",
            Command::TransferLeader { .. } => "transfer leader",
            Command::CompactLog { .. } => "compact log",
        },
        Action::AskSplit { answer: Answer::Given, .. } => "ask split",
        Action::AskSplit { answer: Answer::Lost, .. } => "ask split, answer lost",
        Action::AskSplit { answer: Answer::Held, .. } => "ask split, answer held",
        Action::Read { .. } => "read",
        Action::AnswerRead { .. } => "answer read",
        Action::TimeoutNow { .. } => "timeout now",
        Action::TransferTimeout { .. } => "transfer timeout",
        Action::Crash { .. } => "crash",
        Action::Restart { .. } => "restart",
        Action::Destroy { .. } => "destroy",
        Action::Hold { message: Outgoing::Append, .. } => "hold append",
        Action::Hold { message: Outgoing::Heartbeat, .. } => "hold heartbeat",
        Action::Hold { message: Outgoing::VoteRequest, .. } => "hold vote request",
        Action::Hold { message: Outgoing::TimeoutNow, .. } => "hold timeout now",
        Action::Late { slot } => {
            seen.held().get(*slot).map_or("late append", |held| late_kind(&held.message))
        }
    };
    ACTION_KINDS.iter().position(|kind| *kind == name).expect("every kind is listed")
}
