//! How a round goes: whom it reaches, how far it brings a log, and what becomes of its reply.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::region::StoreId;

/// What becomes of the reply of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It arrives.
    #[serde(alias = "given")]
    Delivered,
    /// It is lost.
    #[serde(alias = "lost")]
    Dropped,
    /// It stays under way, and may arrive late.
    #[serde(alias = "held")]
    Delayed,
}

/// Whom a peer asks whether it is a member still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// Another member, on that store (TiKV `MsgCheckStalePeer`).
    Member(StoreId),
    /// The placement driver (TiKV `PdTask::ValidatePeer`).
    PlacementDriver,
}

/// How far one round brings a follower's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Entries {
    /// One entry beyond the common prefix.
    One,
    /// Up to the leader's last entry.
    All,
}

/// A message that may be sent and that the world may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outgoing {
    /// One entry beyond the common prefix (or none), with the leader's commit
    /// index; a snapshot where the log no longer reaches back.
    Append,
    /// A heartbeat; it may create the receiver if the leader knows nothing of it.
    Heartbeat,
    /// The pending `TimeoutNow`.
    TimeoutNow,
    /// A candidate's vote request; it stays at hand for a round all the same.
    VoteRequest,
    /// A leader's report to the placement driver, which stands for store 0.
    RegionReport,
    /// What a store has done for an unsafe recovery, to the placement driver: the store
    /// that is `from` has carried out its plan, and the region is 0. One that never arrives
    /// is lost.
    StoreReport,
}
