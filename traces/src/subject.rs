//! Anything that a trace can be replayed on.

use crate::action::Action;
use crate::outcome::Outcome;
use crate::scope::Scope;
use crate::view::View;

/// Something that takes actions and can be looked at: the model, or the world
/// around the implementation.
pub trait Subject {
    /// Starts over in the first state of `scope` (its prelude taken).
    ///
    /// # Errors
    /// Where the scope's prelude is refused.
    fn reset(&mut self, scope: &Scope) -> Result<(), crate::ScopeError>;

    /// Takes one action.
    fn apply(&mut self, action: &Action) -> Outcome;

    /// Shows everything there is to see.
    fn view(&self) -> View;
}
