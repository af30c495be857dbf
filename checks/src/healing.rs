//! The implementation heals, too: from states of a scope, once faults stop, it
//! takes the model's healing step by step and shows what the model shows.
//!
//! The schedule is the model's (`rollcall_model::heal`), and every step of it an
//! action like any other, so the world takes it as it takes a tour. What is
//! under way is lost first: a network that has lost everything must heal. A
//! state on a healing path that was followed before is not followed again: there
//! the implementation showed the same, and goes on in the same way.

use std::collections::{BTreeSet, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ahash::RandomState;
use rollcall_impl::Guards;
use rollcall_model::{Rollcall, State, heal};
use rollcall_traces::{Action, Divergence, Outcome, Sides, Subject, differences};
use stateright::Model;

use crate::conformance::{begin, panicked, take};
use crate::explorer::Exploration;
use crate::world::World;

/// From which states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Every state.
    All,
    /// So many, drawn from the seed; all if there are no more.
    Drawn {
        /// How many.
        count: usize,
        /// From where they are drawn.
        seed: u64,
    },
}

impl Sample {
    /// The indices of the states, the shallowest first.
    fn of(self, states: usize) -> Vec<u32> {
        match self {
            Sample::Drawn { count, seed } if count < states => {
                let mut drawn = BTreeSet::new();
                let mut number = seed;
                while drawn.len() < count {
                    number = mixed(number);
                    drawn.insert((number % states as u64) as u32);
                }
                drawn.into_iter().collect()
            }
            _ => (0..states as u32).collect(),
        }
    }
}

/// SplitMix64.
fn mixed(state: u64) -> u64 {
    let mut word = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Healing {
    /// The states from which the implementation healed as the model does.
    pub states: u64,
    /// The steps of healing that were taken and compared.
    pub steps: u64,
    /// The first disagreement of any thread.
    pub divergence: Option<Box<Divergence>>,
    /// Whether every state was looked at.
    pub finished: bool,
}

/// Heals the implementation with `guards` from states of an exhausted exploration.
pub fn heal_implementation<G: Guards + Sync>(
    guards: G,
    model: &Rollcall,
    exploration: &Exploration<State>,
    sample: Sample,
    threads: usize,
    interrupt: &AtomicBool,
) -> Healing {
    let drawn = sample.of(exploration.states.len());
    let total = Mutex::new(Healing { finished: true, ..Healing::default() });
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let followed = Mutex::new(HashSet::with_hasher(RandomState::with_seeds(7, 2, 4204, 434_317)));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let world = World::new(guards);
                let (path, actions) = (Vec::new(), Vec::new());
                let mut healer = Healer { model, exploration, world, path, actions, followed: &followed };
                loop {
                    if stop.load(Ordering::Relaxed) || interrupt.load(Ordering::Relaxed) {
                        total.lock().expect("a healing panicked").finished = false;
                        return;
                    }
                    let Some(index) = drawn.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                    let healed = healer.from(*index);
                    let mut total = total.lock().expect("a healing panicked");
                    match healed {
                        Ok(steps) => {
                            total.states += 1;
                            total.steps += steps;
                        }
                        Err(divergence) => {
                            stop.store(true, Ordering::Relaxed);
                            total.divergence.get_or_insert(divergence);
                        }
                    }
                }
            });
        }
    });
    total.into_inner().expect("a healing panicked")
}

struct Healer<'a, G: Guards> {
    model: &'a Rollcall,
    exploration: &'a Exploration<State>,
    world: World<G>,
    path: Vec<Action>,
    actions: Vec<Action>,
    /// The states at rest from which somebody healed.
    followed: &'a Mutex<HashSet<State, RandomState>>,
}

impl<G: Guards> Healer<'_, G> {
    /// Leads the world to a state and heals it; how many steps that took.
    fn from(&mut self, index: u32) -> Result<u64, Box<Divergence>> {
        let mut state = self.model.at_rest(&self.exploration.states.get(index));
        if !self.is_new(state) {
            return Ok(0);
        }
        self.lead_to(index)?;
        self.world.lose_what_is_under_way();
        self.compare(&state, Outcome::DONE, Outcome::DONE)?;
        let mut steps = 0;
        // It ends: the model has healed from here.
        while let Some(action) = heal::next(self.model, &state) {
            let (after, expected) = self.model.step(&state, &action);
            self.path.push(action);
            let outcome = self.take()?;
            self.compare(&after, expected, outcome)?;
            steps += 1;
            state = after;
            if !self.is_new(state) {
                break;
            }
        }
        Ok(steps)
    }

    fn is_new(&self, state: State) -> bool {
        self.followed.lock().expect("a healing panicked").insert(state)
    }

    /// The shortest way: compared step by step by the tour.
    fn lead_to(&mut self, index: u32) -> Result<(), Box<Divergence>> {
        self.path.clear();
        begin(&mut self.world, self.model);
        for pair in self.exploration.graph.lineage(index).windows(2) {
            let edge = self.exploration.graph.edge_between(pair[0], pair[1]).expect("a parent leads there");
            self.actions.clear();
            self.model.actions(&self.exploration.states.get(pair[0]), &mut self.actions);
            let ordinal = usize::from(self.exploration.graph.ordinal(edge));
            self.path.push(self.actions.swap_remove(ordinal));
            self.take()?;
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Outcome, Box<Divergence>> {
        let action = self.path.last().expect("a step to take");
        take(&mut self.world, action).map_err(|words| panicked(&self.model.scope().name, &self.path, &words))
    }

    fn compare(&self, state: &State, expected: Outcome, outcome: Outcome) -> Result<(), Box<Divergence>> {
        let seen = self.model.seen(state);
        if expected == outcome && self.world.shows(&seen) {
            return Ok(());
        }
        Err(Box::new(Divergence {
            scenario: self.model.scope().name.clone(),
            sides: Sides::MODEL_AND_IMPL,
            step: self.path.len() as u64,
            action: self.path.last().cloned(),
            expected: Some(expected),
            actual: Some(outcome),
            differences: differences(&seen.view(), &self.world.view()),
            guards: Vec::new(),
            prefix: self.path.clone(),
            command: None,
        }))
    }
}
