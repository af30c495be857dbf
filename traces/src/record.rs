//! Drives a subject and writes down what comes of it.

use std::path::Path;

use thiserror::Error;

use crate::action::Action;
use crate::file::{FileWriter, Header, Step, Trace, TraceError, Verdict};
use crate::outcome::Outcome;
use crate::scope::{Scope, ScopeError};
use crate::subject::Subject;
use crate::view::View;

/// A run that could not be written down.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The scope cannot be begun.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The file cannot be written.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// Takes actions on a subject and hands back each as a step with its outcome
/// and view.
#[derive(Debug)]
pub struct Recorder<'s, S> {
    subject: &'s mut S,
    steps: u64,
}

impl<'s, S: Subject> Recorder<'s, S> {
    /// Starts the subject over in `header.scope` and notes its first view in
    /// the header.
    ///
    /// # Errors
    /// Where the scope's setup is refused.
    pub fn begin(subject: &'s mut S, header: &mut Header) -> Result<Self, ScopeError> {
        subject.reset(&header.scope)?;
        header.view = Some(subject.view());
        Ok(Self { subject, steps: 0 })
    }

    /// Takes one action.
    pub fn step(&mut self, action: Action) -> Step {
        self.steps += 1;
        let mut step = Step::new(self.steps, action);
        step.outcome = Some(self.subject.apply(&step.action));
        step.view = Some(self.subject.view());
        step
    }
}

/// Takes `actions` on `subject` and keeps the trace in memory. No property is
/// judged: the header names none, and of none the verdict says that it holds.
///
/// # Errors
/// Where the scope's setup is refused.
pub fn record<S: Subject>(
    subject: &mut S,
    scope: &Scope,
    actions: impl IntoIterator<Item = Action>,
) -> Result<Trace, ScopeError> {
    let mut header = Header::new(scope.clone());
    let mut recorder = Recorder::begin(subject, &mut header)?;
    let steps = actions.into_iter().map(|action| recorder.step(action)).collect();
    Ok(Trace { header, steps, verdict: Some(Verdict::HOLDS) })
}

/// As [`record`], into a file, with one step in memory.
///
/// # Errors
/// Where the scope's setup is refused or the file cannot be written; nothing
/// is left behind then.
pub fn record_to_file<S: Subject>(
    subject: &mut S,
    mut header: Header,
    actions: impl IntoIterator<Item = Action>,
    path: &Path,
) -> Result<(), RecordError> {
    let mut recorder = Recorder::begin(subject, &mut header)?;
    let mut writer = FileWriter::create(path, &header)?;
    for action in actions {
        writer.step(&recorder.step(action))?;
    }
    Ok(writer.finish(Some(&Verdict::HOLDS))?)
}

/// Fills in the outcomes and views of a scenario, or renews those of a trace.
/// The words for people and what is expected stay as they are; what is violated
/// and the verdict are judged anew.
///
/// `judge` names the violated properties of each view in turn: that of the
/// first state, then that after each action. It must judge what the header
/// names under `properties`, for that is what the verdict speaks of.
///
/// # Errors
/// Where the scope's setup is refused.
pub fn record_again<S: Subject>(
    subject: &mut S,
    trace: &Trace,
    mut judge: impl FnMut(&View, Option<(&Action, &Outcome)>) -> Vec<String>,
) -> Result<Trace, ScopeError> {
    let mut header = trace.header.clone();
    let mut recorder = Recorder::begin(subject, &mut header)?;
    let first = header.view.as_ref().map_or_else(Vec::new, |view| judge(view, None));
    let mut verdict = first.first().map(|property| Verdict::violated(property, 0));
    let mut steps = Vec::with_capacity(trace.steps.len());
    for old in &trace.steps {
        let new = recorder.step(old.action.clone());
        let taken = Some(&new.action).zip(new.outcome.as_ref());
        let violated = new.view.as_ref().map_or_else(Vec::new, |view| judge(view, taken));
        if let (None, Some(property)) = (&verdict, violated.first()) {
            verdict = Some(Verdict::violated(property, new.index));
        }
        let (note, expect, if_any) = (old.note.clone(), old.expect.clone(), old.if_any);
        steps.push(Step { violated, note, expect, if_any, ..new });
    }
    Ok(Trace { header, steps, verdict: Some(verdict.unwrap_or(Verdict::HOLDS)) })
}
