//! Writes a trace file record by record.
//!
//! The file is written under a temporary name and renamed when it is complete, so a run that fails
//! or is stopped leaves nothing behind.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::lines::too_large;
use super::{FilePosition, Header, Step, TraceError, Verdict};

/// Writes a trace to any output.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    name: String,
    /// The number of records written.
    lines: u64,
    buffer: Vec<u8>,
}

#[derive(Serialize)]
struct Tagged<'a, T> {
    record: &'static str,
    #[serde(flatten)]
    content: &'a T,
}

impl<W: Write> Writer<W> {
    /// Writes the header; errors call the output `name`.
    ///
    /// # Errors
    ///
    /// If the output cannot be written, or a number is too large for a trace.
    pub fn new(output: W, name: &str, header: &Header) -> Result<Self, TraceError> {
        Self::begin(output, name, header)
    }

    /// The same for a header of any kind.
    pub(super) fn begin<H: Serialize>(output: W, name: &str, header: &H) -> Result<Self, TraceError> {
        let mut writer = Self { output, name: name.into(), lines: 0, buffer: Vec::new() };
        writer.write("header", header)?;
        Ok(writer)
    }

    /// Writes the next step.
    ///
    /// # Errors
    ///
    /// As [`Writer::new`].
    ///
    /// # Panics
    ///
    /// If the step indexes do not count up from 1: such a file could not be read.
    pub fn step(&mut self, step: &Step) -> Result<(), TraceError> {
        assert_eq!(step.index, self.lines, "{}: steps are written one by one, from 1", self.name);
        self.write("step", step)
    }

    /// Writes the verdict, if there is one, and returns the flushed output.
    ///
    /// # Errors
    ///
    /// As [`Writer::new`].
    pub fn finish(mut self, verdict: Option<&Verdict>) -> Result<W, TraceError> {
        if let Some(verdict) = verdict {
            self.write("verdict", verdict)?;
        }
        match self.output.flush() {
            Ok(()) => Ok(self.output),
            Err(source) => Err(TraceError::Unwritable { file: self.name, source }),
        }
    }

    pub(super) fn write<T: Serialize>(
        &mut self,
        record: &'static str,
        content: &T,
    ) -> Result<(), TraceError> {
        self.buffer.clear();
        let unwritable = |source| TraceError::Unwritable { file: self.name.clone(), source };
        serde_json::to_writer(&mut self.buffer, &Tagged { record, content })
            .map_err(|error| unwritable(error.into()))?;
        if let Some((at, number)) = too_large(&self.buffer) {
            let at = FilePosition { file: self.name.clone(), line: self.lines + 1, column: at as u64 + 1 };
            return Err(TraceError::NumberTooLarge { at, number });
        }
        self.buffer.push(b'\n');
        self.output.write_all(&self.buffer).map_err(unwritable)?;
        self.lines += 1;
        Ok(())
    }
}

/// Writes a trace file, which appears only when it is finished.
#[derive(Debug)]
pub struct FileWriter {
    /// `None` after `finish`.
    writer: Option<Writer<BufWriter<File>>>,
    target: PathBuf,
    beside: PathBuf,
}

impl FileWriter {
    /// Starts writing the file at `target`. Until it is finished it has the suffix `.tmp`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written, or a number is too large for a trace.
    pub fn create(target: &Path, header: &Header) -> Result<Self, TraceError> {
        Self::begin(target, header)
    }

    /// The same for a header of any kind.
    pub(super) fn begin<H: Serialize>(target: &Path, header: &H) -> Result<Self, TraceError> {
        let mut beside = OsString::from(target.as_os_str());
        beside.push(".tmp");
        let name = target.display().to_string();
        let unwritable = |source| TraceError::Unwritable { file: name.clone(), source };
        if target.is_dir() {
            return Err(unwritable(std::io::ErrorKind::IsADirectory.into()));
        }
        let file = File::create(&beside).map_err(unwritable)?;
        let mut this = Self { writer: None, target: target.into(), beside: beside.into() };
        this.writer = Some(Writer::begin(BufWriter::new(file), &name, header)?);
        Ok(this)
    }

    /// Writes the next step.
    ///
    /// # Errors
    /// As [`FileWriter::create`].
    ///
    /// # Panics
    /// As [`Writer::step`].
    pub fn step(&mut self, step: &Step) -> Result<(), TraceError> {
        self.writer.as_mut().expect("taken only by finish").step(step)
    }

    /// Writes a record of any kind.
    pub(super) fn record<T: Serialize>(
        &mut self,
        record: &'static str,
        content: &T,
    ) -> Result<(), TraceError> {
        self.writer.as_mut().expect("taken only by finish").write(record, content)
    }

    /// Writes the verdict, if there is one, and renames the file to its target.
    ///
    /// # Errors
    ///
    /// As [`FileWriter::create`].
    pub fn finish(mut self, verdict: Option<&Verdict>) -> Result<(), TraceError> {
        let writer = self.writer.take().expect("taken only here");
        writer.finish(verdict)?;
        fs::rename(&self.beside, &self.target)
            .map_err(|source| TraceError::Unwritable { file: self.target.display().to_string(), source })
    }
}

impl Drop for FileWriter {
    /// Removes an unfinished file. After `finish` there is none.
    fn drop(&mut self) {
        self.writer = None;
        let _ = fs::remove_file(&self.beside);
    }
}
