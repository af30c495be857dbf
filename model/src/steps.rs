//! What a model has worked out: the steps it took, what a history makes of
//! them, what it offers and what it judged ([`Memo`]).

use std::borrow::Cow;
use std::sync::OnceLock;

use rollcall_traces::{Action, HistoryParts, Outcome, Reason, RegionId, Scope};

use crate::actions::{Section, offered, sections};
use crate::draft::Draft;
use crate::guard::GuardSet;
use crate::intern::{Interner, entry};
use crate::memo::{Memo, Noted, Side, Slot, Slots, Values, note};
use crate::probes::{Group, universe};
use crate::rules;
use crate::state::{Parts, STORES, Seen, State};
use crate::tried::{LookedAt, Tried};

/// A step that changes more parts is worked out each time.
const CHANGES: usize = 4;

/// Only the history.
const HISTORY: Slots = Slots::of(Slot::History);

/// What a step comes to.
#[derive(Clone, Copy)]
struct Effect {
    /// The number of the outcome.
    outcome: u32,
    changed: Slots,
    /// What stands in the changed parts afterwards.
    written: [u32; CHANGES],
    recall: Recall,
    /// The parts at which the rule looked.
    looked_at: Slots,
}

/// What an ordinary history makes of a step that was done on certain parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recall {
    /// It depends on more than these parts.
    Open,
    /// It depends on these parts and on what is remembered.
    LooksBack {
        /// If it is told nothing, nothing is to be forgotten either.
        forgets_nothing: bool,
    },
    /// It is told nothing; something may be forgotten of these regions, by the
    /// number of their list.
    Moved(u32),
    /// It stays.
    Stays,
}

/// The steps that a model has taken, under one set of guards.
pub(crate) struct Steps {
    /// What an ordinary history carries.
    carried: HistoryParts,
    /// There is one region and never another.
    is_single: bool,
    actions: Interner<Action>,
    outcomes: Interner<Outcome>,
    /// Lists of actions, by their numbers.
    lists: Interner<Vec<u32>>,
    /// The number of the list that a section offers.
    offers: Memo<u32>,
    /// The number of the list from which probes are taken.
    universes: Memo<u32>,
    /// The numbers of the lists into which such a list falls, by its number.
    groups: boxcar::Vec<OnceLock<Vec<u32>>>,
    effects: Memo<Effect>,
    told: Memo<Told>,
    /// The same, by the numbers of effect and history: for [`Recall::LooksBack`].
    retold: Memo<Told>,
    /// Lists of regions.
    moved: Interner<Vec<RegionId>>,
    /// The number of the history that is left.
    forgotten: Memo<u32>,
}

/// What a step tells a history.
#[derive(Clone, Copy)]
struct Told {
    /// The number of the history that it becomes; `None` where it stays.
    history: Option<u32>,
    /// The number of the regions of which something may be forgotten then.
    moved: u32,
}

impl Steps {
    pub(crate) fn new(carried: HistoryParts, is_single: bool) -> Self {
        Self {
            carried,
            is_single,
            actions: Interner::new(),
            outcomes: Interner::new(),
            lists: Interner::new(),
            offers: Memo::new(),
            universes: Memo::new(),
            groups: boxcar::Vec::new(),
            effects: Memo::new(),
            told: Memo::new(),
            retold: Memo::new(),
            moved: Interner::new(),
            forgotten: Memo::new(),
        }
    }

    /// The same as [`rules::step`], without what is said beside.
    pub(crate) fn step(
        &self,
        parts: &Parts,
        guards: GuardSet,
        state: &State,
        action: &Action,
    ) -> (State, Outcome) {
        let number = self.actions.intern_ref(action);
        let effect = self.effect(parts, guards, state, &parts.values(state), number);
        match effect {
            Ok((_, effect)) => (effect.on(parts, state), self.outcomes.get(effect.outcome).clone()),
            Err((after, outcome)) => (after, self.outcomes.get(outcome).clone()),
        }
    }

    /// What the action with this number comes to, and the number of that, if it is
    /// kept; where it is too much to keep, the state that it leads to and the number
    /// of the outcome.
    fn effect(
        &self,
        parts: &Parts,
        guards: GuardSet,
        state: &State,
        values: &Values<impl Fn(Slot) -> u32>,
        number: u32,
    ) -> Result<(Option<u32>, Effect), (State, u32)> {
        if let Some((at, effect)) = self.effects.found(number, &[], values) {
            return Ok((Some(at), effect));
        }
        let mut draft = Draft::new(parts, guards, *state);
        let (after, outcome, _) = rules::step_in(&mut draft, self.actions.get(number));
        let number_of_outcome = self.outcomes.intern_ref(&outcome);
        let (changed, written) = changes(parts, state, &after).ok_or((after, number_of_outcome))?;
        let looked_at = draft.looked_at();
        let told = (outcome.is_done() && self.is_ordinary(parts, state))
            .then(|| self.told_within(parts, state, (number, number_of_outcome), &after, looked_at));
        let recall = told.map_or(Recall::Open, |told| self.recall(parts, state, told, &after));
        let effect = Effect { outcome: number_of_outcome, changed, written, recall, looked_at };
        let at = self.effects.learn(number, &[], looked_at, values, effect);
        if let (Recall::LooksBack { .. }, Some(at), Some((told, _))) = (recall, at, told) {
            self.retold.learn(0, &[at, state.history], Slots::NONE, values, told);
        }
        Ok((at, effect))
    }

    /// What the step tells an ordinary history, and the slots on which that depends
    /// beyond those at which the step has looked.
    fn told_within(
        &self,
        parts: &Parts,
        before: &State,
        numbers: (u32, u32),
        after: &State,
        looked_at: Slots,
    ) -> (Told, Slots) {
        let noted = Noted::new(Slots::NONE);
        let told = self.told_anew(parts, before, numbers, after, &noted);
        let is_known = |slot: &Slot| match *slot {
            Slot::Store(_, at) => looked_at.has(Slot::Store(Side::Before, at)),
            Slot::Held(_) => looked_at.has(Slot::Held(Side::Before)),
            Slot::Pd(_) => looked_at.has(Slot::Pd(Side::Before)),
            Slot::PdMoved | Slot::Moved(_) => true,
            Slot::Spent
            | Slot::History
            | Slot::Faces(_)
            | Slot::Reports(_)
            | Slot::Statuses(_)
            | Slot::Regions(_) => false,
        };
        let beyond = noted.get().iter().filter(|slot| !is_known(slot));
        (told, beyond.fold(Slots::NONE, Slots::with))
    }

    /// What of that may be kept with the step.
    fn recall(&self, parts: &Parts, before: &State, told: (Told, Slots), after: &State) -> Recall {
        // What can be forgotten while the peers show the faces that they show was
        // forgotten before. Of several regions that is not so, for one is looked at
        // when a peer of it moves, though another's face may be what matters.
        let shows_the_same = |at: usize| {
            let faces = |state| parts.value(state, state, Slot::Faces(at));
            before.stores[at] == after.stores[at] || faces(before) == faces(after)
        };
        let forgets_nothing = self.is_single && (0..STORES).all(shows_the_same);
        match told {
            (_, beyond) if beyond == HISTORY => Recall::LooksBack { forgets_nothing },
            (Told { history: None, moved }, Slots::NONE) => {
                let stays = forgets_nothing || self.moved.get(moved).is_empty();
                if stays { Recall::Stays } else { Recall::Moved(moved) }
            }
            _ => Recall::Open,
        }
    }

    fn is_ordinary(&self, parts: &Parts, state: &State) -> bool {
        let history = parts.history.get(state.history);
        history.parts() == self.carried && history.abandoned().is_empty()
    }

    /// The successors of a state, each with the place of its action among those
    /// that are offered, and the action.
    pub(crate) fn expand(
        &self,
        parts: &Parts,
        scope: &Scope,
        guards: GuardSet,
        state: &State,
        mut each: impl FnMut(usize, &Action, State),
    ) {
        let is_ordinary = self.is_ordinary(parts, state);
        let values = parts.values(state);
        for (place, number) in self.offered(parts, scope, state, &values).enumerate() {
            let known = self.effect(parts, guards, state, &values, number);
            let (mut after, outcome) = match &known {
                Ok((_, effect)) => (effect.on(parts, state), effect.outcome),
                Err((after, outcome)) => (*after, *outcome),
            };
            let done = self.outcomes.get(outcome);
            if !done.is_done() {
                continue;
            }
            after.history = match known {
                Ok((at, effect)) if is_ordinary => match (effect.recall, at) {
                    (Recall::Stays, _) => state.history,
                    (Recall::Moved(moved), _) => self.forget(parts, state.history, moved, state, &after),
                    (Recall::LooksBack { forgets_nothing }, Some(at)) => {
                        let told = self.retell(parts, state, (at, &effect), number, &after);
                        if forgets_nothing && told.history.is_none() {
                            state.history
                        } else {
                            let history = told.history.unwrap_or(state.history);
                            self.forget(parts, history, told.moved, state, &after)
                        }
                    }
                    _ => self.remember(parts, state, (number, outcome), &after),
                },
                _ => self.remember(parts, state, (number, outcome), &after),
            };
            let action = self.actions.get(number);
            after.rest = parts.spend(after.rest, action, done);
            each(place, action, after);
        }
    }

    /// The actions that are offered.
    pub(crate) fn each_offered(
        &self,
        parts: &Parts,
        scope: &Scope,
        state: &State,
        each: impl FnMut(&Action),
    ) {
        let values = parts.values(state);
        self.offered(parts, scope, state, &values).map(|number| self.actions.get(number)).for_each(each);
    }

    /// The number of the action with this place among those that are offered.
    pub(crate) fn offered_at(
        &self,
        parts: &Parts,
        scope: &Scope,
        state: &State,
        place: usize,
    ) -> Option<u32> {
        self.offered(parts, scope, state, &parts.values(state)).nth(place)
    }

    /// The action with this number.
    pub(crate) fn action(&self, number: u32) -> &Action {
        self.actions.get(number)
    }

    /// What comes of it.
    pub(crate) fn outcome(&self, parts: &Parts, guards: GuardSet, state: &State, number: u32) -> &Outcome {
        let effect = self.effect(parts, guards, state, &parts.values(state), number);
        self.outcomes.get(effect.map_or_else(|(_, outcome)| outcome, |(_, effect)| effect.outcome))
    }

    /// The numbers of the actions that are offered, section by section.
    fn offered<'a>(
        &'a self,
        parts: &'a Parts,
        scope: &'a Scope,
        state: &'a State,
        values: &'a Values<impl Fn(Slot) -> u32>,
    ) -> impl Iterator<Item = u32> + 'a {
        let list = move |section| {
            let make = |seen: Seen<'_>, actions: &mut Vec<Action>| offered(scope, seen, section, actions);
            self.lists.get(self.list(&self.offers, parts, (state, values), section, make))
        };
        sections(parts.stores.len()).flat_map(list).copied()
    }

    /// The number of the list of a section that `make` makes, or made of the same parts.
    fn list(
        &self,
        known: &Memo<u32>,
        parts: &Parts,
        (state, values): (&State, &Values<impl Fn(Slot) -> u32>),
        section: Section,
        make: impl FnOnce(Seen<'_>, &mut Vec<Action>),
    ) -> u32 {
        let question = match section {
            Section::Store(at) => at as u32,
            Section::Beside => STORES as u32,
        };
        if let Some(list) = known.known(question, &[], values) {
            return list;
        }
        let noted = Noted::new(Slots::NONE);
        let mut actions = Vec::new();
        make(parts.noted(state, &noted, Side::Before), &mut actions);
        let list = self.lists.intern(actions.into_iter().map(|action| self.actions.intern(action)).collect());
        known.learn(question, &[], noted.get(), values, list);
        list
    }

    fn universe(
        &self,
        parts: &Parts,
        scope: &Scope,
        state: &State,
        values: &Values<impl Fn(Slot) -> u32>,
        section: Section,
    ) -> u32 {
        let make = |seen: Seen<'_>, actions: &mut Vec<Action>| universe(scope, seen, section, actions);
        self.list(&self.universes, parts, (state, values), section, make)
    }

    /// Calls `each` for every group of probes that was not tried on the same
    /// parts, or for all of them if `anew`; it says at which parts the
    /// implementation looked, or why nothing is tried any more.
    pub(crate) fn probe_in_groups<E>(
        &self,
        (parts, scope, guards): (&Parts, &Scope, GuardSet),
        state: &State,
        tried: &mut Tried,
        anew: bool,
        mut each: impl FnMut(&[(&Action, Reason)]) -> Result<LookedAt, E>,
    ) -> Result<(), E> {
        let values = parts.values(state);
        let mut probes = Vec::new();
        for section in sections(parts.stores.len()) {
            for &group in self.groups_of(self.universe(parts, scope, state, &values, section)) {
                if !anew && tried.knows(group, &values) {
                    continue;
                }
                probes.clear();
                let mut looked_at = Some(Slots::NONE);
                for &number in self.lists.get(group) {
                    let (outcome, slots) = match self.effect(parts, guards, state, &values, number) {
                        Ok((_, effect)) => (effect.outcome, Some(effect.looked_at)),
                        Err((_, outcome)) => (outcome, None),
                    };
                    looked_at = looked_at.zip(slots).map(|(all, slots)| all.union(slots));
                    if let Outcome::Refused(reason) = *self.outcomes.get(outcome) {
                        probes.push((self.actions.get(number), reason));
                    }
                }
                let looked = each(&probes)?;
                let looked_at = looked_at.map(|slots| looked.union(slots));
                tried.refuse(group, probes.iter().map(|(_, reason)| *reason), looked_at, &values);
            }
        }
        Ok(())
    }

    /// The numbers of the lists of the groups of a list.
    fn groups_of(&self, list: u32) -> &[u32] {
        entry(&self.groups, list as usize, OnceLock::new).get_or_init(|| {
            let mut groups: Vec<(Group, Vec<u32>)> = Vec::new();
            for &number in self.lists.get(list) {
                let group = Group::of(self.actions.get(number));
                match groups.iter_mut().find(|(of, _)| *of == group) {
                    Some((_, numbers)) => numbers.push(number),
                    None => groups.push((group, vec![number])),
                }
            }
            groups.into_iter().map(|(_, numbers)| self.lists.intern(numbers)).collect()
        })
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

    fn remember(&self, parts: &Parts, before: &State, numbers: (u32, u32), after: &State) -> u32 {
        let told = self.tell(parts, before, numbers, after);
        self.forget(parts, told.history.unwrap_or(before.history), told.moved, before, after)
    }

    fn forget(&self, parts: &Parts, history: u32, moved: u32, before: &State, after: &State) -> u32 {
        if self.moved.get(moved).is_empty() {
            return history;
        }
        let more = [moved, history];
        let values = parts.values_of_step(before, after);
        if let Some(left) = self.forgotten.known(0, &more, &values) {
            return left;
        }
        let noted = Noted::new(Slots::NONE);
        let seen = parts.noted(after, &noted, Side::After);
        // Not all look whether anything is under way. Where nothing is, that is noted
        // for all of them: then they have one set of slots, and one search finds it.
        if parts.held.get(parts.rest.get(after.rest).held).is_empty() {
            note(&noted, Slot::Held(Side::After));
        }
        let left = match parts.history.get(history).forgotten(self.moved.get(moved), &seen) {
            Cow::Borrowed(_) => history,
            Cow::Owned(left) => parts.history.intern(left),
        };
        self.forgotten.learn(0, &more, noted.get(), &values, left);
        left
    }

    /// What an ordinary history is told by the effect with this number, which looks back.
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
            let (told, beyond) = self.told_within(parts, before, numbers, after, effect.looked_at);
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
        let told = self.told_anew(parts, before, numbers, after, &noted);
        self.told.learn(action, &more, noted.get(), &values, told);
        told
    }

    fn told_anew(
        &self,
        parts: &Parts,
        before: &State,
        (action, outcome): (u32, u32),
        after: &State,
        noted: &Noted,
    ) -> Told {
        let history = parts.history.get(before.history);
        let (was, is) = (parts.noted(before, noted, Side::Before), parts.noted(after, noted, Side::After));
        let told = history.told(&was, self.actions.get(action), self.outcomes.get(outcome), &is);
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

/// The parts in which two states differ, and what stands there in the second;
/// nothing if they are too many.
fn changes(parts: &Parts, before: &State, after: &State) -> Option<(Slots, [u32; CHANGES])> {
    let slots = (0..STORES).map(|at| Slot::Store(Side::Before, at));
    let slots = slots.chain([Slot::Held(Side::Before), Slot::Pd(Side::Before)]);
    let (mut changed, mut values) = (Slots::NONE, [0; CHANGES]);
    for slot in slots {
        let value = parts.value(after, after, slot);
        if value != parts.value(before, before, slot) {
            *values.get_mut(changed.len())? = value;
            changed = changed.with(slot);
        }
    }
    Some((changed, values))
}

impl Effect {
    fn on(&self, parts: &Parts, state: &State) -> State {
        let mut after = *state;
        let mut rest = None;
        for (slot, value) in self.changed.iter().zip(self.written) {
            match slot {
                Slot::Store(_, at) => after.stores[at] = value,
                Slot::Held(_) => rest.get_or_insert_with(|| *parts.rest.get(state.rest)).held = value,
                Slot::Pd(_) => rest.get_or_insert_with(|| *parts.rest.get(state.rest)).pd = value,
                _ => {}
            }
        }
        if let Some(rest) = rest {
            after.rest = parts.rest.intern(rest);
        }
        after
    }
}
