//! Compares an exploration with stateright's own checker on the same model.
//!
//! stateright's checker stops expanding a state once every property is decided there. So the model
//! gets one more invariant, which is always true. Then stateright explores everything whatever is
//! violated, and its count of distinct states and its verdicts can be compared. It distinguishes
//! states by 64-bit fingerprints: among n states it merges two with a probability of about n²/2⁶⁵.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stateright::{Checker, Expectation, Model, Property};

use super::exploration::Exploration;

/// The comparison with stateright's checker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The distinct states that stateright counted; `None` if it was interrupted.
    pub stateright_distinct: Option<u64>,
    /// Whether the two agree on everything that can be compared.
    pub agrees: bool,
    /// What was compared, or what differs.
    pub why: String,
}

/// Runs stateright's breadth-first checker with `threads` threads and compares.
///
/// An exhausted exploration must agree in distinct states, transitions and every verdict. A
/// truncated one must agree in what it found. If `interrupt` stops stateright, they do not agree.
///
/// # Panics
/// If the model panics, or has more than 64 properties.
pub fn agree<M>(
    model: Arc<M>,
    explored: &Exploration<M::State>,
    threads: usize,
    interrupt: Option<Arc<AtomicBool>>,
) -> Agreement
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Hash + Eq + Send + Sync + 'static,
    M::Action: Clone + PartialEq,
{
    let is_cut = Arc::new(AtomicBool::new(false));
    let is_over = Arc::new(AtomicBool::new(false));
    let watched = Watched {
        properties: model.properties(),
        model,
        interrupt,
        is_cut: Arc::clone(&is_cut),
        is_over: Arc::clone(&is_over),
    };
    assert!(watched.properties.len() <= CONDITIONS, "more than {CONDITIONS} properties");
    let checker = watched.checker().threads(threads).spawn_bfs().join();
    is_over.store(true, Ordering::Relaxed);
    if is_cut.load(Ordering::Relaxed) {
        let why = "stateright's run was interrupted".to_string();
        return Agreement { stateright_distinct: None, agrees: false, why };
    }
    let discoveries = checker.discoveries();
    let theirs = Theirs {
        distinct: checker.unique_state_count() as u64,
        transitions: checker.state_count() as u64 - u64::from(explored.graph.initial()),
        has: &|property| discoveries.contains_key(property),
    };
    compare(explored, &theirs)
}

struct Theirs<'a> {
    distinct: u64,
    transitions: u64,
    has: &'a dyn Fn(&str) -> bool,
}

fn compare<S>(explored: &Exploration<S>, theirs: &Theirs<'_>) -> Agreement {
    let mut differences = Vec::new();
    if explored.is_exhausted() {
        if explored.distinct() != theirs.distinct {
            differences.push(format!(
                "distinct states: explorer {}, stateright {}",
                explored.distinct(),
                theirs.distinct
            ));
        }
        if explored.transitions != theirs.transitions {
            differences.push(format!(
                "transitions: explorer {}, stateright {}",
                explored.transitions, theirs.transitions
            ));
        }
    } else if explored.distinct() > theirs.distinct {
        differences.push(format!(
            "explorer found {} distinct states before it was broken off, stateright {} in all",
            explored.distinct(),
            theirs.distinct
        ));
    }
    for verdict in &explored.verdicts {
        let is_found = (theirs.has)(verdict.property);
        // What a truncated exploration did not find may still exist.
        let is_comparable = explored.is_exhausted() || verdict.first.is_some();
        if is_comparable && is_found != verdict.first.is_some() {
            let what = match verdict.expectation {
                Expectation::Sometimes => ["never has it", "has it"],
                _ => ["finds no violation", "finds a violation"],
            };
            let (ours, its) = (what[usize::from(verdict.first.is_some())], what[usize::from(is_found)]);
            differences.push(format!("property `{}`: explorer {ours}, stateright {its}", verdict.property));
        }
    }
    let compared = match explored.is_exhausted() {
        true => "distinct states, transitions and every verdict are equal",
        false => "stateright finds everything that was found before the exploration was broken off",
    };
    let agrees = differences.is_empty();
    let why = if agrees { compared.to_string() } else { differences.join("; ") };
    Agreement { stateright_distinct: Some(theirs.distinct), agrees, why }
}

/// The model with the invariant that keeps stateright exploring.
struct Watched<M: Model> {
    model: Arc<M>,
    properties: Vec<Property<M>>,
    interrupt: Option<Arc<AtomicBool>>,
    /// Set once an interrupt has prevented the expansion of a state.
    is_cut: Arc<AtomicBool>,
    /// Set once the run is over and stateright rebuilds paths.
    is_over: Arc<AtomicBool>,
}

impl<M> Model for Watched<M>
where
    M: Model,
    M::State: Clone + Hash + Eq,
{
    type State = M::State;
    type Action = M::Action;

    /// Distinct, and within the boundary: stateright rebuilds paths by their index in this list,
    /// and expands a repeated one twice.
    fn init_states(&self) -> Vec<M::State> {
        let mut seen = hashbrown::HashSet::new();
        let initial = self.model.init_states().into_iter();
        initial.filter(|state| self.model.within_boundary(state) && seen.insert(state.clone())).collect()
    }

    fn actions(&self, state: &M::State, actions: &mut Vec<M::Action>) {
        let is_interrupted = self.interrupt.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
        if is_interrupted && !self.is_over.load(Ordering::Relaxed) {
            self.is_cut.store(true, Ordering::Relaxed);
            return;
        }
        self.model.actions(state, actions);
    }

    fn next_state(&self, state: &M::State, action: M::Action) -> Option<M::State> {
        self.model.next_state(state, action)
    }

    fn within_boundary(&self, state: &M::State) -> bool {
        self.model.within_boundary(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let conditions = conditions::<M>();
        let own = self.properties.iter().zip(conditions).map(|(property, condition)| Property {
            expectation: property.expectation.clone(),
            name: property.name,
            condition,
        });
        own.chain([Property::always("(keeps stateright going)", |_, _| true)]).collect()
    }
}

type Condition<M> = fn(&Watched<M>, &<M as Model>::State) -> bool;

const CONDITIONS: usize = 64;

/// A condition is a plain function and cannot capture its property, so there is one function for
/// each index in the list.
fn condition<M: Model, const AT: usize>(watched: &Watched<M>, state: &M::State) -> bool {
    (watched.properties[AT].condition)(&watched.model, state)
}

fn conditions<M: Model>() -> [Condition<M>; CONDITIONS] {
    macro_rules! at {
        ($($eights:literal)*) => {
            [$(
                condition::<M, { $eights * 8 }>, condition::<M, { $eights * 8 + 1 }>,
                condition::<M, { $eights * 8 + 2 }>, condition::<M, { $eights * 8 + 3 }>,
                condition::<M, { $eights * 8 + 4 }>, condition::<M, { $eights * 8 + 5 }>,
                condition::<M, { $eights * 8 + 6 }>, condition::<M, { $eights * 8 + 7 }>,
            )*]
        };
    }
    at!(0 1 2 3 4 5 6 7)
}

#[cfg(test)]
mod tests {
    use super::super::toys::{Grid, TwoPhase};
    use super::super::{Options, explore};
    use super::*;

    fn explored(grid: &Grid) -> Exploration<[u8; 64]> {
        explore(grid, &Options::default(), |_, _| 0).unwrap()
    }

    #[test]
    fn agrees_where_nothing_is_violated() {
        let grid = Grid { sides: 6, most: 2, ..Grid::default() };
        let agreement = agree(Arc::new(grid.clone()), &explored(&grid), 2, None);
        assert_eq!((agreement.stateright_distinct, agreement.agrees), (Some(729), true), "{}", agreement.why);
    }

    #[test]
    fn agrees_on_counts_and_verdicts_where_something_is_violated() {
        let model = TwoPhase { managers: 4, hasty: true };
        let explored = explore(&model, &Options::default(), |_, _| 0).unwrap();
        assert_eq!(explored.violations().count(), 1);
        let agreement = agree(Arc::new(model), &explored, 2, None);
        assert!(agreement.agrees, "{}", agreement.why);
    }

    #[test]
    fn agrees_with_what_was_found_before_it_was_broken_off() {
        let model = TwoPhase { managers: 4, hasty: true };
        let options = Options { stop_at_first_violation: true, ..Options::default() };
        let explored = explore(&model, &options, |_, _| 0).unwrap();
        assert!(!explored.is_exhausted());
        let agreement = agree(Arc::new(model), &explored, 2, None);
        assert!(agreement.agrees, "{}", agreement.why);
    }

    #[test]
    fn a_forged_count_transition_or_verdict_is_a_disagreement() {
        let grid = Grid { sides: 4, most: 2, ..Grid::default() };
        let honest = explored(&grid);
        let model = Arc::new(grid);
        let mut short = honest.clone();
        short.states.pop();
        let mut many = honest.clone();
        many.transitions += 1;
        let mut blind = honest.clone();
        let full = blind.verdicts.iter_mut().find(|v| v.property == "full").unwrap();
        full.first = None;
        for (forged, word) in [(short, "distinct"), (many, "transitions"), (blind, "`full`")] {
            let agreement = agree(Arc::clone(&model), &forged, 2, None);
            assert!(!agreement.agrees && agreement.why.contains(word), "{}", agreement.why);
        }
    }

    #[test]
    fn an_interrupted_run_is_no_agreement() {
        let grid = Grid { sides: 4, most: 2, ..Grid::default() };
        let flag = Arc::new(AtomicBool::new(true));
        let agreement = agree(Arc::new(grid.clone()), &explored(&grid), 2, Some(flag));
        assert_eq!((agreement.stateright_distinct, agreement.agrees), (None, false));
    }
}
