//! The lines of a trace file: numbered, bounded and parsed one by one.

use std::io::{BufRead, Read as _};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use super::fields::{self, Unknown};
use super::input::{FILE_LIMIT, LINE_LIMIT};
use super::pd_json;
use super::{FilePosition, NUMBER_LIMIT, TraceError};
use crate::command::Command;
use crate::region::StoreId;

/// The byte order mark that some editors write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line that was read, kept for an error that is found later.
#[derive(Clone, Debug)]
pub(crate) struct PlacedLine {
    text: Vec<u8>,
    at: FilePosition,
}

impl PlacedLine {
    /// The position of `field` in the line, or of the line if it lacks the field.
    pub(crate) fn position_of(&self, field: &str) -> FilePosition {
        FilePosition { column: column_of(&self.text, field), ..self.at.clone() }
    }
}

/// The column of `field`'s value, or 1.
fn column_of(line: &[u8], field: &str) -> u64 {
    let quoted = format!("\"{field}\"");
    let text = String::from_utf8_lossy(line);
    let column = text.match_indices(&quoted).find_map(|(at, _)| {
        let rest = text[at + quoted.len()..].trim_start().strip_prefix(':')?.trim_start();
        Some(text.len() - rest.len() + 1)
    });
    column.unwrap_or(1) as u64
}

/// The non-blank lines of the input, with the current position.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    file: String,
    number: u64,
    /// The bytes read so far.
    bytes: u64,
    pub(super) text: Vec<u8>,
    /// The text differs from the file, so columns are unknown.
    rewritten: bool,
    /// The line ended with a line feed, so nothing of it was cut off.
    terminated: bool,
}

impl<R: BufRead> Lines<R> {
    /// Starts before the first line of `input`; errors call it `name`.
    pub(super) fn new(input: R, name: &str) -> Self {
        Self {
            input,
            file: name.into(),
            number: 0,
            bytes: 0,
            text: Vec::new(),
            rewritten: false,
            terminated: true,
        }
    }

    /// Advances to the next non-blank line; `false` at the end.
    pub(super) fn advance(&mut self) -> Result<bool, TraceError> {
        loop {
            self.text.clear();
            self.rewritten = false;
            let number = self.number + 1;
            let read = (&mut self.input).take(LINE_LIMIT + 1).read_until(b'\n', &mut self.text);
            let read =
                read.map_err(|source| TraceError::Unreadable { at: self.position(number, 1), source })?;
            self.bytes += read as u64;
            if read as u64 > LINE_LIMIT {
                return Err(TraceError::TooLong {
                    at: self.position(number, 1),
                    what: "line",
                    limit: LINE_LIMIT,
                });
            }
            if self.bytes > FILE_LIMIT {
                return Err(TraceError::TooLong {
                    at: self.position(number, 1),
                    what: "file",
                    limit: FILE_LIMIT,
                });
            }
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            if self.number == 1 && self.text.starts_with(BYTE_ORDER_MARK) {
                self.text.drain(..BYTE_ORDER_MARK.len());
            }
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
    pub(super) fn position(&self, line: u64, column: u64) -> FilePosition {
        FilePosition { file: self.file.clone(), line, column }
    }

    /// The position after the last line.
    pub(super) fn after(&self) -> FilePosition {
        self.position(self.number + 1, 1)
    }

    pub(super) fn here(&self, column: usize) -> FilePosition {
        self.position(self.number, column.max(1) as u64)
    }

    /// The position of `field`'s value, or the start of the line.
    pub(super) fn column_of(&self, field: &str) -> FilePosition {
        self.here(if self.rewritten { 1 } else { column_of(&self.text, field) as usize })
    }

    pub(super) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, TraceError> {
        if !self.text.trim_ascii_start().starts_with(b"{") {
            serde_json::from_slice::<IgnoredAny>(&self.text).map_err(|error| self.fault(&error))?;
            let what = "a record is a JSON object".into();
            return Err(TraceError::Malformed { at: self.here(1), what });
        }
        serde_json::from_slice(&self.text).map_err(|error| self.fault(&error))
    }

    /// The line, for an error that is found later.
    pub(super) fn placed(&self) -> PlacedLine {
        let text = if self.rewritten { Vec::new() } else { self.text.clone() };
        PlacedLine { text, at: self.here(1) }
    }

    /// Rewrites pd-ctl's JSON in a header into a scope's.
    pub(super) fn rewrite_pd_json(&mut self) -> Result<(), TraceError> {
        let Ok(mut header) = serde_json::from_slice(&self.text) else { return Ok(()) };
        let malformed = |what| TraceError::Malformed { at: self.column_of("scope"), what };
        if pd_json::rewrite(&mut header).map_err(malformed)? {
            self.text = header.to_string().into_bytes();
            self.rewritten = true;
        }
        Ok(())
    }

    /// Rejects a field that `T` does not read.
    pub(super) fn check_fields<T: for<'a> Deserialize<'a>>(&self) -> Result<(), TraceError> {
        let json = serde_json::from_slice(&self.text).map_err(|error| self.fault(&error))?;
        let Some(Unknown { path, known }) = fields::unknown::<T>(&json) else { return Ok(()) };
        let at = fields::offset_of(&self.text, &path).filter(|_| !self.rewritten).unwrap_or_default();
        let at = self.here(at + 1);
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
            Category::Data => {
                let what = fields::unknown_name(&what).unwrap_or(what);
                TraceError::Malformed { at, what }
            }
        }
    }

    /// Rejects numbers that a reader with floating point would round.
    pub(super) fn check_numbers(&self) -> Result<(), TraceError> {
        match too_large(&self.text) {
            None => Ok(()),
            Some((at, number)) => Err(TraceError::NumberTooLarge { at: self.here(at + 1), number }),
        }
    }

    /// Rejects peer id 0: Raft uses it for no peer.
    pub(super) fn check_peers(&self, command: &Command, field: &str) -> Result<(), TraceError> {
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

/// The first number of a JSON text that is at least [`NUMBER_LIMIT`], with its offset.
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
