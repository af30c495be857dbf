//! A message that is sent again and again, each time lost or not: in how many of the ways does it
//! help nobody?

use rollcall_traces::{Action, Outcome};
use serde::Deserialize;

use super::Lesson;
use crate::explore::{Steps, action_of};

/// A message that is sent so many times behind a part of the lesson's schedule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sends {
    /// The number of steps of the lesson's schedule before the first.
    pub behind: usize,
    /// The sending, by name: a `hold`. What is under way when healing starts is lost.
    pub message: String,
    /// How many times.
    pub times: u32,
    /// The step after the last, by name.
    pub then: String,
}

/// What became of all ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The ways in which the messages arrive or are lost.
    pub schedules: u64,
    /// Those after which the goal is missed.
    pub stuck: u64,
}

impl Sends {
    /// Takes every way and heals its end.
    ///
    /// # Errors
    /// If a step is refused.
    pub fn count(&self, lesson: &Lesson, goal: &str) -> Result<Counted, String> {
        let (first, actions) = lesson.steps()?;
        let (message, then) = (action_of(&self.message)?, action_of(&self.then)?);
        let mut steps = Steps::on(first.model().clone());
        actions.iter().take(self.behind).try_for_each(|action| taken(&mut steps, action))?;
        let mut counted = Counted { schedules: 0, stuck: 0 };
        for arrives in 0..1_u64 << self.times {
            steps.back_to(self.behind);
            for time in 0..self.times {
                taken(&mut steps, &message)?;
                if arrives >> time & 1 == 1 {
                    let slot = steps.view().held.len() - 1;
                    taken(&mut steps, &Action::Late { slot })?;
                }
            }
            taken(&mut steps, &then)?;
            let missed = steps.healed().missed;
            counted.schedules += 1;
            counted.stuck += u64::from(missed.iter().any(|missed| missed.starts_with(goal)));
        }
        Ok(counted)
    }
}

fn taken(steps: &mut Steps, action: &Action) -> Result<(), String> {
    match *steps.take(action) {
        Outcome::Refused(reason) => Err(format!("step {} is refused: {reason}", steps.len())),
        Outcome::Done(_) => Ok(()),
    }
}
