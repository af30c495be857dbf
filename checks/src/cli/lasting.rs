//! What a run may take and leaves behind when it lasts: threads, memory and journals.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytesize::ByteSize;
use clap::Args;
use rollcall_model::scopes::{ScopePlan, Size};

use super::out::errln;
use crate::explorer::Memory;
use crate::journal::Pace;
use crate::memory;

/// Where deep runs keep their journals if nobody says.
const FOLDER: &str = "rollcall-journals";

/// As many threads as the machine runs at once.
pub(super) fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[derive(Args)]
pub(super) struct Lasting {
    /// Resumes from the journals at this path, and writes new ones there.
    /// Without it a deep run keeps its own in `rollcall-journals`
    #[arg(long, value_name = "FILE|FOLDER")]
    resume: Option<PathBuf>,
    /// Bounds the process's memory while it explores, as in `16GiB`: beyond it the run
    /// ends with exit code 3 (by default three quarters of the machine)
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// A checkpoint at least every so many states
    #[arg(long, hide = true)]
    checkpoint_every: Option<u64>,
}

impl Lasting {
    pub(super) fn memory(&self) -> Memory {
        let limit = self.memory.map_or_else(memory::default_limit, |size| size.as_u64());
        Memory { limit, resident: memory::resident }
    }

    pub(super) fn pace(&self) -> Pace {
        match self.checkpoint_every {
            Some(states) => Pace { states, time: Duration::MAX },
            None => Pace::default(),
        }
    }

    /// Where the journal of one scope is.
    pub(super) fn journal_of(&self, plan: &ScopePlan) -> Option<PathBuf> {
        let path = self.resume.as_ref()?;
        Some(if path.is_dir() { in_folder(path, plan) } else { path.clone() })
    }

    /// Where the journals of these scopes are, their folder made.
    pub(super) fn journals(&self, plans: &[ScopePlan], size: Size) -> Result<Vec<Option<PathBuf>>> {
        let folder = match &self.resume {
            Some(path) if path.is_file() => {
                if plans.len() != 1 {
                    bail!(
                        "{}: this is one journal, and {} scopes are selected; select one with `--scope`, or name the folder",
                        path.display(),
                        plans.len()
                    );
                }
                return Ok(vec![Some(path.clone())]);
            }
            Some(path) => path.clone(),
            None if size != Size::Deep => return Ok(vec![None; plans.len()]),
            None => {
                let left =
                    plans.iter().map(|plan| in_folder(Path::new(FOLDER), plan)).find(|path| path.exists());
                if let Some(left) = left {
                    bail!(
                        "{}: an earlier run left this journal; continue it with `--resume {FOLDER}`, or remove it",
                        left.display()
                    );
                }
                PathBuf::from(FOLDER)
            }
        };
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(plans.iter().map(|plan| Some(in_folder(&folder, plan))).collect())
    }

    /// Removes the folder of deep runs when what is returned is dropped, if nothing is in it.
    pub(super) fn tidy(&self) -> Tidy {
        Tidy(self.resume.is_none())
    }

    pub(super) fn say_how_to_go_on(&self, journals: &[Option<PathBuf>]) {
        if journals.iter().flatten().any(|path| path.exists()) {
            let place = self.resume.clone().unwrap_or_else(|| FOLDER.into());
            errln!("  the same command with `--resume {}` goes on from there", place.display());
        }
    }

    /// Nothing is left to go on with.
    pub(super) fn remove(&self, journals: &[Option<PathBuf>]) -> Result<()> {
        for path in journals.iter().flatten().filter(|path| path.exists()) {
            std::fs::remove_file(path).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// Leaves no empty folder behind, however a run ends.
pub(super) struct Tidy(bool);

impl Drop for Tidy {
    fn drop(&mut self) {
        // Whose folder it is knows what else is in it.
        if self.0 {
            let _ = std::fs::remove_dir(FOLDER);
        }
    }
}

fn in_folder(folder: &Path, plan: &ScopePlan) -> PathBuf {
    folder.join(format!("{}.journal", plan.scope.name))
}
