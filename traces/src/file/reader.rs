//! Reads a trace file record by record, with one line in memory.
//!
//! A fault is reported at the first line that shows it. Reading ends there.

use std::borrow::Cow;
use std::io::BufRead;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::input::Input;
use super::lines::{Lines, PlacedLine};
use super::{FilePosition, Header, Record, SCHEMA, SettleLine, Step, TraceError, Verdict};
use crate::action::Action;
use crate::expect::Expect;

/// Reads a trace file. The header is read at once. The reader then iterates over the steps and the
/// verdict.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    /// The minor version is newer, so there may be unknown records.
    newer_minor: bool,
    next_index: u64,
    /// A view was read, so this is a recorded run and a verdict must follow.
    recorded: bool,
    ended: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    No,
    ByVerdict,
    ForGood,
}

/// The part of a line that is read before its kind is known.
#[derive(Deserialize)]
pub(super) struct Tag<'a> {
    #[serde(borrow)]
    pub(super) record: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) schema: Option<Cow<'a, str>>,
    #[serde(default)]
    settle: Option<IgnoredAny>,
}

impl Reader<Input> {
    /// Opens a trace file (`-` is standard input) and reads its header.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or does not begin with a valid header.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let (input, name) = Input::open(path)?;
        Self::new(input, &name)
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
            return Err(TraceError::Empty { at: lines.position(1, 1) });
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
        lines.rewrite_pd_json()?;
        lines.check_numbers()?;
        let header: Header = lines.parse()?;
        if !newer_minor {
            lines.check_fields::<Header>()?;
        }
        header
            .scope
            .validate()
            .map_err(|source| TraceError::BadScope { at: lines.column_of("scope"), source })?;
        for action in &header.scope.setup {
            lines.check_stores(&action.stores(), &header.scope.stores, "setup")?;
            if let Action::Propose { command, .. } = action {
                lines.check_peers(command, "setup")?;
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

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header, after the records have been read.
    pub fn into_header(self) -> Header {
        self.header
    }

    /// The last line that was read.
    pub(crate) fn line(&self) -> PlacedLine {
        self.lines.placed()
    }

    /// The position of the last record, or of its `field` if it has it.
    pub fn position_of(&self, field: &str) -> FilePosition {
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

    /// Parses a record of a kind. An unknown field is an error unless the minor version is newer.
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
                format!("the verdict names a step that does not exist; the last is {}", self.next_index - 1);
            return Err(TraceError::Malformed { at: self.lines.column_of("at"), what });
        }
        self.ended = Ended::ByVerdict;
        Ok(Record::Verdict(verdict))
    }

    /// Checks at the end of the file that nothing is missing.
    fn end(&mut self) -> Result<(), TraceError> {
        if self.recorded && self.ended == Ended::No {
            let what =
                format!("a recorded trace needs a verdict, and none follows step {}", self.next_index - 1);
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

/// `Some(is the minor version newer)` if the schema is known.
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
