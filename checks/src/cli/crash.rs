//! `crash`: a run whose machines fail at every write and every sync of their disks.

use std::path::Path;

use anyhow::{Context, Result};
use rollcall_impl::Lacking;

use super::end::End;
use super::out::outln;
use super::replay::guard_of;
use crate::crash_points::exhibits::{EXHIBITS, Exhibit, read};
use crate::crash_points::{Report, run};

/// One run.
pub(super) fn one(path: &Path, without: &[String]) -> Result<End> {
    let lacking = without.iter().map(|name| guard_of(name)).collect::<Result<Vec<_>>>()?;
    let trace = read(path)?;
    let report = run(Lacking(&lacking), &trace).with_context(|| path.display().to_string())?;
    outln!("{}: {}", path.display(), report.tried);
    Ok(say(&report))
}

/// What a report says, and how it ends.
fn say(report: &Report) -> End {
    match &report.failure {
        Some(failure) => outln!("  {failure}"),
        None => outln!("  at every crash point every property holds, and the cluster heals"),
    }
    match &report.without_crash {
        Some(what) => outln!("  without a crash, too, the run fails: {what}"),
        None => outln!("  without a crash the run holds"),
    }
    if report.failure.is_some() || report.without_crash.is_some() { End::Violated } else { End::Holds }
}

/// Every exhibit, or those of one guard.
pub(super) fn exhibits(only: &[String]) -> Result<End> {
    let guards = only.iter().map(|name| guard_of(name)).collect::<Result<Vec<_>>>()?;
    let mut end = End::Holds;
    for exhibit in EXHIBITS.iter().filter(|exhibit| guards.is_empty() || guards.contains(&exhibit.guard)) {
        let Exhibit { guard, file, .. } = exhibit;
        let (dropped, sound) = exhibit.show(Path::new(""))?;
        outln!("{guard}: {}", guard.incident());
        say(&dropped);
        outln!("  with every guard no point fails: {}", sound.tried);
        outln!("  rollcall crash {file} --without {guard}");
        for wrong in exhibit.wrong(&dropped, &sound) {
            outln!("  {wrong}");
            end = End::Violated;
        }
    }
    Ok(end)
}
