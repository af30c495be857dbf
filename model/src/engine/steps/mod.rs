//! The memo of a model: its steps, the history updates ([`history`]), and the offered actions
//! ([`Memo`]).

mod history;

use std::sync::OnceLock;

use rollcall_traces::{Action, HistoryParts, Outcome, Reason, RegionId, Scope};

use crate::bounds::actions::{Section, offered, sections};
use crate::bounds::costs::{affords, left};
use crate::bounds::disabled::{Group, universe};
use crate::cluster::ClusterInScope;
use crate::engine::intern::{Interner, entry};
use crate::engine::memo::STORES;
use crate::engine::memo::{Memo, REGIONS, ReadTracker, Side, Slot, Slots, Values};
use crate::engine::refusals::{ReadSet, RefusalCache};
use crate::engine::state::{InternTables, State};
use crate::engine::state_ref::StateRef;
use crate::engine::txn::{self, StepTxn};
use crate::guard::GuardSet;
use history::{HistoryDelta, HistoryUpdate};

/// A step that changes more parts than this is computed each time.
const CHANGES: usize = 4;

/// The effect of a step.
#[derive(Clone, Copy)]
struct Effect {
    /// The number of the outcome.
    outcome: u32,
    changes: Changes,
    history_update: HistoryUpdate,
}

/// The parts that a step changes, and their values afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Changes {
    count: u8,
    /// By [`Slot::place`].
    parts: [u8; CHANGES],
    values: [u32; CHANGES],
}

/// The memoised steps of a model under one set of guards.
pub(crate) struct Steps {
    /// The parts of a baseline history.
    carried: HistoryParts,
    actions: Interner<Action>,
    outcomes: Interner<Outcome>,
    /// Lists of actions, by their numbers.
    lists: Interner<Vec<u32>>,
    /// The number of the list that a section offers.
    offers: Memo<u32>,
    /// The number of the list from which disabled actions are taken.
    universes: Memo<u32>,
    /// The numbers of the groups into which such a list falls, by its number.
    groups: boxcar::Vec<OnceLock<Vec<u32>>>,
    effects: Memo<Effect>,
    deltas: Memo<HistoryDelta>,
    /// The same by the numbers of effect and history, for [`HistoryUpdate::LooksBack`].
    deltas_by_effect: Memo<HistoryDelta>,
    /// Lists of regions.
    moved: Interner<Vec<RegionId>>,
    /// The number of the pruned history.
    pruned: Memo<u32>,
}

impl Steps {
    pub(crate) fn new(carried: HistoryParts) -> Self {
        Self {
            carried,
            actions: Interner::new(),
            outcomes: Interner::new(),
            lists: Interner::new(),
            offers: Memo::new(),
            universes: Memo::new(),
            groups: boxcar::Vec::new(),
            effects: Memo::new(),
            deltas: Memo::new(),
            deltas_by_effect: Memo::new(),
            moved: Interner::new(),
            pruned: Memo::new(),
        }
    }

    /// The same as [`txn::step`], without the replies outside rounds.
    pub(crate) fn step(
        &self,
        parts: &InternTables,
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

    /// The effect of the action with this number, and the effect's number if it is stored. If it is
    /// too large to store, the resulting state and the number of the outcome.
    fn effect(
        &self,
        parts: &InternTables,
        guards: GuardSet,
        state: &State,
        values: &Values<impl Fn(Slot) -> u32>,
        number: u32,
    ) -> Result<(Option<u32>, Effect), (State, u32)> {
        if let Some((at, effect)) = self.effects.found(number, &[], values) {
            return Ok((Some(at), effect));
        }
        let mut txn = StepTxn::new(parts, guards, *state);
        let (after, outcome, _) = txn::step_in(&mut txn, self.actions.get(number));
        let number_of_outcome = self.outcomes.intern_ref(&outcome);
        let read_set = txn.read_set();
        let changes = Changes::of(parts, state, &after, read_set).ok_or((after, number_of_outcome))?;
        let delta = outcome
            .is_done()
            .then(|| self.delta_within(parts, state, (number, number_of_outcome), &after, read_set));
        let history_update =
            delta.map_or(HistoryUpdate::Open, |delta| self.history_update(parts, state, delta, &after));
        let effect = Effect { outcome: number_of_outcome, changes, history_update };
        let at = self.effects.learn(number, &[], read_set, values, effect);
        if let (HistoryUpdate::LooksBack { .. }, Some(at), Some((delta, _))) = (history_update, at, delta) {
            self.deltas_by_effect.learn(0, &[at, state.history], Slots::NONE, values, delta);
        }
        Ok((at, effect))
    }

    /// The successors of a state, each with its action and the action's place among the offered
    /// ones.
    pub(crate) fn expand(
        &self,
        parts: &InternTables,
        scope: &Scope,
        guards: GuardSet,
        state: &State,
        mut each: impl FnMut(usize, &Action, State),
    ) {
        let (values, is_baseline) = (parts.values(state), self.is_baseline(parts, state));
        let left = left(scope, parts.cluster(state).spent());
        for (place, number) in self.offered(parts, scope, state, &values).enumerate() {
            let known = self.effect(parts, guards, state, &values, number);
            let (mut after, outcome) = match &known {
                Ok((_, effect)) => (effect.on(parts, state), effect.outcome),
                Err((after, outcome)) => (*after, *outcome),
            };
            let done = self.outcomes.get(outcome);
            let action = self.actions.get(number);
            if !done.is_done() || !affords(&left, action, done) {
                continue;
            }
            after.history = match known {
                Ok(effect) => self.history_by_effect(parts, (state, is_baseline), number, effect, &after),
                Err(_) => self.update_history(parts, state, (number, outcome), &after),
            };
            after.rest = parts.spend(after.rest, action, done);
            each(place, action, after);
        }
    }

    /// The actions that are offered.
    pub(crate) fn each_offered(
        &self,
        parts: &InternTables,
        scope: &Scope,
        state: &State,
        each: impl FnMut(&Action),
    ) {
        let values = parts.values(state);
        self.offered(parts, scope, state, &values).map(|number| self.actions.get(number)).for_each(each);
    }

    /// The number of the action at this place among the offered ones.
    pub(crate) fn offered_at(
        &self,
        parts: &InternTables,
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

    /// Its outcome.
    pub(crate) fn outcome(
        &self,
        parts: &InternTables,
        guards: GuardSet,
        state: &State,
        number: u32,
    ) -> &Outcome {
        let effect = self.effect(parts, guards, state, &parts.values(state), number);
        self.outcomes.get(effect.map_or_else(|(_, outcome)| outcome, |(_, effect)| effect.outcome))
    }

    /// The numbers of the offered actions, section by section.
    fn offered<'a>(
        &'a self,
        parts: &'a InternTables,
        scope: &'a Scope,
        state: &'a State,
        values: &'a Values<impl Fn(Slot) -> u32>,
    ) -> impl Iterator<Item = u32> + 'a {
        let list = move |section| {
            let make = |seen: StateRef<'_>, actions: &mut Vec<Action>| offered(scope, seen, section, actions);
            self.lists.get(self.list(&self.offers, parts, (state, values), section, make))
        };
        sections(parts.stores.len()).flat_map(list).copied()
    }

    /// The number of a section's list, as `make` makes it or made it of the same parts.
    fn list(
        &self,
        known: &Memo<u32>,
        parts: &InternTables,
        (state, values): (&State, &Values<impl Fn(Slot) -> u32>),
        section: Section,
        make: impl FnOnce(StateRef<'_>, &mut Vec<Action>),
    ) -> u32 {
        let question = match section {
            Section::Store(at) => at as u32,
            Section::Beside => STORES as u32,
        };
        if let Some(list) = known.known(question, &[], values) {
            return list;
        }
        let noted = ReadTracker::new(Slots::NONE);
        let mut actions = Vec::new();
        make(parts.tracked(state, &noted, Side::Before), &mut actions);
        let list = self.lists.intern(actions.into_iter().map(|action| self.actions.intern(action)).collect());
        known.learn(question, &[], noted.get(), values, list);
        list
    }

    fn universe(
        &self,
        parts: &InternTables,
        scope: &Scope,
        state: &State,
        values: &Values<impl Fn(Slot) -> u32>,
        section: Section,
    ) -> u32 {
        let make = |seen: StateRef<'_>, actions: &mut Vec<Action>| universe(scope, seen, section, actions);
        self.list(&self.universes, parts, (state, values), section, make)
    }

    /// Calls `each` for every group of disabled actions that was not checked on the same parts, or
    /// for all of them if `anew`. `each` returns the parts that the implementation read, or an
    /// error that ends the check.
    pub(crate) fn refuse_in_groups<E>(
        &self,
        (parts, scope, guards): (&InternTables, &Scope, GuardSet),
        state: &State,
        cache: &mut RefusalCache,
        anew: bool,
        mut each: impl FnMut(&[(&Action, Reason)]) -> Result<ReadSet, E>,
    ) -> Result<(), E> {
        let values = parts.values(state);
        let mut disabled = Vec::new();
        for section in sections(parts.stores.len()) {
            for &group in self.groups_of(self.universe(parts, scope, state, &values, section)) {
                if !anew && cache.knows(group, &values) {
                    continue;
                }
                disabled.clear();
                let mut read_set = Some(Slots::NONE);
                for &number in self.lists.get(group) {
                    let (outcome, slots) = match self.effect(parts, guards, state, &values, number) {
                        Ok((at, effect)) => (effect.outcome, at.map(|at| self.effects.read_set(at))),
                        Err((_, outcome)) => (outcome, None),
                    };
                    read_set = read_set.zip(slots).map(|(all, slots)| all.union(slots));
                    if let Outcome::Refused(reason) = *self.outcomes.get(outcome) {
                        disabled.push((self.actions.get(number), reason));
                    }
                }
                let looked = each(&disabled)?;
                let read_set = read_set.map(|slots| looked.union(slots));
                cache.refuse(group, disabled.iter().map(|(_, reason)| *reason), read_set, &values);
            }
        }
        Ok(())
    }

    /// The numbers of a list's groups.
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
}

impl Changes {
    /// The difference between two states; `None` if it has too many parts. A store that was read
    /// entirely is written entirely, others by the parts that were read.
    fn of(parts: &InternTables, before: &State, after: &State, read_set: Slots) -> Option<Self> {
        let mut changes = Self::default();
        for at in (0..STORES).filter(|at| before.stores[*at] != after.stores[*at]) {
            let whole = Slot::Store(Side::Before, at);
            let peers = (0..REGIONS).map(|nth| Slot::Peer(at, nth));
            let some = peers.chain([Slot::Beside(at)]).filter(|part| read_set.has(*part));
            let all = read_set.has(whole).then_some(whole);
            for part in all.into_iter().chain(some) {
                changes.track(parts, before, after, part)?;
            }
        }
        for part in [Slot::Held(Side::Before), Slot::Pd(Side::Before)] {
            changes.track(parts, before, after, part)?;
        }
        Some(changes)
    }

    /// Records the value of a part if it has changed.
    fn track(&mut self, parts: &InternTables, before: &State, after: &State, part: Slot) -> Option<()> {
        let value = parts.value(after, after, part);
        if value != parts.value(before, before, part) {
            let at = usize::from(self.count);
            *self.values.get_mut(at)? = value;
            self.parts[at] = part.index() as u8;
            self.count += 1;
        }
        Some(())
    }

    fn iter(&self) -> impl Iterator<Item = (Slot, u32)> {
        let parts = self.parts.into_iter().map(|part| Slot::of_index(part.into()));
        parts.zip(self.values).take(self.count.into())
    }
}

impl Effect {
    fn on(&self, parts: &InternTables, state: &State) -> State {
        let mut after = *state;
        for (part, value) in self.changes.iter() {
            match part {
                Slot::Store(_, at) => after.stores[at] = value,
                Slot::Peer(at, _) | Slot::Beside(at) => {
                    after.stores[at] = parts.replace(after.stores[at], part, value);
                }
                _ => after.rest = parts.replace(after.rest, part, value),
            }
        }
        after
    }
}

#[cfg(test)]
mod tests;
