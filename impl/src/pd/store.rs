//! The stores: their records, the states that users see, and their transitions.
//!
//! `Up → Offline → Tombstone` (kvproto `StoreState`); the current names are `Serving`, `Removing`
//! and `Removed`. Disconnected and Down are not states: they follow from missed heartbeats, counted
//! in ticks. Each transition is one function from a record to the next record or to a refusal.
//! Follows `PD cluster.go RemoveStore, UpStore, BuryStore, RemoveTombStoneRecords, checkStores`.
//! Left out: `Preparing`, labels and addresses.

use std::collections::BTreeMap;

use super::config::PdConfig;
use super::error::PdRefusal;
use crate::guard::{Guard, Guards};
use crate::proto::region::StoreId;

/// A store's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StoreState {
    /// It serves.
    Up,
    /// It is leaving, and its peers are being moved.
    Offline,
    /// It has left, for good.
    Tombstone,
}

/// The same under the current PD's names (kvproto `NodeState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeState {
    /// Up.
    Serving,
    /// Offline.
    Removing,
    /// Tombstone.
    Removed,
}

/// A store's liveness, by its missed heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Liveness {
    /// It sent a heartbeat recently.
    Connected,
    /// It has missed heartbeats, or has sent none since PD started.
    Disconnected,
    /// It has missed heartbeats for so long that its peers are replaced.
    Down,
}

/// What is kept of a store (kvproto `metapb.Store`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreRecord {
    /// Its id.
    pub id: StoreId,
    /// Its state.
    pub state: StoreState,
    /// An administrator declared process and disk lost.
    pub physically_destroyed: bool,
}

impl StoreRecord {
    /// A new store.
    pub fn new(id: StoreId) -> Self {
        Self { id, state: StoreState::Up, physically_destroyed: false }
    }

    /// The state under the current PD's name.
    pub fn node_state(&self) -> NodeState {
        match self.state {
            StoreState::Up => NodeState::Serving,
            StoreState::Offline => NodeState::Removing,
            StoreState::Tombstone => NodeState::Removed,
        }
    }

    /// `store delete`: the store becomes Offline; `force` declares its disk lost.
    /// [`Stores::enough_without`] checks that enough stores are left.
    pub(crate) fn decommissioned(self, force: bool, guards: impl Guards) -> Result<StoreRecord, PdRefusal> {
        match self.state {
            StoreState::Tombstone => Err(PdRefusal::StoreRemoved),
            StoreState::Offline if self.physically_destroyed == force => Err(PdRefusal::AlreadyLeaving),
            StoreState::Offline if self.stays_gone(guards) => Err(PdRefusal::PhysicallyDestroyed),
            StoreState::Up | StoreState::Offline => {
                Ok(StoreRecord { state: StoreState::Offline, physically_destroyed: force, ..self })
            }
        }
    }

    /// `store cancel-delete`, `state=Up`: the store becomes Up again. Tombstone is absorbing, and
    /// so is a destroyed disk (row 47).
    pub(crate) fn cancelled(self, guards: impl Guards) -> Result<StoreRecord, PdRefusal> {
        match self.state {
            StoreState::Tombstone if guards.holds(Guard::TombstoneAbsorbs) => Err(PdRefusal::StoreRemoved),
            _ if self.stays_gone(guards) => Err(PdRefusal::PhysicallyDestroyed),
            StoreState::Up => Err(PdRefusal::NotLeaving),
            StoreState::Offline | StoreState::Tombstone => {
                Ok(StoreRecord { state: StoreState::Up, physically_destroyed: false, ..self })
            }
        }
    }

    /// A disk that is gone does not come back (row 44).
    fn stays_gone(self, guards: impl Guards) -> bool {
        self.physically_destroyed && guards.holds(Guard::DestroyedStaysGone)
    }

    /// `state=Tombstone`, which PD accepted until 4.x, whatever was on the store (row 45).
    pub(crate) fn declared_tombstone(self) -> StoreRecord {
        StoreRecord { state: StoreState::Tombstone, ..self }
    }

    /// Becomes Tombstone, if it was leaving and no region holds it
    /// (`Regions::holds`).
    pub(crate) fn buried(self, is_held: bool) -> Option<StoreRecord> {
        (self.state == StoreState::Offline && !is_held)
            .then_some(StoreRecord { state: StoreState::Tombstone, ..self })
    }

    /// Declared failed: its disk counts as lost, whatever was on it. Burying a Tombstone store succeeds and
    /// does nothing (PD `BuryStore`).
    pub(crate) fn abandoned(self, connected: bool) -> Result<StoreRecord, PdRefusal> {
        match self.state {
            StoreState::Tombstone => Ok(self),
            StoreState::Up if connected => Err(PdRefusal::StoreConnected),
            StoreState::Up | StoreState::Offline => {
                Ok(StoreRecord { state: StoreState::Tombstone, physically_destroyed: true, ..self })
            }
        }
    }

    /// Whether the record may be removed (row 45, pd#3664).
    pub(crate) fn check_removable(self, listed: bool, guards: impl Guards) -> Result<(), PdRefusal> {
        if self.state != StoreState::Tombstone {
            return Err(PdRefusal::NotTombstone);
        }
        let is_kept = listed && guards.holds(Guard::RecordKeptWhileListed);
        if is_kept { Err(PdRefusal::StoreHasRegions) } else { Ok(()) }
    }
}

/// The content of a store's heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreStats {
    /// Its capacity in bytes; 0 if unknown.
    pub capacity: u64,
    /// The bytes in use.
    pub used: u64,
}

/// A store as PD knows it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreInfo {
    /// What is kept.
    pub record: StoreRecord,
    /// When its last heartbeat came; none since PD started.
    pub last_heartbeat: Option<u64>,
    /// Its content.
    pub stats: Option<StoreStats>,
    /// Ticks without a heartbeat that passed for this store alone.
    silent_for: u64,
    /// When PD began to listen for it.
    since: u64,
}

impl StoreInfo {
    /// What follows from its heartbeats at `now`.
    pub fn liveness(&self, now: u64, config: &PdConfig) -> Liveness {
        let silent = now - self.last_heartbeat.unwrap_or(self.since) + self.silent_for;
        if silent > config.down_after {
            Liveness::Down
        } else if self.last_heartbeat.is_none() || silent > config.disconnected_after {
            Liveness::Disconnected
        } else {
            Liveness::Connected
        }
    }

    /// The name that users see (`PD response/store.go`): liveness shows only on a store that is Up.
    pub fn state_name(&self, now: u64, config: &PdConfig) -> &'static str {
        match (self.record.state, self.liveness(now, config)) {
            (StoreState::Up, Liveness::Connected) => "Up",
            (StoreState::Up, Liveness::Disconnected) => "Disconnected",
            (StoreState::Up, Liveness::Down) => "Down",
            (StoreState::Offline, _) => "Offline",
            (StoreState::Tombstone, _) => "Tombstone",
        }
    }

    /// Whether there is too little space for another peer (`PD store.go IsLowSpace`, row 40). A
    /// store without statistics is not full. Neither is one with few regions and enough bytes,
    /// whatever its share (pd#3444).
    pub(crate) fn is_low_space(&self, region_count: usize, config: &PdConfig, guards: impl Guards) -> bool {
        let Some(stats) = self.stats.filter(|stats| stats.capacity > 0) else { return false };
        let available = stats.capacity.saturating_sub(stats.used);
        let is_small = region_count < config.initial_regions && available > config.initial_space;
        if is_small && guards.holds(Guard::SmallStoreMayFill) {
            return false;
        }
        let (available, capacity) = (u128::from(available), u128::from(stats.capacity));
        available * 100 < capacity * u128::from(100 - config.low_space_percent)
    }
}

/// All stores.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stores {
    by_id: BTreeMap<StoreId, StoreInfo>,
}

impl Stores {
    /// Sets the record of a new or known store.
    pub(crate) fn set(&mut self, record: StoreRecord, now: u64) {
        let new = StoreInfo { record, last_heartbeat: None, stats: None, silent_for: 0, since: now };
        self.by_id.entry(record.id).or_insert(new).record = record;
    }

    /// Removes a record.
    pub(crate) fn forget(&mut self, store: StoreId) {
        self.by_id.remove(&store);
    }

    /// Takes a heartbeat. A Tombstone store only gets that refusal.
    pub(crate) fn store_heartbeat(
        &mut self,
        store: StoreId,
        stats: StoreStats,
        now: u64,
    ) -> Result<(), PdRefusal> {
        let info = self.by_id.get_mut(&store).ok_or(PdRefusal::StoreNotFound)?;
        if info.record.state == StoreState::Tombstone {
            return Err(PdRefusal::StoreRemoved);
        }
        info.last_heartbeat = Some(now);
        info.stats = Some(stats);
        info.silent_for = 0;
        Ok(())
    }

    /// The store has missed its heartbeats for so long that it counts as Disconnected, or, if it
    /// does already, as Down.
    pub(crate) fn missed_heartbeat(
        &mut self,
        store: StoreId,
        now: u64,
        config: &PdConfig,
    ) -> Result<(), PdRefusal> {
        let info = self.by_id.get_mut(&store).ok_or(PdRefusal::StoreNotFound)?;
        if info.record.state == StoreState::Tombstone {
            return Err(PdRefusal::StoreRemoved);
        }
        let enough = match info.liveness(now, config) {
            Liveness::Connected => config.disconnected_after,
            Liveness::Disconnected => config.down_after,
            Liveness::Down => return Err(PdRefusal::AlreadyDown),
        };
        info.silent_for = enough + 1 - (now - info.last_heartbeat.unwrap_or(info.since));
        Ok(())
    }

    /// The store, if it is known.
    pub(crate) fn get(&self, store: StoreId) -> Option<&StoreInfo> {
        self.by_id.get(&store)
    }

    /// The record, or the reason why there is none.
    pub(crate) fn record(&self, store: StoreId) -> Result<StoreRecord, PdRefusal> {
        self.get(store).map(|info| info.record).ok_or(PdRefusal::StoreNotFound)
    }

    /// All, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &StoreInfo> {
        self.by_id.values()
    }

    /// Whether as many stores stay Up without this one as a region has replicas (row 39, since
    /// v6.1). Lost stores are not checked.
    pub(crate) fn enough_without(
        &self,
        store: StoreId,
        config: &PdConfig,
        guards: impl Guards,
    ) -> Result<(), PdRefusal> {
        let up = |info: &&StoreInfo| info.record.state == StoreState::Up && info.record.id != store;
        let left = self.iter().filter(up).count();
        let too_few = left < config.max_replicas && guards.holds(Guard::EnoughStoresLeft);
        if too_few { Err(PdRefusal::StoresNotEnough) } else { Ok(()) }
    }
}
