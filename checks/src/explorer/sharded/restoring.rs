//! How a search continues from checkpoints: their states are dealt out to their owners.
//!
//! States up to the last barrier are known. Those behind it were found in the level that was then
//! expanded. It is expanded again, and their owners take them in as if somebody had just found them.

use super::super::graph::NO_PARENT;
use super::super::kept::{Kept, Seat, Totals};
use super::super::{ExploreError, Explored, Options, fits};
use super::keeping::{Barrier, Keeper, Numbers, Parents};
use super::owner::{BESIDE, Owner};
use super::summary::{Found, Place, Summary, owner_of};

/// What a worker begins with.
pub(super) struct Begin {
    pub(super) owner: Owner,
    /// States of the level that was being found, as they come from others, each with whose its parent is.
    pub(super) found: Vec<(usize, Vec<u32>)>,
}

/// Where a search begins, and who writes how it goes on.
pub(super) struct Resumed<'a> {
    /// Whether there were no checkpoints.
    pub(super) is_fresh: bool,
    pub(super) begins: Vec<Begin>,
    pub(super) barrier: Barrier,
    pub(super) keeper: Option<Keeper<'a>>,
}

/// Continues from checkpoints, or begins if there are none.
///
/// # Errors
/// If they are of another exploration, or of the ordered explorer in the middle of a level.
pub(super) fn resumed<'a, M: Explored>(
    model: &M,
    mut kept: Kept,
    (width, properties): (usize, usize),
    options: &Options<'a>,
    seat: Option<Seat>,
) -> Result<Resumed<'a>, ExploreError> {
    let is_fresh = kept.is_none();
    if is_fresh {
        kept.totals.width = width;
        kept.totals.found.resize(properties, None);
    } else {
        fits(&kept, (width, properties), options, seat)?;
    }
    if let Some(seat) = seat {
        let (begins, barrier) = of_process(model, &kept, seat)?;
        let keeper = |keep| Keeper::new(keep, options.threads, kept.totals, Parents::Places(seat));
        return Ok(Resumed { is_fresh, begins, barrier, keeper: options.keep.map(keeper) });
    }
    if !ends_a_level(&kept.totals) {
        return Err(ExploreError::WithinALevel);
    }
    let mut dealt = Dealt::new(width, options.threads);
    dealt.deal(model, &kept);
    let barrier = dealt.barrier(model, &kept);
    let Dealt { begins, known, fresh, .. } = dealt;
    let parents = Parents::Numbers(known, fresh);
    let keeper = options.keep.map(|keep| Keeper::new(keep, options.threads, kept.totals, parents));
    Ok(Resumed { is_fresh, begins, barrier, keeper })
}

/// The states of one process among several. Those of each worker come in the order in which it took
/// them in, so each has the index that the others know.
fn of_process<M: Explored>(
    model: &M,
    Kept { totals, rows, graph, parents_owners }: &Kept,
    seat: Seat,
) -> Result<(Vec<Begin>, Barrier), ExploreError> {
    if totals.known < totals.states {
        return Err(ExploreError::NotItsOwn { what: "they end between two barriers" });
    }
    let first = seat.process * seat.workers;
    let begin = |_| Begin { owner: Owner::new(totals.width), found: Vec::new() };
    let mut begins: Vec<Begin> = (0..seat.workers).map(begin).collect();
    let mut levels = totals.levels.iter().skip(1).map(|first| *first as usize).peekable();
    for (number, row) in rows.iter().enumerate() {
        // Another process may have states of a level in which this one has none.
        while levels.next_if_eq(&number).is_some() {
            begins.iter_mut().for_each(|begin| begin.owner.restore_level());
        }
        let fingerprint = model.fingerprint(row);
        let of = owner_of(fingerprint, seat.processes * seat.workers).checked_sub(first);
        let begin = of.and_then(|of| begins.get_mut(of));
        let begin = begin.ok_or(ExploreError::NotItsOwn { what: "a state is another process's" })?;
        let parent = Place { owner: u32::from(parents_owners[number]), index: graph.parents[number] };
        begin.owner.restore(row, fingerprint as u32, parent);
    }
    levels.for_each(|_| begins.iter_mut().for_each(|begin| begin.owner.restore_level()));
    let barrier = totals.shared.as_ref();
    let barrier = barrier.map(|at| Barrier { all: at.all.clone(), sizes: at.sizes.clone() });
    Ok((begins, barrier.unwrap_or_default()))
}

/// Whether the states that were expanded are whole levels.
fn ends_a_level(totals: &Totals) -> bool {
    totals.expanded == totals.states as u64
        || totals.levels.last().is_none_or(|first| u64::from(*first) == totals.expanded)
}

/// The sizes of the levels that were expanded.
fn sizes(totals: &Totals) -> Vec<u64> {
    let ends = totals.levels.iter().skip(1).map(|first| u64::from(*first)).chain([totals.known as u64]);
    let sizes = totals.levels.iter().zip(ends).map(|(first, end)| end - u64::from(*first));
    let mut sizes: Vec<u64> = sizes.collect();
    if totals.expanded < totals.known as u64 {
        sizes.pop();
    }
    sizes
}

/// States at their owners.
struct Dealt {
    width: usize,
    begins: Vec<Begin>,
    /// The place of each state up to the barrier.
    places: Vec<Place>,
    known: Numbers,
    fresh: Numbers,
}

impl Dealt {
    fn new(width: usize, workers: usize) -> Self {
        let begin = |_| Begin { owner: Owner::new(width), found: Vec::new() };
        let known = Numbers::of(workers);
        let fresh = known.next();
        Self { width, begins: (0..workers).map(begin).collect(), places: Vec::new(), known, fresh }
    }

    fn deal<M: Explored>(&mut self, model: &M, Kept { totals, rows, graph, .. }: &Kept) {
        self.places.reserve(totals.known);
        let mut levels = totals.levels.iter().skip(1).map(|first| *first as usize).peekable();
        for (number, row) in rows.iter().enumerate() {
            if levels.next_if_eq(&number).is_some() {
                self.next_level();
            }
            if number == totals.known {
                self.fresh = self.known.next();
            }
            let fingerprint = model.fingerprint(row);
            let parent = graph.parents[number];
            if number < totals.known {
                self.know(number as u32, row, fingerprint, parent);
            } else {
                let hash = model.fingerprint(rows.row(parent as usize)) as u32;
                self.find(number as u32, row, fingerprint, (parent, hash));
            }
        }
        if totals.known == totals.states {
            self.fresh = self.known.next();
        }
        if totals.known > 0 && totals.expanded == totals.known as u64 {
            // Nothing is left: the level to be expanded is empty.
            self.next_level();
            self.fresh = self.known.clone();
        }
    }

    fn next_level(&mut self) {
        self.begins.iter_mut().for_each(|begin| begin.owner.restore_level());
        self.known = self.known.next();
    }

    /// A state up to the barrier.
    fn know(&mut self, number: u32, row: &[u32], fingerprint: u64, parent: u32) {
        let of = owner_of(fingerprint, self.begins.len());
        let parent = self.place(parent);
        let owner = &mut self.begins[of].owner;
        self.places.push(Place { owner: of as u32, index: owner.states() });
        self.known.push(of, number);
        owner.restore(row, fingerprint as u32, parent);
    }

    /// A state behind it.
    fn find(&mut self, number: u32, row: &[u32], fingerprint: u64, (parent, hash): (u32, u32)) {
        let of = owner_of(fingerprint, self.begins.len());
        let parent = self.place(parent);
        self.fresh.push(of, number);
        let mut words = Vec::with_capacity(self.width + BESIDE);
        words.extend_from_slice(row);
        words.extend([fingerprint as u32, parent.index, hash]);
        self.begins[of].found.push((parent.owner as usize, words));
    }

    fn place(&self, number: u32) -> Place {
        self.places.get(number as usize).copied().unwrap_or(Place { owner: 0, index: NO_PARENT })
    }

    /// What all did in the levels that were expanded.
    fn barrier<M: Explored>(&self, model: &M, Kept { totals, rows, .. }: &Kept) -> Barrier {
        let found = totals.found.iter().map(|number| {
            let number = (*number)? as usize;
            Some(Found { fingerprint: model.fingerprint(rows.row(number)), place: self.places[number] })
        });
        let all = Summary {
            states: totals.expanded,
            transitions: totals.transitions,
            outside: totals.outside,
            kinds: totals.kinds.clone(),
            found: found.collect(),
            halt: None,
        };
        Barrier { all, sizes: sizes(totals) }
    }
}
