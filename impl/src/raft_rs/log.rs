//! A peer's log in memory: the last truncated position, the entries after it, and the decoded
//! content of each.
//!
//! Left out: raft's unstable entries, which it has not handed over yet.

use raft::eraftpb::Entry;

use crate::proto::command::Payload;
use crate::proto::position::Position;

/// A peer's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    truncated: Position,
    entries: Vec<Entry>,
    payloads: Vec<Payload>,
}

impl Log {
    /// The log after `truncated`.
    pub(crate) fn new(truncated: Position, entries: Vec<Entry>) -> Self {
        let payloads = entries.iter().map(Payload::of).collect();
        Self { truncated, entries, payloads }
    }

    /// The last truncated entry.
    pub(crate) fn truncated(&self) -> Position {
        self.truncated
    }

    /// The index of the last entry, truncated or not.
    pub(crate) fn last_index(&self) -> u64 {
        self.truncated.index + self.entries.len() as u64
    }

    /// The entries with their content.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&Entry, &Payload)> {
        self.entries.iter().zip(&self.payloads)
    }

    /// The term of the entry at `index`, including the last truncated one.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        if index == self.truncated.index {
            return Some(self.truncated.term);
        }
        self.at(index).map(|at| self.entries[at].term)
    }

    /// The content of the entry at `index`.
    pub(crate) fn payload(&self, index: u64) -> Option<&Payload> {
        self.at(index).map(|at| &self.payloads[at])
    }

    /// The entries from `low` to before `high`, which must exist.
    pub(crate) fn slice(&self, low: u64, high: u64) -> &[Entry] {
        let first = self.truncated.index + 1;
        &self.entries[low.wrapping_sub(first) as usize..high.wrapping_sub(first) as usize]
    }

    /// Appends entries, after discarding all from the first one's index on.
    pub(crate) fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        assert!(
            first.index > self.truncated.index && first.index <= self.last_index() + 1,
            "entry {} does not join a log that ends at {} and is truncated at {}",
            first.index,
            self.last_index(),
            self.truncated.index
        );
        let keep = (first.index - self.truncated.index - 1) as usize;
        self.entries.truncate(keep);
        self.payloads.truncate(keep);
        self.payloads.extend(entries.iter().map(Payload::of));
        self.entries.extend_from_slice(entries);
    }

    /// Truncates the log up to and including `index`, which must exist.
    pub(crate) fn compact(&mut self, index: u64) {
        let term = self.term(index).expect("only what is there is compacted");
        let gone = (index - self.truncated.index) as usize;
        self.entries.drain(..gone);
        self.payloads.drain(..gone);
        self.truncated = Position { index, term };
    }

    fn at(&self, index: u64) -> Option<usize> {
        let at = index.checked_sub(self.truncated.index + 1)? as usize;
        (at < self.entries.len()).then_some(at)
    }
}
