//! The outcome of an action: done, or refused for a reason that users meet.
//!
//! An action is refused exactly when it changes nothing that a view shows and returns nothing. So
//! model and implementation are compared on what is forbidden as well as on what is allowed.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::command::Child;
use crate::pd::Order;
use crate::recovery::RecoveryStage;
use crate::region::{Key, Region, Value};

/// The result of one action.
///
/// In a trace: `"done"`, `{"done":{"value":{..}}}` or `{"refused":"not_leader"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The action took effect.
    Done(Returned),
    /// The action was refused and changed nothing.
    Refused(Reason),
}

impl Outcome {
    /// Done, with nothing returned.
    pub const DONE: Outcome = Outcome::Done(Returned::Nothing);

    /// Whether it took effect.
    pub fn is_done(&self) -> bool {
        matches!(self, Outcome::Done(_))
    }
}

const OUTCOME_FORMS: [&str; 2] = ["done", "refused"];

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Outcome::Done(Returned::Nothing) => serializer.serialize_unit_variant("Outcome", 0, "done"),
            Outcome::Done(returned) => serializer.serialize_newtype_variant("Outcome", 0, "done", returned),
            Outcome::Refused(reason) => serializer.serialize_newtype_variant("Outcome", 1, "refused", reason),
        }
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OutcomeVisitor)
    }
}

struct OutcomeVisitor;

impl<'de> Visitor<'de> for OutcomeVisitor {
    type Value = Outcome;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#""done", {"done":..} or {"refused":..}"#)
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Outcome, E> {
        match word {
            "done" => Ok(Outcome::DONE),
            "refused" => {
                Err(E::custom(r#"a refusal names its reason: {"refused":"not_leader"}, or what it is"#))
            }
            other => Err(E::unknown_variant(other, &OUTCOME_FORMS)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outcome, A::Error> {
        let form: String = map.next_key()?.ok_or_else(|| de::Error::custom("an outcome is not empty"))?;
        let outcome = match form.as_str() {
            "done" => Outcome::Done(map.next_value()?),
            "refused" => Outcome::Refused(map.next_value()?),
            other => return Err(de::Error::unknown_variant(other, &OUTCOME_FORMS)),
        };
        match map.next_key::<String>()? {
            None => Ok(outcome),
            Some(second) => {
                Err(de::Error::custom(format!("an outcome is one thing, and here is `{second}` too")))
            }
        }
    }
}

/// What an action returned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Returned {
    /// Nothing.
    Nothing,
    /// The result of a read, with a copy of the region on which it was computed.
    Value {
        /// The key that was read.
        key: Key,
        /// Its value, if it has one.
        value: Option<Value>,
        /// The region when the read was answered.
        region: Region,
    },
    /// The ids that the placement driver allotted for a split.
    Allotted {
        /// The new regions.
        children: Vec<Child>,
        /// Why the leader refused to propose the split. The ids are used up all the same, and TiKV
        /// reports nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Reason>,
    },
    /// The placement driver's order to the leader that it knows.
    Ordered {
        /// The order.
        order: Order,
        /// Why the receiver refused the order. TiKV reports nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Reason>,
    },
    /// The unsafe recovery has entered this stage.
    Entered(RecoveryStage),
}

/// Why an action was refused. pd-ctl's own words are [`Action::pd_ctl`](crate::Action::pd_ctl).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    // Of the harness.
    /// A store that takes part is not running, or its disk is lost.
    StoreDown,
    /// The store is running already.
    StoreUp,
    /// No message is held at that place.
    NothingHeld,
    /// The round creates a peer or sends a snapshot, so it has no reply to lose or delay.
    #[serde(alias = "no_answer")]
    NoReply,
    // Of the asked peer.
    /// The store has no live peer of the region.
    RegionNotFound,
    /// The peer does not lead.
    NotLeader,
    /// The peer already leads.
    AlreadyLeader,
    /// The peer is not a candidate, so no vote request is under way.
    NotCandidate,
    /// The receiver is not a member of the sender's configuration (for a vote: not another voter).
    NotInConfig,
    /// The peer is not a voter of its own applied configuration.
    NotPromotable,
    /// A conf change is committed and not applied.
    UnappliedConfChange,
    /// A received snapshot is not applied yet.
    ApplyingSnapshot,
    /// No snapshot was received.
    NoSnapshot,
    /// No committed admin entry is waiting.
    NothingToApply,
    // Of the receiving store, on a message.
    /// The message's term is behind the receiver's.
    StaleTerm,
    /// What the message says is not durable on its sender, so it may not leave.
    NotPersisted,
    /// The message's epoch is behind the tombstone's, and the tombstone's region still lists the
    /// sender.
    StaleEpoch,
    /// The receiver's store knows that the sender was removed, or that its region was merged. The
    /// reply that says so may still be lost.
    SenderRemoved,
    /// The tombstone on the store still lists this peer, or a newer one.
    Tombstone,
    /// The peer or store that was asked does not know that the asking peer was removed.
    StillMember,
    /// The store has a newer peer of this region.
    StalePeerId,
    /// The store has no peer, and this message cannot create one.
    NotInitialMessage,
    /// The message would create a peer whose range belongs to another region on this store.
    RangeOverlap,
    /// The snapshot's range belongs to another region on this store, or to another pending
    /// snapshot.
    SnapshotOverlap,
    /// A first message for that peer is already pending.
    #[serde(alias = "already_parked")]
    MessageAlreadyPending,
    // Of a proposal.
    /// The given epoch is not the region's.
    EpochNotMatch,
    /// The key lies outside the region.
    KeyNotInRegion,
    /// The leader has proposed a command in this term, not applied yet, that will change the epoch
    /// that this proposal depends on (TiKV `CmdEpochChecker`).
    EpochChanging,
    /// A conf change is pending (raft-rs `has_pending_conf`).
    PendingConfChange,
    /// The leader has not applied an entry of its own term.
    NotAppliedTerm,
    /// A leadership transfer is under way.
    TransferringLeader,
    /// The change would remove or demote the leader.
    LeaderRemoval,
    /// The change would remove one of an even number of voters. Demote it first.
    DemoteFirst,
    /// A quorum of the new configuration would need a snapshot before it could commit.
    QuorumBehind,
    /// A joint change would remove a voter. Demote it instead.
    VoterRemoval,
    /// The change adds an existing peer, removes a missing one, repeats itself, or leaves no voter.
    InvalidChange,
    /// The region is already joint.
    AlreadyJoint,
    /// The region is not joint.
    NotJoint,
    /// The transfer target is not a voter of the region.
    TransfereeNotVoter,
    /// No transfer is under way.
    NoTransfer,
    /// No `TimeoutNow` is under way from that leader.
    NoTimeoutNow,
    /// The index is already truncated, or not applied yet.
    InvalidCompactIndex,
    // Of a split.
    /// The scope has no placement driver to allot ids.
    NoPlacementDriver,
    /// The split has no key.
    NoSplitKey,
    /// A split key is empty.
    SplitKeyEmpty,
    /// A split key is the region's first key.
    SplitKeyAtStart,
    /// A split key is the region's end, or beyond it.
    SplitKeyAtEnd,
    /// A split key lies before the region.
    SplitKeyOutside,
    /// The split keys do not ascend.
    SplitKeysOutOfOrder,
    /// The number of peer ids is not the number of peers.
    SplitIdsMismatch,
    /// An id of the split is taken: by the region, by another region on this store, or twice by the
    /// split.
    IdInUse,
    // Of a merge.
    /// The region is merging, or a PrepareMerge is pending.
    Merging,
    /// The region is not merging.
    NotMerging,
    /// The store has no initialised peer of the merge target.
    MergeTargetNotFound,
    /// The merge target is not as the command describes it.
    MergeTargetNotMatch,
    /// The regions are not adjacent.
    NotSiblings,
    /// The regions are not on the same stores in the same roles.
    StoresNotMatch,
    /// Some replica is not known to hold enough of the log.
    LogGapTooLarge,
    /// An admin entry is among the entries that some replica may miss.
    AdminInLogGap,
    /// The store has no initialised peer of the merge source.
    MergeSourceNotFound,
    /// The merge source's peer on the store is not merging into this region.
    SourceNotMerging,
    /// The target is past the epoch that the source expects, so the merge must be rolled back.
    MergeTargetChanged,
    /// The target has not reached the epoch that the source expects.
    MergeTargetBehind,
    /// The merge may still be committed, as far as the store knows.
    MergeTargetUnchanged,
    /// The merge source's peer on the store has not applied its `PrepareMerge`.
    WaitsForSource,
    // Of a read.
    /// The leader has committed nothing in its own term.
    NotCommittedTerm,
    /// The peer has a read under way.
    ReadPending,
    /// No read is under way, or it is not acknowledged or not applied.
    NoReadReady,
    // Of the placement driver.
    /// PD has no record of the store.
    UnknownStore,
    /// The store is Tombstone (Removed), for good.
    StoreRemoved,
    /// The store is already leaving. pd-ctl still answers "Success!" (row 43).
    AlreadyLeaving,
    /// The store is not leaving, so there is nothing to cancel.
    NotLeaving,
    /// The store was declared physically destroyed, which cannot be undone.
    PhysicallyDestroyed,
    /// Fewer stores would remain than a region has replicas (row 39).
    StoresNotEnough,
    /// Only the placement driver makes a store Tombstone (row 45).
    StateNotAllowed,
    /// The store is not Tombstone, so its record cannot be removed.
    NotTombstone,
    /// A region lists a peer on the store (row 45).
    StoreHasRegions,
    /// No store that is leaving is empty.
    NothingToBury,
    /// PD does not know the region, or no region at its first key.
    UnknownRegion,
    /// A report, or a request to split, has an older epoch than PD knows (row 35).
    RegionStale,
    /// PD knows no leader of the region (row 41).
    NoLeader,
    /// The region is joint.
    JointState,
    /// The region already has an operator of the same or a higher priority (row 38).
    OperatorExists,
    /// The region has no operator.
    NoOperator,
    /// The region already has a peer on that store.
    PeerExists,
    /// The region has no peer on that store.
    NoPeer,
    /// The region has no voter on that store.
    NoVoter,
    /// The store is Down.
    StoreUnhealthy,
    /// The peer is the region's only voter.
    LastVoter,
    /// Fewer live voters would remain than a majority needs (row 46).
    MajorityLost,
    /// No other voter can lead.
    NoNewLeader,
    /// The operator has no split key, or one outside the region.
    InvalidSplitKey,
    /// The region needs nothing.
    NothingToDo,
    /// No store can take the peer (rows 39, 40).
    NoTarget,
    /// The patrol's limit of running operators is reached (row 49).
    ScheduleLimit,
    // Of what an administrator forces.
    /// PD's `conf_ver` of the region is not higher than the peer's own: "please make sure you have
    /// removed the peer by PD" (row 37).
    InvalidConfVer,
    /// PD's region still lists this peer on the store (row 37).
    PeerStillListed,
    /// The store is Up and sends heartbeats, so unsafe recovery refuses it.
    StoreConnected,
    /// An unsafe recovery is running: no other begins, the patrol pauses, and splits get no ids (PD
    /// `ErrUnsafeRecoveryIsRunning`).
    RecoveryRunning,
    /// No unsafe recovery is running.
    NoRecovery,
    /// The region has a forced leader, which accepts only membership changes (TiKV
    /// `RecoveryInProgress`).
    RecoveryInProgress,
    /// The peer is not a forced leader.
    NotByForce,
    // Of all.
    /// The action is valid and changes nothing.
    NoEffect,
}

impl Reason {
    /// Every reason.
    pub const ALL: &'static [Reason] = &[
        Reason::StoreDown,
        Reason::StoreUp,
        Reason::NothingHeld,
        Reason::NoReply,
        Reason::RegionNotFound,
        Reason::NotLeader,
        Reason::AlreadyLeader,
        Reason::NotCandidate,
        Reason::NotInConfig,
        Reason::NotPromotable,
        Reason::UnappliedConfChange,
        Reason::ApplyingSnapshot,
        Reason::NoSnapshot,
        Reason::NothingToApply,
        Reason::StaleTerm,
        Reason::NotPersisted,
        Reason::StaleEpoch,
        Reason::SenderRemoved,
        Reason::Tombstone,
        Reason::StillMember,
        Reason::StalePeerId,
        Reason::NotInitialMessage,
        Reason::RangeOverlap,
        Reason::SnapshotOverlap,
        Reason::MessageAlreadyPending,
        Reason::EpochNotMatch,
        Reason::KeyNotInRegion,
        Reason::EpochChanging,
        Reason::PendingConfChange,
        Reason::NotAppliedTerm,
        Reason::TransferringLeader,
        Reason::LeaderRemoval,
        Reason::DemoteFirst,
        Reason::QuorumBehind,
        Reason::VoterRemoval,
        Reason::InvalidChange,
        Reason::AlreadyJoint,
        Reason::NotJoint,
        Reason::TransfereeNotVoter,
        Reason::NoTransfer,
        Reason::NoTimeoutNow,
        Reason::InvalidCompactIndex,
        Reason::NoPlacementDriver,
        Reason::NoSplitKey,
        Reason::SplitKeyEmpty,
        Reason::SplitKeyAtStart,
        Reason::SplitKeyAtEnd,
        Reason::SplitKeyOutside,
        Reason::SplitKeysOutOfOrder,
        Reason::SplitIdsMismatch,
        Reason::IdInUse,
        Reason::Merging,
        Reason::NotMerging,
        Reason::MergeTargetNotFound,
        Reason::MergeTargetNotMatch,
        Reason::NotSiblings,
        Reason::StoresNotMatch,
        Reason::LogGapTooLarge,
        Reason::AdminInLogGap,
        Reason::MergeSourceNotFound,
        Reason::SourceNotMerging,
        Reason::MergeTargetChanged,
        Reason::MergeTargetBehind,
        Reason::MergeTargetUnchanged,
        Reason::WaitsForSource,
        Reason::NotCommittedTerm,
        Reason::ReadPending,
        Reason::NoReadReady,
        Reason::UnknownStore,
        Reason::StoreRemoved,
        Reason::AlreadyLeaving,
        Reason::NotLeaving,
        Reason::PhysicallyDestroyed,
        Reason::StoresNotEnough,
        Reason::StateNotAllowed,
        Reason::NotTombstone,
        Reason::StoreHasRegions,
        Reason::NothingToBury,
        Reason::UnknownRegion,
        Reason::RegionStale,
        Reason::NoLeader,
        Reason::JointState,
        Reason::OperatorExists,
        Reason::NoOperator,
        Reason::PeerExists,
        Reason::NoPeer,
        Reason::NoVoter,
        Reason::StoreUnhealthy,
        Reason::LastVoter,
        Reason::MajorityLost,
        Reason::NoNewLeader,
        Reason::InvalidSplitKey,
        Reason::NothingToDo,
        Reason::NoTarget,
        Reason::ScheduleLimit,
        Reason::InvalidConfVer,
        Reason::PeerStillListed,
        Reason::StoreConnected,
        Reason::RecoveryRunning,
        Reason::NoRecovery,
        Reason::RecoveryInProgress,
        Reason::NotByForce,
        Reason::NoEffect,
    ];
}
