//! Searches the shortest path from this state into a violation, or into a state that does not heal:
//! breadth first, within the scope's budgets and a bound on states.

use std::collections::HashSet;

use rollcall_model::liveness::Goal;
use rollcall_model::properties::Property;
use rollcall_model::{ClusterInScope as _, Rollcall, State};
use rollcall_traces::Action;
use serde::Serialize;

use super::name_of;
use super::shown::{Link, ServerState};
use crate::lookup::{self, Owed};
use crate::recover::OneByOne;

/// The default and the greatest bound on the states of a search.
const STATES: usize = 20_000;
const MOST_STATES: usize = 200_000;

/// The result of a search.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Nearest {
    /// The steps from this state; empty if nothing was found.
    way: Vec<String>,
    /// The property that is violated at the end and not here, or the goal that is missed.
    property: &'static str,
    /// The number of states searched.
    states: usize,
    /// Whether the search was complete, so that no result means no violation.
    all: bool,
}

/// A state, the step that led to it, and the index of the state before.
struct Met {
    state: State,
    from: usize,
    action: Option<Action>,
}

impl ServerState {
    /// Searches from the link's state.
    pub(super) fn nearest(&self, link: &Link) -> Result<Nearest, String> {
        let (mut steps, _) = self.steps(link)?;
        steps.back_to(link.at.unwrap_or(steps.len()).min(steps.len()));
        let states = link.states.unwrap_or(STATES).clamp(1, MOST_STATES);
        let sought = match link.property.as_str() {
            "" => None,
            name => Some(lookup::owed(name).map_err(|error| error.to_string())?),
        };
        Ok(search(steps.model(), steps.state(), states, sought))
    }
}

/// Searches for a violation of `sought`, or of any property or goal.
fn search(model: &Rollcall, begin: &State, states: usize, sought: Option<Owed>) -> Nearest {
    let mut healing = OneByOne::new();
    let (here, missed_here) = (violated(model, begin), healing.missed(model, begin));
    let mut met = vec![Met { state: *begin, from: 0, action: None }];
    let mut known: HashSet<State> = [*begin].into();
    let (mut at, mut found, mut all) = (0, None, true);
    while at < met.len() && found.is_none() {
        let state = met[at].state;
        model.expand(&state, |_, action, after| {
            if found.is_some() || known.contains(&after) {
                return;
            }
            if known.len() >= states {
                all = false;
                return;
            }
            known.insert(after);
            met.push(Met { state: after, from: at, action: Some(action.clone()) });
            let is_sought = |owed| sought.is_none_or(|sought| sought == owed);
            let is_new =
                |property: &Property| is_sought(Owed::Property(*property)) && !here.contains(property);
            let broken = violated(model, &after).into_iter().find(is_new).map(Property::name);
            let new = broken.or_else(|| match sought {
                Some(Owed::Property(_)) => None,
                _ => healing
                    .missed(model, &after)
                    .filter(|goal| is_sought(Owed::Goal(*goal)) && missed_here != Some(*goal))
                    .map(Goal::name),
            });
            found = new.map(|property| (met.len() - 1, property));
        });
        at += 1;
    }
    let Some((end, property)) = found else {
        return Nearest { way: Vec::new(), property: "", states: known.len(), all };
    };
    let (mut way, mut at) = (Vec::new(), end);
    while let Some(action) = &met[at].action {
        way.push(name_of(action));
        at = met[at].from;
    }
    way.reverse();
    Nearest { way, property, states: known.len(), all: false }
}

fn violated(model: &Rollcall, state: &State) -> Vec<Property> {
    let seen = model.cluster(state);
    let broken = |property: &&Property| property.check(&seen, seen.history()).is_err();
    model.checked().iter().filter(broken).copied().collect()
}
