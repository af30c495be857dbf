//! The second column: the same actions by other rules or on the implementation, up to the first
//! step at which the two differ.

use rollcall_impl::Lacking;
use rollcall_traces::{
    Action, DifferenceWords, Language, Outcome, Subject as _, View, difference_in, differences,
};
use serde::Serialize;

use super::shown::{Link, ServerState};
use super::{Steps, still};
use crate::world::World;

/// Where the two columns differ.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Parted {
    step: usize,
    words: String,
    here: String,
    there: String,
    differences: Vec<DifferenceWords>,
}

/// The second column.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Beside {
    side: &'static str,
    /// The guards that it lacks.
    without: Vec<String>,
    /// The guards that the first column drops and this side does not know.
    unknown: Vec<String>,
    at: usize,
    view: View,
    broken: Vec<String>,
    parted: Option<Parted>,
    compared: usize,
}

impl ServerState {
    /// The second column for a link.
    pub(super) fn beside(&self, link: &Link) -> Result<Beside, String> {
        let (mut steps, _) = self.steps(link)?;
        steps.back_to(link.at.unwrap_or(steps.len()).min(steps.len()));
        match link.side.as_str() {
            "impl" => self.implementation(link, &steps, &link.without),
            "sound" => self.implementation(link, &steps, ""),
            "model" | "" => self.other_rules(link, &steps),
            other => Err(format!("there is no second column `{other}`; it is `model`, `impl` or `sound`")),
        }
    }

    fn other_rules(&self, link: &Link, steps: &Steps) -> Result<Beside, String> {
        let mut other = Steps::on(self.model(&link.scope, &link.other)?);
        let parted = first_difference(link.language(), steps, other.view(), |number| {
            let (action, _) = steps.step(number).expect("it was taken");
            let outcome = other.take(action).clone();
            (outcome, other.view())
        });
        let broken = other.violations(other.len());
        Ok(Beside {
            side: "model",
            without: named(&link.other),
            unknown: Vec::new(),
            at: other.len(),
            view: other.view(),
            broken: broken.iter().map(ToString::to_string).collect(),
            compared: other.len() - usize::from(parted.is_some()),
            parted,
        })
    }

    /// The implementation without the guards that the first column drops, or with all.
    fn implementation(&self, link: &Link, steps: &Steps, without: &str) -> Result<Beside, String> {
        let is_known = |name: &String| rollcall_impl::Guard::from_name(name).is_some();
        let (without, unknown): (Vec<String>, Vec<String>) = named(without).into_iter().partition(is_known);
        let lacking: Vec<rollcall_impl::Guard> =
            without.iter().filter_map(|name| rollcall_impl::Guard::from_name(name)).collect();
        let mut world = World::new(Lacking(&lacking));
        world.reset(steps.model().scope()).map_err(|error| error.to_string())?;
        let mut taken = 0;
        let parted = first_difference(link.language(), steps, world.view(), |number| {
            let (action, _) = steps.step(number).expect("it was taken");
            taken = number;
            let outcome = world.apply(action);
            (outcome, world.view())
        });
        Ok(Beside {
            side: "impl",
            without,
            unknown,
            at: taken,
            view: world.view(),
            broken: Vec::new(),
            compared: taken - usize::from(parted.is_some()),
            parted,
        })
    }
}

fn named(without: &str) -> Vec<String> {
    without.split(',').filter(|name| !name.is_empty()).map(ToString::to_string).collect()
}

/// Takes the steps on the other side, up to the first difference.
fn first_difference(
    language: Language,
    steps: &Steps,
    first: View,
    mut take: impl FnMut(usize) -> (Outcome, View),
) -> Option<Parted> {
    let rendered = |found: &[_]| found.iter().map(|one| difference_in(language, one)).collect();
    let begin = differences(&steps.view_behind(0), &first);
    if !begin.is_empty() {
        let words = match language {
            Language::English => "in the first state".into(),
            Language::Chinese => "在最初的状态".into(),
        };
        let (here, there) = (String::new(), String::new());
        return Some(Parted { step: 0, words, here, there, differences: rendered(&begin) });
    }
    (1..=steps.len()).find_map(|step| {
        let (action, outcome): (&Action, _) = steps.step(step).expect("it was taken");
        let (other, view) = take(step);
        let found = differences(&steps.view_behind(step), &view);
        if found.is_empty() && other == *outcome {
            return None;
        }
        let words = language.of(action);
        let (here, there) = (outcome_words(language, outcome), outcome_words(language, &other));
        Some(Parted { step, words, here, there, differences: rendered(&found) })
    })
}

/// The outcome, and what the reason of a refusal means.
fn outcome_words(language: Language, outcome: &Outcome) -> String {
    match still::meaning(language, outcome) {
        Some(meaning) => format!("{} ({})", language.of(outcome), meaning.trim_end_matches(['.', '。'])),
        None => language.of(outcome),
    }
}
