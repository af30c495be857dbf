//! At which parts of the world a step has looked, and which are as they were
//! when they were found to be right.
//!
//! A part notices by itself whoever reaches through to it, so no step can
//! forget to say so. Between two stores nothing is shared: what a store does
//! depends on nothing but itself and what it is handed. The vote requests and
//! the `TimeoutNow` that wait in the world belong to the store that sent them,
//! and whoever looks for one looks at that store first.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// A part that notices when somebody looks at it, or changes it.
#[derive(Clone)]
pub(super) struct Noticed<T> {
    part: T,
    looked_at: Cell<bool>,
    /// What it was found to show, by whatever name the finder has for that.
    found: Cell<Option<usize>>,
}

impl<T> Noticed<T> {
    pub(super) fn new(part: T) -> Self {
        Self { part, looked_at: Cell::new(false), found: Cell::new(None) }
    }

    /// Looks at what of the part never changes.
    pub(super) fn unnoticed(&self) -> &T {
        &self.part
    }

    /// Whether anybody looked since the last [`Noticed::forget`].
    pub(super) fn is_looked_at(&self) -> bool {
        self.looked_at.get()
    }

    pub(super) fn forget(&self) {
        self.looked_at.set(false);
    }

    /// Whether it was found to show this, and nobody has reached it to change it since.
    pub(super) fn is_found(&self, shown: usize) -> bool {
        self.found.get() == Some(shown)
    }

    pub(super) fn find(&self, shown: Option<usize>) {
        self.found.set(shown);
    }
}

impl<T> Deref for Noticed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.looked_at.set(true);
        &self.part
    }
}

impl<T> DerefMut for Noticed<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.looked_at.set(true);
        self.found.set(None);
        &mut self.part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_holds_until_somebody_may_have_changed_the_part() {
        let mut part = Noticed::new(vec![1]);
        assert!(!part.is_found(7));
        part.find(Some(7));
        assert_eq!(part.len(), 1);
        assert!(part.is_found(7) && !part.is_found(8), "looking changes nothing");
        let copy = part.clone();
        part.push(2);
        assert!(!part.is_found(7));
        assert!(copy.is_found(7), "a copy is as it was");
    }
}
