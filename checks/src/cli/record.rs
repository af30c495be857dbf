//! `record` and `accept`: records a seeded message-level run, and checks it against the model.

use std::path::Path;

use anyhow::{Context, Result, bail};
use rollcall_traces::Run;

use super::end::End;
use super::out::{errln, outln};
use crate::accept::{HIDDEN, accept};
use crate::network::{self, SCENARIOS, Scenario};

/// Runs the implementation message by message, and writes the run to a file.
pub(super) fn record(name: &str, seed: u64, events: Option<u64>, out: &Path) -> Result<End> {
    let scenario = find(name)?;
    let events = events.unwrap_or(scenario.parameters.events);
    if events == 0 {
        bail!("a run without events shows nothing: give --events a number above 0");
    }
    let recorded = network::record(scenario, seed, events);
    outln!(
        "{}: {name}, seed {seed}: {} events, {} writes acknowledged, {} scans, {} member changes, \
         {} regions",
        out.display(),
        recorded.run.events.len(),
        recorded.acknowledged,
        recorded.scans,
        recorded.changes,
        recorded.regions
    );
    let end = match &recorded.kept {
        Ok(()) => End::Holds,
        Err(lost) => {
            outln!("{}: {lost}", out.display());
            End::Violated
        }
    };
    match recorded.run.write(out) {
        Err(error) if end == End::Violated => {
            errln!("rollcall: the finding stands, but it was not written: {error}")
        }
        written => written?,
    }
    Ok(end)
}

fn find(name: &str) -> Result<&'static Scenario> {
    match network::scenario(name) {
        Some(scenario) => Ok(scenario),
        None => {
            let known: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            let near = known
                .iter()
                .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
            let near = near.copied().unwrap_or_default();
            bail!("unknown scenario `{name}`; did you mean `{near}`? There are {}", known.join(", "))
        }
    }
}

/// Checks a recorded run against the model.
pub(super) fn judge(path: &Path) -> Result<End> {
    let run = Run::read(path)?;
    if run.events.is_empty() {
        bail!("{}: a run without events shows nothing; record it again", path.display());
    }
    match accept(&run).with_context(|| format!("{}", path.display()))? {
        Ok(accepted) => {
            outln!(
                "{}: the model accepts: {} events, {} messages sent, {} delivered, {} facts compared, \
                 {} hidden actions, at most {} (of {HIDDEN} allowed) for an event",
                path.display(),
                accepted.events,
                accepted.sent,
                accepted.delivered,
                accepted.facts,
                accepted.hidden,
                accepted.most_hidden
            );
            Ok(End::Holds)
        }
        Err(refusal) => {
            outln!("{}:\n{}", path.display(), refusal.to_string().trim_end());
            outln!(
                "  to see it again: rollcall accept {0}; event by event: rollcall show {0}",
                path.display()
            );
            Ok(End::Violated)
        }
    }
}
