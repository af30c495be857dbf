//! Does every state heal once faults stop?
//!
//! The schedule and the goals are the model's (`rollcall_model::liveness`). A state on another
//! state's healing path heals as that one does. So every state on a path that reached the goals is
//! known to heal, and the whole graph costs little more than one pass. States are healed in
//! breadth-first order. The first that does not heal is reported, so its path is a shortest one.

mod repeats;
mod ways;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use rollcall_model::liveness::{self, Goal, Missed};
use rollcall_model::{Rollcall, State};
use rollcall_traces::Action;

use crate::explorer::Exploration;

pub use repeats::{Repeats, in_a_line};
use ways::{HealingStates, UNKNOWN};
pub use ways::{StuckStates, Ways};

/// The most actions that healing may take.
pub const BOUND: usize = 400;

/// The next action from a state at rest; `None` at the end.
pub type Schedule<'a> = &'a (dyn Fn(&Rollcall, &State) -> Option<Action> + Sync);

/// How states are healed.
#[derive(Clone, Copy)]
pub struct HealingOptions<'a> {
    /// The schedule.
    pub schedule: Schedule<'a>,
    /// The most actions that it may take.
    pub bound: usize,
}

impl Default for HealingOptions<'_> {
    fn default() -> Self {
        HealingOptions { schedule: &liveness::next, bound: BOUND }
    }
}

/// The result of healing every state.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// The states that reach every goal that is owed.
    pub recovered: u64,
    /// The first state that does not heal.
    pub stuck: Option<Stuck>,
    /// Whether every state was healed.
    pub finished: bool,
    /// The healing paths.
    pub ways: Ways,
}

/// A state that does not heal.
#[derive(Clone, Debug)]
pub struct Stuck {
    /// Its index.
    pub state: u32,
    /// The schedule's actions from there.
    pub healing: Vec<Action>,
    /// The missed goals, the first first; never empty.
    pub missed: Vec<Missed>,
    /// How many actions would have sufficed, if the bound was too low.
    pub needs: Option<usize>,
}

impl Stuck {
    /// The goal that is reported.
    pub fn first(&self) -> &Missed {
        &self.missed[0]
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first())
    }
}

/// Heals every state of an exhausted exploration by the model's schedule.
pub fn recover(
    model: &Rollcall,
    explored: &Exploration<State>,
    threads: usize,
    interrupt: &AtomicBool,
) -> Recovery {
    recover_by(HealingOptions::default(), model, explored, threads, interrupt)
}

/// The same with any schedule. `second_answer` must find a wrong schedule.
pub fn recover_by(
    options: HealingOptions<'_>,
    model: &Rollcall,
    explored: &Exploration<State>,
    threads: usize,
    interrupt: &AtomicBool,
) -> Recovery {
    recover_from(options, model, explored, 0, |_| {}, threads, interrupt)
}

/// States that are healed between two progress notes.
const STRETCH: usize = 1 << 20;

/// The same if each state before `from` is known to heal. `note` is called from time to time with
/// the index below which every state is known to heal.
pub fn recover_from(
    options: HealingOptions<'_>,
    model: &Rollcall,
    explored: &Exploration<State>,
    from: u32,
    mut note: impl FnMut(u32),
    threads: usize,
    interrupt: &AtomicBool,
) -> Recovery {
    let all = explored.states.len();
    let rest = (0..all).map(|_| AtomicU32::new(UNKNOWN)).collect();
    let healer = Healer { options, model, explored, known: HealingStates::new(), rest, interrupt };
    let (mut recovered, mut stuck) = (u64::from(from).min(all as u64), None);
    while recovered < all as u64 {
        let begin = recovered as usize;
        let stretch = begin..(begin + STRETCH).min(all);
        let length = stretch.len() as u64;
        let healed;
        (healed, stuck) = healer.heal(stretch, threads);
        recovered += healed;
        if healed < length {
            break;
        }
        note(recovered as u32);
    }
    let rest = healer.rest.into_iter().map(AtomicU32::into_inner).collect();
    let finished = stuck.is_some() || recovered == all as u64;
    Recovery { recovered, finished, stuck, ways: Ways::new(rest, healer.known) }
}

/// Heals the states of an exploration.
struct Healer<'a> {
    options: HealingOptions<'a>,
    model: &'a Rollcall,
    explored: &'a Exploration<State>,
    known: HealingStates,
    /// For each state, the number of its state at rest.
    rest: Vec<AtomicU32>,
    interrupt: &'a AtomicBool,
}

impl Healer<'_> {
    /// How many of these states heal, and the first that does not.
    fn heal(&self, stretch: Range<usize>, threads: usize) -> (u64, Option<Stuck>) {
        let (next, recovered) = (AtomicU32::new(stretch.start as u32), AtomicU64::new(0));
        let stuck: Mutex<Option<Stuck>> = Mutex::new(None);
        // States after the first stuck one need no check.
        let limit = AtomicU32::new(u32::MAX);
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    let mut way = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let is_over = index as usize >= stretch.end || index > limit.load(Ordering::Relaxed);
                        if is_over || self.interrupt.load(Ordering::Relaxed) {
                            break;
                        }
                        way.clear();
                        let first = self.model.at_rest(&self.explored.states.get(index));
                        match heal_one(self.options, self.model, &self.known, first, &mut way) {
                            Ok(number) => {
                                self.rest[index as usize].store(number, Ordering::Relaxed);
                                recovered.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(found) => {
                                limit.fetch_min(index, Ordering::Relaxed);
                                let mut first = stuck.lock().expect("a thread panicked");
                                if first.as_ref().is_none_or(|first| first.state > index) {
                                    *first = Some(Stuck { state: index, ..found });
                                }
                            }
                        }
                    }
                });
            }
        });
        (recovered.into_inner(), stuck.into_inner().expect("a thread panicked"))
    }
}

/// The first state that misses `goal`.
pub fn first_that_misses(
    model: &Rollcall,
    explored: &Exploration<State>,
    goal: Goal,
    interrupt: &AtomicBool,
) -> Option<Stuck> {
    let (known, mut way) = (HealingStates::new(), Vec::new());
    let states = (0..).zip(explored.states.iter()).take_while(|_| !interrupt.load(Ordering::Relaxed));
    states.into_iter().find_map(|(index, state)| {
        way.clear();
        let found =
            heal_one(HealingOptions::default(), model, &known, model.at_rest(&state), &mut way).err()?;
        let mut found = found;
        found.missed.retain(|missed| missed.goal == goal);
        (!found.missed.is_empty()).then_some(Stuck { state: index, ..found })
    })
}

/// For each goal that is missed anywhere, the first state that misses it.
pub fn first_of_each(
    model: &Rollcall,
    explored: &Exploration<State>,
    interrupt: &AtomicBool,
) -> BTreeMap<Goal, Stuck> {
    let (known, mut way) = (HealingStates::new(), Vec::new());
    let mut lost: HashSet<State> = HashSet::new();
    let mut first = BTreeMap::new();
    for (index, state) in (0..).zip(explored.states.iter()) {
        if interrupt.load(Ordering::Relaxed) {
            break;
        }
        way.clear();
        let rest = model.at_rest(&state);
        // A state that leads here later misses the same goal.
        if lost.contains(&rest) {
            continue;
        }
        if let Err(found) = heal_one(HealingOptions::default(), model, &known, rest, &mut way) {
            for missed in &found.missed {
                let of_goal = || Stuck { state: index, missed: vec![missed.clone()], ..found.clone() };
                first.entry(missed.goal).or_insert_with(of_goal);
            }
            lost.extend(way.drain(..));
        }
    }
    first
}

/// The state in which the model's schedule ends, from a state that heals.
pub fn end_of(model: &Rollcall, state: &State) -> State {
    let mut at = model.at_rest(state);
    while let Some(action) = liveness::next(model, &at) {
        at = model.step(&at, &action).0;
    }
    at
}

/// Handles a healing that exceeds the bound. It continues for as many actions again, but at least
/// [`BOUND`], to tell a slow healing from one that never ends.
fn too_long(options: HealingOptions<'_>, model: &Rollcall, healing: Vec<Action>, state: State) -> Stuck {
    let mut at = state;
    for more in 0..options.bound.max(BOUND) {
        // The schedule has come back to the same state: it never ends.
        if more > 0 && at == state {
            break;
        }
        let Some(action) = (options.schedule)(model, &at) else {
            let missed = liveness::missed(model, &at);
            let needs = missed.is_empty().then_some(options.bound + more);
            let missed = if needs.is_some() { vec![endless(model, &state, options.bound)] } else { missed };
            return Stuck { state: 0, healing, missed, needs };
        };
        at = model.step(&at, &action).0;
    }
    Stuck { state: 0, healing, missed: vec![endless(model, &state, options.bound)], needs: None }
}

/// The goal that an endless healing misses: a leader, or keys without a region, if that is still
/// the problem.
fn endless(model: &Rollcall, state: &State, bound: usize) -> Missed {
    let without_leader = liveness::missed(model, state).into_iter().find(|of| of.goal.is_of_keys());
    without_leader.unwrap_or_else(|| Missed {
        goal: Goal::Settles,
        region: 0,
        what: format!("healing does not end within {bound} actions"),
    })
}

/// Heals states one by one, and remembers what heals.
pub(crate) struct OneByOne {
    known: HealingStates,
    way: Vec<State>,
}

impl OneByOne {
    /// Knows no state yet.
    pub(crate) fn new() -> Self {
        Self { known: HealingStates::new(), way: Vec::new() }
    }

    /// The goal that the state misses once faults stop.
    pub(crate) fn missed(&mut self, model: &Rollcall, state: &State) -> Option<Goal> {
        self.way.clear();
        let first = model.at_rest(state);
        let healed = heal_one(HealingOptions::default(), model, &self.known, first, &mut self.way);
        healed.err().map(|stuck| stuck.first().goal)
    }
}

/// Follows the schedule until it ends or reaches a state that is known to heal; returns the number
/// of the first state.
fn heal_one(
    options: HealingOptions<'_>,
    model: &Rollcall,
    known: &HealingStates,
    first: State,
    way: &mut Vec<State>,
) -> Result<u32, Stuck> {
    let mut state = first;
    let mut healing = Vec::new();
    loop {
        if let Some(number) = known.number(&state) {
            return Ok(known.add(way, Some(number)));
        }
        way.push(state);
        let Some(action) = (options.schedule)(model, &state) else {
            let missed = liveness::missed(model, &state);
            if !missed.is_empty() {
                return Err(Stuck { state: 0, healing, missed, needs: None });
            }
            let first = known.add(way, None);
            known.stuck_reason(&state, liveness::stuck_reasons(model, &state));
            return Ok(first);
        };
        if healing.len() == options.bound {
            return Err(too_long(options, model, healing, state));
        }
        state = model.step(&state, &action).0;
        healing.push(action);
    }
}
