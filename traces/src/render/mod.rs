//! Traces for people: a step list for a terminal, and a mermaid sequence diagram.
//!
//! Both say in words what each step changed. Neither shows a whole view. Without views, as in a
//! scenario, they show only the actions.

mod about;
mod changes;
mod columns;
mod mermaid;
mod pd;
mod run;
mod terminal;

pub use about::about_in;
pub use changes::{changes, changes_in};
pub use mermaid::mermaid;
pub use run::run;
pub use terminal::{terminal, terminal_in};

use crate::action::Action;
use crate::file::{Header, Step, Trace, Verdict, VerdictResult};
use crate::view::View;
use crate::words::{Language, joined};

/// Each step, with the view before it if both views are known.
fn with_views(trace: &Trace) -> impl Iterator<Item = (&Step, Option<&View>)> {
    let before =
        std::iter::once(trace.header.view.as_ref()).chain(trace.steps.iter().map(|step| step.view.as_ref()));
    trace.steps.iter().zip(before)
}

/// The action in words, with the content of a late message.
fn action_words(action: &Action, before: Option<&View>) -> String {
    action_in(Language::English, action, before)
}

/// The same in another language.
pub fn action_in(language: Language, action: &Action, before: Option<&View>) -> String {
    let words = language.of(action);
    let Action::Late { slot } = action else { return words };
    match (before.and_then(|view| view.held.get(*slot)), language) {
        (Some(held), Language::English) => format!("{words}: {held}"),
        (Some(held), Language::Chinese) => format!("{words}：{}", language.of(held)),
        (None, _) => words,
    }
}

/// The outcome in words; empty for a scenario's step.
fn outcome_words(step: &Step) -> String {
    step.outcome.as_ref().map_or_else(String::new, |outcome| step.action.answered(outcome))
}

/// The title, or the scenario's name if it has none.
pub fn title(header: &Header) -> &str {
    if header.title.is_empty() { &header.scenario } else { &header.title }
}

/// The stores and regions in one line.
fn title_line(scope: &crate::scope::Scope) -> String {
    format!("stores {}; {}", joined(&scope.stores, " "), joined(&scope.regions, "; "))
}

/// What the letters after a peer mean, if there are any.
fn legend(text: &str) -> Option<&'static str> {
    let is_marked = |word: &str| {
        let word = word.trim_matches(|other: char| !other.is_alphanumeric());
        let rest = word.trim_end_matches(['L', 'I', 'D']);
        word.len() == rest.len() + 1 && rest.ends_with(|last: char| last.is_ascii_digit())
    };
    text.split([' ', '\n', ',', '(', ')', '[', ']', '<', '>']).any(is_marked).then_some(
        "2@3 is peer 2 on store 3; behind it L is a learner, I an incoming and D a demoting voter of a joint configuration",
    )
}

/// The verdict in words.
pub fn verdict_words(verdict: &Verdict) -> String {
    let at = match verdict.at {
        None => String::new(),
        Some(0) => " in the first state".into(),
        Some(at) => format!(" at step {at}"),
    };
    let property = verdict.property.as_deref().unwrap_or("a property");
    match verdict.result {
        VerdictResult::Holds => "holds".into(),
        VerdictResult::Violated => format!("{property} is violated{at}"),
        VerdictResult::Diverged => format!("the two sides differ{at}"),
    }
}
