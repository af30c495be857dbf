//! The seam between rules and engine: the model of a scope for stateright and for healing. No other
//! file outside `engine/` imports from the engine.

use rollcall_traces::{Action, Outcome, Scope};
use stateright::{Model, Property as Checked};

use crate::bounds::reach::Reach;
pub use crate::engine::checkpoint::{PartCounts, PartsError};
pub use crate::engine::memo::STORES;
pub use crate::engine::refusals::{ReadSet, RefusalCache};
pub use crate::engine::rollcall::{Offered, Rollcall};
pub use crate::engine::state::State;
pub use crate::engine::state_ref::StateRef;
pub use crate::engine::translation::Translation;
use crate::guard::GuardSet;
use crate::properties::Property;
use crate::semantics::Semantics;

/// The name of the property that is always true.
pub const EXPLORED: &str = "explored";

impl Model for Rollcall {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.first()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.offer(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.taken_within(state, &action)
    }

    /// The properties as `always`, the situations as `sometimes`, and one that is always true:
    /// stateright's checker stops when no property is left to discover.
    fn properties(&self) -> Vec<Checked<Self>> {
        let always = self.checked().iter().map(|property| {
            let at = Property::ALL.iter().position(|of| of == property).expect("one of all");
            Checked::always(property.name(), HOLDS[at])
        });
        let sometimes = self.reachable().iter().map(|reach| {
            let at = Reach::ALL.iter().position(|of| of == reach).expect("one of all");
            Checked::sometimes(reach.name(), SHOWS[at])
        });
        always.chain(sometimes).chain([Checked::always(EXPLORED, |_, _| true)]).collect()
    }
}

impl Semantics for Rollcall {
    type State = State;
    type ClusterRef<'s> = StateRef<'s>;

    fn scope(&self) -> &Scope {
        self.scope()
    }

    fn guards(&self) -> GuardSet {
        self.guards()
    }

    fn cluster<'s>(&'s self, state: &'s State) -> StateRef<'s> {
        self.cluster(state)
    }

    fn step(&self, state: &State, action: &Action) -> (State, Outcome) {
        self.step(state, action)
    }

    fn at_rest(&self, state: &State) -> State {
        self.at_rest(state)
    }
}

/// stateright takes a function without captures, so each property has its own.
type Condition = fn(&Rollcall, &State) -> bool;

fn holds<const AT: usize>(model: &Rollcall, state: &State) -> bool {
    model.holds(Property::ALL[AT], state)
}

fn shows<const AT: usize>(model: &Rollcall, state: &State) -> bool {
    Reach::ALL[AT].holds(model.cluster(state))
}

/// `f::<0>`, `f::<1>` and so on: sixteen for each digit.
macro_rules! by_place {
    ($f:ident: $($sixteens:literal)+) => {
        [$(
            $f::<{ $sixteens * 16 }>, $f::<{ $sixteens * 16 + 1 }>, $f::<{ $sixteens * 16 + 2 }>,
            $f::<{ $sixteens * 16 + 3 }>, $f::<{ $sixteens * 16 + 4 }>, $f::<{ $sixteens * 16 + 5 }>,
            $f::<{ $sixteens * 16 + 6 }>, $f::<{ $sixteens * 16 + 7 }>, $f::<{ $sixteens * 16 + 8 }>,
            $f::<{ $sixteens * 16 + 9 }>, $f::<{ $sixteens * 16 + 10 }>, $f::<{ $sixteens * 16 + 11 }>,
            $f::<{ $sixteens * 16 + 12 }>, $f::<{ $sixteens * 16 + 13 }>, $f::<{ $sixteens * 16 + 14 }>,
            $f::<{ $sixteens * 16 + 15 }>,
        )+]
    };
}

const HOLDS: [Condition; 48] = by_place!(holds: 0 1 2);
const SHOWS: [Condition; 144] = by_place!(shows: 0 1 2 3 4 5 6 7 8);
const _: () = assert!(Property::ALL.len() <= HOLDS.len() && Reach::ALL.len() <= SHOWS.len());
