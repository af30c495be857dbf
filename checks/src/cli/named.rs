//! Reads traces, and looks up the guards and properties that their headers name. The dictionary
//! does not know those names.

use std::path::Path;

use anyhow::{Result, bail};
use rollcall_model::liveness::Goal;
use rollcall_model::properties::Property;
use rollcall_model::{GuardSet, Reach};
use rollcall_traces::{ALL_PROPERTIES, Scenario};

use crate::lookup;

/// The names of a trace, looked up.
pub(super) struct Named {
    /// All guards but those that the trace drops. A guard below the model's grain makes no
    /// difference to the model.
    pub(super) guards: GuardSet,
    /// What is checked after each step: the properties of the header, and those that the file says
    /// are violated.
    pub(super) properties: Vec<Property>,
    /// What must be reached after its steps.
    pub(super) must_reach: Vec<Reach>,
}

/// Reads a trace or scenario. An error if it has no steps or names something unknown.
pub(super) fn read(path: &Path) -> Result<(Scenario, Named)> {
    let trace = Scenario::read(path)?;
    if trace.is_empty() {
        bail!("{}: it has no steps; a trace without steps shows nothing", path.display());
    }
    let mut named = Named { guards: GuardSet::ALL, properties: Vec::new(), must_reach: Vec::new() };
    for name in &trace.header.without {
        match lookup::any_guard(name) {
            Ok(guard) => named.guards = guard.map_or(named.guards, |guard| named.guards.and_without(guard)),
            Err(unknown) => bail!("{}: {unknown}", trace.position_of("without")),
        }
    }
    let all = trace.header.properties.iter().any(|name| name == ALL_PROPERTIES);
    if all {
        named.properties = Property::ALL.to_vec();
    }
    for name in trace.header.properties.iter().filter(|_| !all) {
        match lookup::property(name) {
            Ok(property) => named.properties.push(property),
            Err(unknown) => bail!("{}: {unknown}", trace.position_of("properties")),
        }
    }
    for name in &trace.header.must_reach {
        match lookup::reach(name) {
            Ok(reach) => named.must_reach.push(reach),
            Err(unknown) => bail!("{}: {unknown}", trace.position_of("must_reach")),
        }
    }
    for name in &trace.header.may_end {
        if let Err(unknown) = lookup::stuck_reason(name) {
            bail!("{}: {unknown}", trace.position_of("may_end"));
        }
    }
    for name in trace.stated() {
        // Whether a goal is met is decided by healing.
        if Goal::ALL.iter().any(|goal| goal.name() == name) {
            continue;
        }
        match lookup::property(name) {
            Ok(property) if named.properties.contains(&property) => {}
            Ok(property) => named.properties.push(property),
            Err(unknown) => {
                bail!("{}: the file states a violation of something unknown: {unknown}", path.display())
            }
        }
    }
    Ok((trace, named))
}
