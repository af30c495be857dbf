//! The errors of a trace file, each with its position.

use std::fmt;

use thiserror::Error;

use super::NUMBER_LIMIT;
use crate::region::StoreId;
use crate::scope::ScopeError;

/// A position in a trace file. Line and column count from 1, the column in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePosition {
    /// The file's name, as the caller gave it.
    pub file: String,
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// An error in reading or writing a trace file.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The operating system reports an error on reading.
    #[error("{at}: cannot be read: {source}")]
    Unreadable {
        /// Where reading stopped.
        at: FilePosition,
        /// The error.
        source: std::io::Error,
    },
    /// The operating system reports an error on writing.
    #[error("{file}: cannot be written: {source}; nothing was left behind")]
    Unwritable {
        /// The file.
        file: String,
        /// The error.
        source: std::io::Error,
    },
    /// The file is empty.
    #[error("{at}: the file is empty; a trace begins with a header")]
    Empty {
        /// The position.
        at: FilePosition,
    },
    /// A line or the file is too long.
    #[error("{at}: the {what} is longer than {limit} bytes, the most that is read; is it a trace?")]
    TooLong {
        /// The position.
        at: FilePosition,
        /// `line` or `file`.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// A line is not JSON.
    #[error("{at}: not JSON: {what}")]
    NotJson {
        /// The position.
        at: FilePosition,
        /// The parser's message.
        what: String,
    },
    /// The file ends within a record, or a recorded run ends before its verdict.
    #[error("{at}: cut short: {what}; record or copy it again")]
    CutShort {
        /// The position.
        at: FilePosition,
        /// What is missing.
        what: String,
    },
    /// A line is JSON, but not a record of a trace.
    #[error("{at}: no valid record: {what}")]
    Malformed {
        /// The position.
        at: FilePosition,
        /// What is wrong.
        what: String,
    },
    /// A record has an unknown field.
    #[error("{at}: there is no field `{field}` here; {hint}")]
    UnknownField {
        /// The position.
        at: FilePosition,
        /// The field.
        field: String,
        /// The nearest known name, or all known names.
        hint: String,
    },
    /// A settle line stands where only steps are allowed.
    #[error("{at}: only a replay on the model can fill in a settle: replay the scenario with `--out`")]
    Settles {
        /// The position.
        at: FilePosition,
    },
    /// The header has another schema or major version, or none.
    #[error("{at}: schema is {found}, and this reads `{reads}`; {}", what_to_do(found, reads))]
    WrongSchema {
        /// The position.
        at: FilePosition,
        /// The schema in the header, quoted.
        found: String,
        /// The schema that is expected here.
        reads: &'static str,
    },
    /// The first record is not a header.
    #[error("{at}: no header: the first record is `{found}`; a trace begins with a header")]
    NoHeader {
        /// The position.
        at: FilePosition,
        /// The kind of the first record.
        found: String,
    },
    /// There is a second header.
    #[error("{at}: a second header; two traces were put into one file: split them")]
    HeaderTwice {
        /// The position.
        at: FilePosition,
    },
    /// A record follows the verdict.
    #[error("{at}: a `{found}` after the verdict; the verdict must be the last record")]
    BehindVerdict {
        /// The position.
        at: FilePosition,
        /// The record's kind.
        found: String,
    },
    /// The step indexes do not count up from 1.
    #[error("{at}: step {found} where step {expected} belongs; a step is missing or out of place")]
    StepOutOfOrder {
        /// The position.
        at: FilePosition,
        /// The expected index.
        expected: u64,
        /// The actual index.
        found: u64,
    },
    /// The scope does not have a store that is named.
    #[error("{at}: store {store} is not among the scope's stores {known:?}")]
    UnknownStore {
        /// The position.
        at: FilePosition,
        /// The store.
        store: StoreId,
        /// The scope's stores.
        known: Vec<StoreId>,
    },
    /// A number is too large for a reader that uses floating point.
    #[error("{at}: the number {number} is not below 2^53 ({NUMBER_LIMIT})")]
    NumberTooLarge {
        /// The position.
        at: FilePosition,
        /// The number, as written.
        number: String,
    },
    /// The scope in the header is invalid.
    #[error("{at}: {source}")]
    BadScope {
        /// The position.
        at: FilePosition,
        /// The error.
        source: ScopeError,
    },
}

/// The hint for a wrong schema: a run is not a trace, a trace is not a run, or the version differs.
fn what_to_do(found: &str, reads: &str) -> &'static str {
    let is = |schema: &str| found.trim_matches('`').split('.').next() == Some(schema) && reads != schema;
    if is(crate::run::RUN_SCHEMA) {
        "it is a recorded run: `rollcall accept` judges it, `rollcall show` shows it"
    } else if is(super::SCHEMA) {
        "it is a trace: `rollcall replay` takes it on the implementation"
    } else {
        "use the version that wrote it"
    }
}

impl TraceError {
    /// Whether the file is a recorded run that was read as a trace.
    pub fn is_a_run(&self) -> bool {
        matches!(self, TraceError::WrongSchema { found, .. } if what_to_do(found, super::SCHEMA).contains("run"))
    }

    /// The position; `None` for a file that cannot be written.
    pub fn position(&self) -> Option<&FilePosition> {
        match self {
            TraceError::Unwritable { .. } => None,
            TraceError::Unreadable { at, .. }
            | TraceError::Empty { at }
            | TraceError::TooLong { at, .. }
            | TraceError::NotJson { at, .. }
            | TraceError::CutShort { at, .. }
            | TraceError::Malformed { at, .. }
            | TraceError::UnknownField { at, .. }
            | TraceError::Settles { at }
            | TraceError::WrongSchema { at, .. }
            | TraceError::NoHeader { at, .. }
            | TraceError::HeaderTwice { at }
            | TraceError::BehindVerdict { at, .. }
            | TraceError::StepOutOfOrder { at, .. }
            | TraceError::UnknownStore { at, .. }
            | TraceError::NumberTooLarge { at, .. }
            | TraceError::BadScope { at, .. } => Some(at),
        }
    }
}
