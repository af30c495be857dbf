//! The second column: the same actions by other rules, or on the implementation, up to the
//! first step where the two part.

use rollcall_impl::Lacking;
use rollcall_traces::{Difference, Outcome, Subject as _, View, differences};
use serde::Serialize;

use super::Steps;
use super::shown::{Link, ServerState};
use crate::world::World;

/// Where the two columns part.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Parted {
    step: usize,
    words: String,
    here: String,
    there: String,
    differences: Vec<Difference>,
}

/// The second column.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Beside {
    name: String,
    at: usize,
    view: View,
    broken: Vec<String>,
    parted: Option<Parted>,
    compared: usize,
}

impl ServerState {
    /// The same actions beside.
    pub(super) fn beside(&self, link: &Link) -> Result<Beside, String> {
        let (mut steps, _) = self.steps(link)?;
        steps.back_to(link.at.unwrap_or(steps.len()).min(steps.len()));
        match link.side.as_str() {
            "impl" => self.implementation(link, &steps),
            "model" | "" => self.other_rules(link, &steps),
            other => Err(format!("there is no second column `{other}`; it is `model` or `impl`")),
        }
    }

    fn other_rules(&self, link: &Link, steps: &Steps) -> Result<Beside, String> {
        let mut other = Steps::on(self.model(&link.scope, &link.other)?);
        let parted = first_difference(steps, other.view(), |number| {
            let (action, _) = steps.step(number).expect("it was taken");
            let outcome = other.take(action).clone();
            (outcome, other.view())
        });
        let name = match link.other.as_str() {
            "" => "every guard on".to_string(),
            without => format!("without {without}"),
        };
        let broken = other.violations(other.len());
        Ok(Beside {
            name,
            at: other.len(),
            view: other.view(),
            broken: broken.iter().map(ToString::to_string).collect(),
            compared: other.len() - usize::from(parted.is_some()),
            parted,
        })
    }

    fn implementation(&self, link: &Link, steps: &Steps) -> Result<Beside, String> {
        let names = link.without.split(',').filter(|name| !name.is_empty());
        let lacking: Vec<rollcall_impl::Guard> = names.filter_map(rollcall_impl::Guard::from_name).collect();
        let mut world = World::new(Lacking(&lacking));
        world.reset(steps.model().scope()).map_err(|error| error.to_string())?;
        let mut taken = 0;
        let parted = first_difference(steps, world.view(), |number| {
            let (action, _) = steps.step(number).expect("it was taken");
            taken = number;
            let outcome = world.apply(action);
            (outcome, world.view())
        });
        Ok(Beside {
            name: "raft-rs".into(),
            at: taken,
            view: world.view(),
            broken: Vec::new(),
            compared: taken - usize::from(parted.is_some()),
            parted,
        })
    }
}

/// Takes the steps on the other side, too, as far as both are the same.
fn first_difference(
    steps: &Steps,
    first: View,
    mut take: impl FnMut(usize) -> (Outcome, View),
) -> Option<Parted> {
    let begin = differences(&steps.view_behind(0), &first);
    if !begin.is_empty() {
        let (words, here, there) = ("in the first state".into(), String::new(), String::new());
        return Some(Parted { step: 0, words, here, there, differences: begin });
    }
    (1..=steps.len()).find_map(|step| {
        let (action, outcome) = steps.step(step).expect("it was taken");
        let (other, view) = take(step);
        let found = differences(&steps.view_behind(step), &view);
        if found.is_empty() && other == *outcome {
            return None;
        }
        let (words, here, there) = (action.to_string(), outcome.to_string(), other.to_string());
        Some(Parted { step, words, here, there, differences: found })
    })
}
