//! Everything that can be wrong with a trace file, each with its place.

use std::fmt;

use thiserror::Error;

use super::NUMBER_LIMIT;
use crate::region::StoreId;
use crate::scope::ScopeError;

/// A place in a trace file. Line and column count from 1, the column in bytes.
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

/// A trace file that cannot be read or written.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The operating system refuses to read.
    #[error("{at}: cannot be read: {source}")]
    Unreadable {
        /// Where reading stopped.
        at: FilePosition,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system refuses to write.
    #[error("{file}: cannot be written: {source}; nothing was left behind")]
    Unwritable {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("{at}: the file is empty; a trace begins with a header")]
    Empty {
        /// The place.
        at: FilePosition,
    },
    /// It is longer than what is read.
    #[error("{at}: the {what} is longer than {limit} bytes, the most that is read; is it a trace?")]
    TooLong {
        /// The place.
        at: FilePosition,
        /// The line or the file.
        what: &'static str,
        /// The most that is read.
        limit: u64,
    },
    /// A line is not JSON.
    #[error("{at}: not JSON: {what}")]
    NotJson {
        /// The place.
        at: FilePosition,
        /// What the parser says.
        what: String,
    },
    /// The file ends within a record, or before the verdict of a recorded run.
    #[error("{at}: cut short: {what}; record or copy it again")]
    CutShort {
        /// The place.
        at: FilePosition,
        /// What is missing.
        what: String,
    },
    /// A line is JSON, but no record of a trace.
    #[error("{at}: no valid record: {what}")]
    Malformed {
        /// The place.
        at: FilePosition,
        /// What is wrong.
        what: String,
    },
    /// A record has a field that nobody reads.
    #[error("{at}: there is no field `{field}` here; {hint}")]
    UnknownField {
        /// The place.
        at: FilePosition,
        /// The field.
        field: String,
        /// The nearest name, or all that there are.
        hint: String,
    },
    /// A settle stands where only steps can be read.
    #[error("{at}: only a replay on the model can fill in a settle: replay the scenario with `--out`")]
    Settles {
        /// The place.
        at: FilePosition,
    },
    /// The header names another schema or major version, or none.
    #[error("{at}: schema is {found}, and this reads `{reads}`; {}", what_to_do(found, reads))]
    WrongSchema {
        /// The place.
        at: FilePosition,
        /// What the header says, quoted.
        found: String,
        /// What is read here.
        reads: &'static str,
    },
    /// The first record is no header.
    #[error("{at}: no header: the first record is `{found}`; a trace begins with a header")]
    NoHeader {
        /// The place.
        at: FilePosition,
        /// The first record's kind.
        found: String,
    },
    /// There is a second header.
    #[error("{at}: a second header; two traces were put into one file: split them")]
    HeaderTwice {
        /// The place.
        at: FilePosition,
    },
    /// Something follows the verdict.
    #[error("{at}: a `{found}` after the verdict; the verdict must be the last record")]
    BehindVerdict {
        /// The place.
        at: FilePosition,
        /// The record's kind.
        found: String,
    },
    /// The steps are not counted one by one from 1.
    #[error("{at}: step {found} where step {expected} belongs; a step is missing or out of place")]
    StepOutOfOrder {
        /// The place.
        at: FilePosition,
        /// The index that belongs here.
        expected: u64,
        /// The index that stands here.
        found: u64,
    },
    /// A store is named that the scope does not have.
    #[error("{at}: store {store} is not among the scope's stores {known:?}")]
    UnknownStore {
        /// The place.
        at: FilePosition,
        /// The store.
        store: StoreId,
        /// The scope's stores.
        known: Vec<StoreId>,
    },
    /// A number is too large for readers that know only floating point.
    #[error("{at}: the number {number} is not below 2^53 ({NUMBER_LIMIT})")]
    NumberTooLarge {
        /// The place.
        at: FilePosition,
        /// The number, as it stands there.
        number: String,
    },
    /// The scope of the header cannot be begun.
    #[error("{at}: {source}")]
    BadScope {
        /// The place.
        at: FilePosition,
        /// What is wrong with it.
        source: ScopeError,
    },
}

/// A run is no trace, and a trace no run; else it is another version's.
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
    /// Whether it is a recorded run, and was read for a trace.
    pub fn is_a_run(&self) -> bool {
        matches!(self, TraceError::WrongSchema { found, .. } if what_to_do(found, super::SCHEMA).contains("run"))
    }

    /// Where it is; `None` for a file that cannot be written.
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
