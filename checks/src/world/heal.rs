//! Heals the stores by the model's schedule, step by step. Their view must equal the model's.

use rollcall_impl::{Guards, Replica};
use rollcall_model::{Guard, GuardSet, Rollcall, State, liveness};
use rollcall_traces::{Healed, Outcome, Subject, differences};

use super::World;
use crate::driven::take;

impl<G: Guards, R: Replica> World<G, R> {
    /// Heals a copy of the world; `None` if it was not reset to a scope. A difference from the
    /// model counts as missed.
    pub(super) fn heal(&self) -> Option<Healed> {
        let model = Rollcall::new(self.scope.as_deref()?, self.model_guards(), &[], &[]).ok()?;
        let mut at = model.at_rest(&model.state_of(&self.view())?);
        let mut world = self.clone();
        world.lose_what_is_under_way();
        let parted = |steps: u64, what: String| {
            let missed = vec![format!("step {steps} of healing parts from the model: {what}")];
            Some(Healed { steps, missed, ..Healed::default() })
        };
        if let Some(what) = world.parts_from(&model, &at) {
            return parted(0, what);
        }
        let mut steps = 0;
        while let Some(action) = liveness::next(&model, &at) {
            if steps == liveness::LONGEST {
                return Some(liveness::endless(&model, &at));
            }
            let (after, expected) = model.step(&at, &action);
            (at, steps) = (after, steps + 1);
            let outcome = match take(&mut world, &action) {
                Ok(outcome) => outcome,
                Err(panicked) => return parted(steps, format!("{action}: it panicked: {panicked}")),
            };
            if let Some(what) = differ(&expected, &outcome).or_else(|| world.parts_from(&model, &at)) {
                return parted(steps, format!("{action}: {what}"));
            }
        }
        Some(liveness::how_it_ends(&model, &at, steps))
    }

    /// How the world's view differs from the model's `state`.
    fn parts_from(&self, model: &Rollcall, state: &State) -> Option<String> {
        let seen = model.cluster(state);
        if self.shows(&seen) {
            return None;
        }
        let all = differences(&seen.view(), &self.view());
        Some(all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    }

    /// The guards of the model that the world also has.
    fn model_guards(&self) -> GuardSet {
        let dropped = Guard::ALL.iter().filter(|guard| {
            rollcall_impl::Guard::from_name(guard.name()).is_some_and(|ours| !self.guards.holds(ours))
        });
        dropped.fold(GuardSet::ALL, |guards, dropped| guards.and_without(*dropped))
    }
}

fn differ(expected: &Outcome, outcome: &Outcome) -> Option<String> {
    (expected != outcome).then(|| format!("{outcome} instead of {expected}"))
}
