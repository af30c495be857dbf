//! The placement driver's durable state, and the trait that stores it.
//!
//! Durable are store records, regions as last reported and the end of the reserved ids, one batch a
//! step. Leaders, terms, operators, sizes and heartbeats are not: after a restart PD knows regions
//! without a leader (row 42). The real PD writes a region some time after its report, so a crash
//! may lose the last ones. Here they are as durable as the rest.

use std::collections::BTreeMap;

use super::store::StoreRecord;
use crate::error::EngineError;
use crate::proto::region::{Region, RegionId, StoreId};

/// One write of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PdWrite {
    /// Replaces a store's record.
    Store(StoreRecord),
    /// Discards a store's record.
    ForgetStore(StoreId),
    /// Replaces a region.
    Region(Region),
    /// Discards a region.
    ForgetRegion(RegionId),
    /// No id at or above this one was given out.
    IdLimit(u64),
    /// Whether regions were dropped, and not every key was reported since.
    Relearns(bool),
    /// The last step of any recovery.
    RecoveryStep(u64),
}

/// The durable state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PdPersisted {
    /// The stores.
    pub stores: BTreeMap<StoreId, StoreRecord>,
    /// The regions as last seen.
    pub regions: BTreeMap<RegionId, Region>,
    /// No id at or above this one was given out.
    pub id_limit: u64,
    /// Whether regions were dropped, and not every key was reported since.
    pub relearns: bool,
    /// The last step of any recovery.
    pub recovery_step: u64,
}

impl PdPersisted {
    fn take(&mut self, write: PdWrite) {
        match write {
            PdWrite::Store(record) => {
                self.stores.insert(record.id, record);
            }
            PdWrite::ForgetStore(store) => {
                self.stores.remove(&store);
            }
            PdWrite::Region(region) => {
                self.regions.insert(region.id, region);
            }
            PdWrite::ForgetRegion(region) => {
                self.regions.remove(&region);
            }
            PdWrite::IdLimit(limit) => self.id_limit = limit,
            PdWrite::Relearns(relearns) => self.relearns = relearns,
            PdWrite::RecoveryStep(step) => self.recovery_step = step,
        }
    }
}

/// Stores a placement driver's durable state.
pub trait PdEngine {
    /// Writes the batch atomically.
    ///
    /// # Errors
    /// If the engine cannot write; nothing of the batch may survive then.
    fn write(&mut self, batch: Vec<PdWrite>) -> Result<(), EngineError>;

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// The engine cannot sync; what was written may be lost then.
    fn sync(&mut self) -> Result<(), EngineError>;

    /// A copy of the present state.
    ///
    /// # Errors
    /// If the engine cannot read.
    fn load(&self) -> Result<PdPersisted, EngineError>;
}

/// An engine in memory, for simulation: it can be copied, and it can lose
/// what was not synced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PdMemoryEngine {
    synced: PdPersisted,
    unsynced: Vec<Vec<PdWrite>>,
}

impl PdMemoryEngine {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The machine fails: unsynced writes are lost.
    pub fn lose_unsynced(&mut self) {
        self.unsynced.clear();
    }
}

impl PdEngine for PdMemoryEngine {
    fn write(&mut self, batch: Vec<PdWrite>) -> Result<(), EngineError> {
        self.unsynced.push(batch);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        for write in self.unsynced.drain(..).flatten() {
            self.synced.take(write);
        }
        Ok(())
    }

    fn load(&self) -> Result<PdPersisted, EngineError> {
        let mut now = self.synced.clone();
        self.unsynced.iter().flatten().cloned().for_each(|write| now.take(write));
        Ok(now)
    }
}
