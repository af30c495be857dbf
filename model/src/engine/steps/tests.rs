//! Over whole scopes: a memoised step depends only on its read set.

use std::collections::HashSet;

use super::*;
use crate::scopes::{self, Family, Size};

/// `other`, with the read set as in `state`.
fn mixed(parts: &InternTables, state: &State, other: &State, read: Slots) -> State {
    let value = |slot| parts.value(state, state, slot);
    let mut mixed = *other;
    for at in 0..parts.stores.len() {
        if read.has(Slot::Store(Side::Before, at)) || read.has(Slot::Claims(at)) {
            mixed.stores[at] = state.stores[at];
            continue;
        }
        let reports = (0..REGIONS).any(|nth| read.has(Slot::Report(at, nth)));
        if reports || read.has(Slot::Beside(at)) || read.has(Slot::Statuses(Side::Before)) {
            let beside = Slot::Beside(at);
            mixed.stores[at] = parts.replace(mixed.stores[at], beside, value(beside));
        }
        for nth in 0..REGIONS {
            let slots = [Slot::Peer(at, nth), Slot::Summary(at, nth), Slot::Report(at, nth)];
            if slots.into_iter().any(|slot| read.has(slot)) {
                mixed.stores[at] = parts.replace(mixed.stores[at], slots[0], value(slots[0]));
            }
        }
    }
    let (held, pd) = (Slot::Held(Side::Before), Slot::Pd(Side::Before));
    if read.has(held) {
        mixed.rest = parts.replace(mixed.rest, held, value(held));
    }
    if read.has(pd) || read.has(Slot::Believed) {
        mixed.rest = parts.replace(mixed.rest, pd, value(pd));
    }
    mixed
}

/// Repeats every step that would be stored in a state that is equal in its read set and otherwise
/// like another state of the scope. Returns how many.
fn take_again_elsewhere(plan: &scopes::ScopePlan) -> usize {
    let model = plan.model(GuardSet::ALL).expect("the scope can be begun");
    let (parts, steps) = (model.parts(), Steps::new(HistoryParts::NONE));
    let mut found = vec![model.first()];
    let mut known = HashSet::from([model.first()]);
    let (mut at, mut again) = (0, 0);
    while let Some(&state) = found.get(at) {
        // A distant state, another for every state.
        let other = found[at * 7919 % found.len()];
        let values = parts.values(&state);
        let offered: Vec<u32> = steps.offered(parts, model.scope(), &state, &values).collect();
        for number in offered {
            if steps.effects.found(number, &[], &values).is_some() {
                continue;
            }
            let taken = |from: State| {
                let mut txn = StepTxn::new(parts, model.guards(), from);
                let (after, outcome, _) = txn::step_in(&mut txn, steps.actions.get(number));
                let read = txn.read_set();
                (outcome, read, Changes::of(parts, &from, &after, read))
            };
            // A region that the step creates has slots of its own only afterwards.
            let _ = taken(state);
            let (outcome, read, changes) = taken(state);
            let elsewhere = mixed(parts, &state, &other, read);
            if elsewhere != state {
                let action = steps.actions.get(number);
                assert_eq!(taken(elsewhere), (outcome, read, changes), "{action} in {}", model.scope().name);
                again += 1;
            }
            let _ = steps.effect(parts, model.guards(), &state, &values, number);
        }
        model.expand(&state, |_, _, after| {
            if known.insert(after) {
                found.push(after);
            }
        });
        at += 1;
    }
    again
}

#[test]
fn a_step_depends_on_its_read_set_alone() {
    for family in Family::ALL {
        for plan in scopes::plans(*family, Size::Smoke) {
            let again = take_again_elsewhere(&plan);
            println!("{}: {again} steps", plan.scope.name);
            assert!(again > 0, "{}", plan.scope.name);
        }
    }
}
