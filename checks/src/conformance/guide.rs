//! Drives the implementation along the paths of one tour, and compares.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};

use rollcall_model::{Guard, Offered, ReadSet, RefusalCache, Rollcall, State};
use rollcall_traces::{Action, Difference, Divergence, Outcome, Reason, Sides};

use super::{Conformance, Look, TourOptions};
use crate::copies::Copies;
use crate::driven::Driven;
use crate::explorer::Exploration;
use crate::parting;
use crate::subject;
use crate::tour::{self, Batch, Tour};

/// For how many divergences of a kind a shorter path is looked for.
const MOST_LISTED: u64 = 20;

/// The way back to a state costs about as much as so many copies of it.
const WAY_BACK: u64 = 16;

/// Whether every disabled action is checked in this state, whatever was refused before: an
/// implementation holds more than its view shows. One state in 64 is chosen, by a hash, because
/// neighbours in breadth-first order are alike. State 0 is always chosen.
fn is_drawn(state: u32) -> bool {
    state.wrapping_mul(0x9e37_79b9) >> 26 == 0
}

/// The divergence for a panic at the end of the path.
pub(crate) fn panicked(scope: &str, sides: Sides, path: &[Action], words: &str) -> Box<Divergence> {
    subject::run::broken(scope, sides, path.to_vec(), words)
}

/// Drives the implementation along the paths of one tour.
pub(super) struct Guide<'a, D> {
    pub(super) tour_options: TourOptions,
    pub(super) model: &'a Rollcall,
    pub(super) exploration: &'a Exploration<State>,
    pub(super) world: D,
    pub(super) copies: Copies<D>,
    pub(super) done: Conformance,
    pub(super) path: Vec<Action>,
    /// How many steps of the current path were taken.
    pub(super) reached: usize,
    /// In how many states an action was not refused, and how the current state was before any was asked
    /// for, where that pays.
    not_refused: u64,
    unasked: Option<D>,
    /// The models without one guard each, once a divergence was to be explained.
    pub(super) lacking: OnceCell<Vec<(&'static Guard, Rollcall)>>,
    /// The guard that explains the divergence that is being reported.
    pub(super) explained: Option<&'static str>,
    /// The edges on which a tour that continues has diverged. A divergence behind one of them is
    /// not counted.
    differing: &'a Mutex<HashSet<u32>>,
}

impl<'a, D: Driven> Guide<'a, D> {
    pub(super) fn new(
        tour_options: TourOptions,
        world: D,
        model: &'a Rollcall,
        exploration: &'a Exploration<State>,
        differing: &'a Mutex<HashSet<u32>>,
    ) -> Self {
        Self {
            tour_options,
            model,
            exploration,
            world,
            copies: Copies::default(),
            done: Conformance::default(),
            path: Vec::new(),
            reached: 0,
            not_refused: 0,
            unasked: None,
            lacking: OnceCell::new(),
            explained: None,
            differing,
        }
    }

    /// The result, with the disabled actions counted.
    pub(super) fn done(self, cache: &RefusalCache) -> Conformance {
        let mut done = self.done;
        done.checked = cache.checked();
        for (reason, count) in cache.refused() {
            *done.reasons.entry(reason).or_default() += count;
            done.refusals += count;
        }
        done
    }

    /// Follows one path. `Ok(false)` if `go_on` said to stop.
    pub(super) fn follow(
        &mut self,
        tour: &Mutex<Tour<'_>>,
        cache: &mut RefusalCache,
        mut go_on: impl FnMut(u64) -> bool,
    ) -> Result<bool, Box<Divergence>> {
        let mut batch = Batch::default();
        let take = |batch: &mut Batch| {
            let mut tour = tour.lock().expect("a tour panicked");
            batch.take(tour::PATHS, |path| tour.next_path(path))
        };
        while take(&mut batch) {
            self.copies.clear();
            for (path, parting) in batch.iter() {
                let before = self.done.transitions;
                self.done.paths += 1;
                let begin = self.copies.begin(&mut self.world, self.model, path, parting);
                self.path.truncate(begin);
                debug_assert_eq!(self.path.len(), begin, "the original has taken these steps");
                if let Err(divergence) = self.go(path, begin, &parting.kept, cache) {
                    if !self.tour_options.continues {
                        return Err(divergence);
                    }
                    self.part(path, divergence);
                }
                if !go_on(self.done.transitions - before) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Records a divergence and leaves the rest of the path.
    fn part(&mut self, path: &tour::Path, divergence: Box<Divergence>) {
        self.done.part(self.explained.take(), 1, divergence);
        self.leave(path);
    }

    /// Leaves the path after the steps that were taken.
    fn leave(&mut self, path: &tour::Path) {
        let behind = path.steps.iter().skip(self.reached);
        self.done.only_reached_after += behind.filter(|step| step.new_edge).count() as u64;
        // What was taken last may have led elsewhere.
        let agreed = self.reached.saturating_sub(1);
        self.copies.truncate(agreed);
        self.path.truncate(agreed);
    }

    /// Checks the disabled actions in the current state. If a tour continues after divergences, the
    /// path continues from the state before an action that was not refused.
    fn check_refusals_on_the_way(
        &mut self,
        state: u32,
        cache: &mut RefusalCache,
    ) -> Result<(), Box<Divergence>> {
        let before = self.path.len();
        self.unasked = None;
        let Err(divergence) = self.check_refusals(state, cache) else { return Ok(()) };
        if !self.tour_options.continues {
            return Err(divergence);
        }
        let guard = self.explained.take();
        self.done.part(guard, 1, divergence);
        self.not_refused += 1;
        self.path.truncate(before);
        if let Some(copy) = self.unasked.take() {
            self.world = copy;
            return Ok(());
        }
        self.world.begin(self.model);
        let again = self.path.clone();
        again.iter().try_for_each(|action| self.take(action).map(drop))
    }

    /// Takes the steps of `path` after the first `begin`.
    fn go(
        &mut self,
        path: &tour::Path,
        begin: usize,
        kept: &[usize],
        cache: &mut RefusalCache,
    ) -> Result<(), Box<Divergence>> {
        self.reached = begin;
        if path.new_start {
            self.compare_view(path.start, None)?;
            self.check_refusals_on_the_way(path.start, cache)?;
        }
        let mut kept = kept.iter().copied().peekable();
        for (taken, step) in (1..).zip(&path.steps).skip(begin) {
            let offered = self.offered(step.from, self.exploration.graph.ordinal(step.edge));
            self.path.push(offered.action.clone().into_owned());
            self.reached = taken;
            if self.tour_options.continues && !step.new_edge && self.edges_that_differ().contains(&step.edge)
            {
                self.leave(path);
                return Ok(());
            }
            let outcome = match self.take(&offered.action) {
                Ok(outcome) => outcome,
                // The check of transitions reports this one.
                Err(_) if self.tour_options.look == Look::Refusals => break,
                Err(divergence) => return Err(divergence),
            };
            self.done.steps += 1;
            if step.new_edge {
                if let Err(divergence) = self.compare(step.from, step.to, &offered, &outcome) {
                    self.edges_that_differ().insert(step.edge);
                    return Err(divergence);
                }
                self.done.transitions += 1;
            }
            if step.new_state {
                self.check_refusals_on_the_way(step.to, cache)?;
            }
            if kept.next_if_eq(&taken).is_some() {
                self.copies.keep(taken, &self.world);
            }
        }
        Ok(())
    }

    fn edges_that_differ(&self) -> MutexGuard<'a, HashSet<u32>> {
        self.differing.lock().expect("no thread panics while it holds this lock")
    }

    pub(super) fn take(&mut self, action: &Action) -> Result<Outcome, Box<Divergence>> {
        self.world.take(action).map_err(|words| self.panicked(&words))
    }

    /// The divergence for a panic on a path that must not be repeated.
    pub(super) fn panicked_at_once(&self, words: &str) -> Box<Divergence> {
        panicked(&self.model.scope().name, self.world.sides(), &self.path, words)
    }

    /// The divergence for a panic. If the path diverges earlier, that divergence.
    fn panicked(&mut self, words: &str) -> Box<Divergence> {
        let before = parting::first_on(&mut self.world, self.model, &self.path);
        before.unwrap_or_else(|| panicked(&self.model.scope().name, self.world.sides(), &self.path, words))
    }

    pub(super) fn offered(&self, state: u32, ordinal: u16) -> Offered<'a> {
        let state = self.exploration.states.get(state);
        self.model.offered_at(&state, usize::from(ordinal)).expect("an edge has an action that was offered")
    }

    fn compare(
        &mut self,
        from: u32,
        to: u32,
        offered: &Offered<'_>,
        outcome: &Outcome,
    ) -> Result<(), Box<Divergence>> {
        if self.tour_options.look == Look::Refusals {
            return Ok(());
        }
        let expected = self.model.outcome_of(&self.exploration.states.get(from), offered);
        if !self.world.agrees(&expected, outcome) || !self.same_view(to) {
            self.explained = self.explain(from, &offered.action, outcome);
            return Err(self.divergence(Some(from), to, expected.into_owned(), outcome.clone()));
        }
        Ok(())
    }

    fn compare_view(&mut self, state: u32, from: Option<u32>) -> Result<(), Box<Divergence>> {
        if self.tour_options.look == Look::Refusals || self.same_view(state) {
            return Ok(());
        }
        Err(self.divergence(from, state, Outcome::DONE, Outcome::DONE))
    }

    /// Whether the world shows what the model's state shows.
    fn same_view(&mut self, state: u32) -> bool {
        let state = &self.exploration.states.get(state);
        self.world.shows(&self.model.cluster(state))
    }

    fn check_refusals(&mut self, state: u32, cache: &mut RefusalCache) -> Result<(), Box<Divergence>> {
        if self.tour_options.look == Look::Transitions
            || (self.tour_options.look == Look::Refusals && !self.same_view(state))
        {
            return Ok(());
        }
        let (model, checked_state) = (self.model, &self.exploration.states.get(state));
        self.done.states += 1;
        let anew = self.tour_options.every_refusal || is_drawn(state);
        let before = cache.checked();
        model
            .each_unknown_refusal(checked_state, cache, anew, |disabled| self.refuse_all(state, disabled))?;
        if cache.checked() > before && !self.same_view(state) {
            return Err(self.which_action_changed(state, &model.disabled(checked_state)));
        }
        Ok(())
    }

    /// Tries a group of disabled actions; returns the implementation's read set.
    fn refuse_all(&mut self, state: u32, disabled: &[(&Action, Reason)]) -> Result<ReadSet, Box<Divergence>> {
        if self.unasked.is_none() && self.not_refused * WAY_BACK > self.done.states {
            self.unasked = self.world.copied();
        }
        self.world.notice_afresh();
        for (action, reason) in disabled {
            self.refuse_with(state, action, *reason)?;
        }
        Ok(self.world.read_set(self.model))
    }

    fn refuse_with(&mut self, state: u32, action: &Action, reason: Reason) -> Result<(), Box<Divergence>> {
        let outcome = match self.world.take(action) {
            Ok(outcome) => outcome,
            Err(words) => {
                self.path.push(action.clone());
                return Err(self.panicked(&words));
            }
        };
        if !self.world.agrees(&Outcome::Refused(reason), &outcome) {
            self.explained = self.explain(state, action, &outcome);
            self.path.push(action.clone());
            return Err(self.divergence(None, state, Outcome::Refused(reason), outcome));
        }
        Ok(())
    }

    /// All disabled actions were refused, but the view changed: tries them one by one.
    fn which_action_changed(&mut self, state: u32, disabled: &[(Action, Reason)]) -> Box<Divergence> {
        for (action, reason) in disabled {
            self.world.begin(self.model);
            let taken =
                self.path.iter().chain([action]).try_for_each(|action| self.world.take(action).map(drop));
            if taken.is_err() || !self.same_view(state) {
                self.path.push(action.clone());
                let refused = Outcome::Refused(*reason);
                return self.divergence(None, state, refused.clone(), refused);
            }
        }
        self.divergence(None, state, Outcome::DONE, Outcome::DONE)
    }

    pub(super) fn divergence(
        &mut self,
        from: Option<u32>,
        to: u32,
        expected: Outcome,
        actual: Outcome,
    ) -> Box<Divergence> {
        let found = self.world.differences(&self.model.cluster(&self.exploration.states.get(to)).view());
        if self.tour_options.continues
            && self.done.divergences.get(&self.explained).is_some_and(|known| known.times >= MOST_LISTED)
        {
            return self.parted_here(expected, actual, found);
        }
        let (short, long) = (self.shortest_way(from.unwrap_or(to)), self.path.clone());
        let again =
            [short, long].into_iter().filter_map(|way| parting::first_on(&mut self.world, self.model, &way));
        if let Some(parting) = again.min_by_key(|parting| parting.step) {
            return parting;
        }
        let found = found.into_iter().chain([not_from_the_beginning()]).collect();
        self.parted_here(expected, actual, found)
    }

    fn parted_here(
        &self,
        expected: Outcome,
        actual: Outcome,
        differences: Vec<Difference>,
    ) -> Box<Divergence> {
        Box::new(Divergence {
            scenario: self.model.scope().name.clone(),
            sides: self.world.sides(),
            step: self.path.len() as u64,
            action: self.path.last().cloned(),
            expected: Some(expected),
            actual: Some(actual),
            differences,
            guards: Vec::new(),
            places: Vec::new(),
            prefix: self.path.clone(),
            fault: Vec::new(),
            judged: None,
            command: None,
        })
    }

    /// The shortest path to the last action of the path, which is taken in `origin`.
    fn shortest_way(&self, origin: u32) -> Vec<Action> {
        let way = self.exploration.trace(self.model, origin).steps.into_iter().map(|(action, _)| action);
        way.chain(self.path.last().cloned()).collect()
    }
}

/// Says that a divergence does not occur when its path is driven from the beginning. That is
/// Rollcall's own mistake.
pub(crate) fn not_from_the_beginning() -> Difference {
    Difference {
        path: "gone from the beginning".into(),
        expected: None,
        actual: Some(
            "agrees: only a copy of the world, on which disabled actions were checked, differs".into(),
        ),
    }
}
