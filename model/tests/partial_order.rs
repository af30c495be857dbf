//! What a partial-order reduction could leave out at most: docs/scale.md, "Partial order".
//!
//! A reduction takes one action of a state alone and leaves the others for later. Nothing that may
//! happen before that action may depend on it (condition C1 of ample sets). An explorer has to
//! guess the future. Here the whole graph is known, and the condition is decided exactly.

use std::collections::{HashMap, HashSet, VecDeque};

use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, ScopePlan};
use rollcall_model::{Guard, GuardSet, Rollcall, State};
use rollcall_traces::{Action, Touched};
use stateright::Model;

/// The reachable states, the first one at 0.
struct Graph {
    states: Vec<Expanded>,
}

struct Expanded {
    violates: bool,
    /// Each action that is possible, with what it can change and the state it leads to.
    next: HashMap<Action, (Touched, usize)>,
}

/// When one action depends on another.
#[derive(Clone, Copy)]
enum Dependence {
    /// One disables the other, or the order matters to the state after both.
    Exact,
    /// They can change the same peer. This is what an action's read set would say, or less.
    SamePeer,
}

fn plan(scope: &str) -> ScopePlan {
    scopes::named(scope).expect("a scope of that name")
}

fn graph(model: &Rollcall, property: Option<Property>) -> Graph {
    let first = model.first();
    let mut numbers: HashMap<State, usize> = HashMap::from([(first, 0)]);
    let mut todo = VecDeque::from([first]);
    let mut states = Vec::new();
    while let Some(state) = todo.pop_front() {
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        let mut next = HashMap::new();
        for action in actions {
            let Some(after) = model.next_state(&state, action.clone()) else { continue };
            let unknown = numbers.len();
            let number = *numbers.entry(after).or_insert_with(|| {
                todo.push_back(after);
                unknown
            });
            let touched = action.touched(&model.cluster(&state));
            next.insert(action, (touched, number));
        }
        let violates = property.is_some_and(|property| model.violated(&state).contains(&property));
        states.push(Expanded { violates, next });
    }
    Graph { states }
}

impl Graph {
    fn after(&self, state: usize, action: &Action) -> Option<usize> {
        self.states[state].next.get(action).map(|(_, after)| *after)
    }

    /// Whether nothing that may happen from this state on before `action` depends on it.
    fn may_be_taken_alone(&self, state: usize, action: &Action, dependence: Dependence) -> bool {
        let mut seen = HashSet::from([state]);
        let mut todo = vec![state];
        while let Some(at) = todo.pop() {
            let Some((touches, taken)) = self.states[at].next.get(action) else { return false };
            for (other, (touched, then)) in &self.states[at].next {
                if other == action {
                    continue;
                }
                let independent = match dependence {
                    Dependence::Exact => {
                        let after_both = self.after(*taken, other);
                        after_both.is_some() && self.after(*then, action) == after_both
                    }
                    Dependence::SamePeer => !overlap(touches, touched),
                };
                if !independent {
                    return false;
                }
                if seen.insert(*then) {
                    todo.push(*then);
                }
            }
        }
        true
    }

    /// The states that are left when each state takes such an action alone if it has one.
    fn reduced(&self, dependence: Dependence) -> HashSet<usize> {
        let mut seen = HashSet::from([0]);
        let mut todo = vec![0];
        while let Some(at) = todo.pop() {
            let mut actions: Vec<&Action> = self.states[at].next.keys().collect();
            actions.sort_by_key(|action| format!("{action:?}"));
            let alone = actions.iter().find(|action| self.may_be_taken_alone(at, action, dependence));
            for action in alone.map_or(actions.clone(), |alone| vec![*alone]) {
                let then = self.after(at, action).expect("it is possible");
                if seen.insert(then) {
                    todo.push(then);
                }
            }
        }
        seen
    }
}

fn overlap(one: &Touched, other: &Touched) -> bool {
    let same_region = one.region.is_none() || other.region.is_none() || one.region == other.region;
    same_region && one.stores().any(|store| other.stores().any(|also| also == store))
}

/// Both figures are bounds that no explorer reaches, because both know the future.
#[test]
fn what_a_reduction_could_leave_out_of_a_conf_change_scope() {
    let told = [
        // The scope, its states, those left with exact dependence, those left by peers.
        ("two_voters_to_one_smoke", 1_037, 896, 969),
        ("old_term_leader_smoke", 6_157, 4_709, 6_157),
        ("leader_removed_after_handover_smoke", 4_405, 3_190, 3_999),
        ("demoted_while_it_needs_a_snapshot_smoke", 5_704, 2_393, 5_571),
        ("voter_added_at_once_smoke", 2_802, 1_561, 2_490),
        ("one_of_four_goes_smoke", 2_315, 603, 1_391),
    ];
    for (scope, states, exact, by_peers) in told {
        let model = plan(scope).model(GuardSet::ALL).expect("the scope can be begun");
        let graph = graph(&model, None);
        let left = |dependence| graph.reduced(dependence).len();
        let seen = (graph.states.len(), left(Dependence::Exact), left(Dependence::SamePeer));
        assert_eq!(seen, (states, exact, by_peers), "{scope}");
    }
}

/// Condition C1 keeps what ends a run, and says nothing of what happens on the way. These
/// violations are found all the same.
#[test]
fn a_reduction_that_knows_the_future_still_finds_these_incidents() {
    let told = [
        (Guard::OneVoteATerm, "old_term_leader_smoke", Property::ElectionSafety),
        (Guard::CommitOwnTerm, "old_term_entries_smoke", Property::StateMachineSafety),
        (Guard::TombstoneRefusesStale, "joins_again_with_the_same_id_smoke", Property::NoResurrection),
        (
            Guard::UninitialisedVoteSurvives,
            "voter_restarts_before_its_snapshot_smoke",
            Property::LeaderCompleteness,
        ),
    ];
    for (guard, scope, property) in told {
        let model = plan(scope).model(GuardSet::without(guard)).expect("the scope can be begun");
        let graph = graph(&model, Some(property));
        let violating = |state: &usize| graph.states[*state].violates;
        let (all, left) = (graph.states.len(), graph.reduced(Dependence::Exact));
        assert!((0..all).any(|state| violating(&state)), "{scope} without {guard} violates {property}");
        assert!(left.iter().any(violating), "{scope}: the reduction hides {property}");
        assert!(left.len() < all, "{scope}: nothing was left out");
    }
}
