//! Checkpoints at the barriers between levels.
//!
//! They have the ordered explorer's format, so either explorer continues from them, and with any
//! number of workers. A worker hands out its states of a level in pieces, when the level is whole.
//! The thread that waits for the workers writes each piece as it comes, with the totals of the
//! barrier before, and then the totals of the new barrier. A state's number is the order in which it
//! was written. So if the last barrier is missing, the pieces behind the one before are states that
//! the search will find again, and need not write again.
//!
//! Where several processes explore, each writes its own states, and parents as their places. A place
//! depends on the number of workers, and on the order in which states arrived. So all processes go
//! back to the same barrier, with as many workers.

use std::io;
use std::sync::Mutex;

use super::super::graph::NO_PARENT;
use super::super::kept::{Keep, Seat, Shared, Totals, checkpoint_of};
use super::summary::{Place, Summary, all_of};

/// The most states of a piece.
pub(super) const PIECE: usize = 1 << 14;
/// Words of a state beside its row: its parent's index there, and whose that is.
pub(super) const PARENT: usize = 2;

/// States of one worker, in the order of their indices there, each with its [`PARENT`].
pub(super) struct Piece {
    pub(super) of: usize,
    pub(super) words: Vec<u32>,
}

/// What all workers say alike between two levels.
#[derive(Clone, Default)]
pub(super) struct Barrier {
    /// What all did in the levels before.
    pub(super) all: Summary,
    /// The sizes of these levels.
    pub(super) sizes: Vec<u64>,
}

/// The numbers of one level's states: for each worker the index of its first one there, and the
/// numbers from that one on.
#[derive(Clone, Default)]
pub(super) struct Numbers(Vec<(u32, Vec<u32>)>);

impl Numbers {
    /// The first level of so many workers, without states.
    pub(super) fn of(workers: usize) -> Self {
        Self(vec![(0, Vec::new()); workers])
    }

    /// The next state of a worker has this number.
    pub(super) fn push(&mut self, of: usize, number: u32) {
        self.0[of].1.push(number);
    }

    fn number(&self, Place { owner, index }: Place) -> u32 {
        let (first, numbers) = &self.0[owner as usize];
        numbers[(index - first) as usize]
    }

    /// The level after this one, without states.
    pub(super) fn next(&self) -> Self {
        Self(self.0.iter().map(|(first, numbers)| (first + numbers.len() as u32, Vec::new())).collect())
    }
}

/// How a checkpoint names a parent.
pub(super) enum Parents {
    /// By its number, in the level that was whole at the last barrier; then those of the next level.
    Numbers(Numbers, Numbers),
    /// By its place, because it may be another process's.
    Places(Seat),
}

/// Writes what the workers hand out.
pub(super) struct Keeper<'a> {
    keep: &'a Mutex<dyn Keep>,
    workers: usize,
    totals: Totals,
    parents: Parents,
    /// Pieces of the first level, which is written with its barrier.
    first: Vec<Piece>,
    /// How many workers have reached the next barrier.
    reached: usize,
    pub(super) failed: Option<io::ErrorKind>,
}

impl<'a> Keeper<'a> {
    /// Continues behind these totals.
    pub(super) fn new(keep: &'a Mutex<dyn Keep>, workers: usize, totals: Totals, parents: Parents) -> Self {
        Self { keep, workers, totals, parents, first: Vec::new(), reached: 0, failed: None }
    }

    /// Writes a piece; false if that failed, now or before.
    pub(super) fn piece(&mut self, piece: Piece) -> bool {
        if self.totals.levels.is_empty() {
            self.first.push(piece);
        } else {
            self.write(&[piece], None);
        }
        self.failed.is_none()
    }

    /// Writes the totals when every worker has come here; false if something failed.
    pub(super) fn barrier(&mut self, barrier: &Barrier) -> bool {
        self.reached += 1;
        if self.reached == self.workers {
            self.reached = 0;
            let pieces = std::mem::take(&mut self.first);
            self.write(&pieces, Some(barrier));
        }
        self.failed.is_none()
    }

    fn write(&mut self, pieces: &[Piece], barrier: Option<&Barrier>) {
        if self.failed.is_some() {
            return;
        }
        let width = self.totals.width;
        let (mut rows, mut parents, mut owners) = (Vec::new(), Vec::new(), Vec::new());
        for Piece { of, words } in pieces {
            for state in words.chunks_exact(width + PARENT) {
                rows.extend_from_slice(&state[..width]);
                let parent = Place { owner: state[width + 1], index: state[width] };
                match &mut self.parents {
                    Parents::Numbers(known, fresh) => {
                        let is_initial = parent.index == NO_PARENT;
                        parents.push(if is_initial { NO_PARENT } else { known.number(parent) });
                        fresh.push(*of, self.totals.states as u32);
                    }
                    Parents::Places(_) => {
                        parents.push(parent.index);
                        owners.push(parent.owner);
                    }
                }
                self.totals.states += 1;
            }
        }
        if let Some(barrier) = barrier {
            self.pass(barrier);
        }
        let bytes = checkpoint_of(&self.totals, rows.iter().chain(&parents).chain(&owners));
        let mut keep = self.keep.lock().expect("no thread panics while it holds this lock");
        self.failed = keep.keep(self.totals.states as u64, &bytes).err().map(|error| error.kind());
    }

    /// The totals of this barrier.
    fn pass(&mut self, Barrier { all, sizes }: &Barrier) {
        let totals = &mut self.totals;
        let before = std::mem::replace(&mut totals.known, totals.states);
        let (known, fresh) = match &mut self.parents {
            Parents::Numbers(known, fresh) => (known, fresh),
            Parents::Places(seat) => {
                totals.levels.push(before as u32);
                totals.shared = Some(Shared { seat: *seat, all: all.clone(), sizes: sizes.clone() });
                return;
            }
        };
        // What is found is in the last level that was expanded.
        for (number, found) in totals.found.iter_mut().zip(&all.found) {
            *number = number.or_else(|| Some(known.number(found.as_ref()?.place)));
        }
        let expanded = all_of(sizes);
        (totals.expanded, totals.checked) = (expanded, expanded);
        (totals.transitions, totals.outside) = (all.transitions, all.outside);
        totals.kinds.clone_from(&all.kinds);
        if sizes.is_empty() {
            totals.initial = totals.states as u32;
        }
        if expanded < totals.states as u64 {
            totals.levels.push(expanded as u32);
        }
        *known = std::mem::take(fresh);
        *fresh = known.next();
    }
}
