//! Drives a subject and records outcomes and views.

use std::path::Path;

use thiserror::Error;

use crate::action::Action;
use crate::file::{FileWriter, Header, Step, Trace, TraceError, Verdict};
use crate::outcome::Outcome;
use crate::scope::{Scope, ScopeError};
use crate::subject::Subject;
use crate::view::View;

/// An error in recording a run.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The scope is invalid.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The file cannot be written.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// Takes actions on a subject and returns each as a step with its outcome and view.
#[derive(Debug)]
pub struct Recorder<'s, S> {
    subject: &'s mut S,
    steps: u64,
}

impl<'s, S: Subject> Recorder<'s, S> {
    /// Resets the subject to `header.scope` and records its first view in the header.
    ///
    /// # Errors
    ///
    /// If the scope's setup is refused.
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

/// Takes `actions` on `subject` and keeps the trace in memory. No property is judged, so the header
/// lists none.
///
/// # Errors
///
/// If the scope's setup is refused.
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
///
/// If the scope's setup is refused or the file cannot be written. Nothing is left behind then.
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

/// Records outcomes and views of a scenario, or renews those of a trace. Notes and expectations are
/// kept. Violations and the verdict are judged again.
///
/// `judge` returns the violated properties of a view. It is called with the first state and then
/// with the view after each action. It must judge the properties that the header lists, because the
/// verdict is about those.
///
/// # Errors
///
/// If the scope's setup is refused.
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
