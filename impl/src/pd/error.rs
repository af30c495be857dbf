//! Why the placement driver refuses, and what else can go wrong in a step.
//!
//! A refusal leaves PD exactly as it was. pd-ctl's messages are with the dictionary's reasons, not
//! here.

use std::fmt;

use thiserror::Error;

use super::config::PdConfigError;
use crate::error::EngineError;
use crate::proto::region::{RegionId, StoreId};

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A store.
    Store(StoreId),
    /// A region.
    Region(RegionId),
    /// All stores together.
    Cluster,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Store(store) => write!(f, "store {store}"),
            Subject::Region(region) => write!(f, "region {region}"),
            Subject::Cluster => f.write_str("the cluster"),
        }
    }
}

/// What went wrong in a step.
#[derive(Debug, Error)]
pub enum PdError {
    /// The step is refused; nothing changed.
    #[error("placement driver: {subject}: {refusal}")]
    Refused {
        /// What it is about.
        subject: Subject,
        /// Why.
        refusal: PdRefusal,
    },
    /// The configuration is invalid; nothing was opened.
    #[error("placement driver: {0}; correct the configuration")]
    Config(#[from] PdConfigError),
    /// The engine failed: drop PD and restart it from its engine.
    #[error("placement driver: {0}; drop it and restart it from its engine")]
    Engine(#[from] EngineError),
}

impl PdError {
    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<PdRefusal> {
        match self {
            PdError::Refused { refusal, .. } => Some(*refusal),
            PdError::Config(_) | PdError::Engine(_) => None,
        }
    }
}

/// Why a step is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum PdRefusal {
    /// No such store, or its record was removed.
    #[error("PD has no record of the store; look up the stores")]
    StoreNotFound,
    /// The cluster has begun already.
    #[error("the cluster already has regions; open it instead")]
    Bootstrapped,
    /// There is a store of this id.
    #[error("PD already knows the store; choose another id")]
    StoreExists,
    /// The store is Up and connected.
    #[error("the store is Up and connected; stop it first, or decommission it")]
    StoreConnected,
    /// `remove-failed-stores` without a store.
    #[error("no store specified")]
    NoStoreSpecified,
    /// An unsafe recovery is running.
    #[error("unsafe recovery is running; wait for its end, or abort it")]
    RecoveryRunning,
    /// None is.
    #[error("no unsafe recovery is running")]
    NoRecovery,
    /// The store is Tombstone, for good.
    #[error("the store is Tombstone (Removed) and stays so; add a new store")]
    StoreRemoved,
    /// The store is leaving already; pd-ctl answers "Success!" and nothing happens (row 43).
    #[error("the store is already leaving; wait until it is Tombstone")]
    AlreadyLeaving,
    /// There is nothing to cancel.
    #[error("the store is not leaving")]
    NotLeaving,
    /// It was declared physically destroyed, which cannot be taken back.
    #[error("the store was declared physically destroyed; its id cannot serve again")]
    PhysicallyDestroyed,
    /// Too few stores would be left for the replicas (row 39).
    #[error("fewer stores would remain than a region has replicas; add a store first")]
    StoresNotEnough,
    /// Only the patrol makes a store Tombstone (row 45).
    #[error("a store becomes Tombstone by itself once it is empty; decommission it")]
    StateNotAllowed,
    /// It is Down already.
    #[error("the store is already Down")]
    AlreadyDown,
    /// Only the record of a Tombstone store can be removed.
    #[error("the store is not Tombstone; decommission it first")]
    NotTombstone,
    /// A region lists a peer there (row 45).
    #[error("a region lists a peer on the store; remove that peer first")]
    StoreHasRegions,
    /// No Offline store is empty.
    #[error("no leaving store is empty")]
    NothingToBury,
    /// PD does not know the region.
    #[error("PD does not know the region; wait for its heartbeat")]
    RegionNotFound,
    /// A heartbeat, or a request for split ids, is behind what PD knows.
    #[error("the region's epoch is older than PD's, or than that of its range")]
    RegionStale,
    /// The heartbeat names no leader.
    #[error("the heartbeat names no leader")]
    InvalidLeader,
    /// PD knows no leader of the region (row 41).
    #[error("PD knows no leader of the region; restore its majority first")]
    NoLeader,
    /// The region is between two configurations.
    #[error("the region is joint; let the checker leave it first")]
    JointState,
    /// The region has an operator of the same or a higher priority.
    #[error("the region already has an operator; remove it, or wait until it ends")]
    OperatorExists,
    /// The region has none.
    #[error("the region has no operator")]
    OperatorNotFound,
    /// The operator was built for another epoch.
    #[error("the operator was built for another epoch; build it again")]
    EpochNotMatch,
    /// The region has a peer on that store.
    #[error("the region already has a peer on the store; choose another store")]
    PeerExists,
    /// The region has no peer on that store.
    #[error("the region has no peer on the store")]
    PeerNotFound,
    /// The region has no voter on that store.
    #[error("the region has no voter on the store; choose a store with a voter")]
    NoVoterThere,
    /// Another store leads the region.
    #[error("another store leads the region")]
    LedElsewhere,
    /// The store leads already.
    #[error("the store already leads the region")]
    AlreadyLeader,
    /// The store is Down.
    #[error("the store is Down; bring it back or choose another")]
    StoreUnhealthy,
    /// The region has one voter.
    #[error("the peer is the region's only voter; add another first")]
    LastVoter,
    /// Fewer voters would be left alive than a majority needs (row 46).
    #[error("fewer live voters would remain than a majority needs; repair the others first")]
    MajorityLost,
    /// No other peer may lead.
    #[error("no other voter can lead; bring a store back or add a peer first")]
    NoNewLeader,
    /// A split without a key, or one outside the region.
    #[error("a split key lies outside the region, or there is none")]
    InvalidSplitKey,
    /// The region is as it should be.
    #[error("the region needs nothing")]
    NothingToDo,
    /// A peer is needed and no store can take it (rows 39, 40); PD logs "no store to replace peer".
    #[error("no legal target: no store is Up, connected, without a peer of the region, and has space")]
    NoTarget,
    /// The checkers' operators have reached the limit (row 49).
    #[error("the schedule limit is reached; wait until an operator ends, or raise the limit")]
    ScheduleLimit,
}
