//! What a history makes of a step, worked out once.
//!
//! First the step tells it something, then what can no longer matter is forgotten
//! ([`History::told`](rollcall_traces::History::told), `forgotten`). What an
//! ordinary history is told mostly depends on nothing but what the step has looked
//! at anyway and on the history, and is kept with the step then.

use std::borrow::Cow;

use rollcall_traces::{Action, Face, Outcome};

use super::{Effect, Steps};
use crate::engine::memo::STORES;
use crate::engine::memo::{ReadTracker, Side, Slot, Slots, track};
use crate::engine::state::{InternTables, State};
use crate::engine::state_ref::StateRef;

/// Only the history.
const HISTORY: Slots = Slots::of(Slot::History);

/// What a history makes of a step that was done on certain parts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HistoryUpdate {
    /// It depends on more than these parts.
    Open,
    /// It depends on these parts and on what is remembered.
    LooksBack {
        /// If it is told nothing, nothing is to be forgotten either.
        forgets_nothing: bool,
    },
    /// An ordinary one is told nothing; something may be forgotten of these regions,
    /// by the number of their list.
    Moved(u32),
    /// An ordinary one stays.
    Stays,
}

/// What a step tells a history.
#[derive(Clone, Copy)]
pub(super) struct HistoryDelta {
    /// The number of the history that it becomes; `None` where it stays.
    history: Option<u32>,
    /// The number of the regions of which something may be forgotten then.
    moved: u32,
}

impl Steps {
    /// What the step tells the history, and the slots on which that depends
    /// beyond those at which the step has looked.
    pub(super) fn told_within(
        &self,
        parts: &InternTables,
        before: &State,
        numbers: (u32, u32),
        after: &State,
        read_set: Slots,
    ) -> (HistoryDelta, Slots) {
        let noted = ReadTracker::new(Slots::NONE);
        // Where the step has looked, it decides what is there afterwards as well.
        let (was, is) =
            (parts.tracked(before, &noted, Side::Before), parts.tracked(after, &noted, Side::Before));
        let told = self.told_anew(parts, (&was, &is), before, numbers, &noted);
        let is_known = |slot: &Slot| match *slot {
            Slot::Store(..) | Slot::Held(_) | Slot::Pd(_) => read_set.has(*slot),
            Slot::Beside(at) | Slot::Peer(at, _) => {
                read_set.has(*slot) || read_set.has(Slot::Store(Side::Before, at))
            }
            Slot::PdMoved | Slot::Moved(_) => true,
            Slot::Spent
            | Slot::History
            | Slot::Face(..)
            | Slot::Report(..)
            | Slot::Claims(_)
            | Slot::Believed
            | Slot::Statuses(_)
            | Slot::Regions(_) => false,
        };
        let beyond = noted.get().iter().filter(|slot| !is_known(slot));
        (told, beyond.fold(Slots::NONE, Slots::with))
    }

    /// What of that may be kept with the step.
    pub(super) fn history_update(
        &self,
        parts: &InternTables,
        before: &State,
        told: (HistoryDelta, Slots),
        after: &State,
    ) -> HistoryUpdate {
        // What can be forgotten while the peers show the faces that they show was
        // forgotten before. Where there are several regions that is not so: what can be
        // forgotten of one is looked at only when a peer of it moves, though it may
        // depend on another's faces.
        let shows_the_same = |at: usize| {
            let faces = |state| parts.peers_on(state, at).map(|(region, peer)| (region, Face::of(peer)));
            before.stores[at] == after.stores[at] || faces(before).eq(faces(after))
        };
        let forgets_nothing = parts.region_slots.is_single() && (0..STORES).all(shows_the_same);
        match told {
            (_, beyond) if beyond == HISTORY => HistoryUpdate::LooksBack { forgets_nothing },
            (HistoryDelta { history: None, moved }, Slots::NONE) => {
                let stays = forgets_nothing || self.moved.get(moved).is_empty();
                if stays { HistoryUpdate::Stays } else { HistoryUpdate::Moved(moved) }
            }
            _ => HistoryUpdate::Open,
        }
    }

    pub(super) fn is_ordinary(&self, parts: &InternTables, state: &State) -> bool {
        let history = parts.history.get(state.history);
        history.parts() == self.carried && history.abandoned().is_empty()
    }

    /// The number of the history that a state's, ordinary or not, becomes by an effect of
    /// the action with this number.
    pub(super) fn recollect(
        &self,
        parts: &InternTables,
        (before, is_ordinary): (&State, bool),
        action: u32,
        (at, effect): (Option<u32>, Effect),
        after: &State,
    ) -> u32 {
        match (effect.history_update, at) {
            (HistoryUpdate::Stays, _) if is_ordinary => before.history,
            (HistoryUpdate::Moved(moved), _) if is_ordinary => {
                self.forget(parts, before.history, moved, after)
            }
            (HistoryUpdate::Open, _) | (_, None) => {
                self.remember(parts, before, (action, effect.outcome), after)
            }
            (history_update, Some(at)) => {
                let told = self.retell(parts, before, (at, &effect), action, after);
                let forgets_nothing = history_update == HistoryUpdate::LooksBack { forgets_nothing: true };
                if is_ordinary && forgets_nothing && told.history.is_none() {
                    return before.history;
                }
                self.forget(parts, told.history.unwrap_or(before.history), told.moved, after)
            }
        }
    }

    /// The number of the history that comes of a step that was done.
    pub(crate) fn history_after(
        &self,
        parts: &InternTables,
        before: &State,
        action: &Action,
        outcome: &Outcome,
        after: &State,
    ) -> u32 {
        let numbers = (self.actions.intern_ref(action), self.outcomes.intern_ref(outcome));
        self.remember(parts, before, numbers, after)
    }

    pub(super) fn remember(
        &self,
        parts: &InternTables,
        before: &State,
        numbers: (u32, u32),
        after: &State,
    ) -> u32 {
        let told = self.tell(parts, before, numbers, after);
        self.forget(parts, told.history.unwrap_or(before.history), told.moved, after)
    }

    fn forget(&self, parts: &InternTables, history: u32, moved: u32, after: &State) -> u32 {
        if self.moved.get(moved).is_empty() {
            return history;
        }
        let more = [history];
        let values = parts.values(after);
        if let Some(left) = self.forgotten.known(moved, &more, &values) {
            return left;
        }
        let noted = ReadTracker::new(Slots::NONE);
        let seen = parts.tracked(after, &noted, Side::Before);
        // Not all look whether anything is under way. Where nothing is, that is noted
        // for all of them: then they have one set of slots, and one search finds it.
        if parts.held.get(parts.rest.get(after.rest).held).is_empty() {
            track(&noted, Slot::Held(Side::Before));
        }
        let left = match parts.history.get(history).forgotten(self.moved.get(moved), &seen) {
            Cow::Borrowed(_) => history,
            Cow::Owned(left) => parts.history.intern(left),
        };
        self.forgotten.learn(moved, &more, noted.get(), &values, left);
        left
    }

    /// What the history is told by the effect with this number.
    fn retell(
        &self,
        parts: &InternTables,
        before: &State,
        (at, effect): (u32, &Effect),
        action: u32,
        after: &State,
    ) -> HistoryDelta {
        let (key, values) = ([at, before.history], parts.values(before));
        self.retold.known(0, &key, &values).unwrap_or_else(|| {
            let numbers = (action, effect.outcome);
            let (told, beyond) = self.told_within(parts, before, numbers, after, self.effects.read_set(at));
            // Of another history it may be asked what depends on more.
            if beyond == HISTORY || beyond == Slots::NONE {
                self.retold.learn(0, &key, Slots::NONE, &values, told);
            }
            told
        })
    }

    fn tell(&self, parts: &InternTables, before: &State, numbers: (u32, u32), after: &State) -> HistoryDelta {
        let (action, outcome) = numbers;
        let more = [outcome, u32::from(self.is_ordinary(parts, before))];
        let values = parts.values_of_step(before, after);
        if let Some(told) = self.told.known(action, &more, &values) {
            return told;
        }
        let noted = ReadTracker::new(Slots::NONE);
        let (was, is) =
            (parts.tracked(before, &noted, Side::Before), parts.tracked(after, &noted, Side::After));
        let told = self.told_anew(parts, (&was, &is), before, numbers, &noted);
        self.told.learn(action, &more, noted.get(), &values, told);
        told
    }

    fn told_anew(
        &self,
        parts: &InternTables,
        (was, is): (&StateRef<'_>, &StateRef<'_>),
        before: &State,
        (action, outcome): (u32, u32),
        noted: &ReadTracker,
    ) -> HistoryDelta {
        let history = parts.history.get(before.history);
        let told = history.told(was, self.actions.get(action), self.outcomes.get(outcome), is);
        // What is told regardless is told so to whoever carries the same.
        if !(told.regardless && self.is_ordinary(parts, before)) {
            track(noted, Slot::History);
        }
        let next = match told.history {
            Cow::Borrowed(_) => None,
            Cow::Owned(next) => Some(parts.history.intern(next)),
        };
        HistoryDelta { history: next, moved: self.moved.intern(told.moved) }
    }
}
