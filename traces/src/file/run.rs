//! The run file: JSON Lines like a trace file, with events instead of steps, and a last record that
//! counts them.

use std::io::BufRead;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::TraceError;
use super::input::Input;
use super::lines::Lines;
use super::reader::{Tag, known_schema};
use super::writer::{FileWriter, Writer};
use crate::region::StoreId;
use crate::run::{Event, RUN_SCHEMA, Run, RunHeader, Sent};

/// The last record. A file without it was cut short.
#[derive(Serialize, Deserialize)]
struct End {
    events: u64,
}

impl Run {
    /// Reads a run file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is not a run. The error has the line and column.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let (input, name) = Input::open(path)?;
        Self::from(input, &name)
    }

    /// Reads a run from memory; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Run::read`].
    pub fn parse(name: &str, text: &str) -> Result<Self, TraceError> {
        Self::from(text.as_bytes(), name)
    }

    fn from<R: BufRead>(input: R, name: &str) -> Result<Self, TraceError> {
        let mut lines = Lines::new(input, name);
        let header = header(&mut lines)?;
        let mut events: Vec<Event> = Vec::new();
        loop {
            if !lines.advance()? {
                let what = format!("no end follows event {}", events.len());
                return Err(TraceError::CutShort { at: lines.after(), what });
            }
            let record = lines.parse::<Tag<'_>>()?.record.into_owned();
            lines.check_numbers()?;
            match record.as_str() {
                "event" => events.push(event(&lines, events.len() as u64 + 1, &header.scope.stores)?),
                "end" => break,
                "header" => return Err(TraceError::HeaderTwice { at: lines.here(1) }),
                _ => {
                    let what = format!("there is no record `{record}`, only `header`, `event` and `end`");
                    return Err(TraceError::Malformed { at: lines.column_of("record"), what });
                }
            }
        }
        let end: End = lines.parse()?;
        if end.events != events.len() as u64 {
            let what = format!("it says {} events, and there are {}", end.events, events.len());
            return Err(TraceError::CutShort { at: lines.column_of("events"), what });
        }
        if lines.advance()? {
            return Err(TraceError::Malformed {
                at: lines.here(1),
                what: "something follows the end".into(),
            });
        }
        Ok(Self { header, events })
    }

    /// Writes the run to a file, completely or not at all.
    ///
    /// # Errors
    ///
    /// If the file cannot be written. Nothing is left behind then.
    pub fn write(&self, path: &Path) -> Result<(), TraceError> {
        let mut file = FileWriter::begin(path, &self.header)?;
        for event in &self.events {
            file.record("event", event)?;
        }
        file.record("end", &End { events: self.events.len() as u64 })?;
        file.finish(None)
    }

    /// The text of the run file.
    ///
    /// # Errors
    ///
    /// If a number is too large for a trace.
    pub fn to_text(&self) -> Result<String, TraceError> {
        let mut writer = Writer::begin(Vec::new(), "memory", &self.header)?;
        for event in &self.events {
            writer.write("event", event)?;
        }
        writer.write("end", &End { events: self.events.len() as u64 })?;
        Ok(String::from_utf8(writer.finish(None)?).expect("JSON is UTF-8"))
    }
}

fn header<R: BufRead>(lines: &mut Lines<R>) -> Result<RunHeader, TraceError> {
    if !lines.advance()? {
        return Err(TraceError::Empty { at: lines.after() });
    }
    let tag: Tag<'_> = lines.parse()?;
    if tag.record != "header" {
        return Err(TraceError::NoHeader { at: lines.here(1), found: tag.record.into_owned() });
    }
    if known_schema(RUN_SCHEMA, tag.schema.as_deref()).is_none() {
        let found = tag.schema.as_deref().map_or("not given".into(), |found| format!("`{found}`"));
        return Err(TraceError::WrongSchema { at: lines.column_of("schema"), found, reads: RUN_SCHEMA });
    }
    lines.check_numbers()?;
    let header: RunHeader = lines.parse()?;
    header
        .scope
        .validate()
        .map_err(|source| TraceError::BadScope { at: lines.column_of("scope"), source })?;
    Ok(header)
}

fn event<R>(lines: &Lines<R>, expected: u64, known: &[StoreId]) -> Result<Event, TraceError> {
    let event: Event = lines.parse()?;
    if event.index != expected {
        let found = event.index;
        return Err(TraceError::StepOutOfOrder { at: lines.column_of("index"), expected, found });
    }
    lines.check_stores(&event.event.stores(), known, "event")?;
    // The placement driver is not a store. Its messages come from store 0.
    let sender = |sent: &Sent| Some(sent.message.from.store).filter(|_| !sent.message.is_from_pd());
    let ends = |sent: &Sent| sender(sent).into_iter().chain([sent.message.to.store]).collect::<Vec<_>>();
    lines.check_stores(&event.sent.iter().flat_map(ends).collect::<Vec<_>>(), known, "sent")?;
    lines.check_stores(&event.facts.iter().map(|facts| facts.store).collect::<Vec<_>>(), known, "facts")?;
    Ok(event)
}
