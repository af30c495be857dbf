//! A file of redb: how it is made, opened and refused.
//!
//! One process may open it. It is made under another name and renamed once it is complete. A file
//! that is damaged, newer or of another kind is refused and stays unchanged: all pages are checked
//! against their checksums on a copy-on-write view (`overlay.rs`).

mod overlay;

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableDefinition,
    TableError, WriteTransaction,
};

use self::overlay::Overlay;
use crate::error::EngineError;

/// Numbers by name. The format is one of them.
pub(crate) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// Whose file it is.
pub(crate) struct FileKind {
    /// Its owner.
    pub(crate) of: &'static str,
    /// The name in [`META`] of the version of its tables and of their encoding.
    pub(crate) format: &'static str,
    /// The version that this program knows.
    pub(crate) knows: u64,
    /// Creates the tables.
    pub(crate) make: fn(&WriteTransaction) -> Result<(), redb::Error>,
}

impl FileKind {
    /// Opens the file at `path`, or creates it.
    pub(crate) fn open(&self, path: &Path) -> Result<Database, EngineError> {
        let refused = |reason| refused(format!("{}: {reason}", path.display()));
        if path.try_exists().map_err(|error| refused(error.to_string()))? {
            self.open_known(path).map_err(refused)
        } else {
            self.create(path).map_err(refused)
        }
    }

    /// Opens the data in `backend`, or creates an empty file there.
    pub(crate) fn open_on(&self, backend: impl StorageBackend) -> Result<Database, EngineError> {
        let is_new = backend.len().map_err(|error| refused(error.to_string()))? == 0;
        let mut builder = Builder::new();
        builder.set_check_integrity_on_open(!is_new);
        let database = builder.create_with_backend(backend).map_err(|error| refused(words(&error)))?;
        if is_new {
            self.make_tables(&database).map_err(|error| refused(error.to_string()))?;
        }
        self.check_format(&database).map_err(refused)?;
        Ok(database)
    }

    fn create(&self, path: &Path) -> Result<Database, String> {
        // The file is created under another name and renamed once complete, so a crash leaves no
        // incomplete file.
        let io = |error: std::io::Error| format!("it cannot be made: {error}");
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let database = Database::create(&beside).map_err(|error| words(&error))?;
        self.make_tables(&database).map_err(|error| error.to_string())?;
        std::fs::rename(&beside, path).map_err(io)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        }
        Ok(database)
    }

    /// redb changes a file while it checks it, so an overlay is opened first: a refused file stays
    /// unchanged.
    fn open_known(&self, path: &Path) -> Result<Database, String> {
        let io = |error: std::io::Error| format!("it cannot be read: {error}");
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(io)?;
        if file.metadata().map_err(io)?.len() == 0 {
            return Err(format!("it is empty, and no {}'s file", self.of));
        }
        let mut builder = Builder::new();
        builder.set_check_integrity_on_open(true);
        let opened = Overlay::new(file).and_then(|overlay| builder.create_with_backend(overlay));
        self.check_format(&opened.map_err(|error| words(&error))?)?;
        builder.open(path).map_err(|error| words(&error))
    }

    fn make_tables(&self, database: &Database) -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        (self.make)(&transaction)?;
        transaction.open_table(META)?.insert(self.format, self.knows)?;
        Ok(transaction.commit()?)
    }

    fn check_format(&self, database: &impl ReadableDatabase) -> Result<(), String> {
        let knows = self.knows;
        match number(database, self.format).map_err(|error| error.to_string())? {
            Some(format) if format == knows => Ok(()),
            Some(newer) if newer > knows => {
                Err(format!("it has format {newer}, and this program knows {knows}: it is of a newer one"))
            }
            _ => Err(format!("it is no {}'s file", self.of)),
        }
    }
}

/// A number of [`META`].
pub(crate) fn number(database: &impl ReadableDatabase, name: &str) -> Result<Option<u64>, redb::Error> {
    let transaction = database.begin_read()?;
    let meta = match transaction.open_table(META) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        meta => meta?,
    };
    Ok(meta.get(name)?.map(|number| number.value()))
}

fn refused(reason: String) -> EngineError {
    EngineError { what: "open its file", reason }
}

/// The error for the user: what is wrong with the file, and what to do.
fn words(error: &DatabaseError) -> String {
    match error {
        DatabaseError::DatabaseAlreadyOpen => "it is open in another process".to_string(),
        DatabaseError::Storage(StorageError::Corrupted(what)) => format!("it is damaged: {what}"),
        DatabaseError::Storage(StorageError::Io(error)) => format!("it cannot be read: {error}"),
        other => other.to_string(),
    }
}
