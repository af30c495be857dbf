//! Every transition of an explored scope, replayed on the implementation.
//!
//! A tour covers the edges of the state graph by long paths. After every step
//! on a new edge outcome and view must be those of the model; in every state
//! met for the first time every disabled action must be refused, for the model's reason,
//! with nothing changed. Which the implementation refused in an earlier state,
//! and refuses by looking at parts that are the same here, is not tried again,
//! but in one state of 64 ([`Touring::every_refusal`] tries it everywhere).
//!
//! A path goes on from a copy of the world that stands where it parts from the
//! path before; one in 64 goes all the way from the beginning. Steps that only lead
//! to a new edge are driven and not compared: they were compared before, and both
//! counts are reported.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rollcall_impl::{Decider, Guards, Replica};
use rollcall_model::{Offered, ReadSet, RefusalCache, Rollcall, State};
use rollcall_traces::{Action, Difference, Divergence, Outcome, Reason, Sides, Subject, View};

use crate::copies::Copies;
use crate::driven::Driven;
use crate::explorer::Exploration;
use crate::parting;
use crate::subject::exhibits::without_what_was_sent;
use crate::subject::{self, Fault, unwind};
use crate::tour::{self, Batch, Tour};
use crate::world::World;

/// What was replayed, and whether it agreed.
#[derive(Clone, Debug, Default)]
pub struct Conformance {
    /// Paths begun.
    pub paths: u64,
    /// Distinct transitions replayed and compared.
    pub transitions: u64,
    /// Steps taken, those that only led somewhere included; none before a copy.
    pub steps: u64,
    /// States in which the disabled actions were tried.
    pub states: u64,
    /// Disabled actions refused for the model's reason, over all states.
    pub refusals: u64,
    /// Those among them with which the implementation was tried; the others it
    /// had refused in another state, on the same parts.
    pub tried: u64,
    /// How often each reason was given, by both sides alike.
    pub reasons: BTreeMap<Reason, u64>,
    /// The shortest disagreement that was found.
    pub divergence: Option<Box<Divergence>>,
    /// Whether the tour came to its end.
    pub finished: bool,
    /// Of a tour that goes on behind a disagreement: how often there was one, and the
    /// shortest, by the guard whose absence explains it; under no name what none explains.
    pub parted: BTreeMap<Option<&'static str>, Parted>,
    /// And the transitions that were only reached behind one.
    pub beyond: u64,
}

/// Disagreements of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    /// How many there were.
    pub times: u64,
    /// The shortest.
    pub shortest: Box<Divergence>,
}

impl Conformance {
    fn add(&mut self, other: Conformance) {
        self.paths += other.paths;
        self.transitions += other.transitions;
        self.steps += other.steps;
        self.states += other.states;
        self.refusals += other.refusals;
        self.tried += other.tried;
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        self.beyond += other.beyond;
        for (guard, Parted { times, shortest }) in other.parted {
            self.part(guard, times, shortest);
        }
    }

    fn part(&mut self, guard: Option<&'static str>, times: u64, divergence: Box<Divergence>) {
        match self.parted.get_mut(&guard) {
            None => drop(self.parted.insert(guard, Parted { times, shortest: divergence })),
            Some(known) => {
                known.times += times;
                if divergence.step < known.shortest.step {
                    known.shortest = divergence;
                }
            }
        }
    }
}

/// A view, but for snapshots that were sent, or wait.
fn without_snapshots(view: &View) -> View {
    let mut view = without_what_was_sent(view);
    for store in view.stores.values_mut() {
        store.pending_ranges.clear();
        store.peers.values_mut().for_each(|peer| peer.snapshot = None);
    }
    view
}

/// What a tour looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Transitions and disabled actions.
    Everything,
    /// Transitions alone.
    Transitions,
    /// Disabled actions alone, in the states that are shown as they should be.
    Refusals,
}

/// So many disagreements of a kind are looked into for a shorter way.
const TOLD: u64 = 20;

/// Whether every disabled action is tried in a state, whatever was refused before: an
/// implementation carries more than its state shows. One state in 64 is drawn,
/// by a hash, for neighbours in breadth-first order are alike; the first is.
fn is_drawn(state: u32) -> bool {
    state.wrapping_mul(0x9e37_79b9) >> 26 == 0
}

/// How a tour is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touring {
    /// What is looked at.
    pub look: Look,
    /// Every disabled action is tried in every state.
    pub every_refusal: bool,
    /// A disagreement is counted, with the guard whose absence explains it, and the tour goes
    /// on with its next path.
    pub goes_on: bool,
    /// By how many threads.
    pub threads: usize,
}

impl Touring {
    /// Looks at everything, and shares what was refused on the same parts.
    pub fn by(threads: usize) -> Self {
        Self { look: Look::Everything, every_refusal: false, goes_on: false, threads }
    }
}

/// Replays the tour of `exploration` on the implementation with `guards`.
pub fn conform<G: Guards + Send + Sync>(
    touring: Touring,
    guards: G,
    model: &Rollcall,
    exploration: &Exploration<State>,
    interrupt: &AtomicBool,
    covered: &AtomicU64,
) -> Conformance {
    conform_on(touring, || World::new(guards), model, exploration, interrupt, covered)
}

/// The same on the worlds that `begun` makes, one for each thread and one more.
pub fn conform_on<G: Guards, R: Replica>(
    touring: Touring,
    begun: impl Fn() -> World<G, R> + Sync,
    model: &Rollcall,
    exploration: &Exploration<State>,
    interrupt: &AtomicBool,
    covered: &AtomicU64,
) -> Conformance {
    tour_with(touring, begun, model, exploration, interrupt, covered)
}

/// The same on whatever can be driven.
pub(crate) fn tour_with<D: Driven>(
    touring: Touring,
    begun: impl Fn() -> D + Sync,
    model: &Rollcall,
    exploration: &Exploration<State>,
    interrupt: &AtomicBool,
    covered: &AtomicU64,
) -> Conformance {
    let tour = Mutex::new(Tour::new(&exploration.graph));
    let total = Mutex::new(Conformance { finished: true, ..Conformance::default() });
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..touring.threads {
            let (tour, total, stop, begun) = (&tour, &total, &stop, &begun);
            scope.spawn(move || {
                let mut guide = Guide::new(touring, begun(), model, exploration);
                let mut cache = RefusalCache::default();
                // Where a scope begins, an adapter may be at fault, too.
                let result = catch_unwind(AssertUnwindSafe(|| {
                    guide.follow(tour, &mut cache, |transitions| {
                        covered.fetch_add(transitions, Ordering::Relaxed);
                        !stop.load(Ordering::Relaxed) && !interrupt.load(Ordering::Relaxed)
                    })
                }));
                let result = result.unwrap_or_else(|panic| match panic.downcast::<Fault>() {
                    Ok(fault) => Err(guide.panicked_at_once(&fault.to_string())),
                    Err(panic) => resume_unwind(panic),
                });
                let mut total = total.lock().expect("a replay panicked");
                total.add(guide.done(&cache));
                match result {
                    Ok(finished) => total.finished &= finished,
                    Err(divergence) => {
                        stop.store(true, Ordering::Relaxed);
                        total.finished = false;
                        keep_shorter(&mut total.divergence, divergence);
                    }
                }
            });
        }
    });
    let mut total = total.into_inner().expect("a replay panicked");
    if let Some(found) = total.divergence.as_ref().filter(|_| touring.look == Look::Everything)
        && let Some(shortest) = parting::shortest(begun(), model, exploration, found.step, interrupt)
    {
        total.divergence = Some(shortest);
    }
    total
}

/// Of two disagreements the one with the shorter way.
pub(crate) fn keep_shorter(kept: &mut Option<Box<Divergence>>, other: Box<Divergence>) {
    if kept.as_ref().is_none_or(|kept| other.step < kept.step) {
        *kept = Some(other);
    }
}

/// Puts the world where the model begins.
pub(crate) fn begin<G: Guards, R: Replica>(world: &mut World<G, R>, model: &Rollcall) {
    if let Err(error) = world.reset(model.scope()) {
        if !R::HAS_INNARDS {
            unwind(Fault::of(format!("the subject does not take what the scope begins with: {error}")));
        }
        panic!("the model took the setup and the implementation does not: {error}");
    }
}

/// Takes one action. raft-rs panics where it finds itself broken, and an adapter may be
/// wrong; that is a disagreement like any other, and its schedule is worth having.
pub(crate) fn take<G: Guards, R: Replica>(
    world: &mut World<G, R>,
    action: &Action,
) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| world.apply(action))).map_err(subject::run::in_words)
}

/// The disagreement that a panic is, at the end of the path.
pub(crate) fn panicked(scope: &str, sides: Sides, path: &[Action], words: &str) -> Box<Divergence> {
    subject::run::broken(scope, sides, path.to_vec(), words)
}

/// Takes the implementation along the paths of one tour.
struct Guide<'a, D> {
    touring: Touring,
    model: &'a Rollcall,
    exploration: &'a Exploration<State>,
    world: D,
    copies: Copies<D>,
    done: Conformance,
    path: Vec<Action>,
    /// So many steps of the tour's path were taken.
    reached: usize,
    /// The guard that explains the disagreement that is being told.
    explained: Option<&'static str>,
}

impl<'a, D: Driven> Guide<'a, D> {
    fn new(touring: Touring, world: D, model: &'a Rollcall, exploration: &'a Exploration<State>) -> Self {
        let (copies, done, path) = (Copies::default(), Conformance::default(), Vec::new());
        Self { touring, model, exploration, world, copies, done, path, reached: 0, explained: None }
    }

    /// What was done, the disabled actions counted.
    fn done(self, cache: &RefusalCache) -> Conformance {
        let mut done = self.done;
        done.tried = cache.tried();
        for (reason, count) in cache.refused() {
            *done.reasons.entry(reason).or_default() += count;
            done.refusals += count;
        }
        done
    }

    /// `Ok(false)` where `go_on` said to stop.
    fn follow(
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
                debug_assert_eq!(self.path.len(), begin, "whoever was copied has gone the same way");
                if let Err(divergence) = self.go(path, begin, &parting.kept, cache) {
                    if !self.touring.goes_on {
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

    /// Leaves a path behind a disagreement.
    fn part(&mut self, path: &tour::Path, divergence: Box<Divergence>) {
        let behind = path.steps.iter().skip(self.reached);
        self.done.beyond += behind.filter(|step| step.new_edge).count() as u64;
        self.done.part(self.explained.take(), 1, divergence);
        // Nothing that stands on this way is where it should be.
        self.copies.clear();
        self.path.clear();
    }

    /// The guard without which the model does what the world has just done in `state`.
    fn explain(&self, state: u32, action: &Action, outcome: &Outcome) -> Option<&'static str> {
        if !self.touring.goes_on {
            return None;
        }
        let state = self.exploration.states.get(state);
        let is_raft_s = |guard: &&rollcall_model::Guard| {
            let ours = rollcall_impl::Guard::from_name(guard.name());
            ours.is_none_or(|guard| guard.decider() == Decider::Raft)
        };
        let guards = || rollcall_model::Guard::ALL.iter().filter(is_raft_s);
        let model = |guard| self.model.with_guards(self.model.guards().and_without(guard));
        let same = guards().find(|guard| {
            let model = model(**guard);
            let (after, expected) = model.step(&state, action);
            self.world.agrees(&expected, outcome) && self.world.shows(&model.seen(&after))
        });
        // Or nothing came of it either way, and only who sent it knows that it was sent.
        let nothing = || {
            let sound = self.model.step(&state, action);
            let seen = without_what_was_sent(&self.world.view());
            guards().find(|guard| {
                let model = model(**guard);
                let taken = model.step(&state, action);
                taken != sound && without_what_was_sent(&model.seen(&taken.0).view()) == seen
            })
        };
        same.or_else(nothing).or_else(|| self.drops_a_snapshot(&state, action)).map(|guard| guard.name())
    }

    /// Whether the world did what the rules do, but for a snapshot that somebody took in and
    /// dropped who is being demoted: the rules without the guard refuse it before raft hears
    /// who sent it.
    fn drops_a_snapshot(&self, state: &State, action: &Action) -> Option<&'static rollcall_model::Guard> {
        let guard = &rollcall_model::Guard::DemotedTakesSnapshots;
        let sound = self.model.step(state, action);
        let without = self.model.with_guards(self.model.guards().and_without(*guard)).step(state, action);
        let (sound_view, seen) = (self.model.seen(&sound.0).view(), self.world.view());
        let is_it = without != sound && without_snapshots(&sound_view) == without_snapshots(&seen);
        is_it.then_some(guard)
    }

    /// Tries the disabled actions where the path stands. Of a tour that goes on, the path does so from
    /// where it stood before one that was not refused.
    fn check_refusals_on_the_way(
        &mut self,
        state: u32,
        cache: &mut RefusalCache,
    ) -> Result<(), Box<Divergence>> {
        let before = self.path.len();
        let Err(divergence) = self.check_refusals(state, cache) else { return Ok(()) };
        if !self.touring.goes_on {
            return Err(divergence);
        }
        let guard = self.explained.take();
        self.done.part(guard, 1, divergence);
        self.path.truncate(before);
        self.world.begin(self.model);
        let again = self.path.clone();
        again.iter().try_for_each(|action| self.take(action).map(drop))
    }

    /// Takes the steps of `path` behind the first `begin`.
    fn go(
        &mut self,
        path: &tour::Path,
        begin: usize,
        kept: &[usize],
        cache: &mut RefusalCache,
    ) -> Result<(), Box<Divergence>> {
        if path.new_start {
            self.compare_view(path.start, None)?;
            self.check_refusals_on_the_way(path.start, cache)?;
        }
        let mut kept = kept.iter().copied().peekable();
        for (taken, step) in (1..).zip(&path.steps).skip(begin) {
            let offered = self.offered(step.from, self.exploration.graph.ordinal(step.edge));
            self.path.push(offered.action.clone().into_owned());
            self.reached = taken;
            let outcome = match self.take(&offered.action) {
                Ok(outcome) => outcome,
                // Of transitions somebody else speaks.
                Err(_) if self.touring.look == Look::Refusals => break,
                Err(divergence) => return Err(divergence),
            };
            self.done.steps += 1;
            if step.new_edge {
                self.compare(step.from, step.to, &offered, &outcome)?;
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

    fn take(&mut self, action: &Action) -> Result<Outcome, Box<Divergence>> {
        self.world.take(action).map_err(|words| self.panicked(&words))
    }

    /// It panicked where its path is not to be gone again.
    fn panicked_at_once(&self, words: &str) -> Box<Divergence> {
        panicked(&self.model.scope().name, self.world.sides(), &self.path, words)
    }

    /// It panicked, or had parted before.
    fn panicked(&mut self, words: &str) -> Box<Divergence> {
        let before = parting::first_on(&mut self.world, self.model, &self.path);
        before.unwrap_or_else(|| panicked(&self.model.scope().name, self.world.sides(), &self.path, words))
    }

    fn offered(&self, state: u32, ordinal: u16) -> Offered<'a> {
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
        if self.touring.look == Look::Refusals {
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
        if self.touring.look == Look::Refusals || self.same_view(state) {
            return Ok(());
        }
        Err(self.divergence(from, state, Outcome::DONE, Outcome::DONE))
    }

    /// Whether the world shows what the model's state shows.
    fn same_view(&mut self, state: u32) -> bool {
        let state = &self.exploration.states.get(state);
        self.world.shows(&self.model.seen(state))
    }

    fn check_refusals(&mut self, state: u32, cache: &mut RefusalCache) -> Result<(), Box<Divergence>> {
        if self.touring.look == Look::Transitions
            || (self.touring.look == Look::Refusals && !self.same_view(state))
        {
            return Ok(());
        }
        let (model, checked_state) = (self.model, &self.exploration.states.get(state));
        self.done.states += 1;
        let anew = self.touring.every_refusal || is_drawn(state);
        let before = cache.tried();
        model
            .each_unknown_refusal(checked_state, cache, anew, |disabled| self.refuse_all(state, disabled))?;
        if cache.tried() > before && !self.same_view(state) {
            return Err(self.which_action_changed(state, &model.disabled(checked_state)));
        }
        Ok(())
    }

    /// Tries a group of disabled actions; at which parts the implementation looked.
    fn refuse_all(&mut self, state: u32, disabled: &[(&Action, Reason)]) -> Result<ReadSet, Box<Divergence>> {
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

    /// The disabled actions were all refused and something changed: tries them one by one.
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

    fn divergence(
        &mut self,
        from: Option<u32>,
        to: u32,
        expected: Outcome,
        actual: Outcome,
    ) -> Box<Divergence> {
        let found = self.world.differences(&self.model.seen(&self.exploration.states.get(to)).view());
        if self.touring.goes_on
            && self.done.parted.get(&self.explained).is_some_and(|known| known.times >= TOLD)
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
            command: None,
        })
    }

    /// The shortest way to the last action of the path, which is taken in `origin`.
    fn shortest_way(&self, origin: u32) -> Vec<Action> {
        let way = self.exploration.trace(self.model, origin).steps.into_iter().map(|(action, _)| action);
        way.chain(self.path.last().cloned()).collect()
    }
}

/// What is said of a disagreement that is not there where its path is gone from the
/// beginning: it is Rollcall's own.
pub(crate) fn not_from_the_beginning() -> Difference {
    Difference {
        path: "gone from the beginning".into(),
        expected: None,
        actual: Some(
            "agrees: only a copy of the world, with which disabled actions were tried, differs".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_impl::{Dropped, Sound};
    use rollcall_model::{GuardSet, scopes};

    use super::*;
    use crate::verify::{Watch, explore};

    fn explored(name: &str) -> (Rollcall, Exploration<State>) {
        let plan = scopes::named(name).expect("a scope of that name");
        let model = plan.model(GuardSet::ALL).expect("the scope can be begun");
        let explored = explore(&model, 1, &Watch::default()).expect("the scope can be explored");
        (model, explored)
    }

    /// Of a world that is not where its path leads, the divergence says so.
    #[test]
    fn a_divergence_that_only_a_copy_shows_is_told_as_one() {
        let (model, explored) = explored("two_voters_to_one_smoke");
        let graph = &explored.graph;
        let edge = graph.row(0).start;
        let mut guide = Guide::new(Touring::by(1), World::new(Sound), &model, &explored);
        begin(&mut guide.world, &model);
        let action = guide.offered(0, graph.ordinal(edge)).action;
        let other = guide.offered(0, graph.ordinal(edge + 1));
        guide.world.apply(&other.action);
        guide.path.push(action.clone().into_owned());
        let outcome = guide.take(&action).expect("no panic");
        let expected = model.step(&explored.states.get(0), &action).1;
        let divergence = guide.divergence(Some(0), graph.target(edge), expected, outcome);
        let says = divergence.differences.iter().any(|said| said.path == "gone from the beginning");
        assert!(says, "{divergence}");
        assert!(divergence.differences.len() > 1, "what differs is told, too");
    }

    /// However many threads look, the same step is blamed, and it is the first that
    /// differs on its way.
    #[test]
    fn the_first_step_that_differs_is_blamed_whoever_finds_it() {
        let (model, explored) = explored("promoted_while_it_needs_a_snapshot_smoke");
        let guard = Dropped(rollcall_impl::Guard::SnapshotUpdatesRanges);
        let found: Vec<Box<Divergence>> = [1, 2, 4, 2, 4]
            .into_iter()
            .map(|threads| {
                let (go_on, covered) = (AtomicBool::new(false), AtomicU64::new(0));
                let toured = conform(Touring::by(threads), guard, &model, &explored, &go_on, &covered);
                toured.divergence.expect("the guard is missed")
            })
            .collect();
        assert!(found.iter().all(|other| *other == found[0]), "{}", found[0]);
        let again = parting::first_on(&mut World::new(guard), &model, &found[0].prefix).expect("it parts");
        assert_eq!((again.step, again.prefix.len() as u64), (found[0].step, found[0].step));
        assert!(matches!(found[0].action, Some(Action::ApplySnapshot { .. })), "{}", found[0]);
    }
}
