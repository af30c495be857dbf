//! Everything that can happen, at the grain of rounds.
//!
//! A round is a request and its answer between two peers, taken as one action
//! with the choice of losing the reply. A message that must be late is held
//! explicitly and delivered by [`Action::Late`]. A partition needs no action:
//! a round not taken is a partition.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pd::AdminOperator;
use crate::region::{Epoch, Key, PeerId, Region, RegionId, StoreId, Value};
use crate::view::Entry;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The peer starts an election: term + 1, and its own vote.
    Campaign {
        /// The region.
        region: RegionId,
        /// The store of the peer that campaigns.
        store: StoreId,
    },
    /// A candidate's vote request reaches a voter, and the reply comes back or not.
    Vote {
        /// The region.
        region: RegionId,
        /// The store of the candidate.
        candidate: StoreId,
        /// The store of the voter.
        voter: StoreId,
        /// What becomes of the reply.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// A leader replicates to a follower. To a store without the peer this is the heartbeat that
    /// creates it. To a follower behind the truncated log it is a snapshot. Neither has a reply
    /// (`Delivered` is written).
    Replicate {
        /// The region.
        region: RegionId,
        /// The store of the leader.
        leader: StoreId,
        /// The store of the follower.
        follower: StoreId,
        /// How far the log is brought.
        entries: Entries,
        /// What becomes of the reply.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// A leader's heartbeat reaches a follower. It makes the receiver follow and carries a commit
    /// index, but no entry. A rejected raft-rs probe does the first and not the second.
    Heartbeat {
        /// The region.
        region: RegionId,
        /// The store of the leader.
        leader: StoreId,
        /// The store of the follower.
        follower: StoreId,
        /// What becomes of the reply.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// A peer without a leader asks whether it is still a member (TiKV `check_stale_state`). If the
    /// receiver knows that it was removed, the peer destroys itself.
    CheckStalePeer {
        /// The region.
        region: RegionId,
        /// The store of the peer that asks.
        store: StoreId,
        /// Whom it asks.
        asks: Authority,
        /// What becomes of the reply.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// The peer applies its received snapshot.
    ApplySnapshot {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// The peer applies the next committed admin entry, and the ordinary entries behind it.
    Apply {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// A client, an operator or an administrator proposes a command.
    Propose {
        /// The region.
        region: RegionId,
        /// The store of the peer that is asked.
        store: StoreId,
        /// What is proposed.
        command: Command,
        /// The epoch that the proposer knows; the asked peer's own if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
    },
    /// The leader asks the placement driver for the ids of a split. The reply is proposed as a
    /// [`Command::Split`] under the epoch of the request.
    AskSplit {
        /// The region.
        region: RegionId,
        /// The store of the leader.
        store: StoreId,
        /// Where to split, in order.
        keys: Vec<Key>,
        /// Which part keeps the region's id.
        derive: Derive,
        /// What becomes of PD's answer.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// A client reads a key (ReadIndex).
    Read {
        /// The region.
        region: RegionId,
        /// The store of the peer that is asked.
        store: StoreId,
        /// The key.
        key: Key,
    },
    /// The peer answers its read, which a quorum has confirmed and whose index is applied.
    AnswerRead {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// The leader's `TimeoutNow` reaches the transfer target.
    TimeoutNow {
        /// The region.
        region: RegionId,
        /// The store of the leader that sent it.
        leader: StoreId,
    },
    /// The leader aborts a transfer after one election timeout.
    TransferTimeout {
        /// The region.
        region: RegionId,
        /// The store of the leader.
        store: StoreId,
    },
    /// The store's process stops and loses its volatile state.
    Crash {
        /// The store.
        store: StoreId,
    },
    /// The store's process restarts from its disk.
    Restart {
        /// The store.
        store: StoreId,
    },
    /// The store's disk is lost for good.
    #[serde(alias = "destroy")]
    LoseDisk {
        /// The store.
        store: StoreId,
    },
    /// A leader reports its region to the placement driver, which may reply with the next step of
    /// an operator. The leader proposes it at once.
    RegionHeartbeat {
        /// The region.
        region: RegionId,
        /// The store of the leader.
        store: StoreId,
        /// What becomes of PD's order.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// A store's heartbeat tells the placement driver that it is alive and how full it is. During
    /// an unsafe recovery it also reports what it has done, and the reply carries its next plan.
    StoreHeartbeat {
        /// The store.
        store: StoreId,
        /// What becomes of the plan that PD answers with.
        #[serde(default = "delivered", skip_serializing_if = "is_delivered")]
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// The store misses heartbeats. The placement driver counts it as Disconnected, and the next
    /// time as Down.
    #[serde(alias = "store_silent")]
    MissedHeartbeat {
        /// The store.
        store: StoreId,
    },
    /// The placement driver's patrol checks the region and makes an operator if it needs one.
    Schedule {
        /// The region.
        region: RegionId,
        /// What becomes of the first order.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// The placement driver sends the current step of the region's operator again (PD
    /// `PushOperators`).
    PushOperator {
        /// The region.
        region: RegionId,
        /// What becomes of the order.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// The region's operator times out, running or waiting for its turn.
    OperatorTimeout {
        /// The region.
        region: RegionId,
    },
    /// The placement driver buries leaving stores that are empty: they become Tombstone.
    CheckStores,
    /// The placement driver restarts. It knows no leader and no operator, and has no heartbeat of
    /// any store.
    PdRestart,
    /// A new store registers with the placement driver (`tiup cluster scale-out`; PD `PutStore`).
    AddStore {
        /// The store.
        store: StoreId,
    },
    /// pd-ctl `store delete`.
    Decommission {
        /// The store.
        store: StoreId,
        /// Its process and disk are gone for good (`DELETE /store/{id}?force`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
    },
    /// pd-ctl `store cancel-delete`, `POST /store/{id}/state?state=Up`.
    CancelDecommission {
        /// The store.
        store: StoreId,
    },
    /// `POST /store/{id}/state?state=Tombstone`, which PD took until 4.x.
    SetTombstone {
        /// The store.
        store: StoreId,
    },
    /// pd-ctl `store remove-tombstone`, for one store.
    RemoveTombstone {
        /// The store.
        store: StoreId,
    },
    /// pd-ctl `operator add`.
    AddOperator {
        /// The region.
        region: RegionId,
        /// What to do.
        operator: AdminOperator,
        /// What becomes of the first order.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// pd-ctl `operator remove`.
    RemoveOperator {
        /// The region.
        region: RegionId,
    },
    /// tikv-ctl `tombstone -r` in local mode, on the disk of a stopped store.
    TombstonePeer {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// Whatever the placement driver knows (`--force`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
    },
    /// pd-ctl `unsafe remove-failed-stores`. The stores are buried, and the placement driver asks
    /// the others what they have (PD `RemoveFailedStores`).
    RemoveFailedStores {
        /// The stores that are given up.
        stores: Vec<StoreId>,
    },
    /// The unsafe recovery times out or is aborted. Forced leaders are told to step down; if they
    /// already were, the recovery is over.
    RecoveryTimeout,
    /// A forced leader times out without having been told to stop (TiKV
    /// `UNSAFE_RECOVERY_STATE_TIMEOUT`).
    ForceLeaderTimeout {
        /// The region.
        region: RegionId,
        /// Its store.
        store: StoreId,
    },
    /// A message leaves its sender and is delayed.
    Hold {
        /// The region.
        region: RegionId,
        /// The store of the sender: a leader or a candidate, or the store itself.
        from: StoreId,
        /// The store of the receiver.
        to: StoreId,
        /// Which message.
        message: Outgoing,
    },
    /// A delayed message arrives, however stale. It has no reply.
    Late {
        /// Its place among the held messages, oldest first, from 0.
        slot: usize,
    },
}

impl Action {
    /// Every store that the action names, those of a proposed change included.
    pub fn stores(&self) -> Vec<StoreId> {
        match self {
            Action::Campaign { store, .. }
            | Action::ApplySnapshot { store, .. }
            | Action::Apply { store, .. }
            | Action::AskSplit { store, .. }
            | Action::Read { store, .. }
            | Action::AnswerRead { store, .. }
            | Action::TransferTimeout { store, .. }
            | Action::RegionHeartbeat { store, .. }
            | Action::StoreHeartbeat { store, .. }
            | Action::MissedHeartbeat { store }
            | Action::AddStore { store }
            | Action::Decommission { store, .. }
            | Action::CancelDecommission { store }
            | Action::SetTombstone { store }
            | Action::RemoveTombstone { store }
            | Action::TombstonePeer { store, .. }
            | Action::ForceLeaderTimeout { store, .. }
            | Action::Crash { store }
            | Action::Restart { store }
            | Action::LoseDisk { store } => vec![*store],
            Action::TimeoutNow { leader, .. } => vec![*leader],
            Action::RemoveFailedStores { stores } => stores.clone(),
            Action::Vote { candidate, voter, .. } => vec![*candidate, *voter],
            Action::Replicate { leader, follower, .. } | Action::Heartbeat { leader, follower, .. } => {
                vec![*leader, *follower]
            }
            Action::CheckStalePeer { store, asks: Authority::Member(asked), .. } => vec![*store, *asked],
            Action::CheckStalePeer { store, asks: Authority::PlacementDriver, .. } => vec![*store],
            Action::Hold { from, message: Outgoing::RegionReport | Outgoing::StoreReport, .. } => {
                vec![*from]
            }
            Action::Hold { from, to, .. } => vec![*from, *to],
            Action::AddOperator { operator, .. } => operator.store().into_iter().collect(),
            Action::Propose { store, command, .. } => {
                let mut stores = command.stores();
                stores.insert(0, *store);
                stores
            }
            Action::Schedule { .. }
            | Action::PushOperator { .. }
            | Action::OperatorTimeout { .. }
            | Action::RemoveOperator { .. }
            | Action::CheckStores
            | Action::PdRestart
            | Action::RecoveryTimeout
            | Action::Late { .. } => Vec::new(),
        }
    }

    /// Whether an administrator types it.
    pub fn is_typed(&self) -> bool {
        matches!(
            self,
            Action::AddStore { .. }
                | Action::Decommission { .. }
                | Action::CancelDecommission { .. }
                | Action::SetTombstone { .. }
                | Action::RemoveTombstone { .. }
                | Action::AddOperator { .. }
                | Action::RemoveOperator { .. }
                | Action::TombstonePeer { .. }
                | Action::RemoveFailedStores { .. }
        )
    }

    /// Whether it changes nothing but the placement driver.
    pub fn is_of_pd(&self) -> bool {
        matches!(
            self,
            Action::StoreHeartbeat { .. }
                | Action::MissedHeartbeat { .. }
                | Action::OperatorTimeout { .. }
                | Action::CheckStores
                | Action::PdRestart
                | Action::RecoveryTimeout
                | Action::RemoveFailedStores { .. }
                | Action::AddStore { .. }
                | Action::Decommission { .. }
                | Action::CancelDecommission { .. }
                | Action::SetTombstone { .. }
                | Action::RemoveTombstone { .. }
                | Action::RemoveOperator { .. }
        )
    }
}

fn delivered() -> Reply {
    Reply::Delivered
}

fn is_delivered(reply: &Reply) -> bool {
    *reply == Reply::Delivered
}

/// What becomes of the reply of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It arrives.
    #[serde(alias = "given")]
    Delivered,
    /// It is lost.
    #[serde(alias = "lost")]
    Dropped,
    /// It stays under way, and may arrive late.
    #[serde(alias = "held")]
    Delayed,
}

/// Whom a peer asks whether it is a member still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// Another member, on that store (TiKV `MsgCheckStalePeer`).
    Member(StoreId),
    /// The placement driver (TiKV `PdTask::ValidatePeer`).
    PlacementDriver,
}

/// How far one round brings a follower's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Entries {
    /// One entry beyond the common prefix.
    One,
    /// Up to the leader's last entry.
    All,
}

/// A message that may be sent and that the world may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outgoing {
    /// One entry beyond the common prefix (or none), with the leader's commit
    /// index; a snapshot where the log no longer reaches back.
    Append,
    /// A heartbeat; it may create the receiver if the leader knows nothing of it.
    Heartbeat,
    /// The pending `TimeoutNow`.
    TimeoutNow,
    /// A candidate's vote request; it stays at hand for a round all the same.
    VoteRequest,
    /// A leader's report to the placement driver, which stands for store 0.
    RegionReport,
    /// What a store has done for an unsafe recovery, to the placement driver: the store
    /// that is `from` has carried out its plan, and the region is 0. One that never arrives
    /// is lost.
    StoreReport,
}

/// What can be proposed, and what a log entry carries.
///
/// Who proposes a command of a merge names the other region; the asked store
/// fills in what is left zero or empty here, and the log has it whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Writes a value.
    Put {
        /// The key.
        key: Key,
        /// The value.
        value: Value,
    },
    /// Removes a value.
    Delete {
        /// The key.
        key: Key,
    },
    /// Changes one member (a simple conf change, raft-rs v1).
    ChangePeer(Change),
    /// Enters a joint configuration with explicit leave (raft-rs v2).
    EnterJoint {
        /// The changes.
        changes: Vec<Change>,
    },
    /// Leaves the joint configuration.
    LeaveJoint,
    /// Divides the region: each key begins a part, one part keeps the region's
    /// id, the others become new regions with the ids that were allotted.
    Split {
        /// The new regions, in key order.
        children: Vec<Child>,
        /// Which part keeps the region's id.
        derive: Derive,
    },
    /// Hands leadership over; never written to the log.
    TransferLeader {
        /// The store of the peer that shall lead.
        to: StoreId,
    },
    /// Discards the log up to and including `index`.
    CompactLog {
        /// The last index to discard.
        index: u64,
    },
    /// The region gives itself up to a neighbour.
    PrepareMerge {
        /// Into what, as its peer on the asked store must know it.
        target: Box<Region>,
        /// Every replica has the entries before this one; filled in.
        #[serde(default, skip_serializing_if = "is_zero")]
        min_index: u64,
    },
    /// The region takes its neighbour in.
    CommitMerge {
        /// What is taken in, as of its `PrepareMerge`; a proposer names its id
        /// alone ([`Region::unknown`]).
        source: Box<Region>,
        /// The index of that `PrepareMerge`; filled in.
        #[serde(default, skip_serializing_if = "is_zero")]
        commit: u64,
        /// The entries up to it that a replica of the source may miss; filled in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        entries: Vec<Entry>,
    },
    /// The region stays after all.
    RollbackMerge {
        /// The index of the `PrepareMerge` that is taken back; filled in.
        #[serde(default, skip_serializing_if = "is_zero")]
        commit: u64,
    },
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Command {
    /// Gives the asked region up to `target`.
    pub fn prepare_merge(target: Region) -> Self {
        Command::PrepareMerge { target: Box::new(target), min_index: 0 }
    }

    /// Takes `source` into the asked region.
    pub fn commit_merge(source: RegionId) -> Self {
        let source = Box::new(Region::unknown(source));
        Command::CommitMerge { source, commit: 0, entries: Vec::new() }
    }

    /// Belongs to a merge.
    pub fn is_merge(&self) -> bool {
        use Command::{CommitMerge, PrepareMerge, RollbackMerge};
        matches!(self, PrepareMerge { .. } | CommitMerge { .. } | RollbackMerge { .. })
    }

    /// Takes effect by an [`Action::Apply`] of its own (all but `Put` and `Delete`).
    pub fn is_admin(&self) -> bool {
        self.written_key().is_none()
    }

    /// The key that a `Put` or `Delete` writes.
    pub fn written_key(&self) -> Option<&Key> {
        match self {
            Command::Put { key, .. } | Command::Delete { key } => Some(key),
            _ => None,
        }
    }

    /// Every store that the command names.
    pub fn stores(&self) -> Vec<StoreId> {
        match self {
            Command::ChangePeer(change) => vec![change.store],
            Command::EnterJoint { changes } => changes.iter().map(|change| change.store).collect(),
            Command::TransferLeader { to } => vec![*to],
            Command::Put { .. }
            | Command::Delete { .. }
            | Command::Split { .. }
            | Command::LeaveJoint
            | Command::CompactLog { .. }
            | Command::PrepareMerge { .. }
            | Command::CommitMerge { .. }
            | Command::RollbackMerge { .. } => Vec::new(),
        }
    }

    /// Changes the members.
    pub fn is_conf_change(&self) -> bool {
        matches!(self, Command::ChangePeer(_) | Command::EnterJoint { .. } | Command::LeaveJoint)
    }

    /// The changes of members that it names.
    pub fn changes(&self) -> &[Change] {
        match self {
            Command::ChangePeer(change) => std::slice::from_ref(change),
            Command::EnterJoint { changes } => changes,
            _ => &[],
        }
    }

    /// The one change that it makes at once: that of a simple change, or of a joint one of
    /// a single member, which enters no joint configuration (TiKV `to_confchange`).
    pub fn single_change(&self) -> Option<&Change> {
        match self {
            Command::ChangePeer(change) => Some(change),
            Command::EnterJoint { changes } if changes.len() == 1 => changes.first(),
            _ => None,
        }
    }
}

/// A new region of a split.
///
/// With the parts in key order, the children's keys begin every part but the
/// first. [`Derive::Left`] leaves the first part to the parent, and each child
/// begins at its key; [`Derive::Right`] leaves it the last, and each child ends
/// at its key (TiKV `exec_batch_split`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Child {
    /// The split key.
    pub key: Key,
    /// The new region's id.
    pub region: RegionId,
    /// The ids of its peers, in the order of the parent's.
    pub peers: Vec<PeerId>,
}

/// Which part of a split keeps the region's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Derive {
    /// The first (TinyKV).
    Left,
    /// The last (TiKV's `right-derive-when-split`, on by default).
    Right,
}

/// One change of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What happens to it.
    pub kind: ChangeKind,
    /// Its peer id.
    pub peer: PeerId,
    /// Its store.
    pub store: StoreId,
}

/// What happens to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Joins as a voter; a learner is promoted.
    AddVoter,
    /// Joins as a learner; a voter is demoted (joint only).
    AddLearner,
    /// Leaves.
    Remove,
}
