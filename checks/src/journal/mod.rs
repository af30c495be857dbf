//! The journal of an exploration. After a process is killed, another one continues from it.
//!
//! It is a file of records (`frames.rs`): a header that says what is explored and by which build,
//! and then checkpoints. A checkpoint has what came since the one before: the components of states,
//! and the states with their parents and edges. The file is only appended to, so a process may be
//! killed at any moment. One process at a time may open it.
//!
//! Where several processes explore, each has a journal of its own (`shared.rs`).
//!
//! A journal belongs to one build of this program. A build with other rules would continue from
//! states that its rules never reach.

mod frames;
mod shared;
mod sync;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rollcall_model::{PartCounts, Rollcall};
use rollcall_traces::Scope;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::explorer::{Keep, Kept, Seat};
use frames::{Fault, Frames, MAGIC, append};
pub use shared::{Back, Run, SharedJournal};
use sync::Syncer;

const HEADER: u8 = 0;
const CHECKPOINT: u8 = 1;
const HEALED: u8 = 2;
const RUN: u8 = 3;

/// Why a journal cannot be continued. The file is unchanged.
#[derive(Debug, Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{path}: another process writes this journal; wait until it ends, or end it")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is not a journal.
    #[error("{path}: not a journal of an exploration")]
    NotOne {
        /// The file.
        path: PathBuf,
    },
    /// It is of another schema, or of another build of the program.
    #[error(
        "{path}: written by another version ({theirs}, this is {ours}); finish the run with that version, or remove the journal"
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The build that wrote it.
        theirs: String,
        /// This build.
        ours: String,
    },
    /// It is the journal of another exploration.
    #[error("{path}: the journal belongs to another exploration: {what}; name another file, or remove it")]
    OtherScope {
        /// The file.
        path: PathBuf,
        /// How they differ.
        what: String,
    },
    /// A record before the last one fails its checksum.
    #[error("{path}: damaged at byte {at}, in record {record}: {what}; restore a copy, or remove it")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The record, from 1.
        record: u64,
        /// Where it begins, in bytes from the beginning of the file.
        at: u64,
        /// What is wrong with it.
        what: String,
    },
}

/// What is explored, and by which build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The version, and a checksum of the executable.
    pub(crate) program: String,
    scope: Scope,
    without: Vec<String>,
    properties: Vec<String>,
    reachable: Vec<String>,
    edges: bool,
    /// Whose it is, where several processes explore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shared: Option<Seat>,
}

impl Header {
    pub(crate) fn of(model: &Rollcall, edges: bool) -> Self {
        Self {
            program: program().to_string(),
            scope: model.scope().clone(),
            without: model.guards().dropped().map(|guard| guard.name().to_string()).collect(),
            properties: model.checked().iter().map(|property| property.name().to_string()).collect(),
            reachable: model.reachable().iter().map(|reach| reach.name().to_string()).collect(),
            edges,
            shared: None,
        }
    }

    /// How another exploration differs.
    pub(crate) fn differs(&self, theirs: &Self) -> Option<String> {
        let listed = |names: &[String]| if names.is_empty() { "none".into() } else { names.join(", ") };
        let said = |what: &str, theirs: String, ours: String| format!("{what} {theirs}, not {ours}");
        Some(match () {
            () if self.scope.name != theirs.scope.name => {
                said("its scope is", theirs.scope.name.clone(), self.scope.name.clone())
            }
            () if self.scope != theirs.scope => format!("`{}` had other bounds", self.scope.name),
            () if self.without != theirs.without => {
                said("the guards dropped are", listed(&theirs.without), listed(&self.without))
            }
            () if self.properties != theirs.properties => {
                said("the properties are", listed(&theirs.properties), listed(&self.properties))
            }
            () if self.reachable != theirs.reachable => "something else must be reached".into(),
            () if self.edges != theirs.edges && theirs.edges => "`verify` began it and keeps edges".into(),
            () if self.edges != theirs.edges => "`check` began it and keeps no edges".into(),
            () if self.shared != theirs.shared => {
                said("it was written by", called(theirs.shared), called(self.shared))
            }
            () => return None,
        })
    }

    /// Appends it to an empty file.
    fn begin(&self, file: &mut File) -> io::Result<()> {
        let json = serde_json::to_vec(self).expect("a scope becomes JSON, as in traces");
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(MAGIC)?;
        append(file, HEADER, &[&json])
    }
}

/// A process, for messages.
fn called(seat: Option<Seat>) -> String {
    seat.map_or("a process alone".into(), |Seat { process, processes, workers }| {
        let each = if workers == 1 { "1 worker each".into() } else { format!("{workers} workers each") };
        format!("process {process} of {processes} with {each}")
    })
}

/// The version, and a checksum of the running program, which contains the rules.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let bytes = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
        format!("{} build {:08x}-{:x}", env!("CARGO_PKG_VERSION"), crc32fast::hash(&bytes), bytes.len())
    })
}

/// When a checkpoint is due: after this many states or this long after the last one, whichever is
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// States.
    pub states: u64,
    /// Time.
    pub time: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { states: 1 << 17, time: Duration::from_secs(10) }
    }
}

/// The longest time for which written records may be unsynced.
const SYNC_EVERY: Duration = Duration::from_secs(20);

/// An open journal.
pub struct Journal {
    file: File,
    syncer: Syncer,
    model: Rollcall,
    /// How many components are written.
    parts: PartCounts,
    pace: Pace,
    /// States at the last checkpoint.
    states: u64,
    kept_at: Instant,
    synced_at: Instant,
}

/// An open journal and its content.
pub struct Opened {
    /// The journal, open for more.
    pub journal: Journal,
    /// The exploration so far.
    pub kept: Kept,
    /// Every state below this index is known to heal.
    pub healed: u32,
}

impl Journal {
    /// The number of states in the journal.
    pub fn states(&self) -> u64 {
        self.states
    }

    /// Opens the journal of exploring `model`, which must not have made a state yet. Creates the
    /// file if there is none. Cuts off an incomplete last record.
    ///
    /// # Errors
    /// If the file is no journal of this exploration and build, is damaged, or is in use.
    /// The file is left unchanged.
    pub fn open(path: &Path, model: &Rollcall, edges: bool, pace: Pace) -> Result<Opened, JournalError> {
        let io = |source| JournalError::Io { path: path.into(), source };
        let mut file = locked(path)?;
        let header = Header::of(model, edges);
        let mut read = Read { path, model, kept: Kept::default(), healed: 0, is_begun: false };
        let whole = read.all(&file, &header)?;
        let Read { kept, healed, is_begun, .. } = read;
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::Start(whole))).map_err(io)?;
        if !is_begun && let Err(source) = header.begin(&mut file) {
            // The disk is full. A file without a header is of no use.
            let _ = std::fs::remove_file(path);
            return Err(io(source));
        }
        let journal = Self::at_the_end(file, model, &kept, pace).map_err(io)?;
        Ok(Opened { journal, kept, healed })
    }

    /// Goes on behind what was read.
    fn at_the_end(file: File, model: &Rollcall, kept: &Kept, pace: Pace) -> io::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            syncer: Syncer::new(&file)?,
            file,
            model: model.clone(),
            parts: match kept.is_none() {
                true => PartCounts::default(),
                false => model.parts_since(PartCounts::default()).1,
            },
            pace,
            states: kept.states(),
            kept_at: now,
            synced_at: now,
        })
    }

    /// Notes that every state before `up_to` heals.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_healed(&mut self, up_to: u32) -> io::Result<()> {
        self.append(HEALED, &[&up_to.to_le_bytes()])
    }

    /// Appends a record. If that fails, the part that was written is cut off again.
    fn append(&mut self, kind: u8, said: &[&[u8]]) -> io::Result<()> {
        let begin = self.file.stream_position()?;
        if let Err(error) = append(&mut self.file, kind, said) {
            let _ = self.file.set_len(begin).and_then(|()| self.file.seek(SeekFrom::Start(begin)));
            return Err(error);
        }
        if self.synced_at.elapsed() >= SYNC_EVERY {
            self.synced_at = Instant::now();
            self.syncer.ask()?;
        }
        Ok(())
    }
}

impl Keep for Journal {
    fn is_due(&mut self, states: u64) -> bool {
        let more = states - self.states;
        more >= self.pace.states || self.kept_at.elapsed() >= self.pace.time
    }

    fn keep(&mut self, states: u64, checkpoint: &[u8]) -> io::Result<()> {
        let (parts, counts) = self.model.parts_since(self.parts);
        let length = (parts.len() as u32).to_le_bytes();
        self.append(CHECKPOINT, &[&length, &parts, checkpoint])?;
        self.parts = counts;
        self.states = states;
        self.kept_at = Instant::now();
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = self.syncer.ask();
    }
}

/// Opens a file that no other process writes. Creates it if there is none.
fn locked(path: &Path) -> Result<File, JournalError> {
    let io = |source| JournalError::Io { path: path.into(), source };
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse { path: path.into() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
        Ok(()) => Ok(file),
    }
}

/// Reads a journal from its beginning.
struct Read<'a> {
    path: &'a Path,
    model: &'a Rollcall,
    kept: Kept,
    healed: u32,
    is_begun: bool,
}

impl Read<'_> {
    /// Reads every complete record; returns where the last one ends.
    fn all(&mut self, file: &File, ours: &Header) -> Result<u64, JournalError> {
        let mut frames = Frames::begin(file).map_err(|fault| self.error(fault, 0, 1))?;
        loop {
            let (at, record) = (frames.whole(), frames.records() + 1);
            let fault = |of: &Self, fault| of.error(fault, at, record);
            let Some((kind, said)) = frames.next().map_err(|found| fault(self, found))? else {
                return Ok(at);
            };
            let damaged = |what: String| JournalError::Damaged { path: self.path.into(), record, at, what };
            match (record, kind) {
                (1, HEADER) => {
                    let theirs = serde_json::from_slice(&said);
                    let theirs: Header = theirs.map_err(|_| fault(self, Fault::NotOne))?;
                    compare(self.path, ours, &theirs)?;
                    self.is_begun = true;
                }
                (2.., CHECKPOINT) => self.checkpoint(&said).map_err(damaged)?,
                (2.., RUN) if ours.shared.is_some() => {}
                (2.., HEALED) => {
                    let up_to = said.try_into().map(u32::from_le_bytes);
                    self.healed = up_to.map_err(|_| damaged("it has no number".into()))?;
                }
                _ => return Err(damaged(format!("kind {kind} does not belong there"))),
            }
        }
    }

    fn checkpoint(&mut self, said: &[u8]) -> Result<(), String> {
        let (parts, checkpoint) = parts_and_checkpoint(said).ok_or("it ends too early")?;
        self.model.take_parts(parts).map_err(|error| error.to_string())?;
        let before = self.kept.states() as usize;
        self.kept.take(checkpoint).map_err(|error| error.to_string())?;
        if self.kept.rows().skip(before).all(|row| self.model.knows(row)) {
            Ok(())
        } else {
            Err("a state has unknown components".into())
        }
    }

    fn error(&self, fault: Fault, at: u64, record: u64) -> JournalError {
        error(self.path, fault, at, record)
    }
}

/// The two that a record of a checkpoint has.
fn parts_and_checkpoint(said: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = said.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// Whether the journal belongs to this exploration.
fn compare(path: &Path, ours: &Header, theirs: &Header) -> Result<(), JournalError> {
    let path = path.to_path_buf();
    if ours.program != theirs.program {
        let (theirs, ours) = (theirs.program.clone(), ours.program.clone());
        return Err(JournalError::OtherVersion { path, theirs, ours });
    }
    match ours.differs(theirs) {
        Some(what) => Err(JournalError::OtherScope { path, what }),
        None => Ok(()),
    }
}

fn error(path: &Path, fault: Fault, at: u64, record: u64) -> JournalError {
    let path = path.to_path_buf();
    match fault {
        Fault::NotOne => JournalError::NotOne { path },
        Fault::OtherSchema(theirs) => {
            let ours = String::from_utf8_lossy(MAGIC).trim_end().to_string();
            JournalError::OtherVersion { path, theirs, ours }
        }
        Fault::Damaged(what) => JournalError::Damaged { path, record, at, what: what.into() },
        Fault::Io(source) => JournalError::Io { path, source },
    }
}
