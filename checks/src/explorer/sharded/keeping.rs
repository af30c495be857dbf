//! Checkpoints at the barriers between levels, and how a search continues from them.
//!
//! They have the ordered explorer's format, so either explorer continues from them, and with any
//! number of workers. A worker hands out its states of a level in pieces, when the level is whole.
//! The thread that waits for the workers writes each piece as it comes, with the totals of the
//! barrier before, and then the totals of the new barrier. A state's number is the order in which it
//! was written. So if the last barrier is missing, the pieces behind the one before are states that
//! the search will find again, and need not write again.

use std::io;
use std::sync::Mutex;

use super::super::graph::NO_PARENT;
use super::super::kept::{Keep, Kept, Totals, checkpoint_of};
use super::super::{ExploreError, Explored};
use super::owner::{BESIDE, Owner};
use super::summary::{Found, Place, Summary};
use super::worker::{all_of, owner_of};

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

/// What a worker begins with.
pub(super) struct Begin {
    pub(super) owner: Owner,
    /// States of the level that was being found, as they come from others, each with whose its parent is.
    pub(super) found: Vec<(usize, Vec<u32>)>,
}

/// The numbers of one level's states: for each worker the index of its first one there, and the
/// numbers from that one on.
#[derive(Clone, Default)]
struct Numbers(Vec<(u32, Vec<u32>)>);

impl Numbers {
    fn number(&self, Place { owner, index }: Place) -> u32 {
        let (first, numbers) = &self.0[owner as usize];
        numbers[(index - first) as usize]
    }

    /// The level after this one, without states.
    fn next(&self) -> Self {
        Self(self.0.iter().map(|(first, numbers)| (first + numbers.len() as u32, Vec::new())).collect())
    }
}

/// Writes what the workers hand out.
pub(super) struct Keeper<'a> {
    keep: &'a Mutex<dyn Keep>,
    totals: Totals,
    /// The level that was whole at the last barrier, and the next one.
    known: Numbers,
    fresh: Numbers,
    /// Pieces of the first level, which is written with its barrier.
    first: Vec<Piece>,
    /// How many workers have reached the next barrier.
    reached: usize,
    pub(super) failed: Option<io::ErrorKind>,
}

impl Keeper<'_> {
    /// Writes a piece; false if that failed, now or before.
    pub(super) fn piece(&mut self, piece: Piece) -> bool {
        if self.totals.known == 0 {
            self.first.push(piece);
        } else {
            self.write(&[piece], None);
        }
        self.failed.is_none()
    }

    /// Writes the totals when every worker has come here; false if something failed.
    pub(super) fn barrier(&mut self, barrier: &Barrier) -> bool {
        self.reached += 1;
        if self.reached == self.known.0.len() {
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
        let (mut rows, mut parents) = (Vec::new(), Vec::new());
        for Piece { of, words } in pieces {
            for state in words.chunks_exact(width + PARENT) {
                rows.extend_from_slice(&state[..width]);
                let parent = Place { owner: state[width + 1], index: state[width] };
                let is_initial = parent.index == NO_PARENT;
                parents.push(if is_initial { NO_PARENT } else { self.known.number(parent) });
                self.fresh.0[*of].1.push(self.totals.states as u32);
                self.totals.states += 1;
            }
        }
        if let Some(barrier) = barrier {
            self.pass(barrier);
        }
        let bytes = checkpoint_of(&self.totals, rows.iter().chain(&parents));
        let mut keep = self.keep.lock().expect("no thread panics while it holds this lock");
        self.failed = keep.keep(self.totals.states as u64, &bytes).err().map(|error| error.kind());
    }

    /// The totals of this barrier. What is found is in the last level that was expanded.
    fn pass(&mut self, Barrier { all, sizes }: &Barrier) {
        let totals = &mut self.totals;
        for (number, found) in totals.found.iter_mut().zip(&all.found) {
            *number = number.or_else(|| Some(self.known.number(found.as_ref()?.place)));
        }
        let expanded = all_of(sizes);
        totals.known = totals.states;
        (totals.expanded, totals.checked) = (expanded, expanded);
        (totals.transitions, totals.outside) = (all.transitions, all.outside);
        totals.kinds.clone_from(&all.kinds);
        if sizes.is_empty() {
            totals.initial = totals.states as u32;
        }
        if expanded < totals.states as u64 {
            totals.levels.push(expanded as u32);
        }
        self.known = std::mem::take(&mut self.fresh);
        self.fresh = self.known.next();
    }
}

/// Where a search begins, and who writes how it goes on.
pub(super) struct Resumed<'a> {
    /// Whether there were no checkpoints.
    pub(super) is_fresh: bool,
    pub(super) begins: Vec<Begin>,
    pub(super) barrier: Barrier,
    pub(super) keeper: Option<Keeper<'a>>,
}

/// Deals the states of checkpoints out to their owners.
///
/// # Errors
/// If they are of another exploration, or of the ordered explorer in the middle of a level.
pub(super) fn resumed<'a, M: Explored>(
    model: &M,
    kept: Kept,
    (width, properties, workers): (usize, usize, usize),
    keep: Option<&'a Mutex<dyn Keep>>,
) -> Result<Resumed<'a>, ExploreError> {
    let Kept { mut totals, rows, graph } = kept;
    let is_fresh = totals.states == 0;
    totals.width = if is_fresh { width } else { totals.width };
    totals.found.resize(properties.max(totals.found.len()), None);
    let ends_a_level = totals.expanded == totals.states as u64
        || totals.levels.last().is_none_or(|first| u64::from(*first) == totals.expanded);
    let what = match () {
        () if totals.width != width => Some("their states have other parts"),
        () if totals.found.len() != properties => Some("they judge other properties"),
        () if totals.edges.is_some() => Some("one has edges and the other has none"),
        () => None,
    };
    if let Some(what) = what {
        return Err(ExploreError::NotItsOwn { what });
    }
    if !ends_a_level {
        return Err(ExploreError::WithinALevel);
    }
    let mut begins: Vec<Begin> =
        (0..workers).map(|_| Begin { owner: Owner::new(width), found: Vec::new() }).collect();
    let (mut known, mut fresh) = (Numbers(vec![(0, Vec::new()); workers]), Numbers::default());
    let mut places: Vec<Place> = Vec::with_capacity(totals.states);
    let mut levels = totals.levels.iter().skip(1).map(|first| *first as usize).peekable();
    for (number, row) in rows.iter().enumerate() {
        if levels.next_if_eq(&number).is_some() {
            begins.iter_mut().for_each(|begin| begin.owner.restore_level());
            known = known.next();
        }
        if number == totals.known {
            fresh = known.next();
        }
        let fingerprint = model.fingerprint(row);
        let of = owner_of(fingerprint, workers);
        let parent = graph.parents[number];
        let parents = places.get(parent as usize).copied().unwrap_or(Place { owner: 0, index: NO_PARENT });
        let Begin { owner, found } = &mut begins[of];
        if number < totals.known {
            places.push(Place { owner: of as u32, index: owner.states() });
            known.0[of].1.push(number as u32);
            owner.restore(row, fingerprint as u32, parents);
        } else {
            let hash = model.fingerprint(rows.row(parent as usize)) as u32;
            fresh.0[of].1.push(number as u32);
            let mut words = Vec::with_capacity(width + BESIDE);
            words.extend_from_slice(row);
            words.extend([fingerprint as u32, parents.index, hash]);
            found.push((parents.owner as usize, words));
        }
    }
    if fresh.0.is_empty() {
        fresh = known.next();
    }
    let ends = totals.levels.iter().skip(1).map(|first| u64::from(*first)).chain([totals.known as u64]);
    let sizes = totals.levels.iter().zip(ends).map(|(first, end)| end - u64::from(*first));
    let mut sizes: Vec<u64> = sizes.collect();
    if totals.expanded < totals.known as u64 {
        sizes.pop();
    } else if totals.known > 0 {
        // Nothing is left: the level to be expanded is empty.
        begins.iter_mut().for_each(|begin| begin.owner.restore_level());
        (known, fresh) = (known.next(), known.next());
    }
    let found = totals.found.iter().map(|number| {
        let number = (*number)? as usize;
        Some(Found { fingerprint: model.fingerprint(rows.row(number)), place: places[number] })
    });
    let all = Summary {
        states: totals.expanded,
        transitions: totals.transitions,
        outside: totals.outside,
        kinds: totals.kinds.clone(),
        found: found.collect(),
        halt: None,
    };
    let keeper =
        keep.map(|keep| Keeper { keep, totals, known, fresh, first: Vec::new(), reached: 0, failed: None });
    Ok(Resumed { is_fresh, begins, barrier: Barrier { all, sizes }, keeper })
}
