//! A whole healing, from a state to its end.

use std::cell::RefCell;

use rollcall_traces::{Action, Healed, Outcome, Reason, Scope};

use super::excuse::StuckReason;
use super::goal::Goal;
use super::missed::missed;
use super::schedule::next;
use super::stuck::stuck_reasons;
use crate::guard::GuardSet;
use crate::semantics::Semantics;

/// A healing with more steps counts as endless.
pub const LONGEST: u64 = 1_000;

/// Loses all messages under way, heals from `state`, and reports the end.
pub fn healed<R: Semantics>(rules: &R, state: &R::State) -> Healed {
    let mut at = rules.at_rest(state);
    let mut steps = 0;
    while let Some(action) = next(rules, &at) {
        if steps == LONGEST {
            return endless(rules, &at);
        }
        at = rules.step(&at, &action).0;
        steps += 1;
    }
    how_it_ends(rules, &at, steps)
}

/// What is missed and stuck after a healing of `steps` steps.
pub fn how_it_ends<R: Semantics>(rules: &R, state: &R::State, steps: u64) -> Healed {
    let missed = missed(rules, state).iter().map(ToString::to_string).collect();
    let because = |reason: StuckReason| {
        (reason.name().to_owned(), format!("{reason} ({})", reason.because(rules, state)))
    };
    Healed { steps, missed, stuck_reasons: stuck_reasons(rules, state).into_iter().map(because).collect() }
}

/// What is missed by an endless healing, from one of its states: a leader, or uncovered keys, if
/// either is still missing there.
pub fn endless<R: Semantics>(rules: &R, state: &R::State) -> Healed {
    let leader = missed(rules, state).into_iter().find(|missed| missed.goal.is_of_keys());
    let settles = || format!("{}: healing does not end within {LONGEST} steps", Goal::Settles);
    let missed = vec![leader.map_or_else(settles, |missed| missed.to_string())];
    Healed { steps: LONGEST, missed, ..Healed::default() }
}

/// After healing: what the schedule would do next, and why it is refused, each once.
pub fn refused<R: Semantics>(rules: &R, state: &R::State) -> Vec<(Action, Reason)> {
    let noting = Noting { rules, refused: RefCell::default() };
    next(&noting, state);
    missed(&noting, state);
    noting.refused.into_inner()
}

/// The same rules; records each refusal once.
struct Noting<'r, R> {
    rules: &'r R,
    refused: RefCell<Vec<(Action, Reason)>>,
}

impl<R: Semantics> Semantics for Noting<'_, R> {
    type State = R::State;
    type ClusterRef<'s>
        = R::ClusterRef<'s>
    where
        Self: 's;

    fn scope(&self) -> &Scope {
        self.rules.scope()
    }

    fn guards(&self) -> GuardSet {
        self.rules.guards()
    }

    fn cluster<'s>(&'s self, state: &'s R::State) -> R::ClusterRef<'s> {
        self.rules.cluster(state)
    }

    fn step(&self, state: &R::State, action: &Action) -> (R::State, Outcome) {
        let (after, outcome) = self.rules.step(state, action);
        if let Outcome::Refused(reason) = outcome {
            let (mut refused, one) = (self.refused.borrow_mut(), (action.clone(), reason));
            if !refused.contains(&one) {
                refused.push(one);
            }
        }
        (after, outcome)
    }

    fn at_rest(&self, state: &R::State) -> R::State {
        self.rules.at_rest(state)
    }
}
