//! The whole of a healing, from a state to where it ends.

use rollcall_traces::{Action, Healed, Reason};

use super::{Goal, missed, next, stuck_reasons};
use crate::model::Rollcall;
use crate::model::State;

/// A healing that takes more steps does not end.
pub const LONGEST: u64 = 1_000;

/// Heals from `state`, all that is under way being lost first, and says how that ends.
pub fn healed(model: &Rollcall, state: &State) -> Healed {
    let mut at = model.at_rest(state);
    let mut steps = 0;
    while let Some(action) = next(model, &at) {
        if steps == LONGEST {
            return endless(model, &at);
        }
        at = model.step(&at, &action).0;
        steps += 1;
    }
    how_it_ends(model, &at, steps)
}

/// What is missed and stuck in a state in which healing has ended after so many steps.
pub fn how_it_ends(model: &Rollcall, state: &State, steps: u64) -> Healed {
    let missed = missed(model, state).iter().map(ToString::to_string).collect();
    let because = |stuck_reason: super::StuckReason| {
        (stuck_reason.name().to_owned(), format!("{stuck_reason} ({})", stuck_reason.because(model, state)))
    };
    Healed { steps, missed, stuck_reasons: stuck_reasons(model, state).into_iter().map(because).collect() }
}

/// What is missed where healing does not end, seen in one of its states: a leader, or keys
/// that nobody has, if that is still the matter.
pub fn endless(model: &Rollcall, state: &State) -> Healed {
    let leader = missed(model, state).into_iter().find(|missed| missed.goal.is_of_keys());
    let settles = || format!("{}: healing does not end within {LONGEST} steps", Goal::Settles);
    let missed = vec![leader.map_or_else(settles, |missed| missed.to_string())];
    Healed { steps: LONGEST, missed, ..Healed::default() }
}

/// Where healing has ended: what the schedule would do next, and why that is refused.
pub fn refused(model: &Rollcall, state: &State) -> Vec<(Action, Reason)> {
    model.refused_in(|model| (next(model, state), missed(model, state))).1
}
