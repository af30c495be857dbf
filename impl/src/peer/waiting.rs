//! What a peer or its store has begun and waits for the end of. A crash forgets all of it.

use crate::proto::position::Position;
use crate::proto::region::{Key, Member, PeerId};

/// A read under way.
#[derive(Clone, Debug)]
pub(crate) struct ReadRequest {
    /// The key; `None` for all.
    pub(crate) key: Option<Key>,
    /// The commit index that it took.
    pub(crate) index: u64,
    /// By what raft knows it.
    pub(crate) context: Vec<u8>,
    /// A quorum acknowledged it.
    pub(crate) ready: bool,
}

/// The members of a newer configuration than the peer's own, as a tombstone named them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleCheck {
    /// That configuration's `conf_ver`.
    pub conf_ver: u64,
    /// Its members.
    pub peers: Vec<Member>,
}

/// A plan that a store carries out and has not reported yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanUnderWay {
    /// Its step.
    pub step: u64,
    /// Whoever leads by force steps down at its end.
    pub exits: bool,
}

/// What a forced leader has still to do for a plan (TiKV `UnsafeRecoveryState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerRecovery {
    /// It is to be rid of these members; none any more once that was proposed.
    Demotes(Vec<PeerId>),
    /// Something of that was refused: it goes on leading, and waits for the next plan.
    Failed,
}

/// A proposal whose client wants to know how it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proposal {
    /// The client's own number.
    pub(crate) id: u64,
    /// Its entry.
    pub(crate) entry: Position,
}
