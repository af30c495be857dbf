//! What a history makes of a step, worked out once.
//!
//! First the step tells it something, then what can no longer matter is forgotten
//! ([`History::told`](rollcall_traces::History::told), `forgotten`). What an
//! ordinary history is told mostly depends on nothing but what the step has looked
//! at anyway and on the history, and is kept with the step then.

use std::borrow::Cow;

use rollcall_traces::{Action, Face, Outcome};

use super::{Effect, Steps};
use crate::memo::{Noted, Side, Slot, Slots, note};
use crate::seen::Seen;
use crate::state::{Parts, STORES, State};

/// Only the history.
const HISTORY: Slots = Slots::of(Slot::History);

/// What a history makes of a step that was done on certain parts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Recall {
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
pub(super) struct Told {
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
        parts: &Parts,
        before: &State,
        numbers: (u32, u32),
        after: &State,
        looked_at: Slots,
    ) -> (Told, Slots) {
        let noted = Noted::new(Slots::NONE);
        // Where the step has looked, it decides what is there afterwards as well.
        let (was, is) = (parts.noted(before, &noted, Side::Before), parts.noted(after, &noted, Side::Before));
        let told = self.told_anew(parts, (&was, &is), before, numbers, &noted);
        let is_known = |slot: &Slot| match *slot {
            Slot::Store(..) | Slot::Held(_) | Slot::Pd(_) => looked_at.has(*slot),
            Slot::Beside(at) | Slot::Peer(at, _) => {
                looked_at.has(*slot) || looked_at.has(Slot::Store(Side::Before, at))
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
    pub(super) fn recall(&self, parts: &Parts, before: &State, told: (Told, Slots), after: &State) -> Recall {
        // What can be forgotten while the peers show the faces that they show was
        // forgotten before. Where there are several regions that is not so: what can be
        // forgotten of one is looked at only when a peer of it moves, though it may
        // depend on another's faces.
        let shows_the_same = |at: usize| {
            let faces = |state| parts.peers_on(state, at).map(|(region, peer)| (region, Face::of(peer)));
            before.stores[at] == after.stores[at] || faces(before).eq(faces(after))
        };
        let forgets_nothing = parts.apart.is_single() && (0..STORES).all(shows_the_same);
        match told {
            (_, beyond) if beyond == HISTORY => Recall::LooksBack { forgets_nothing },
            (Told { history: None, moved }, Slots::NONE) => {
                let stays = forgets_nothing || self.moved.get(moved).is_empty();
                if stays { Recall::Stays } else { Recall::Moved(moved) }
            }
            _ => Recall::Open,
        }
    }

    pub(super) fn is_ordinary(&self, parts: &Parts, state: &State) -> bool {
        let history = parts.history.get(state.history);
        history.parts() == self.carried && history.abandoned().is_empty()
    }

    /// The number of the history that a state's, ordinary or not, becomes by an effect of
    /// the action with this number.
    pub(super) fn recollect(
        &self,
        parts: &Parts,
        (before, is_ordinary): (&State, bool),
        action: u32,
        (at, effect): (Option<u32>, Effect),
        after: &State,
    ) -> u32 {
        match (effect.recall, at) {
            (Recall::Stays, _) if is_ordinary => before.history,
            (Recall::Moved(moved), _) if is_ordinary => self.forget(parts, before.history, moved, after),
            (Recall::Open, _) | (_, None) => self.remember(parts, before, (action, effect.outcome), after),
            (recall, Some(at)) => {
                let told = self.retell(parts, before, (at, &effect), action, after);
                let forgets_nothing = recall == Recall::LooksBack { forgets_nothing: true };
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
        parts: &Parts,
        before: &State,
        action: &Action,
        outcome: &Outcome,
        after: &State,
    ) -> u32 {
        let numbers = (self.actions.intern_ref(action), self.outcomes.intern_ref(outcome));
        self.remember(parts, before, numbers, after)
    }

    pub(super) fn remember(&self, parts: &Parts, before: &State, numbers: (u32, u32), after: &State) -> u32 {
        let told = self.tell(parts, before, numbers, after);
        self.forget(parts, told.history.unwrap_or(before.history), told.moved, after)
    }

    fn forget(&self, parts: &Parts, history: u32, moved: u32, after: &State) -> u32 {
        if self.moved.get(moved).is_empty() {
            return history;
        }
        let more = [history];
        let values = parts.values(after);
        if let Some(left) = self.forgotten.known(moved, &more, &values) {
            return left;
        }
        let noted = Noted::new(Slots::NONE);
        let seen = parts.noted(after, &noted, Side::Before);
        // Not all look whether anything is under way. Where nothing is, that is noted
        // for all of them: then they have one set of slots, and one search finds it.
        if parts.held.get(parts.rest.get(after.rest).held).is_empty() {
            note(&noted, Slot::Held(Side::Before));
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
        parts: &Parts,
        before: &State,
        (at, effect): (u32, &Effect),
        action: u32,
        after: &State,
    ) -> Told {
        let (key, values) = ([at, before.history], parts.values(before));
        self.retold.known(0, &key, &values).unwrap_or_else(|| {
            let numbers = (action, effect.outcome);
            let (told, beyond) = self.told_within(parts, before, numbers, after, self.effects.looked_at(at));
            // Of another history it may be asked what depends on more.
            if beyond == HISTORY || beyond == Slots::NONE {
                self.retold.learn(0, &key, Slots::NONE, &values, told);
            }
            told
        })
    }

    fn tell(&self, parts: &Parts, before: &State, numbers: (u32, u32), after: &State) -> Told {
        let (action, outcome) = numbers;
        let more = [outcome, u32::from(self.is_ordinary(parts, before))];
        let values = parts.values_of_step(before, after);
        if let Some(told) = self.told.known(action, &more, &values) {
            return told;
        }
        let noted = Noted::new(Slots::NONE);
        let (was, is) = (parts.noted(before, &noted, Side::Before), parts.noted(after, &noted, Side::After));
        let told = self.told_anew(parts, (&was, &is), before, numbers, &noted);
        self.told.learn(action, &more, noted.get(), &values, told);
        told
    }

    fn told_anew(
        &self,
        parts: &Parts,
        (was, is): (&Seen<'_>, &Seen<'_>),
        before: &State,
        (action, outcome): (u32, u32),
        noted: &Noted,
    ) -> Told {
        let history = parts.history.get(before.history);
        let told = history.told(was, self.actions.get(action), self.outcomes.get(outcome), is);
        // What is told regardless is told so to whoever carries the same.
        if !(told.regardless && self.is_ordinary(parts, before)) {
            note(noted, Slot::History);
        }
        let next = match told.history {
            Cow::Borrowed(_) => None,
            Cow::Owned(next) => Some(parts.history.intern(next)),
        };
        Told { history: next, moved: self.moved.intern(told.moved) }
    }
}
