//! The visible state of a cluster between two actions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::message::Held;
use crate::pd::PlacementDriver;
use crate::peer::Peer;
use crate::recovery::PlanUnderWay;
use crate::region::{Key, Region, RegionId, StoreId};

/// The visible state of a cluster between two actions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// The stores.
    pub stores: BTreeMap<StoreId, Store>,
    /// The delayed messages, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// The placement driver.
    #[serde(default, skip_serializing_if = "PlacementDriver::is_absent")]
    pub pd: PlacementDriver,
}

/// A store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Store {
    /// Whether it runs.
    pub status: StoreStatus,
    /// Its peers and tombstones. If the store is down, they are what it will restart with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub peers: BTreeMap<RegionId, Peer>,
    /// The index from key range to region, in key order: initialised peers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<RangeEntry>,
    /// The ranges of received snapshots that are not applied, by region (TiKV
    /// `pending_snapshot_regions`). Volatile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_ranges: Vec<RangeEntry>,
    /// Pending first messages for peers that a split will create, oldest first. Volatile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(alias = "parked")]
    pub pending_messages: Vec<Held>,
    /// The unsafe recovery plan that it is executing. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanUnderWay>,
}

/// The status of a store.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StoreStatus {
    /// Its process runs.
    #[default]
    Up,
    /// Its process does not run. Its disk is intact.
    Down,
    /// Its disk is lost for good.
    #[serde(alias = "destroyed")]
    DiskLost,
}

/// One entry of a store's range index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct RangeEntry {
    /// The first key of the range.
    pub start: Key,
    /// The end, which is excluded; empty for no end.
    pub end: Key,
    /// The region with this range.
    pub region: RegionId,
}

impl RangeEntry {
    /// The range that the region will have once the peer applies its snapshot.
    pub fn pending(peer: &Peer) -> Option<Self> {
        let Region { id, start, end, .. } = &peer.snapshot.as_ref()?.region;
        Some(Self { start: start.clone(), end: end.clone(), region: *id })
    }
}
