//! The journal of one process among several.
//!
//! Each process writes its own. A waiting thread writes, so when all end, some may have written more
//! barriers than others. So before a search continues, all go back to one barrier that all have, and
//! then read what is left. A journal is unchanged until they agree.
//!
//! The states of one process name those of others by their places, and these depend on the order in
//! which states arrived. So barriers belong together only if one run of all processes wrote them: each
//! run writes its own number first (`RUN`), the same in every journal.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rollcall_model::Rollcall;
use serde::{Deserialize, Serialize};

use super::frames::{Fault, Frames, append};
use super::{
    CHECKPOINT, HEADER, Header, Journal, JournalError, Opened, Pace, RUN, Read, compare, error, locked,
    parts_and_checkpoint,
};
use crate::explorer::{Kept, Seat, barriers};

/// A run of all processes, as a journal has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The number of the run.
    pub id: u64,
    /// How many whole barriers the journal had at the end of the run.
    pub barriers: u64,
}

/// Where a search continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// At the beginning: nobody has a whole barrier.
    Fresh,
    /// Behind so many barriers.
    Barriers(u64),
}

/// The journal of one process, before all agree where to continue.
pub struct SharedJournal {
    path: PathBuf,
    file: File,
    header: Header,
    runs: Vec<Run>,
    /// Where the number of the first run ends, and then each whole barrier.
    ends: Vec<u64>,
    unused: Unused,
}

/// Removes a file that this process has created, and to which nobody has written.
struct Unused(Option<PathBuf>);

impl Drop for Unused {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl SharedJournal {
    /// Reads which barriers a journal of exploring `model` has. Creates the file if there is none.
    ///
    /// # Errors
    /// If the file is no journal of this exploration, build and process, is damaged, or is in use.
    pub fn open(path: &Path, model: &Rollcall, seat: Seat) -> Result<Self, JournalError> {
        let file = locked(path)?;
        let io = |source| JournalError::Io { path: path.into(), source };
        let is_empty = file.metadata().map_err(io)?.len() == 0;
        let unused = Unused(is_empty.then(|| path.into()));
        let header = Header { shared: Some(seat), ..Header::of(model, false) };
        let (runs, ends) = (Vec::new(), Vec::new());
        let mut journal = Self { path: path.into(), file, header, runs, ends, unused };
        journal.scan()?;
        Ok(journal)
    }

    fn scan(&mut self) -> Result<(), JournalError> {
        let Self { path, file, header, runs, ends, .. } = self;
        let mut frames = Frames::begin(file).map_err(|fault| error(path, fault, 0, 1))?;
        loop {
            let (at, record) = (frames.whole(), frames.records() + 1);
            let Some((kind, said)) = frames.next().map_err(|fault| error(path, fault, at, record))? else {
                return Ok(());
            };
            let damaged = |what: String| JournalError::Damaged { path: path.clone(), record, at, what };
            match (record, kind) {
                (1, HEADER) => {
                    let theirs = serde_json::from_slice(&said);
                    let theirs = theirs.map_err(|_| error(path, Fault::NotOne, at, record))?;
                    compare(path, header, &theirs)?;
                }
                (2.., RUN) => {
                    let id = said.try_into().map(u64::from_le_bytes);
                    let id = id.map_err(|_| damaged("it has no number".into()))?;
                    if ends.is_empty() {
                        ends.push(frames.whole());
                    }
                    runs.push(Run { id, barriers: ends.len() as u64 - 1 });
                }
                (3.., CHECKPOINT) => {
                    let (_, said) =
                        parts_and_checkpoint(&said).ok_or_else(|| damaged("it ends too early".into()))?;
                    let whole = barriers(said).map_err(|misfit| damaged(misfit.to_string()))?;
                    let Some(run) = runs.last_mut() else { return Err(damaged("it is of no run".into())) };
                    match whole {
                        Some(whole) if whole == ends.len() as u64 => {
                            ends.push(frames.whole());
                            run.barriers = whole;
                        }
                        Some(_) => return Err(damaged("a barrier is missing before it".into())),
                        None => {}
                    }
                }
                _ => return Err(damaged(format!("kind {kind} does not belong there"))),
            }
        }
    }

    /// The runs that wrote it, in order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Where the barrier ends in the file; 0 is the beginning of the first run.
    #[cfg(test)]
    pub(crate) fn end_of(&self, barrier: u64) -> u64 {
        self.ends[barrier as usize]
    }

    /// Cuts off what is behind the barrier, and notes that a run with this number continues.
    ///
    /// # Errors
    /// If it cannot be written.
    ///
    /// # Panics
    /// If the journal has less barriers.
    pub fn go_back(&mut self, to: Back, run: u64) -> io::Result<()> {
        let file = &mut self.file;
        match to {
            Back::Fresh => {
                // Without its beginning a file is of no use.
                self.unused.0 = Some(self.path.clone());
                self.header.begin(file)?;
            }
            Back::Barriers(barriers) => {
                let end = self.ends[barriers as usize];
                file.set_len(end)?;
                file.seek(SeekFrom::Start(end))?;
            }
        }
        append(file, RUN, &[&run.to_le_bytes()])?;
        self.unused.0 = None;
        Ok(())
    }

    /// Reads what is left, into a model that has not made a state yet.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn begin(self, model: &Rollcall, pace: Pace) -> Result<Opened, JournalError> {
        let Self { path, mut file, header, .. } = self;
        let io = |source| JournalError::Io { path: path.clone(), source };
        let mut read = Read { path: &path, model, kept: Kept::default(), healed: 0, is_begun: false };
        let whole = read.all(&file, &header)?;
        let Read { kept, healed, .. } = read;
        file.seek(SeekFrom::Start(whole)).map_err(io)?;
        let journal = Journal::at_the_end(file, model, &kept, pace).map_err(io)?;
        Ok(Opened { journal, kept, healed })
    }
}
