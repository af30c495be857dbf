//! Anything on which a trace can be replayed.

use std::collections::BTreeMap;

use crate::action::Action;
use crate::file::Settle;
use crate::outcome::Outcome;
use crate::scope::Scope;
use crate::view::View;

/// Takes actions and shows its state: the model, or the harness around the implementation.
pub trait Subject {
    /// Resets to the first state of `scope`, after its setup.
    ///
    /// # Errors
    ///
    /// If the scope's setup is refused.
    fn reset(&mut self, scope: &Scope) -> Result<(), crate::ScopeError>;

    /// Takes one action.
    fn apply(&mut self, action: &Action) -> Outcome;

    /// The whole visible state.
    fn view(&self) -> View;

    /// The result of healing once faults stop. `None` if the subject has no healing schedule.
    fn healed(&self) -> Option<Healed> {
        None
    }
}

/// The result of healing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healed {
    /// The number of steps.
    pub steps: u64,
    /// The goals that are owed and missed, in words.
    pub missed: Vec<String>,
    /// The stuck reasons by name, each with its text.
    pub stuck_reasons: BTreeMap<String, String>,
}

/// A subject that knows what remains to be replicated and applied.
pub trait Settler: Subject {
    /// The next step of a settle; `None` if nothing remains.
    fn next_to_settle(&self, settle: &Settle) -> Option<Action>;
}
