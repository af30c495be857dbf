//! Compares a file's stated violations with those found.

use rollcall_impl::Lacking;
use rollcall_model::liveness::Goal;
use rollcall_traces::{Subject, Trace, VerdictResult};

use super::named::Named;
use crate::judge::Judge;
use crate::world::World;

/// The violations in the first state (step 0) and after each step.
pub(super) fn judged(trace: &Trace, named: &Named) -> Vec<(u64, Vec<String>)> {
    let mut judge = Judge::new(&named.properties);
    let first = trace.header.view.iter().map(|view| (0, judge.names(view, None))).collect::<Vec<_>>();
    let steps = trace.steps.iter().filter_map(|step| {
        let taken = Some(&step.action).zip(step.outcome.as_ref());
        Some((step.index, judge.names(step.view.as_ref()?, taken)))
    });
    first.into_iter().chain(steps).collect()
}

/// The goals that healing misses, if the verdict is a goal.
pub(super) fn missed(stated: &Trace, world: &World<Lacking<'_>>) -> Vec<String> {
    missed_of(stated, || world.healed().map_or_else(Vec::new, |healed| healed.missed))
}

/// The same for any way to find the missed goals.
pub(super) fn missed_of(stated: &Trace, missed: impl FnOnce() -> Vec<String>) -> Vec<String> {
    if verdict_of_goal(stated).is_some() { missed() } else { Vec::new() }
}

/// Whether the file itself states that this is violated.
pub(super) fn states(stated: &Trace, violated: &(String, u64)) -> bool {
    let (name, at) = violated;
    let by_verdict = stated.verdict.as_ref().is_some_and(|verdict| {
        verdict.result == VerdictResult::Violated
            && verdict.property.as_ref().is_none_or(|stated| stated == name)
            && verdict.at.is_none_or(|stated| stated == *at)
    });
    by_verdict || stated.steps.iter().any(|step| step.index == *at && step.violated.contains(name))
}

fn verdict_of_goal(stated: &Trace) -> Option<Goal> {
    let property = stated.verdict.as_ref()?.property.as_ref()?;
    Goal::ALL.iter().copied().find(|goal| goal.name() == property)
}

/// What the file states about violations and is wrong.
pub(super) fn misstated(stated: &Trace, judged: &[(u64, Vec<String>)], missed: &[String]) -> Vec<String> {
    let at = |index: u64| judged.iter().find(|(step, _)| *step == index).map(|(_, names)| names);
    let mut wrong = Vec::new();
    for step in &stated.steps {
        let holds =
            |name: &&String| at(step.index).is_none_or(|names| !names.contains(name)) && !is_goal(name);
        let holds = step.violated.iter().filter(holds);
        wrong.extend(holds.map(|name| {
            format!("it states that {name} is violated at step {}, but it holds there", step.index)
        }));
    }
    wrong.extend(match verdict_of_goal(stated) {
        Some(goal) if missed.iter().any(|missed| missed.starts_with(goal.name())) => None,
        Some(goal) => Some(format!("its verdict says that {goal} is missed once faults stop, but it is met")),
        None => wrong_verdict(stated, judged),
    });
    wrong
}

fn is_goal(name: &str) -> bool {
    Goal::ALL.iter().any(|goal| goal.name() == name)
}

/// What is wrong in a verdict on properties.
fn wrong_verdict(stated: &Trace, judged: &[(u64, Vec<String>)]) -> Option<String> {
    let verdict = stated.verdict.as_ref()?;
    match verdict.result {
        VerdictResult::Holds => {
            let (name, step) = judged.iter().find_map(|(step, names)| Some((names.first()?, *step)))?;
            Some(format!("its verdict is that all holds, but {name} is violated at step {step}"))
        }
        VerdictResult::Violated => {
            let is = |name: &String, step: u64| {
                verdict.property.as_ref().is_none_or(|stated| stated == name)
                    && verdict.at.is_none_or(|stated| stated == step)
            };
            if judged.iter().any(|(step, names)| names.iter().any(|name| is(name, *step))) {
                return None;
            }
            let name = verdict.property.as_deref().unwrap_or("a property");
            let place = verdict.at.map_or(String::new(), |step| format!(" at step {step}"));
            Some(format!("its verdict is that {name} is violated{place}, but it holds there"))
        }
        VerdictResult::Diverged => None,
    }
}
