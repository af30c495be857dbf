//! The healing paths: states at rest, each with its next one.
//!
//! A state at rest is numbered when it first occurs on a path that reached the goals. Where the
//! schedule ends, a state leads to itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use ahash::RandomState;
use rollcall_model::State;
use rollcall_model::liveness::StuckReason;

const SHARDS: usize = 64;

/// The number of a state that is not known to heal.
pub(super) const UNKNOWN: u32 = u32::MAX;

#[derive(Default)]
struct Shard {
    numbers: HashMap<State, u32, RandomState>,
    /// For each state of this shard, the number of its next one.
    next: Vec<u32>,
}

/// The states at rest that are known to heal, shared between threads.
pub(super) struct HealingStates {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    /// For each end at which something is not owed, the reasons.
    stuck_reasons: Mutex<BTreeMap<u32, Vec<StuckReason>>>,
}

impl HealingStates {
    pub(super) fn new() -> Self {
        let numbers = || HashMap::with_hasher(RandomState::with_seeds(7, 90_496, 44, 176));
        let shard = || Mutex::new(Shard { numbers: numbers(), next: Vec::new() });
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::with_seeds(8, 434_317, 7, 4204),
            stuck_reasons: Mutex::default(),
        }
    }

    /// Notes the stuck reasons of an end.
    pub(super) fn stuck_reason(&self, end: &State, why: Vec<StuckReason>) {
        if let (false, Some(number)) = (why.is_empty(), self.number(end)) {
            self.stuck_reasons.lock().expect("a thread panicked").insert(number, why);
        }
    }

    fn shard(&self, state: &State) -> usize {
        (self.hasher.hash_one(state) >> 58) as usize % SHARDS
    }

    /// The state's number, if it is known to heal.
    pub(super) fn number(&self, state: &State) -> Option<u32> {
        let shard = self.shards[self.shard(state)].lock().expect("a thread panicked");
        shard.numbers.get(state).copied()
    }

    /// Adds a path that ends where the schedule ends, or in a known state; returns the number of
    /// its first state.
    pub(super) fn add(&self, way: &[State], end: Option<u32>) -> u32 {
        let number = way.iter().rev().fold(end, |next, state| Some(self.add_one(state, next)));
        number.expect("a way has a beginning or an end")
    }

    fn add_one(&self, state: &State, next: Option<u32>) -> u32 {
        let at = self.shard(state);
        let mut shard = self.shards[at].lock().expect("a thread panicked");
        if let Some(number) = shard.numbers.get(state) {
            return *number;
        }
        let number = (shard.next.len() * SHARDS + at) as u32;
        shard.numbers.insert(*state, number);
        shard.next.push(next.unwrap_or(number));
        number
    }
}

/// The healing paths of an exploration.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// For each state, the number of its state at rest.
    rest: Vec<u32>,
    /// For each state at rest, its next one.
    next: Vec<Vec<u32>>,
    stuck_reasons: BTreeMap<u32, Vec<StuckReason>>,
}

/// The states with one stuck reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StuckStates {
    /// The first state that ends with it.
    pub first: u32,
    /// How many do.
    pub states: u64,
}

impl Ways {
    pub(super) fn new(rest: Vec<u32>, known: HealingStates) -> Self {
        let shards = known.shards.into_iter();
        let next = shards.map(|shard| shard.into_inner().expect("a thread panicked").next).collect();
        let stuck_reasons = known.stuck_reasons.into_inner().expect("a thread panicked");
        Self { rest, next, stuck_reasons }
    }

    /// The stuck reasons of the states that heal, each with its states; and how many states have
    /// any.
    pub fn stuck(&self) -> (BTreeMap<StuckReason, StuckStates>, u64) {
        let (mut stuck, mut any) = (BTreeMap::new(), 0);
        if self.stuck_reasons.is_empty() {
            return (stuck, any);
        }
        let mut ends: Vec<Vec<u32>> = self.next.iter().map(|shard| vec![UNKNOWN; shard.len()]).collect();
        for (state, rest) in (0..).zip(&self.rest).filter(|(_, rest)| **rest != UNKNOWN) {
            let Some(why) = self.stuck_reasons.get(&self.end(*rest, &mut ends)) else { continue };
            any += 1;
            for stuck_reason in why {
                stuck.entry(*stuck_reason).or_insert(StuckStates { first: state, states: 0 }).states += 1;
            }
        }
        (stuck, any)
    }

    /// The end of the schedule from `rest`; `ends` has the ends found so far.
    fn end(&self, rest: u32, ends: &mut [Vec<u32>]) -> u32 {
        let place = |number: u32| (number as usize % SHARDS, number as usize / SHARDS);
        let (mut at, mut way) = (rest, Vec::new());
        let end = loop {
            let (shard, index) = place(at);
            if ends[shard][index] != UNKNOWN {
                break ends[shard][index];
            }
            way.push(at);
            match self.next(at) {
                Some(next) => at = next,
                None => break at,
            }
        };
        for number in way {
            let (shard, index) = place(number);
            ends[shard][index] = end;
        }
        end
    }

    /// For tests: `states` states, each at its end already.
    #[cfg(test)]
    pub(crate) fn that_end_at_once(states: usize) -> Self {
        Self { rest: vec![0; states], next: vec![vec![0]; SHARDS], stuck_reasons: BTreeMap::new() }
    }

    /// The number of the state at rest of `state`; `None` if it is not known to heal.
    pub fn rest(&self, state: u32) -> Option<u32> {
        Some(self.rest[state as usize]).filter(|number| *number != UNKNOWN)
    }

    /// The next state at rest; `None` where the schedule ends.
    pub fn next(&self, rest: u32) -> Option<u32> {
        let next = self.next[rest as usize % SHARDS][rest as usize / SHARDS];
        (next != rest).then_some(next)
    }
}
