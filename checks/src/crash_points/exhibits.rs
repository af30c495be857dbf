//! The exhibits at crash points: incidents that a power failure at the wrong moment brings about, or
//! makes lasting.
//!
//! Each dies at a crash point of its run when its guard is dropped. With every guard no point of the
//! same run fails.

use std::path::Path;

use anyhow::{Context, Result};
use rollcall_impl::{Dropped, Guard, Sound};
use rollcall_model::{GuardSet, ModelSubject};
use rollcall_traces::{ReplayError, Scenario, Sides, Trace};

use super::{Report, run};

/// A guard and the run that shows it.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit {
    /// The guard.
    pub guard: Guard,
    /// The run.
    pub file: &'static str,
    /// The first crash point that fails without the guard.
    pub point: usize,
    /// The property or goal that fails there; for a panic, a part of its message.
    pub breaks: &'static str,
    /// Whether the run fails without a crash, too.
    pub fails_without_crash: bool,
}

const fn crash_alone(guard: Guard, file: &'static str, point: usize, breaks: &'static str) -> Exhibit {
    Exhibit { guard, file, point, breaks, fails_without_crash: false }
}

const fn any_run(guard: Guard, file: &'static str, point: usize, breaks: &'static str) -> Exhibit {
    Exhibit { guard, file, point, breaks, fails_without_crash: true }
}

/// Every exhibit.
pub const EXHIBITS: &[Exhibit] = &[
    crash_alone(Guard::AtomicApply, "traces/museum/apply_needs_no_client.jsonl", 39, "members_caught_up"),
    any_run(Guard::TombstoneAtNewEpoch, "traces/museum/tombstone_at_new_epoch.jsonl", 31, "epoch_comparable"),
    any_run(Guard::StopAfterDestroy, "traces/museum/stop_after_destroy.jsonl", 9, "clean_tombstone"),
    any_run(Guard::LogBoundsChecked, "traces/museum/snapshot_updates_ranges.jsonl", 6, "out of range"),
    crash_alone(
        Guard::TombstoneInOneBatch,
        "traces/museum/tombstone_refuses_stale.jsonl",
        37,
        "leader_completeness",
    ),
    crash_alone(
        Guard::SnapshotInOneBatch,
        "traces/scenarios/voter-that-voted-applies-its-snapshot.jsonl",
        143,
        "leader_completeness",
    ),
    crash_alone(Guard::SplitInOneBatch, "traces/museum/data_divided.jsonl", 64, "range_cover"),
];

/// The runs at whose crash points nothing fails: elections and appends, self-removal, changes and
/// snapshots, splits, a batch split, merges, and a decommission.
pub const RUNS: &[&str] = &[
    "traces/scenarios/transfer-leader.jsonl",
    "traces/scenarios/conf-change-remove-leader.jsonl",
    "traces/scenarios/basic-conf-change.jsonl",
    "traces/scenarios/one-split.jsonl",
    "traces/scenarios/batch-split-into-three.jsonl",
    "traces/scenarios/changes-and-splits-at-odds-with-themselves.jsonl",
    "traces/scenarios/merge-behind-a-snapshot-led-by-who-took-it.jsonl",
    "traces/scenarios/seed-000-merge-heals.jsonl",
    "traces/scenarios/seed-003-slow-decommission.jsonl",
];

impl Exhibit {
    /// The run without the guard, and with every guard.
    ///
    /// # Errors
    /// If the run cannot be read or taken.
    pub fn show(&self, root: &Path) -> Result<(Report, Report)> {
        let trace = read(&root.join(self.file))?;
        let dropped = run(Dropped(self.guard), &trace).with_context(|| self.file.to_string())?;
        Ok((dropped, run(Sound, &trace).with_context(|| self.file.to_string())?))
    }

    /// What should show and does not, in sentences.
    pub fn wrong(&self, dropped: &Report, sound: &Report) -> Vec<String> {
        let mut wrong = Vec::new();
        match &dropped.failure {
            None => wrong.push(format!("without {} no crash point fails", self.guard)),
            Some(failure) if failure.point != self.point || !failure.what.contains(self.breaks) => {
                wrong.push(format!("crash point {} should break {}", self.point, self.breaks));
            }
            Some(_) => {}
        }
        if dropped.without_crash.is_some() != self.fails_without_crash {
            wrong.push(match self.fails_without_crash {
                true => "without a crash the run should fail, too".to_string(),
                false => "the run fails without a crash, too".to_string(),
            });
        }
        wrong.extend(sound.failure.iter().map(|failure| format!("with every guard: {failure}")));
        wrong.extend(
            sound.without_crash.iter().map(|what| format!("with every guard, without a crash: {what}")),
        );
        wrong
    }
}

/// The steps of a trace or scenario, as the model takes them by the file's own guards.
///
/// # Errors
/// If it cannot be read, or the model does not take it as it states.
pub fn read(path: &Path) -> Result<Trace> {
    let scenario = Scenario::read(path)?;
    let lacks = scenario.header.without.iter().filter_map(|name| rollcall_model::Guard::from_name(name));
    let guards = lacks.fold(GuardSet::ALL, |guards, dropped| guards.and_without(dropped));
    let mut model = ModelSubject::new(guards, &[]);
    let placed = |error| match error {
        ReplayError::Refused { .. } | ReplayError::Trace(_) => anyhow::Error::from(error),
        error => anyhow::Error::from(error).context(path.display().to_string()),
    };
    match scenario.taken_as_far(&mut model, Sides::TRACE_AND_MODEL).map_err(placed)? {
        (taken, None) => Ok(taken),
        (_, Some(error)) => Err(placed(error)),
    }
}
