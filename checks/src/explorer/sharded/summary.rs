//! What workers tell each other at the end of a level, so that all decide alike, and at the end of
//! the search.

use serde::{Deserialize, Serialize};

use super::super::exploration::Bound;
use super::super::kinds;

/// A state: whose it is, and its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) owner: u32,
    pub(super) index: u32,
}

/// Why a worker wants all to end in the middle of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Halt {
    Interrupted,
    /// A checkpoint could not be written.
    NotKept,
    States(u32),
    Bytes(u64),
    Memory(u64),
}

impl From<Halt> for Bound {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Interrupted => Self::Interrupted,
            Halt::NotKept => Self::NotKeptElsewhere,
            Halt::States(max) => Self::States(max),
            Halt::Bytes(max) => Self::Bytes(max),
            Halt::Memory(max) => Self::Memory(max),
        }
    }
}

/// A state that has, or violates, a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) fingerprint: u64,
    pub(super) place: Place,
}

impl Found {
    /// The one with the less fingerprint: whoever looks first, it is the same.
    pub(super) fn least(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        [one, other].into_iter().flatten().min_by_key(|found| found.fingerprint)
    }
}

/// A state on a way to something that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) depth: u32,
    pub(super) fingerprint: u64,
    pub(super) place: Place,
    pub(super) parent: Option<Place>,
    /// How many times the receiver's process must have been told of parts.
    pub(super) needs: u32,
    pub(super) row: Vec<u32>,
}

/// What one worker did in a level, or all together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Summary {
    /// The states of the level.
    pub(super) states: u64,
    pub(super) transitions: u64,
    pub(super) outside: u64,
    pub(super) kinds: Vec<u64>,
    /// Of each property.
    pub(super) found: Vec<Option<Found>>,
    pub(super) halt: Option<Halt>,
}

impl Summary {
    /// Adds what another did in the same level, or all did in the next.
    pub(super) fn add(&mut self, other: &Self) {
        self.states += other.states;
        self.transitions += other.transitions;
        self.outside += other.outside;
        kinds::add(&mut self.kinds, &other.kinds);
        self.found.resize(self.found.len().max(other.found.len()), None);
        for (found, theirs) in self.found.iter_mut().zip(&other.found) {
            *found = Found::least(*found, *theirs);
        }
        self.halt = self.halt.or(other.halt);
    }
}

/// The states of these levels.
pub(super) fn all_of(sizes: &[u64]) -> u64 {
    sizes.iter().sum()
}

/// Who owns the state with this fingerprint. Its lower half is its hash there.
pub(super) fn owner_of(fingerprint: u64, workers: usize) -> usize {
    (((fingerprint >> 32) * workers as u64) >> 32) as usize
}
