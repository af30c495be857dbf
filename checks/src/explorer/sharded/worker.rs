//! One worker: it expands what it owns, level by level, and takes in what others find for it.

use std::sync::{Arc, Mutex};

use stateright::{Expectation, Model, Property};

use super::super::Explored;
use super::super::exploration::{Bound, Ended};
use super::super::graph::NO_PARENT;
use super::super::kinds;
use super::super::rows::{Row, Rows};
use super::Kind;
use super::News;
use super::abroad::{Abroad, Needed};
use super::bounds::Bounds;
use super::keeping::{Barrier, PARENT, PIECE, Piece};
use super::owner::{BESIDE, Owner};
use super::port::{Content, Parcel, Port};
use super::restoring::Begin;
use super::summary::{Found, Halt, Place, Step, Summary, all_of, owner_of};
use super::watched::Watched;

/// States that are expanded between two looks at the inbox.
const SLICE: usize = 2_048;
/// States that are sent together.
const BATCH: usize = 512;

/// What all workers read.
pub(super) struct Search<M: Model> {
    pub(super) model: M,
    pub(super) properties: Vec<Property<M>>,
    pub(super) bounds: Bounds,
    pub(super) kind: Kind<M>,
    /// A row each.
    pub(super) initial: Vec<Vec<u32>>,
    pub(super) width: usize,
    /// Words that may be under way from one worker to all others together.
    pub(super) under_way: usize,
    pub(super) watched: Arc<Watched>,
    pub(super) abroad: Abroad,
    /// What the workers begin with, and the barrier behind which they do.
    pub(super) begins: Mutex<Vec<Option<Begin>>>,
    pub(super) barrier: Barrier,
    /// Whether that is the beginning.
    pub(super) is_fresh: bool,
    pub(super) keeps: bool,
}

/// What a worker owns in the end, and what all together came to.
pub(super) struct Share {
    pub(super) rows: Rows,
    /// The first state of each level; the last level may have been broken off.
    pub(super) levels: Vec<u32>,
    /// Of each state its parent's index, and whose that is.
    pub(super) parents: Vec<u32>,
    pub(super) parents_owners: Vec<u16>,
    pub(super) all: Summary,
    /// States of all workers whose successors were all taken in, and that were judged.
    pub(super) expanded: u64,
    pub(super) checked: u64,
    pub(super) ended: Ended,
    /// Where there are other processes.
    pub(super) whole: Option<Whole>,
}

/// What a process knows of the states of all.
pub(super) struct Whole {
    /// The states of each depth.
    pub(super) levels: Vec<u64>,
    /// The ways to what was found.
    pub(super) steps: Vec<Step>,
}

pub(super) struct Worker<'a, M: Model> {
    pub(super) search: &'a Search<M>,
    pub(super) port: Port,
    pub(super) tell: &'a dyn Fn(News),
    pub(super) owner: Owner,
    /// States that checkpoints have beyond the level to be expanded, each with whose its parent is.
    restored: Vec<(usize, Vec<u32>)>,
    /// How many states have been handed out to be kept.
    kept: u32,
    pub(super) me: usize,
    pub(super) workers: usize,
    /// Totals of this worker in this level.
    level: Summary,
    /// Totals of the workers that finished this level, and their number.
    pub(super) done: Summary,
    done_by: usize,
    /// All levels before.
    pub(super) all: Summary,
    pub(super) halt: Option<Halt>,
    /// Outgoing words for each worker.
    outgoing: Vec<Vec<u32>>,
    /// Workers for which a whole batch is ready.
    full: Vec<usize>,
    spare: Vec<Vec<u32>>,
    /// Parcels with numbers of parts of which this process has still to be told.
    waiting: Vec<Parcel>,
    /// States on the ways to what was found.
    pub(super) steps: Vec<Step>,
    actions: Vec<M::Action>,
    /// Scratch: the row of a successor.
    after: Vec<u32>,
    /// States that the others know of.
    pub(super) published: u32,
    pub(super) slices: u64,
}

impl<'a, M> Worker<'a, M>
where
    M: Explored,
    M::State: Row,
{
    pub(super) fn new(search: &'a Search<M>, port: Port, tell: &'a dyn Fn(News)) -> Self {
        let (me, workers) = (port.me(), port.peers());
        let begin = {
            let mut begins = search.begins.lock().expect("no thread panics while it holds this lock");
            begins[search.abroad.place(me)].take().expect("each worker begins once")
        };
        Self {
            search,
            port,
            tell,
            kept: begin.owner.states() + begin.found.len() as u32,
            owner: begin.owner,
            restored: begin.found,
            me,
            workers,
            level: Summary::default(),
            done: Summary::default(),
            done_by: 0,
            all: search.barrier.all.clone(),
            halt: None,
            outgoing: vec![Vec::new(); workers],
            full: Vec::new(),
            spare: Vec::new(),
            waiting: Vec::new(),
            steps: Vec::new(),
            actions: Vec::new(),
            after: Vec::new(),
            published: 0,
            slices: 0,
        }
    }

    /// To the end; `None` if another panicked, or a process is lost.
    pub(super) fn run(mut self) -> Option<Share> {
        let mut sizes = self.search.barrier.sizes.clone();
        if self.search.is_fresh {
            self.begin();
            self.keep(&sizes);
        }
        self.publish();
        let ended = loop {
            let depth = sizes.len() as u32;
            let expand = self.search.bounds.max_depth.is_none_or(|max| depth < max);
            let order = self.owner.next_level();
            for (from, words) in std::mem::take(&mut self.restored) {
                self.owner.take_in(from, &words);
            }
            self.expand_level(&order, expand)?;
            self.port.send_all(&Content::Done(Box::new(self.level.clone())));
            self.wait_for_level()?;
            let level = std::mem::take(&mut self.done);
            if level.states == 0 {
                break Ended::Exhausted;
            }
            sizes.push(level.states);
            self.all.add(&level);
            if let Some(bound) = self.bound_of(&level, (!expand).then_some(depth)) {
                break Ended::Stopped(bound);
            }
            self.keep(&sizes);
            self.report(&sizes);
        };
        let last = sizes.last().copied().unwrap_or(0);
        let (expanded, checked) = match ended {
            Ended::Exhausted | Ended::Stopped(Bound::Violation) => (all_of(&sizes), all_of(&sizes)),
            Ended::Stopped(Bound::Depth(_)) => (all_of(&sizes) - last, all_of(&sizes)),
            // The owners of the last level's states are unknown.
            Ended::Stopped(_) => (all_of(&sizes) - last, all_of(&sizes) - last),
        };
        let whole = match self.search.abroad.is_anybody() {
            true => Some(self.whole(sizes)?),
            false => None,
        };
        let Self { port, owner, all, .. } = self;
        port.end();
        let Owner { rows, levels, parents, parents_owners, .. } = owner;
        Some(Share { rows, levels, parents, parents_owners, all, expanded, checked, ended, whole })
    }

    fn whole(&mut self, mut levels: Vec<u64>) -> Option<Whole> {
        levels.extend(Some(self.count_rest()?).filter(|rest| *rest > 0));
        Some(Whole { levels, steps: self.walk_back()? })
    }

    fn begin(&mut self) {
        for row in &self.search.initial {
            let fingerprint = self.search.model.fingerprint(row);
            if owner_of(fingerprint, self.workers) == self.me {
                let mut words = row.clone();
                words.extend([fingerprint as u32, NO_PARENT, 0]);
                self.owner.take_in(self.me, &words);
            }
        }
    }

    /// Hands out the level that is whole now, to be kept.
    fn keep(&mut self, sizes: &[u64]) {
        if !self.search.keeps {
            return;
        }
        let (width, of) = (self.search.width, self.me);
        while self.kept < self.owner.states() {
            let end = self.owner.states().min(self.kept + PIECE as u32);
            let mut words = Vec::with_capacity((end - self.kept) as usize * (width + PARENT));
            for index in self.kept as usize..end as usize {
                words.extend_from_slice(self.owner.rows.row(index));
                words.extend([self.owner.parents[index], u32::from(self.owner.parents_owners[index])]);
            }
            self.kept = end;
            (self.tell)(News::Piece(Piece { of, words }));
        }
        (self.tell)(News::Barrier(Box::new(Barrier { all: self.all.clone(), sizes: sizes.to_vec() })));
    }

    /// What ends the search behind this level; all workers say the same.
    fn bound_of(&self, level: &Summary, greatest_depth: Option<u32>) -> Option<Bound> {
        let violated = self.search.properties.iter().zip(&self.all.found);
        let mut violated = violated.filter(|(property, _)| property.expectation == Expectation::Always);
        if self.search.bounds.stop_at_first_violation && violated.any(|(_, found)| found.is_some()) {
            return Some(Bound::Violation);
        }
        level.halt.map(Bound::from).or(greatest_depth.map(Bound::Depth))
    }

    fn expand_level(&mut self, order: &[u32], expand: bool) -> Option<()> {
        self.level = Summary {
            states: order.len() as u64,
            found: vec![None; self.search.properties.len()],
            ..Summary::default()
        };
        for slice in order.chunks(SLICE) {
            if self.port.is_broken() {
                return None;
            }
            self.port.step();
            self.take_in_what_came();
            while self.port.is_too_far_ahead() && self.halt.is_none() {
                if !self.port.wait() {
                    return None;
                }
                self.take_in_what_came();
            }
            self.look_at_bounds();
            if self.halt.is_some() {
                break;
            }
            slice.iter().for_each(|&index| self.visit(index, expand));
        }
        (0..self.workers).for_each(|to| self.deliver(to));
        self.level.halt = self.halt;
        Some(())
    }

    /// Judges a state and sends its successors to their owners.
    fn visit(&mut self, index: u32, expand: bool) {
        let row = self.owner.rows.row(index as usize);
        let (state, fingerprint) = (M::State::read(row), self.search.model.fingerprint(row));
        self.judge(index, &state, fingerprint);
        if expand {
            self.expand(index, &state, fingerprint);
            while let Some(to) = self.full.pop() {
                self.deliver(to);
            }
        }
    }

    fn judge(&mut self, index: u32, state: &M::State, fingerprint: u64) {
        let model = &self.search.model;
        let broken = model.broken(state);
        for (at, property) in self.search.properties.iter().enumerate() {
            // What is reached is reached. Of violations the least of the first level counts.
            let is_always = property.expectation == Expectation::Always;
            let is_settled = self.all.found.get(at).is_some_and(|found| found.is_some());
            if is_settled || (!is_always && self.level.found[at].is_some()) {
                continue;
            }
            let is_so = match broken {
                Some(broken) if is_always => broken >> at & 1 == 0,
                _ => (property.condition)(model, state),
            };
            if is_so != is_always {
                let place = Place { owner: self.me as u32, index };
                let found = Some(Found { fingerprint, place });
                self.level.found[at] = Found::least(self.level.found[at], found);
            }
        }
    }

    fn expand(&mut self, index: u32, state: &M::State, fingerprint: u64) {
        let Self { search, owner, level, outgoing, full, actions, after, workers, .. } = self;
        let (model, width) = (&search.model, search.width);
        let kind = |state: &M::State, action: &M::Action| (search.kind)(model, state, action);
        let row = owner.rows.row(index as usize);
        let enough = BATCH * (width + BESIDE);
        model.expand(state, actions, kind, |_, kind, successor| {
            if !model.within_boundary(&successor) {
                level.outside += 1;
                return;
            }
            kinds::count(&mut level.kinds, kind);
            level.transitions += 1;
            after.resize(width, 0);
            successor.write(after);
            let theirs = model.fingerprint_after(fingerprint, row, after);
            let to = owner_of(theirs, *workers);
            let words = &mut outgoing[to];
            words.extend_from_slice(after);
            words.extend([theirs as u32, index, fingerprint as u32]);
            if words.len() == enough {
                full.push(to);
            }
        });
    }

    /// Hands on what was found for somebody.
    fn deliver(&mut self, to: usize) {
        if self.outgoing[to].is_empty() {
            return;
        }
        if to == self.me {
            self.owner.take_in(self.me, &self.outgoing[to]);
            self.outgoing[to].clear();
            return;
        }
        let next = self.spare.pop().unwrap_or_default();
        let words = std::mem::replace(&mut self.outgoing[to], next);
        let needs = self.define(to, &words, self.search.width + BESIDE);
        self.port.send(to, Content::States { needs, words });
    }

    /// Sends the definitions of rows that a worker's process still lacks; how many times it will then
    /// have been told.
    pub(super) fn define(&mut self, to: usize, words: &[u32], stride: usize) -> u32 {
        let Search { model, abroad, width, .. } = self.search;
        if !abroad.has(to) {
            return 0;
        }
        let rows = words.chunks_exact(stride).map(|state| &state[..*width]);
        let Needed { times, definitions } = abroad.needed(model, to, rows);
        if let Some(definitions) = definitions {
            self.port.send(to, Content::Parts { nth: times, definitions });
        }
        times
    }

    fn take_in_what_came(&mut self) {
        for parcel in std::mem::take(&mut self.waiting) {
            self.take_in(parcel);
        }
        while let Some(parcel) = self.port.next() {
            self.take_in(parcel);
        }
    }

    fn take_in(&mut self, mut parcel: Parcel) {
        if !self.translate(&mut parcel) {
            self.waiting.push(parcel);
            return;
        }
        let from = parcel.from as usize;
        match parcel.content {
            Content::States { mut words, .. } => {
                self.owner.take_in(from, &words);
                words.clear();
                if self.spare.len() < 4 * self.workers {
                    self.spare.push(words);
                }
            }
            Content::Parts { nth, definitions } => {
                self.search.abroad.learn(&self.search.model, from, nth, definitions);
            }
            Content::Step(step) => self.steps.push(*step),
            Content::Halt(halt) => self.halt = self.halt.or(Some(halt)),
            Content::Done(level) => {
                self.done.add(&level);
                self.done_by += 1;
            }
            Content::Taken(_) => {}
        }
    }

    /// Gives rows of another process the numbers of this one; false if it must be told more first.
    fn translate(&self, parcel: &mut Parcel) -> bool {
        let (Search { model, abroad, width, .. }, from) = (self.search, parcel.from as usize);
        if !abroad.has(from) {
            return true;
        }
        match &mut parcel.content {
            Content::States { needs, words } => {
                let rows = words.chunks_exact_mut(width + BESIDE).map(|state| &mut state[..*width]);
                abroad.translate(model, (from, *needs), rows)
            }
            Content::Step(step) => {
                abroad.translate(model, (from, step.needs), std::iter::once(&mut step.row[..]))
            }
            _ => true,
        }
    }

    /// Waits until all have said what they did, and whatever belongs to the next level has come.
    pub(super) fn wait_for_level(&mut self) -> Option<()> {
        self.wait_for_step()?;
        assert_eq!(std::mem::take(&mut self.done_by), self.workers, "all said what they did");
        self.publish();
        Some(())
    }

    /// Waits until the frontier has passed this level, and begins the next one.
    pub(super) fn wait_for_step(&mut self) -> Option<()> {
        self.port.close();
        loop {
            let is_whole = self.port.is_whole();
            self.take_in_what_came();
            if is_whole && self.waiting.is_empty() {
                break;
            }
            if is_whole {
                // Another worker of this process has the definitions, and is about to take them in.
                std::thread::yield_now();
                self.port.step();
            }
            if self.port.is_broken() || (!is_whole && !self.port.wait()) {
                return None;
            }
        }
        self.port.begin_next();
        Some(())
    }
}
