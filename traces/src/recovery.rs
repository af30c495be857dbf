//! Online unsafe recovery: PD's state, the stores' reports, and the plans for stores.
//!
//! The names are those of kvproto (`pdpb.StoreReport`, `PeerReport`, `RecoveryPlan`) and PD
//! (`pkg/unsaferecovery`). Reports and plans travel with a store's heartbeat and its response. Each
//! has the step to which it belongs.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::LogPosition;
use crate::region::{PeerId, Region, RegionId, StoreId};

/// A running recovery of PD. Volatile: it is lost when PD restarts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Recovery {
    /// The failed stores.
    pub failed_stores: BTreeSet<StoreId>,
    /// The current stage.
    pub stage: RecoveryStage,
    /// The first step of this recovery, one more than the last one's
    /// [`crate::PlacementDriver::recovery_step`].
    pub began: u64,
    /// The report of each awaited store in this step, if it has arrived.
    pub reports: BTreeMap<StoreId, Option<Vec<PeerReport>>>,
    /// The plan for each store in this step. A store that is not listed has an empty plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<StoreId, RecoveryPlan>,
    /// It failed or was aborted: forced leaders are ordered to step down, and then it ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aborted: bool,
}

/// The stage of a recovery (PD `stage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryStage {
    /// Every store reports its peers.
    CollectReport,
    /// Leaders are forced in regions whose log has a `CommitMerge` that is not known to be
    /// committed.
    ForceLeaderForCommitMerge,
    /// Leaders are forced in all other regions that have lost their majority.
    ForceLeader,
    /// Forced leaders demote failed voters and remove failed learners.
    DemoteFailedVoter,
    /// Ranges without a region are covered by new, empty regions.
    CreateEmptyRegion,
    /// Forced leaders step down.
    ExitForceLeader,
    /// The recovery succeeded.
    Finished,
    /// The recovery was aborted.
    Failed,
}

/// A store's report of one peer (kvproto `PeerReport`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PeerReport {
    /// The peer's id.
    pub peer: PeerId,
    /// The region that it has applied; without members while it is uninitialised.
    pub region: Region,
    /// Its term.
    pub term: u64,
    /// The truncated position, and the last position of each term in the log. TiKV reports only the
    /// last index.
    pub log: Vec<LogPosition>,
    /// Its commit index.
    pub commit: u64,
    /// It is a forced leader or candidate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_force: bool,
    /// The source regions of `CommitMerge` entries that it does not know to be committed. TiKV
    /// reports whether there are any (`has_commit_merge`).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sources: BTreeSet<RegionId>,
}

impl PeerReport {
    /// The position of its last entry.
    pub fn last(&self) -> LogPosition {
        self.log.last().copied().unwrap_or_default()
    }

    /// The position of the last entry that it knows to be committed.
    pub fn committed(&self) -> LogPosition {
        LogPosition { index: self.commit, term: self.log_term(self.commit).unwrap_or_default() }
    }

    /// The term of the entry at `index`; `None` if it is truncated or absent.
    pub fn log_term(&self, index: u64) -> Option<u64> {
        let run = self.log.iter().find(|run| index <= run.index);
        run.filter(|_| !self.has_discarded(index)).map(|run| run.term)
    }

    /// Whether its log has that entry or has truncated it.
    pub fn has(&self, entry: LogPosition) -> bool {
        self.has_discarded(entry.index) || self.log_term(entry.index) == Some(entry.term)
    }

    fn has_discarded(&self, index: u64) -> bool {
        self.log.first().is_some_and(|discarded| index < discarded.index)
    }
}

/// A store's part in one step of a recovery (kvproto `RecoveryPlan`). A plan without
/// `force_leaders` ends with every forced leader stepping down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryPlan {
    /// The step to which it belongs.
    pub step: u64,
    /// The leaders to force. Empty for a store that forces none in a stage that forces some, so
    /// that its forced leaders stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_leaders: Option<ForceLeaders>,
    /// The failed members that forced leaders demote or remove, by region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub demotes: BTreeMap<RegionId, Vec<PeerId>>,
    /// The regions whose peers are destroyed, because other regions have their range.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tombstones: BTreeSet<RegionId>,
    /// The empty regions to create.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub creates: Vec<Region>,
}

/// The leaders that a store forces (kvproto `ForceLeader`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ForceLeaders {
    /// The stores whose votes and acknowledgements are assumed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failed_stores: BTreeSet<StoreId>,
    /// The regions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<RegionId, ForceLeader>,
}

/// A leader to force. TiKV gets only the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ForceLeader {
    /// It campaigns in a term above this one, the highest that a remaining peer reported.
    pub above: u64,
    /// The last entry that a remaining peer knows to be committed. The forced leader must have it.
    pub committed: LogPosition,
}

/// A plan that a store is executing and has not reported. Volatile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PlanUnderWay {
    /// The step to which it belongs.
    pub step: u64,
    /// Forced leaders step down at its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exits: bool,
}

/// What a forced leader has yet to do for a plan (TiKV `UnsafeRecoveryState`). Volatile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerRecovery {
    /// It must remove or demote these members. It first rolls back a merge and leaves a joint
    /// configuration.
    Demotes(Vec<PeerId>),
    /// A command of it was refused. It remains leader and waits for the next plan.
    Failed,
}
