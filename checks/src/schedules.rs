//! Random schedules beyond the exhausted scopes. The model's rules offer the actions and the
//! implementation takes them. After each action, done or refused, outcome and view must be equal.
//!
//! The seed is fixed. `test_sequential` of proptest-state-machine is not used: it reports by
//! panicking, hundreds of times while it shrinks. Left out: the placement driver, merges and unsafe
//! recovery.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy, Union, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest_state_machine::Sequential;
use rollcall_impl::Guards;
use rollcall_model::properties::Property;
use rollcall_model::{GuardSet, Rollcall, State, scopes};
use rollcall_traces::{
    Action, Budgets, Change, ChangeKind, ChildCommand, Command, Derive, Entries, Key, Outcome, Scope,
    ScopeError, SplitKeys, Subject,
};
use stateright::Model;

use crate::driven::take;
use crate::world::World;

/// The seed of all randomness.
pub const SEED: [u8; 32] = *b"members leave and join in safety";
/// The number of schedules.
pub const CASES: u32 = 384;
/// The number of actions in each.
pub const STEPS: std::ops::RangeInclusive<usize> = 60..=100;

/// Five stores, and larger budgets than any exhausted scope has.
fn scope() -> Scope {
    let base = scopes::named("grow_and_shrink");
    let change = |kind, peer, store| Change { kind, peer, store };
    let simple = |kind, peer, store| Command::ChangePeer(change(kind, peer, store));
    let joint = |changes: &[Change]| Command::EnterJoint { changes: changes.to_vec() };
    let put_at = |key: &str, value: &str| Command::Put { key: Key::from(key), value: Key::from(value) };
    let put = |value: &str| put_at("k", value);
    let of_the_first_child = |command| ChildCommand { region: 100, command };
    let at =
        |keys: &[&str], derive| SplitKeys { keys: keys.iter().map(|key| Key::from(*key)).collect(), derive };
    Scope {
        name: "schedules".into(),
        question: "is there a difference that no exhausted scope is large enough to show?".into(),
        stores: vec![1, 2, 3, 4, 5],
        rounds: vec![Entries::One, Entries::All],
        commands: vec![
            simple(ChangeKind::AddVoter, 4, 4),
            simple(ChangeKind::AddLearner, 5, 5),
            simple(ChangeKind::AddVoter, 5, 5),
            simple(ChangeKind::Remove, 2, 2),
            simple(ChangeKind::Remove, 3, 3),
            simple(ChangeKind::Remove, 4, 4),
            simple(ChangeKind::AddVoter, 3, 3),
            simple(ChangeKind::AddVoter, 13, 3),
            joint(&[change(ChangeKind::AddVoter, 4, 4), change(ChangeKind::AddLearner, 2, 2)]),
            joint(&[change(ChangeKind::AddLearner, 3, 3), change(ChangeKind::AddLearner, 2, 2)]),
            joint(&[change(ChangeKind::AddLearner, 4, 4)]),
            Command::LeaveJoint,
            Command::TransferLeader { to: 2 },
            Command::TransferLeader { to: 4 },
            put("a"),
            put_at("p", "b"),
            Command::Delete { key: Key::from("k") },
            put("d"),
        ],
        child_commands: vec![
            of_the_first_child(simple(ChangeKind::Remove, 103, 3)),
            of_the_first_child(simple(ChangeKind::AddLearner, 93, 3)),
            of_the_first_child(simple(ChangeKind::AddVoter, 95, 5)),
            of_the_first_child(Command::LeaveJoint),
        ],
        splits: vec![at(&["m"], Derive::Left), at(&["g"], Derive::Right), at(&["h", "q"], Derive::Left)],
        next_id: 100,
        keys: vec![Key::from("k"), Key::from("p")],
        campaigners: Vec::new(),
        crashers: Vec::new(),
        apply_stalled: Vec::new(),
        believed: Vec::new(),
        unsynced_commits: false,
        late_persistence: false,
        heartbeats: false,
        store_reports: false,
        budgets: Budgets {
            elections: 6,
            crashes: 3,
            disk_losses: 1,
            lost: 4,
            late: 4,
            writes: 4,
            changes: 6,
            splits: 3,
            transfers: 2,
            compactions: 2,
            reads: 2,
            ..Budgets::default()
        },
        ..base.expect("the scope is there").scope
    }
}

/// A state of the model, and the outcome of the last action.
#[derive(Clone)]
pub struct Reached {
    /// The state.
    pub state: State,
    /// The outcome of the action that led there.
    pub outcome: Outcome,
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a state reached by: {}", self.outcome)
    }
}

/// The schedules that the rules offer, with all guards or without some.
pub struct Schedules {
    model: Arc<Rollcall>,
}

impl Schedules {
    /// Schedules of the rules with these guards.
    ///
    /// # Errors
    /// If the scope cannot begin without a guard.
    pub fn new(guards: GuardSet) -> Result<Self, ScopeError> {
        Ok(Self { model: Arc::new(Rollcall::new(&scope(), guards, Property::ALL, &[])?) })
    }

    /// The rules.
    pub fn model(&self) -> &Rollcall {
        &self.model
    }

    fn strategy(&self) -> impl Strategy<Value = (Reached, Vec<Action>, Option<Arc<AtomicUsize>>)> + use<> {
        let first = Reached { state: self.model.first(), outcome: Outcome::DONE };
        let (offering, taking) = (Arc::clone(&self.model), Arc::clone(&self.model));
        Sequential::new(
            STEPS.into(),
            move || Just(first.clone()).boxed(),
            |_: &Reached, _: &Action| true,
            move |reached: &Reached| offered(&offering, reached),
            move |reached: Reached, action: &Action| taken(&taking, &reached, action),
        )
    }

    /// The disagreement that ends one schedule, if there is one.
    pub fn disagreement<G: Guards>(
        &self,
        world: &mut World<G>,
        actions: &[Action],
        mut seen: impl FnMut(&Reached),
    ) -> Option<String> {
        if let Err(error) = world.reset(self.model.scope()) {
            return Some(error.to_string());
        }
        let mut reached = Reached { state: self.model.first(), outcome: Outcome::DONE };
        for (step, action) in (1..).zip(actions) {
            reached = taken(&self.model, &reached, action);
            seen(&reached);
            match take(world, action) {
                Ok(outcome) if outcome == reached.outcome => {}
                Ok(outcome) => {
                    return Some(format!("step {step}: {action}: model {}, impl {outcome}", reached.outcome));
                }
                Err(words) => return Some(format!("step {step}: {action}: impl panicked: {words}")),
            }
            if !world.shows(&self.model.cluster(&reached.state)) {
                return Some(format!("step {step}: {action}: the views differ"));
            }
        }
        None
    }

    /// The first `cases` schedules in order, until interrupted.
    pub fn drawn<'a>(
        &'a self,
        cases: u32,
        interrupt: &'a AtomicBool,
    ) -> impl Iterator<Item = Vec<Action>> + 'a {
        let (mut runner, strategy) = (runner(), self.strategy());
        let cases = (0..cases).take_while(|_| !interrupt.load(Ordering::Relaxed));
        cases.map(move |_| strategy.new_tree(&mut runner).expect("an action is always offered").current().1)
    }
}

fn runner() -> TestRunner {
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &SEED))
}

/// An enabled action of the scope, and now and then a disabled one.
fn offered(model: &Rollcall, reached: &Reached) -> BoxedStrategy<Action> {
    let mut offered = Vec::new();
    model.actions(&reached.state, &mut offered);
    let is_done = |action: &Action| {
        let outcome = model.step(&reached.state, action).1;
        outcome.is_done() && model.affords(&reached.state, action, &outcome)
    };
    let (done, refused): (Vec<_>, Vec<_>) = offered.into_iter().partition(is_done);
    let forbidden: Vec<Action> =
        model.disabled(&reached.state).into_iter().map(|(action, _)| action).collect();
    let choices = [(8, done), (1, refused), (1, forbidden)].into_iter();
    let choices = choices.filter(|(_, actions)| !actions.is_empty());
    Union::new_weighted(choices.map(|(weight, actions)| (weight, select(actions))).collect()).boxed()
}

fn taken(model: &Rollcall, reached: &Reached, action: &Action) -> Reached {
    let (state, outcome) = model.take(&reached.state, action);
    Reached { state, outcome }
}
