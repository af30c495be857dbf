//! Actions taken one after the other on the model, with every state kept: what a lesson
//! plays, and what the page steps through.

use rollcall_model::liveness;
use rollcall_model::properties::{Property, Violation};
use rollcall_model::{ClusterInScope as _, GuardSet, Rollcall, State};
use rollcall_traces::{Action, Healed, Outcome, Scope, ScopeError, View};

/// A way through the model, from the scope's first state on.
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
    /// Begins in the first state of the scope; every property is judged.
    ///
    /// # Errors
    /// If the scope is malformed or its setup is refused.
    pub fn begin(scope: &Scope, guards: GuardSet) -> Result<Self, ScopeError> {
        Ok(Self::on(Rollcall::new(scope, guards, Property::ALL, &[])?))
    }

    /// The same on a model that is there already.
    pub fn on(model: Rollcall) -> Self {
        Self { first: model.first(), model, taken: Vec::new() }
    }

    /// Takes the action, whatever the budgets say, and says what comes of it. What is
    /// refused is a step as well.
    pub fn take(&mut self, action: &Action) -> &Outcome {
        let (state, outcome) = self.model.take(self.state(), action);
        self.taken.push(Taken { action: action.clone(), outcome, state });
        &self.taken[self.taken.len() - 1].outcome
    }

    /// Goes back to the state behind so many steps.
    pub fn back_to(&mut self, steps: usize) {
        self.taken.truncate(steps);
    }

    /// How many steps were taken.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// The model.
    pub fn model(&self) -> &Rollcall {
        &self.model
    }

    /// The state behind the last step.
    pub fn state(&self) -> &State {
        self.taken.last().map_or(&self.first, |taken| &taken.state)
    }

    /// The state behind so many steps.
    pub fn state_behind(&self, steps: usize) -> &State {
        if steps == 0 { &self.first } else { &self.taken[steps - 1].state }
    }

    /// The action that was taken as that step, from 1, and what came of it.
    pub fn step(&self, number: usize) -> Option<(&Action, &Outcome)> {
        let taken = self.taken.get(number.checked_sub(1)?)?;
        Some((&taken.action, &taken.outcome))
    }

    /// What came of the last step.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.taken.last().map(|taken| &taken.outcome)
    }

    /// All that is to see behind the last step.
    pub fn view(&self) -> View {
        self.model.cluster(self.state()).view()
    }

    /// The same behind so many steps.
    pub fn view_behind(&self, steps: usize) -> View {
        self.model.cluster(self.state_behind(steps)).view()
    }

    /// What is violated in the state behind so many steps.
    pub fn violations(&self, steps: usize) -> Vec<Violation> {
        let seen = self.model.cluster(self.state_behind(steps));
        let judged = self.model.checked().iter();
        judged.filter_map(|property| property.check(&seen, seen.history()).err()).collect()
    }

    /// What comes once faults stop, from the last state.
    pub fn healed(&self) -> Healed {
        liveness::healed(&self.model, self.state())
    }
}
