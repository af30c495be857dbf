//! Actions taken one after another on the model, with every state kept. Lessons and the page use
//! it.

use rollcall_model::liveness;
use rollcall_model::properties::{Property, Violation};
use rollcall_model::{ClusterInScope as _, GuardSet, Rollcall, State};
use rollcall_traces::{Action, Healed, Outcome, Scope, ScopeError, View};

/// A schedule on the model, from the scope's first state.
pub struct Steps {
    model: Rollcall,
    first: State,
    taken: Vec<Taken>,
}

/// A step of it.
struct Taken {
    action: Action,
    outcome: Outcome,
    state: State,
}

impl Steps {
    /// Begins in the scope's first state and checks every property.
    ///
    /// # Errors
    /// If the scope is malformed or its setup is refused.
    pub fn begin(scope: &Scope, guards: GuardSet) -> Result<Self, ScopeError> {
        Ok(Self::on(Rollcall::new(scope, guards, Property::ALL, &[])?))
    }

    /// The same on an existing model.
    pub fn on(model: Rollcall) -> Self {
        Self { first: model.first(), model, taken: Vec::new() }
    }

    /// Takes the action, whatever the budgets are, and returns its outcome. A refused action is a
    /// step as well.
    pub fn take(&mut self, action: &Action) -> &Outcome {
        let (state, outcome) = self.model.take(self.state(), action);
        self.taken.push(Taken { action: action.clone(), outcome, state });
        &self.taken[self.taken.len() - 1].outcome
    }

    /// Goes back to the state after `steps` steps.
    pub fn back_to(&mut self, steps: usize) {
        self.taken.truncate(steps);
    }

    /// The number of steps taken.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether no step was taken.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// The model.
    pub fn model(&self) -> &Rollcall {
        &self.model
    }

    /// The state after the last step.
    pub fn state(&self) -> &State {
        self.taken.last().map_or(&self.first, |taken| &taken.state)
    }

    /// The state after `steps` steps.
    pub fn state_behind(&self, steps: usize) -> &State {
        if steps == 0 { &self.first } else { &self.taken[steps - 1].state }
    }

    /// The action of this step, from 1, and its outcome.
    pub fn step(&self, number: usize) -> Option<(&Action, &Outcome)> {
        let taken = self.taken.get(number.checked_sub(1)?)?;
        Some((&taken.action, &taken.outcome))
    }

    /// The outcome of the last step.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.taken.last().map(|taken| &taken.outcome)
    }

    /// The view after the last step.
    pub fn view(&self) -> View {
        self.model.cluster(self.state()).view()
    }

    /// The view after `steps` steps.
    pub fn view_behind(&self, steps: usize) -> View {
        self.model.cluster(self.state_behind(steps)).view()
    }

    /// What the state after `steps` steps violates.
    pub fn violations(&self, steps: usize) -> Vec<Violation> {
        let seen = self.model.cluster(self.state_behind(steps));
        let judged = self.model.checked().iter();
        judged.filter_map(|property| property.check(&seen, seen.history()).err()).collect()
    }

    /// The healing from the last state, once faults stop.
    pub fn healed(&self) -> Healed {
        liveness::healed(&self.model, self.state())
    }
}
