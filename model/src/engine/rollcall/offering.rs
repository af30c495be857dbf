//! The actions that a state offers and those that it refuses.

use std::borrow::Cow;
use std::collections::HashSet;

use rollcall_traces::{Action, Outcome, Reason, StoreId};

use super::Rollcall;
use crate::bounds::withheld::{self, Withheld};
use crate::bounds::{actions, disabled, kinds};
use crate::engine::refusals::{ReadSet, RefusalCache};
use crate::engine::state::State;

/// An action that a state offers.
#[derive(Clone, Debug)]
pub struct Offered<'m> {
    /// The action.
    pub action: Cow<'m, Action>,
    /// Its number in the model's memo.
    number: Option<u32>,
}

impl Rollcall {
    /// Adds the actions that `state` offers, in order.
    pub(crate) fn offer(&self, state: &State, actions: &mut Vec<Action>) {
        for section in actions::sections(self.parts.stores.len()) {
            actions::offered(&self.scope, self.cluster(state), section, actions);
        }
    }

    /// Calls `each` for the actions that the state offers, in order.
    pub fn each_offered(&self, state: &State, each: impl FnMut(&Action)) {
        if let Some(caches) = &self.caches {
            return caches.steps.each_offered(&self.parts, &self.scope, state, each);
        }
        let mut actions = Vec::new();
        self.offer(state, &mut actions);
        actions.iter().for_each(each);
    }

    /// The action at this place among those that [`Rollcall::each_offered`] offers.
    pub fn offered_at(&self, state: &State, place: usize) -> Option<Offered<'_>> {
        if let Some(caches) = &self.caches {
            let number = caches.steps.offered_at(&self.parts, &self.scope, state, place)?;
            let action = Cow::Borrowed(caches.steps.action(number));
            return Some(Offered { action, number: Some(number) });
        }
        let mut actions = Vec::new();
        self.offer(state, &mut actions);
        let action = actions.into_iter().nth(place).map(Cow::Owned)?;
        Some(Offered { action, number: None })
    }

    /// The outcome of an action that the state offers.
    pub fn outcome_of(&self, state: &State, offered: &Offered<'_>) -> Cow<'_, Outcome> {
        match (&self.caches, offered.number) {
            (Some(caches), Some(number)) => {
                Cow::Borrowed(caches.steps.outcome(&self.parts, self.guards, state, number))
            }
            _ => Cow::Owned(self.step(state, &offered.action).1),
        }
    }

    /// Every disabled action in `state`, with the reason of its refusal.
    pub fn disabled(&self, state: &State) -> Vec<(Action, Reason)> {
        let mut universe = Vec::new();
        for section in actions::sections(self.parts.stores.len()) {
            disabled::universe(&self.scope, self.cluster(state), section, &mut universe);
        }
        let refused = |action: Action| match self.step(state, &action).1 {
            Outcome::Refused(reason) => Some((action, reason)),
            Outcome::Done(_) => None,
        };
        universe.into_iter().filter_map(refused).collect()
    }

    /// The actions that the rules would take in `state` and the scope does not offer there, each
    /// with what keeps it back.
    pub fn withheld(&self, state: &State) -> Vec<(Action, Withheld)> {
        let (mut universe, mut offered) = (Vec::new(), HashSet::new());
        for section in actions::sections(self.parts.stores.len()) {
            disabled::universe(&self.scope, self.cluster(state), section, &mut universe);
        }
        withheld::writes(&self.scope, self.cluster(state), &mut universe);
        self.expand(state, |_, action, _| {
            offered.insert(action.clone());
        });
        self.each_offered(state, |action| universe.push(action.clone()));
        let kept_back = |action: Action| {
            if !offered.insert(action.clone()) {
                return None;
            }
            let (after, outcome) = self.step(state, &action);
            let is_any = outcome.is_done() && after != *state;
            let why = if is_any {
                withheld::why(&self.scope, &self.cluster(state), &action, &outcome)
            } else {
                None
            };
            Some((action, why?))
        };
        universe.into_iter().filter_map(kept_back).collect()
    }

    /// Calls `each` for every group of disabled actions that `cache` does not know from another
    /// state with the same parts, or for every group if `anew`. `each` returns what the
    /// implementation read ([`Rollcall::read_set`]).
    ///
    /// # Errors
    ///
    /// The first error of `each`, which ends the check.
    pub fn each_unknown_refusal<E>(
        &self,
        state: &State,
        cache: &mut RefusalCache,
        anew: bool,
        mut each: impl FnMut(&[(&Action, Reason)]) -> Result<ReadSet, E>,
    ) -> Result<(), E> {
        match &self.caches {
            Some(caches) => {
                let rules = (&*self.parts, &*self.scope, self.guards);
                caches.steps.refuse_in_groups(rules, state, cache, anew, each)
            }
            None => {
                let disabled = self.disabled(state);
                let disabled: Vec<_> = disabled.iter().map(|(action, reason)| (action, *reason)).collect();
                each(&disabled)?;
                cache.refuse(0, disabled.iter().map(|(_, reason)| *reason), None, &self.parts.values(state));
                Ok(())
            }
        }
    }

    /// The read set of these stores, the delayed messages and the placement driver.
    pub fn read_set(&self, stores: impl Iterator<Item = StoreId>, messages: bool, pd: bool) -> ReadSet {
        ReadSet::of(&self.parts, stores, messages, pd)
    }

    /// The index in [`crate::ACTION_KINDS`] of an action taken in `state`.
    pub fn kind_of(&self, state: &State, action: &Action) -> usize {
        kinds::kind_of(self.cluster(state), action)
    }
}
