//! The kill matrix: every guard against every check, within bounds.
//!
//! A guard is dropped in the scopes of its exhibits and, for properties and goals, in every smoke
//! scope of the same families. The first [`STATES`] states of each scope are explored, once for all
//! checks. In the model, a property kills by a violation, and a goal by a state that does not heal.
//! The tour, the disabled actions and the schedules kill if the sound implementation diverges from
//! the unsound model. On the implementation, a property or goal kills if the store without the
//! guard follows the model's trace to the same end. The others kill if the unsound implementation
//! diverges from the sound model.
//!
//! An empty cell means that the check did not kill within these bounds. It does not mean that it
//! cannot.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rollcall_impl::{Dropped, Guards, Sound};
use rollcall_model::scopes::{self, Family, ScopePlan, Size};
use rollcall_model::{Guard, GuardSet, Rollcall, State};
use rollcall_traces::{Action, ScopeError, Subject, Trace};
use serde::Serialize;

use super::checks::Check;
use super::find::{options, with_setup_taken};
use super::implementation::follow;
use super::{MuseumError, PIECES};
use crate::conformance::{Look, TourOptions, conform};
use crate::explorer::{self, Exploration, Options};
use crate::recover::{Stuck, first_of_each};
use crate::schedules::Schedules;
use crate::walk::{violation_trace, walk};
use crate::world::World;

/// How many states of a scope are explored without a guard; the exploration ends with the chunk
/// that exceeds it.
pub const STATES: u32 = 150_000;
/// How many schedules are run.
pub const CASES: u32 = 128;

/// How one check kills one missing guard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kill {
    /// The first scope in which it does; `None` for schedules and tests.
    pub scope: Option<String>,
    /// States explored until then, for properties and goals.
    pub states_to_find: Option<u64>,
    /// Length of the trace in actions, for properties and goals.
    pub trace_steps: Option<u64>,
    /// Whether the model shows it.
    pub in_model: bool,
    /// Whether the implementation shows it.
    pub on_implementation: bool,
}

/// What kills one missing guard.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The guard.
    pub guard: String,
    /// The scopes that were searched.
    pub scopes: Vec<String>,
    /// Their states without the guard, as far as they were explored.
    pub states: u64,
    /// The checks that kill it.
    #[serde(serialize_with = "as_list")]
    pub kills: BTreeMap<Check, Kill>,
}

fn as_list<S: serde::Serializer>(kills: &BTreeMap<Check, Kill>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Entry<'a> {
        check: Check,
        #[serde(flatten)]
        kill: &'a Kill,
    }
    serializer.collect_seq(kills.iter().map(|(check, kill)| Entry { check: *check, kill }))
}

impl Row {
    fn add(&mut self, check: Check, kill: Kill) {
        let (in_model, on_implementation) = (kill.in_model, kill.on_implementation);
        if in_model || on_implementation {
            let known = self.kills.entry(check).or_insert(kill);
            known.in_model |= in_model;
            known.on_implementation |= on_implementation;
        }
    }

    fn kill(&self, check: Check) -> Kill {
        self.kills.get(&check).cloned().unwrap_or_default()
    }

    /// Whether the check has killed on both sides.
    fn is_settled(&self, check: Check) -> bool {
        let Kill { in_model, on_implementation, .. } = self.kill(check);
        in_model && on_implementation
    }
}

/// The guards that no check kills, as sentences.
pub fn unnoticed(rows: &[Row]) -> Vec<String> {
    let alive = rows.iter().filter(|row| row.kills.is_empty());
    alive.map(|row| format!("no check fails without {}", row.guard)).collect()
}

/// The checks of a whole matrix that kill no guard, as sentences.
pub fn idle(rows: &[Row]) -> Vec<String> {
    let idle = Check::all().filter(|check| rows.iter().all(|row| !row.kills.contains_key(check)));
    idle.map(|check| format!("{check} kills no guard")).collect()
}

/// The row of a guard below the model's grain: its named test kills it.
pub fn below_the_grain(guard: rollcall_impl::Guard) -> Row {
    let kill = Kill { on_implementation: true, ..Kill::default() };
    Row { guard: guard.name().into(), kills: [(Check::NamedTest, kill)].into(), ..Row::default() }
}

/// The scopes in which a guard is dropped, those of its exhibits first.
fn scopes_of(guard: Guard) -> Vec<ScopePlan> {
    let shown = PIECES.iter().filter(|piece| piece.guard == guard);
    let mut plans: Vec<ScopePlan> = shown.filter_map(|piece| scopes::named(piece.scope)).collect();
    let families: Vec<Family> = plans.iter().map(|plan| plan.family).collect();
    let smoke = Family::ALL.iter().filter(|family| families.contains(family));
    plans.extend(smoke.flat_map(|family| scopes::plans(*family, Size::Smoke)));
    let mut seen = std::collections::BTreeSet::new();
    plans.retain(|plan| seen.insert(plan.scope.name.clone()));
    plans
}

/// A scope without its reachability questions, and its exploration.
struct Explored {
    plan: ScopePlan,
    model: Rollcall,
    explored: Exploration<State>,
}

/// What the guards share: the exploration of every scope by sound rules, and the schedules that
/// these offer.
pub struct Matrix<'a> {
    threads: usize,
    interrupt: &'a AtomicBool,
    sound: BTreeMap<String, Explored>,
    offered: Option<(Schedules, Vec<Vec<Action>>)>,
}

impl<'a> Matrix<'a> {
    /// A matrix without rows.
    pub fn new(threads: usize, interrupt: &'a AtomicBool) -> Self {
        Self { threads, interrupt, sound: BTreeMap::new(), offered: None }
    }

    /// Drops one guard and runs every check. An interrupt cuts the row short.
    ///
    /// # Errors
    /// If a scope cannot begin or be explored without the guard.
    pub fn row(&mut self, guard: Guard) -> Result<Row, MuseumError> {
        let mut row = Row { guard: guard.name().into(), ..Row::default() };
        for plan in scopes_of(guard) {
            if self.interrupt.load(Ordering::Relaxed) {
                return Ok(row);
            }
            let name = plan.scope.name.clone();
            let Explored { plan, model, explored } = match self.explore(plan, GuardSet::without(guard)) {
                Ok(explored) => explored,
                // A step of its setup is decided differently.
                Err(MuseumError::Scope(ScopeError::Setup { .. })) => {
                    row.add(Check::Tour, Kill { scope: Some(name), in_model: true, ..Kill::default() });
                    continue;
                }
                Err(error) => return Err(error),
            };
            row.scopes.push(plan.scope.name.clone());
            row.states += explored.distinct();
            let without = Without { guard, plan: &plan, model: &model, explored: &explored };
            without.violations(&mut row)?;
            without.stuck(&mut row, self.interrupt)?;
            if PIECES.iter().any(|piece| piece.guard == guard && piece.scope == plan.scope.name) {
                self.conform(&without, &mut row)?;
            }
        }
        self.schedules(guard, &mut row)?;
        Ok(row)
    }

    fn explore(&self, plan: ScopePlan, guards: GuardSet) -> Result<Explored, MuseumError> {
        let plan = ScopePlan { reachable: Vec::new(), ..plan };
        let model = plan.model(guards)?;
        let options =
            Options { max_states: STATES, keep_edges: true, ..options(self.threads, false, self.interrupt) };
        let explored = explorer::explore(&model, &options, |_, _| 0)?;
        Ok(Explored { plan, model, explored })
    }

    /// Compares each side without the guard with the other side with all guards.
    fn conform(&mut self, without: &Without<'_>, row: &mut Row) -> Result<(), MuseumError> {
        let name = &without.plan.scope.name;
        let looks = [(Check::Tour, Look::Transitions), (Check::Refusals, Look::Refusals)];
        if looks.iter().all(|(check, _)| row.is_settled(*check)) {
            return Ok(());
        }
        if !self.sound.contains_key(name) {
            let sound = self.explore(without.plan.clone(), GuardSet::ALL)?;
            self.sound.insert(name.clone(), sound);
        }
        let sound = &self.sound[name];
        let dropped = rollcall_impl::Guard::from_name(without.guard.name()).map(Dropped);
        for (check, look) in looks {
            let known = row.kill(check);
            let in_model = !known.in_model && self.parts(look, Sound, without.model, without.explored);
            let drops = dropped.filter(|_| !known.on_implementation);
            let on_implementation =
                drops.is_some_and(|dropped| self.parts(look, dropped, &sound.model, &sound.explored));
            row.add(
                check,
                Kill { scope: Some(name.clone()), in_model, on_implementation, ..Kill::default() },
            );
        }
        Ok(())
    }

    /// Whether the implementation diverges from the model.
    fn parts<G: Guards + Send + Sync>(
        &self,
        look: Look,
        guards: G,
        model: &Rollcall,
        explored: &Exploration<State>,
    ) -> bool {
        // A refused setup is a transition that differs.
        if World::new(guards).reset(model.scope()).is_err() {
            return look == Look::Transitions;
        }
        let covered = AtomicU64::new(0);
        let tour_options = TourOptions { look, ..TourOptions::with_threads(self.threads) };
        conform(tour_options, guards, model, explored, self.interrupt, &covered).divergence.is_some()
    }

    fn schedules(&mut self, guard: Guard, row: &mut Row) -> Result<(), MuseumError> {
        let interrupt = self.interrupt;
        if self.offered.is_none() {
            let sound = Schedules::new(GuardSet::ALL)?;
            let drawn = sound.drawn(CASES, interrupt).collect();
            self.offered = Some((sound, drawn));
        }
        let Some((sound, drawn)) = &self.offered else { return Ok(()) };
        let on_implementation = rollcall_impl::Guard::from_name(guard.name()).is_some_and(|guard| {
            let mut world = World::new(Dropped(guard));
            let go_on = |_: &&Vec<Action>| !interrupt.load(Ordering::Relaxed);
            let mut drawn = drawn.iter().take_while(go_on);
            drawn.any(|actions| sound.disagreement(&mut world, actions, |_| {}).is_some())
        });
        let without = Schedules::new(GuardSet::without(guard))?;
        let mut world = World::new(Sound);
        let mut drawn = without.drawn(CASES, interrupt);
        let in_model = drawn.any(|actions| without.disagreement(&mut world, &actions, |_| {}).is_some());
        row.add(Check::Schedules, Kill { in_model, on_implementation, ..Kill::default() });
        Ok(())
    }
}

/// A scope without the guard.
struct Without<'a> {
    guard: Guard,
    plan: &'a ScopePlan,
    model: &'a Rollcall,
    explored: &'a Exploration<State>,
}

impl Without<'_> {
    fn violations(&self, row: &mut Row) -> Result<(), MuseumError> {
        for property in self.model.checked() {
            let check = Check::Property(*property);
            let verdict = self.explored.verdicts.iter().find(|verdict| verdict.property == property.name());
            let Some(state) = verdict.and_then(|verdict| verdict.first) else { continue };
            if row.is_settled(check) {
                continue;
            }
            let trace = violation_trace(self.model, self.explored, property.name(), state);
            let shown = self.with_setup(&trace)?;
            let is_violated = |violated: Vec<String>| violated.iter().any(|name| name == property.name());
            row.add(check, self.kill(state, &trace, self.followed(&shown).is_some_and(is_violated)));
        }
        Ok(())
    }

    fn stuck(&self, row: &mut Row, interrupt: &AtomicBool) -> Result<(), MuseumError> {
        for (goal, stuck) in first_of_each(self.model, self.explored, interrupt) {
            let check = Check::Goal(goal);
            if row.is_settled(check) {
                continue;
            }
            let trace = self.healing(&stuck);
            let shown = self.with_setup(&trace)?;
            row.add(check, self.kill(stuck.state, &trace, self.followed(&shown).is_some()));
        }
        Ok(())
    }

    /// The path to a state that does not heal, and all of its healing.
    fn healing(&self, stuck: &Stuck) -> Trace {
        let way = self.explored.trace(self.model, stuck.state).steps.into_iter().map(|(action, _)| action);
        walk(self.model, way.chain(stuck.healing.iter().cloned()))
    }

    /// The trace with the setup as its first steps, if the guard decides a step of the setup.
    fn with_setup(&self, trace: &Trace) -> Result<Trace, MuseumError> {
        with_setup_taken(trace, self.model, self.model.checked())
    }

    /// The properties that the implementation without the guard violates at the end of the trace;
    /// `None` if it does not follow the trace.
    fn followed(&self, trace: &Trace) -> Option<Vec<String>> {
        let guard = rollcall_impl::Guard::from_name(self.guard.name())?;
        follow(World::new(Dropped(guard)), trace).ok()
    }

    fn kill(&self, state: u32, trace: &Trace, on_implementation: bool) -> Kill {
        Kill {
            scope: Some(self.plan.scope.name.clone()),
            states_to_find: Some(u64::from(state) + 1),
            trace_steps: Some(trace.steps.len() as u64),
            in_model: true,
            on_implementation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn killed_by(guard: &str, checks: impl IntoIterator<Item = Check>) -> Row {
        let kill = Kill { in_model: true, ..Kill::default() };
        let kills = checks.into_iter().map(|check| (check, kill.clone())).collect();
        Row { guard: guard.into(), kills, ..Row::default() }
    }

    #[test]
    fn a_guard_that_no_check_kills_is_named() {
        let rows = [killed_by("one", [Check::Tour]), killed_by("alive", [])];
        assert_eq!(unnoticed(&rows), ["no check fails without alive"]);
        assert_eq!(unnoticed(&rows[..1]), Vec::<String>::new());
    }

    #[test]
    fn a_check_that_kills_no_guard_is_named() {
        let most = killed_by("most", Check::all().filter(|check| *check != Check::Tour));
        let rows = [most, killed_by("one", [Check::Tour])];
        assert_eq!(idle(&rows[..1]), ["tour kills no guard"]);
        assert_eq!(idle(&rows), Vec::<String>::new());
    }
}
