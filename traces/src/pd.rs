//! The placement driver's records of stores and regions, and its operators.
//!
//! A [`View`](crate::View) shows the true state of the stores, and beside it what PD knows. PD
//! knows regions only as leaders have applied and reported them. Time is not shown: a store's
//! silence and an operator's timeout are actions.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::recovery::Recovery;
use crate::region::{Epoch, Key, Member, PeerId, Region, RegionId, StoreId};

/// The placement driver. In a scope where it only allots ids, `next_id` is its only field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PlacementDriver {
    /// The next id for a region or peer; 0 if there is no PD.
    pub next_id: u64,
    /// Its records of stores.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<StoreId, KnownStore>,
    /// Its regions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<RegionId, KnownRegion>,
    /// The running operators, at most one for each region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operators: BTreeMap<RegionId, Operator>,
    /// The waiting operators, first in, first out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingOperator>,
    /// Unsafe recovery made PD drop its regions, and those reported since do not yet cover every
    /// key. Until they do, PD buries no store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relearns: bool,
    /// The unsafe recovery that is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Box<Recovery>>,
    /// The last step of any recovery. Plans and reports of other steps are stale. It keeps counting
    /// after a restart, because PD derives it from the clock.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recovery_step: u64,
}

fn is_zero(step: &u64) -> bool {
    *step == 0
}

/// An operator that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct WaitingOperator {
    /// The region.
    pub region: RegionId,
    /// The operator.
    pub operator: Operator,
}

impl PlacementDriver {
    /// Whether there is no PD.
    pub fn is_absent(&self) -> bool {
        self.next_id == 0
    }

    /// The region's operator, running or waiting.
    pub fn operator(&self, region: RegionId) -> Option<&Operator> {
        let waiting = || self.waiting.iter().find(|waiting| waiting.region == region);
        self.operators.get(&region).or_else(|| waiting().map(|waiting| &waiting.operator))
    }

    /// All operators with their regions, waiting ones last.
    pub fn all_operators(&self) -> impl Iterator<Item = (RegionId, &Operator)> {
        let running = self.operators.iter().map(|(region, operator)| (*region, operator));
        running.chain(self.waiting.iter().map(|waiting| (waiting.region, &waiting.operator)))
    }

    /// Whether its regions cover every key.
    pub fn knows_every_key(&self) -> bool {
        let mut regions: Vec<&Region> = self.regions.values().map(|known| &known.region).collect();
        regions.sort_by(|a, b| a.start.cmp(&b.start));
        let joined = regions.windows(2).all(|pair| !pair[0].end.is_empty() && pair[0].end >= pair[1].start);
        let whole = |first: &&Region, last: &&Region| first.start.is_empty() && last.end.is_empty();
        joined && regions.first().zip(regions.last()).is_some_and(|(first, last)| whole(first, last))
    }

    /// The regions that list a peer on the store.
    pub fn regions_on(&self, store: StoreId) -> impl Iterator<Item = &KnownRegion> {
        self.regions.values().filter(move |known| known.region.member_on(store).is_some())
    }
}

/// PD's record of a store (kvproto `metapb.Store`, and the store's heartbeats).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct KnownStore {
    /// Its state.
    pub state: StoreState,
    /// Its process and disk were declared gone for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub physically_destroyed: bool,
    /// Its liveness by missed heartbeats.
    pub liveness: Liveness,
    /// Its last heartbeat reported too little space for another peer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
}

/// The state of a store (kvproto `StoreState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// It serves.
    Up,
    /// It is leaving, and its peers are being moved.
    Offline,
    /// It has left for good.
    Tombstone,
}

/// The liveness of a store by missed heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// PD has a recent heartbeat.
    Connected,
    /// PD has had no heartbeat for a while, or none since it started.
    Disconnected,
    /// PD has had no heartbeat for so long that it replaces the store's peers.
    Down,
}

/// A region in PD's view.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct KnownRegion {
    /// Range, epoch and members, as a leader reported them.
    pub region: Region,
    /// The leader's peer; 0 if no leader has reported since PD started.
    pub leader: PeerId,
    /// The leader's term; 0 if unknown.
    pub term: u64,
    /// Pending peers, as the leader reported: they need a snapshot.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pending: BTreeSet<PeerId>,
    /// Down peers, as the leader reported: they do not respond.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub down: BTreeSet<PeerId>,
}

impl KnownRegion {
    /// The leader that PD knows.
    pub fn leader(&self) -> Option<Member> {
        self.region.member(self.leader).copied()
    }

    /// Whether the peer is neither pending nor down.
    pub fn is_well(&self, peer: PeerId) -> bool {
        !self.pending.contains(&peer) && !self.down.contains(&peer)
    }
}

/// A plan for one region. It does not act itself: PD compares it with each report.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Operator {
    /// Why PD created it.
    pub purpose: Purpose,
    /// The region's epoch when it was created.
    pub epoch: Epoch,
    /// All steps.
    pub steps: Vec<OperatorStep>,
    /// The number of finished steps.
    pub done: usize,
}

impl Operator {
    /// The current step; `None` once all are finished.
    pub fn step(&self) -> Option<&OperatorStep> {
        self.steps.get(self.done)
    }
}

/// Why an operator was created, by PD's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A region is joint and has no operator (tikv#17602).
    #[serde(rename = "leave-joint-state")]
    LeaveJoint,
    /// A peer that no rule requires.
    RemoveOrphanPeer,
    /// One of several such peers, which is pending or down (pd#4045).
    RemoveUnhealthyOrphanPeer,
    /// A voter on a store that does not send heartbeats; an orphan voter takes its place.
    RemoveReplacedOrphanPeer,
    /// A down voter is replaced by an existing learner (pd#6559).
    ReplaceDownPeerWithOrphanPeer,
    /// A learner is promoted because a voter is missing.
    FixPeerRole,
    /// A voter is missing.
    AddRulePeer,
    /// A voter's store is Down.
    ReplaceRuleDownPeer,
    /// A voter's store is leaving.
    ReplaceRuleOfflinePeer,
    /// Leadership leaves a store, by the scheduler that pd-ctl or TiUP adds for this
    /// (`evict-leader-scheduler`, PD `schedulers/evict_leader.go`).
    EvictLeader,
    /// pd-ctl `operator add add-peer`.
    AdminAddPeer,
    /// The same without a learner first.
    AdminAddVoter,
    /// pd-ctl `operator add remove-peer`.
    AdminRemovePeer,
    /// pd-ctl `operator add transfer-leader`.
    AdminTransferLeader,
    /// pd-ctl `operator add split-region`.
    AdminSplitRegion,
}

impl Purpose {
    /// Whether an administrator created it, directly or by a scheduler. Its priority is above that
    /// of the patrol's operators.
    pub fn is_admin(self) -> bool {
        matches!(
            self,
            Purpose::EvictLeader
                | Purpose::AdminAddPeer
                | Purpose::AdminAddVoter
                | Purpose::AdminRemovePeer
                | Purpose::AdminTransferLeader
                | Purpose::AdminSplitRegion
        )
    }

    /// PD's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::LeaveJoint => "leave-joint-state",
            Purpose::RemoveOrphanPeer => "remove-orphan-peer",
            Purpose::RemoveUnhealthyOrphanPeer => "remove-unhealthy-orphan-peer",
            Purpose::RemoveReplacedOrphanPeer => "remove-replaced-orphan-peer",
            Purpose::ReplaceDownPeerWithOrphanPeer => "replace-down-peer-with-orphan-peer",
            Purpose::FixPeerRole => "fix-peer-role",
            Purpose::AddRulePeer => "add-rule-peer",
            Purpose::ReplaceRuleDownPeer => "replace-rule-down-peer",
            Purpose::ReplaceRuleOfflinePeer => "replace-rule-offline-peer",
            Purpose::EvictLeader => "evict-leader",
            Purpose::AdminAddPeer => "admin-add-peer",
            Purpose::AdminAddVoter => "admin-add-voter",
            Purpose::AdminRemovePeer => "admin-remove-peer",
            Purpose::AdminTransferLeader => "admin-transfer-leader",
            Purpose::AdminSplitRegion => "admin-split-region",
        }
    }
}

/// A peer and its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Seat {
    /// The store.
    pub store: StoreId,
    /// The peer.
    pub peer: PeerId,
}

impl From<Member> for Seat {
    fn from(member: Member) -> Self {
        Self { store: member.store, peer: member.id }
    }
}

/// One step of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperatorStep {
    /// Leadership moves to the peer on this store.
    TransferLeader {
        /// The store.
        to: StoreId,
    },
    /// A learner is added.
    AddLearner(Seat),
    /// A learner is promoted to voter.
    PromoteLearner(Seat),
    /// A voter is added at once (TinyKV, and PD before it had learners).
    AddPeer(Seat),
    /// A peer is removed.
    RemovePeer(Seat),
    /// Learners are promoted and voters demoted, in a joint configuration.
    EnterJoint {
        /// The learners.
        promote: Vec<Seat>,
        /// The voters.
        demote: Vec<Seat>,
    },
    /// The joint configuration is left.
    LeaveJoint {
        /// The promoted learners.
        promote: Vec<Seat>,
        /// The demoted voters.
        demote: Vec<Seat>,
    },
    /// The region is split.
    Split {
        /// The split keys.
        keys: Vec<Key>,
        /// The region's first key at creation. The step is finished once the range changes.
        start: Key,
        /// The region's end at creation.
        end: Key,
    },
}

/// An order to a region's leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Propose this command.
    Propose(Command),
    /// Ask for the ids of a split at these keys, and propose it.
    Split {
        /// The split keys, in order.
        keys: Vec<Key>,
    },
}

/// An operator that an administrator can add (pd-ctl `operator add`, and one scheduler).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdminOperator {
    /// Adds a voter on the store, by way of a learner.
    AddPeer {
        /// The store.
        store: StoreId,
    },
    /// Adds a voter on the store at once.
    AddVoter {
        /// The store.
        store: StoreId,
    },
    /// Removes the peer on the store.
    RemovePeer {
        /// The store.
        store: StoreId,
    },
    /// Moves leadership to the store.
    TransferLeader {
        /// The store.
        store: StoreId,
    },
    /// Moves leadership from the store to any other voter that may lead. The scheduler behind it
    /// (pd-ctl `scheduler add evict-leader-scheduler`; TiUP adds it before a store stops or leaves)
    /// visits the region once.
    EvictLeader {
        /// The store.
        store: StoreId,
    },
    /// Splits the region.
    Split {
        /// The split keys, in order.
        keys: Vec<Key>,
    },
}

impl AdminOperator {
    /// The store that it names.
    pub fn store(&self) -> Option<StoreId> {
        match self {
            AdminOperator::AddPeer { store }
            | AdminOperator::AddVoter { store }
            | AdminOperator::RemovePeer { store }
            | AdminOperator::TransferLeader { store }
            | AdminOperator::EvictLeader { store } => Some(*store),
            AdminOperator::Split { .. } => None,
        }
    }
}
