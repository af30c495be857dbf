//! Why a store refuses a step, and the other errors of a step.
//!
//! A refusal leaves the store unchanged. After any other error, drop the store and open it again
//! from its engine.

use thiserror::Error;

use crate::guard::Guard;
use crate::proto::codec::DecodeError;
use crate::proto::region::{RegionId, StoreId};

/// An error of a step.
#[derive(Debug, Error)]
pub enum Error {
    /// The step is refused. Nothing has changed.
    #[error("region {region} on store {store}: {refusal}")]
    Refused {
        /// The region.
        region: RegionId,
        /// The store that refuses.
        store: StoreId,
        /// Why.
        refusal: Refusal,
    },
    /// A snapshot cannot be decoded. Nothing has changed.
    #[error("region {region} on store {store}: snapshot refused: {source}")]
    Snapshot {
        /// The region.
        region: RegionId,
        /// The store that refuses.
        store: StoreId,
        /// Why it cannot be decoded.
        source: DecodeError,
    },
    /// The engine failed: drop the store and open it again.
    #[error("store {store}: {source}; drop the store and open it again")]
    Engine {
        /// The store.
        store: StoreId,
        /// The engine's error.
        source: EngineError,
    },
    /// A guard can be dropped only inside the raft library, and this store's library gives no
    /// access to its internals.
    #[error(
        "store {store}: guard `{guard}` can be switched off only inside the raft library, and this one gives no access"
    )]
    NoInnards {
        /// The store.
        store: StoreId,
        /// The guard.
        guard: Guard,
    },
    /// raft-rs panicked: drop the store and open it again.
    #[error("region {region} on store {store}: a panic: {what}; drop the store and open it again")]
    Panicked {
        /// The region; 0 if it is unknown.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The panic's message.
        what: String,
    },
    /// raft returned an error for a call that was checked before: drop the store and open it again.
    #[error("region {region} on store {store}: {source}; drop the store and open it again")]
    Raft {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// raft's error.
        source: ReplicaError,
    },
}

impl Error {
    /// The refusal, if the error is one.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Error::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }
}

/// Why a step is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Refusal {
    /// The store has no live peer of the region.
    #[error("no live peer of the region is here; look up where its peers are")]
    RegionNotFound,
    /// The peer is not the leader.
    #[error("the peer does not lead; ask the leader")]
    NotLeader,
    /// The peer is already the leader.
    #[error("the peer already leads")]
    AlreadyLeader,
    /// A message's sender or receiver is not in the configuration that is checked.
    #[error("not a member of the configuration")]
    NotInConfig,
    /// The peer is no voter of its own applied configuration.
    #[error("the peer is not a voter of its own configuration")]
    NotPromotable,
    /// A committed conf change is not applied.
    #[error("a committed conf change waits to be applied; apply it first")]
    UnappliedConfChange,
    /// A received snapshot is not applied.
    #[error("a received snapshot waits to be applied; apply it first")]
    ApplyingSnapshot,
    /// No snapshot was received.
    #[error("no snapshot was received")]
    NoSnapshot,
    /// There is no committed admin entry to apply.
    #[error("no committed admin entry is waiting")]
    NothingToApply,
    /// The message has a stale term.
    #[error("the message's term is behind")]
    StaleTerm,
    /// The message has a staler epoch than the tombstone, whose region still lists the sender.
    #[error("the message's epoch is behind the tombstone's")]
    StaleEpoch,
    /// The sender was removed. It gets no removal message (only without `stale_peer_told`).
    #[error("the sender was removed")]
    SenderRemoved,
    /// The tombstone here still lists this peer, or a newer one.
    #[error("the tombstone here still lists this peer or a newer one")]
    Tombstone,
    /// The asked peer does not know that the asking peer is no longer a member.
    #[error("as far as this store knows, the peer is still a member")]
    StillMember,
    /// The placement driver's record of the region is older than the peer's region.
    #[error("the placement driver is behind the peer; ask again")]
    RegionStale,
    /// The store has a newer peer of the region.
    #[error("the message is for a peer that a newer one has replaced")]
    StalePeerId,
    /// Only a vote request, or a heartbeat with commit 0, may create a peer.
    #[error("the store has no peer, and this message cannot create one")]
    NotInitialMessage,
    /// The message would create a peer whose range belongs to another region here.
    #[error("the range belongs to another region here; wait for its split")]
    RangeOverlap,
    /// The snapshot's range belongs to another region here, or to another received snapshot.
    #[error("the snapshot's range belongs to another region here; send it again later")]
    SnapshotOverlap,
    /// A first message for this peer is already pending.
    #[error("a first message for this peer is already pending")]
    MessageAlreadyPending,
    /// The epoch given is not the region's.
    #[error("the epoch is not the region's; refresh the region")]
    EpochNotMatch,
    /// The key is outside the region.
    #[error("the key lies outside the region; refresh the region")]
    KeyNotInRegion,
    /// An unapplied proposal of this leader will change the epoch that this command checks.
    #[error("a proposal that is not applied will change the epoch; wait for it")]
    EpochChanging,
    /// A conf change is pending.
    #[error("a conf change is pending; wait until it is applied")]
    PendingConfChange,
    /// The leader has not applied an entry of its own term.
    #[error("the leader has not applied an entry of its own term; wait for it")]
    NotAppliedTerm,
    /// A leadership transfer is in progress.
    #[error("a leadership transfer is under way; wait for it")]
    TransferringLeader,
    /// The change would remove or demote the leader.
    #[error("the change would remove or demote the leader; transfer leadership first")]
    LeaderRemoval,
    /// The change would remove one of an even number of voters.
    #[error("the change would remove one of an even number of voters; demote it first")]
    DemoteFirst,
    /// The voters of the new configuration that were active lately would be no majority.
    #[error("too few voters of the new configuration have sent heartbeats lately; bring them back first")]
    MajorityLost,
    /// A quorum of the new configuration would need a snapshot first.
    #[error("a quorum of the new configuration is behind the truncated log; wait for its snapshots")]
    QuorumBehind,
    /// A joint change would remove a voter.
    #[error("a joint change would remove a voter; demote it instead and remove the learner")]
    VoterRemoval,
    /// The change adds a member that exists, removes one that does not, names a member twice, or
    /// leaves no voter.
    #[error("the change does not fit the members")]
    InvalidChange,
    /// The region is joint.
    #[error("the region is joint; leave it first")]
    AlreadyJoint,
    /// The region is not joint.
    #[error("the region is not joint")]
    NotJoint,
    /// The transferee is no voter.
    #[error("the transfer target is not a voter of the region")]
    TransfereeNotVoter,
    /// The index is already truncated, or not applied.
    #[error("the index is truncated already or not yet applied")]
    InvalidCompactIndex,
    /// The split has no key.
    #[error("the split has no key; name one")]
    NoSplitKey,
    /// A split key is empty.
    #[error("a split key is empty; choose one inside the region")]
    SplitKeyEmpty,
    /// A split key is the region's first key.
    #[error("a split key is the region's start; choose one behind it")]
    SplitKeyAtStart,
    /// A split key is at or beyond the region's end.
    #[error("a split key is at the region's end or beyond; choose one before it")]
    SplitKeyAtEnd,
    /// A split key is before the region's start.
    #[error("a split key lies before the region; refresh the region")]
    SplitKeyOutside,
    /// The split keys do not ascend.
    #[error("the split keys do not ascend; sort them and name each once")]
    SplitKeysOutOfOrder,
    /// A child does not have as many peer ids as the region has peers.
    #[error("the number of peer ids is not the number of peers; ask for ids again")]
    SplitIdsMismatch,
    /// An id of the split is in use: by the region, by another region here, or twice in the split.
    #[error("an id of the split is taken; ask for ids again")]
    IdInUse,
    /// The leader has committed no entry of its own term.
    #[error("the leader has committed nothing in its own term; wait for it")]
    NotCommittedTerm,
    /// A read is pending.
    #[error("a read is under way; answer it first")]
    ReadPending,
    /// No read is pending, or it is not confirmed, or its index is not applied.
    #[error("no read can be answered yet")]
    NoReadReady,
    /// PD's `conf_ver` of the region is not higher than the peer's (row 37).
    #[error("invalid conf_ver: please make sure you have removed the peer by PD")]
    InvalidConfVer,
    /// PD's record of the region lists this peer on the store (row 37).
    #[error("the peer is still in the placement driver's region; remove it there first")]
    PeerStillListed,
    /// The region has a forced leader: only its members may change.
    #[error("the region has a forced leader; wait until the recovery ends")]
    RecoveryInProgress,
    /// The peer is neither a forced leader nor campaigns by force.
    #[error("the peer is not a forced leader")]
    NotByForce,
    /// The region is merging, or has a merge proposed.
    #[error("the region is merging; wait for the merge or its end")]
    Merging,
    /// The region is not merging.
    #[error("the region is not merging")]
    NotMerging,
    /// The store has no initialised peer of the merge target.
    #[error("no peer of the merge target is here; name a neighbour on the same stores")]
    MergeTargetNotFound,
    /// The merge target differs from the named one.
    #[error("the merge target is not as the command describes it; refresh it")]
    MergeTargetNotMatch,
    /// The regions are not adjacent.
    #[error("the regions are not adjacent")]
    NotSiblings,
    /// The regions are not on the same stores in the same roles.
    #[error("the regions are not on the same stores in the same roles; move their peers first")]
    StoresNotMatch,
    /// Some replica is not known to have enough of the log.
    #[error("a replica may miss entries that the log no longer has; let it catch up first")]
    LogGapTooLarge,
    /// An entry that some replica may lack is an admin entry.
    #[error("a replica may miss an admin entry; let it catch up first")]
    AdminInLogGap,
    /// The store has no initialised peer of the merge source.
    #[error("no peer of the merge source is here")]
    MergeSourceNotFound,
    /// The source's peer here is not merging into this region.
    #[error("the peer of the merge source here is not merging into this region")]
    SourceNotMerging,
    /// The target has passed the epoch that the source expects.
    #[error("the merge target has changed; roll the merge back")]
    MergeTargetChanged,
    /// The target has not reached the epoch that the source expects.
    #[error("the merge target has not reached the epoch that the source expects; wait for it")]
    MergeTargetBehind,
    /// The target may still commit the merge.
    #[error("the merge may still be committed; wait for it, or until this store sees its target change")]
    MergeTargetUnchanged,
    /// The source's peer here has not applied what the merge needs.
    #[error("the peer of the merge source here has not applied its part; apply that first")]
    WaitsForSource,
    /// The key has more bytes than `max_key_size`.
    #[error("the key is too long; the store takes no longer one")]
    KeyTooLarge,
    /// The value has more bytes than `max_value_size`.
    #[error("the value is too long; divide it")]
    ValueTooLarge,
    /// The input was valid and had no effect.
    #[error("there was nothing to do")]
    NoEffect,
}

/// Why a replica did not carry out a call. After any of these but [`Declined`](Self::Declined),
/// drop the store and open it again.
#[derive(Debug, Error)]
pub enum ReplicaError {
    /// raft-rs returned an error for a call that was checked before.
    #[error("raft: {0}")]
    Raft(#[from] raft::Error),
    /// The call needs access to the library's internals, and this library gives none.
    #[error("{0} needs access to the raft library's internals, and this one gives none")]
    NoInnards(&'static str),
    /// Another library declines a change of members by a rule of its own. Nothing has changed.
    #[error("the raft library declines the change: {0}")]
    Declined(String),
    /// Another library's error.
    #[error("{0}")]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

/// A failed disk.
#[derive(Debug, Error)]
#[error("the engine cannot {what}: {reason}")]
pub struct EngineError {
    /// The call that failed.
    pub what: &'static str,
    /// The engine's message.
    pub reason: String,
}
