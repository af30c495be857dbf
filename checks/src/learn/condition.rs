//! What is asked of a state that a schedule leads to: what makes a guess right, and what an
//! exercise wants.

use std::collections::BTreeMap;

use rollcall_model::Reach;
use rollcall_traces::Outcome;
use serde::Deserialize;
use serde_json::Value;

use crate::explore::Steps;

/// All of this must be so behind the last step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Condition {
    /// This property is violated.
    pub violates: Option<String>,
    /// Nothing is violated.
    pub sound: bool,
    /// This goal is missed once faults stop.
    pub misses: Option<String>,
    /// Every goal that is owed is met once faults stop.
    pub heals: bool,
    /// The last step is refused, for this reason.
    pub refused: Option<String>,
    /// The last step is not refused.
    pub done: bool,
    /// A situation of `rollcall situations`.
    pub reaches: Option<String>,
    /// Parts of the view, by their JSON pointers; `null` is what is not there.
    pub view: BTreeMap<String, Value>,
}

impl Condition {
    /// Whether it holds behind the last step; otherwise what does not, in words.
    ///
    /// # Errors
    /// What is not so.
    pub fn holds(&self, steps: &Steps) -> Result<(), String> {
        if let Some(property) = &self.violates {
            let violations = steps.violations(steps.len());
            if !violations.iter().any(|violation| violation.property.name() == property) {
                return Err(format!("{property} holds there"));
            }
        }
        if self.sound
            && let Some(violation) = steps.violations(steps.len()).first()
        {
            return Err(format!("{} is violated there", violation.property.name()));
        }
        let reason = match steps.outcome() {
            Some(Outcome::Refused(reason)) => Some(reason.to_string()),
            _ => None,
        };
        match (&self.refused, &reason) {
            (Some(asked), None) => return Err(format!("the last step is done, and not refused for {asked}")),
            (Some(asked), Some(reason)) if asked != reason => {
                return Err(format!("the last step is refused for {reason}, not for {asked}"));
            }
            (None, Some(reason)) if self.done => return Err(format!("the last step is refused: {reason}")),
            _ => {}
        }
        if let Some(name) = &self.reaches {
            let reach = Reach::from_name(name).ok_or_else(|| format!("there is no situation `{name}`"))?;
            if !reach.holds(steps.model().cluster(steps.state())) {
                return Err(format!("the situation `{name}` is not reached"));
            }
        }
        if !self.view.is_empty() {
            self.view_holds(&serde_json::to_value(steps.view()).expect("a view becomes JSON"))?;
        }
        self.ends(steps)
    }

    fn view_holds(&self, view: &Value) -> Result<(), String> {
        for (pointer, asked) in &self.view {
            let found = view.pointer(pointer).unwrap_or(&Value::Null);
            if found != asked {
                return Err(format!("{pointer} is {found} there, not {asked}"));
            }
        }
        Ok(())
    }

    fn ends(&self, steps: &Steps) -> Result<(), String> {
        if self.misses.is_none() && !self.heals {
            return Ok(());
        }
        let missed = steps.healed().missed;
        if let Some(goal) = &self.misses
            && !missed.iter().any(|missed| missed.starts_with(goal.as_str()))
        {
            return Err(format!("once faults stop {goal} is met from there"));
        }
        match missed.first() {
            Some(missed) if self.heals => Err(format!("it does not heal from there: {missed}")),
            _ => Ok(()),
        }
    }
}
