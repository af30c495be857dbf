//! The rules within a scope, taken by the engine: all that others ask of a model.

use std::borrow::Cow;
use std::sync::Arc;

use rollcall_traces::{
    Action, Budgets, Cluster, Held, History, HistoryParts, KnownRegion, KnownStore, Liveness, Outcome,
    PlacementDriver, Reason, Region, RegionId, Scope, ScopeError, StoreId, StoreState, StoreStatus, View,
};

use crate::bounds::actions;
use crate::bounds::costs;
use crate::bounds::disabled;
use crate::bounds::kinds;
use crate::bounds::reach::Reach;
use crate::cluster::ClusterInScope;
pub use crate::engine::checkpoint::{PartCounts, PartsError};
pub use crate::engine::memo::STORES;
use crate::engine::property_cache::PropertyCache;
pub use crate::engine::refusals::{ReadSet, RefusalCache};
pub use crate::engine::state::State;
use crate::engine::state::{InternTables, StoreMeta, StorePart, UNUSED};
pub use crate::engine::state_ref::StateRef;
use crate::engine::steps::Steps;
use crate::engine::txn;
use crate::guard::GuardSet;
use crate::properties::Property;
use crate::rules::{first_peer, index_of};
use crate::semantics::Semantics;

/// The rules of Rollcall within one scope, with all guards or without some.
#[derive(Clone)]
pub struct Rollcall {
    scope: Arc<Scope>,
    guards: GuardSet,
    properties: Vec<Property>,
    reachable: Vec<Reach>,
    parts: Arc<InternTables>,
    /// What was worked out before; `None` where everything is worked out each time.
    known: Option<Arc<Known>>,
    first: State,
}

impl Rollcall {
    /// The model of `scope`, its setup taken.
    ///
    /// # Errors
    /// Where the scope is malformed or its setup is refused.
    pub fn new(
        scope: &Scope,
        guards: GuardSet,
        properties: &[Property],
        reachable: &[Reach],
    ) -> Result<Self, ScopeError> {
        scope.validate()?;
        let parts = InternTables::new(scope);
        if parts.stores.len() > STORES {
            return Err(ScopeError::Malformed {
                scope: scope.name.clone(),
                what: format!(
                    "it has {} stores, and a scope may have no more than {STORES}",
                    parts.stores.len()
                ),
            });
        }
        let history = properties.iter().fold(HistoryParts::NONE, |all, property| all.union(property.parts()));
        let first = first_state(scope, &parts, history);
        let mut model = Self {
            scope: Arc::new(scope.clone()),
            guards,
            properties: properties.to_vec(),
            reachable: reachable.to_vec(),
            parts: Arc::new(parts),
            known: None,
            first,
        };
        model.known = Some(Arc::new(Known::new(
            &model.parts,
            &model.properties,
            model.seen(&model.first).history().parts(),
        )));
        for (at, action) in scope.setup.iter().enumerate() {
            let (after, outcome) = model.step(&model.first, action);
            if let Outcome::Refused(reason) = outcome {
                return Err(ScopeError::Setup { scope: scope.name.clone(), step: at + 1, reason });
            }
            model.first = model.remember(&model.first, action, &outcome, after);
        }
        Ok(model)
    }

    /// The same model with other guards. States of the one are states of the other.
    #[must_use]
    pub fn with_guards(&self, guards: GuardSet) -> Self {
        let known = self.known.is_some().then(|| {
            Arc::new(Known::new(&self.parts, &self.properties, self.seen(&self.first).history().parts()))
        });
        Self { guards, known, ..self.clone() }
    }

    /// The same model, which works everything out each time, though it may have
    /// met it before: for comparison.
    #[must_use]
    pub fn forgetful(&self) -> Self {
        Self { known: None, ..self.clone() }
    }

    /// The scope.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The guards that hold.
    pub fn guards(&self) -> GuardSet {
        self.guards
    }

    /// The properties that it is checked against.
    pub fn checked(&self) -> &[Property] {
        &self.properties
    }

    /// What must be reachable.
    pub fn reachable(&self) -> &[Reach] {
        &self.reachable
    }

    /// The first state, behind the setup.
    pub fn first(&self) -> State {
        self.first
    }

    /// The state with what its numbers stand for.
    pub fn seen<'a>(&'a self, state: &'a State) -> StateRef<'a> {
        self.parts.seen(state)
    }

    /// The compact form of a view, with nothing spent and nothing remembered;
    /// `None` where it shows a store that the scope does not have.
    pub fn state_of(&self, view: &View) -> Option<State> {
        self.parts.state_of(view)
    }

    /// Takes one action: the rules alone, without budgets and history.
    pub fn step(&self, state: &State, action: &Action) -> (State, Outcome) {
        match &self.known {
            Some(known) => known.steps.step(&self.parts, self.guards, state, action),
            None => {
                let (after, outcome, _) = self.step_aloud(state, action);
                (after, outcome)
            }
        }
    }

    /// The same, with what a store says beside: its answer to a message that
    /// was parked. In the world of rounds nobody hears it.
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
        if let Some(known) = &self.known {
            return known.steps.expand(&self.parts, &self.scope, self.guards, state, each);
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
        let left = costs::left(&self.scope, self.seen(state).spent());
        costs::affords(&left, action, outcome)
    }

    /// Whether more was spent than the scope's budgets allow. No state that is explored is
    /// so; a schedule that somebody else chose may lead to one.
    pub fn is_overdrawn(&self, state: &State) -> bool {
        costs::is_overdrawn(&self.scope, self.seen(state).spent())
    }

    fn remember(&self, before: &State, action: &Action, outcome: &Outcome, mut after: State) -> State {
        after.history = match &self.known {
            Some(known) => known.steps.history_after(&self.parts, before, action, outcome, &after),
            None => {
                let history = self.parts.history.get(before.history);
                match history.folded(&self.seen(before), action, outcome, &self.seen(&after)) {
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
            rest: self.parts.rest_of(&Vec::new(), self.seen(state).pd(), Budgets::default()),
            history: self.parts.history.intern(History::default()),
            ..*state
        }
    }

    /// Adds the actions that `state` offers, in order.
    pub(crate) fn offer(&self, state: &State, actions: &mut Vec<Action>) {
        for section in actions::sections(self.parts.stores.len()) {
            actions::offered(&self.scope, self.seen(state), section, actions);
        }
    }

    /// Calls `each` for the actions that the state offers, in order.
    pub fn each_offered(&self, state: &State, each: impl FnMut(&Action)) {
        if let Some(known) = &self.known {
            return known.steps.each_offered(&self.parts, &self.scope, state, each);
        }
        let mut actions = Vec::new();
        self.offer(state, &mut actions);
        actions.iter().for_each(each);
    }

    /// The action with this place among those that [`Rollcall::each_offered`] offers.
    pub fn offered_at(&self, state: &State, place: usize) -> Option<Offered<'_>> {
        if let Some(known) = &self.known {
            let number = known.steps.offered_at(&self.parts, &self.scope, state, place)?;
            let action = Cow::Borrowed(known.steps.action(number));
            return Some(Offered { action, number: Some(number) });
        }
        let mut actions = Vec::new();
        self.offer(state, &mut actions);
        let action = actions.into_iter().nth(place).map(Cow::Owned)?;
        Some(Offered { action, number: None })
    }

    /// What comes of an action that the state offers.
    pub fn outcome_of(&self, state: &State, offered: &Offered<'_>) -> Cow<'_, Outcome> {
        match (&self.known, offered.number) {
            (Some(known), Some(number)) => {
                Cow::Borrowed(known.steps.outcome(&self.parts, self.guards, state, number))
            }
            _ => Cow::Owned(self.step(state, &offered.action).1),
        }
    }

    /// Every action of the scope's vocabulary that the rules refuse in `state`, and why.
    pub fn disabled(&self, state: &State) -> Vec<(Action, Reason)> {
        let mut universe = Vec::new();
        for section in actions::sections(self.parts.stores.len()) {
            disabled::universe(&self.scope, self.seen(state), section, &mut universe);
        }
        let refused = |action: Action| match self.step(state, &action).1 {
            Outcome::Refused(reason) => Some((action, reason)),
            Outcome::Done(_) => None,
        };
        universe.into_iter().filter_map(refused).collect()
    }

    /// Calls `each` for every group of disabled actions that `tried` does not know from
    /// another state with the same parts, or for every group if `anew`. It says
    /// at what the implementation looked ([`Rollcall::read_set`]).
    ///
    /// # Errors
    /// The first of `each`, behind which nothing is tried.
    pub fn each_unknown_refusal<E>(
        &self,
        state: &State,
        tried: &mut RefusalCache,
        anew: bool,
        mut each: impl FnMut(&[(&Action, Reason)]) -> Result<ReadSet, E>,
    ) -> Result<(), E> {
        match &self.known {
            Some(known) => {
                let rules = (&*self.parts, &*self.scope, self.guards);
                known.steps.refuse_in_groups(rules, state, tried, anew, each)
            }
            None => {
                let disabled = self.disabled(state);
                let disabled: Vec<_> = disabled.iter().map(|(action, reason)| (action, *reason)).collect();
                each(&disabled)?;
                tried.refuse(0, disabled.iter().map(|(_, reason)| *reason), None, &self.parts.values(state));
                Ok(())
            }
        }
    }

    /// The parts of a state that are these stores, the messages under way, the placement driver.
    pub fn read_set(&self, stores: impl Iterator<Item = StoreId>, messages: bool, pd: bool) -> ReadSet {
        ReadSet::of(&self.parts, stores, messages, pd)
    }

    /// The place in [`crate::ACTION_KINDS`] of an action taken in `state`.
    pub fn kind_of(&self, state: &State, action: &Action) -> usize {
        kinds::kind_of(self.seen(state), action)
    }

    /// The first property that `state` violates, in words.
    pub fn violation(&self, state: &State) -> Option<(Property, String)> {
        let seen = self.seen(state);
        self.properties.iter().find_map(|property| {
            property.check(&seen, seen.history()).err().map(|violation| (*property, violation.to_string()))
        })
    }

    /// The properties that `state` violates: bit n stands for the nth of
    /// [`Rollcall::checked`].
    pub fn broken(&self, state: &State) -> u64 {
        match &self.known {
            Some(known) => known.judged.broken(&self.parts, &self.properties, state),
            None => {
                let seen = self.seen(state);
                let broken = |property: &Property| property.check(&seen, seen.history()).is_err();
                let bits = self.properties.iter().enumerate();
                bits.fold(0, |all, (at, property)| all | u64::from(broken(property)) << at)
            }
        }
    }

    /// Every property that `state` violates.
    pub fn violated(&self, state: &State) -> Vec<Property> {
        let seen = self.seen(state);
        let violated = |property: &&Property| property.check(&seen, seen.history()).is_err();
        self.properties.iter().filter(violated).copied().collect()
    }

    /// Whether `state` holds the property.
    pub(crate) fn holds(&self, property: Property, state: &State) -> bool {
        let seen = self.seen(state);
        property.check(&seen, seen.history()).is_ok()
    }

    pub(crate) fn parts(&self) -> &InternTables {
        &self.parts
    }
}

impl Semantics for Rollcall {
    type State = State;
    type Seen<'s> = StateRef<'s>;

    fn scope(&self) -> &Scope {
        self.scope()
    }

    fn guards(&self) -> GuardSet {
        self.guards()
    }

    fn seen<'s>(&'s self, state: &'s State) -> StateRef<'s> {
        self.seen(state)
    }

    fn step(&self, state: &State, action: &Action) -> (State, Outcome) {
        self.step(state, action)
    }

    fn at_rest(&self, state: &State) -> State {
        self.at_rest(state)
    }
}

/// An action that a state offers.
#[derive(Clone, Debug)]
pub struct Offered<'m> {
    /// The action.
    pub action: Cow<'m, Action>,
    /// Its number among those that the model knows.
    number: Option<u32>,
}

/// What a model has worked out under its guards.
struct Known {
    steps: Steps,
    judged: PropertyCache,
}

impl Known {
    fn new(parts: &InternTables, properties: &[Property], carried: HistoryParts) -> Self {
        Self { steps: Steps::new(carried), judged: PropertyCache::new(parts, properties) }
    }
}

/// Every replica as first configured, nothing begun.
fn first_state(scope: &Scope, parts: &InternTables, carried: HistoryParts) -> State {
    let mut stores = [UNUSED; STORES];
    let mut regions: Vec<&Region> = scope.regions.iter().collect();
    regions.sort_by_key(|region| region.id);
    for (number, store) in stores.iter_mut().zip(&parts.stores) {
        let here = |region: &&Region| Some((region.id, first_peer(region, region.member_on(*store)?.id)));
        let peers: Vec<_> = regions.iter().filter_map(here).collect();
        let ranges = index_of(peers.iter().map(|(_, peer)| peer));
        let peers = peers.into_iter().map(|(region, peer)| (region, parts.peers.intern(peer))).collect();
        let meta = parts.metas.intern(StoreMeta { ranges, ..StoreMeta::default() });
        *number = parts.store_parts.intern(StorePart { status: StoreStatus::Up, meta, peers });
    }
    let rest = parts.rest_of(&Vec::new(), &first_pd(scope), Budgets::default());
    let mut state = State { stores, rest, history: parts.history.intern(History::default()) };
    let history = History::begin(carried, &parts.seen(&state));
    state.history = parts.history.intern(history);
    state
}

/// PD that has heard from every store but those that are still to join,
/// and of no leader.
fn first_pd(scope: &Scope) -> PlacementDriver {
    let mut pd = PlacementDriver { next_id: scope.next_id, ..PlacementDriver::default() };
    if scope.max_replicas > 0 {
        let record = |store: &StoreId| KnownStore {
            state: StoreState::Up,
            physically_destroyed: false,
            liveness: Liveness::Connected,
            full: scope.full.contains(store),
        };
        let known = scope.stores.iter().filter(|store| !scope.joining.contains(store));
        pd.stores = known.map(|store| (*store, record(store))).collect();
        let known = |region: &Region| KnownRegion {
            region: region.clone(),
            leader: 0,
            term: 0,
            pending: Default::default(),
            down: Default::default(),
        };
        pd.regions = scope.believed_regions().map(|region| (region.id, known(region))).collect();
    }
    pd
}
