//! Names from the command line, with the nearest one suggested where there is none.

use anyhow::{Result, bail};
use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, Plan};
use rollcall_model::Guard;

/// The scope of that name.
pub(super) fn plan(name: &str) -> Result<Plan> {
    let plans = scopes::all();
    match plans.iter().position(|plan| plan.scope.name == name) {
        Some(at) => Ok(plans[at].clone()),
        None => unknown("scope", name, plans.iter().map(|plan| plan.scope.name.as_str()), "rollcall scopes"),
    }
}

/// The guard of that name in the model.
pub(crate) fn guard(name: &str) -> Result<Guard> {
    match Guard::from_name(name) {
        Some(guard) => Ok(guard),
        None => unknown("guard", name, Guard::ALL.iter().map(|guard| guard.name()), "rollcall guards"),
    }
}

/// The property of that name.
pub(super) fn property(name: &str) -> Result<Property> {
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

fn unknown<'a, T>(what: &str, name: &str, known: impl Iterator<Item = &'a str>, list: &str) -> Result<T> {
    let near = known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.6);
    match near {
        Some((_, near)) => bail!("unknown {what} `{name}`; did you mean `{near}`? `{list}` lists them all"),
        None => bail!("unknown {what} `{name}`; `{list}` lists them all"),
    }
}
