//! What the placement driver takes in, and what it wants done.

use std::collections::BTreeSet;

use super::operator::{OperatorEnd, Purpose};
use super::recovery::state::RecoveryStage;
use super::regions::RegionReport;
use super::step::Order;
use super::store::{StoreRecord, StoreStats};
use crate::proto::command::{Child, Derive};
use crate::proto::recovery::{RecoveryPlan, StoreReport};
use crate::proto::region::{Epoch, Key, Member, Region, RegionId, StoreId};

/// What the placement driver takes in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PdInput {
    /// A store registers (`PutStore`): a new one joins, one that is known changes nothing.
    AddStore {
        /// Its id.
        store: StoreId,
    },
    /// A store lives.
    StoreHeartbeat {
        /// The store.
        store: StoreId,
        /// Its space.
        stats: StoreStats,
        /// What it has done for an unsafe recovery.
        report: Option<StoreReport>,
    },
    /// So much time passes without a heartbeat of this store that it counts as
    /// Disconnected, and the next time as Down.
    MissedHeartbeat {
        /// The store.
        store: StoreId,
    },
    /// Somebody who leads a region reports.
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
    /// The patrol comes by the region.
    Schedule {
        /// The region.
        region: RegionId,
    },
    /// Empty stores that are leaving become Tombstone.
    CheckStores,
    /// The region's operator is sent once more to its believed leader (`PD PushOperators`).
    Push {
        /// The region.
        region: RegionId,
    },
    /// Time passes.
    Tick,
    /// So much time passes that the region's operator is given up: it has run,
    /// or waited for its turn, for too long.
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
    /// pd-ctl `unsafe remove-failed-stores`: the stores are given up, and what is left is
    /// brought to go on without them.
    RemoveFailedStores {
        /// The stores.
        stores: BTreeSet<StoreId>,
    },
    /// So much time passes that the recovery is given up, or somebody aborts it.
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

/// What an administrator can ask of a region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// Leadership leaves the store: the scheduler that was added for that comes by.
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

/// An order on its way to whom PD takes for the leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dispatch {
    /// The region.
    pub region: RegionId,
    /// The believed leader.
    pub to: Member,
    /// The epoch that PD knows, under which it is to be done.
    pub epoch: Epoch,
    /// What to do.
    pub order: Order,
}

/// What the placement driver wants done, once its step is durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PdOutput {
    /// Send this to the leader.
    Dispatch(Dispatch),
    /// Answer who asked for a split.
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
    /// A recovery has come to this stage.
    RecoveryStage(RecoveryStage),
    /// Answer the store's heartbeat with this.
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
