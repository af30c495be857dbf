//! `heal` and `replay --heal`: heals the last state of a file, on the model and on the
//! implementation.

use std::path::Path;

use rollcall_model::liveness::{self, Missed, StuckReason};
use rollcall_model::{GuardSet, ModelSubject};
use rollcall_traces::{Action, Healed, Reason, RegionId, Subject, Trace};

use crate::recover::Repeats;

/// The most refused actions that are listed for a goal.
const SHOWN: usize = 6;

/// The model's healing from the end of a file.
pub(super) struct Healing {
    /// The steps that it takes.
    steps: Vec<Action>,
    /// Whether it repeats for ever.
    endless: bool,
    /// The goals that are missed at its end.
    missed: Vec<Missed>,
    /// Why something is not owed.
    stuck_reasons: Vec<String>,
    /// The actions that would lead on, and why each is refused.
    refused: Vec<(Action, Reason)>,
}

impl Healing {
    /// Heals from the end of the trace, by these rules.
    ///
    /// # Errors
    /// If the trace cannot begin.
    pub(super) fn of(trace: &Trace, guards: GuardSet) -> anyhow::Result<Self> {
        let mut subject = ModelSubject::new(guards, &[]);
        subject.reset(&trace.header.scope)?;
        for action in trace.actions() {
            subject.apply(action);
        }
        let (model, state) = subject.current().expect("it was reset");
        let (mut at, mut steps) = (model.at_rest(state), Vec::new());
        let endless = loop {
            let Some(action) = liveness::next(model, &at) else { break false };
            if steps.len() as u64 == liveness::LONGEST {
                break true;
            }
            at = model.step(&at, &action).0;
            steps.push(action);
        };
        let because =
            |stuck_reason: StuckReason| format!("{stuck_reason} ({})", stuck_reason.because(model, &at));
        let stuck_reasons = liveness::stuck_reasons(model, &at).into_iter().map(because).collect();
        let (missed, refused) = (liveness::missed(model, &at), liveness::refused(model, &at));
        Ok(Self { steps, endless, missed, stuck_reasons, refused })
    }

    /// Whether every owed goal is reached.
    pub(super) fn is_good(&self) -> bool {
        !self.endless && self.missed.is_empty()
    }

    /// The missed goals, as sentences.
    pub(super) fn missed(&self) -> Vec<String> {
        self.missed.iter().map(ToString::to_string).collect()
    }

    /// The steps, one on each line. Repeating steps are printed once.
    pub(super) fn schedule(&self) -> String {
        let line = |(at, action): (usize, &Action)| format!("  {at:>4} {action}\n");
        let round = Repeats::of(&self.steps).filter(|_| self.endless).map(|found| found.round);
        let shown = round.as_ref().map_or(self.steps.len(), |round| round.end);
        let steps: String = (1..).zip(&self.steps[..shown]).map(line).collect();
        let more = round.map(|round| format!("       steps {} to {} repeat\n", round.start + 1, round.end));
        steps + &more.unwrap_or_default()
    }

    /// The result on both sides.
    pub(super) fn words(&self, file: &Path, implementation: &Side) -> String {
        let (file, steps) = (file.display(), self.steps.len());
        let mut text = match (self.endless, self.missed.is_empty(), self.stuck_reasons.is_empty()) {
            (true, _, _) => {
                format!("{file}: once faults stop it does not end within {} steps\n", liveness::LONGEST)
            }
            (_, false, _) => {
                format!("{file}: once faults stop it does not heal: it ends after {steps} steps\n")
            }
            (_, _, true) => {
                format!("{file}: once faults stop it heals in {steps} steps: every goal is met\n")
            }
            (_, _, false) => {
                format!("{file}: once faults stop it meets every goal that is owed, in {steps} steps\n")
            }
        };
        for missed in &self.missed {
            text += &format!("  missed: {missed}\n");
            text += &self.refusals(missed);
            text += &format!("    more: rollcall explain {}\n", missed.goal);
        }
        for stuck_reason in &self.stuck_reasons {
            text += &format!("  not owed: {stuck_reason}\n");
        }
        text + &implementation.words(self)
    }

    /// The refused actions in the goal's region.
    fn refusals(&self, missed: &Missed) -> String {
        let about = |(action, reason): &&(Action, Reason)| {
            !is_nothing(*reason)
                && (missed.region == 0 || region_of(action).is_none_or(|of| of == missed.region))
        };
        let refused_here: Vec<_> = self.refused.iter().filter(about).collect();
        let mut text: String = refused_here
            .iter()
            .take(SHOWN)
            .map(|(action, reason)| format!("    refused: {action}: {reason}\n"))
            .collect();
        match refused_here.len() {
            0 => text += "    no refused step would help\n",
            more if more > SHOWN => text += &format!("    and {} steps more\n", more - SHOWN),
            _ => {}
        }
        text
    }
}

/// The region of an action, if it has one.
fn region_of(action: &Action) -> Option<RegionId> {
    let json = serde_json::to_value(action).ok()?;
    json.as_object()?.values().next()?.get("region")?.as_u64()
}

/// Whether the reason only says that there is nothing to do.
fn is_nothing(reason: Reason) -> bool {
    use Reason::{NoEffect, NoSnapshot, NothingHeld, NothingToApply, NothingToDo};
    matches!(reason, NoEffect | NoSnapshot | NothingHeld | NothingToApply | NothingToDo)
}

/// The result on the implementation.
pub(super) enum Side {
    /// It healed, or did not.
    Healed(Healed),
    /// The implementation was not healed, and why.
    NotAsked(String),
}

impl Side {
    /// Whether every owed goal is reached there, too.
    pub(super) fn is_good(&self) -> bool {
        match self {
            Side::Healed(healed) => healed.missed.is_empty(),
            Side::NotAsked(_) => true,
        }
    }

    fn words(&self, model: &Healing) -> String {
        match self {
            Side::NotAsked(why) => format!("  the implementation was not healed: {why}\n"),
            Side::Healed(healed) if healed.missed.is_empty() == model.is_good() => {
                let shows = if healed.missed.is_empty() { "shows" } else { "misses" };
                format!(
                    "  the implementation takes the same {} steps and {shows} the same\n",
                    model.steps.len()
                )
            }
            Side::Healed(healed) => {
                let missed =
                    healed.missed.iter().map(|missed| format!("  on the implementation: {missed}\n"));
                let none = || "  on the implementation every goal that is owed is met\n".into();
                if healed.missed.is_empty() { none() } else { missed.collect() }
            }
        }
    }
}
