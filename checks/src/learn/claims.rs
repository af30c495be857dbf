//! What a lesson claims, and how it is measured.

use std::sync::atomic::AtomicBool;

use rollcall_model::liveness::Goal;
use rollcall_model::properties::Property;
use rollcall_model::{EXPLORED, GuardSet, scopes};
use serde::Deserialize;

use super::Language;
use super::exercise::guards;
use crate::explorer::{self, Options};
use crate::recover;

/// A claim about a scope, with all guards or without some.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// By what the prose calls it.
    pub id: String,
    /// The scope.
    pub scope: String,
    /// The guards that are dropped.
    #[serde(default)]
    pub without: Vec<String>,
    /// The property that is violated, or the goal that is missed; nothing where all of the
    /// scope's properties hold and every state heals.
    #[serde(default)]
    pub breaks: Option<String>,
    /// The steps of the shortest way there.
    #[serde(default)]
    pub steps: Option<u64>,
    /// The distinct states of the scope.
    #[serde(default)]
    pub states: Option<u64>,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The steps of the shortest way into what is broken; `None` where nothing is.
    pub steps: Option<u64>,
    /// The distinct states, where all were looked at.
    pub states: Option<u64>,
}

impl Claim {
    /// The figure that the prose calls so.
    pub(super) fn figure(&self, name: &str) -> Option<u64> {
        match name {
            "steps" => self.steps,
            "states" => self.states,
            _ => None,
        }
    }

    /// The claim in a line.
    pub fn words(&self, language: Language) -> String {
        let number = |figure: Option<u64>| figure.map(crate::numbers::grouped).unwrap_or_default();
        let (steps, states) = (number(self.steps), number(self.states));
        let without = self.without.join(", ");
        let (scope, breaks) = (&self.scope, self.breaks.as_deref().unwrap_or_default());
        match (language, self.breaks.is_some()) {
            (Language::English, true) => {
                format!("{scope} without {without}: {breaks} breaks, {steps} steps at the least")
            }
            (Language::English, false) => {
                format!("{scope} with every guard: {states} states, and all of it holds")
            }
            (Language::Chinese, true) => format!("{scope}，关掉 {without}：{breaks} 被破坏，最短 {steps} 步"),
            (Language::Chinese, false) => format!("{scope}，guard 全开：共 {states} 个状态，全部成立"),
        }
    }

    /// Measures it.
    ///
    /// # Errors
    /// Where it names what there is not, or claims that all holds and something does not.
    pub fn measure(&self) -> Result<Measured, String> {
        let guards = guards(&self.without)?;
        match self.breaks.as_deref() {
            None => self.all_holds(guards),
            Some(name) => match (Property::from_name(name), Goal::from_name(name)) {
                (Some(property), _) => self.first_violation(guards, property),
                (None, Some(goal)) => self.first_stuck(guards, goal),
                (None, None) => Err(format!("there is no property or goal `{name}`")),
            },
        }
    }

    fn scope_plan(&self) -> Result<scopes::ScopePlan, String> {
        scopes::named(&self.scope).ok_or_else(|| format!("there is no scope `{}`", self.scope))
    }

    fn all_holds(&self, guards: GuardSet) -> Result<Measured, String> {
        let model = self.scope_plan()?.model(guards).map_err(|error| error.to_string())?;
        let explored =
            explorer::explore(&model, &options(false), |_, _| 0).map_err(|error| error.to_string())?;
        if let Some(verdict) = explored.violations().next() {
            return Err(format!("{} is violated", verdict.property));
        }
        let recovery = recover::recover(&model, &explored, 1, &AtomicBool::new(false));
        match recovery.stuck {
            Some(stuck) => Err(format!("state {} does not heal: {stuck}", stuck.state)),
            None => Ok(Measured { steps: None, states: Some(explored.distinct()) }),
        }
    }

    fn first_violation(&self, guards: GuardSet, property: Property) -> Result<Measured, String> {
        let plan =
            scopes::ScopePlan { properties: vec![property], reachable: Vec::new(), ..self.scope_plan()? };
        let model = plan.model(guards).map_err(|error| error.to_string())?;
        let explored =
            explorer::explore(&model, &options(true), |_, _| 0).map_err(|error| error.to_string())?;
        let mut found = explored.violations().filter(|verdict| verdict.property != EXPLORED);
        let first = found.find_map(|verdict| verdict.first);
        Ok(Measured {
            steps: first.map(|state| explored.trace(&model, state).steps.len() as u64),
            states: None,
        })
    }

    fn first_stuck(&self, guards: GuardSet, goal: Goal) -> Result<Measured, String> {
        let plan = scopes::ScopePlan { properties: Vec::new(), reachable: Vec::new(), ..self.scope_plan()? };
        let model = plan.model(guards).map_err(|error| error.to_string())?;
        let explored =
            explorer::explore(&model, &options(false), |_, _| 0).map_err(|error| error.to_string())?;
        let stuck = recover::first_that_misses(&model, &explored, goal, &AtomicBool::new(false));
        let steps = stuck.map(|stuck| explored.trace(&model, stuck.state).steps.len() as u64);
        Ok(Measured { steps, states: Some(explored.distinct()) })
    }
}

fn options(stop_at_first_violation: bool) -> Options<'static> {
    Options { stop_at_first_violation, keep_edges: false, ..Options::default() }
}
