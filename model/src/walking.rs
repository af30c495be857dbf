//! A run over plain views: the actions that the scope offers next, the spent budgets, and the
//! history by which it is judged.
//!
//! No rule is applied: the caller takes each action and provides the view after it. So an
//! implementation with other rules can be judged, too.

use rollcall_traces::{Action, Budgets, History, HistoryParts, Outcome, Scope, View};

use crate::bounds::{actions, costs, kinds};
use crate::guard::GuardSet;
use crate::properties::{Property, Violation};
use crate::reference::{LeftBehind, PlainCluster};

/// The current state of a run.
#[derive(Clone, Debug)]
pub struct Walk<'s> {
    scope: &'s Scope,
    properties: &'s [Property],
    view: View,
    history: History,
    spent: Budgets,
}

impl<'s> Walk<'s> {
    /// A run that starts with `first`.
    pub fn begin(scope: &'s Scope, properties: &'s [Property], first: View) -> Self {
        let parts = properties.iter().fold(HistoryParts::NONE, |all, property| all.union(property.parts()));
        let history = History::begin(parts, &first);
        Self { scope, properties, view: first, history, spent: Budgets::default() }
    }

    /// The current view.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The actions that the scope's budgets allow and that are not obviously disabled in the
    /// current view, in order.
    pub fn offered(&self) -> Vec<Action> {
        let mut offered = Vec::new();
        for section in actions::sections(self.view.stores.len()) {
            actions::offered(self.scope, self.seen(), section, &mut offered);
        }
        offered
    }

    /// The index of an action in [`crate::ACTION_KINDS`].
    pub fn kind_of(&self, action: &Action) -> usize {
        kinds::kind_of(self.seen(), action)
    }

    /// Records an action that was done, with the view after it.
    pub fn go_on(&mut self, action: &Action, outcome: &Outcome, after: View) {
        self.prepare(action, outcome, after);
        costs::spend(&mut self.spent, action, outcome);
    }

    /// The same for a setup action, which costs nothing.
    pub fn prepare(&mut self, action: &Action, outcome: &Outcome, after: View) {
        self.history.fold(&self.view, action, outcome, &after);
        self.view = after;
    }

    /// The first property that is violated.
    pub fn violation(&self) -> Option<Violation> {
        self.properties.iter().find_map(|property| property.check(&self.view, &self.history).err())
    }

    fn seen(&self) -> PlainCluster<'_, &View, LeftBehind<'_>> {
        let beside = LeftBehind { history: &self.history, spent: &self.spent };
        PlainCluster::in_scope(self.scope, GuardSet::ALL, &self.view, beside)
    }
}

#[cfg(test)]
mod tests {
    use rollcall_traces::Subject;

    use super::*;
    use crate::{ModelSubject, Rollcall, scopes};

    /// A run that shows the model's own views is offered what the model offers.
    #[test]
    fn a_view_is_offered_what_its_state_is() {
        let plan = scopes::named("three_voters_to_one_smoke").expect("there is such a scope");
        let model = plan.model(GuardSet::ALL).expect("it can be begun");
        let mut subject = ModelSubject::new(GuardSet::ALL, &[]);
        subject.reset(&plan.scope).expect("the model takes its own scope");
        let mut walk = Walk::begin(&plan.scope, &plan.properties, subject.view());
        let mut state = model.first();
        for step in 0..40_usize {
            let offered = walk.offered();
            assert_eq!(offered, of(&model, &state), "step {step}");
            let done = (0..offered.len()).map(|at| &offered[(at + 7 * step) % offered.len()]);
            let Some((action, (after, outcome))) =
                done.map(|action| (action, model.take(&state, action))).find(|(_, (_, is))| is.is_done())
            else {
                assert!(step > 10, "a run goes on for a while");
                return;
            };
            state = after;
            walk.go_on(action, &outcome, model.cluster(&state).view());
            assert_eq!(walk.violation().map(|violation| violation.property), None);
        }
    }

    fn of(model: &Rollcall, state: &crate::State) -> Vec<Action> {
        let mut offered = Vec::new();
        model.each_offered(state, |action| offered.push(action.clone()));
        offered
    }
}
