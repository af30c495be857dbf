//! What a lesson claims about a scope. A test measures the figures.

use serde::Deserialize;

use super::{Language, Sends};

/// A claim about a scope, with all guards or without some.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The name by which the prose refers to it.
    pub id: String,
    /// The scope.
    pub scope: String,
    /// The guards that are dropped.
    #[serde(default)]
    pub without: Vec<String>,
    /// The violated property or the missed goal; `None` if all of the scope's properties hold and
    /// every state heals.
    #[serde(default)]
    pub breaks: Option<String>,
    /// The length of the shortest trace to it.
    #[serde(default)]
    pub steps: Option<u64>,
    /// The distinct states of the scope.
    #[serde(default)]
    pub states: Option<u64>,
    /// The message whose ways are counted instead of the scope's states.
    #[serde(default)]
    pub sends: Option<Sends>,
    /// The ways in which its messages arrive or are lost.
    #[serde(default)]
    pub schedules: Option<u64>,
    /// Those of them that miss the goal.
    #[serde(default)]
    pub stuck: Option<u64>,
}

impl Claim {
    /// The figure that the prose refers to by this name.
    pub(super) fn figure(&self, name: &str) -> Option<u64> {
        match name {
            "steps" => self.steps,
            "states" => self.states,
            "schedules" => self.schedules,
            "stuck" => self.stuck,
            _ => None,
        }
    }

    /// The claim in one line.
    pub fn words(&self, language: Language) -> String {
        let number = |figure: Option<u64>| figure.map(crate::numbers::grouped).unwrap_or_default();
        let (steps, states) = (number(self.steps), number(self.states));
        let without = self.without.join(", ");
        let (scope, breaks) = (&self.scope, self.breaks.as_deref().unwrap_or_default());
        if let Some(sends) = &self.sends {
            let (times, all, stuck) = (sends.times, number(self.schedules), number(self.stuck));
            return match language {
                Language::English => {
                    let (times, miss) = match (times, self.stuck) {
                        (1, _) => ("once".into(), "misses"),
                        (_, Some(1)) => (format!("{times} times"), "misses"),
                        _ => (format!("{times} times"), "miss"),
                    };
                    format!(
                        "{scope} without {without}: the commit is sent {times}, each arrives or is lost, and {stuck} of the {all} ways {miss} {breaks}"
                    )
                }
                Language::Chinese => format!(
                    "{scope}，关掉 {without}：commit 发 {times} 次，每次或到或丢，{all} 种里有 {stuck} 种达不到 {breaks}"
                ),
            };
        }
        // The scope's first state breaks it, or does not heal.
        let is_at_once = self.steps == Some(0);
        match (language, self.breaks.is_some()) {
            (Language::English, true) if is_at_once => {
                format!("{scope} without {without}: {breaks} breaks from the first state on")
            }
            (Language::Chinese, true) if is_at_once => {
                format!("{scope}，关掉 {without}：{breaks} 从第一个状态起就被破坏")
            }
            (Language::English, true) => {
                let unit = if self.steps == Some(1) { "step" } else { "steps" };
                format!("{scope} without {without}: {breaks} breaks, {steps} {unit} at the least")
            }
            (Language::English, false) => {
                format!("{scope} with every guard: {states} states, and all of it holds")
            }
            (Language::Chinese, true) => format!("{scope}，关掉 {without}：{breaks} 被破坏，最短 {steps} 步"),
            (Language::Chinese, false) => format!("{scope}，guard 全开：共 {states} 个状态，全部成立"),
        }
    }
}
