//! What one step of a store gathers before anything of it is written or sent.

use crate::codec::DecodeError;
use crate::engine::Write;
use crate::error::{Refusal, ReplicaError};
use crate::guard::Guards;
use crate::input::Output;

/// The batch and the outputs of one step.
pub(crate) struct Step<'a, G: Guards> {
    pub(crate) guards: G,
    pub(crate) batch: &'a mut Vec<Write>,
    pub(crate) out: &'a mut Vec<Output>,
}

/// Why a step fails; the store adds where.
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
        Failure::Raft(error)
    }
}
