//! The placement driver's part of the dictionary in words, pd-ctl's where it has them.

use std::fmt;

use super::joined;
use crate::pd::{
    AdminOperator, KnownStore, Liveness, Operator, OperatorStep, Order, Purpose, Seat, StoreState,
};

/// PD's names (`PD response/store.go`): the state, and in brackets the current name of the same
/// (`node_state_name`). Liveness is shown only for a store that is Up.
impl fmt::Display for KnownStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.state, self.liveness) {
            (StoreState::Up, Liveness::Connected) => "Up",
            (StoreState::Up, Liveness::Disconnected) => "Disconnected",
            (StoreState::Up, Liveness::Down) => "Down",
            (StoreState::Offline, _) => "Offline",
            (StoreState::Tombstone, _) => "Tombstone",
        })?;
        f.write_str(match self.state {
            StoreState::Up => " (Serving)",
            StoreState::Offline => " (Removing)",
            StoreState::Tombstone => " (Removed)",
        })?;
        if self.physically_destroyed {
            f.write_str(", physically destroyed")?;
        }
        if self.full { f.write_str(", too full") } else { Ok(()) }
    }
}

/// In the middle of a sentence.
impl fmt::Display for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Liveness::Connected => "connected",
            Liveness::Disconnected => "disconnected",
            Liveness::Down => "down",
        })
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `peer@store`.
impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.peer, self.store)
    }
}

impl fmt::Display for OperatorStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OperatorStep::TransferLeader { to } => write!(f, "transfer leader to store {to}"),
            OperatorStep::AddLearner(seat) => write!(f, "add learner {seat}"),
            OperatorStep::PromoteLearner(seat) => write!(f, "promote learner {seat}"),
            OperatorStep::AddPeer(seat) => write!(f, "add peer {seat}"),
            OperatorStep::RemovePeer(seat) => write!(f, "remove peer {seat}"),
            OperatorStep::EnterJoint { promote, demote } => {
                write!(f, "enter joint (promote {{{}}}, ", joined(promote, " "))?;
                write!(f, "demote {{{}}})", joined(demote, " "))
            }
            OperatorStep::LeaveJoint { .. } => f.write_str("leave joint"),
            OperatorStep::Split { keys, .. } => write!(f, "split at {}", joined(keys, ", ")),
        }
    }
}

/// `replace-rule-offline-peer, step 2 of 5: ..`.
impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.purpose)?;
        match self.step() {
            Some(step) => write!(f, ", step {} of {}: {step}", self.done + 1, self.steps.len()),
            None => f.write_str(", done"),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::Propose(command) => write!(f, "{command}"),
            Order::Split { keys } => write!(f, "split at {}", joined(keys, ", ")),
        }
    }
}

impl fmt::Display for AdminOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdminOperator::AddPeer { store } => write!(f, "add-peer on store {store}"),
            AdminOperator::AddVoter { store } => write!(f, "add-peer on store {store}, at once"),
            AdminOperator::RemovePeer { store } => write!(f, "remove-peer on store {store}"),
            AdminOperator::TransferLeader { store } => write!(f, "transfer-leader to store {store}"),
            AdminOperator::EvictLeader { store } => write!(f, "evict-leader from store {store}"),
            AdminOperator::Split { keys } => write!(f, "split-region at {}", joined(keys, ", ")),
        }
    }
}
