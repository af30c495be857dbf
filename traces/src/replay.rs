//! Replays a trace on a subject and compares after every step.

use std::fmt;
use std::path::Path;

use thiserror::Error;

use crate::action::Action;
use crate::diff::{Difference, differences};
use crate::divergence::{Divergence, Sides};
use crate::file::{FilePosition, Header, Reader, Record, Step, Trace, TraceError};
use crate::outcome::{Outcome, Reason};
use crate::scenario::had_nothing_to_do;
use crate::scope::ScopeError;
use crate::subject::Subject;

/// What a successful replay compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    /// Steps taken.
    pub steps: u64,
    /// Outcomes compared.
    pub outcomes: u64,
    /// Whole views compared, that of the first state included.
    pub views: u64,
    /// Expectations checked.
    pub expectations: u64,
}

/// An error that ends a replay.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The two sides differ.
    #[error("{0}")]
    Diverged(Box<Divergence>),
    /// A scenario's action cannot be taken, and the scenario does not expect that.
    #[error(
        "{at}: `{action}` cannot be taken: {reason}; correct it, or give the step that outcome if it is meant"
    )]
    Refused {
        /// The step, with its file and line if it has one.
        at: StepPlace,
        /// The action.
        action: Box<Action>,
        /// The reason of the refusal.
        reason: Reason,
    },
    /// The trace has no steps.
    #[error("{scenario}: zero steps were replayed; a trace without steps shows nothing")]
    ZeroSteps {
        /// The scenario's name.
        scenario: String,
    },
    /// The scope is invalid.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The file is not a trace.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// A step and its position in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPlace {
    /// The scenario's name.
    pub scenario: String,
    /// The step, from 1.
    pub step: u64,
    /// The line of the file, if there is one.
    pub place: Option<FilePosition>,
}

impl fmt::Display for StepPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: step {}", self.step),
            None => write!(f, "{}: step {}", self.scenario, self.step),
        }
    }
}

/// A replay in progress.
#[derive(Debug)]
pub struct Replayer<'s, S> {
    subject: &'s mut S,
    scenario: String,
    sides: Sides,
    prefix: Vec<Action>,
    compared: Replayed,
    /// Compares nothing.
    blind: bool,
}

impl<'s, S: Subject> Replayer<'s, S> {
    /// Resets the subject to the header's scope.
    ///
    /// # Errors
    ///
    /// If the scope is invalid, or its first view differs from the header's.
    pub fn begin(subject: &'s mut S, header: &Header, sides: Sides) -> Result<Self, ReplayError> {
        let mut this = Self { blind: false, ..Self::blind(subject, header, sides)? };
        if let Some(expected) = &header.view {
            this.compared.views += 1;
            let actual = this.subject.view();
            if *expected != actual {
                return Err(this.diverged(None, None, differences(expected, &actual)));
            }
        }
        Ok(this)
    }

    /// The same without comparison: only whether a step can be taken is checked.
    pub(crate) fn blind(subject: &'s mut S, header: &Header, sides: Sides) -> Result<Self, ReplayError> {
        subject.reset(&header.scope)?;
        let (scenario, prefix, compared) = (header.scenario.clone(), Vec::new(), Replayed::default());
        Ok(Self { subject, scenario, sides, prefix, compared, blind: true })
    }

    /// The subject of the replay.
    pub fn subject(&self) -> &S {
        self.subject
    }

    /// Takes one step and compares everything that the step states.
    ///
    /// # Errors
    ///
    /// If the two sides differ, or a step without an outcome is refused.
    pub fn step(&mut self, step: &Step) -> Result<(), ReplayError> {
        self.prefix.push(step.action.clone());
        self.compared.steps += 1;
        let actual = self.subject.apply(&step.action);
        match (&step.outcome, &actual) {
            (None, Outcome::Refused(_)) if step.if_any && had_nothing_to_do(&actual) => {}
            (None, Outcome::Refused(reason)) => {
                let at =
                    StepPlace { scenario: self.scenario.clone(), step: self.compared.steps, place: None };
                let action = Box::new(step.action.clone());
                return Err(ReplayError::Refused { at, action, reason: *reason });
            }
            (None, Outcome::Done(_)) => {}
            (Some(_), _) => self.compared.outcomes += 1,
        }
        if self.blind {
            return Ok(());
        }
        if step.outcome.as_ref().is_none_or(|expected| *expected == actual) {
            return self.check(step, Some(actual));
        }
        let found = self.compare(step);
        Err(self.diverged(step.outcome.clone(), Some(actual), found))
    }

    /// Compares the step's view and expectations after it had the outcome `actual`.
    ///
    /// # Errors
    ///
    /// If they are not met.
    pub(crate) fn check(&mut self, step: &Step, actual: Option<Outcome>) -> Result<(), ReplayError> {
        if self.blind {
            return Ok(());
        }
        match self.compare(step) {
            found if found.is_empty() => Ok(()),
            found => Err(self.diverged(step.outcome.clone(), actual, found)),
        }
    }

    fn compare(&mut self, step: &Step) -> Vec<Difference> {
        if step.view.is_none() && step.expect.is_none() {
            return Vec::new();
        }
        let view = self.subject.view();
        let mut found = Vec::new();
        if let Some(expected) = &step.view {
            self.compared.views += 1;
            found = differences(expected, &view);
        }
        if let Some(expect) = &step.expect {
            self.compared.expectations += expect.count();
            found.extend(expect.unmet(&view));
            if expect.asks_to_heal() {
                found.extend(expect.unhealed(self.subject.healed().as_ref()));
            }
        }
        found
    }

    /// What was compared.
    ///
    /// # Errors
    ///
    /// If no step was taken.
    pub fn finish(self) -> Result<Replayed, ReplayError> {
        match self.compared.steps {
            0 => Err(ReplayError::ZeroSteps { scenario: self.scenario }),
            _ => Ok(self.compared),
        }
    }

    fn diverged(
        &mut self,
        expected: Option<Outcome>,
        actual: Option<Outcome>,
        differences: Vec<Difference>,
    ) -> ReplayError {
        ReplayError::Diverged(Box::new(Divergence {
            scenario: self.scenario.clone(),
            sides: self.sides.clone(),
            step: self.compared.steps,
            action: self.prefix.last().cloned(),
            expected,
            actual,
            differences,
            guards: Vec::new(),
            places: Vec::new(),
            prefix: std::mem::take(&mut self.prefix),
            fault: Vec::new(),
            judged: None,
            command: None,
        }))
    }
}

/// Replays a trace or scenario from memory.
///
/// # Errors
///
/// If the two sides differ, an action cannot be taken, the scope is invalid, or there is no step.
pub fn replay<S: Subject>(subject: &mut S, trace: &Trace, sides: Sides) -> Result<Replayed, ReplayError> {
    let mut replayer = Replayer::begin(subject, &trace.header, sides)?;
    for step in &trace.steps {
        replayer.step(step)?;
    }
    replayer.finish()
}

/// Replays a trace or scenario from its file, with one step in memory.
///
/// # Errors
///
/// As [`replay`], and if the file cannot be read.
pub fn replay_file<S: Subject>(subject: &mut S, path: &Path, sides: Sides) -> Result<Replayed, ReplayError> {
    let mut reader = Reader::open(path)?;
    let mut replayer = Replayer::begin(subject, reader.header(), sides)?;
    while let Some(record) = reader.next() {
        match record? {
            Record::Step(step) => replayer.step(&step).map_err(|error| placed(error, &reader))?,
            Record::Settle(_) => return Err(TraceError::Settles { at: reader.position_of("settle") }.into()),
            Record::Verdict(_) => {}
        }
    }
    replayer.finish()
}

/// Adds the line number to an action that cannot be taken.
fn placed<R: std::io::BufRead>(mut error: ReplayError, reader: &Reader<R>) -> ReplayError {
    if let ReplayError::Refused { at, .. } = &mut error {
        at.place = Some(reader.position_of("action"));
    }
    error
}
