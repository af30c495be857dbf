//! Every transition of an explored scope, replayed on the implementation.
//!
//! A tour covers the edges of the state graph by long paths. After every step
//! on a new edge outcome and view must be those of the model; in every state
//! met for the first time every disabled action must be refused, for the model's reason,
//! with nothing changed. Which the implementation refused in an earlier state,
//! and refuses by looking at parts that are the same here, is not checked again,
//! but in one state of 64 ([`Touring::every_refusal`] tries it everywhere).
//!
//! A path goes on from a copy of the world that stands where it parts from the
//! path before; one in 64 goes all the way from the beginning. Steps that only lead
//! to a new edge are driven and not compared: they were compared before, and both
//! counts are reported.

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
    /// Paths begun.
    pub paths: u64,
    /// Distinct transitions replayed and compared.
    pub transitions: u64,
    /// Steps taken, those that only led somewhere included; none before a copy.
    pub steps: u64,
    /// States in which the disabled actions were checked.
    pub states: u64,
    /// Disabled actions refused for the model's reason, over all states.
    pub refusals: u64,
    /// Those among them that the implementation was asked to take; the others it
    /// had refused in another state, on the same parts.
    pub checked: u64,
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
        self.checked += other.checked;
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

/// How a tour is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touring {
    /// What is looked at.
    pub look: Look,
    /// Every disabled action is checked in every state.
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

/// The same on what `begun` makes, one for each thread and one more: worlds, or somebody's own.
pub(crate) fn conform_on<D: Driven>(
    touring: Touring,
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
        for _ in 0..touring.threads {
            let (tour, total, stop, begun, differing) = (&tour, &total, &stop, &begun, &differing);
            scope.spawn(move || {
                let mut guide = Guide::new(touring, begun(), model, exploration, differing);
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
