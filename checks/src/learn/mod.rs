//! The lessons: a story, a guess before the step that decides, what really happens, the rule,
//! and an exercise that the model judges.
//!
//! A lesson is four files under `traces/lessons`: the schedule (`.jsonl`), what the machine
//! asserts (`.json`: which guess is right, the claims, the exercise), and the prose in two
//! languages (`.en.md`, `.zh.md`). Numbers in the prose are placeholders like `{first.steps}`,
//! filled in from the claims, which `cargo test` measures again.

mod claims;
mod condition;
mod exercise;
mod play;
mod prose;

pub use rollcall_traces::Language;
use rollcall_traces::{Action, Scenario};
use serde::Deserialize;

pub use claims::Claim;
pub use condition::{Condition, Unmet};
pub use exercise::{Exercise, guards, parse_answer, read_answer};
pub use play::{Guesses, play};
pub use prose::{Prose, QuestionProse, broken};

use crate::explore::{Steps, action_of};

/// What a lesson is made of.
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

/// In the order in which they are read.
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

/// How many lessons there are.
pub const LESSONS: usize = FILES.len();

/// What the machine knows of a lesson.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The guard that it is about.
    pub guard: String,
    /// The field reports that the story is from, by their numbers.
    pub reports: Vec<String>,
    /// What is asked on the way.
    pub questions: Vec<Question>,
    /// What is asserted.
    pub claims: Vec<Claim>,
    /// What the reader is to find.
    pub exercise: Exercise,
}

/// A guess that is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The step, from 1, before which it is asked.
    pub before: usize,
    /// What can be chosen. Exactly one is so.
    pub choices: Vec<Choice>,
}

/// One of the guesses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What is so behind the step if the guess is right.
    pub when: Condition,
    /// What it takes for a wrong guess to come true.
    #[serde(default)]
    pub branch: Option<Branch>,
}

/// Another way on, in which a guess that was wrong comes true.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// It leaves the lesson's schedule behind so many steps.
    pub behind: usize,
    /// By the rules without these guards.
    #[serde(default)]
    pub without: Vec<String>,
    /// What happens there.
    pub actions: Vec<String>,
}

/// A lesson.
pub struct Lesson {
    /// Its number, from 1.
    pub number: usize,
    /// Its name, which its files have.
    pub name: &'static str,
    /// What happens.
    pub schedule: Scenario,
    /// What the machine asserts.
    pub facts: Facts,
    files: &'static Files,
}

impl Lesson {
    /// The lesson with this number.
    ///
    /// # Errors
    /// Where there is none.
    pub fn numbered(number: usize) -> Result<Self, String> {
        let files = number.checked_sub(1).and_then(|at| FILES.get(at));
        let files = files.ok_or_else(|| {
            format!("there is no lesson {number}; they are numbered 1 to {LESSONS}, and `rollcall learn` lists them")
        })?;
        let schedule = Scenario::parse(files.name, files.schedule).map_err(|error| error.to_string())?;
        let facts = serde_json::from_str(files.facts).map_err(|error| format!("{}: {error}", files.name))?;
        Ok(Self { number, name: files.name, schedule, facts, files })
    }

    /// All of them.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be read.
    pub fn all() -> Result<Vec<Self>, String> {
        (1..=LESSONS).map(Self::numbered).collect()
    }

    /// Its prose.
    ///
    /// # Errors
    /// Where the page lacks something.
    pub fn prose(&self, language: Language) -> Result<Prose, String> {
        let (text, ending) = match language {
            Language::English => (self.files.english, "en"),
            Language::Chinese => (self.files.chinese, "zh"),
        };
        let place = format!("traces/lessons/{}.{ending}.md", self.name);
        Prose::parse(text, &self.facts).map_err(|error| format!("{place}: {error}"))
    }

    /// Its actions, and the guards that its schedule drops.
    ///
    /// # Errors
    /// Where the schedule cannot be taken.
    pub fn steps(&self) -> Result<(Steps, Vec<Action>), String> {
        let header = &self.schedule.header;
        let steps =
            Steps::begin(&header.scope, guards(&header.without)?).map_err(|error| error.to_string())?;
        let recorded = rollcall_traces::Trace::parse(self.name, self.files.schedule);
        let actions = recorded.map_err(|error| error.to_string())?.actions().cloned().collect();
        Ok((steps, actions))
    }

    /// The way in which a guess comes true that was wrong.
    ///
    /// # Errors
    /// Where it cannot be taken.
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
    /// The choice that is right behind the last step.
    ///
    /// # Errors
    /// Where none is, or more than one.
    pub fn right(&self, steps: &Steps) -> Result<usize, String> {
        let holds = |(_, choice): &(usize, &Choice)| choice.when.holds(steps).is_ok();
        let right: Vec<usize> = self.choices.iter().enumerate().filter(holds).map(|(at, _)| at).collect();
        match right.as_slice() {
            [only] => Ok(*only),
            many => Err(format!("of the guesses before step {} {} are right", self.before, many.len())),
        }
    }
}
