//! The shortest way from here into a state that violates something: the model's own
//! search, breadth first, within the scope's budgets and a bound of states.

use std::collections::HashSet;

use rollcall_model::properties::Property;
use rollcall_model::{ClusterInScope as _, Rollcall, State};
use rollcall_traces::Action;
use serde::Serialize;

use super::name_of;
use super::shown::{Link, ServerState};
use crate::lookup;

/// How many states a search looks at unless the link says otherwise, and at most.
const STATES: usize = 20_000;
const MOST_STATES: usize = 200_000;

/// What a search found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Nearest {
    /// The steps from here on; empty where nothing was found.
    way: Vec<String>,
    /// What is violated at its end, and not here.
    property: &'static str,
    /// How many states were looked at.
    states: usize,
    /// No state was left out: nothing was found because there is nothing.
    all: bool,
}

/// A state with the step that led to it, from the place of another.
struct Met {
    state: State,
    from: usize,
    action: Option<Action>,
}

impl ServerState {
    /// Searches from the state of the link on.
    pub(super) fn nearest(&self, link: &Link) -> Result<Nearest, String> {
        let (mut steps, _) = self.steps(link)?;
        steps.back_to(link.at.unwrap_or(steps.len()).min(steps.len()));
        let states = link.states.unwrap_or(STATES).clamp(1, MOST_STATES);
        let sought = match link.property.as_str() {
            "" => None,
            name => Some(lookup::property(name).map_err(|error| error.to_string())?),
        };
        Ok(search(steps.model(), steps.state(), states, sought))
    }
}

/// Searches for a violation of `sought`, or of any property.
fn search(model: &Rollcall, begin: &State, states: usize, sought: Option<Property>) -> Nearest {
    let here = violated(model, begin);
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
            let is_sought = |property: &Property| sought.is_none_or(|sought| sought == *property);
            let is_new = |property: &Property| is_sought(property) && !here.contains(property);
            let new = violated(model, &after).into_iter().find(is_new);
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
    Nearest { way, property: property.name(), states: known.len(), all: false }
}

fn violated(model: &Rollcall, state: &State) -> Vec<Property> {
    let seen = model.cluster(state);
    let broken = |property: &&Property| property.check(&seen, seen.history()).is_err();
    model.checked().iter().filter(broken).copied().collect()
}
