//! The divergence report: where two sides differ.
//!
//! It shows expected and actual values field by field, and how to reproduce them. The caller adds
//! the guards that decided the step and the command that reproduces it.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::action::Action;
use crate::diff::Difference;
use crate::outcome::Outcome;
use crate::words::{Language, difference_in};

/// The names of the two sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sides {
    /// The side that states what must happen.
    pub expected: Cow<'static, str>,
    /// The side that is judged.
    pub actual: Cow<'static, str>,
}

impl Sides {
    /// The model against the implementation.
    pub const MODEL_AND_IMPL: Sides = Sides::named("model", "impl");
    /// A trace against the implementation.
    pub const TRACE_AND_IMPL: Sides = Sides::named("trace", "impl");
    /// A trace against the model.
    pub const TRACE_AND_MODEL: Sides = Sides::named("trace", "model");

    /// Two sides with these names.
    pub const fn named(expected: &'static str, actual: &'static str) -> Self {
        Self { expected: Cow::Borrowed(expected), actual: Cow::Borrowed(actual) }
    }
}

/// A guard that decided the step on one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuardNote {
    /// The side, as [`Sides`] calls it.
    pub side: String,
    /// The guard.
    pub guard: String,
    /// The part that applies it: raft-rs, `Store` or `PlacementDriver`.
    pub decider: String,
}

/// A place in the code to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlaceNote {
    /// `model` or `impl`.
    pub side: String,
    /// The file, and the function if it is known.
    pub place: String,
    /// The guards that the code there asks for.
    pub guards: Vec<String>,
}

impl fmt::Display for PlaceNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlaceNote { place, guards, .. } = self;
        f.write_str(place)?;
        if guards.is_empty() { Ok(()) } else { write!(f, ", which asks for {}", guards.join(", ")) }
    }
}

/// The first step at which two sides differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// The scenario's name.
    pub scenario: String,
    /// The names of the sides.
    pub sides: Sides,
    /// The step, from 1; 0 for the first state.
    pub step: u64,
    /// The action; `None` for the first state.
    pub action: Option<Action>,
    /// The expected outcome, if one was stated.
    pub expected: Option<Outcome>,
    /// The actual outcome; `None` for the first state.
    pub actual: Option<Outcome>,
    /// The fields that differ.
    pub differences: Vec<Difference>,
    /// The guards that decided the step. Added by the caller.
    pub guards: Vec<GuardNote>,
    /// Places in the code to look at. Added by the caller.
    pub places: Vec<PlaceNote>,
    /// The shortest prefix that diverges: all actions up to and including this one.
    pub prefix: Vec<Action>,
    /// What failed instead of an outcome, line by line: a panic, or an adapter's fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fault: Vec<String>,
    /// The subject and the dialect under which it was judged, for a subject other than `impl`.
    /// Added by the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<String>,
    /// The command that reproduces it. Added by the caller.
    pub command: Option<String>,
}

impl Divergence {
    /// Whether the outcomes differ. The views may differ even if not.
    pub fn outcomes_differ(&self) -> bool {
        self.expected.is_some() && self.expected != self.actual
    }
}

/// As many differences and actions as fit a terminal together.
const SHOWN_DIFFERENCES: usize = 8;
const SHOWN_ACTIONS: usize = 5;
const SHOWN_PLACES: usize = 4;

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { scenario, sides, step, .. } = self;
        match &self.action {
            Some(action) => writeln!(f, "{scenario} diverges at step {step}: {action}")?,
            None => writeln!(f, "{scenario} diverges in its first state")?,
        }
        self.write_outcomes(f)?;
        for (at, line) in self.fault.iter().enumerate() {
            writeln!(f, "{}{line}", if at == 0 { "  " } else { "    " })?;
        }
        if !self.differences.is_empty() {
            writeln!(f, "  the view afterwards differs in {}:", fields(self.differences.len()))?;
        }
        for difference in self.differences.iter().take(SHOWN_DIFFERENCES) {
            let told = difference_in(Language::English, difference);
            let (expected, actual) = (brief(&told.here), brief(&told.there));
            let Sides { expected: left, actual: right } = sides;
            writeln!(f, "    {}: {left} {expected}, {right} {actual}", told.words)?;
        }
        if let Some(more @ 1..) = self.differences.len().checked_sub(SHOWN_DIFFERENCES) {
            writeln!(f, "    and {} more", fields(more))?;
        }
        for GuardNote { side, guard, decider } in self.guards.iter().take(2) {
            writeln!(f, "  decided by: {guard} ({decider}) on {side}")?;
        }
        for place in self.places.iter().take(SHOWN_PLACES) {
            writeln!(f, "  look at: {place}")?;
        }
        let hidden = self.prefix.len().saturating_sub(SHOWN_ACTIONS);
        if !self.prefix.is_empty() {
            write!(f, "  the way there: {} actions", self.prefix.len())?;
            writeln!(f, "{}", if hidden > 0 { ", of which the last" } else { "" })?;
        }
        for (at, action) in self.prefix.iter().enumerate().skip(hidden) {
            writeln!(f, "    {:>4} {action}", at + 1)?;
        }
        self.judged.as_ref().map_or(Ok(()), |judged| writeln!(f, "  judged: {judged}"))?;
        self.command.as_ref().map_or(Ok(()), |command| writeln!(f, "  to see it again: {command}"))
    }
}

impl Divergence {
    fn write_outcomes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sides { expected: left, actual: right } = &self.sides;
        let width = left.len().max(right.len()) + 1;
        let words = |outcome: &Outcome| match &self.action {
            Some(action) => action.answered(outcome),
            None => outcome.to_string(),
        };
        match (&self.expected, &self.actual) {
            (Some(expected), Some(actual)) if expected != actual => {
                writeln!(f, "  {:width$} {}", format!("{left}:"), words(expected))?;
                writeln!(f, "  {:width$} {}", format!("{right}:"), words(actual))
            }
            (_, Some(actual)) => writeln!(f, "  outcome: {}", words(actual)),
            (_, None) => Ok(()),
        }
    }
}

/// Shortens long text at a word boundary.
fn brief(words: &str) -> String {
    const LONGEST: usize = 160;
    match words.char_indices().nth(LONGEST) {
        // It is cut between words.
        Some((end, _)) => {
            format!("{} ...", words[..end].rsplit_once(' ').map_or(&words[..end], |(kept, _)| kept))
        }
        None => words.to_string(),
    }
}

fn fields(count: usize) -> String {
    if count == 1 { "1 field".into() } else { format!("{count} fields") }
}
