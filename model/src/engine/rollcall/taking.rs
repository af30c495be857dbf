//! The steps that a model takes: by the rules alone, or counted and remembered.

use std::borrow::Cow;

use rollcall_traces::{Action, Budgets, Cluster, Held, History, Outcome, Reason, RegionId, StoreId};

use super::Rollcall;
use crate::bounds::costs;
use crate::cluster::ClusterInScope;
use crate::engine::state::State;
use crate::engine::txn;

impl Rollcall {
    /// Takes one action: the rules alone, without budgets and history.
    pub fn step(&self, state: &State, action: &Action) -> (State, Outcome) {
        match &self.caches {
            Some(caches) => caches.steps.step(&self.parts, self.guards, state, action),
            None => {
                let (after, outcome, _) = self.step_aloud(state, action);
                (after, outcome)
            }
        }
    }

    /// The same, with what a store says beside: its answer to a message that
    /// was pending. In the world of rounds nobody learns it.
    pub fn step_aloud(&self, state: &State, action: &Action) -> (State, Outcome, Vec<Held>) {
        txn::step(&self.parts, self.guards, state, action)
    }

    /// A single message arrives, outside every round and budget; what its
    /// receiver answers is returned. Refused or not, the message is gone.
    pub fn deliver(&self, state: &State, message: &Held) -> (State, Outcome, Option<Held>) {
        txn::deliver(&self.parts, self.guards, state, message.clone())
    }

    /// A single message was sent, whoever takes it: of a snapshot its sender remembers up to
    /// where it reaches.
    #[must_use]
    pub fn sent(&self, state: &State, message: &Held) -> State {
        txn::sent(&self.parts, self.guards, state, message)
    }

    /// What the leader on `store` asks of whom it is to hand over to, on
    /// [`Command::TransferLeader`](rollcall_traces::Command): the first message of
    /// what is one step of [`Rollcall::step`]; the others follow by
    /// [`Rollcall::deliver`].
    ///
    /// # Errors
    /// Why it does not ask.
    pub fn transfer_question(
        &self,
        state: &State,
        region: RegionId,
        store: StoreId,
        to: StoreId,
    ) -> Result<Held, Reason> {
        txn::transfer_question(&self.parts, self.guards, state, region, store, to)
    }

    /// Takes one action, counts it and folds the history, whatever the budgets say.
    pub fn take(&self, state: &State, action: &Action) -> (State, Outcome) {
        let (after, outcome) = self.step(state, action);
        if !outcome.is_done() {
            return (after, outcome);
        }
        let mut after = self.remember(state, action, &outcome, after);
        after.rest = self.parts.spend(after.rest, action, &outcome);
        (after, outcome)
    }

    /// The successors of a state, each with the place of its action among those
    /// that [`Rollcall::each_offered`] offers, and the action.
    pub fn expand(&self, state: &State, mut each: impl FnMut(usize, &Action, State)) {
        if let Some(caches) = &self.caches {
            return caches.steps.expand(&self.parts, &self.scope, self.guards, state, each);
        }
        let mut actions = Vec::new();
        self.offer(state, &mut actions);
        for (place, action) in actions.iter().enumerate() {
            if let Some(after) = self.taken_within(state, action) {
                each(place, action, after);
            }
        }
    }

    /// The same, if it is done and within what is left of the scope's budgets.
    pub(crate) fn taken_within(&self, state: &State, action: &Action) -> Option<State> {
        let (after, outcome) = self.take(state, action);
        (outcome.is_done() && self.affords(state, action, &outcome)).then_some(after)
    }

    /// Whether what is left of the scope's budgets allows an action that comes to this.
    pub fn affords(&self, state: &State, action: &Action, outcome: &Outcome) -> bool {
        let left = costs::left(&self.scope, self.cluster(state).spent());
        costs::affords(&left, action, outcome)
    }

    /// Whether more was spent than the scope's budgets allow. No state that is explored is
    /// so; a schedule that somebody else chose may lead to one.
    pub fn is_overdrawn(&self, state: &State) -> bool {
        costs::is_overdrawn(&self.scope, self.cluster(state).spent())
    }

    pub(super) fn remember(
        &self,
        before: &State,
        action: &Action,
        outcome: &Outcome,
        mut after: State,
    ) -> State {
        after.history = match &self.caches {
            Some(caches) => caches.steps.history_after(&self.parts, before, action, outcome, &after),
            None => {
                let history = self.parts.history.get(before.history);
                match history.folded(&self.cluster(before), action, outcome, &self.cluster(&after)) {
                    Cow::Borrowed(_) => before.history,
                    Cow::Owned(next) => self.parts.history.intern(next),
                }
            }
        };
        after
    }

    /// The state with nothing spent, remembered or under way: what healing
    /// looks at, and what tells states region_slots for it.
    pub fn at_rest(&self, state: &State) -> State {
        State {
            rest: self.parts.rest_of(&Vec::new(), self.cluster(state).pd(), Budgets::default()),
            history: self.parts.history.intern(History::default()),
            ..*state
        }
    }
}
