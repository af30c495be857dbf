//! What a tour drives: the world around an implementation, or somebody's own subject.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rollcall_impl::{Guards, Replica};
use rollcall_model::{ReadSet, Rollcall, StateRef};
use rollcall_traces::{Action, Difference, Outcome, ScopeError, Sides, Subject, View, differences};

use crate::subject::run::in_words;
use crate::subject::{Fault, unwind};
use crate::world::World;

/// Takes the actions of a scope, and is compared with the model after each.
pub(crate) trait Driven: Sized {
    /// Goes to where the model begins.
    fn begin(&mut self, model: &Rollcall);

    /// Takes one action; what a panic says is an error.
    fn take(&mut self, action: &Action) -> Result<Outcome, String>;

    /// Whether it shows what the model's state shows.
    fn shows(&self, expected: &StateRef<'_>) -> bool;

    /// What it shows.
    fn view(&self) -> View;

    /// What the two sides are called in a report.
    fn sides(&self) -> Sides;

    /// A copy as it stands, of what can be copied.
    fn copied(&self) -> Option<Self>;

    /// Whether two outcomes are the same, as far as it distinguishes them.
    fn agrees(&self, expected: &Outcome, actual: &Outcome) -> bool {
        expected == actual
    }

    /// In what a view differs from what it shows.
    fn differences(&self, expected: &View) -> Vec<Difference> {
        differences(expected, &self.view())
    }

    /// Forgets at what it has looked.
    fn notice_afresh(&self) {}

    /// At which parts of a state it has looked since then; by default at all of them.
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

/// Puts the world where the model begins.
pub(crate) fn begin<G: Guards, R: Replica>(world: &mut World<G, R>, model: &Rollcall) {
    if let Err(error) = world.reset(model.scope()) {
        if !R::HAS_INNARDS {
            cannot_begin(&error);
        }
        panic!("the model took the setup and the implementation does not: {error}");
    }
}

/// Takes one action. raft-rs panics where it finds itself broken, and an adapter may be
/// wrong; that is a disagreement like any other, and its schedule is worth having.
pub(crate) fn take(subject: &mut impl Subject, action: &Action) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| subject.apply(action))).map_err(in_words)
}

/// Ends the tour of somebody else's subject that does not take a scope's setup.
pub(crate) fn cannot_begin(error: &ScopeError) -> ! {
    unwind(Fault::of(format!("the subject does not take what the scope begins with: {error}")))
}
