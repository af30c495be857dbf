//! What an exploration found, and how much of it may be claimed.

use std::fmt;

use stateright::{Expectation, Model};

use super::graph::{Graph, NO_PARENT};
use super::rows::{Row, States};

/// Everything that an exploration yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exploration<S> {
    /// The distinct states in breadth-first order.
    pub states: States<S>,
    /// The graph over their indices. Without edges if they were not kept.
    pub graph: Graph,
    /// The transitions taken: every successor generated, known or new.
    pub transitions: u64,
    /// The states whose successors were all taken in: those up to here.
    pub expanded: u64,
    /// The states whose properties were judged: those up to here.
    pub checked: u64,
    /// Successors that the model's boundary cut off.
    pub outside: u64,
    /// How often each kind of action fired, by the caller's numbering.
    pub kinds: Vec<u64>,
    /// Of each property in the model's order.
    pub verdicts: Vec<Verdict>,
    /// Why it ended.
    pub ended: Ended,
    /// The most bytes that the explorer's own structures held, without the states' heap.
    pub peak_bytes: u64,
    /// The most bytes that the whole process held, whenever that was looked at; `None` if it never was.
    pub peak_resident: Option<u64>,
}

/// What was found about one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The property.
    pub property: &'static str,
    /// `Always` or `Sometimes`.
    pub expectation: Expectation,
    /// The first state in breadth-first order that violates an `Always`, or has a `Sometimes`.
    pub first: Option<u32>,
    /// Whether the property holds; `None` if the exploration ended too early to say.
    pub holds: Option<bool>,
}

/// Why an exploration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every reachable state within the boundary was expanded.
    Exhausted,
    /// Something was left.
    Stopped(Bound),
}

/// What broke an exploration off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A property was violated, and that was to end it.
    Violation,
    /// More states than this.
    States(u32),
    /// States at this depth were not expanded.
    Depth(u32),
    /// More bytes than this in the explorer's tables.
    Bytes(u64),
    /// The whole process held more bytes than this.
    Memory(u64),
    /// A checkpoint could not be kept.
    NotKept(std::io::ErrorKind),
    /// More edges than 32 bits number.
    Edges,
    /// Somebody interrupted it.
    Interrupted,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Violation => write!(f, "stopped at the first violation"),
            Bound::States(max) => write!(f, "more than {max} states"),
            Bound::Depth(max) => write!(f, "states at depth {max} were not expanded"),
            Bound::Bytes(max) => write!(f, "more than {max} bytes"),
            Bound::Memory(max) => write!(f, "the process holds more than {max} bytes"),
            Bound::NotKept(why) => write!(f, "a checkpoint could not be written: {why}"),
            Bound::Edges => write!(f, "more edges than can be numbered; explore without keeping them"),
            Bound::Interrupted => write!(f, "interrupted"),
        }
    }
}

/// A shortest way from an initial state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace<A> {
    /// The index of the initial state.
    pub start: u32,
    /// Each action with the index of the state that it leads to.
    pub steps: Vec<(A, u32)>,
}

impl<S> Exploration<S> {
    /// The number of distinct states found.
    pub fn distinct(&self) -> u64 {
        self.states.len() as u64
    }

    /// The greatest depth at which a state was found.
    pub fn depth(&self) -> u32 {
        self.graph.levels.len() as u32 - 1
    }

    /// How many states were found and not expanded.
    pub fn frontier(&self) -> u64 {
        self.distinct() - self.expanded
    }

    /// The greatest depth up to which every state was expanded.
    pub fn depth_expanded(&self) -> Option<u32> {
        let whole = |level: &std::ops::Range<u32>| u64::from(level.end) <= self.expanded;
        (self.graph.levels().take_while(whole).count() as u32).checked_sub(1)
    }

    /// Whether every reachable state within the boundary was expanded.
    pub fn is_exhausted(&self) -> bool {
        self.ended == Ended::Exhausted
    }

    /// The violated `always` properties.
    pub fn violations(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|v| v.expectation == Expectation::Always && v.first.is_some())
    }

    /// The `sometimes` properties for which no state was found. Final only if exhausted.
    pub fn unreached(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|v| v.expectation == Expectation::Sometimes && v.first.is_none())
    }
}

impl<S: Row> Exploration<S> {
    /// The action that is the `ordinal`th of state `source`.
    ///
    /// # Panics
    /// If the model lists fewer actions than it did when it was explored.
    pub fn action<M: Model<State = S>>(&self, model: &M, source: u32, ordinal: u16) -> M::Action {
        let mut actions = Vec::new();
        model.actions(&self.states.get(source), &mut actions);
        actions.into_iter().nth(usize::from(ordinal)).expect("the model lists the same actions every time")
    }

    /// A shortest trace to state `index`, by the first parents and their first actions.
    ///
    /// # Panics
    /// If the model gives other successors than it did when it was explored.
    pub fn trace<M: Model<State = S>>(&self, model: &M, index: u32) -> Trace<M::Action> {
        let lineage = self.graph.lineage(index);
        let steps = lineage.windows(2).map(|pair| {
            let ordinal = self.first_ordinal(model, pair[0], pair[1]);
            (self.action(model, pair[0], ordinal), pair[1])
        });
        debug_assert_eq!(self.graph.parent(lineage[0]), NO_PARENT);
        Trace { start: lineage[0], steps: steps.collect() }
    }

    /// The edges may not have been kept, so the parent's actions are taken again.
    fn first_ordinal<M: Model<State = S>>(&self, model: &M, source: u32, target: u32) -> u16 {
        let (from, to) = (&self.states.get(source), &self.states.get(target));
        let mut actions = Vec::new();
        model.actions(from, &mut actions);
        let ordinal =
            actions.into_iter().position(|action| model.next_state(from, action).as_ref() == Some(to));
        ordinal.expect("a parent leads to its child") as u16
    }
}
