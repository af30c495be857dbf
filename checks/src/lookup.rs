//! Looks names up. An unknown name is an error that suggests the nearest one.

use anyhow::{Result, bail};
use rollcall_model::liveness::{Goal, StuckReason};
use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, Family, ScopePlan, Size};
use rollcall_model::{Guard, Reach};

/// The scope of that name.
pub(crate) fn plan(name: &str) -> Result<ScopePlan> {
    if let Some(plan) = scopes::named(name) {
        return Ok(plan);
    }
    let plans = scopes::all();
    unknown("scope", name, plans.iter().map(|plan| plan.scope.name.as_str()), "rollcall scopes")
}

/// An error if no scope of these families and that size has `part` in its name.
pub(crate) fn no_scope(part: &str, families: &[Family], size: Size) -> Result<()> {
    let plans: Vec<ScopePlan> = families.iter().flat_map(|family| scopes::plans(*family, size)).collect();
    let names = plans.iter().map(|plan| plan.scope.name.as_str());
    let family = match families {
        [only] => format!(" of {only}"),
        _ => String::new(),
    };
    unknown(&format!("{size} scope{family}"), part, names, "rollcall scopes")
}

/// The guard of that name in the model.
pub(crate) fn guard(name: &str) -> Result<Guard> {
    match any_guard(name)? {
        Some(guard) => Ok(guard),
        None => bail!("guard `{name}` has no form in the model; only the implementation can drop it"),
    }
}

/// The guard of that name in the model; `None` where only the implementation has it.
pub(crate) fn any_guard(name: &str) -> Result<Option<Guard>> {
    if let Some(guard) = Guard::from_name(name) {
        return Ok(Some(guard));
    }
    if rollcall_impl::Guard::from_name(name).is_some() {
        return Ok(None);
    }
    let ours = Guard::ALL.iter().map(|guard| guard.name());
    let below = rollcall_impl::Guard::ALL.iter().map(|guard| guard.name());
    unknown("guard", name, ours.chain(below), "rollcall guards")
}

/// The property of that name.
pub(crate) fn property(name: &str) -> Result<Property> {
    match Property::from_name(name) {
        Some(property) => Ok(property),
        None => unknown(
            "property",
            name,
            Property::ALL.iter().map(|property| property.name()),
            "rollcall properties",
        ),
    }
}

/// A property or a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owed {
    /// Holds in every state.
    Property(Property),
    /// Is reached once faults stop.
    Goal(Goal),
}

/// The property or goal of that name.
pub(crate) fn owed(name: &str) -> Result<Owed> {
    if let Some(property) = Property::from_name(name) {
        return Ok(Owed::Property(property));
    }
    if let Some(goal) = Goal::from_name(name) {
        return Ok(Owed::Goal(goal));
    }
    let goals = Goal::ALL.iter().map(|goal| goal.name());
    let names = Property::ALL.iter().map(|property| property.name()).chain(goals);
    unknown("property", name, names, "rollcall properties")
}

/// The situation of that name.
pub(crate) fn reach(name: &str) -> Result<Reach> {
    let names = || Reach::ALL.iter().map(|reach| reach.name());
    Reach::from_name(name).map_or_else(|| unknown("situation", name, names(), "rollcall situations"), Ok)
}

/// Checks the name of a stuck reason.
pub(crate) fn stuck_reason(name: &str) -> Result<String> {
    match StuckReason::NAMES.contains(&name) {
        true => Ok(name.into()),
        false => unknown("stuck reason", name, StuckReason::NAMES.iter().copied(), "rollcall situations"),
    }
}

fn unknown<'a, T>(what: &str, name: &str, known: impl Iterator<Item = &'a str>, list: &str) -> Result<T> {
    let near = known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.7);
    match near {
        Some((_, near)) => bail!("unknown {what} `{name}`; did you mean `{near}`? `{list}` lists them all"),
        None => bail!("unknown {what} `{name}`; `{list}` lists them all"),
    }
}
