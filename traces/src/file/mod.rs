//! The trace file: JSON Lines, one record a line, the header first.
//!
//! A scenario is a trace without outcomes and views; both have one parser. A
//! step without an outcome says that its action can be taken. Unknown fields
//! are ignored, so a newer minor version can be read; another major version is
//! refused. What a property or a guard is called is not known here: callers
//! check those names.

mod error;
mod reader;
mod run;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::outcome::Outcome;
use crate::region::{Key, RegionId, StoreId, Value};
use crate::scope::Scope;
use crate::view::View;

pub use error::{Place, TraceError};
pub use reader::Reader;
pub use writer::{FileWriter, Writer};

/// The version of the trace file that is written, `rollcall-trace/<major>`.
pub const SCHEMA: &str = "rollcall-trace/1";

/// The first number that a trace may not hold: beyond it a reader that knows
/// only floating point would round.
pub const NUMBER_LIMIT: u64 = 1 << 53;

/// What a trace is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the file, [`SCHEMA`].
    pub schema: String,
    /// The name of the situation.
    pub scenario: String,
    /// The situation in a sentence, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Where it comes from: a test, a report, a seed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What was decided where the source leaves it open, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// The cluster and its bounds.
    pub scope: Scope,
    /// The guards that are dropped.
    #[serde(default)]
    pub without: Vec<String>,
    /// The properties that are judged.
    #[serde(default)]
    pub properties: Vec<String>,
    /// The first state, the scope's prelude taken. Compared like a step's view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
}

impl Header {
    /// A header for `scope`, named after it.
    pub fn new(scope: Scope) -> Self {
        Self {
            schema: SCHEMA.into(),
            scenario: scope.name.clone(),
            title: String::new(),
            source: String::new(),
            assumptions: Vec::new(),
            scope,
            without: Vec::new(),
            properties: Vec::new(),
            view: None,
        }
    }
}

/// One action, and what is known of what it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its place, from 1.
    pub index: u64,
    /// What happens.
    pub action: Action,
    /// What it comes to. Left out in a scenario: it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What is seen afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
    /// The properties that are violated afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violated: Vec<String>,
    /// Words for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What is checked afterwards, where the view is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

impl Step {
    /// A step of a scenario.
    pub fn new(index: u64, action: Action) -> Self {
        let (outcome, view, expect) = (None, None, None);
        Self { index, action, outcome, view, violated: Vec::new(), note: String::new(), expect }
    }
}

/// A check of a part of what is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// What each store holds of a key; `None` for nothing. A store without an
    /// initialised peer for the key holds nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<StoreId, BTreeMap<Key, Option<Value>>>,
    /// On which store each region's leader of the newest term lives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leader: BTreeMap<RegionId, StoreId>,
    /// The newest `conf_ver` that any peer of a region shows is at least this,
    /// in every region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf_ver_at_least: Option<u64>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The result.
    pub result: VerdictResult,
    /// The property that is violated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// The step at which it is seen; 0 for the first state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

impl Verdict {
    /// Every property of the header holds after every step.
    pub const HOLDS: Verdict = Verdict { result: VerdictResult::Holds, property: None, at: None };

    /// `property` is violated after step `at`.
    pub fn violated(property: impl Into<String>, at: u64) -> Self {
        Self { result: VerdictResult::Violated, property: Some(property.into()), at: Some(at) }
    }

    /// The two sides differ at step `at`.
    pub fn diverged(at: u64) -> Self {
        Self { result: VerdictResult::Diverged, property: None, at: Some(at) }
    }
}

/// The kinds of verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictResult {
    /// Every property holds.
    Holds,
    /// A property is violated.
    Violated,
    /// The two sides differ.
    Diverged,
}

/// One line of a trace file behind its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A step.
    Step(Box<Step>),
    /// The verdict; nothing follows it.
    Verdict(Verdict),
}

/// A whole trace in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What it is about.
    pub header: Header,
    /// The steps, in order, their indexes from 1.
    pub steps: Vec<Step>,
    /// How it ended; a scenario has none.
    pub verdict: Option<Verdict>,
}

impl Trace {
    /// A scenario: nothing but the actions.
    pub fn scenario(header: Header, actions: impl IntoIterator<Item = Action>) -> Self {
        let steps = (1..).zip(actions).map(|(index, action)| Step::new(index, action)).collect();
        Self { header, steps, verdict: None }
    }

    /// Reads a trace file.
    ///
    /// # Errors
    /// Where the file cannot be read or is no trace; with its line and column.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        Self::collect(Reader::open(path)?)
    }

    /// Reads a trace from memory; `name` is what errors call it.
    ///
    /// ```
    /// let header = r#"{"record":"header","schema":"rollcall-trace/1","scenario":"s","scope":
    ///     {"name":"s","stores":[1],"regions":[{"id":1,"start":"","end":"","epoch":
    ///     {"conf_ver":1,"version":1},"peers":[{"id":1,"store":1,"role":"voter"}]}]}}"#;
    /// let text = header.replace('\n', "") + "\n" + r#"{"record":"step","index":1,"action":{"crash":{"store":2}}}"#;
    /// let error = rollcall_traces::Trace::parse("s.jsonl", &text).unwrap_err();
    /// assert_eq!(error.to_string(), "s.jsonl:2:37: store 2 is not among the scope's stores [1]");
    /// ```
    ///
    /// # Errors
    /// As [`Trace::read`].
    pub fn parse(name: &str, text: &str) -> Result<Self, TraceError> {
        Self::collect(Reader::new(text.as_bytes(), name)?)
    }

    fn collect<R: std::io::BufRead>(mut reader: Reader<R>) -> Result<Self, TraceError> {
        let (mut steps, mut verdict) = (Vec::new(), None);
        for record in &mut reader {
            match record? {
                Record::Step(step) => steps.push(*step),
                Record::Verdict(reached) => verdict = Some(reached),
            }
        }
        Ok(Self { header: reader.into_header(), steps, verdict })
    }

    /// Writes the trace to a file, whole or not at all.
    ///
    /// # Errors
    /// Where the file cannot be written; nothing is left behind then.
    pub fn write(&self, path: &Path) -> Result<(), TraceError> {
        let mut writer = FileWriter::create(path, &self.header)?;
        for step in &self.steps {
            writer.step(step)?;
        }
        writer.finish(self.verdict.as_ref())
    }

    /// The text of the trace file.
    ///
    /// # Errors
    /// Where a number is too large for a trace.
    pub fn to_text(&self) -> Result<String, TraceError> {
        let mut writer = Writer::new(Vec::new(), "memory", &self.header)?;
        for step in &self.steps {
            writer.step(step)?;
        }
        let bytes = writer.finish(self.verdict.as_ref())?;
        Ok(String::from_utf8(bytes).expect("JSON is UTF-8"))
    }

    /// The actions, in order.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().map(|step| &step.action)
    }
}
