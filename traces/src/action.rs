//! The actions, at the grain of rounds.
//!
//! A round is one action: a request between two peers and its reply, which may be delivered,
//! dropped or delayed. A late message is held explicitly and delivered by [`Action::Late`]. A
//! partition needs no action: it is the absence of rounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::{Command, Derive};
use crate::pd::AdminOperator;
use crate::region::{Epoch, Key, RegionId, StoreId};
use crate::round::{Authority, Entries, Outgoing, Reply};

/// One action.
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
    /// (the trace says `Delivered`).
    Replicate {
        /// The region.
        region: RegionId,
        /// The store of the leader.
        leader: StoreId,
        /// The store of the follower.
        follower: StoreId,
        /// How many entries the round carries.
        entries: Entries,
        /// What becomes of the reply.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// A leader's heartbeat reaches a follower. The receiver becomes a follower and may advance its
    /// commit index, but gets no entry. A rejected raft-rs probe does only the first.
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
    /// A peer without a leader asks whether it is still a member (TiKV `check_stale_state`). It
    /// destroys itself if the receiver knows that it was removed.
    CheckStalePeer {
        /// The region.
        region: RegionId,
        /// The store of the peer that asks.
        store: StoreId,
        /// Who is asked.
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
    /// A client or an administrator proposes a command.
    Propose {
        /// The region.
        region: RegionId,
        /// The store of the peer that is asked.
        store: StoreId,
        /// What is proposed.
        command: Command,
        /// The epoch that the proposer knows. If left out, it is that of the peer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
    },
    /// The leader asks the placement driver for the ids of a split. It proposes the reply as a
    /// [`Command::Split`] under the epoch of the request.
    AskSplit {
        /// The region.
        region: RegionId,
        /// The store of the leader.
        store: StoreId,
        /// The split keys, in order.
        keys: Vec<Key>,
        /// Which part keeps the region's id.
        derive: Derive,
        /// What becomes of PD's response.
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
    /// The peer answers a read that a quorum has confirmed and whose index is applied.
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
    /// What the store wrote so far becomes durable ([`crate::Scope::late_persistence`]; raft-rs
    /// `on_persist_ready`).
    Persist {
        /// The store.
        store: StoreId,
    },
    /// The store's disk is lost for good.
    #[serde(alias = "destroy")]
    LoseDisk {
        /// The store.
        store: StoreId,
    },
    /// A leader reports its region to the placement driver. The reply may carry the next step of an
    /// operator, which the leader proposes at once.
    RegionHeartbeat {
        /// The region.
        region: RegionId,
        /// The store of the leader.
        store: StoreId,
        /// What becomes of PD's order.
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// A store's heartbeat to the placement driver: the store runs, and has this much space. During
    /// an unsafe recovery it also reports what it has done, and the reply carries its next plan.
    StoreHeartbeat {
        /// The store.
        store: StoreId,
        /// What becomes of the recovery plan in PD's reply.
        #[serde(default = "delivered", skip_serializing_if = "is_delivered")]
        #[serde(alias = "answer")]
        reply: Reply,
    },
    /// The store misses heartbeats. The placement driver counts it as Disconnected the first time
    /// and as Down the second time.
    #[serde(alias = "store_silent")]
    MissedHeartbeat {
        /// The store.
        store: StoreId,
    },
    /// The placement driver's patrol checks the region and creates an operator if it needs one.
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
    /// The region's operator times out, whether it runs or waits.
    OperatorTimeout {
        /// The region.
        region: RegionId,
    },
    /// The placement driver buries leaving stores that are empty: they become Tombstone.
    CheckStores,
    /// The placement driver restarts. It loses the leaders, the operators and every store's
    /// heartbeats.
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
        /// `DELETE /store/{id}?force`: its process and disk are gone for good.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
    },
    /// pd-ctl `store cancel-delete`, `POST /store/{id}/state?state=Up`.
    CancelDecommission {
        /// The store.
        store: StoreId,
    },
    /// `POST /store/{id}/state?state=Tombstone`, which PD accepted until 4.x.
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
        /// The operator.
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
        /// Do not ask the placement driver (`--force`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
    },
    /// pd-ctl `unsafe remove-failed-stores`. PD marks the stores Tombstone and collects reports
    /// from the others (PD `RemoveFailedStores`).
    RemoveFailedStores {
        /// The failed stores.
        stores: Vec<StoreId>,
    },
    /// The unsafe recovery times out or is aborted. Forced leaders are ordered to step down. If
    /// they already were, the recovery ends.
    RecoveryTimeout,
    /// A forced leader times out without an order to step down (TiKV
    /// `UNSAFE_RECOVERY_STATE_TIMEOUT`).
    ForceLeaderTimeout {
        /// The region.
        region: RegionId,
        /// Its store.
        store: StoreId,
    },
    /// A message is sent and delayed.
    Hold {
        /// The region.
        region: RegionId,
        /// The store of the sender: of a leader or a candidate. A store report is sent by the store
        /// itself.
        from: StoreId,
        /// The store of the receiver.
        to: StoreId,
        /// The message.
        message: Outgoing,
    },
    /// A delayed message arrives, however stale it is. It has no reply.
    Late {
        /// Its position among the held messages, oldest first, from 0.
        slot: usize,
    },
}

impl Action {
    /// Every store that the action names, including those of a proposed change.
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
            | Action::Persist { store }
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

    /// Whether an administrator issues it.
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

    /// Whether it changes only the placement driver.
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
