//! Finds the guard that a raft library lacks, when it differs from the model.

use rollcall_model::{Guard, Rollcall, State};
use rollcall_traces::{Action, Outcome, View};

use super::guide::Guide;
use crate::driven::Driven;
use crate::subject::exhibits::{is_raft_s, without_what_was_sent};

/// A view without sent and pending snapshots.
fn without_snapshots(view: &View) -> View {
    let mut view = without_what_was_sent(view);
    for store in view.stores.values_mut() {
        store.pending_ranges.clear();
        store.peers.values_mut().for_each(|peer| peer.snapshot = None);
    }
    view
}

impl<D: Driven> Guide<'_, D> {
    /// The guard without which the model does what the world has just done in `state`.
    pub(super) fn explain(&self, state: u32, action: &Action, outcome: &Outcome) -> Option<&'static str> {
        if !self.tour_options.continues {
            return None;
        }
        let state = self.exploration.states.get(state);
        let lacking = self.lacking.get_or_init(|| self.models_lacking());
        let same = lacking.iter().find(|(_, model)| {
            let (after, expected) = model.step(&state, action);
            self.world.agrees(&expected, outcome) && self.world.shows(&model.cluster(&after))
        });
        // Or the action changed nothing on either side, and only the sender records that it sent.
        let nothing = || {
            let sound = self.model.step(&state, action);
            let seen = without_what_was_sent(&self.world.view());
            lacking.iter().find(|(_, model)| {
                let taken = model.step(&state, action);
                taken != sound && without_what_was_sent(&model.cluster(&taken.0).view()) == seen
            })
        };
        let guard = same.or_else(nothing).map(|(guard, _)| *guard);
        guard.or_else(|| self.drops_a_snapshot(&state, action)).map(|guard| guard.name())
    }

    /// The model without each of the guards that a raft library has.
    fn models_lacking(&self) -> Vec<(&'static Guard, Rollcall)> {
        let guards = Guard::ALL.iter().filter(|guard| is_raft_s(**guard));
        let model = |guard: &Guard| self.model.with_guards(self.model.guards().and_without(*guard));
        guards.map(|guard| (guard, model(guard))).collect()
    }

    /// Whether the world did what the rules do, except for a snapshot that a demoted peer received
    /// and dropped. Without the guard the rules refuse that snapshot before raft learns who sent
    /// it.
    fn drops_a_snapshot(&self, state: &State, action: &Action) -> Option<&'static Guard> {
        let guard = &Guard::DemotedTakesSnapshots;
        let sound = self.model.step(state, action);
        let lacking = self.lacking.get_or_init(|| self.models_lacking());
        let without = lacking.iter().find(|(lacks, _)| *lacks == guard)?.1.step(state, action);
        let (sound_view, seen) = (self.model.cluster(&sound.0).view(), self.world.view());
        let is_it = without != sound && without_snapshots(&sound_view) == without_snapshots(&seen);
        is_it.then_some(guard)
    }
}
