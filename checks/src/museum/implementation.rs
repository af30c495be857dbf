//! Replays a trace of the museum on the implementation: the sound store diverges from it, and the
//! store without the guard follows it to its end.

use rollcall_impl::{Dropped, Guards, Sound};
use rollcall_traces::{ReplayError, Sides, Trace, replay};

use super::{Exhibit, Harm, Piece};
use crate::judge::Judge;
use crate::world::World;

/// Checks that the sound store diverges from the trace, and that the store without the guard
/// follows it to its end.
pub(super) fn on_implementation(piece: &Piece, trace: &Trace, exhibit: &mut Exhibit) {
    exhibit.parts_at = match replay(&mut World::new(Sound), trace, Sides::MODEL_AND_IMPL) {
        Err(ReplayError::Diverged(divergence)) if divergence.step > 0 => Some(divergence.step),
        Err(error) => {
            exhibit.failures.push(error.to_string());
            return;
        }
        Ok(_) => {
            exhibit.failures.push("the sound implementation follows the trace to its end".into());
            return;
        }
    };
    let Some(parts_at) = exhibit.parts_at else { return };
    let Some(guard) = rollcall_impl::Guard::from_name(piece.guard.name()) else {
        exhibit.level = "model".into();
        exhibit.killed_on_implementation =
            Some(format!("sound raft-rs diverges from the trace at step {parts_at}"));
        return;
    };
    exhibit.decider = Some(guard.decider().to_string());
    match follow(World::new(Dropped(guard)), trace) {
        Ok(violated) => {
            exhibit.level = "both".into();
            match piece.harm {
                Harm::Safety(property) if violated.contains(&property.name().to_string()) => {
                    exhibit.killed_on_implementation = Some(property.name().into());
                }
                Harm::Safety(property) => exhibit.failures.push(format!(
                    "without the guard the implementation follows the trace and does not violate {}",
                    property.name()
                )),
                // Its views equal those in which the model misses the goal.
                Harm::Recovery(goal) => exhibit.killed_on_implementation = Some(goal.name().into()),
                Harm::Delay if parts_at == trace.steps.len() as u64 => {}
                Harm::Delay => exhibit.failures.push(format!(
                    "the sound implementation diverges from the trap at step {parts_at}, before its last step"
                )),
            }
        }
        Err(why) => exhibit.failures.push(why),
    }
}

/// Replays the trace; returns the properties that are violated at its end.
pub(super) fn follow<G: Guards>(mut world: World<G>, trace: &Trace) -> Result<Vec<String>, String> {
    replay(&mut world, trace, Sides::MODEL_AND_IMPL).map_err(|error| {
        format!("the implementation without the guard does not follow the trace:\n{error}")
    })?;
    // The views equal the trace's, so the trace's are judged.
    let mut judge = Judge::named(&trace.header.properties).map_err(|error| error.to_string())?;
    let mut violated = Vec::new();
    if let Some(view) = &trace.header.view {
        violated = judge.names(view, None);
    }
    for step in &trace.steps {
        if let (Some(view), Some(outcome)) = (&step.view, &step.outcome) {
            violated = judge.names(view, Some((&step.action, outcome)));
        }
    }
    Ok(violated)
}
