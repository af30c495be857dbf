//! The parameters of a round: the receiver, the number of entries, and the reply.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::region::StoreId;

/// What becomes of the reply of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The reply arrives.
    #[serde(alias = "given")]
    Delivered,
    /// The reply is lost.
    #[serde(alias = "lost")]
    Dropped,
    /// The reply is delayed and may arrive later.
    #[serde(alias = "held")]
    Delayed,
}

/// Who is asked whether a peer is still a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// Another member, on this store (TiKV `MsgCheckStalePeer`).
    Member(StoreId),
    /// The placement driver (TiKV `PdTask::ValidatePeer`).
    PlacementDriver,
}

/// How many entries one round carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Entries {
    /// One entry after the common prefix.
    One,
    /// All entries up to the leader's last.
    All,
}

/// A message that may be sent and delayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outgoing {
    /// One entry after the common prefix, or none, with the leader's commit index. A snapshot if
    /// the log no longer reaches back that far.
    Append,
    /// A heartbeat. It may create the receiver if the leader knows nothing of it.
    Heartbeat,
    /// The pending `TimeoutNow`.
    TimeoutNow,
    /// A candidate's vote request. The same request remains available for a round.
    VoteRequest,
    /// A leader's report to the placement driver, which counts as store 0.
    RegionReport,
    /// A store's report to the placement driver about its plan of an unsafe recovery. `from` is the
    /// store, which has executed its plan, and the region is 0. A report that never arrives is
    /// lost.
    StoreReport,
}
