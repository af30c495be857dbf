//! Finds the guard that decides the step at which a subject diverges from the model, and its rule.

use rollcall_impl::Guard;
use rollcall_model::{GuardSet, Rollcall};
use rollcall_traces::{Divergence, GuardNote, Scope, View, differences};

use super::exhibits::is_raft_s;
use super::run::shown;
use crate::places;

/// The divergence, with the places of the model's rule and, if there is one, the guard without
/// which the rules do what the subject has done. The rules have `guards`.
pub fn decided(mut divergence: Divergence, scope: &Scope, guards: GuardSet) -> Divergence {
    divergence.guards = guard(&divergence, scope, guards).into_iter().collect();
    let places = places::of_divergence(&divergence);
    divergence.places = places.into_iter().filter(|place| place.side == "model").collect();
    divergence
}

fn guard(divergence: &Divergence, scope: &Scope, guards: GuardSet) -> Option<GuardNote> {
    let (last, before) = divergence.prefix.split_last()?;
    let model = Rollcall::new(scope, guards, &[], &[]).ok()?;
    let state = before.iter().fold(model.first(), |state, action| model.step(&state, action).0);
    let (sound, _) = model.step(&state, last);
    let expected = model.cluster(&sound).view();
    // Tours compare everything that the model shows, replays only what a subject can show.
    let found = |seen: &View, expected: View| differences(&expected, seen) == divergence.differences;
    let does_the_same = |guard: &&rollcall_model::Guard| {
        let without = model.with_guards(guards.and_without(**guard));
        let (after, outcome) = without.step(&state, last);
        let seen = shown(without.cluster(&after).view());
        Some(&outcome) == divergence.actual.as_ref()
            && (found(&seen, expected.clone()) || found(&seen, shown(expected.clone())))
    };
    let mut of_raft = rollcall_model::Guard::ALL.iter().filter(|guard| is_raft_s(**guard));
    let decides = of_raft.find(does_the_same)?;
    let decider = Guard::from_name(decides.name()).map_or("raft".into(), |guard| guard.decider().to_string());
    // The side that has the guard.
    Some(GuardNote { side: divergence.sides.expected.to_string(), guard: decides.name().into(), decider })
}
