//! How far a recovery has come, and what it knows.

use std::collections::{BTreeMap, BTreeSet};

use crate::proto::recovery::{PeerReport, RecoveryPlan};
use crate::proto::region::StoreId;

/// How far a recovery has come (PD `stage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecoveryStage {
    /// Every store reports its peers.
    CollectReport,
    /// Leaders are forced where a `CommitMerge` is in a log and not known to be committed.
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

/// A recovery that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The stores that are given up.
    pub failed_stores: BTreeSet<StoreId>,
    /// How far it has come.
    pub stage: RecoveryStage,
    /// Its first step.
    pub began: u64,
    /// What each store that is waited for has reported in this step.
    pub reports: BTreeMap<StoreId, Option<Vec<PeerReport>>>,
    /// What stores are to do in this step; one that is not here has nothing to do.
    pub plans: BTreeMap<StoreId, RecoveryPlan>,
    /// It has failed or was given up: whoever leads by force steps down, and that is all.
    pub aborted: bool,
}
