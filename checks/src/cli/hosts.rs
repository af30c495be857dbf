//! Who explores for `check`: threads, workers that own shares, or several machines.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use rollcall_model::{Rollcall, State};

use super::end::INTERRUPTED;
use super::lasting::default_threads;
use crate::explorer::{self, Exploration, ExploreError, Kept, MOST_WORKERS, Options, Processes};
use crate::hosts::{Hosts, Meeting, MeetingError};

#[derive(Args)]
pub(super) struct SharingArguments {
    /// Explores with N workers, each owning a share of the states; with `--hosts` N in each process
    /// (there by default one for each core)
    #[arg(long, value_name = "N",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=MOST_WORKERS as u64))]
    workers: Option<usize>,
    /// Explores on several machines: a file with one HOST:PORT a line. The same command runs on each,
    /// with its own `--process`
    #[arg(long, value_name = "FILE", requires = "process", conflicts_with_all = ["resume", "heal"])]
    hosts: Option<PathBuf>,
    /// The number of this process: its place in the file of hosts, from 0
    #[arg(long, value_name = "K", requires = "hosts")]
    process: Option<usize>,
    /// How long the others may take to come
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "hosts")]
    wait: u64,
}

/// Who explores.
pub(super) enum Sharing {
    /// Threads of this process, in one order.
    Ordered,
    /// Workers of this process.
    Workers(usize),
    /// Workers of several processes.
    Hosts(Spread),
}

/// This process among several.
pub(super) struct Spread {
    hosts: Hosts,
    pub(super) me: usize,
    workers: usize,
    wait: Duration,
}

impl SharingArguments {
    pub(super) fn sharing(&self) -> Result<Sharing> {
        let (Some(path), Some(me)) = (&self.hosts, self.process) else {
            return Ok(self.workers.map_or(Sharing::Ordered, Sharing::Workers));
        };
        let hosts = Hosts::read(path)?;
        let workers = self.workers.unwrap_or_else(default_threads);
        if me >= hosts.count() {
            bail!(
                "--process {me}: {} names {} hosts, so the last process is {}",
                path.display(),
                hosts.count(),
                hosts.count() - 1
            );
        }
        if workers.saturating_mul(hosts.count()) > MOST_WORKERS {
            bail!("{workers} workers on each of {} hosts are more than {MOST_WORKERS}", hosts.count());
        }
        Ok(Sharing::Hosts(Spread { hosts, me, workers, wait: Duration::from_secs(self.wait) }))
    }
}

impl Sharing {
    /// What was explored; or why several processes could not explore it.
    pub(super) fn explore(
        &self,
        model: &Rollcall,
        options: Options<'_>,
        kept: Kept,
    ) -> Result<Result<Exploration<State>, String>> {
        match self {
            Self::Ordered => {
                let kind = |state: &State, action: &_| model.kind_of(state, action);
                Ok(Ok(explorer::resume(model, &options, kind, kept)?))
            }
            Self::Workers(workers) => {
                let options = Options { threads: *workers, ..options };
                Ok(Ok(explorer::resume_in_shards(model, &options, Rollcall::kind_of, kept)?))
            }
            Self::Hosts(spread) => {
                let options = Options { threads: spread.workers, ..options };
                let processes = match spread.meet(model) {
                    Ok(processes) => processes,
                    Err(error) => return Ok(Err(error.to_string())),
                };
                match explorer::explore_with_others(model, &options, Rollcall::kind_of, processes) {
                    Err(ExploreError::Lost { process }) => Ok(Err(format!(
                        "{} has ended in the middle of the search; begin again in every process",
                        spread.hosts.called(process)
                    ))),
                    explored => Ok(Ok(explored?)),
                }
            }
        }
    }
}

impl Spread {
    /// Waits for all others.
    fn meet(&self, model: &Rollcall) -> Result<Processes, MeetingError> {
        Meeting::begin(&self.hosts, self.me, self.workers, model)?.meet(self.wait, &INTERRUPTED)
    }

    pub(super) fn processes(&self) -> usize {
        self.hosts.count()
    }
}
