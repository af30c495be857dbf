//! The model under stateright's own checker, as a user of the crate would have it.

use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, ScopePlan};
use rollcall_model::{ACTION_KINDS, Guard, GuardSet, Reach, Rollcall};
use rollcall_traces::{Action, Budgets, Change, ChangeKind, Command, Outcome, Reason, Scope, ScopeError};
use stateright::{Checker, Model};

fn plan(name: &str) -> ScopePlan {
    scopes::named(name).expect("a scope of that name")
}

#[test]
fn two_voters_become_one_and_every_property_holds() {
    let model = plan("two_voters_to_one_smoke").model(GuardSet::ALL).expect("the scope can be begun");
    let checker = model.checker().spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.unique_state_count() > 1_000, "{} states are too few", checker.unique_state_count());
}

#[test]
fn a_commit_of_an_old_terms_entry_is_found_out() {
    let plan = plan("old_term_entries_smoke");
    let model = plan.model(GuardSet::without(Guard::CommitOwnTerm)).expect("the scope can be begun");
    let checker = model.checker().spawn_bfs().join();
    checker.assert_any_discovery(Property::StateMachineSafety.name());
}

#[test]
fn every_scope_can_be_begun_and_asks_a_question() {
    for plan in scopes::all() {
        let model = plan.model(GuardSet::ALL).expect("the scope can be begun");
        assert!(plan.scope.question.ends_with('?'), "{}", plan.scope.name);
        assert!(!plan.reachable.is_empty(), "{} demands nothing reachable", plan.scope.name);
        for kind in &plan.must_fire {
            assert!(ACTION_KINDS.contains(kind), "{}: there is no `{kind}`", plan.scope.name);
        }
        assert_eq!(model.violation(&model.first()), None);
    }
}

/// If two kinds had one label, only the first would be counted.
#[test]
fn every_kind_of_action_has_a_label_of_its_own() {
    let mut labels = ACTION_KINDS.to_vec();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), ACTION_KINDS.len());
}

#[test]
fn every_situation_is_required_somewhere() {
    let plans = scopes::all();
    for reach in Reach::ALL {
        assert!(
            plans.iter().any(|plan| plan.reachable.contains(reach)),
            "no scope demands: {}",
            reach.name()
        );
    }
}

#[test]
fn names_of_scopes_guards_and_properties_are_their_own() {
    let mut names: Vec<String> = scopes::all().into_iter().map(|plan| plan.scope.name).collect();
    names.extend(Guard::ALL.iter().map(|guard| guard.name().to_string()));
    names.extend(Property::ALL.iter().map(|property| property.name().to_string()));
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    for guard in Guard::ALL {
        assert_eq!(Guard::from_name(guard.name()), Some(*guard));
    }
}

#[test]
fn budgets_bound_what_is_offered_and_nothing_else() {
    let scope = Scope { budgets: Budgets::default(), ..plan("grow_and_shrink_smoke").scope };
    let model = Rollcall::new(&scope, GuardSet::ALL, &[], &[]).expect("the scope can be begun");
    let checker = model.clone().checker().spawn_bfs().join();
    // No proposal, loss, held message or election is allowed: nothing happens after the setup.
    assert_eq!(checker.unique_state_count(), 1);
    let add = Change { kind: ChangeKind::AddVoter, peer: 3, store: 3 };
    let propose = Action::Propose { region: 1, store: 1, command: Command::ChangePeer(add), epoch: None };
    assert!(model.step(&model.first(), &propose).1.is_done(), "the rules know no budget");
}

#[test]
fn disabled_actions_are_refused_and_change_nothing() {
    let model = plan("grow_and_shrink_smoke").model(GuardSet::ALL).expect("the scope can be begun");
    let first = model.first();
    let disabled = model.disabled(&first);
    assert!(disabled.len() > 100, "{} disabled actions are too few", disabled.len());
    for (action, reason) in disabled {
        assert_eq!(model.step(&first, &action), (first, Outcome::Refused(reason)), "{action}");
    }
}

#[test]
fn a_setup_that_is_refused_is_an_error_that_says_where() {
    let mut scope = plan("grow_and_shrink_smoke").scope;
    scope.setup.insert(1, Action::Restart { store: 1 });
    let error = Rollcall::new(&scope, GuardSet::ALL, &[], &[]).err().expect("the setup is refused");
    assert_eq!(error, ScopeError::Setup { scope: scope.name.clone(), step: 2, reason: Reason::StoreUp });
}
