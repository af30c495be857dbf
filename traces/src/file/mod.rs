//! The trace file: JSON Lines, one record a line, the header first.
//!
//! A scenario is a trace without outcomes and views. Both have one parser. A step without an
//! outcome must take effect. Another major version is an error. An unknown field is an error,
//! because a misspelt one would otherwise be ignored. It is allowed only in a newer minor version.
//! The names of properties and guards are not known here; callers check them.

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

/// The version of the trace file, `rollcall-trace/<major>`.
pub const SCHEMA: &str = "rollcall-trace/1";

/// All numbers of a trace are below this. A reader that uses floating point would round larger
/// ones.
pub const NUMBER_LIMIT: u64 = 1 << 53;

/// Stands for every property in a header's list.
pub const ALL_PROPERTIES: &str = "all";

fn all_properties() -> Vec<String> {
    vec![ALL_PROPERTIES.into()]
}

/// The header of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// The version of the file, [`SCHEMA`].
    pub schema: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Its origin: a test, a report, a seed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What was assumed where the source leaves it open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// The cluster and its bounds.
    pub scope: Scope,
    /// The guards that are switched off.
    #[serde(default, deserialize_with = "old_names::names")]
    pub without: Vec<String>,
    /// The properties that are judged: all ([`ALL_PROPERTIES`]) if the field is left out, none if
    /// the list is empty.
    #[serde(default = "all_properties", deserialize_with = "old_names::names")]
    pub properties: Vec<String>,
    /// Situations that a state after the steps must show when the scope is explored (`check`,
    /// `verify`).
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "old_names::names")]
    pub must_reach: Vec<String>,
    /// The stuck reasons that are allowed for states after the steps. All are allowed if none is
    /// listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_end: Vec<String>,
    /// The first state, after the scope's setup. It is compared like a step's view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
}

impl Header {
    /// A header for `scope`, named like the scope.
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

/// One action, with its outcome and view if they are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its index, from 1. A scenario may leave it out.
    #[serde(default)]
    pub index: u64,
    /// The action.
    pub action: Action,
    /// The outcome. If a scenario leaves it out, the action must take effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Without an outcome: the action may also have nothing to do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub if_any: bool,
    /// The view after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
    /// The properties that are violated after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "old_names::names")]
    pub violated: Vec<String>,
    /// A note for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What is checked after it, if the view is left out.
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

/// A scenario's line that stands for many steps: leaders replicate and all peers apply, until
/// nothing changes. In a trace it is written out as those steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settle {
    /// The region; every region if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionId>,
    /// The stores that take no part because they are cut off or slow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<StoreId>,
}

/// A settle line of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettleLine {
    /// The settle.
    pub settle: Settle,
    /// A note for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What is checked after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// How a trace ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The result.
    pub result: VerdictResult,
    /// The property that is violated.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "old_names::name")]
    pub property: Option<String>,
    /// The step after which it is violated; 0 for the first state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

impl Verdict {
    /// All properties of the header hold after every step.
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

/// A line of a trace file after its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A step.
    Step(Box<Step>),
    /// In a scenario, a line that stands for many steps.
    Settle(Box<SettleLine>),
    /// The verdict, which is the last record.
    Verdict(Verdict),
}

/// A whole trace in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The header.
    pub header: Header,
    /// The steps in order, with indexes from 1.
    pub steps: Vec<Step>,
    /// The verdict; a scenario has none.
    pub verdict: Option<Verdict>,
}

impl Trace {
    /// A scenario: a trace of actions only.
    pub fn scenario(header: Header, actions: impl IntoIterator<Item = Action>) -> Self {
        let steps = (1..).zip(actions).map(|(index, action)| Step::new(index, action)).collect();
        Self { header, steps, verdict: None }
    }

    /// Reads a trace file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is not a trace. The error has the line and column.
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

    /// Writes the trace to a file, completely or not at all.
    ///
    /// # Errors
    ///
    /// If the file cannot be written. Nothing is left behind then.
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
    ///
    /// If a number is too large for a trace.
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
