//! What a tour drives: the world around an implementation, or a user's subject.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rollcall_impl::{Guards, Replica};
use rollcall_model::{ReadSet, Rollcall, StateRef};
use rollcall_traces::{Action, Difference, Outcome, ScopeError, Sides, Subject, View, differences};

use crate::subject::run::in_words;
use crate::subject::{Fault, unwind};
use crate::world::World;

/// Takes the actions of a scope. The tour compares it with the model after each.
pub(crate) trait Driven: Sized {
    /// Goes to the model's initial state.
    fn begin(&mut self, model: &Rollcall);

    /// Takes one action. A panic's message is the error.
    fn take(&mut self, action: &Action) -> Result<Outcome, String>;

    /// Whether its view equals the model state's view.
    fn shows(&self, expected: &StateRef<'_>) -> bool;

    /// Its view.
    fn view(&self) -> View;

    /// The names of the two sides in a report.
    fn sides(&self) -> Sides;

    /// A copy of its present state; `None` if it cannot be copied.
    fn copied(&self) -> Option<Self>;

    /// Whether two outcomes are equal in everything that is compared.
    fn agrees(&self, expected: &Outcome, actual: &Outcome) -> bool {
        expected == actual
    }

    /// The differences between `expected` and its own view.
    fn differences(&self, expected: &View) -> Vec<Difference> {
        differences(expected, &self.view())
    }

    /// Clears the read set.
    fn notice_afresh(&self) {}

    /// The components of a state that were read since the read set was cleared; by default all of
    /// them.
    fn read_set(&self, model: &Rollcall) -> ReadSet {
        model.read_set(model.scope().stores.iter().copied(), true, true)
    }
}

impl<G: Guards, R: Replica> Driven for World<G, R> {
    fn begin(&mut self, model: &Rollcall) {
        begin(self, model);
    }

    fn take(&mut self, action: &Action) -> Result<Outcome, String> {
        take(self, action)
    }

    fn shows(&self, expected: &StateRef<'_>) -> bool {
        World::shows(self, expected)
    }

    fn view(&self) -> View {
        Subject::view(self)
    }

    fn sides(&self) -> Sides {
        World::sides(self)
    }

    fn copied(&self) -> Option<Self> {
        self.can_be_copied().then(|| self.clone())
    }

    fn notice_afresh(&self) {
        World::notice_afresh(self);
    }

    fn read_set(&self, model: &Rollcall) -> ReadSet {
        World::read_set(self, model)
    }
}

/// Sets the world to the model's initial state.
pub(crate) fn begin<G: Guards, R: Replica>(world: &mut World<G, R>, model: &Rollcall) {
    if let Err(error) = world.reset(model.scope()) {
        if !R::HAS_INNARDS {
            cannot_begin(&error);
        }
        panic!("the implementation refuses the scope's setup, which the model takes: {error}");
    }
}

/// Takes one action. A panic of raft-rs or of an adapter becomes an error, so that it is reported
/// as a divergence with its schedule.
pub(crate) fn take(subject: &mut impl Subject, action: &Action) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| subject.apply(action))).map_err(in_words)
}

/// Panics: the subject does not take the scope's setup.
pub(crate) fn cannot_begin(error: &ScopeError) -> ! {
    unwind(Fault::of(format!("the subject does not take the scope's setup: {error}")))
}
