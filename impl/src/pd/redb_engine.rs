//! The placement driver's durable state in one file of redb.
//!
//! A batch is one transaction over stores, regions and numbers, and `sync` makes all batches so far
//! durable. What is refused, and how, is as for a store's file (`storage/redb_file.rs`). The real PD
//! keeps this in etcd, on several machines. Here it is one.

use std::path::{Path, PathBuf};

use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, WriteTransaction,
};

use super::engine::{PdEngine, PdPersisted, PdWrite};
use super::store::{StoreRecord, StoreState};
use crate::error::EngineError;
use crate::proto::codec::{Reader, put_region};
use crate::proto::region::Region;
use crate::storage::redb_file::{FileKind, META};

/// By store: its state, and 1 if it is physically destroyed.
const STORES: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("stores");
const REGIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("regions");
const ID_LIMIT: &str = "id_limit";
const RELEARNS: &str = "relearns";
const RECOVERY_STEP: &str = "recovery_step";

/// What a placement driver's file is.
const KIND: FileKind = FileKind { of: "placement driver", format: "pd_format", knows: 1, make };

fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(STORES)?;
    transaction.open_table(REGIONS)?;
    Ok(())
}

/// A placement driver's engine on a file.
pub struct PdRedbEngine {
    database: Database,
    path: PathBuf,
}

impl PdRedbEngine {
    /// Opens the file at `path`, or creates it.
    ///
    /// # Errors
    /// If the file is open already, here or in another process, if it is damaged, of a store or of a
    /// newer format, or if the file system fails. A refused file is unchanged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EngineError> {
        let path = path.as_ref();
        Ok(Self { database: KIND.open(path)?, path: path.to_path_buf() })
    }

    /// Opens the data in `backend`, or creates an empty cluster there, for tests with a failing disk.
    ///
    /// # Errors
    /// If the data is damaged or has a newer format, or if the backend fails.
    pub fn open_on(backend: impl StorageBackend) -> Result<Self, EngineError> {
        Ok(Self { database: KIND.open_on(backend)?, path: PathBuf::new() })
    }

    fn commit(&self, durability: Durability, batch: Vec<PdWrite>) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
        for write in batch {
            take(&transaction, write)?;
        }
        Ok(transaction.commit()?)
    }

    fn read(&self) -> Result<PdPersisted, redb::Error> {
        let transaction = self.database.begin_read()?;
        let mut persisted = PdPersisted::default();
        for row in transaction.open_table(STORES)?.iter()? {
            let (id, record) = row?;
            let (state, destroyed) = record.value();
            let state = state_of(state).ok_or_else(|| corrupted("a store's state"))?;
            let record = StoreRecord { id: id.value(), state, physically_destroyed: destroyed != 0 };
            persisted.stores.insert(record.id, record);
        }
        for row in transaction.open_table(REGIONS)?.iter()? {
            let region = decode(row?.1.value()).ok_or_else(|| corrupted("a region"))?;
            persisted.regions.insert(region.id, region);
        }
        let meta = transaction.open_table(META)?;
        let number = |name| Ok::<_, redb::Error>(meta.get(name)?.map_or(0, |number| number.value()));
        persisted.id_limit = number(ID_LIMIT)?;
        persisted.relearns = number(RELEARNS)? != 0;
        persisted.recovery_step = number(RECOVERY_STEP)?;
        Ok(persisted)
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(redb::Error) -> EngineError + '_ {
        move |error| EngineError { what, reason: format!("{}: {error}", self.path.display()) }
    }
}

impl PdEngine for PdRedbEngine {
    fn write(&mut self, batch: Vec<PdWrite>) -> Result<(), EngineError> {
        self.commit(Durability::None, batch).map_err(self.failed("write"))
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.commit(Durability::Immediate, Vec::new()).map_err(self.failed("sync"))
    }

    fn load(&self) -> Result<PdPersisted, EngineError> {
        self.read().map_err(self.failed("read"))
    }
}

fn take(transaction: &WriteTransaction, write: PdWrite) -> Result<(), redb::Error> {
    let set = |name: &str, number: u64| -> Result<(), redb::Error> {
        transaction.open_table(META)?.insert(name, number)?;
        Ok(())
    };
    match write {
        PdWrite::Store(StoreRecord { id, state, physically_destroyed }) => {
            let record = (number_of(state), u64::from(physically_destroyed));
            transaction.open_table(STORES)?.insert(id, record)?;
        }
        PdWrite::ForgetStore(store) => {
            transaction.open_table(STORES)?.remove(store)?;
        }
        PdWrite::Region(region) => {
            let mut bytes = Vec::new();
            put_region(&mut bytes, &region);
            transaction.open_table(REGIONS)?.insert(region.id, &*bytes)?;
        }
        PdWrite::ForgetRegion(region) => {
            transaction.open_table(REGIONS)?.remove(region)?;
        }
        PdWrite::IdLimit(limit) => set(ID_LIMIT, limit)?,
        PdWrite::Relearns(relearns) => set(RELEARNS, u64::from(relearns))?,
        PdWrite::RecoveryStep(step) => set(RECOVERY_STEP, step)?,
    }
    Ok(())
}

fn number_of(state: StoreState) -> u64 {
    match state {
        StoreState::Up => 0,
        StoreState::Offline => 1,
        StoreState::Tombstone => 2,
    }
}

fn state_of(number: u64) -> Option<StoreState> {
    [StoreState::Up, StoreState::Offline, StoreState::Tombstone]
        .into_iter()
        .find(|state| number_of(*state) == number)
}

fn decode(bytes: &[u8]) -> Option<Region> {
    let mut reader = Reader::new(bytes);
    let region = reader.region().ok()?;
    reader.end("a region").ok()?;
    Some(region)
}

fn corrupted(what: &str) -> redb::Error {
    redb::Error::Corrupted(what.to_string())
}
