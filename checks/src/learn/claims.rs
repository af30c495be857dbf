//! What a lesson claims about a scope. A test measures the figures.

use serde::Deserialize;

use super::Language;

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
}

impl Claim {
    /// The figure that the prose refers to by this name.
    pub(super) fn figure(&self, name: &str) -> Option<u64> {
        match name {
            "steps" => self.steps,
            "states" => self.states,
            _ => None,
        }
    }

    /// The claim in one line.
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
}
