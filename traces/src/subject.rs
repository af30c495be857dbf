//! Anything that a trace can be replayed on.

use std::collections::BTreeMap;

use crate::action::Action;
use crate::file::Settle;
use crate::outcome::Outcome;
use crate::scope::Scope;
use crate::view::View;

/// Something that takes actions and can be looked at: the model, or the world
/// around the implementation.
pub trait Subject {
    /// Starts over in the first state of `scope` (its setup taken).
    ///
    /// # Errors
    /// Where the scope's setup is refused.
    fn reset(&mut self, scope: &Scope) -> Result<(), crate::ScopeError>;

    /// Takes one action.
    fn apply(&mut self, action: &Action) -> Outcome;

    /// Shows everything there is to see.
    fn view(&self) -> View;

    /// What comes once faults stop, by the healing schedule; `None` of who has none.
    fn healed(&self) -> Option<Healed> {
        None
    }
}

/// How healing ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healed {
    /// The steps that it took.
    pub steps: u64,
    /// Every goal that is owed and missed, in words.
    pub missed: Vec<String>,
    /// By name, why something is not owed, each with its words.
    pub stuck_reasons: BTreeMap<String, String>,
}

/// A subject that knows what is left to replicate and to apply.
pub trait Settler: Subject {
    /// The next step of a settling; `None` where nothing moves.
    fn next_to_settle(&self, settle: &Settle) -> Option<Action>;
}
