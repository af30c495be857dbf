//! The verdict: what was accepted, or the first event that no behaviour explains.

use std::borrow::Cow;
use std::fmt;

use rollcall_traces::{Difference, RegionId, StoreId};

/// An accepted run, in counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Events.
    pub events: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Facts of a peer compared.
    pub facts: u64,
    /// Actions that the run did not record.
    pub hidden: u64,
    /// The most unrecorded actions for one event.
    pub most_hidden: usize,
}

/// The first event that no behaviour of the model explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// The run.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// The event, from 1.
    pub event: u64,
    /// The store of the event, if one is known.
    pub store: Option<StoreId>,
    /// The region.
    pub region: RegionId,
    /// The event, after the last events before it.
    pub happened: Vec<String>,
    /// Why no behaviour explains it.
    pub fault: String,
    /// The facts that differ.
    pub differences: Vec<Difference>,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unexplained { scenario, seed, event, region, fault, .. } = self;
        let store = self.store.map_or(Cow::Borrowed(""), |store| format!(", store {store}").into());
        writeln!(
            f,
            "{scenario}, seed {seed}: the model does not explain event {event} (region {region}{store})"
        )?;
        writeln!(f, "  {fault}")?;
        for Difference { path, expected, actual } in &self.differences {
            let words = |value: &Option<serde_json::Value>| {
                value.as_ref().map_or("nothing".to_string(), ToString::to_string)
            };
            writeln!(f, "    {path}: model {}, run {}", words(expected), words(actual))?;
        }
        writeln!(f, "  the last events:")?;
        self.happened.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}
