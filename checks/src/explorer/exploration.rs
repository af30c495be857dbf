//! The result of an exploration, and how much of it is final.

use std::fmt;

use stateright::{Expectation, Model, Property};

use super::graph::{Graph, NO_PARENT};
use super::rows::{Row, States};

/// The result of an exploration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exploration<S> {
    /// The distinct states in breadth-first order. Where several processes explored, only those on
    /// the ways to the first state of each verdict.
    pub states: States<S>,
    /// How many states there are of each depth, where `states` has only some of them.
    pub levels: Option<Vec<u64>>,
    /// The graph over their indices; without edges if they were not kept.
    pub graph: Graph,
    /// The transitions taken: every successor generated, known or new.
    pub transitions: u64,
    /// States below this index are expanded, and their successors are included.
    pub expanded: u64,
    /// The properties of states below this index were checked.
    pub checked: u64,
    /// Successors outside of the model's boundary.
    pub outside: u64,
    /// How many actions of each kind were taken, by the caller's numbering.
    pub kinds: Vec<u64>,
    /// One verdict for each property, in the model's order.
    pub verdicts: Vec<Verdict>,
    /// Why it ended.
    pub ended: Ended,
    /// The most bytes of the explorer's own tables, without heap memory behind states.
    pub peak_bytes: u64,
    /// The most resident bytes that were measured; `None` if never measured.
    pub peak_resident: Option<u64>,
}

/// The verdict on one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The property.
    pub property: &'static str,
    /// `Always` or `Sometimes`.
    pub expectation: Expectation,
    /// The first state in breadth-first order that violates an `Always`, or has a `Sometimes`.
    pub first: Option<u32>,
    /// Whether the property holds; `None` if the exploration ended too early to decide.
    pub holds: Option<bool>,
}

/// The verdicts of properties of which these are the first states found.
pub(super) fn verdicts<M: Model>(
    properties: &[Property<M>],
    found: Vec<Option<u32>>,
    ended: &Ended,
) -> Vec<Verdict> {
    let is_exhausted = *ended == Ended::Exhausted;
    let verdicts = properties.iter().zip(found).map(|(property, first)| {
        let when_found = property.expectation == Expectation::Sometimes;
        let holds = match first {
            Some(_) => Some(when_found),
            None => is_exhausted.then_some(!when_found),
        };
        Verdict { property: property.name, expectation: property.expectation.clone(), first, holds }
    });
    verdicts.collect()
}

/// Why an exploration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every reachable state within the boundary was expanded.
    Exhausted,
    /// A bound was hit, and something is left.
    Stopped(Bound),
}

/// The bound that ended an exploration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A property was violated, and the options end the exploration then.
    Violation,
    /// More states than this.
    States(u32),
    /// States at this depth were not expanded.
    Depth(u32),
    /// More bytes than this in the explorer's tables.
    Bytes(u64),
    /// More resident bytes than this.
    Memory(u64),
    /// A checkpoint could not be written.
    NotKept(std::io::ErrorKind),
    /// Another process could not write one.
    NotKeptElsewhere,
    /// More edges than 32 bits can number.
    Edges,
    /// The interrupt was set.
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
            Bound::NotKeptElsewhere => write!(f, "another process could not write a checkpoint"),
            Bound::Edges => write!(f, "more edges than can be numbered; explore without keeping them"),
            Bound::Interrupted => write!(f, "interrupted"),
        }
    }
}

/// A shortest path from an initial state.
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
        self.levels.as_ref().map_or(self.states.len() as u64, |levels| levels.iter().sum())
    }

    /// The greatest depth of a state.
    pub fn depth(&self) -> u32 {
        self.levels.as_ref().map_or(self.graph.levels.len(), Vec::len) as u32 - 1
    }

    /// The number of states that were found and not expanded.
    pub fn frontier(&self) -> u64 {
        self.distinct() - self.expanded
    }

    /// The greatest depth up to which every state was expanded.
    pub fn depth_expanded(&self) -> Option<u32> {
        let sizes = || self.graph.levels().map(|level| level.len() as u64).collect();
        let ends = self.levels.clone().unwrap_or_else(sizes).into_iter().scan(0, |end, size| {
            *end += size;
            Some(*end)
        });
        (ends.take_while(|end| *end <= self.expanded).count() as u32).checked_sub(1)
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
    /// The action with index `ordinal` in the list of state `source`.
    ///
    /// # Panics
    /// If the model now lists fewer actions than when it was explored.
    pub fn action<M: Model<State = S>>(&self, model: &M, source: u32, ordinal: u16) -> M::Action {
        let mut actions = Vec::new();
        model.actions(&self.states.get(source), &mut actions);
        actions.into_iter().nth(usize::from(ordinal)).expect("the model lists the same actions every time")
    }

    /// A shortest trace to state `index`, by first parents and their first actions.
    ///
    /// # Panics
    /// If the model now gives other successors than when it was explored.
    pub fn trace<M: Model<State = S>>(&self, model: &M, index: u32) -> Trace<M::Action> {
        let lineage = self.graph.lineage(index);
        let steps = lineage.windows(2).map(|pair| {
            let ordinal = self.first_ordinal(model, pair[0], pair[1]);
            (self.action(model, pair[0], ordinal), pair[1])
        });
        debug_assert_eq!(self.graph.parent(lineage[0]), NO_PARENT);
        Trace { start: lineage[0], steps: steps.collect() }
    }

    /// The first action from `source` to `target`. It is computed again, because the edges may not
    /// have been kept.
    fn first_ordinal<M: Model<State = S>>(&self, model: &M, source: u32, target: u32) -> u16 {
        let (from, to) = (&self.states.get(source), &self.states.get(target));
        let mut actions = Vec::new();
        model.actions(from, &mut actions);
        let ordinal =
            actions.into_iter().position(|action| model.next_state(from, action).as_ref() == Some(to));
        ordinal.expect("a parent leads to its child") as u16
    }
}
