//! The compact state and the reference semantics take every step to the same view, outcome and
//! reason. No step changes a peer that its action does not name (`Action::touched`). Healing takes
//! the same actions over both, to the same end.

use std::collections::HashSet;

use proptest::prelude::*;
use rollcall_model::reference::{self, Reference};
use rollcall_model::scopes::{self, Family, Size};
use rollcall_model::{Guard, GuardSet, Rollcall, State, StateRef, first_peer, liveness};
use rollcall_traces::{
    Action, Cluster, Command, Entries, Outcome, RangeEntry, Reply, Role, Scope, Store, View,
};
use stateright::Model;

/// Takes one action in both semantics.
fn step_both_ways(model: &Rollcall, before: &View, state: &State, action: &Action) {
    let (after, outcome) = model.step(state, action);
    let (plain, plain_outcome) = reference::step(model.scope(), model.guards(), before, action);
    let said = || format!("{action} in {}, from\n{before:#?}", model.scope().name);
    assert_eq!(outcome, plain_outcome, "{}", said());
    assert!(is_same(&model.cluster(&after), &plain), "{}: {plain:#?}", said());
    let touched = action.touched(before);
    for (store, region) in changed(before, &plain) {
        let is_said = touched.stores().any(|of| of == store) && touched.region.is_none_or(|of| of == region);
        assert!(is_said, "store {store}, region {region} is not in {touched:?}: {}", said());
    }
}

/// The peers that have changed.
fn changed<'a>(before: &'a View, after: &'a View) -> impl Iterator<Item = (u64, u64)> + 'a {
    let of_store = move |(store, was): (&'a u64, &'a Store)| {
        let is = &after.stores[store];
        let regions =
            was.peers.keys().chain(is.peers.keys().filter(|region| !was.peers.contains_key(region)));
        regions.filter(|region| was.peers.get(region) != is.peers.get(region)).map(|region| (*store, *region))
    };
    before.stores.iter().flat_map(of_store)
}

/// Whether the compact state has this view.
fn is_same(seen: &StateRef<'_>, view: &View) -> bool {
    let stores = || view.stores.iter();
    let is_same_store = |store, of: &Store| {
        let peers = || seen.regions_on(store).map(|region| (region, seen.peer(store, region)));
        peers().eq(of.peers.iter().map(|(region, peer)| (*region, Some(peer))))
            && seen.ranges(store).eq(of.ranges.iter().cloned())
            && seen.pending_ranges(store).eq(of.pending_ranges.iter().cloned())
            && (seen.pending_messages(store), seen.recovery_plan(store)) == (&of.pending_messages, of.plan)
    };
    seen.stores().eq(stores().map(|(store, of)| (*store, of.status)))
        && stores().all(|(store, of)| is_same_store(*store, of))
        && (seen.held(), seen.pd()) == (&view.held, &view.pd)
}

/// In each scope, the first state and every state with a multiple of this number, in the order of
/// the walk, is healed in both semantics, and every disabled action is refused by both.
const HEALED: usize = 997;

/// Heals a state in both semantics: by the same actions, to the same end.
fn heal_both_ways(model: &Rollcall, state: &State) {
    let reference = Reference::new(model.scope(), model.guards());
    let said = || format!("in {}, from\n{:#?}", model.scope().name, model.cluster(state).view());
    let mut at = model.at_rest(state);
    let mut view = model.cluster(&at).view();
    for step in 0..liveness::LONGEST {
        let action = liveness::next(&reference, &view);
        assert_eq!(action, liveness::next(model, &at), "step {step} {}", said());
        let Some(action) = action else { break };
        at = model.step(&at, &action).0;
        view = reference::step(model.scope(), model.guards(), &view, &action).0;
    }
    assert!(is_same(&model.cluster(&at), &view), "{}", said());
    assert_eq!(liveness::missed(model, &at), liveness::missed(&reference, &view), "{}", said());
    let stuck_reasons = liveness::stuck_reasons(model, &at);
    assert_eq!(stuck_reasons, liveness::stuck_reasons(&reference, &view), "{}", said());
    for reason in stuck_reasons {
        assert_eq!(reason.because(model, &at), reason.because(&reference, &view), "{}", said());
    }
    assert_eq!(liveness::refused(model, &at), liveness::refused(&reference, &view), "{}", said());
}

/// Refuses every disabled action of a state in both semantics, for the same reason. How many.
fn refuse_both_ways(model: &Rollcall, state: &State) -> usize {
    let before = model.cluster(state).view();
    let disabled = model.disabled(state);
    for (action, reason) in &disabled {
        let (after, outcome) = reference::step(model.scope(), model.guards(), &before, action);
        assert_eq!(
            outcome,
            Outcome::Refused(*reason),
            "{action} in {}, from\n{before:#?}",
            model.scope().name
        );
        assert_eq!(after, before, "{action} was refused and changed something");
    }
    disabled.len()
}

/// Takes every offered action in every state of the family's smoke scopes.
fn take_all(family: Family) {
    for plan in scopes::plans(family, Size::Smoke) {
        let model = plan.model(GuardSet::ALL).expect("the scope can be begun");
        let (mut seen, mut left) = (HashSet::from([model.first()]), vec![model.first()]);
        let (mut steps, mut met, mut healed, mut refused) = (0, 0_usize, 0, 0);
        while let Some(state) = left.pop() {
            if met.is_multiple_of(HEALED) {
                heal_both_ways(&model, &state);
                refused += refuse_both_ways(&model, &state);
                healed += 1;
            }
            met += 1;
            let before = model.cluster(&state).view();
            model.each_offered(&state, |action| {
                step_both_ways(&model, &before, &state, action);
                steps += 1;
            });
            model.expand(&state, |_, _, after| {
                if seen.insert(after) {
                    left.push(after);
                }
            });
        }
        println!(
            "{}: {} states, {steps} steps, {healed} healed, {refused} refused",
            plan.scope.name,
            seen.len()
        );
        assert!(steps > seen.len() - 1, "every state but the first was stepped into");
        assert!(refused > 10 * healed, "{refused} refusals in {healed} states");
    }
}

#[test]
fn every_step_of_conf_change_is_the_references() {
    take_all(Family::ConfChange);
}

#[test]
fn every_step_of_split_is_the_references() {
    take_all(Family::Split);
}

#[test]
fn every_step_of_decommission_is_the_references() {
    take_all(Family::Decommission);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Walks of standard scopes without a guard.
    #[test]
    fn a_walk_without_a_guard_is_the_references(
        scope in any::<prop::sample::Index>(),
        guard in any::<prop::sample::Index>(),
        choices in prop::collection::vec(any::<u16>(), 0..60),
    ) {
        let plans: Vec<_> = Family::ALL.iter().flat_map(|family| scopes::plans(*family, Size::Standard)).collect();
        let guards = GuardSet::without(Guard::ALL[guard.index(Guard::ALL.len())]);
        // Some scopes begin with a step that only the guard makes possible.
        let Ok(model) = plans[scope.index(plans.len())].model(guards) else { return Ok(()) };
        let mut state = model.first();
        for choice in choices {
            let before = model.cluster(&state).view();
            model.each_offered(&state, |action| step_both_ways(&model, &before, &state, action));
            let steps = model.next_states(&state);
            match steps.get(usize::from(choice) % steps.len().max(1)) {
                Some(next) => state = *next,
                None => break,
            }
        }
        heal_both_ways(&model, &state);
    }
}

/// Without a guard of healing, both semantics take the same other path.
#[test]
fn healing_that_does_not_end_is_the_references() {
    let plan = scopes::named("stalled_leaders_store_leaves_smoke").expect("a scope of that name");
    let guards = GuardSet::without(Guard::LaggingLeaderHandsOver);
    let model = Rollcall::new(&plan.scope, guards, &[], &[]).expect("the scope can be begun");
    let view = model.cluster(&model.at_rest(&model.first())).view();
    let reference = Reference::new(model.scope(), guards);
    let healed = liveness::healed(&reference, &view);
    assert!(!healed.missed.is_empty());
    assert_eq!(healed, liveness::healed(&model, &model.first()));
    assert_ne!(healed, liveness::healed(&Reference::new(model.scope(), GuardSet::ALL), &view));
    heal_both_ways(&model, &model.first());
}

/// More stores than the compact state can number. The reference takes the actions of a trace over
/// them, and heals them.
#[test]
fn nine_stores_elect_write_and_heal_over_a_plain_view() {
    const REGION: u64 = 1;
    let stores = 1..=9;
    let voters = stores.clone().map(|store| (100 + store, store));
    let put = Command::Put { key: "k".into(), value: "v".into() };
    let scope = Scope::builder("nine_stores").stores(stores.clone()).region(REGION, voters);
    let scope = scope.command(put.clone()).elections(1).writes(1).build().expect("a scope");
    let region = &scope.regions[0];
    let store = |store| {
        let peers = [(REGION, first_peer(region, 100 + store))].into();
        let ranges =
            vec![RangeEntry { start: region.start.clone(), end: region.end.clone(), region: REGION }];
        Store { peers, ranges, ..Store::default() }
    };
    let stores = stores.map(|id| (id, store(id))).collect();
    let mut view = View { stores, ..View::default() };
    let mut take = |action: Action| {
        let (after, outcome) = reference::step(&scope, GuardSet::ALL, &view, &action);
        assert_eq!(outcome, Outcome::DONE, "{action}");
        view = after;
        view.stores[&1].peers[&REGION].clone()
    };
    let (region, reply) = (REGION, Reply::Delivered);
    take(Action::Campaign { region, store: 1 });
    for voter in 2..=5 {
        let candidate = take(Action::Vote { region, candidate: 1, voter, reply });
        // Five of nine are a majority.
        assert_eq!(candidate.role == Role::Leader, voter == 5, "after the vote of store {voter}");
    }
    let leader = take(Action::Propose { region, store: 1, command: put, epoch: None });
    let written = leader.log.last_index();
    for follower in 6..=9 {
        let round = Action::Replicate { region, leader: 1, follower, entries: Entries::All, reply };
        let leader = take(round);
        assert_eq!(leader.commit >= written, follower == 9, "after store {follower} has it");
    }
    take(Action::Crash { store: 1 });
    let reference = Reference::new(&scope, GuardSet::ALL);
    let healed = liveness::healed(&reference, &view);
    assert!(healed.missed.is_empty() && healed.steps > 9, "{healed:?}");
}
