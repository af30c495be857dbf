//! What processes say to each other before the search.
//!
//! A word begins with a line that names this protocol, and has a length and JSON. The search itself
//! needs no versions, because the handshake demands one program: the checksum of the executable is
//! compared, not the version alone. Fingerprints say who owns a state, and they depend on how the
//! compiler laid out and hashed every part; so do the order of a part's fields and timely's messages.

use std::io::{self, Read, Write};

use rollcall_model::Rollcall;
use serde::{Deserialize, Serialize};

use super::agreeing::nonce;
use crate::explorer::Seat;
use crate::journal::{Header, Run};

const MAGIC: &[u8; 17] = b"rollcall hosts 1\n";
/// A scope with its setup has some kilobytes.
const LONGEST: u32 = 1 << 22;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Word {
    Hello(Box<Hello>),
    /// The sender knows everybody, and all are about to do the same.
    Ready,
    /// The sender has ended, and why.
    Stop(String),
}

/// What a process is about to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) process: usize,
    processes: usize,
    workers: usize,
    explored: Header,
    /// Makes the number of a run one that no other run has.
    pub(super) nonce: u64,
    /// The runs in its journal, if it keeps one.
    pub(super) runs: Option<Vec<Run>>,
}

impl Hello {
    pub(super) fn new(seat: Seat, model: &Rollcall, runs: Option<Vec<Run>>) -> Self {
        let Seat { process, processes, workers } = seat;
        Self { process, processes, workers, explored: Header::of(model, false), nonce: nonce(), runs }
    }

    /// How another process differs.
    pub(super) fn differs(&self, theirs: &Self) -> Option<String> {
        let (explored, other) = (&self.explored, &theirs.explored);
        Some(match () {
            () if other.program != explored.program => {
                format!("it is another build ({}, this is {})", other.program, explored.program)
            }
            () if other != explored => {
                let what = explored.differs(other).unwrap_or_else(|| "something differs".into());
                format!("it explores something else: {what}")
            }
            () if theirs.processes != self.processes => {
                format!("its file names {} hosts, not {}", theirs.processes, self.processes)
            }
            () if theirs.workers != self.workers => {
                format!("it has {} workers, not {}", theirs.workers, self.workers)
            }
            () if theirs.runs.is_some() && self.runs.is_none() => {
                "it keeps a journal (`--resume`), and this one does not".into()
            }
            () if theirs.runs.is_none() && self.runs.is_some() => {
                "it keeps no journal (`--resume`), and this one does".into()
            }
            () => return None,
        })
    }
}

/// Why no word was read.
#[derive(Debug)]
pub(super) enum Unread {
    /// Somebody else speaks.
    Foreign,
    /// A word of another version.
    OtherVersion,
    Io,
}

impl Word {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let json = serde_json::to_vec(self).expect("a scope becomes JSON, as in traces");
        let length = (json.len() as u32).to_le_bytes();
        to.write_all(&[&MAGIC[..], &length, &json].concat())
    }

    pub(super) fn read(from: &mut impl Read) -> Result<Self, Unread> {
        let (mut magic, mut length) = ([0; MAGIC.len()], [0; 4]);
        from.read_exact(&mut magic).map_err(|_| Unread::Io)?;
        let version = MAGIC.len() - 2;
        match () {
            () if magic == *MAGIC => {}
            () if magic[..version] == MAGIC[..version] => return Err(Unread::OtherVersion),
            () => return Err(Unread::Foreign),
        }
        from.read_exact(&mut length).map_err(|_| Unread::Io)?;
        let length = u32::from_le_bytes(length);
        if length > LONGEST {
            return Err(Unread::Foreign);
        }
        let mut json = vec![0; length as usize];
        from.read_exact(&mut json).map_err(|_| Unread::Io)?;
        serde_json::from_slice(&json).map_err(|_| Unread::OtherVersion)
    }
}
