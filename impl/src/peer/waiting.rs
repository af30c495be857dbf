//! Pending requests and plans of a peer or its store. A crash forgets all of them.

use crate::proto::position::Position;
use crate::proto::region::{Key, Member, PeerId};

/// A pending read.
#[derive(Clone, Debug)]
pub(crate) struct ReadRequest {
    /// The key; `None` for all.
    pub(crate) key: Option<Key>,
    /// The commit index that it took.
    pub(crate) index: u64,
    /// Its context in raft.
    pub(crate) context: Vec<u8>,
    /// A quorum acknowledged it.
    pub(crate) ready: bool,
    /// The number of the client that waits for it, if one does.
    pub(crate) client: Option<u64>,
}

/// The members of a newer configuration than the peer's own, as a tombstone named them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleCheck {
    /// That configuration's `conf_ver`.
    pub conf_ver: u64,
    /// Its members.
    pub peers: Vec<Member>,
}

/// A plan that a store has not reported yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanUnderWay {
    /// Its step.
    pub step: u64,
    /// Forced leaders step down at its end.
    pub exits: bool,
}

/// A forced leader's remaining work for a plan (TiKV `UnsafeRecoveryState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerRecovery {
    /// It demotes or removes these members; none once that was proposed.
    Demotes(Vec<PeerId>),
    /// That was refused: the peer still leads, and waits for the next plan.
    Failed,
}

/// A proposal whose client waits for the result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proposal {
    /// The client's own number.
    pub(crate) id: u64,
    /// Its entry.
    pub(crate) entry: Position,
}
