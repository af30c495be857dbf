//! The disabled actions of a state, and why each is refused.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_model::{Guard, Rollcall, State};
use rollcall_traces::{Action, Outcome, Reason};
use serde::Serialize;

use super::shown::{Link, ServerState, refusal, region_of};
use super::{name_of, still};
use crate::places;

/// A disabled action.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NotNext {
    name: String,
    words: String,
    region: u64,
    store: u64,
    reason: String,
    meaning: String,
    /// The guards without which the first action with this reason would not be refused.
    guards: Vec<String>,
}

/// Why an action is refused, and without which guards it would not be.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Why {
    words: String,
    outcome: String,
    meaning: String,
    guards: Vec<String>,
    places: Vec<String>,
}

impl ServerState {
    /// The actions of the scope that the rules refuse here. A separate request returns them: a
    /// state has hundreds, and most readers do not need them.
    pub(super) fn refused(&self, link: &Link) -> Result<Vec<NotNext>, String> {
        let (mut steps, _) = self.steps(link)?;
        steps.back_to(link.at.unwrap_or(steps.len()).min(steps.len()));
        let (language, mut met) = (link.language(), BTreeSet::new());
        let mut decided: BTreeMap<Reason, Vec<String>> = BTreeMap::new();
        let refused = |(action, reason): (Action, Reason)| {
            let name = name_of(&action);
            let guards = decided.entry(reason);
            let guards = guards.or_insert_with(|| deciding(steps.model(), steps.state(), &action)).clone();
            met.insert(name.clone()).then(|| NotNext {
                guards,
                name,
                words: language.of(&action),
                region: region_of(&action),
                store: action.stores().first().copied().unwrap_or(0),
                reason: reason.to_string(),
                meaning: still::meaning(language, &Outcome::Refused(reason)).unwrap_or_default(),
            })
        };
        Ok(steps.model().disabled(steps.state()).into_iter().filter_map(refused).collect())
    }

    /// Why the action is refused here.
    pub(super) fn why(&self, link: &Link) -> Result<Why, String> {
        let (mut steps, _) = self.steps(link)?;
        steps.back_to(link.at.unwrap_or(steps.len()).min(steps.len()));
        let action = super::action_of(&link.action)?;
        let (model, state) = (steps.model(), *steps.state());
        let outcome = model.step(&state, &action).1;
        let Outcome::Refused(reason) = outcome.clone() else {
            let (words, outcome) = (link.language().of(&action), link.language().of(&outcome));
            let (guards, places) = (Vec::new(), Vec::new());
            return Ok(Why { words, outcome, meaning: String::new(), guards, places });
        };
        let guards = deciding(model, &state, &action);
        Ok(Why {
            words: link.language().of(&action),
            outcome: reason.to_string(),
            meaning: refusal(link.language(), &action, reason, &steps.view()),
            guards,
            places: places::of_action(&action).iter().map(ToString::to_string).collect(),
        })
    }
}

/// The guards without each of which the action would be taken.
fn deciding(model: &Rollcall, state: &State, action: &Action) -> Vec<String> {
    let model = model.forgetful();
    let decides = |guard: &&Guard| {
        model.guards().holds(**guard)
            && model.with_guards(model.guards().and_without(**guard)).step(state, action).1.is_done()
    };
    Guard::ALL.iter().filter(decides).map(|guard| guard.name().to_string()).collect()
}
