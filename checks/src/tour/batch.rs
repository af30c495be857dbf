//! Batches of consecutive paths, and where each branches off the one before.
//!
//! A tour covers the remaining edges one by one, so a path shares most of its steps with the path
//! before. The replay keeps a copy wherever a later path of the batch branches off, and drives only
//! the steps after it. In standard scopes this takes 1.3 steps for each new edge instead of 4 to 9.
//! The shortest paths to states in breadth-first order share as much.

use super::Path;

/// The number of paths in a batch. Larger batches share hardly more.
pub const PATHS: usize = 1_024;

/// Where a path branches off the one before, and where later ones branch off it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parting {
    /// How many first steps equal those of the path before; 0 for the first of a batch.
    pub shared: usize,
    /// Whether a later path branches off after the same number of steps.
    pub again: bool,
    /// After how many steps, more than `shared`, later paths branch off. Ascending.
    pub kept: Vec<usize>,
}

/// Consecutive paths.
#[derive(Debug, Default)]
pub struct Batch {
    paths: Vec<Path>,
    partings: Vec<Parting>,
    len: usize,
}

impl Batch {
    /// Takes the next paths, at most `most`; false if there are none. `next` overwrites its
    /// argument with the next path.
    pub fn take(&mut self, most: usize, mut next: impl FnMut(&mut Path) -> bool) -> bool {
        self.paths.resize_with(most, Path::default);
        self.partings.resize_with(most, Parting::default);
        self.len = 0;
        while self.len < most && next(&mut self.paths[self.len]) {
            self.len += 1;
        }
        self.part();
        self.len > 0
    }

    /// Whether it has no paths.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The paths, each with its branch points.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Parting)> {
        self.paths.iter().zip(&self.partings).take(self.len)
    }

    fn part(&mut self) {
        for at in 0..self.len {
            let before = at.checked_sub(1).map(|before| &self.paths[before]);
            self.partings[at].shared = before.map_or(0, |before| shared(before, &self.paths[at]));
        }
        // From the last path to the first: after how many steps later paths branch off.
        let mut later: Vec<usize> = Vec::new();
        for Parting { shared, again, kept } in self.partings[..self.len].iter_mut().rev() {
            let deeper = later.partition_point(|steps| steps <= shared);
            kept.clear();
            kept.extend(later.drain(deeper..));
            *again = later.last() == Some(shared);
            if !*again {
                later.push(*shared);
            }
        }
    }
}

/// How many first steps two paths share.
fn shared(one: &Path, other: &Path) -> usize {
    if one.start != other.start {
        return 0;
    }
    one.steps.iter().zip(&other.steps).take_while(|(one, other)| one.edge == other.edge).count()
}
