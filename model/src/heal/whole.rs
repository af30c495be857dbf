//! The whole of a healing, from a state to where it ends.

use std::collections::HashSet;

use rollcall_traces::Healed;

use super::{Goal, excuses, missed, next};
use crate::model::Rollcall;
use crate::state::State;

/// Heals from `state`, all that is under way being lost first, and says how that ends.
pub fn healed(model: &Rollcall, state: &State) -> Healed {
    let mut at = model.at_rest(state);
    let (mut steps, mut met) = (0, HashSet::new());
    while let Some(action) = next(model, &at) {
        if !met.insert(at) {
            let missed =
                vec![format!("{}: step {steps} of healing comes back to a state before it", Goal::Settles)];
            return Healed { steps, missed, ..Healed::default() };
        }
        at = model.step(&at, &action).0;
        steps += 1;
    }
    how_it_ends(model, &at, steps)
}

/// What is missed and excused in a state in which healing has ended after so many steps.
pub fn how_it_ends(model: &Rollcall, state: &State, steps: u64) -> Healed {
    let missed = missed(model, state).iter().map(ToString::to_string).collect();
    let because = |excuse: super::Excuse| {
        (excuse.name().to_owned(), format!("{excuse} ({})", excuse.because(model, state)))
    };
    Healed { steps, missed, excuses: excuses(model, state).into_iter().map(because).collect() }
}
