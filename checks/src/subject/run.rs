//! Takes steps on a subject. A fault is caught and reported as a divergence with its schedule.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rollcall_impl::Sound;
use rollcall_traces::{
    Action, Divergence, Healed, Message, Outcome, ReplayError, Replayed, Scope, ScopeError, Sides, Subject,
    Trace, View, replay,
};

use super::{Fault, Foreign, Link};
use crate::world::World;

/// Stores whose replicas live in an adapter.
pub type SubjectWorld = World<Sound, Foreign>;

/// A world on this adapter.
pub fn world(link: &Link) -> SubjectWorld {
    World::on(link.clone(), Sound)
}

/// The names of the sides when a subject is judged.
pub fn sides(expected: &'static str, link: &Link) -> Sides {
    Sides { expected: expected.into(), actual: link.handshake().name.clone().into() }
}

/// The message of a panic or a fault; any other panic unwinds further.
pub(crate) fn in_words(panic: Box<dyn Any + Send>) -> String {
    if let Some(fault) = panic.downcast_ref::<Fault>() {
        return fault.to_string();
    }
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", words.unwrap_or("no message"))
}

/// Runs `run` and catches a fault of the adapter.
///
/// # Errors
/// The fault.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| match panic.downcast::<Fault>() {
        Ok(fault) => *fault,
        Err(other) => resume_unwind(other),
    })
}

/// A subject that records its schedule, for the code that catches an unwinding step.
struct Remembering<'w> {
    world: &'w mut SubjectWorld,
    way: Vec<Action>,
}

impl Subject for Remembering<'_> {
    fn reset(&mut self, scope: &Scope) -> Result<(), ScopeError> {
        self.way.clear();
        self.world.reset(scope)
    }

    fn apply(&mut self, action: &Action) -> Outcome {
        self.way.push(action.clone());
        self.world.apply(action)
    }

    fn view(&self) -> View {
        self.world.view()
    }

    fn healed(&self) -> Option<Healed> {
        // A library's healing depends on what it retries by itself, which no round shows.
        None
    }
}

/// Replays a trace on the subject. A fault of its adapter is a divergence at that step.
///
/// # Errors
/// As [`rollcall_traces::replay`].
pub fn replay_on(world: &mut SubjectWorld, trace: &Trace, sides: Sides) -> Result<Replayed, ReplayError> {
    let trace = &as_a_subject_shows(trace);
    let mut remembering = Remembering { world, way: Vec::new() };
    let replayed = catch_unwind(AssertUnwindSafe(|| replay(&mut remembering, trace, sides.clone())));
    replayed.unwrap_or_else(|panic| {
        let words = in_words(panic);
        Err(ReplayError::Diverged(broken(&trace.header.scenario, sides, remembering.way, &words)))
    })
}

/// The divergence for a panic or a fault.
pub(crate) fn broken(scenario: &str, sides: Sides, way: Vec<Action>, words: &str) -> Box<Divergence> {
    Box::new(Divergence {
        scenario: scenario.into(),
        sides,
        step: way.len() as u64,
        action: way.last().cloned(),
        expected: None,
        actual: None,
        differences: Vec::new(),
        guards: Vec::new(),
        places: Vec::new(),
        prefix: way,
        fault: words.lines().map(Into::into).collect(),
        judged: None,
        command: None,
    })
}

/// The part of a view that a subject shows.
pub(crate) fn shown(mut view: View) -> View {
    let peers = view.stores.values_mut().flat_map(|store| store.peers.values_mut());
    // Only merges use this, and no merge begins on a library whose internals cannot be read.
    peers.filter_map(|peer| peer.leading.as_mut()).for_each(|leading| leading.committed.clear());
    for held in &mut view.held {
        if let Message::AppendResponse { commit, .. } = &mut held.message {
            *commit = 0;
        }
    }
    view
}

/// A trace that expects only what a subject shows.
fn as_a_subject_shows(trace: &Trace) -> Trace {
    let mut trace = trace.clone();
    trace.header.view = trace.header.view.take().map(shown);
    for step in &mut trace.steps {
        step.view = step.view.take().map(shown);
    }
    trace
}
