//! At which parts of the world a step has looked.
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
}

impl<T> Noticed<T> {
    pub(super) fn new(part: T) -> Self {
        Self { part, looked_at: Cell::new(false) }
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
        &mut self.part
    }
}
