//! What the explorer asks of a model: what stateright does, and no more often than needed.

use rollcall_model::{Rollcall, State};
use rollcall_traces::Action;
use stateright::Model;

/// A model that may know its successors, or judge its states, faster than one
/// by one. Whatever it says must be what [`Model`] says.
pub trait Explored: Model {
    /// Calls `each` for every successor of `state`: with the place of its action
    /// among those that are offered, the action's kind, and the successor.
    /// `actions` is scratch.
    fn expand(
        &self,
        state: &Self::State,
        actions: &mut Vec<Self::Action>,
        kind: impl Fn(&Self::State, &Self::Action) -> usize,
        mut each: impl FnMut(usize, usize, Self::State),
    ) {
        actions.clear();
        self.actions(state, actions);
        for (place, action) in actions.drain(..).enumerate() {
            let kind = kind(state, &action);
            if let Some(successor) = self.next_state(state, action) {
                each(place, kind, successor);
            }
        }
    }

    /// Which of the `always` properties the state breaks: bit n stands for the
    /// nth property. `None` where each must be asked.
    fn broken(&self, _: &Self::State) -> Option<u64> {
        None
    }
}

impl Explored for Rollcall {
    fn expand(
        &self,
        state: &State,
        _: &mut Vec<Action>,
        kind: impl Fn(&State, &Action) -> usize,
        mut each: impl FnMut(usize, usize, State),
    ) {
        Rollcall::expand(self, state, |place, action, successor| each(place, kind(state, action), successor));
    }

    fn broken(&self, state: &State) -> Option<u64> {
        Some(Rollcall::broken(self, state))
    }
}
