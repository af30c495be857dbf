//! The placement driver's inputs and outputs.

use std::collections::BTreeSet;

use super::operator::{OperatorEnd, Purpose};
use super::recovery::state::RecoveryStage;
use super::regions::RegionReport;
use super::step::Order;
use super::store::{StoreRecord, StoreStats};
use crate::proto::command::{Child, Derive};
use crate::proto::recovery::{RecoveryPlan, StoreReport};
use crate::proto::region::{Epoch, Key, Member, Region, RegionId, StoreId};

/// An input of the placement driver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PdInput {
    /// A store registers (`PutStore`). A new store gets a record; a known one changes nothing.
    AddStore {
        /// Its id.
        store: StoreId,
    },
    /// A store's heartbeat.
    StoreHeartbeat {
        /// The store.
        store: StoreId,
        /// Its space.
        stats: StoreStats,
        /// Its report for an unsafe recovery.
        report: Option<StoreReport>,
    },
    /// The store has missed its heartbeats for so long that it counts as Disconnected, and the next
    /// time as Down.
    MissedHeartbeat {
        /// The store.
        store: StoreId,
    },
    /// A region's leader reports.
    RegionHeartbeat(RegionReport),
    /// A leader asks for the ids of a split.
    AskSplit {
        /// The region as the leader knows it.
        region: Region,
        /// Where to split.
        keys: Vec<Key>,
        /// Which part keeps the id; only handed back.
        derive: Derive,
    },
    /// The patrol checks the region.
    Schedule {
        /// The region.
        region: RegionId,
    },
    /// Empty stores that are leaving become Tombstone.
    CheckStores,
    /// Sends the operator's current step to the known leader again (`PD PushOperators`).
    Push {
        /// The region.
        region: RegionId,
    },
    /// Time passes.
    Tick,
    /// The region's operator times out: it has run, or waited for its turn, for too long.
    OperatorTimeout {
        /// The region.
        region: RegionId,
    },
    /// pd-ctl `store delete`.
    Decommission {
        /// The store.
        store: StoreId,
        /// Its process and disk are gone for good (`DELETE /store/{id}?force`).
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
    /// pd-ctl `unsafe remove-failed-stores`: gives up the stores and starts an unsafe recovery.
    RemoveFailedStores {
        /// The stores.
        stores: BTreeSet<StoreId>,
    },
    /// The unsafe recovery times out, or an administrator aborts it.
    RecoveryTimeout,
    /// pd-ctl `operator add`.
    AddOperator {
        /// The region.
        region: RegionId,
        /// What to do.
        operator: AdminOperator,
    },
    /// pd-ctl `operator remove`.
    RemoveOperator {
        /// The region.
        region: RegionId,
    },
}

/// An administrator's operator for a region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AdminOperator {
    /// A new voter on the store, which joins as a learner.
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
    /// Leadership leaves the store, as the evict-leader scheduler does it.
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

/// An order to the peer that PD knows as the leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dispatch {
    /// The region.
    pub region: RegionId,
    /// The leader that PD knows.
    pub to: Member,
    /// The epoch that PD knows; the order is proposed under it.
    pub epoch: Epoch,
    /// What to do.
    pub order: Order,
}

/// An output of the placement driver, valid once its step is durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PdOutput {
    /// Send this to the leader.
    Dispatch(Dispatch),
    /// Reply to a leader that asked for a split.
    SplitIds {
        /// The region.
        region: RegionId,
        /// The epoch that it asked under.
        epoch: Epoch,
        /// The new regions.
        children: Vec<Child>,
        /// Which part keeps the id.
        derive: Derive,
    },
    /// A region has an operator now.
    OperatorAdded {
        /// The region.
        region: RegionId,
        /// Why.
        purpose: Purpose,
    },
    /// A region's operator has ended.
    OperatorEnded {
        /// The region.
        region: RegionId,
        /// Why it was made.
        purpose: Purpose,
        /// How it ended.
        end: OperatorEnd,
    },
    /// A store's record has changed.
    StoreChanged(StoreRecord),
    /// A store's record is gone.
    StoreForgotten {
        /// The store.
        store: StoreId,
    },
    /// The recovery has entered this stage.
    RecoveryStage(RecoveryStage),
    /// Reply to the store's heartbeat with this plan.
    RecoveryPlan {
        /// The store.
        store: StoreId,
        /// What it is to do.
        plan: RecoveryPlan,
    },
    /// A region is not known any more: a newer one has its range.
    RegionDisplaced {
        /// The region.
        region: RegionId,
    },
}
