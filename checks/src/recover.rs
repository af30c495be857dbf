//! From every state, once faults stop: does it heal?
//!
//! The schedule and the goals are the model's (`rollcall_model::heal`). A state
//! on the way from another heals as that one does, so whatever lies on a way
//! that reached the goals is known to be good, and the whole graph costs little
//! more than one pass. The states are looked at in breadth-first order and the
//! first that does not heal is reported: its way is a shortest one.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use ahash::RandomState;
use rollcall_model::heal::{self, Goal, Missed};
use rollcall_model::{Rollcall, State};
use rollcall_traces::Action;

use crate::explorer::Exploration;

/// The most actions that healing may take.
pub const BOUND: usize = 400;

const SHARDS: usize = 64;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// The states from which every goal that is owed is reached.
    pub recovered: u64,
    /// The first state that does not heal.
    pub stuck: Option<Stuck>,
    /// Whether every state was looked at.
    pub finished: bool,
}

/// A state that does not heal.
#[derive(Clone, Debug)]
pub struct Stuck {
    /// Its index.
    pub state: u32,
    /// What the schedule did from there.
    pub healing: Vec<Action>,
    /// What was missed, the first first; never empty.
    pub missed: Vec<Missed>,
}

impl Stuck {
    /// What is told of it.
    pub fn first(&self) -> &Missed {
        &self.missed[0]
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first())
    }
}

/// The states that are known to heal.
struct Known {
    shards: Vec<Mutex<HashSet<State, RandomState>>>,
    hasher: RandomState,
}

impl Known {
    fn new() -> Self {
        let shard = || Mutex::new(HashSet::with_hasher(RandomState::with_seeds(7, 90_496, 44, 176)));
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::with_seeds(8, 434_317, 7, 4204),
        }
    }

    fn shard(&self, state: &State) -> &Mutex<HashSet<State, RandomState>> {
        &self.shards[(self.hasher.hash_one(state) >> 58) as usize % SHARDS]
    }

    fn has(&self, state: &State) -> bool {
        self.shard(state).lock().expect("a thread panicked").contains(state)
    }

    fn add(&self, way: &[State]) {
        for state in way {
            self.shard(state).lock().expect("a thread panicked").insert(*state);
        }
    }
}

/// So many states are healed between two notes of how far it came.
const STRETCH: usize = 1 << 20;

/// Heals every state of an exhausted exploration.
pub fn recover(
    model: &Rollcall,
    explored: &Exploration<State>,
    threads: usize,
    interrupt: &AtomicBool,
) -> Recovery {
    recover_on(model, explored, 0, |_| {}, threads, interrupt)
}

/// The same where each state before `from` is known to heal. From time to time
/// `note` is told up to where that is known now.
pub fn recover_on(
    model: &Rollcall,
    explored: &Exploration<State>,
    from: u32,
    mut note: impl FnMut(u32),
    threads: usize,
    interrupt: &AtomicBool,
) -> Recovery {
    let known = Known::new();
    let all = explored.states.len();
    let mut recovery = Recovery { recovered: u64::from(from).min(all as u64), stuck: None, finished: true };
    while recovery.finished && recovery.stuck.is_none() && recovery.recovered < all as u64 {
        let begin = recovery.recovered as usize;
        let stretch = begin..(begin + STRETCH).min(all);
        let healed = recover_stretch(model, explored, stretch, &known, threads, interrupt);
        recovery = Recovery { recovered: recovery.recovered + healed.recovered, ..healed };
        if recovery.finished && recovery.stuck.is_none() {
            note(recovery.recovered as u32);
        }
    }
    recovery
}

fn recover_stretch(
    model: &Rollcall,
    explored: &Exploration<State>,
    stretch: Range<usize>,
    known: &Known,
    threads: usize,
    interrupt: &AtomicBool,
) -> Recovery {
    let states = &explored.states;
    let (next, recovered) = (AtomicU32::new(stretch.start as u32), AtomicU64::new(0));
    let stuck: Mutex<Option<Stuck>> = Mutex::new(None);
    // States behind the first that is stuck need no look.
    let limit = AtomicU32::new(u32::MAX);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut way = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index as usize >= stretch.end {
                        break;
                    }
                    if index > limit.load(Ordering::Relaxed) || interrupt.load(Ordering::Relaxed) {
                        break;
                    }
                    way.clear();
                    let missed = heal_one(model, known, model.at_rest(&states.get(index)), &mut way);
                    match missed {
                        Ok(()) => {
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
    let stuck = stuck.into_inner().expect("a thread panicked");
    let recovered = recovered.into_inner();
    Recovery { recovered, finished: stuck.is_some() || recovered == stretch.len() as u64, stuck }
}

/// The first state that does not heal for want of `goal`.
pub fn first_that_misses(
    model: &Rollcall,
    explored: &Exploration<State>,
    goal: Goal,
    interrupt: &AtomicBool,
) -> Option<Stuck> {
    let (known, mut way) = (Known::new(), Vec::new());
    let states = (0..).zip(explored.states.iter()).take_while(|_| !interrupt.load(Ordering::Relaxed));
    states.into_iter().find_map(|(index, state)| {
        way.clear();
        let found = heal_one(model, &known, model.at_rest(&state), &mut way).err()?;
        let mut found = found;
        found.missed.retain(|missed| missed.goal == goal);
        (!found.missed.is_empty()).then_some(Stuck { state: index, ..found })
    })
}

/// The first state that does not heal, for each goal that is missed anywhere.
pub fn first_of_each(
    model: &Rollcall,
    explored: &Exploration<State>,
    interrupt: &AtomicBool,
) -> BTreeMap<Goal, Stuck> {
    let (known, mut way) = (Known::new(), Vec::new());
    let mut first = BTreeMap::new();
    for (index, state) in (0..).zip(explored.states.iter()) {
        let state = &state;
        if interrupt.load(Ordering::Relaxed) {
            break;
        }
        way.clear();
        if let Err(found) = heal_one(model, &known, model.at_rest(state), &mut way) {
            for missed in &found.missed {
                let of_goal =
                    || Stuck { state: index, healing: found.healing.clone(), missed: vec![missed.clone()] };
                first.entry(missed.goal).or_insert_with(of_goal);
            }
            // Whoever comes here later misses the same.
            known.add(&way);
        }
    }
    first
}

/// What is missed where the schedule does not end: a leader, if that is still
/// the matter.
fn endless(model: &Rollcall, state: &State) -> Missed {
    let without_leader = heal::missed(model, state).into_iter().find(|of| of.goal == Goal::LeaderElectable);
    without_leader.unwrap_or_else(|| Missed {
        goal: Goal::Settles,
        region: 0,
        what: format!("healing does not end within {BOUND} actions"),
    })
}

/// Follows the schedule until it ends or meets a state that is known to heal.
fn heal_one(model: &Rollcall, known: &Known, first: State, way: &mut Vec<State>) -> Result<(), Stuck> {
    let mut state = first;
    let mut healing = Vec::new();
    loop {
        if known.has(&state) {
            break;
        }
        way.push(state);
        let Some(action) = heal::next(model, &state) else {
            let missed = heal::missed(model, &state);
            if missed.is_empty() {
                break;
            }
            return Err(Stuck { state: 0, healing, missed });
        };
        if healing.len() == BOUND {
            return Err(Stuck { state: 0, healing, missed: vec![endless(model, &state)] });
        }
        state = model.step(&state, &action).0;
        healing.push(action);
    }
    known.add(way);
    Ok(())
}
