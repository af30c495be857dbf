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
    /// The view before the last step of this side.
    before: Option<View>,
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
            before: other.len().checked_sub(1).map(|step| other.view_behind(step)),
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
        let (mut taken, mut before) = (0, None);
        let parted = first_difference(link.language(), steps, world.view(), |number| {
            let (action, _) = steps.step(number).expect("it was taken");
            (taken, before) = (number, Some(world.view()));
            let outcome = world.apply(action);
            (outcome, world.view())
        });
        Ok(Beside {
            side: "impl",
            without,
            unknown,
            at: taken,
            view: world.view(),
            before,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::server::{EXHIBITS, trace_of};

    /// The second column of an exhibit's first `at` steps.
    fn column(exhibit: &str, side: &str, at: usize) -> Beside {
        let state = ServerState::default();
        let (_, text) = EXHIBITS.iter().find(|(name, _)| *name == exhibit).expect("an exhibit");
        let taken = state.take_in(&trace_of(exhibit, text).expect("a trace"));
        let (actions, side) = (taken.actions.join(";"), side.into());
        let link = Link { scope: taken.scope, without: taken.without, actions, side, ..Link::default() };
        state.beside(&Link { at: Some(at), through: "1".into(), ..link }).expect("a column")
    }

    /// The page marks what the step changed in each column by that column's own state before.
    #[test]
    fn a_column_is_told_with_its_own_state_before_the_step() {
        for (side, at) in [("sound", 5), ("sound", 8), ("impl", 5), ("model", 5)] {
            let beside = column("commit_own_term", side, at);
            let before = beside.before.as_ref().expect("a step was taken");
            assert!(!differences(before, &beside.view).is_empty(), "{side}: step {at} changes it");
            let earlier = column("commit_own_term", side, at - 1);
            assert_eq!(*before, earlier.view, "{side}: the state behind step {}", at - 1);
        }
        assert_eq!(column("commit_own_term", "sound", 0).before, None, "no step was taken");
    }

    #[test]
    fn a_refused_step_changes_nothing_in_its_column() {
        for side in ["model", "sound"] {
            let beside = column("campaign_applies_first-election_safety", side, 10);
            assert_eq!(beside.parted.map(|parted| parted.step), Some(10), "{side}");
            assert_eq!(beside.before, Some(beside.view), "{side}");
        }
    }
}
