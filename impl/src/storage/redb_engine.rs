//! A durable engine in one file of redb, an embedded database in pure Rust with atomic commits.
//!
//! A batch is one transaction over log, hard state, apply state, region and data. `sync` makes all
//! batches so far durable with one more transaction, for all regions together. Only one process can
//! open a file. A file that is damaged, or written by a newer version, is refused with an error
//! that names it, and stays unchanged: all pages are checked against their checksums on a
//! copy-on-write view of the file (`redb_file.rs`). This check takes as long as reading the file
//! twice, once at each start. Left out: damage that redb's checksums cannot detect, and returning
//! space to the file system.

mod record;

use std::path::{Path, PathBuf};

use protobuf::Message as _;
use raft::eraftpb::Entry;
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, StorageBackend, StorageError, Table,
    TableDefinition, TableError, WriteTransaction,
};

use crate::error::EngineError;
use crate::proto::position::Position;
use crate::proto::region::RegionId;
use crate::storage::engine::{ApplyState, Engine, HardState, Persisted, Write};
use crate::storage::redb_file::FileKind;

type Numbers = (u64, u64, u64);

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
/// Term, vote, commit.
const HARD_STATES: TableDefinition<'_, u64, Numbers> = TableDefinition::new("hard_states");
/// Applied, and the last discarded entry's index and term.
const APPLY_STATES: TableDefinition<'_, u64, Numbers> = TableDefinition::new("apply_states");
/// By region and index.
const ENTRIES: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("entries");
/// By region and key.
const DATA: TableDefinition<'_, (u64, &[u8]), &[u8]> = TableDefinition::new("data");

/// An engine on a file.
pub struct RedbEngine {
    database: Database,
    path: PathBuf,
}

/// What a store's file is.
const KIND: FileKind = FileKind {
    of: "store",
    format: "format",
    knows: 1,
    make: |transaction| Ok(Tables::open(transaction).map(drop)?),
};

impl RedbEngine {
    /// Opens the file at `path`, or creates it.
    ///
    /// # Errors
    /// If the file is open already, here or in another process, if it is damaged or has a
    /// newer format, or if the file system fails. A refused file is unchanged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EngineError> {
        let path = path.as_ref();
        Ok(Self { database: KIND.open(path)?, path: path.to_path_buf() })
    }

    /// Opens the data in `backend`, or creates an empty store there. This is for tests with a
    /// failing disk, and for storage that is not a file.
    ///
    /// # Errors
    /// If the data is damaged or has a newer format, or if the backend fails. Unlike in
    /// [`open`](RedbEngine::open) there is no overlay, so redb may have repaired refused data.
    pub fn open_on(backend: impl StorageBackend) -> Result<Self, EngineError> {
        Ok(Self { database: KIND.open_on(backend)?, path: PathBuf::new() })
    }

    /// The path of its file; empty if it has none.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn commit(&self, durability: Durability, batch: Vec<Write>) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
        if !batch.is_empty() {
            let mut tables = Tables::open(&transaction)?;
            batch.into_iter().try_for_each(|write| tables.take(write))?;
        }
        Ok(transaction.commit()?)
    }

    fn read_regions(&self) -> Result<Vec<RegionId>, redb::Error> {
        let records = self.database.begin_read()?.open_table(RECORDS)?;
        records.iter()?.map(|row| Ok(row?.0.value())).collect()
    }

    fn read(&self, region: RegionId) -> Result<Option<Persisted>, redb::Error> {
        let transaction = self.database.begin_read()?;
        let Some(record) = transaction.open_table(RECORDS)?.get(region)? else { return Ok(None) };
        let record = record::decode(record.value()).map_err(|error| corrupted(&error.to_string()))?;
        let mut persisted = Persisted::new(record);
        if let Some(kept) = transaction.open_table(HARD_STATES)?.get(region)? {
            let (term, vote, commit) = kept.value();
            persisted.hard_state = HardState { term, vote, commit };
        }
        if let Some(kept) = transaction.open_table(APPLY_STATES)?.get(region)? {
            let (applied, index, term) = kept.value();
            persisted.apply_state = ApplyState { applied, truncated: Position { index, term } };
        }
        for row in transaction.open_table(ENTRIES)?.range((region, 0)..=(region, u64::MAX))? {
            let entry = Entry::parse_from_bytes(row?.1.value());
            persisted.entries.push(entry.map_err(|error| corrupted(&error.to_string()))?);
        }
        let data = transaction.open_table(DATA)?;
        for row in data.range((region, &[][..])..)? {
            let (key, value) = row?;
            let (of, key) = key.value();
            if of != region {
                break;
            }
            persisted.data.insert(key.into(), value.value().into());
        }
        Ok(Some(persisted))
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(redb::Error) -> EngineError + '_ {
        move |error| EngineError { what, reason: format!("{}: {error}", self.path.display()) }
    }
}

impl Engine for RedbEngine {
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        self.commit(Durability::None, batch).map_err(self.failed("write"))
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.commit(Durability::Immediate, Vec::new()).map_err(self.failed("sync"))
    }

    fn regions(&self) -> Result<Vec<RegionId>, EngineError> {
        self.read_regions().map_err(self.failed("read"))
    }

    fn load(&self, region: RegionId) -> Result<Option<Persisted>, EngineError> {
        self.read(region).map_err(self.failed("read"))
    }
}

/// All tables of a transaction.
struct Tables<'t> {
    records: Table<'t, u64, &'static [u8]>,
    hard_states: Table<'t, u64, Numbers>,
    apply_states: Table<'t, u64, Numbers>,
    entries: Table<'t, (u64, u64), &'static [u8]>,
    data: Table<'t, (u64, &'static [u8]), &'static [u8]>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, TableError> {
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            hard_states: transaction.open_table(HARD_STATES)?,
            apply_states: transaction.open_table(APPLY_STATES)?,
            entries: transaction.open_table(ENTRIES)?,
            data: transaction.open_table(DATA)?,
        })
    }

    fn take(&mut self, write: Write) -> Result<(), redb::Error> {
        match write {
            Write::Record(record) => {
                self.records.insert(record.region.id, &*record::encode(&record))?;
            }
            Write::HardState(region, HardState { term, vote, commit }) => {
                self.hard_states.insert(region, (term, vote, commit))?;
            }
            Write::Commit(region, commit) => {
                let known = self.hard_states.get(region)?.map(|known| known.value());
                let (term, vote, _) = known.unwrap_or_default();
                self.hard_states.insert(region, (term, vote, commit))?;
            }
            Write::ApplyState(region, ApplyState { applied, truncated }) => {
                self.entries.retain_in((region, 0)..=(region, truncated.index), |_, _| false)?;
                self.apply_states.insert(region, (applied, truncated.index, truncated.term))?;
            }
            Write::Append(region, entries) => {
                let Some(first) = entries.first() else { return Ok(()) };
                self.entries.retain_in((region, first.index)..=(region, u64::MAX), |_, _| false)?;
                for entry in &entries {
                    let bytes = entry.write_to_bytes().expect("entries have no required fields");
                    self.entries.insert((region, entry.index), &*bytes)?;
                }
            }
            Write::Put(region, key, value) => {
                self.data.insert((region, &*key), &*value)?;
            }
            Write::Delete(region, key) => {
                self.data.remove((region, &*key))?;
            }
            Write::Keep(region, range) => self.retain_data(region, |key| range.contains(key))?,
            Write::Clear(region) => {
                self.hard_states.remove(region)?;
                self.apply_states.remove(region)?;
                self.entries.retain_in((region, 0)..=(region, u64::MAX), |_, _| false)?;
                self.retain_data(region, |_| false)?;
            }
        }
        Ok(())
    }

    fn retain_data(&mut self, region: RegionId, keep: impl Fn(&[u8]) -> bool) -> Result<(), StorageError> {
        let keep = |(_, key): (u64, &[u8]), _: &[u8]| keep(key);
        match region.checked_add(1) {
            Some(next) => self.data.retain_in((region, &[][..])..(next, &[][..]), keep),
            None => self.data.retain_in((region, &[][..]).., keep),
        }
    }
}

fn corrupted(what: &str) -> redb::Error {
    redb::Error::Corrupted(what.to_string())
}
