//! Copies of the world where later paths of a batch part from one that was gone,
//! so that nobody goes the same way twice.
//!
//! One path in 64 is gone from the beginning all the same: what a copy lacks
//! would be missed there.

use rollcall_model::Rollcall;

use crate::driven::Driven;
use crate::tour::{Parting, Path};

/// Worlds that stand behind so many steps of the path that was gone last, the
/// fewest first.
pub(crate) struct Copies<D>(Vec<(usize, D)>);

impl<D> Default for Copies<D> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<D: Driven> Copies<D> {
    /// A batch begins, and none of its paths was gone.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Puts `world` behind as many steps of `path` as a copy has taken, and says how many.
    pub(crate) fn begin(&mut self, world: &mut D, model: &Rollcall, path: &Path, parting: &Parting) -> usize {
        while self.0.last().is_some_and(|(steps, _)| *steps > parting.shared) {
            self.0.pop();
        }
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

    /// The world stands behind so many steps of the path that is being gone, where a
    /// later one parts.
    pub(crate) fn keep(&mut self, steps: usize, world: &D) {
        // Without a copy a later path is gone from the beginning.
        self.0.extend(world.copied().map(|copy| (steps, copy)));
    }
}
