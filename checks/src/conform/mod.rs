//! Your own implementation against the model, from your own `cargo test`.
//!
//! Implement [`Subject`] for it: `reset` begins a scope, `apply` takes one action, `view` shows
//! the cluster. [`Conform`] explores the scope, takes the subject along every transition, tries
//! every action that the rules refuse, and compares. A [`Projection`] leaves out what the subject
//! cannot show; the report names it.
//!
//! `examples/own_raft.rs` is a Raft implementation in one file, checked in this way.
//!
//! ```
//! use rollcall_checks::conform::{Conform, Part, Projection};
//! use rollcall_model::{GuardSet, ModelSubject};
//! use rollcall_traces::Scope;
//!
//! let scope = Scope::builder("two_voters")
//!     .stores([1, 2])
//!     .region(1, [(101, 1), (102, 2)])
//!     .elections(1)
//!     .build()?;
//! let report = Conform::new(scope)
//!     .compare(Projection::everything().without([Part::PlacementDriver]))
//!     // The model itself stands for your implementation here.
//!     .run_anew(|| ModelSubject::new(GuardSet::ALL, &[]))?;
//! assert_eq!((report.states, report.transitions), (9, 8), "{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod projection;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64};

use rollcall_model::{GuardSet, Rollcall, State, StateRef};
use rollcall_traces::{
    Action, Difference, Divergence, Outcome, Scope, ScopeError, Sides, Subject, View, differences,
};
use thiserror::Error;

use crate::conformance::{Look, TourOptions, conform_on};
use crate::driven::{Driven, cannot_begin, take};
use crate::explorer::{self, Bound, Ended, Exploration, ExploreError, Options};
use crate::numbers::grouped;

pub use projection::{Part, Projection};

/// The most states that are explored, unless [`Conform::most_states`] sets another limit.
pub const MOST_STATES: u32 = 1_000_000;

/// A check of one scope against a subject.
#[derive(Clone, Debug)]
pub struct Conform {
    scope: Scope,
    guards: GuardSet,
    projection: Projection,
    refusals: bool,
    threads: usize,
    most_states: u32,
    name: &'static str,
}

impl Conform {
    /// Checks every transition and every refusal of `scope`, with all guards, on one thread.
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            guards: GuardSet::ALL,
            projection: Projection::everything(),
            refusals: true,
            threads: 1,
            most_states: MOST_STATES,
            name: "subject",
        }
    }

    /// Uses the rules with these guards. An implementation that lacks a guard on purpose is
    /// compared with the rules without it.
    #[must_use]
    pub fn guards(mut self, guards: GuardSet) -> Self {
        self.guards = guards;
        self
    }

    /// Compares only these parts.
    #[must_use]
    pub fn compare(mut self, projection: Projection) -> Self {
        self.projection = projection;
        self
    }

    /// Does not check the disabled actions.
    #[must_use]
    pub fn without_refusals(mut self) -> Self {
        self.refusals = false;
        self
    }

    /// Uses `threads` threads, each with its own subject.
    ///
    /// # Panics
    /// If `threads` is 0.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        assert!(threads > 0, "ask for at least 1 thread");
        self.threads = threads;
        self
    }

    /// Sets the most distinct states. A scope with more is an error ([`ConformError::TooLarge`]).
    #[must_use]
    pub fn most_states(mut self, states: u32) -> Self {
        self.most_states = states;
        self
    }

    /// The subject's name in a divergence.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Checks the subjects that `make` makes, one for each thread. Where a path branches off the
    /// path before, it continues from a clone of the subject; one path in 64 starts from the
    /// beginning.
    ///
    /// # Errors
    /// [`ConformError::Diverged`] with the shortest divergence found; another
    /// [`ConformError`] if the scope cannot be explored.
    pub fn run<S: Subject + Clone>(&self, make: impl Fn() -> S + Sync) -> Result<Report, ConformError> {
        self.tour(make, Some(S::clone))
    }

    /// The same for a subject that cannot be cloned. Every path starts from the beginning, which
    /// takes four to nine times as many steps.
    ///
    /// # Errors
    /// As [`Conform::run`].
    pub fn run_anew<S: Subject>(&self, make: impl Fn() -> S + Sync) -> Result<Report, ConformError> {
        self.tour(make, None)
    }

    fn tour<S: Subject>(
        &self,
        make: impl Fn() -> S + Sync,
        copy: Option<fn(&S) -> S>,
    ) -> Result<Report, ConformError> {
        let model = Rollcall::new(&self.scope, self.guards, &[], &[])?;
        let exploration = self.explore(&model)?;
        let look = if self.refusals { Look::Everything } else { Look::Transitions };
        // A subject has no read set, so a refusal cannot be reused in another state.
        let tour_options =
            TourOptions { look, every_refusal: true, ..TourOptions::with_threads(self.threads) };
        let begun = || Projected { subject: make(), projection: &self.projection, copy, name: self.name };
        let (interrupt, covered) = (AtomicBool::new(false), AtomicU64::new(0));
        let done = conform_on(tour_options, begun, &model, &exploration, &interrupt, &covered);
        if let Some(divergence) = done.divergence {
            let compared = Compared(self.projection.clone());
            return Err(ConformError::Diverged { divergence, compared });
        }
        assert!(done.finished, "nothing ends a tour but a divergence");
        Ok(Report {
            scope: self.scope.name.clone(),
            states: exploration.distinct(),
            transitions: done.transitions,
            refusals: done.refusals,
            steps: done.steps,
            compared: Compared(self.projection.clone()),
        })
    }

    fn explore(&self, model: &Rollcall) -> Result<Exploration<State>, ConformError> {
        let options = Options { threads: self.threads, max_states: self.most_states, ..Options::default() };
        let explored = explorer::explore(model, &options, |state, action| model.kind_of(state, action))?;
        match explored.ended {
            Ended::Exhausted => Ok(explored),
            Ended::Stopped(bound) => Err(ConformError::TooLarge { scope: self.scope.name.clone(), bound }),
        }
    }
}

/// The parts that were compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared(pub Projection);

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |compared| Part::ALL.into_iter().filter(move |part| self.0.has(*part) == compared);
        let (compared, left_out): (Vec<_>, Vec<_>) =
            (names(true).map(Part::name).collect(), names(false).map(Part::name).collect());
        match () {
            () if left_out.is_empty() => f.write_str("everything was compared"),
            () if compared.is_empty() => {
                f.write_str("compared: whether an action takes effect, nothing else")
            }
            () if compared.len() < left_out.len() => {
                write!(f, "compared: {}; nothing else", compared.join(", "))
            }
            () => write!(f, "not compared: {}", left_out.join(", ")),
        }
    }
}

/// What was compared and found equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The scope.
    pub scope: String,
    /// Its distinct states.
    pub states: u64,
    /// Its transitions. Each was taken and compared.
    pub transitions: u64,
    /// Disabled actions, over all states. The subject refused each.
    pub refusals: u64,
    /// Steps that the subject took, including those that only lead to a transition.
    pub steps: u64,
    /// What was compared.
    pub compared: Compared,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { scope, compared, .. } = self;
        let [states, transitions, refusals, steps] =
            [self.states, self.transitions, self.refusals, self.steps].map(grouped);
        write!(
            f,
            "{scope}: all {transitions} transitions of {states} states agree, and {refusals} refusals \
             ({steps} steps)\n{compared}"
        )
    }
}

/// Why a subject does not conform.
#[derive(Debug, Error)]
pub enum ConformError {
    /// The subject differs from the model.
    #[error("{divergence}  {compared}\n")]
    Diverged {
        /// The shortest divergence found.
        divergence: Box<Divergence>,
        /// What was compared.
        compared: Compared,
    },
    /// The scope cannot begin.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The scope cannot be explored.
    #[error(transparent)]
    Explore(#[from] ExploreError),
    /// The scope has more states than allowed.
    #[error(
        "scope `{scope}` was not explored to its end: {bound}; lower its budgets, or raise `most_states`"
    )]
    TooLarge {
        /// The scope.
        scope: String,
        /// What ended the exploration.
        bound: Bound,
    },
}

impl ConformError {
    /// The divergence, if it is one.
    pub fn divergence(&self) -> Option<&Divergence> {
        match self {
            ConformError::Diverged { divergence, .. } => Some(divergence),
            _ => None,
        }
    }
}

/// A subject of which only some parts are compared.
struct Projected<'p, S> {
    subject: S,
    projection: &'p Projection,
    copy: Option<fn(&S) -> S>,
    name: &'static str,
}

impl<S: Subject> Driven for Projected<'_, S> {
    fn begin(&mut self, model: &Rollcall) {
        if let Err(error) = self.subject.reset(model.scope()) {
            cannot_begin(&error);
        }
    }

    fn take(&mut self, action: &Action) -> Result<Outcome, String> {
        take(&mut self.subject, action)
    }

    fn shows(&self, expected: &StateRef<'_>) -> bool {
        self.projection.of(expected.view()) == self.projection.of(self.subject.view())
    }

    fn view(&self) -> View {
        self.subject.view()
    }

    fn sides(&self) -> Sides {
        Sides::named("model", self.name)
    }

    fn copied(&self) -> Option<Self> {
        let copy = self.copy?;
        Some(Self { subject: copy(&self.subject), ..*self })
    }

    fn agrees(&self, expected: &Outcome, actual: &Outcome) -> bool {
        self.projection.outcomes_agree(expected, actual)
    }

    fn differences(&self, expected: &View) -> Vec<Difference> {
        differences(&self.projection.of(expected.clone()), &self.projection.of(self.subject.view()))
    }
}
