//! The lessons: a story, a guess before the decisive step, what really happens, the rule, and an
//! exercise that the model checks.
//!
//! A lesson is four files under `traces/lessons`: the schedule (`.jsonl`), the facts (`.json`: the
//! right guesses, the claims, the exercise), and the prose in two languages (`.en.md`, `.zh.md`).
//! Numbers in the prose are placeholders like `{first.steps}`. They are filled in from the claims,
//! which `cargo test` measures again.

mod claims;
mod condition;
mod exercise;
mod play;
mod prose;
mod sends;

pub use rollcall_traces::Language;
use rollcall_traces::{Action, Scenario};
use serde::Deserialize;

pub use claims::Claim;
pub use condition::{Condition, Unmet};
pub use exercise::{Exercise, guards, parse_answer, read_answer};
pub use play::{Guesses, play};
pub use prose::{Prose, QuestionProse, broken};
pub use sends::{Counted, Sends};

use crate::explore::{Steps, action_of};

/// The files of a lesson.
struct Files {
    name: &'static str,
    schedule: &'static str,
    facts: &'static str,
    english: &'static str,
    chinese: &'static str,
}

macro_rules! lessons {
    ($($name:literal,)+) => {
        &[$(Files {
            name: $name,
            schedule: include_str!(concat!("../../../traces/lessons/", $name, ".jsonl")),
            facts: include_str!(concat!("../../../traces/lessons/", $name, ".json")),
            english: include_str!(concat!("../../../traces/lessons/", $name, ".en.md")),
            chinese: include_str!(concat!("../../../traces/lessons/", $name, ".zh.md")),
        },)+]
    };
}

/// In reading order.
const FILES: &[Files] = lessons![
    "01-elect-and-replicate",
    "02-quorum-changes-at-apply",
    "03-the-same-change-twice",
    "04-a-peer-that-joins",
    "05-the-leader-of-two-removes-itself",
    "06-destroy-then-stop",
    "07-apply-needs-no-client",
    "08-leader-transfer",
    "09-joint-consensus",
    "10-split-and-its-peers",
    "11-a-read-racing-a-split",
    "12-pd-believes-what-was",
];

/// The number of lessons.
pub const LESSONS: usize = FILES.len();

/// The checked facts of a lesson.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The guard that it explains.
    pub guard: String,
    /// The field reports of its story, by number.
    pub reports: Vec<String>,
    /// The questions.
    pub questions: Vec<Question>,
    /// The claims.
    pub claims: Vec<Claim>,
    /// The exercise.
    pub exercise: Exercise,
}

/// A question before a step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The step before which it is asked, from 1.
    pub before: usize,
    /// The choices. Exactly one is right.
    pub choices: Vec<Choice>,
}

/// A choice.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The condition after the step that makes this choice right.
    pub when: Condition,
    /// A branch in which a wrong choice comes true.
    #[serde(default)]
    pub branch: Option<Branch>,
}

/// A branch in which a wrong choice comes true.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// The number of steps of the lesson's schedule before the branch.
    pub behind: usize,
    /// The guards that are dropped in the branch.
    #[serde(default)]
    pub without: Vec<String>,
    /// Its actions.
    pub actions: Vec<String>,
}

/// A lesson.
pub struct Lesson {
    /// Its number, from 1.
    pub number: usize,
    /// Its name, as in its file names.
    pub name: &'static str,
    /// The schedule.
    pub schedule: Scenario,
    /// The facts.
    pub facts: Facts,
    files: &'static Files,
}

impl Lesson {
    /// The lesson with this number.
    ///
    /// # Errors
    /// If there is none.
    pub fn numbered(number: usize) -> Result<Self, String> {
        let files = number.checked_sub(1).and_then(|at| FILES.get(at));
        let files = files.ok_or_else(|| {
            format!("there is no lesson {number}; they are numbered 1 to {LESSONS}, and `rollcall learn` lists them")
        })?;
        let schedule = Scenario::parse(files.name, files.schedule).map_err(|error| error.to_string())?;
        let facts = serde_json::from_str(files.facts).map_err(|error| format!("{}: {error}", files.name))?;
        Ok(Self { number, name: files.name, schedule, facts, files })
    }

    /// All lessons.
    ///
    /// # Errors
    /// What is wrong with the first file that cannot be read.
    pub fn all() -> Result<Vec<Self>, String> {
        (1..=LESSONS).map(Self::numbered).collect()
    }

    /// Its prose.
    ///
    /// # Errors
    /// If the page lacks a section.
    pub fn prose(&self, language: Language) -> Result<Prose, String> {
        let (text, ending) = match language {
            Language::English => (self.files.english, "en"),
            Language::Chinese => (self.files.chinese, "zh"),
        };
        let place = format!("traces/lessons/{}.{ending}.md", self.name);
        Prose::parse(text, &self.facts).map_err(|error| format!("{place}: {error}"))
    }

    /// Its actions, and steps by the guards of its schedule.
    ///
    /// # Errors
    /// If the schedule cannot be taken.
    pub fn steps(&self) -> Result<(Steps, Vec<Action>), String> {
        let header = &self.schedule.header;
        let steps =
            Steps::begin(&header.scope, guards(&header.without)?).map_err(|error| error.to_string())?;
        let recorded = rollcall_traces::Trace::parse(self.name, self.files.schedule);
        let actions = recorded.map_err(|error| error.to_string())?.actions().cloned().collect();
        Ok((steps, actions))
    }

    /// The branch in which a wrong choice comes true.
    ///
    /// # Errors
    /// If the branch cannot be taken.
    pub fn branch(&self, branch: &Branch) -> Result<Steps, String> {
        let header = &self.schedule.header;
        let without: Vec<String> =
            if branch.without.is_empty() { header.without.clone() } else { branch.without.clone() };
        let without = without.into_iter().filter(|name| name != "none").collect::<Vec<_>>();
        let mut steps = Steps::begin(&header.scope, guards(&without)?).map_err(|error| error.to_string())?;
        let (_, actions) = self.steps()?;
        let others = branch.actions.iter().map(|name| action_of(name)).collect::<Result<Vec<_>, _>>()?;
        for action in actions.iter().take(branch.behind).chain(&others) {
            steps.take(action);
        }
        Ok(steps)
    }
}

impl Question {
    /// The choice that is right after the last step.
    ///
    /// # Errors
    /// If no choice is right, or more than one.
    pub fn right(&self, steps: &Steps) -> Result<usize, String> {
        let holds = |(_, choice): &(usize, &Choice)| choice.when.holds(steps).is_ok();
        let right: Vec<usize> = self.choices.iter().enumerate().filter(holds).map(|(at, _)| at).collect();
        match right.as_slice() {
            [only] => Ok(*only),
            many => Err(format!("of the guesses before step {} {} are right", self.before, many.len())),
        }
    }
}
