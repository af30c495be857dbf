//! Copies of the world at the points where later paths of a batch branch off, so that a shared
//! prefix is driven once.
//!
//! One path in 64 is driven from the beginning. That finds state that a copy lacks.

use rollcall_model::Rollcall;

use crate::driven::Driven;
use crate::tour::{Parting, Path};

/// Copies, each with the number of steps of the last path that it has taken; the fewest first.
pub(crate) struct Copies<D>(Vec<(usize, D)>);

impl<D> Default for Copies<D> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<D: Driven> Copies<D> {
    /// Starts a batch: drops all copies.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Drops the copies that have taken more than `steps` steps.
    pub(crate) fn truncate(&mut self, steps: usize) {
        while self.0.last().is_some_and(|(taken, _)| *taken > steps) {
            self.0.pop();
        }
    }

    /// Sets `world` to the copy with the most steps of `path`, and returns that number of steps.
    pub(crate) fn begin(&mut self, world: &mut D, model: &Rollcall, path: &Path, parting: &Parting) -> usize {
        self.truncate(parting.shared);
        let stands_there = self.0.last().is_some_and(|(steps, _)| *steps == parting.shared);
        let copy = if stands_there && !parting.again {
            self.0.pop()
        } else {
            self.0.last().and_then(|(steps, world)| Some((*steps, world.copied()?)))
        };
        match copy {
            Some((steps, copy)) if !path.number.is_multiple_of(64) => {
                *world = copy;
                steps
            }
            _ => {
                world.begin(model);
                0
            }
        }
    }

    /// Keeps a copy of `world`, which has taken `steps` steps of the current path; a later path
    /// branches off here.
    pub(crate) fn keep(&mut self, steps: usize, world: &D) {
        // Without a copy, a later path starts from the beginning.
        self.0.extend(world.copied().map(|copy| (steps, copy)));
    }
}
