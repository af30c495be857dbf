//! Measures a lesson's claim: explores the scope and compares.

use std::sync::atomic::AtomicBool;

use rollcall_checks::explorer::{Exploration, Options, explore};
use rollcall_checks::learn::{Claim, guards};
use rollcall_checks::recover;
use rollcall_model::liveness::Goal;
use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, ScopePlan};
use rollcall_model::{EXPLORED, Rollcall, State};

/// What was measured.
pub(crate) struct Measured {
    /// The length of the shortest trace into a violation; `None` if there is none.
    pub(crate) steps: Option<u64>,
    /// The distinct states, if the exploration is complete.
    pub(crate) states: Option<u64>,
}

/// Measures a claim. An error if it names something unknown, or claims that everything holds and
/// something does not.
pub(crate) fn measure(claim: &Claim) -> Result<Measured, String> {
    match claim.breaks.as_deref() {
        None => all_holds(claim),
        Some(name) => match (Property::from_name(name), Goal::from_name(name)) {
            (Some(property), _) => first_violation(claim, property),
            (None, Some(goal)) => first_stuck(claim, goal),
            (None, None) => Err(format!("there is no property or goal `{name}`")),
        },
    }
}

fn scope_plan(claim: &Claim) -> Result<ScopePlan, String> {
    scopes::named(&claim.scope).ok_or_else(|| format!("there is no scope `{}`", claim.scope))
}

fn explored(
    claim: &Claim,
    plan: &ScopePlan,
    stop_at_first_violation: bool,
) -> Result<(Rollcall, Exploration<State>), String> {
    let model = plan.model(guards(&claim.without)?).map_err(|error| error.to_string())?;
    let options = Options { stop_at_first_violation, keep_edges: false, ..Options::default() };
    let explored = explore(&model, &options, |_, _| 0).map_err(|error| error.to_string())?;
    Ok((model, explored))
}

fn all_holds(claim: &Claim) -> Result<Measured, String> {
    let (model, explored) = explored(claim, &scope_plan(claim)?, false)?;
    if let Some(verdict) = explored.violations().next() {
        return Err(format!("{} is violated", verdict.property));
    }
    let recovery = recover::recover(&model, &explored, 1, &AtomicBool::new(false));
    match recovery.stuck {
        Some(stuck) => Err(format!("state {} does not heal: {stuck}", stuck.state)),
        None => Ok(Measured { steps: None, states: Some(explored.distinct()) }),
    }
}

fn first_violation(claim: &Claim, property: Property) -> Result<Measured, String> {
    let plan = ScopePlan { properties: vec![property], reachable: Vec::new(), ..scope_plan(claim)? };
    let (model, explored) = explored(claim, &plan, true)?;
    let mut found = explored.violations().filter(|verdict| verdict.property != EXPLORED);
    let first = found.find_map(|verdict| verdict.first);
    let steps = first.map(|state| explored.trace(&model, state).steps.len() as u64);
    Ok(Measured { steps, states: None })
}

fn first_stuck(claim: &Claim, goal: Goal) -> Result<Measured, String> {
    let plan = ScopePlan { properties: Vec::new(), reachable: Vec::new(), ..scope_plan(claim)? };
    let (model, explored) = explored(claim, &plan, false)?;
    let stuck = recover::first_that_misses(&model, &explored, goal, &AtomicBool::new(false));
    let steps = stuck.map(|stuck| explored.trace(&model, stuck.state).steps.len() as u64);
    Ok(Measured { steps, states: Some(explored.distinct()) })
}
