//! Steps of the model: by the rules alone, or with budgets and history.

use std::borrow::Cow;

use rollcall_traces::{Action, Budgets, Cluster, Held, History, Outcome, Reason, RegionId, StoreId};

use super::Rollcall;
use crate::bounds::costs;
use crate::cluster::ClusterInScope;
use crate::engine::state::State;
use crate::engine::txn;

impl Rollcall {
    /// Takes one action by the rules alone, without budgets and history.
    pub fn step(&self, state: &State, action: &Action) -> (State, Outcome) {
        match &self.caches {
            Some(caches) => caches.steps.step(&self.parts, self.guards, state, action),
            None => {
                let (after, outcome, _) = self.step_aloud(state, action);
                (after, outcome)
            }
        }
    }

    /// The same with the replies of a store to a message that was pending. They are not part of any
    /// round.
    pub fn step_aloud(&self, state: &State, action: &Action) -> (State, Outcome, Vec<Held>) {
        txn::step(&self.parts, self.guards, state, action)
    }

    /// Delivers a single message, outside rounds and budgets, and returns the receiver's response.
    /// The message is gone, even if it was refused.
    pub fn deliver(&self, state: &State, message: &Held) -> (State, Outcome, Option<Held>) {
        txn::deliver(&self.parts, self.guards, state, message.clone())
    }

    /// Records that a single message was sent: the sender of a snapshot keeps its index.
    #[must_use]
    pub fn sent(&self, state: &State, message: &Held) -> State {
        txn::sent(&self.parts, self.guards, state, message)
    }

    /// The question of the leader on `store` to the transferee, on
    /// [`Command::TransferLeader`](rollcall_traces::Command). It is the first message of what
    /// [`Rollcall::step`] takes as one step. [`Rollcall::deliver`] takes the rest.
    ///
    /// # Errors
    ///
    /// The reason why it does not ask.
    pub fn transfer_question(
        &self,
        state: &State,
        region: RegionId,
        store: StoreId,
        to: StoreId,
    ) -> Result<Held, Reason> {
        txn::transfer_question(&self.parts, self.guards, state, region, store, to)
    }

    /// Takes one action with budgets and history, even beyond the budgets.
    pub fn take(&self, state: &State, action: &Action) -> (State, Outcome) {
        let (after, outcome) = self.step(state, action);
        if !outcome.is_done() {
            return (after, outcome);
        }
        let mut after = self.remember(state, action, &outcome, after);
        after.rest = self.parts.spend(after.rest, action, &outcome);
        (after, outcome)
    }

    /// The successors of a state, each with its action and the action's place among those that
    /// [`Rollcall::each_offered`] offers.
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

    /// The same, if the action is done and within the scope's budgets.
    pub(crate) fn taken_within(&self, state: &State, action: &Action) -> Option<State> {
        let (after, outcome) = self.take(state, action);
        (outcome.is_done() && self.affords(state, action, &outcome)).then_some(after)
    }

    /// Whether the scope's budgets allow an action with this outcome.
    pub fn affords(&self, state: &State, action: &Action, outcome: &Outcome) -> bool {
        let left = costs::left(&self.scope, self.cluster(state).spent());
        costs::affords(&left, action, outcome)
    }

    /// Whether a budget of the scope is overdrawn. No explored state overdraws one, but a given
    /// schedule may.
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

    /// The state without spent budgets, history and delayed messages: where healing starts. Healing
    /// compares states by it.
    pub fn at_rest(&self, state: &State) -> State {
        State {
            rest: self.parts.rest_of(&Vec::new(), self.cluster(state).pd(), Budgets::default()),
            history: self.parts.history.intern(History::default()),
            ..*state
        }
    }
}
