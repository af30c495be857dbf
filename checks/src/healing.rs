//! The implementation heals like the model: once faults stop, it takes the model's healing step by
//! step from states of a scope, and must show the model's view after each.
//!
//! The schedule is the model's (`rollcall_model::liveness`). Each of its steps is an ordinary
//! action, so the world takes it like a step of a tour. Messages in flight are dropped first: a
//! network that loses everything must heal. A healing path that was followed once is not followed
//! again, because the implementation showed the same state there. Each state is reached by its
//! shortest path, from a copy of the world at the point where that path branches off the one before
//! (`copies.rs`).

use std::collections::{BTreeSet, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ahash::RandomState;
use rollcall_impl::Guards;
use rollcall_model::{Rollcall, State, liveness};
use rollcall_traces::{Action, Divergence, Outcome, Sides, Subject, differences};

use crate::conformance::{keep_shorter, not_from_the_beginning, panicked};
use crate::copies::Copies;
use crate::driven::{begin, take};
use crate::explorer::Exploration;
use crate::tour::{Batch, Parting, Path};
use crate::world::World;

/// Paths that a thread takes at a time. A small sample still gives every thread some.
const WAYS: usize = 256;

/// Which states to heal from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Every state.
    All,
    /// `count` states, drawn by `seed`; all if there are no more.
    Drawn {
        /// The number of states.
        count: usize,
        /// The seed of the draw.
        seed: u64,
    },
}

impl Sample {
    /// The indices of the sampled states, the shallowest first.
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

/// One output of SplitMix64.
fn mixed(state: u64) -> u64 {
    let mut word = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The result of healing the implementation.
#[derive(Clone, Debug, Default)]
pub struct Healing {
    /// The states from which the implementation healed as the model does.
    pub states: u64,
    /// The healing steps that were taken and compared.
    pub steps: u64,
    /// The shortest divergence that any thread found.
    pub divergence: Option<Box<Divergence>>,
    /// Whether every sampled state was healed.
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
    let total = Mutex::new(Healing::default());
    let (rest, stop) = (Mutex::new(drawn.iter().copied()), AtomicBool::new(false));
    let followed = Followed::new(HashSet::with_hasher(RandomState::with_seeds(7, 2, 4204, 434_317)));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut healer = Healer::new(guards, model, exploration, &followed);
                let healed = healer.all(&rest, |states, steps| {
                    let mut total = total.lock().expect("a healing panicked");
                    total.states += states;
                    total.steps += steps;
                    !stop.load(Ordering::Relaxed) && !interrupt.load(Ordering::Relaxed)
                });
                if let Err(divergence) = healed {
                    stop.store(true, Ordering::Relaxed);
                    keep_shorter(&mut total.lock().expect("a healing panicked").divergence, divergence);
                }
            });
        }
    });
    let total = total.into_inner().expect("a healing panicked");
    Healing { finished: total.states == drawn.len() as u64, ..total }
}

/// The states at rest from which healing has started.
type Followed = Mutex<HashSet<State, RandomState>>;

struct Healer<'a, G: Guards> {
    model: &'a Rollcall,
    exploration: &'a Exploration<State>,
    world: World<G>,
    copies: Copies<World<G>>,
    path: Vec<Action>,
    /// How many of these steps led to the state from which healing starts.
    led: usize,
    followed: &'a Followed,
}

impl<'a, G: Guards> Healer<'a, G> {
    fn new(
        guards: G,
        model: &'a Rollcall,
        exploration: &'a Exploration<State>,
        followed: &'a Followed,
    ) -> Self {
        let (world, copies) = (World::new(guards), Copies::default());
        Self { model, exploration, world, copies, path: Vec::new(), led: 0, followed }
    }

    /// Heals from states until none is left or `go_on` returns false. `go_on` gets the number of
    /// states and of steps since its last call.
    fn all(
        &mut self,
        states: &Mutex<impl Iterator<Item = u32>>,
        mut go_on: impl FnMut(u64, u64) -> bool,
    ) -> Result<(), Box<Divergence>> {
        let mut batch = Batch::default();
        loop {
            let known = self.take_ways(states, &mut batch);
            self.copies.clear();
            let mut goes_on = go_on(known, 0);
            for (path, parting) in batch.iter() {
                if !goes_on {
                    return Ok(());
                }
                self.lead_along(path, parting)?;
                let steps = self.heal(path.end())?;
                goes_on = go_on(1, steps);
            }
            if batch.is_empty() {
                return Ok(());
            }
        }
    }

    /// Fills the batch with the paths to the next states from which no thread heals; returns how
    /// many states were skipped because a thread does.
    fn take_ways(&self, states: &Mutex<impl Iterator<Item = u32>>, batch: &mut Batch) -> u64 {
        let mut states = states.lock().expect("a healing panicked");
        let mut known = 0;
        batch.take(WAYS, |path| {
            let next = states.find(|state| {
                let is_new = self.is_new(self.at_rest(*state));
                known += u64::from(!is_new);
                is_new
            });
            let Some(state) = next else { return false };
            path.lead_to(&self.exploration.graph, state);
            path.number = u64::from(state);
            true
        });
        known
    }

    fn at_rest(&self, state: u32) -> State {
        self.model.at_rest(&self.exploration.states.get(state))
    }

    /// Heals the world, which is in `state`; returns the number of steps.
    fn heal(&mut self, state: u32) -> Result<u64, Box<Divergence>> {
        let mut state = self.at_rest(state);
        self.led = self.path.len();
        self.world.lose_what_is_under_way();
        self.compare(&state, Outcome::DONE, Outcome::DONE)?;
        let mut steps = 0;
        // This loop ends: the model has healed from here.
        while let Some(action) = liveness::next(self.model, &state) {
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

    /// Drives the world along `path`. The tour has compared these steps already.
    fn lead_along(&mut self, path: &Path, parting: &Parting) -> Result<(), Box<Divergence>> {
        let begin = self.copies.begin(&mut self.world, self.model, path, parting);
        self.path.truncate(begin);
        let mut kept = parting.kept.iter().copied().peekable();
        for (taken, step) in (1..).zip(&path.steps).skip(begin) {
            let from = self.exploration.states.get(step.from);
            let ordinal = usize::from(self.exploration.graph.ordinal(step.edge));
            self.path
                .extend(self.model.offered_at(&from, ordinal).map(|offered| offered.action.into_owned()));
            self.take()?;
            if kept.next_if_eq(&taken).is_some() {
                self.copies.keep(taken, &self.world);
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Outcome, Box<Divergence>> {
        let action = self.path.last().expect("a step to take");
        take(&mut self.world, action)
            .map_err(|words| panicked(&self.model.scope().name, self.world.sides(), &self.path, &words))
    }

    fn compare(&mut self, state: &State, expected: Outcome, outcome: Outcome) -> Result<(), Box<Divergence>> {
        let seen = self.model.cluster(state);
        if expected == outcome && self.world.shows(&seen) {
            return Ok(());
        }
        let mut differences = differences(&seen.view(), &self.world.view());
        if self.agrees_from_the_beginning(state, &expected) {
            differences.push(not_from_the_beginning());
        }
        Err(Box::new(Divergence {
            scenario: self.model.scope().name.clone(),
            sides: Sides::MODEL_AND_IMPL,
            step: self.path.len() as u64,
            action: self.path.last().cloned(),
            expected: Some(expected),
            actual: Some(outcome),
            differences,
            guards: Vec::new(),
            places: Vec::new(),
            prefix: self.path.clone(),
            fault: Vec::new(),
            judged: None,
            command: None,
        }))
    }

    fn agrees_from_the_beginning(&mut self, state: &State, expected: &Outcome) -> bool {
        begin(&mut self.world, self.model);
        let mut outcome = Outcome::DONE;
        for (taken, action) in self.path.iter().enumerate() {
            if taken == self.led {
                self.world.lose_what_is_under_way();
            }
            match take(&mut self.world, action) {
                Ok(came) => outcome = came,
                Err(_) => return false,
            }
        }
        if self.path.len() == self.led {
            self.world.lose_what_is_under_way();
            outcome = Outcome::DONE;
        }
        outcome == *expected && self.world.shows(&self.model.cluster(state))
    }
}
