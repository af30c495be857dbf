//! Whether each state of a trace heals once faults stop. A trace has views and no states, so the
//! model takes the trace's actions again; what it says holds as far as it shows the same views.

use std::collections::HashMap;

use rollcall_model::{Guard, State};
use rollcall_traces::{Healed, Outcome, Trace};
use serde::Serialize;

use super::Steps;
use crate::learn::guards;

/// Why the healing of later states is not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unjudged {
    /// The model has no such guard, so it cannot drop it.
    Guard(String),
    /// The model does not show the same after this step; 0 is the first state.
    Step(usize),
}

/// The healings of a trace's states, from the first one on.
#[derive(Debug, Default)]
pub(super) struct Healings {
    /// As far as the model takes the trace as it stands.
    pub(super) judged: Vec<Healed>,
    /// Why there are not more.
    pub(super) unjudged: Option<Unjudged>,
}

impl Healings {
    fn until(judged: Vec<Healed>, why: Unjudged) -> Self {
        Self { judged, unjudged: Some(why) }
    }
}

/// Heals every state of the trace that the model reaches as the trace does.
pub(super) fn healings(trace: &Trace) -> Healings {
    let header = &trace.header;
    if let Some(guard) = header.without.iter().find(|name| Guard::from_name(name).is_none()) {
        return Healings::until(Vec::new(), Unjudged::Guard(guard.clone()));
    }
    let steps = guards(&header.without).ok().and_then(|kept| Steps::begin(&header.scope, kept).ok());
    let Some(mut steps) = steps.filter(|steps| header.view.as_ref() == Some(&steps.view())) else {
        return Healings::until(Vec::new(), Unjudged::Step(0));
    };
    // Many steps lead to a state that was there before: a refused one, and a fault that is over.
    let mut known: HashMap<State, Healed> = HashMap::new();
    let mut heal = |steps: &Steps| -> Healed {
        let rest = steps.model().at_rest(steps.state());
        known.entry(rest).or_insert_with(|| steps.healed()).clone()
    };
    let mut judged = vec![heal(&steps)];
    for (number, step) in (1..).zip(&trace.steps) {
        let outcome = steps.take(&step.action).clone();
        let is_same = *step.outcome.as_ref().unwrap_or(&Outcome::DONE) == outcome
            && step.view.as_ref() == Some(&steps.view());
        if !is_same {
            return Healings::until(judged, Unjudged::Step(number));
        }
        judged.push(heal(&steps));
    }
    Healings { judged, unjudged: None }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn museum(name: &str) -> Trace {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../traces/museum/{name}.jsonl"));
        Trace::read(&path).expect("a trace")
    }

    /// Not the last state alone is stuck, and not every one.
    #[test]
    fn every_state_of_a_trace_is_healed() {
        let found = healings(&museum("demote_before_removal"));
        assert_eq!(found.unjudged, None);
        let stuck: Vec<usize> = (0..)
            .zip(&found.judged)
            .filter(|(_, healed)| !healed.missed.is_empty())
            .map(|(at, _)| at)
            .collect();
        assert_eq!((found.judged.len(), stuck.first(), stuck.last()), (28, Some(&3), Some(&27)), "{stuck:?}");
    }

    /// Behind a step that the model takes otherwise nothing is said.
    #[test]
    fn what_the_model_does_not_show_is_not_judged() {
        let mut trace = museum("demote_before_removal");
        trace.steps[4].view = trace.steps[3].view.clone();
        let found = healings(&trace);
        assert_eq!((found.judged.len(), found.unjudged), (5, Some(Unjudged::Step(5))));
        let mut trace = museum("demote_before_removal");
        trace.header.view = None;
        assert_eq!(healings(&trace).unjudged, Some(Unjudged::Step(0)));
        let mut trace = museum("demote_before_removal");
        trace.header.without.push("made_up".into());
        let found = healings(&trace);
        assert_eq!((found.judged.len(), found.unjudged), (0, Some(Unjudged::Guard("made_up".into()))));
    }
}
