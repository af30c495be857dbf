//! Reads a trace file record by record, with one line in memory.
//!
//! Every fault is found at the first line that shows it, and reading ends there.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use super::fields::{self, Unknown};
use super::{Header, NUMBER_LIMIT, Place, Record, SCHEMA, SettleLine, Step, TraceError, Verdict};
use crate::action::{Action, Command};
use crate::expect::Expect;
use crate::region::StoreId;

/// A trace file that is being read: the header at once, then an iterator over
/// the steps and the verdict.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    /// A newer minor version may have records that are not known here.
    newer_minor: bool,
    next_index: u64,
    /// A view was shown: this was recorded, so a verdict must follow.
    recorded: bool,
    ended: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    No,
    ByVerdict,
    ForGood,
}

/// What is read of a line before its kind is known.
#[derive(Deserialize)]
pub(super) struct Tag<'a> {
    #[serde(borrow)]
    pub(super) record: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) schema: Option<Cow<'a, str>>,
    #[serde(default)]
    settle: Option<IgnoredAny>,
}

impl Reader<BufReader<File>> {
    /// Opens a trace file and reads its header.
    ///
    /// # Errors
    /// Where the file cannot be read or does not begin with a valid header.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let file = path.display().to_string();
        match File::open(path) {
            Ok(input) => Self::new(BufReader::new(input), &file),
            Err(source) => Err(TraceError::Unreadable { at: Place { file, line: 1, column: 1 }, source }),
        }
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads the header from `input`; `name` is what errors call the file.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn new(input: R, name: &str) -> Result<Self, TraceError> {
        let mut lines = Lines::new(input, name);
        if !lines.advance()? {
            return Err(TraceError::Empty { at: lines.place(1, 1) });
        }
        let tag: Tag<'_> = lines.parse()?;
        if tag.record != "header" {
            return Err(TraceError::NoHeader { at: lines.here(1), found: tag.record.into_owned() });
        }
        let newer_minor =
            known_schema(SCHEMA, tag.schema.as_deref()).ok_or_else(|| TraceError::WrongSchema {
                at: lines.column_of("schema"),
                found: tag.schema.as_deref().map_or("not given".into(), |found| format!("`{found}`")),
                reads: SCHEMA,
            })?;
        lines.check_numbers()?;
        let header: Header = lines.parse()?;
        if !newer_minor {
            lines.check_fields::<Header>()?;
        }
        header
            .scope
            .validate()
            .map_err(|source| TraceError::BadScope { at: lines.column_of("scope"), source })?;
        for action in &header.scope.prelude {
            lines.check_stores(&action.stores(), &header.scope.stores, "prelude")?;
            if let Action::Propose { command, .. } = action {
                lines.check_peers(command, "prelude")?;
            }
        }
        let of_children = header.scope.child_commands.iter().map(|child| &child.command);
        for command in header.scope.commands.iter().chain(of_children) {
            lines.check_stores(&command.stores(), &header.scope.stores, "commands")?;
            lines.check_peers(command, "commands")?;
        }
        let recorded = header.view.is_some();
        Ok(Self { lines, header, newer_minor, next_index: 1, recorded, ended: Ended::No })
    }

    /// What the trace is about.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header, when the records are read.
    pub fn into_header(self) -> Header {
        self.header
    }

    /// The place of the record that was read last, the column at `field` if it
    /// is there.
    pub fn place_of(&self, field: &str) -> Place {
        self.lines.column_of(field)
    }

    fn read(&mut self) -> Result<Option<Record>, TraceError> {
        loop {
            if !self.lines.advance()? {
                return self.end().map(|()| None);
            }
            let tag: Tag<'_> = self.lines.parse()?;
            let (found, settles) = (tag.record.into_owned(), tag.settle.is_some());
            self.lines.check_numbers()?;
            if found == "header" {
                return Err(TraceError::HeaderTwice { at: self.lines.here(1) });
            }
            if self.ended == Ended::ByVerdict {
                return Err(TraceError::BehindVerdict { at: self.lines.here(1), found });
            }
            match found.as_str() {
                "step" if settles => return self.settle().map(Some),
                "step" => return self.step().map(Some),
                "verdict" => return self.verdict().map(Some),
                _ if self.newer_minor => {}
                _ => {
                    let what = format!("there is no record `{found}`, only `header`, `step` and `verdict`");
                    return Err(TraceError::Malformed { at: self.lines.column_of("record"), what });
                }
            }
        }
    }

    /// The record of a kind; a field that it does not have is an error, but of a newer minor version.
    fn parse<T: for<'a> Deserialize<'a>>(&self) -> Result<T, TraceError> {
        let record = self.lines.parse()?;
        if !self.newer_minor {
            self.lines.check_fields::<T>()?;
        }
        Ok(record)
    }

    fn settle(&mut self) -> Result<Record, TraceError> {
        let line: Box<SettleLine> = self.parse()?;
        self.lines.check_stores(&line.settle.except, &self.header.scope.stores, "except")?;
        self.check_expect(line.expect.as_ref())?;
        Ok(Record::Settle(line))
    }

    fn check_expect(&self, expect: Option<&Expect>) -> Result<(), TraceError> {
        let Some(expect) = expect else { return Ok(()) };
        self.lines.check_stores(&expect.named_stores(), &self.header.scope.stores, "expect")?;
        let what = if expect.count() == 0 {
            "nothing is expected; leave `expect` out, or say what"
        } else if expect.heals && !expect.stuck.is_empty() {
            "what heals is not stuck: expect one of the two"
        } else {
            return Ok(());
        };
        Err(TraceError::Malformed { at: self.lines.column_of("expect"), what: what.into() })
    }

    fn step(&mut self) -> Result<Record, TraceError> {
        let mut step: Box<Step> = self.parse()?;
        if step.index == 0 {
            step.index = self.next_index;
        }
        if step.index != self.next_index {
            let (expected, found) = (self.next_index, step.index);
            return Err(TraceError::StepOutOfOrder { at: self.lines.column_of("index"), expected, found });
        }
        let known = &self.header.scope.stores;
        self.lines.check_stores(&step.action.stores(), known, "action")?;
        if let Action::Propose { command, .. } = &step.action {
            self.lines.check_peers(command, "action")?;
        }
        self.check_expect(step.expect.as_ref())?;
        self.next_index += 1;
        self.recorded |= step.view.is_some();
        Ok(Record::Step(step))
    }

    fn verdict(&mut self) -> Result<Record, TraceError> {
        let verdict: Verdict = self.parse()?;
        if verdict.at.is_some_and(|at| at >= self.next_index) {
            let what =
                format!("the verdict is of a step that is not there; the last is {}", self.next_index - 1);
            return Err(TraceError::Malformed { at: self.lines.column_of("at"), what });
        }
        self.ended = Ended::ByVerdict;
        Ok(Record::Verdict(verdict))
    }

    /// The file has ended; was it time?
    fn end(&mut self) -> Result<(), TraceError> {
        if self.recorded && self.ended == Ended::No {
            let what = format!("it was recorded, and no verdict follows step {}", self.next_index - 1);
            return Err(TraceError::CutShort { at: self.lines.after(), what });
        }
        Ok(())
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Record, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended == Ended::ForGood {
            return None;
        }
        let item = self.read().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.ended = Ended::ForGood;
        }
        item
    }
}

/// `Some(whether the minor version is newer)` if the schema can be read.
pub(super) fn known_schema(schema: &str, found: Option<&str>) -> Option<bool> {
    let rest = found?.strip_prefix(schema)?;
    match rest.strip_prefix('.') {
        Some(minor) if !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(minor.bytes().any(|byte| byte != b'0'))
        }
        None if rest.is_empty() => Some(false),
        _ => None,
    }
}

/// The input line by line, blank lines left out, and where we are in it.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    file: String,
    number: u64,
    text: Vec<u8>,
    /// The line ended with a line feed: what is missing in it was never there.
    terminated: bool,
}

impl<R: BufRead> Lines<R> {
    /// Before the first line of `input`, which errors call `name`.
    pub(super) fn new(input: R, name: &str) -> Self {
        Self { input, file: name.into(), number: 0, text: Vec::new(), terminated: true }
    }

    /// Goes to the next line that is not blank; `false` at the end.
    pub(super) fn advance(&mut self) -> Result<bool, TraceError> {
        loop {
            self.text.clear();
            let read = self.input.read_until(b'\n', &mut self.text);
            let read =
                read.map_err(|source| TraceError::Unreadable { at: self.place(self.number + 1, 1), source })?;
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            self.terminated = self.text.last() == Some(&b'\n');
            while self.text.last().is_some_and(u8::is_ascii_whitespace) {
                self.text.pop();
            }
            if !self.text.is_empty() {
                return Ok(true);
            }
        }
    }
}

impl<R> Lines<R> {
    fn place(&self, line: u64, column: u64) -> Place {
        Place { file: self.file.clone(), line, column }
    }

    /// The line that is not there.
    pub(super) fn after(&self) -> Place {
        self.place(self.number + 1, 1)
    }

    pub(super) fn here(&self, column: usize) -> Place {
        self.place(self.number, column.max(1) as u64)
    }

    /// Where the value of `field` stands, or the line's begin.
    pub(super) fn column_of(&self, field: &str) -> Place {
        let quoted = format!("\"{field}\"");
        let text = String::from_utf8_lossy(&self.text);
        let column = text.match_indices(&quoted).find_map(|(at, _)| {
            let rest = text[at + quoted.len()..].trim_start().strip_prefix(':')?.trim_start();
            Some(text.len() - rest.len() + 1)
        });
        self.here(column.unwrap_or(1))
    }

    pub(super) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, TraceError> {
        if !self.text.trim_ascii_start().starts_with(b"{") {
            serde_json::from_slice::<IgnoredAny>(&self.text).map_err(|error| self.fault(&error))?;
            let what = "a record is a JSON object".into();
            return Err(TraceError::Malformed { at: self.here(1), what });
        }
        serde_json::from_slice(&self.text).map_err(|error| self.fault(&error))
    }

    /// Refuses a field that `T` does not read.
    pub(super) fn check_fields<T: for<'a> Deserialize<'a>>(&self) -> Result<(), TraceError> {
        let json = serde_json::from_slice(&self.text).map_err(|error| self.fault(&error))?;
        let Some(Unknown { path, known }) = fields::unknown::<T>(&json) else { return Ok(()) };
        let at = self.here(fields::offset_of(&self.text, &path).unwrap_or_default() + 1);
        let field = path.last().map(ToString::to_string).unwrap_or_default();
        let hint = fields::hint(&field, known);
        Err(TraceError::UnknownField { at, field, hint })
    }

    fn fault(&self, error: &serde_json::Error) -> TraceError {
        let at = self.here(error.column());
        let with_place = error.to_string();
        let what = with_place
            .strip_suffix(&format!(" at line {} column {}", error.line(), error.column()))
            .unwrap_or(&with_place)
            .to_owned();
        match error.classify() {
            Category::Eof if !self.terminated => {
                TraceError::CutShort { at, what: "the last line is not complete".into() }
            }
            Category::Eof | Category::Syntax | Category::Io => TraceError::NotJson { at, what },
            Category::Data => TraceError::Malformed { at, what },
        }
    }

    /// Refuses what a reader that knows only floating point would round.
    pub(super) fn check_numbers(&self) -> Result<(), TraceError> {
        match too_large(&self.text) {
            None => Ok(()),
            Some((at, number)) => Err(TraceError::NumberTooLarge { at: self.here(at + 1), number }),
        }
    }

    /// Raft takes the id 0 for nobody.
    fn check_peers(&self, command: &Command, field: &str) -> Result<(), TraceError> {
        let zero = match command {
            Command::ChangePeer(change) => (change.peer == 0).then_some("peer"),
            Command::EnterJoint { changes } => {
                changes.iter().any(|change| change.peer == 0).then_some("peer")
            }
            Command::Split { children, .. } => {
                let region = children.iter().any(|child| child.region == 0).then_some("region");
                region.or(children.iter().any(|child| child.peers.contains(&0)).then_some("peer"))
            }
            _ => None,
        };
        match zero {
            None => Ok(()),
            Some(kind) => {
                let what = format!("a {kind} id is 0, and ids begin at 1");
                Err(TraceError::Malformed { at: self.column_of(field), what })
            }
        }
    }

    pub(super) fn check_stores(
        &self,
        named: &[StoreId],
        known: &[StoreId],
        field: &str,
    ) -> Result<(), TraceError> {
        match named.iter().find(|store| !known.contains(store)) {
            None => Ok(()),
            Some(&store) => {
                Err(TraceError::UnknownStore { at: self.column_of(field), store, known: known.to_vec() })
            }
        }
    }
}

/// The first number of a JSON text that is not below [`NUMBER_LIMIT`], with its place.
pub(super) fn too_large(json: &[u8]) -> Option<(usize, String)> {
    let mut at = 0;
    while at < json.len() {
        match json[at] {
            b'"' => {
                at += 1;
                while at < json.len() && json[at] != b'"' {
                    at += if json[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = &json[at..];
                let length = rest
                    .iter()
                    .position(|byte| !matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
                    .unwrap_or(rest.len());
                let number = String::from_utf8_lossy(&rest[..length]);
                let digits = number.trim_start_matches('-');
                let large = match digits.parse::<u64>() {
                    Ok(number) => number >= NUMBER_LIMIT,
                    Err(_) => digits.parse::<f64>().is_ok_and(|number| number >= NUMBER_LIMIT as f64),
                };
                if large {
                    return Some((at, number.into_owned()));
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}
