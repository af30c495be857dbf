//! `scopes`, `guards`, `properties` (properties, then goals) and `situations`: lists with one line
//! for each entry.

use anyhow::Result;
use rollcall_model::liveness::{Goal, StuckReason};
use rollcall_model::properties::Property;
use rollcall_model::{Guard, Reach, scopes};

use super::end::End;
use super::out;

pub(super) fn scopes() -> Result<End> {
    let line = |plan: scopes::ScopePlan| {
        out::fitted(&format!("{:<44} {:<12} {}", plan.scope.name, plan.size.name(), plan.scope.question))
    };
    out::say(&scopes::all().into_iter().map(line).collect::<String>())
}

/// The guards of both sides; those below the model's grain come last.
pub(super) fn guards() -> Result<End> {
    let line = |name: &str, incident: &str| out::fitted(&format!("{name:<36} {incident}"));
    let mut text: String = Guard::ALL.iter().map(|guard| line(guard.name(), guard.incident())).collect();
    let below = rollcall_impl::Guard::ALL.iter().filter(|guard| Guard::from_name(guard.name()).is_none());
    text.extend(below.map(|guard| line(guard.name(), &format!("Without it: {}", guard.incident()))));
    out::say(&text)
}

pub(super) fn properties() -> Result<End> {
    let line =
        |property: &Property| out::fitted(&format!("{:<24} {}", property.name(), property.statement()));
    let goal = |goal: &Goal| {
        out::fitted(&format!(
            "{:<24} once faults stop ({}): {}",
            goal.name(),
            goal.liveness(),
            goal.statement()
        ))
    };
    let goals = Goal::ALL.iter().map(goal);
    out::say(&Property::ALL.iter().map(line).chain(goals).collect::<String>())
}

/// The names that a scenario's header may use under `must_reach` and `may_end`.
pub(super) fn situations() -> Result<End> {
    let reached = Reach::ALL.iter().map(|reach| format!("must_reach  {}\n", reach.name()));
    let stuck_reasons = StuckReason::NAMES.iter().map(|name| format!("may_end     {name}\n"));
    out::say(&reached.chain(stuck_reasons).collect::<String>())
}
