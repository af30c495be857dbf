//! Whether a guard changes any outcome in a scope.
//!
//! Dropping a guard that no rule consults in a scope breaks nothing, and says nothing about the
//! guard. So every action that the explored states offer, and every step of their healing, is taken
//! with the guard and without it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rollcall_model::{GuardSet, Rollcall, State, liveness};
use rollcall_traces::Action;
use stateright::Model;

use crate::explorer::Exploration;

/// States that a thread takes at a time.
const STATES: usize = 4_096;

/// Whether the rules of `guards` and those of `without` differ for any action in the states that
/// were explored without the guard. `None` if interrupted.
pub(crate) fn decides(
    guards: GuardSet,
    without: &Rollcall,
    explored: &Exploration<State>,
    threads: usize,
    interrupt: &AtomicBool,
) -> Option<bool> {
    let sound = without.with_guards(guards);
    let (next, found) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut both = Both { sound: &sound, without, actions: Vec::new(), healed: HashSet::new() };
                loop {
                    let begin = next.fetch_add(STATES, Ordering::Relaxed);
                    let states = begin..(begin + STATES).min(explored.states.len());
                    if states.is_empty() {
                        break;
                    }
                    for state in states {
                        if found.load(Ordering::Relaxed) || interrupt.load(Ordering::Relaxed) {
                            return;
                        }
                        if both.part_at(&explored.states.get(state as u32)) {
                            found.store(true, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    match (found.into_inner(), interrupt.load(Ordering::Relaxed)) {
        (false, true) => None,
        (found, _) => Some(found),
    }
}

struct Both<'a> {
    sound: &'a Rollcall,
    without: &'a Rollcall,
    actions: Vec<Action>,
    healed: HashSet<State>,
}

impl Both<'_> {
    fn part_at(&mut self, state: &State) -> bool {
        let mut actions = std::mem::take(&mut self.actions);
        actions.clear();
        self.without.actions(state, &mut actions);
        let part = actions.iter().any(|action| self.part_by(state, action)) || self.part_in_healing(state);
        self.actions = actions;
        part
    }

    fn part_by(&self, state: &State, action: &Action) -> bool {
        self.sound.step(state, action) != self.without.step(state, action)
    }

    fn part_in_healing(&mut self, state: &State) -> bool {
        let mut at = self.without.at_rest(state);
        while self.healed.insert(at) {
            let next = liveness::next(self.without, &at);
            if next != liveness::next(self.sound, &at) {
                return true;
            }
            let Some(action) = next else { return false };
            if self.part_by(&at, &action) {
                return true;
            }
            at = self.without.step(&at, &action).0;
        }
        false
    }
}
