//! A peer's log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::region::{Epoch, RegionId};

/// The index and term of one log entry.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct LogPosition {
    /// The index.
    pub index: u64,
    /// The term.
    pub term: u64,
}

/// A Raft log: the truncated prefix and the entries after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Log {
    /// The last truncated entry; index 0 if nothing was truncated.
    pub truncated: LogPosition,
    /// The entries from `truncated.index + 1` on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
}

impl Log {
    /// The index of the last entry, truncated or not.
    pub fn last_index(&self) -> u64 {
        self.truncated.index + self.entries.len() as u64
    }

    /// The term of the last entry, truncated or not.
    pub fn last_term(&self) -> u64 {
        self.entries.last().map_or(self.truncated.term, |entry| entry.term)
    }

    /// The term of the entry at `index`; `None` if it is truncated or absent. The last truncated
    /// entry's term is known.
    pub fn term(&self, index: u64) -> Option<u64> {
        if index == self.truncated.index {
            return Some(self.truncated.term);
        }
        self.entry(index).map(|entry| entry.term)
    }

    /// The entry at `index`; `None` if it is truncated or absent.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        let offset = index.checked_sub(self.truncated.index + 1)?;
        self.entries.get(offset as usize)
    }

    /// The entries with their indexes.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        (self.truncated.index + 1..).zip(&self.entries)
    }

    /// The regions that entries after `index` merge into this one by a `CommitMerge`.
    pub fn merged_after(&self, index: u64) -> impl Iterator<Item = RegionId> {
        let entries = self.iter().filter(move |(at, _)| *at > index);
        entries.filter_map(|(_, entry)| match &entry.command {
            Some(Command::CommitMerge { source, .. }) => Some(source.id),
            _ => None,
        })
    }
}

/// One log entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The term in which it was proposed.
    pub term: u64,
    /// Its command; `None` for the empty entry of a new leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// The epoch under which it was proposed; zero for an empty entry.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: Epoch,
}

fn is_zero(epoch: &Epoch) -> bool {
    *epoch == Epoch::default()
}

impl Entry {
    /// Whether it has an `Apply` of its own.
    pub fn is_admin(&self) -> bool {
        self.command.as_ref().is_some_and(Command::is_admin)
    }

    /// Whether it changes the members.
    pub fn is_conf_change(&self) -> bool {
        self.command.as_ref().is_some_and(Command::is_conf_change)
    }
}
