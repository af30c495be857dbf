//! Tracks which components of the world a step has read, and which are unchanged since they were
//! found equal to the model's.
//!
//! A component records every access by itself, so no step can forget it. Stores share nothing: what
//! a store does depends only on its own state and on its input. The vote requests and the
//! `TimeoutNow` that wait in the world belong to the store that sent them, and every lookup reads
//! that store first.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// A component that records reads and changes.
#[derive(Clone)]
pub(super) struct Tracked<T> {
    part: T,
    was_read: Cell<bool>,
    /// The id of the state that it was found to equal.
    found: Cell<Option<usize>>,
}

impl<T> Tracked<T> {
    pub(super) fn new(part: T) -> Self {
        Self { part, was_read: Cell::new(false), found: Cell::new(None) }
    }

    /// Reads a part of the component that never changes.
    pub(super) fn untracked(&self) -> &T {
        &self.part
    }

    /// Whether it was read since the last [`Tracked::forget`].
    pub(super) fn was_read(&self) -> bool {
        self.was_read.get()
    }

    pub(super) fn forget(&self) {
        self.was_read.set(false);
    }

    /// Whether the component equals the state with this id. `shows` decides, unless it did before
    /// and the component has not changed since.
    pub(super) fn found_to_show(&self, number: Option<usize>, shows: impl FnOnce(&T) -> bool) -> bool {
        if number.is_some() && self.found.get() == number {
            return true;
        }
        let same = shows(self);
        self.found.set(number.filter(|_| same));
        same
    }
}

impl<T> Deref for Tracked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.was_read.set(true);
        &self.part
    }
}

impl<T> DerefMut for Tracked<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.was_read.set(true);
        self.found.set(None);
        &mut self.part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equal_component_stays_equal_until_it_is_touched() {
        let (yes, no) = (|_: &Vec<u8>| true, |_: &Vec<u8>| false);
        let mut part = Tracked::new(vec![1]);
        assert!(!part.found_to_show(Some(7), no));
        assert!(part.found_to_show(Some(7), yes));
        assert_eq!(part.len(), 1);
        assert!(part.clone().found_to_show(Some(7), no), "looking changes nothing");
        assert!(!part.clone().found_to_show(Some(8), no));
        assert!(!part.clone().found_to_show(None, no), "without a number it is compared each time");
        let copy = part.clone();
        part.push(2);
        assert!(!part.found_to_show(Some(7), no));
        assert!(copy.found_to_show(Some(7), no), "a copy is as it was");
    }
}
