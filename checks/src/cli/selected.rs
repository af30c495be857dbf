//! The scope of a command: a named scope, or a file's own scope after its steps.
//!
//! Like a scope's setup, the steps of a file use no budget. The budgets count from the end of the
//! steps.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rollcall_model::properties::Property;
use rollcall_model::scopes::{Family, ScopePlan, Size};
use rollcall_model::{GuardSet, ModelSubject, Rollcall, scopes};
use rollcall_traces::{Action, Divergence, Subject, Trace};

use super::named;
use super::replay::filled_in;
use crate::lookup;
use crate::walk::walk;

/// A scope to explore.
pub(super) struct SelectedScope {
    /// Its plan. A file's plan begins after the file's steps.
    pub(super) plan: ScopePlan,
    /// The guards that hold.
    pub(super) guards: GuardSet,
    /// The stuck reasons that a file allows. A named scope has them in its plan.
    pub(super) may_end: Option<Vec<String>>,
    /// The file's steps, taken by the model.
    pub(super) steps: Option<Steps>,
}

/// A file whose steps the model has taken.
pub(super) struct Steps {
    /// The file.
    pub(super) file: PathBuf,
    /// Every step with its outcome and view, and the violations.
    pub(super) taken: Trace,
}

/// Whether a word names a file rather than a scope.
pub(super) fn is_file(word: &str) -> bool {
    let path = Path::new(word);
    let looks_like_one = word == "-" || word.contains(['/', '\\']) || word.ends_with(".jsonl");
    scopes::named(word).is_none() && (looks_like_one || path.is_file())
}

impl SelectedScope {
    /// The scope of that name, or of that file. A file's steps may diverge from the model.
    pub(super) fn of(word: &str, without: Option<&str>) -> Result<Result<Self, Box<Divergence>>> {
        if is_file(word) {
            return Self::of_file(Path::new(word), without);
        }
        let guards = without.map(lookup::guard).transpose()?.map_or(GuardSet::ALL, GuardSet::without);
        Ok(Ok(Self { plan: lookup::plan(word)?, guards, may_end: None, steps: None }))
    }

    /// The scope of a file, beginning after its steps.
    pub(super) fn of_file(path: &Path, without: Option<&str>) -> Result<Result<Self, Box<Divergence>>> {
        let (scenario, mut named) = named::read(path)?;
        if let Some(guard) = without {
            named.guards = named.guards.and_without(lookup::guard(guard)?);
        }
        if named.properties.is_empty() {
            named.properties = Property::ALL.to_vec();
        }
        let taken = match filled_in(path, &scenario, &named)? {
            Ok((_, taken)) => taken,
            Err(divergence) => return Ok(Err(divergence)),
        };
        let mut scope = taken.header.scope.clone();
        let done =
            taken.steps.iter().filter(|step| step.outcome.as_ref().is_some_and(|outcome| outcome.is_done()));
        scope.setup.extend(done.map(|step| step.action.clone()));
        let plan = ScopePlan {
            family: family_of(&scope),
            size: Size::Smoke,
            scope,
            properties: named.properties,
            reachable: named.must_reach,
            must_fire: Vec::new(),
            allowed_stuck: Vec::new(),
        };
        begins_at_its_end(path, &plan, named.guards, &taken)?;
        let may_end = Some(taken.header.may_end.clone());
        let steps = Some(Steps { file: path.into(), taken });
        Ok(Ok(Self { plan, guards: named.guards, may_end, steps }))
    }

    /// Its name in reports.
    pub(super) fn name(&self) -> String {
        match &self.steps {
            Some(steps) => steps.file.display().to_string(),
            None => self.plan.scope.name.clone(),
        }
    }

    /// A trace of this scope with the file's steps before it.
    pub(super) fn with_steps(&self, trace: Trace) -> Result<Trace> {
        let Some(Steps { file, taken }) = &self.steps else { return Ok(trace) };
        let whole = Rollcall::new(&taken.header.scope, self.guards, &self.plan.properties, &[]);
        let whole = whole.with_context(|| file.display().to_string())?;
        let mut longer = walk(&whole, self.way(trace.actions().cloned()));
        let before = taken.steps.len();
        for (step, old) in longer.steps.iter_mut().zip(&taken.steps) {
            step.note.clone_from(&old.note);
        }
        for (step, old) in longer.steps[before..].iter_mut().zip(&trace.steps) {
            step.note.clone_from(&old.note);
        }
        longer.verdict = trace.verdict.map(|verdict| rollcall_traces::Verdict {
            at: verdict.at.map(|at| at + before as u64),
            ..verdict
        });
        let header = &taken.header;
        longer.header.title.clone_from(&header.title);
        longer.header.source.clone_from(&header.source);
        longer.header.assumptions.clone_from(&header.assumptions);
        Ok(longer)
    }

    /// The file's steps and these actions.
    pub(super) fn way(&self, actions: impl IntoIterator<Item = Action>) -> Vec<Action> {
        let before = self.steps.iter().flat_map(|steps| steps.taken.actions().cloned());
        before.chain(actions).collect()
    }

    /// The first violation within the file's own steps, and its step.
    pub(super) fn violated_on_the_way(&self) -> Option<(&str, u64)> {
        let verdict = self.steps.as_ref()?.taken.verdict.as_ref()?;
        Some((verdict.property.as_deref()?, verdict.at?))
    }
}

/// The family by the scope's content.
fn family_of(scope: &rollcall_traces::Scope) -> Family {
    if scope.max_replicas > 0 {
        Family::Decommission
    } else if scope.next_id > 0 || scope.regions.len() > 1 || !scope.splits.is_empty() {
        Family::Split
    } else {
        Family::ConfChange
    }
}

/// A refused step changes nothing, so the done steps alone lead to the same state.
fn begins_at_its_end(path: &Path, plan: &ScopePlan, guards: GuardSet, taken: &Trace) -> Result<()> {
    let model = plan.model(guards).with_context(|| path.display().to_string())?;
    let mut subject = ModelSubject::new(guards, &[]);
    subject.reset(&taken.header.scope).with_context(|| path.display().to_string())?;
    for action in taken.actions() {
        subject.apply(action);
    }
    if model.cluster(&model.first()).view() != subject.view() {
        bail!(
            "{}: a step is refused and still changes the state, so no scope can begin after it",
            path.display()
        );
    }
    Ok(())
}
