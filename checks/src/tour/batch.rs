//! Consecutive paths, and where each parts from the one before.
//!
//! A tour takes what is left edge by edge, so most of a path is the way of the
//! path before it. Who replays a batch keeps a copy of what it replays wherever a
//! later path of the batch parts, and drives only what is behind that: in standard
//! scopes 1.3 steps for each new edge instead of 4 to 9. States in breadth-first
//! order have ways that are as much alike.

use super::Path;

/// How many paths of a tour make a batch. More of them part hardly later.
pub const PATHS: usize = 1_024;

/// Where a path parts from the one before, and where later ones part from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parting {
    /// So many steps are those of the path before; none of the first of a batch.
    pub shared: usize,
    /// A later path parts behind the same steps.
    pub again: bool,
    /// Behind how many steps, more than `shared`, later paths part. Ascending.
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
    /// Takes the next paths, `most` at most; false if there are none. `next` writes
    /// one over another.
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

    /// Whether there are no paths.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The paths, and where they part.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Parting)> {
        self.paths.iter().zip(&self.partings).take(self.len)
    }

    fn part(&mut self) {
        for at in 0..self.len {
            let before = at.checked_sub(1).map(|before| &self.paths[before]);
            self.partings[at].shared = before.map_or(0, |before| shared(before, &self.paths[at]));
        }
        // From the last to the first: behind how many steps later paths part.
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

/// How many steps two paths have in common from the beginning.
fn shared(one: &Path, other: &Path) -> usize {
    if one.start != other.start {
        return 0;
    }
    one.steps.iter().zip(&other.steps).take_while(|(one, other)| one.edge == other.edge).count()
}
