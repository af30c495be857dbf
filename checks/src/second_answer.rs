//! Does it heal? A second check that ignores the schedule.
//!
//! Over the edges that continue once faults stop (`liveness::is_fault_free`), some states of the
//! explored graph reach a state that misses no goal. Each of these must heal; otherwise the
//! schedule is at fault, not the rules. Conversely, a state that heals must be one of them, if
//! every step of its healing is an edge of the graph. If a step is not, the scope must rule it out
//! (a budget is spent, or the scope lacks the command). That is checked, and such states are
//! counted.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ahash::RandomState;
use rollcall_model::{ACTION_KINDS, Rollcall, State, liveness};
use stateright::Model;

use crate::explorer::{Exploration, reaching};
use crate::recover::{Recovery, Schedule, Ways};

/// States that a thread takes at a time.
const PIECE: usize = 4_096;

/// The fault-free edges, one bit each.
pub struct FaultFree {
    words: Vec<u64>,
}

impl FaultFree {
    /// Asks the model about the action on every edge.
    pub fn of(model: &Rollcall, explored: &Exploration<State>, threads: usize) -> Self {
        let graph = &explored.graph;
        let words: Vec<AtomicU64> = (0..graph.edges().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let next = AtomicUsize::new(0);
        let mark = || {
            let mut offered = Vec::new();
            loop {
                let begin = next.fetch_add(PIECE, Ordering::Relaxed);
                if begin >= explored.states.len() {
                    return;
                }
                for index in begin..(begin + PIECE).min(explored.states.len()) {
                    let state = &explored.states.get(index as u32);
                    offered.clear();
                    model.each_offered(state, |action| {
                        offered.push(liveness::is_fault_free(model, state, action));
                    });
                    let goes_on = |edge: &u32| offered[usize::from(graph.ordinal(*edge))];
                    for edge in graph.row(index as u32).filter(goes_on) {
                        words[edge as usize / 64].fetch_or(1 << (edge % 64), Ordering::Relaxed);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(mark);
            }
        });
        Self { words: words.into_iter().map(AtomicU64::into_inner).collect() }
    }

    fn has(&self, edge: u32) -> bool {
        self.words[edge as usize / 64] >> (edge % 64) & 1 == 1
    }
}

/// The result of the second check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondAnswer {
    /// The states that reach a goal over fault-free edges.
    pub reaching: u64,
    /// The states whose healing is a path in the graph; `None` if some state does not heal.
    pub within: Option<u64>,
    /// For the others, the kinds of the first step outside the graph, with counts.
    pub outside: BTreeMap<&'static str, u64>,
    /// The first state on which the two checks contradict each other.
    pub disagreement: Option<Disagreement>,
}

/// A state on which the two checks contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Its index.
    pub state: u32,
    /// The contradiction.
    pub what: Contradiction,
}

/// How the two checks contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// It reaches a goal and does not heal.
    NotHealed,
    /// It heals within the graph and reaches no goal.
    NotReaching,
    /// Its healing takes a step that the scope offers, but no fault-free edge is that step.
    NoEdge,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state;
        match &self.what {
            Contradiction::NotHealed => {
                write!(f, "state {state} does not heal, but fault-free steps lead from it to a goal")
            }
            Contradiction::NotReaching => {
                write!(f, "state {state} heals by steps of the graph, but no fault-free step leads to a goal")
            }
            Contradiction::NoEdge => {
                write!(
                    f,
                    "state {state} heals by a step that the scope offers, but no fault-free edge is that step"
                )
            }
        }
    }
}

/// Compares the schedule's answer with the graph's.
pub fn second_answer(
    schedule: Schedule<'_>,
    model: &Rollcall,
    explored: &Exploration<State>,
    faultless: &FaultFree,
    recovery: &Recovery,
    threads: usize,
) -> SecondAnswer {
    let judge = || {
        let mut known: HashMap<State, bool, RandomState> = HashMap::default();
        move |state: u32| {
            let rest = model.at_rest(&explored.states.get(state));
            *known.entry(rest).or_insert_with(|| liveness::missed(model, &rest).is_empty())
        }
    };
    let reaches = reaching(&explored.graph, threads, |edge| faultless.has(edge), judge);
    let mut answer = SecondAnswer {
        reaching: reaches.iter().filter(|reaches| **reaches).count() as u64,
        ..SecondAnswer::default()
    };
    if let Some(stuck) = &recovery.stuck {
        let state = stuck.state;
        let what = Contradiction::NotHealed;
        answer.disagreement = reaches[state as usize].then_some(Disagreement { state, what });
        return answer;
    }
    let ends = Follower { schedule, model, explored, faultless, ways: &recovery.ways }.ends();
    let mut within = 0;
    for (state, end) in (0..).zip(ends) {
        match end {
            End::Within => within += 1,
            End::Outside(kind) => *answer.outside.entry(ACTION_KINDS[usize::from(kind)]).or_default() += 1,
            End::NotYet | End::Torn => {}
        }
        let what = match end {
            End::Within if !reaches[state as usize] => Contradiction::NotReaching,
            End::Torn => Contradiction::NoEdge,
            _ => continue,
        };
        answer.disagreement.get_or_insert(Disagreement { state, what });
    }
    answer.within = Some(within);
    answer
}

/// Where a state's healing path ends in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotYet,
    /// At the end of the healing.
    Within,
    /// At an action of this kind, which the scope does not offer.
    Outside(u8),
    /// At a step that should be an edge and is not.
    Torn,
}

/// Follows healings along the edges.
struct Follower<'a> {
    schedule: Schedule<'a>,
    model: &'a Rollcall,
    explored: &'a Exploration<State>,
    faultless: &'a FaultFree,
    ways: &'a Ways,
}

impl Follower<'_> {
    fn ends(&self) -> Vec<End> {
        let mut ends = vec![End::NotYet; self.explored.states.len()];
        let mut way = Vec::new();
        for state in 0..ends.len() as u32 {
            let mut at = state;
            let end = loop {
                if ends[at as usize] != End::NotYet {
                    break ends[at as usize];
                }
                way.push(at);
                match self.step(at) {
                    Ok(next) => at = next,
                    Err(end) => break end,
                }
            };
            for state in way.drain(..) {
                ends[state as usize] = end;
            }
        }
        ends
    }

    /// The edge of the healing's next step, whatever its history.
    fn step(&self, state: u32) -> Result<u32, End> {
        let graph = &self.explored.graph;
        let Some(rest) = self.ways.rest(state) else { return Err(End::Torn) };
        let Some(next) = self.ways.next(rest) else { return Err(End::Within) };
        let leads_there =
            |edge: &u32| self.faultless.has(*edge) && self.ways.rest(graph.target(*edge)) == Some(next);
        match graph.row(state).find(leads_there) {
            Some(edge) => Ok(graph.target(edge)),
            None => Err(self.outside(&self.explored.states.get(state))),
        }
    }

    fn outside(&self, state: &State) -> End {
        let Some(action) = (self.schedule)(self.model, &self.model.at_rest(state)) else { return End::Torn };
        let mut offered = Vec::new();
        self.model.actions(state, &mut offered);
        let outcome = self.model.step(state, &action).1;
        if offered.contains(&action) && self.model.affords(state, &action, &outcome) {
            return End::Torn;
        }
        End::Outside(self.model.kind_of(state, &action) as u8)
    }
}

#[cfg(test)]
mod tests;
