//! Who explores for `check`: threads, workers that own shares, or several machines.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use rollcall_model::{Rollcall, State};

use super::end::INTERRUPTED;
use super::lasting::default_threads;
use crate::explorer::{self, Exploration, ExploreError, Kept, MOST_WORKERS, Options, Processes, Seat};
use crate::hosts::{Hosts, Meeting};
use crate::journal::{Journal, Opened, Pace, SharedJournal};

#[derive(Args)]
pub(super) struct SharingArguments {
    /// Explores with N workers, each owning a share of the states; with `--hosts` N in each process
    /// (there by default one for each core)
    #[arg(long, value_name = "N",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=MOST_WORKERS as u64))]
    workers: Option<usize>,
    /// Explores on several machines: a file with one HOST:PORT a line. The same command runs on each,
    /// with its own `--process`
    #[arg(long, value_name = "FILE", requires = "process", conflicts_with = "heal")]
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

/// What an exploration continues from.
#[derive(Default)]
pub(super) struct Begun {
    pub(super) journal: Option<Mutex<Journal>>,
    pub(super) kept: Kept,
    pub(super) processes: Option<Processes>,
}

impl Begun {
    fn of(Opened { journal, kept, .. }: Opened) -> Self {
        Self { journal: Some(Mutex::new(journal)), kept, processes: None }
    }
}

impl Sharing {
    /// Opens the journal at this path, and waits for the other processes; or why these do not begin.
    pub(super) fn begin(
        &self,
        model: &Rollcall,
        journal: Option<&Path>,
        pace: Pace,
    ) -> Result<Result<Begun, String>> {
        match (self, journal) {
            (Self::Hosts(spread), _) => spread.meet(model, journal, pace),
            (_, None) => Ok(Ok(Begun::default())),
            (_, Some(path)) => Ok(Ok(Begun::of(Journal::open(path, model, false, pace)?))),
        }
    }

    /// What was explored; or why several processes could not explore it.
    pub(super) fn explore(
        &self,
        model: &Rollcall,
        options: Options<'_>,
        (kept, processes): (Kept, Option<Processes>),
    ) -> Result<Result<Exploration<State>, String>> {
        Ok(Ok(match self {
            Self::Ordered => {
                let kind = |state: &State, action: &_| model.kind_of(state, action);
                explorer::resume(model, &options, kind, kept)?
            }
            Self::Workers(workers) => {
                let options = Options { threads: *workers, ..options };
                explorer::resume_in_shards(model, &options, Rollcall::kind_of, kept)?
            }
            Self::Hosts(spread) => {
                let options = Options { threads: spread.workers, ..options };
                let processes = processes.expect("they have met");
                match explorer::explore_with_others(model, &options, Rollcall::kind_of, processes, kept) {
                    Err(ExploreError::Lost { process }) => {
                        let how = match options.keep {
                            Some(_) => "; the same command in every process continues from the journals",
                            None => "; begin again in every process",
                        };
                        let called = spread.hosts.called(process);
                        return Ok(Err(format!("{called} has ended in the middle of the search{how}")));
                    }
                    explored => explored?,
                }
            }
        }))
    }
}

impl Spread {
    /// Waits for all others, and continues from where all can.
    fn meet(&self, model: &Rollcall, journal: Option<&Path>, pace: Pace) -> Result<Result<Begun, String>> {
        let Self { hosts, me, workers, wait } = self;
        let seat = Seat { process: *me, processes: hosts.count(), workers: *workers };
        let mut journal = journal.map(|path| SharedJournal::open(path, model, seat)).transpose()?;
        let met = Meeting::begin(hosts, *me, *workers, model, journal.as_mut())
            .and_then(|meeting| meeting.meet(*wait, &INTERRUPTED));
        let processes = match met {
            Ok(processes) => Some(processes),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let begun = journal.map(|journal| journal.begin(model, pace)).transpose()?;
        Ok(Ok(Begun { processes, ..begun.map_or_else(Begun::default, Begun::of) }))
    }

    pub(super) fn processes(&self) -> usize {
        self.hosts.count()
    }
}
