//! An exercise: find a schedule of at most N steps that reaches a goal. The model checks the
//! answer.

use std::path::Path;

use rollcall_model::{Guard, GuardSet, scopes};
use rollcall_traces::{Action, Chinese as _, Outcome, Reason};
use serde::Deserialize;

use super::Language;
use super::condition::{Condition, Unmet};
use crate::explore::{Steps, action_of};
use crate::places;

/// The longest answer file, in bytes.
const LONGEST: u64 = 1 << 20;

/// An exercise.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// The scope's name. An answer begins in its first state.
    pub scope: String,
    /// The guards that are dropped.
    #[serde(default)]
    pub without: Vec<String>,
    /// The most steps of an answer.
    pub steps: usize,
    /// The condition that must hold after some step.
    pub goal: Condition,
    /// A right answer, one action on each line.
    pub answer: Vec<String>,
    /// A wrong answer, and what the check says about it.
    pub wrong: Wrong,
}

/// An answer that is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrong {
    /// Its actions.
    pub answer: Vec<String>,
    /// A part of the check's message.
    pub because: String,
}

impl Exercise {
    /// The first step after which the goal is reached.
    ///
    /// # Errors
    /// Why the answer is wrong, as a sentence without its full stop.
    pub fn judge(&self, answer: &[Action]) -> Result<usize, Unmet> {
        if answer.is_empty() {
            return Err(Unmet::new("it has no steps", "没有步骤"));
        }
        let mut steps = self.begin()?;
        let mut unmet = Unmet::default();
        for (number, action) in (1..).zip(answer) {
            if number > self.steps {
                return Err(self.too_long(&unmet));
            }
            let (offered, before) = (is_offered(&steps, action), steps.len());
            if let Outcome::Refused(reason) = *steps.take(action) {
                // The goal may be a refusal.
                if self.goal.refused.is_some() && self.goal.holds(&steps).is_ok() {
                    return Ok(number);
                }
                return Err(refused(number, action, reason));
            }
            if !offered || steps.model().is_overdrawn(steps.state()) {
                steps.back_to(before);
                return Err(self.not_within(number, action));
            }
            match self.goal.holds(&steps) {
                Ok(()) => return Ok(number),
                Err(because) => unmet = because,
            }
        }
        Err(Unmet::new(
            format!("the goal is not reached: {unmet}"),
            format!("还没有达到目标：{}", unmet.words(Language::Chinese)),
        ))
    }

    fn too_long(&self, unmet: &Unmet) -> Unmet {
        let (most, chinese) = (self.steps, unmet.words(Language::Chinese));
        Unmet::for_good(
            format!("the goal is not reached within {most} steps: {unmet}"),
            format!("{most} 步之内没有达到目标：{chinese}"),
        )
    }

    fn not_within(&self, number: usize, action: &Action) -> Unmet {
        let scope = &self.scope;
        Unmet::for_good(
            format!(
                "step {number}, `{action}`, is not within {scope}: it has other commands, or no budget left"
            ),
            format!("第 {number} 步“{}”不在 {scope} 之内：它没有这个命令，或预算用完了", action.in_chinese()),
        )
    }

    /// Its first state.
    ///
    /// # Errors
    /// If the scope or a guard does not exist.
    pub fn begin(&self) -> Result<Steps, String> {
        let plan = scopes::named(&self.scope).ok_or_else(|| format!("there is no scope `{}`", self.scope))?;
        Steps::begin(&plan.scope, guards(&self.without)?).map_err(|error| error.to_string())
    }
}

/// All guards except these.
///
/// # Errors
/// The name of an unknown guard.
pub fn guards(without: &[String]) -> Result<GuardSet, String> {
    without.iter().try_fold(GuardSet::ALL, |guards, name| {
        let guard =
            Guard::from_name(name).ok_or_else(|| format!("there is no guard `{name}` in the model"))?;
        Ok(guards.and_without(guard))
    })
}

fn refused(number: usize, action: &Action, reason: Reason) -> Unmet {
    let meaning = places::meaning_of_reason(reason);
    let (chinese, because) = (action.in_chinese(), reason.in_chinese());
    Unmet::for_good(
        format!("step {number}, `{action}`, is refused: {reason} ({})", meaning.trim_end_matches('.')),
        format!("第 {number} 步“{chinese}”被拒绝：{reason}（{}）", because.trim_end_matches('。')),
    )
}

fn is_offered(steps: &Steps, action: &Action) -> bool {
    let mut is = false;
    steps.model().each_offered(steps.state(), |offered| is |= offered == action);
    is
}

/// Reads the actions of an answer's file: one action on each line, by name or as JSON. Lines of a
/// trace or scenario are accepted, too.
///
/// # Errors
/// What is wrong with the file, and in which line.
pub fn read_answer(path: &Path) -> Result<Vec<Action>, String> {
    let name = path.display();
    let size = std::fs::metadata(path).map_err(|error| format!("{name}: {error}"))?.len();
    if size > LONGEST {
        return Err(format!("{name}: an answer has at most {LONGEST} bytes, and this file has {size}"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    parse_answer(&text).map_err(|(line, error)| format!("{name}:{line}: {error}"))
}

/// The same for a text.
///
/// # Errors
/// The line, from 1, and what is wrong with it.
pub fn parse_answer(text: &str) -> Result<Vec<Action>, (usize, String)> {
    let mut actions = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim().trim_end_matches(';');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let of_trace =
            serde_json::from_str::<serde_json::Value>(line).ok().filter(|line| line["record"].is_string());
        let action = match of_trace {
            None => action_of(line),
            Some(line) if line["record"] == "step" => action_of(&line["action"].to_string()),
            Some(_) => continue,
        };
        actions.push(action.map_err(|error| (number, error))?);
    }
    Ok(actions)
}
