//! A whole cluster behind an adapter (level `world`): it takes the dictionary's actions and shows views.
//!
//! Stores, messages and placement are its own. No store of Rollcall's is involved, so it is judged by
//! properties alone. It refuses unsupported actions with a message.

use rollcall_traces::{Action, Outcome, Reason, Scope, ScopeError, Subject, View};

use super::link::{Link, Said};
use super::wire::{Shown, Verb};

/// A cluster of an adapter.
pub struct ForeignCluster {
    link: Link,
    /// The start of the adapter to which it belongs.
    of: u64,
    view: View,
}

impl ForeignCluster {
    /// One that is not begun.
    pub fn new(link: &Link) -> Self {
        Self { link: link.clone(), of: 0, view: View::default() }
    }

    /// What a verb came to: the outcome, with the view behind it. A refusal shows none.
    fn ask(&mut self, verb: Verb) -> Result<Outcome, String> {
        let name = verb.name();
        match self.link.ask_for::<Shown>(verb, self.of) {
            Said::Done(shown) => {
                let Shown { outcome, view } = *shown;
                if !outcome.is_done() {
                    self.link.broken(format!("answers `{name}` with `ok` and a refusal: say `refused`"));
                }
                match view {
                    Some(view) => self.view = view,
                    None => self.link.broken(format!("answers `{name}` without a `view`")),
                }
                Ok(outcome)
            }
            Said::Refused(words) => Err(words),
            Said::Failed(words) => {
                self.link.broken(format!("says that the cluster failed in `{name}`: {words}"))
            }
        }
    }
}

impl Subject for ForeignCluster {
    fn reset(&mut self, scope: &Scope) -> Result<(), ScopeError> {
        self.of = self.link.running();
        let reset = self.ask(Verb::Reset { scope: Box::new(scope.clone()) });
        reset.map(drop).map_err(|what| ScopeError::Malformed { scope: scope.name.clone(), what })
    }

    fn apply(&mut self, action: &Action) -> Outcome {
        // Its own reason is not asked for: a refusal is not judged.
        let apply = self.ask(Verb::Apply { action: Box::new(action.clone()) });
        apply.unwrap_or(Outcome::Refused(Reason::NoEffect))
    }

    fn view(&self) -> View {
        self.view.clone()
    }
}
