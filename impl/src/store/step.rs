//! The writes and outputs that one step gathers before any is written or sent.

use crate::error::{Refusal, ReplicaError};
use crate::guard::Guards;
use crate::proto::codec::DecodeError;
use crate::proto::message::Message;
use crate::storage::engine::Write;
use crate::store::effects::HandedOver;
use crate::store::input::Output;

/// The result of a step so far.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) batch: Vec<Write>,
    pub(crate) out: Vec<Output>,
    /// Messages that need not wait for the batch.
    pub(crate) early: Vec<Message>,
    pub(crate) handed_over: Vec<HandedOver>,
}

/// The batch and the outputs of one step.
pub(crate) struct StepContext<'a, G: Guards> {
    pub(crate) guards: G,
    pub(crate) batch: &'a mut Vec<Write>,
    pub(crate) out: &'a mut Vec<Output>,
    pub(crate) early: &'a mut Vec<Message>,
    pub(crate) handed_over: &'a mut Vec<HandedOver>,
    /// The election timeout that was set last.
    pub(crate) election_tick: usize,
    /// The ticket of this step's batch.
    pub(crate) ticket: u64,
    /// The last ticket up to which everything is durable.
    pub(crate) durable: u64,
}

/// Why a step fails; the store adds the place.
#[derive(Debug)]
pub(crate) enum Failure {
    Refused(Refusal),
    Snapshot(DecodeError),
    Raft(ReplicaError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(refusal)
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Failure::Snapshot(error)
    }
}

impl From<ReplicaError> for Failure {
    fn from(error: ReplicaError) -> Self {
        match error {
            ReplicaError::Declined(_) => Failure::Refused(Refusal::NoEffect),
            other => Failure::Raft(other),
        }
    }
}
