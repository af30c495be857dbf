//! Settings of long runs: threads, memory and journals.

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

/// The default folder for the journals of deep runs.
const FOLDER: &str = "rollcall-journals";

/// The number of threads that the machine runs at once.
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
    /// Writes a checkpoint at least every this many states
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

    /// The journal's path of one scope.
    pub(super) fn journal_of(&self, plan: &ScopePlan) -> Option<PathBuf> {
        let path = self.resume.as_ref()?;
        Some(if path.is_dir() { in_folder(path, plan) } else { path.clone() })
    }

    /// The journals' paths of these scopes. Creates their folder.
    pub(super) fn journals(&self, plans: &[ScopePlan], size: Size) -> Result<Vec<Option<PathBuf>>> {
        let folder = match &self.resume {
            Some(path) if path.is_file() => {
                if plans.len() != 1 {
                    bail!(
                        "{}: this is one journal, but {} scopes are selected; select one with `--scope`, or name a folder",
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

    /// Returns a guard that removes the folder of deep runs on drop, if it is empty.
    pub(super) fn tidy(&self) -> Tidy {
        Tidy(self.resume.is_none())
    }

    pub(super) fn say_how_to_go_on(&self, journals: &[Option<PathBuf>]) {
        if journals.iter().flatten().any(|path| path.exists()) {
            let place = self.resume.clone().unwrap_or_else(|| FOLDER.into());
            errln!("  the same command with `--resume {}` continues from there", place.display());
        }
    }

    /// Removes the journals: these runs are complete.
    pub(super) fn remove(&self, journals: &[Option<PathBuf>]) -> Result<()> {
        for path in journals.iter().flatten().filter(|path| path.exists()) {
            std::fs::remove_file(path).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// Removes an empty journal folder, however a run ends.
pub(super) struct Tidy(bool);

impl Drop for Tidy {
    fn drop(&mut self) {
        // `remove_dir` fails on a folder that is not empty; that is wanted.
        if self.0 {
            let _ = std::fs::remove_dir(FOLDER);
        }
    }
}

fn in_folder(folder: &Path, plan: &ScopePlan) -> PathBuf {
    folder.join(format!("{}.journal", plan.scope.name))
}
