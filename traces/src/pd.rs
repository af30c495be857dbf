//! What the placement driver knows of stores, believes of regions, and plans.
//!
//! Beside what is true (the stores of a [`View`](crate::View)) stands what PD
//! believes of it: it knows only what a leader has applied and reports.
//! Time is not shown: that a store was silent for long, or that an operator
//! took too long, are actions.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::recovery::Recovery;
use crate::region::{Epoch, Key, Member, PeerId, Region, RegionId, StoreId};

/// The placement driver. Where a scope has none but somebody who allots ids,
/// only `next_id` is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PlacementDriver {
    /// The next id that it gives to a region or a peer; 0 where there is no PD.
    pub next_id: u64,
    /// The stores that it has a record of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<StoreId, KnownStore>,
    /// The regions as it believes them to be.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<RegionId, KnownRegion>,
    /// What it is doing, at most one thing a region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operators: BTreeMap<RegionId, Operator>,
    /// What it will do once fewer are under way, first come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingOperator>,
    /// At the end of a recovery by force it dropped what it knew of regions, and it
    /// does not know the whole key space since. It buries nobody meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relearns: bool,
    /// The unsafe recovery that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Box<Recovery>>,
    /// The last step of any recovery: plans and reports of another are not of now. It
    /// goes on from there when PD begins again, for PD counts by the clock.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recovery_step: u64,
}

fn is_zero(step: &u64) -> bool {
    *step == 0
}

/// An operator that waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct WaitingOperator {
    /// The region.
    pub region: RegionId,
    /// The plan.
    pub operator: Operator,
}

impl PlacementDriver {
    /// Whether there is none.
    pub fn is_absent(&self) -> bool {
        self.next_id == 0
    }

    /// The region's operator, under way or waiting.
    pub fn operator(&self, region: RegionId) -> Option<&Operator> {
        let waiting = || self.waiting.iter().find(|waiting| waiting.region == region);
        self.operators.get(&region).or_else(|| waiting().map(|waiting| &waiting.operator))
    }

    /// Every operator with its region, those that wait last.
    pub fn all_operators(&self) -> impl Iterator<Item = (RegionId, &Operator)> {
        let running = self.operators.iter().map(|(region, operator)| (*region, operator));
        running.chain(self.waiting.iter().map(|waiting| (waiting.region, &waiting.operator)))
    }

    /// Whether the regions that it knows leave no key to nobody.
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

/// A store as PD knows it (kvproto `metapb.Store`, and what its heartbeats said).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct KnownStore {
    /// Where it stands in its life.
    pub state: StoreState,
    /// Somebody said that its process and disk are gone for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub physically_destroyed: bool,
    /// What follows from the heartbeats that did not come.
    pub liveness: Liveness,
    /// It said that it has too little space for another peer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
}

/// Where a store stands in its life (kvproto `StoreState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// It serves.
    Up,
    /// It is leaving, and its peers are being moved.
    Offline,
    /// It has left, for good.
    Tombstone,
}

/// What follows from a store's heartbeats that did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// It sent a heartbeat lately.
    Connected,
    /// It has been silent for a while, or has sent nothing since PD started.
    Disconnected,
    /// It has been silent for so long that its peers are replaced.
    Down,
}

/// A region as PD believes it to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct KnownRegion {
    /// Range, epoch and members, as a leader reported them.
    pub region: Region,
    /// Who leads it; 0 if it was not reported since PD started.
    pub leader: PeerId,
    /// In which term; 0 if that is not known.
    pub term: u64,
    /// Peers that wait for a snapshot, by the leader's word.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pending: BTreeSet<PeerId>,
    /// Peers that do not answer, by the leader's word.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub down: BTreeSet<PeerId>,
}

impl KnownRegion {
    /// The member that leads, as far as PD knows.
    pub fn leader(&self) -> Option<Member> {
        self.region.member(self.leader).copied()
    }

    /// The leader says that the peer answers and needs no snapshot.
    pub fn is_well(&self, peer: PeerId) -> bool {
        !self.pending.contains(&peer) && !self.down.contains(&peer)
    }
}

/// A plan for one region: it never acts, it is compared with each report.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Operator {
    /// Why it was made.
    pub purpose: Purpose,
    /// The region's epoch when it was made.
    pub epoch: Epoch,
    /// The plan.
    pub steps: Vec<OperatorStep>,
    /// How many steps are done.
    pub done: usize,
}

impl Operator {
    /// The step under way; none once all are done.
    pub fn step(&self) -> Option<&OperatorStep> {
        self.steps.get(self.done)
    }
}

/// Why an operator was made, by PD's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A region is left joint with no operator (tikv#17602).
    #[serde(rename = "leave-joint-state")]
    LeaveJoint,
    /// A peer that no rule asks for.
    RemoveOrphanPeer,
    /// One of several such peers, which is behind or does not answer (pd#4045).
    RemoveUnhealthyOrphanPeer,
    /// A voter on a silent store, where a voter that no rule asks for stands in.
    RemoveReplacedOrphanPeer,
    /// A down voter is replaced by a learner that is there (pd#6559).
    ReplaceDownPeerWithOrphanPeer,
    /// A learner fills the place of a missing voter.
    FixPeerRole,
    /// A voter is missing.
    AddRulePeer,
    /// A voter's store is Down.
    ReplaceRuleDownPeer,
    /// A voter's store is leaving.
    ReplaceRuleOfflinePeer,
    /// Leadership leaves a store, by the scheduler that pd-ctl or TiUP adds for that
    /// (`evict-leader-scheduler`, PD `schedulers/evict_leader.go`).
    EvictLeader,
    /// pd-ctl `operator add add-peer`.
    AdminAddPeer,
    /// The same without the way over a learner.
    AdminAddVoter,
    /// pd-ctl `operator add remove-peer`.
    AdminRemovePeer,
    /// pd-ctl `operator add transfer-leader`.
    AdminTransferLeader,
    /// pd-ctl `operator add split-region`.
    AdminSplitRegion,
}

impl Purpose {
    /// An administrator made it, or had it made: its priority is above that of the
    /// patrol's.
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

    /// Its name in PD.
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

/// A peer and the store that it lives on.
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
    /// Leadership goes to the peer on this store.
    TransferLeader {
        /// The store.
        to: StoreId,
    },
    /// A new learner.
    AddLearner(Seat),
    /// A learner becomes a voter.
    PromoteLearner(Seat),
    /// A new voter, at once (TinyKV, and PD before it knew learners).
    AddPeer(Seat),
    /// A peer leaves.
    RemovePeer(Seat),
    /// Learners become voters and voters learners, in a joint configuration.
    EnterJoint {
        /// The learners.
        promote: Vec<Seat>,
        /// The voters.
        demote: Vec<Seat>,
    },
    /// The joint configuration ends.
    LeaveJoint {
        /// Who was promoted.
        promote: Vec<Seat>,
        /// Who was demoted.
        demote: Vec<Seat>,
    },
    /// The region is divided.
    Split {
        /// Where.
        keys: Vec<Key>,
        /// The range as it was: the region is divided once this changes.
        start: Key,
        /// See `start`.
        end: Key,
    },
}

/// An order to a leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Propose this.
    Propose(Command),
    /// Ask for the ids of a split at these keys, and propose it.
    Split {
        /// Where, in order.
        keys: Vec<Key>,
    },
}

/// What an administrator can ask of a region (pd-ctl `operator add`, and one scheduler).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdminOperator {
    /// A new voter on the store, by way of a learner.
    AddPeer {
        /// The store.
        store: StoreId,
    },
    /// A new voter on the store, at once.
    AddVoter {
        /// The store.
        store: StoreId,
    },
    /// The peer on the store leaves.
    RemovePeer {
        /// The store.
        store: StoreId,
    },
    /// Leadership goes to the store.
    TransferLeader {
        /// The store.
        store: StoreId,
    },
    /// Leadership leaves the store, for whoever may lead. The scheduler that does it
    /// (pd-ctl `scheduler add evict-leader-scheduler`; TiUP adds it before a store is
    /// stopped or leaves) comes by the region once.
    EvictLeader {
        /// The store.
        store: StoreId,
    },
    /// The region is divided.
    Split {
        /// Where, in order.
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
