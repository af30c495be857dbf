//! Replays every transition of an explored scope on the implementation.
//!
//! A tour covers the edges of the state graph by long paths. After every step on a new edge,
//! outcome and view must equal the model's. In every new state, every disabled action must be
//! refused for the model's reason and must change nothing. A refusal is reused when every component
//! that the implementation read is unchanged; one state in 64 is checked in full
//! ([`TourOptions::every_refusal`] checks all).
//!
//! A path continues from a copy of the world at the point where it branches off the path before;
//! one path in 64 starts from the beginning. Steps that only lead to a new edge are driven and not
//! compared, because they were compared before. Both counts are reported.

mod explain;
mod guide;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rollcall_impl::Guards;
use rollcall_model::{RefusalCache, Rollcall, State};
use rollcall_traces::{Divergence, Reason};

use crate::driven::Driven;
use crate::explorer::Exploration;
use crate::parting;
use crate::subject::Fault;
use crate::tour::Tour;
use crate::world::World;

use guide::Guide;
pub(crate) use guide::{not_from_the_beginning, panicked};

/// What was replayed, and whether it agreed.
#[derive(Clone, Debug, Default)]
pub struct Conformance {
    /// Paths.
    pub paths: u64,
    /// Distinct transitions replayed and compared.
    pub transitions: u64,
    /// Steps taken, including those that only lead to a new edge. Steps before a copy are not
    /// counted.
    pub steps: u64,
    /// States in which the disabled actions were checked.
    pub states: u64,
    /// Disabled actions refused for the model's reason, over all states.
    pub refusals: u64,
    /// How many of them the implementation was asked to take. It had refused the others in another
    /// state with the same components.
    pub checked: u64,
    /// How often each reason was given by both sides.
    pub reasons: BTreeMap<Reason, u64>,
    /// The shortest divergence found.
    pub divergence: Option<Box<Divergence>>,
    /// Whether the tour is complete.
    pub finished: bool,
    /// Divergences of a tour that continues after one, by the guard whose absence explains them.
    /// `None` is the key of those that no guard explains.
    pub divergences: BTreeMap<Option<&'static str>, DivergenceGroup>,
    /// Transitions that were only reached after a divergence.
    pub only_reached_after: u64,
}

/// Divergences of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DivergenceGroup {
    /// How many.
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
        self.checked += other.checked;
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        self.only_reached_after += other.only_reached_after;
        for (guard, DivergenceGroup { times, shortest }) in other.divergences {
            self.part(guard, times, shortest);
        }
    }

    fn part(&mut self, guard: Option<&'static str>, times: u64, divergence: Box<Divergence>) {
        match self.divergences.get_mut(&guard) {
            None => drop(self.divergences.insert(guard, DivergenceGroup { times, shortest: divergence })),
            Some(known) => {
                known.times += times;
                if divergence.step < known.shortest.step {
                    known.shortest = divergence;
                }
            }
        }
    }
}

/// What a tour checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Transitions and disabled actions.
    Everything,
    /// Only transitions.
    Transitions,
    /// Only disabled actions, in the states whose view agrees.
    Refusals,
}

/// How a tour is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TourOptions {
    /// What is checked.
    pub look: Look,
    /// Whether every disabled action is checked in every state.
    pub every_refusal: bool,
    /// Whether the tour continues with its next path after a divergence, and counts divergences by
    /// the guard whose absence explains them.
    pub continues: bool,
    /// The number of threads.
    pub threads: usize,
}

impl TourOptions {
    /// Checks everything, and reuses refusals on the same components.
    pub fn with_threads(threads: usize) -> Self {
        Self { look: Look::Everything, every_refusal: false, continues: false, threads }
    }
}

/// Replays the tour of `exploration` on the implementation with `guards`.
pub fn conform<G: Guards + Send + Sync>(
    tour_options: TourOptions,
    guards: G,
    model: &Rollcall,
    exploration: &Exploration<State>,
    interrupt: &AtomicBool,
    covered: &AtomicU64,
) -> Conformance {
    conform_on(tour_options, || World::new(guards), model, exploration, interrupt, covered)
}

/// The same for what `begun` makes, one for each thread and one more: worlds or a user's subjects.
pub(crate) fn conform_on<D: Driven>(
    tour_options: TourOptions,
    begun: impl Fn() -> D + Sync,
    model: &Rollcall,
    exploration: &Exploration<State>,
    interrupt: &AtomicBool,
    covered: &AtomicU64,
) -> Conformance {
    let tour = Mutex::new(Tour::new(&exploration.graph));
    let total = Mutex::new(Conformance { finished: true, ..Conformance::default() });
    let (stop, differing) = (AtomicBool::new(false), Mutex::default());
    std::thread::scope(|scope| {
        for _ in 0..tour_options.threads {
            let (tour, total, stop, begun, differing) = (&tour, &total, &stop, &begun, &differing);
            scope.spawn(move || {
                let mut guide = Guide::new(tour_options, begun(), model, exploration, differing);
                let mut cache = RefusalCache::default();
                // An adapter may already fail where a scope begins.
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
    if let Some(found) = total.divergence.as_ref().filter(|_| tour_options.look == Look::Everything)
        && let Some(shortest) = parting::shortest(begun(), model, exploration, found.step, interrupt)
    {
        total.divergence = Some(shortest);
    }
    total
}

/// Keeps the divergence with the shorter path.
pub(crate) fn keep_shorter(kept: &mut Option<Box<Divergence>>, other: Box<Divergence>) {
    if kept.as_ref().is_none_or(|kept| other.step < kept.step) {
        *kept = Some(other);
    }
}
