//! Steps on a subject, its faults caught and reported as what they are: a divergence with its
//! schedule.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rollcall_impl::Sound;
use rollcall_traces::{
    Action, Divergence, Healed, Message, Outcome, ReplayError, Replayed, Scope, ScopeError, Sides, Subject,
    Trace, View, replay,
};

use super::{Fault, Foreign, Link};
use crate::world::World;

/// Stores whose replicas are an adapter's.
pub type SubjectWorld = World<Sound, Foreign>;

/// A world of the adapter at the other end.
pub fn world(link: &Link) -> SubjectWorld {
    World::on(link.clone(), Sound)
}

/// What the sides are called where a subject is judged.
pub fn sides(expected: &'static str, link: &Link) -> Sides {
    Sides { expected: expected.into(), actual: link.handshake().name.clone().into() }
}

/// What a panic or a fault says; the rest unwinds on.
pub(crate) fn in_words(panic: Box<dyn Any + Send>) -> String {
    if let Some(fault) = panic.downcast_ref::<Fault>() {
        return fault.to_string();
    }
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", words.unwrap_or("no message"))
}

/// Runs it; a fault of the adapter is handed back.
///
/// # Errors
/// Where there is one.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| match panic.downcast::<Fault>() {
        Ok(fault) => *fault,
        Err(other) => resume_unwind(other),
    })
}

/// A subject that remembers its way, for whoever unwinds from it.
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
        // How a library heals depends on what it retries by itself, which no round shows.
        None
    }
}

/// Replays a trace on the subject. A fault of its adapter is a divergence at its step.
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

/// The divergence that a panic or a fault is.
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

/// What a subject shows of a view.
pub(crate) fn shown(mut view: View) -> View {
    let peers = view.stores.values_mut().flat_map(|store| store.peers.values_mut());
    // Only merges ask, and none is begun on a library that cannot be reached into.
    peers.filter_map(|peer| peer.leading.as_mut()).for_each(|leading| leading.committed.clear());
    for held in &mut view.held {
        if let Message::AppendResponse { commit, .. } = &mut held.message {
            *commit = 0;
        }
    }
    view
}

/// A trace that expects no more than a subject shows.
fn as_a_subject_shows(trace: &Trace) -> Trace {
    let mut trace = trace.clone();
    trace.header.view = trace.header.view.take().map(shown);
    for step in &mut trace.steps {
        step.view = step.view.take().map(shown);
    }
    trace
}
