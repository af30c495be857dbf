//! The model as a subject on which a trace can be replayed.

use rollcall_traces::{Action, Healed, Outcome, Scope, ScopeError, Settle, Settler, Subject, View};

use crate::guard::GuardSet;
use crate::liveness::{self, next_to_settle};
use crate::model::{Rollcall, State};
use crate::properties::Property;

/// The model as a subject.
#[derive(Clone)]
pub struct ModelSubject {
    guards: GuardSet,
    properties: Vec<Property>,
    model: Option<(Rollcall, State)>,
}

impl ModelSubject {
    /// A model without a scope.
    pub fn new(guards: GuardSet, properties: &[Property]) -> Self {
        Self { guards, properties: properties.to_vec(), model: None }
    }

    /// The model and its current state.
    pub fn current(&self) -> Option<(&Rollcall, &State)> {
        self.model.as_ref().map(|(model, state)| (model, state))
    }
}

impl Subject for ModelSubject {
    fn reset(&mut self, scope: &Scope) -> Result<(), ScopeError> {
        let model = Rollcall::new(scope, self.guards, &self.properties, &[])?;
        let first = model.first();
        self.model = Some((model, first));
        Ok(())
    }

    fn apply(&mut self, action: &Action) -> Outcome {
        let (model, state) = self.model.as_mut().expect("reset comes before apply");
        let (after, outcome) = model.take(state, action);
        *state = after;
        outcome
    }

    fn view(&self) -> View {
        self.model.as_ref().map(|(model, state)| model.cluster(state).view()).unwrap_or_default()
    }

    fn healed(&self) -> Option<Healed> {
        self.model.as_ref().map(|(model, state)| liveness::healed(model, state))
    }
}

impl Settler for ModelSubject {
    fn next_to_settle(&self, settle: &Settle) -> Option<Action> {
        let (model, state) = self.model.as_ref()?;
        next_to_settle(model, state, settle)
    }
}
