//! A condition on the state after a schedule. It decides which guess is right, and whether an
//! exercise is solved.

use std::collections::BTreeMap;
use std::fmt;

use rollcall_model::Reach;
use rollcall_traces::{Language, Outcome};
use serde::Deserialize;
use serde_json::Value;

use crate::explore::Steps;

/// Why a condition does not hold, in both languages; a sentence without its full stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmet {
    english: String,
    chinese: String,
    is_final: bool,
}

impl Unmet {
    pub(super) fn new(english: impl Into<String>, chinese: impl Into<String>) -> Self {
        Self { english: english.into(), chinese: chinese.into(), is_final: false }
    }

    /// The same where no further step can help.
    pub(super) fn for_good(english: impl Into<String>, chinese: impl Into<String>) -> Self {
        Self { is_final: true, ..Self::new(english, chinese) }
    }

    /// Whether no further step can help.
    pub fn is_final(&self) -> bool {
        self.is_final
    }

    /// It in this language.
    pub fn words(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::Chinese => &self.chinese,
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

/// An error in a lesson's files: an unknown scope or name.
impl From<String> for Unmet {
    fn from(words: String) -> Self {
        Self::for_good(words.clone(), words)
    }
}

/// Everything that must hold after the last step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Condition {
    /// This property is violated.
    pub violates: Option<String>,
    /// No property is violated.
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
    /// Parts of the view, by their JSON pointers; `null` means absent.
    pub view: BTreeMap<String, Value>,
}

impl Condition {
    /// Checks that it holds after the last step.
    ///
    /// # Errors
    /// What does not hold.
    pub fn holds(&self, steps: &Steps) -> Result<(), Unmet> {
        if let Some(property) = &self.violates {
            let violations = steps.violations(steps.len());
            if !violations.iter().any(|violation| violation.property.name() == property) {
                return Err(Unmet::new(format!("{property} holds there"), format!("{property} 在那里成立")));
            }
        }
        if self.sound
            && let Some(violation) = steps.violations(steps.len()).first()
        {
            return Err({
                let name = violation.property.name();
                Unmet::new(format!("{name} is violated there"), format!("{name} 在那里被违反"))
            });
        }
        let reason = match steps.outcome() {
            Some(Outcome::Refused(reason)) => Some(reason.to_string()),
            _ => None,
        };
        match (&self.refused, &reason) {
            (Some(asked), None) => {
                return Err(Unmet::new(
                    format!("the last step is done, and not refused for {asked}"),
                    format!("最后一步完成了，没有因 {asked} 被拒绝"),
                ));
            }
            (Some(asked), Some(reason)) if asked != reason => {
                return Err(Unmet::new(
                    format!("the last step is refused for {reason}, not for {asked}"),
                    format!("最后一步因 {reason} 被拒绝，而不是 {asked}"),
                ));
            }
            (None, Some(reason)) if self.done => {
                return Err(Unmet::new(
                    format!("the last step is refused: {reason}"),
                    format!("最后一步被拒绝：{reason}"),
                ));
            }
            _ => {}
        }
        if let Some(name) = &self.reaches {
            let reach = Reach::from_name(name)
                .ok_or_else(|| Unmet::from(format!("there is no situation `{name}`")))?;
            if !reach.holds(steps.model().cluster(steps.state())) {
                return Err(Unmet::new(
                    format!("the situation `{name}` is not reached"),
                    format!("还没有到达“{name}”"),
                ));
            }
        }
        if !self.view.is_empty() {
            self.view_holds(&serde_json::to_value(steps.view()).expect("a view becomes JSON"))?;
        }
        self.ends(steps)
    }

    fn view_holds(&self, view: &Value) -> Result<(), Unmet> {
        for (pointer, asked) in &self.view {
            let found = view.pointer(pointer).unwrap_or(&Value::Null);
            if found != asked {
                return Err(Unmet::new(
                    format!("{pointer} is {found} there, not {asked}"),
                    format!("{pointer} 在那里是 {found}，不是 {asked}"),
                ));
            }
        }
        Ok(())
    }

    fn ends(&self, steps: &Steps) -> Result<(), Unmet> {
        if self.misses.is_none() && !self.heals {
            return Ok(());
        }
        let missed = steps.healed().missed;
        if let Some(goal) = &self.misses
            && !missed.iter().any(|missed| missed.starts_with(goal.as_str()))
        {
            return Err(Unmet::new(
                format!("once faults stop {goal} is met from there"),
                format!("故障停止之后，从那里能达到 {goal}"),
            ));
        }
        match missed.first() {
            Some(missed) if self.heals => Err(Unmet::new(
                format!("it does not heal from there: {missed}"),
                format!("从那里无法恢复：{missed}"),
            )),
            _ => Ok(()),
        }
    }
}
