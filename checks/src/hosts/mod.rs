//! One search on several machines: the file of hosts, and the handshake before the search.
//!
//! One command runs for each line of the file, and its number is the line's among all hosts, from 0.
//! Each listens at its own address and connects to those before it (`meeting.rs`). They compare what
//! they are about to do: rows, fingerprints and definitions of parts are only understood by the same
//! program on the same scope (`words.rs`). Where each has a journal, they agree where to continue
//! (`agreeing.rs`).

mod agreeing;
#[cfg(test)]
mod lasting;
mod meeting;
#[cfg(test)]
mod tests;
mod words;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use meeting::{Meeting, MeetingError};

/// Where each process listens, by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

/// Why a file of hosts cannot be used.
#[derive(Debug, Error)]
pub enum HostsError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is wrong.
    #[error("{path}: line {line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// It names nobody.
    #[error("{path}: it names no host; write one HOST:PORT a line")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl Hosts {
    /// Reads a file: one `HOST:PORT` a line. Empty lines, and those that begin with `#`, do not count.
    ///
    /// # Errors
    /// If it cannot be read, or a line is wrong.
    pub fn read(path: &Path) -> Result<Self, HostsError> {
        let io = |source| HostsError::Io { path: path.into(), source };
        Self::parse(path, &std::fs::read_to_string(path).map_err(io)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, HostsError> {
        let mut hosts: Vec<(usize, String)> = Vec::new();
        for (line, host) in (1..).zip(text.lines().map(str::trim)) {
            if host.is_empty() || host.starts_with('#') {
                continue;
            }
            let what = match hosts.iter().find(|(_, other)| other == host) {
                Some((other, _)) => Some(format!("`{host}` is in line {other} already")),
                None => fault(host),
            };
            if let Some(what) = what {
                return Err(HostsError::Line { path: path.into(), line, what });
            }
            hosts.push((line, host.into()));
        }
        if hosts.is_empty() {
            return Err(HostsError::Empty { path: path.into() });
        }
        Ok(Self(hosts.into_iter().map(|(_, host)| host).collect()))
    }

    /// How many processes there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// A process with its address, for messages.
    pub fn called(&self, process: usize) -> String {
        format!("process {process} ({})", self.0[process])
    }
}

/// What is wrong with a host.
fn fault(host: &str) -> Option<String> {
    let Some((name, port)) = host.rsplit_once(':') else {
        return Some(format!("`{host}` has no port; write HOST:PORT"));
    };
    let is_bracketed = name.starts_with('[') && name.ends_with(']');
    if name.is_empty() || name.contains(char::is_whitespace) || (name.contains(':') && !is_bracketed) {
        return Some(format!("`{name}` is no host; write HOST:PORT"));
    }
    match port.parse::<u16>() {
        Ok(1..) => None,
        _ => Some(format!("`{port}` is no port from 1 to 65535")),
    }
}
