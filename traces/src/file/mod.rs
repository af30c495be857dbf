//! The trace file: JSON Lines, one record a line, the header first.
//!
//! A scenario is a trace without outcomes and views; both have one parser. A
//! step without an outcome says that its action can be taken. An unknown field
//! is an error, for what is misspelt would be passed over; those of a newer
//! minor version are ignored, and another major version is refused. What a
//! property or a guard is called is not known here: callers check those names.

mod error;
mod fields;
mod input;
mod lines;
mod old_names;
mod pd_json;
mod reader;
mod run;
mod writer;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::expect::Expect;
use crate::outcome::Outcome;
use crate::region::{RegionId, StoreId};
use crate::scope::Scope;
use crate::view::View;

pub use error::{FilePosition, TraceError};
pub use input::{FILE_LIMIT, Input, LINE_LIMIT};
pub(crate) use lines::PlacedLine;
pub use reader::Reader;
pub use writer::{FileWriter, Writer};

/// The version of the trace file that is written, `rollcall-trace/<major>`.
pub const SCHEMA: &str = "rollcall-trace/1";

/// The first number that a trace may not hold: beyond it a reader that knows
/// only floating point would round.
pub const NUMBER_LIMIT: u64 = 1 << 53;

/// What stands for every property among those that a header names.
pub const ALL_PROPERTIES: &str = "all";

fn all_properties() -> Vec<String> {
    vec![ALL_PROPERTIES.into()]
}

/// What a trace is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    #[serde(default, deserialize_with = "old_names::names")]
    pub without: Vec<String>,
    /// The properties that are judged; every one ([`ALL_PROPERTIES`]) where a file says nothing of
    /// them, none where its list is empty.
    #[serde(default = "all_properties", deserialize_with = "old_names::names")]
    pub properties: Vec<String>,
    /// What some state behind the steps must show, where the scope is explored (`check`, `verify`).
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "old_names::names")]
    pub must_reach: Vec<String>,
    /// Why a state behind the steps may, rightly, end short of its goals; any reason where
    /// none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_end: Vec<String>,
    /// The first state, the scope's setup taken. Compared like a step's view.
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
            must_reach: Vec::new(),
            may_end: Vec::new(),
            view: None,
        }
    }
}

/// One action, and what is known of what it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its place, from 1. A scenario may leave it out.
    #[serde(default)]
    pub index: u64,
    /// What happens.
    pub action: Action,
    /// What it comes to. Left out in a scenario: it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Where the outcome is left out: it may as well have nothing to do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub if_any: bool,
    /// What is seen afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
    /// The properties that are violated afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "old_names::names")]
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
        let (violated, note) = (Vec::new(), String::new());
        Self { index, action, outcome, if_any: false, view, violated, note, expect }
    }
}

/// In a scenario, a step of many: the leaders replicate, and everybody applies,
/// until nothing moves. Written out it is the steps that it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settle {
    /// One region; every region where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionId>,
    /// The stores that take no part: cut off, or slow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<StoreId>,
}

/// The line of a scenario that says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettleLine {
    /// What settles.
    pub settle: Settle,
    /// Words for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What is checked afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The result.
    pub result: VerdictResult,
    /// The property that is violated.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "old_names::name")]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
    /// In a scenario, a step of many.
    Settle(Box<SettleLine>),
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
                Record::Settle(_) => return Err(TraceError::Settles { at: reader.position_of("settle") }),
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
