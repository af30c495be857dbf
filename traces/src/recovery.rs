//! Online unsafe recovery: what PD keeps of one, what stores report to it, and what it
//! has them do.
//!
//! The words are kvproto's (`pdpb.StoreReport`, `PeerReport`, `RecoveryPlan`) and PD's
//! (`pkg/unsaferecovery`). A report and a plan travel with a store's heartbeat and its
//! answer, and each carries the step that it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::LogPosition;
use crate::region::{PeerId, Region, RegionId, StoreId};

/// A recovery that PD has under way. Volatile: a new PD knows nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Recovery {
    /// The stores that are given up.
    pub failed_stores: BTreeSet<StoreId>,
    /// How far it has come.
    pub stage: RecoveryStage,
    /// Its first step: [`crate::PlacementDriver::recovery_step`] goes on from there.
    pub began: u64,
    /// What each store that is waited for has reported in this step.
    pub reports: BTreeMap<StoreId, Option<Vec<PeerReport>>>,
    /// What each store is to do in this step; one that is not here has an empty plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<StoreId, RecoveryPlan>,
    /// It has failed or was given up: forced leaders get the order to step down, and that is all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aborted: bool,
}

/// How far a recovery has come (PD `stage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryStage {
    /// Every store reports its peers.
    CollectReport,
    /// Leaders are forced where a `CommitMerge` is in the log and not known to be committed.
    ForceLeaderForCommitMerge,
    /// Leaders are forced in every other region that has lost its majority.
    ForceLeader,
    /// Forced leaders demote failed voters and remove failed learners.
    DemoteFailedVoter,
    /// What no region covers is covered by new, empty ones.
    CreateEmptyRegion,
    /// Whoever leads by force steps down.
    ExitForceLeader,
    /// It has come to its end.
    Finished,
    /// It was given up.
    Failed,
}

/// What a store reports of one of its peers (kvproto `PeerReport`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PeerReport {
    /// The peer's id.
    pub peer: PeerId,
    /// Its region as it has applied it; without members while it is uninitialised.
    pub region: Region,
    /// Its term.
    pub term: u64,
    /// The last entry that is discarded, and the last of each term in what is there. TiKV
    /// reports the last index alone.
    pub log: Vec<LogPosition>,
    /// The last index that it knows to be committed.
    pub commit: u64,
    /// It leads by force, or asks to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_force: bool,
    /// The regions that entries take in which it does not know to be committed. TiKV
    /// reports whether there are any (`has_commit_merge`).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sources: BTreeSet<RegionId>,
}

impl PeerReport {
    /// The last entry of its log.
    pub fn last(&self) -> LogPosition {
        self.log.last().copied().unwrap_or_default()
    }

    /// The last entry that it knows to be committed.
    pub fn committed(&self) -> LogPosition {
        LogPosition { index: self.commit, term: self.log_term(self.commit).unwrap_or_default() }
    }

    /// The term of the entry at `index`; `None` where it is discarded or not there.
    pub fn log_term(&self, index: u64) -> Option<u64> {
        let run = self.log.iter().find(|run| index <= run.index);
        run.filter(|_| !self.has_discarded(index)).map(|run| run.term)
    }

    /// Whether its log has that entry, or has discarded it.
    pub fn has(&self, entry: LogPosition) -> bool {
        self.has_discarded(entry.index) || self.log_term(entry.index) == Some(entry.term)
    }

    fn has_discarded(&self, index: u64) -> bool {
        self.log.first().is_some_and(|discarded| index < discarded.index)
    }
}

/// What a store is to do for a recovery (kvproto `RecoveryPlan`), one step's worth. One
/// that forces no leader ends with everybody a forced leader stepping down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryPlan {
    /// The step of the recovery.
    pub step: u64,
    /// Leaders that are to be forced; empty for a store that has none, in a stage that
    /// forces some: leaders that are there stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_leaders: Option<ForceLeaders>,
    /// The failed members that forced leaders are to be rid of, by region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub demotes: BTreeMap<RegionId, Vec<PeerId>>,
    /// The regions whose peers are to be destroyed: others have taken their range.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tombstones: BTreeSet<RegionId>,
    /// The regions that are to be made anew, empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub creates: Vec<Region>,
}

/// The leaders that a store is to force (kvproto `ForceLeader`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ForceLeaders {
    /// The stores whose votes and acknowledgements are made up.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failed_stores: BTreeSet<StoreId>,
    /// The regions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<RegionId, ForceLeader>,
}

/// A leader that is to be forced. TiKV gets the region alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ForceLeader {
    /// It asks in a term beyond this one, the highest that anybody who is left reported.
    pub above: u64,
    /// The last entry that anybody who is left knows to be committed: it must have that.
    pub committed: LogPosition,
}

/// A plan that a store carries out and has not reported yet. Volatile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PlanUnderWay {
    /// Its step.
    pub step: u64,
    /// Whoever leads by force steps down at its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exits: bool,
}

/// What a forced leader has still to do for a plan (TiKV `UnsafeRecoveryState`). Volatile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerRecovery {
    /// It is to be rid of these members: a merge is rolled back before, and a joint
    /// configuration left.
    Demotes(Vec<PeerId>),
    /// Something of that was refused: it goes on leading, and waits for the next plan.
    Failed,
}
