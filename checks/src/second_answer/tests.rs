//! The second check finds a wrong schedule and a wrong graph, and blames neither for the rules.

use std::sync::atomic::AtomicBool;

use rollcall_model::{Guard, GuardSet, scopes};
use rollcall_traces::Action;

use super::*;
use crate::explorer::{Options, explore};
use crate::recover::{HealingOptions, recover, recover_by};

struct Case {
    model: Rollcall,
    explored: Exploration<State>,
    faultless: FaultFree,
}

fn case(scope: &str, guards: GuardSet) -> Case {
    let plan = scopes::named(scope).expect("a scope of that name");
    let plan = scopes::ScopePlan { properties: Vec::new(), reachable: Vec::new(), ..plan };
    let model = plan.model(guards).expect("the scope can be begun");
    let explored = explore(&model, &Options::default(), |_, _| 0).expect("a model to explore");
    let faultless = FaultFree::of(&model, &explored, 2);
    Case { model, explored, faultless }
}

impl Case {
    fn recovered_by(&self, schedule: Schedule<'_>) -> Recovery {
        let options = HealingOptions { schedule, ..HealingOptions::default() };
        recover_by(options, &self.model, &self.explored, 1, &AtomicBool::new(false))
    }

    fn answer(&self, schedule: Schedule<'_>, recovery: &Recovery) -> SecondAnswer {
        second_answer(schedule, &self.model, &self.explored, &self.faultless, recovery, 2)
    }
}

#[test]
fn both_answers_agree_where_schedule_and_rules_are_sound() {
    let case = case("replace_a_lost_store_smoke", GuardSet::ALL);
    let recovery = recover(&case.model, &case.explored, 2, &AtomicBool::new(false));
    let answer = case.answer(&liveness::next, &recovery);
    assert_eq!(answer.disagreement, None);
    let within = answer.within.expect("every state heals");
    assert!(0 < within && within <= answer.reaching && answer.reaching <= recovery.recovered);
    assert_eq!(within + answer.outside.values().sum::<u64>(), case.explored.distinct());
}

/// A schedule that never campaigns.
fn gives_up_early(model: &Rollcall, state: &State) -> Option<Action> {
    liveness::next(model, state).filter(|action| !matches!(action, Action::Campaign { .. }))
}

#[test]
fn a_schedule_that_gives_up_early_is_found_out() {
    let case = case("replace_a_lost_store_smoke", GuardSet::ALL);
    let recovery = case.recovered_by(&gives_up_early);
    let stuck = recovery.stuck.as_ref().expect("without an election something does not heal").state;
    let answer = case.answer(&gives_up_early, &recovery);
    assert_eq!(answer.disagreement, Some(Disagreement { state: stuck, what: Contradiction::NotHealed }));
    assert_eq!(answer.within, None);
}

/// A near miss: the rules are wrong, so both checks say that it does not heal.
#[test]
fn a_trap_of_the_rules_is_no_disagreement() {
    let guards = GuardSet::without(Guard::TransferTimesOut);
    let case = case("transfer_against_a_change_smoke", guards);
    let recovery = case.recovered_by(&liveness::next);
    assert!(recovery.stuck.is_some());
    assert_eq!(case.answer(&liveness::next, &recovery).disagreement, None);
}

/// Another near miss: a slow schedule arrives all the same.
#[test]
fn a_schedule_that_takes_its_time_is_no_disagreement() {
    let restless = |model: &Rollcall, state: &State| {
        let action = liveness::next(model, state)?;
        let waits = Action::CheckStores;
        let is_worth_it = model.step(state, &waits).0 != *state;
        Some(if is_worth_it { waits } else { action })
    };
    let case = case("leaders_store_leaves_smoke", GuardSet::ALL);
    let recovery = case.recovered_by(&restless);
    assert_eq!(recovery.recovered, case.explored.distinct());
    assert_eq!(case.answer(&restless, &recovery).disagreement, None);
}

#[test]
fn an_edge_that_is_missing_is_found_out() {
    let mut case = case("replace_a_lost_store_smoke", GuardSet::ALL);
    let recovery = case.recovered_by(&liveness::next);
    let applies = |state: u32, edge: u32| {
        let action = case.explored.action(&case.model, state, case.explored.graph.ordinal(edge));
        matches!(action, Action::Apply { .. })
    };
    let graph = &case.explored.graph;
    let edges = (0..graph.states()).flat_map(|state| graph.row(state).map(move |edge| (state, edge)));
    let cut: Vec<u32> = edges.filter(|(state, edge)| applies(*state, *edge)).map(|(_, edge)| edge).collect();
    assert!(!cut.is_empty());
    for edge in cut {
        case.faultless.words[edge as usize / 64] &= !(1 << (edge % 64));
    }
    let disagreement =
        case.answer(&liveness::next, &recovery).disagreement.expect("an offered step has no edge");
    assert_eq!(disagreement.what, Contradiction::NoEdge);
}

#[test]
fn a_healing_that_ends_short_of_the_goals_is_found_out() {
    let case = case("replace_a_lost_store_smoke", GuardSet::ALL);
    let mut recovery = case.recovered_by(&liveness::next);
    recovery.ways = Ways::that_end_at_once(case.explored.states.len());
    let answer = case.answer(&liveness::next, &recovery);
    let first = answer.disagreement.expect("not every state reaches a goal");
    assert_eq!(first.what, Contradiction::NotReaching);
    assert_eq!(answer.within, Some(case.explored.distinct()));
}

#[test]
fn steps_outside_the_scope_are_counted_and_no_disagreement() {
    let case = case("joins_again_with_a_new_id_smoke", GuardSet::ALL);
    let recovery = case.recovered_by(&liveness::next);
    let answer = case.answer(&liveness::next, &recovery);
    assert_eq!(answer.disagreement, None);
    assert!(answer.outside.get("campaign").is_some_and(|count| *count > 0), "{:?}", answer.outside);
}
