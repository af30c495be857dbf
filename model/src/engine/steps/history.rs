//! Memoised updates of a history by a step.
//!
//! A step first adds to the history. Then everything that no property can need any more is pruned
//! ([`History::changed_by`](rollcall_traces::History::changed_by), `pruned`). The delta of a
//! baseline history (the model's parts, and no abandoned store) mostly depends only on the step's
//! read set and the history. Then it is stored with the step.

use std::borrow::Cow;

use rollcall_traces::{Action, Outcome, PeerSummary};

use super::{Effect, Steps};
use crate::engine::memo::STORES;
use crate::engine::memo::{ReadTracker, Side, Slot, Slots, track};
use crate::engine::state::{InternTables, State};
use crate::engine::state_ref::StateRef;

/// Only the history.
const HISTORY: Slots = Slots::of(Slot::History);

/// How a memoised step changes a history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HistoryUpdate {
    /// It depends on more than the step's read set.
    Open,
    /// It depends on the read set and on the history.
    LooksBack {
        /// An empty delta prunes nothing.
        forgets_nothing: bool,
    },
    /// A baseline history gets nothing; something of these regions may be pruned, by the number of
    /// their list.
    Moved(u32),
    /// A baseline history is unchanged.
    Stays,
}

/// What a step adds to a history.
#[derive(Clone, Copy)]
pub(super) struct HistoryDelta {
    /// The number of the resulting history; `None` if it is unchanged.
    history: Option<u32>,
    /// The number of the list of regions that may be pruned.
    moved: u32,
}

impl Steps {
    /// The step's delta of the history, and the slots on which it depends beyond the step's read
    /// set.
    pub(super) fn delta_within(
        &self,
        parts: &InternTables,
        before: &State,
        numbers: (u32, u32),
        after: &State,
        read_set: Slots,
    ) -> (HistoryDelta, Slots) {
        let noted = ReadTracker::new(Slots::NONE);
        // What the step has read also decides what is there afterwards.
        let (was, is) =
            (parts.tracked(before, &noted, Side::Before), parts.tracked(after, &noted, Side::Before));
        let delta = self.compute_delta(parts, (&was, &is), before, numbers, &noted);
        let is_known = |slot: &Slot| match *slot {
            Slot::Store(..) | Slot::Held(_) | Slot::Pd(_) => read_set.has(*slot),
            Slot::Beside(at) | Slot::Peer(at, _) => {
                read_set.has(*slot) || read_set.has(Slot::Store(Side::Before, at))
            }
            Slot::PdMoved | Slot::Moved(_) => true,
            Slot::Spent
            | Slot::History
            | Slot::Summary(..)
            | Slot::Report(..)
            | Slot::Claims(_)
            | Slot::Believed
            | Slot::Statuses(_)
            | Slot::Regions(_) => false,
        };
        let beyond = noted.get().iter().filter(|slot| !is_known(slot));
        (delta, beyond.fold(Slots::NONE, Slots::with))
    }

    /// The part of that which can be stored with the step.
    pub(super) fn history_update(
        &self,
        parts: &InternTables,
        before: &State,
        delta: (HistoryDelta, Slots),
        after: &State,
    ) -> HistoryUpdate {
        // While the peers' summaries are unchanged, everything that can be pruned was pruned
        // before. With several regions this does not hold: a region is pruned only when one of its
        // peers changes, though it may depend on another region's summaries.
        let shows_the_same = |at: usize| {
            let summaries =
                |state| parts.peers_on(state, at).map(|(region, peer)| (region, PeerSummary::of(peer)));
            before.stores[at] == after.stores[at] || summaries(before).eq(summaries(after))
        };
        let forgets_nothing = parts.region_slots.is_single() && (0..STORES).all(shows_the_same);
        match delta {
            (_, beyond) if beyond == HISTORY => HistoryUpdate::LooksBack { forgets_nothing },
            (HistoryDelta { history: None, moved }, Slots::NONE) => {
                let stays = forgets_nothing || self.moved.get(moved).is_empty();
                if stays { HistoryUpdate::Stays } else { HistoryUpdate::Moved(moved) }
            }
            _ => HistoryUpdate::Open,
        }
    }

    pub(super) fn is_baseline(&self, parts: &InternTables, state: &State) -> bool {
        let history = parts.history.get(state.history);
        history.parts() == self.carried && history.abandoned().is_empty()
    }

    /// The number of the history after an effect of the action with this number, for any history.
    pub(super) fn history_by_effect(
        &self,
        parts: &InternTables,
        (before, is_baseline): (&State, bool),
        action: u32,
        (at, effect): (Option<u32>, Effect),
        after: &State,
    ) -> u32 {
        match (effect.history_update, at) {
            (HistoryUpdate::Stays, _) if is_baseline => before.history,
            (HistoryUpdate::Moved(moved), _) if is_baseline => {
                self.prune_history(parts, before.history, moved, after)
            }
            (HistoryUpdate::Open, _) | (_, None) => {
                self.update_history(parts, before, (action, effect.outcome), after)
            }
            (history_update, Some(at)) => {
                let delta = self.delta_by_effect(parts, before, (at, &effect), action, after);
                let forgets_nothing = history_update == HistoryUpdate::LooksBack { forgets_nothing: true };
                if is_baseline && forgets_nothing && delta.history.is_none() {
                    return before.history;
                }
                self.prune_history(parts, delta.history.unwrap_or(before.history), delta.moved, after)
            }
        }
    }

    /// The number of the history after a step that was done.
    pub(crate) fn history_after(
        &self,
        parts: &InternTables,
        before: &State,
        action: &Action,
        outcome: &Outcome,
        after: &State,
    ) -> u32 {
        let numbers = (self.actions.intern_ref(action), self.outcomes.intern_ref(outcome));
        self.update_history(parts, before, numbers, after)
    }

    pub(super) fn update_history(
        &self,
        parts: &InternTables,
        before: &State,
        numbers: (u32, u32),
        after: &State,
    ) -> u32 {
        let delta = self.delta(parts, before, numbers, after);
        self.prune_history(parts, delta.history.unwrap_or(before.history), delta.moved, after)
    }

    fn prune_history(&self, parts: &InternTables, history: u32, moved: u32, after: &State) -> u32 {
        if self.moved.get(moved).is_empty() {
            return history;
        }
        let more = [history];
        let values = parts.values(after);
        if let Some(left) = self.pruned.known(moved, &more, &values) {
            return left;
        }
        let noted = ReadTracker::new(Slots::NONE);
        let seen = parts.tracked(after, &noted, Side::Before);
        // Not all readers check for delayed messages. If there are none, record this for all of
        // them: then they share a slot set, and one search finds it.
        if parts.held.get(parts.rest.get(after.rest).held).is_empty() {
            track(&noted, Slot::Held(Side::Before));
        }
        let left = match parts.history.get(history).pruned(self.moved.get(moved), &seen) {
            Cow::Borrowed(_) => history,
            Cow::Owned(left) => parts.history.intern(left),
        };
        self.pruned.learn(moved, &more, noted.get(), &values, left);
        left
    }

    /// The delta made by the effect with this number.
    fn delta_by_effect(
        &self,
        parts: &InternTables,
        before: &State,
        (at, effect): (u32, &Effect),
        action: u32,
        after: &State,
    ) -> HistoryDelta {
        let (key, values) = ([at, before.history], parts.values(before));
        self.deltas_by_effect.known(0, &key, &values).unwrap_or_else(|| {
            let numbers = (action, effect.outcome);
            let (delta, beyond) = self.delta_within(parts, before, numbers, after, self.effects.read_set(at));
            // Another history may be asked for parts that depend on more.
            if beyond == HISTORY || beyond == Slots::NONE {
                self.deltas_by_effect.learn(0, &key, Slots::NONE, &values, delta);
            }
            delta
        })
    }

    fn delta(
        &self,
        parts: &InternTables,
        before: &State,
        numbers: (u32, u32),
        after: &State,
    ) -> HistoryDelta {
        let (action, outcome) = numbers;
        let more = [outcome, u32::from(self.is_baseline(parts, before))];
        let values = parts.values_of_step(before, after);
        if let Some(delta) = self.deltas.known(action, &more, &values) {
            return delta;
        }
        let noted = ReadTracker::new(Slots::NONE);
        let (was, is) =
            (parts.tracked(before, &noted, Side::Before), parts.tracked(after, &noted, Side::After));
        let delta = self.compute_delta(parts, (&was, &is), before, numbers, &noted);
        self.deltas.learn(action, &more, noted.get(), &values, delta);
        delta
    }

    fn compute_delta(
        &self,
        parts: &InternTables,
        (was, is): (&StateRef<'_>, &StateRef<'_>),
        before: &State,
        (action, outcome): (u32, u32),
        noted: &ReadTracker,
    ) -> HistoryDelta {
        let history = parts.history.get(before.history);
        let delta = history.changed_by(was, self.actions.get(action), self.outcomes.get(outcome), is);
        // An unconditional delta is the same for every history with the same parts.
        if !(delta.unconditional && self.is_baseline(parts, before)) {
            track(noted, Slot::History);
        }
        let next = match delta.history {
            Cow::Borrowed(_) => None,
            Cow::Owned(next) => Some(parts.history.intern(next)),
        };
        HistoryDelta { history: next, moved: self.moved.intern(delta.moved) }
    }
}
