//! What an action came to: done, or refused for a reason that users meet.
//!
//! An action is refused exactly when it changes nothing that a view shows and
//! returns nothing. Agreement is so checked on what is forbidden as well as on
//! what is allowed.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::action::Child;
use crate::driver::Order;
use crate::recovery::RecoveryStage;
use crate::region::{Key, Region, Value};

/// The result of one action.
///
/// In a trace: `"done"`, `{"done":{"value":{..}}}` or `{"refused":"not_leader"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It took effect.
    Done(Returned),
    /// Nothing changed.
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

/// What an action handed back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Returned {
    /// Nothing.
    Nothing,
    /// The answer of a read, with a copy of the region that it was computed on.
    Value {
        /// The key that was asked for.
        key: Key,
        /// Its value, if it has one.
        value: Option<Value>,
        /// The region at the answer.
        region: Region,
    },
    /// The ids that the placement driver allotted.
    Allotted {
        /// The new regions of the split that was asked for.
        children: Vec<Child>,
        /// Why the leader refused to propose them. The ids are gone all the
        /// same, and TiKV tells nobody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Reason>,
    },
    /// What the placement driver told whom it takes for the leader.
    Ordered {
        /// The order.
        order: Order,
        /// Why the receiver refused it. TiKV tells nobody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Reason>,
    },
    /// An unsafe recovery has come to this stage.
    Entered(RecoveryStage),
}

/// Why nothing happened. What pd-ctl says instead is [`Action::pd_ctl`](crate::Action::pd_ctl).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    // Of the world.
    /// A store that takes part is not running, or its disk is gone.
    StoreDown,
    /// The store is running already.
    StoreUp,
    /// No message is held in that place.
    NothingHeld,
    /// The round creates a peer or sends a snapshot: it has no answer to lose or hold.
    NoAnswer,
    // Of the asked peer.
    /// The store has no live peer of the region.
    RegionNotFound,
    /// The asked peer does not lead.
    NotLeader,
    /// The asked peer leads already.
    AlreadyLeader,
    /// The asked peer is not a candidate, so no vote request is under way.
    NotCandidate,
    /// The receiver is no member (for a vote: no other voter) of the sender's configuration.
    NotInConfig,
    /// The peer is no voter of its own applied configuration.
    NotPromotable,
    /// A conf change is committed and not applied.
    UnappliedConfChange,
    /// A snapshot was received and is not applied.
    ApplyingSnapshot,
    /// No snapshot was received.
    NoSnapshot,
    /// No committed admin entry waits.
    NothingToApply,
    // Of the receiving store, on a message.
    /// The message's term is behind the receiver's.
    StaleTerm,
    /// The message's epoch is behind the tombstone's, whose region still has the sender.
    StaleEpoch,
    /// The receiver's store knows that the sender was removed, or its region merged; what
    /// becomes of the answer that says so is another matter.
    SenderRemoved,
    /// The tombstone on the store still lists this peer, or a newer one.
    Tombstone,
    /// Who was asked does not know that the asking peer is no member any more.
    StillMember,
    /// The store has a newer peer of this region.
    StalePeerId,
    /// The store has no peer, and this message may not create one.
    NotInitialMessage,
    /// The message would create a peer whose range belongs to another region here.
    RangeOverlap,
    /// The snapshot's range belongs to another region here, or to another snapshot that waits.
    SnapshotOverlap,
    /// A first message for that peer is parked here already.
    AlreadyParked,
    // Of a proposal.
    /// The epoch given is not the region's.
    EpochNotMatch,
    /// The key lies outside the region.
    KeyNotInRegion,
    /// A command that this leader proposed in its term and has not applied will
    /// change the epoch that this one depends on (TiKV `CmdEpochChecker`).
    EpochChanging,
    /// A conf change is under way (raft-rs `has_pending_conf`).
    PendingConfChange,
    /// The leader has not applied an entry of its own term.
    NotAppliedTerm,
    /// Leadership is being handed over: nothing is proposed meanwhile.
    TransferringLeader,
    /// The change would remove or demote the leader.
    LeaderRemoval,
    /// The change would remove one of an even number of voters: demote it first.
    DemoteFirst,
    /// A quorum of the new configuration would need a snapshot before it could commit.
    QuorumBehind,
    /// A joint change would remove a voter: demote it instead.
    VoterRemoval,
    /// The change adds what is there, removes what is not, repeats itself, or leaves no voter.
    InvalidChange,
    /// The region is joint: leave it first.
    AlreadyJoint,
    /// The region is not joint.
    NotJoint,
    /// The transfer target is no voter of the region.
    TransfereeNotVoter,
    /// No transfer is under way.
    NoTransfer,
    /// No `TimeoutNow` is under way from that leader.
    NoTimeoutNow,
    /// The index is not beyond what is truncated, or not applied.
    InvalidCompactIndex,
    // Of a split.
    /// The scope has no placement driver that could allot ids.
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
    /// There are not as many peer ids as the region has peers.
    SplitIdsMismatch,
    /// An id of the split is taken: by the region, by another region here, or twice by the split.
    IdInUse,
    // Of a merge.
    /// The region is merging, or about to.
    Merging,
    /// The region is not merging.
    NotMerging,
    /// No peer of the merge target that knows its region is on the asked store.
    MergeTargetNotFound,
    /// The merge target is not as it was named.
    MergeTargetNotMatch,
    /// The regions do not lie side by side.
    NotSiblings,
    /// The regions are not on the same stores in the same roles.
    StoresNotMatch,
    /// Some replica is not known to have enough of the log.
    LogGapTooLarge,
    /// An admin entry is among those that some replica is not known to have.
    AdminInLogGap,
    /// No peer of the merge source that knows its region is on the asked store.
    MergeSourceNotFound,
    /// The merge source's peer there is not merging into this region.
    SourceNotMerging,
    /// The target is past the epoch that the source expects: the merge must be rolled back.
    MergeTargetChanged,
    /// The target has not come to the epoch that the source expects.
    MergeTargetBehind,
    /// The merge may still be committed, as far as the asked store has seen.
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
    /// PD has no record of the store, or it was removed.
    UnknownStore,
    /// The store is Tombstone (Removed), for good.
    StoreRemoved,
    /// The store is leaving already; pd-ctl answers "Success!" all the same (row 43).
    AlreadyLeaving,
    /// The store is not leaving: there is nothing to cancel.
    NotLeaving,
    /// The store was declared physically destroyed; that is not taken back.
    PhysicallyDestroyed,
    /// Fewer stores would be left than a region has replicas (row 39).
    StoresNotEnough,
    /// Nobody but the placement driver makes a store Tombstone (row 45).
    StateNotAllowed,
    /// Only the record of a Tombstone store can be removed.
    NotTombstone,
    /// A region lists a peer on the store (row 45).
    StoreHasRegions,
    /// No store that is leaving is empty.
    NothingToBury,
    /// PD does not know the region, or no region at its first key.
    UnknownRegion,
    /// A report, or who asks for a split, is behind what PD knows (row 35).
    RegionStale,
    /// PD knows of nobody who leads the region (row 41).
    NoLeader,
    /// The region is between two configurations.
    JointState,
    /// The region has an operator of the same or a higher priority (row 38).
    OperatorExists,
    /// The region has no operator.
    NoOperator,
    /// The region has a peer on that store.
    PeerExists,
    /// The region has no peer on that store.
    NoPeer,
    /// The region has no voter on that store.
    NoVoter,
    /// The store is Down.
    StoreUnhealthy,
    /// The peer is the region's only voter.
    LastVoter,
    /// Fewer voters would be left alive than a majority needs (row 46).
    MajorityLost,
    /// No other voter may lead.
    NoNewLeader,
    /// An operator's split key lies outside the region, or there is none.
    InvalidSplitKey,
    /// The region is as it should be.
    NothingToDo,
    /// Something is to be done, and no store can take the peer (rows 39, 40).
    NoTarget,
    /// As many operators of the patrol as may be are under way (row 49).
    ScheduleLimit,
    // Of what an administrator forces.
    /// PD's `conf_ver` of the region is not beyond the peer's own: "please make
    /// sure you have removed the peer by PD" (row 37).
    InvalidConfVer,
    /// PD's region still lists this very peer on the store (row 37).
    PeerStillListed,
    /// The store is Up and heard from: nobody gives up such a store.
    StoreConnected,
    /// An unsafe recovery is under way: no other begins, the patrol pauses, and no split
    /// gets ids (PD `ErrUnsafeRecoveryIsRunning`).
    RecoveryRunning,
    /// No unsafe recovery is under way.
    NoRecovery,
    /// The region is led by force: nothing but its members may change (TiKV
    /// `RecoveryInProgress`).
    RecoveryInProgress,
    /// The peer does not lead by force.
    NotByForce,
    // Of all.
    /// Everything was in order and nothing was left to do.
    NoEffect,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: &'static [Reason] = &[
        Reason::StoreDown,
        Reason::StoreUp,
        Reason::NothingHeld,
        Reason::NoAnswer,
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
        Reason::StaleEpoch,
        Reason::SenderRemoved,
        Reason::Tombstone,
        Reason::StillMember,
        Reason::StalePeerId,
        Reason::NotInitialMessage,
        Reason::RangeOverlap,
        Reason::SnapshotOverlap,
        Reason::AlreadyParked,
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
