//! What the explorer needs from a model. The defaults come from stateright's `Model`.

use rollcall_model::{Rollcall, State};
use rollcall_traces::Action;
use stateright::Model;

/// A model that may compute successors or check states faster than one by one. The results must
/// equal those of [`Model`].
pub trait Explored: Model {
    /// Calls `each` for every successor of `state`, with the index of its action in the list of
    /// offered actions, the action's kind, and the successor. `actions` is scratch space.
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

    /// The violated `always` properties: bit n is the nth property. `None` if each must be checked
    /// by itself.
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
