//! A recovery's state.

use std::collections::{BTreeMap, BTreeSet};

use crate::proto::recovery::{PeerReport, RecoveryPlan};
use crate::proto::region::StoreId;

/// A recovery's stage (PD `stage`).
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
    /// New, empty regions cover the holes in the key space.
    CreateEmptyRegion,
    /// Forced leaders step down.
    ExitForceLeader,
    /// It has come to its end.
    Finished,
    /// It failed or was aborted.
    Failed,
}

/// A running recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The failed stores.
    pub failed_stores: BTreeSet<StoreId>,
    /// Its stage.
    pub stage: RecoveryStage,
    /// Its first step.
    pub began: u64,
    /// The reports of this step, by store.
    pub reports: BTreeMap<StoreId, Option<Vec<PeerReport>>>,
    /// The plans of this step; a store without one has nothing to do.
    pub plans: BTreeMap<StoreId, RecoveryPlan>,
    /// It failed or was aborted: forced leaders step down, and nothing else is done.
    pub aborted: bool,
}
