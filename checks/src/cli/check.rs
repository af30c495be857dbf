//! `check`: explores one scope in the model, and heals it from every state. A file's own scope
//! begins after the file's steps.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Result, bail};
use rollcall_model::liveness::Goal;
use rollcall_model::properties::Property;
use rollcall_model::scopes::Size;
use rollcall_model::{GuardSet, Rollcall, State};
use rollcall_traces::{Action, Divergence, Trace};
use serde::Serialize;

use super::end::{End, INTERRUPTED};
use super::hosts::{Begun, Sharing, Spread};
use super::lasting::Lasting;
use super::out::{errln, grouped, outln};
use super::selected::SelectedScope;
use super::{out, terminal};
use crate::decides::decides;
use crate::explorer::{Bound, Ended, Exploration, Keep, Kept, Options, Processes};
use crate::journal::Journal;
use crate::lookup;
use crate::lookup::Owed;
use crate::museum::PIECES;
use crate::recover::{HealingOptions, Recovery, Stuck, first_that_misses, in_a_line, recover_from};
use crate::verify::{ScopeReport, check_stuck_reasons, covered, judge_recovery, report_of};
use crate::walk::{SHOWN, stuck_trace, violation_trace};

/// The arguments of `check`.
pub(super) struct Wanted<'a> {
    pub(super) scope: &'a str,
    pub(super) without: Option<&'a str>,
    pub(super) properties: &'a [String],
    pub(super) out: Option<&'a Path>,
    pub(super) json: bool,
    /// Whether to heal; `None` decides by size.
    pub(super) heal: Option<bool>,
    /// Who explores.
    pub(super) sharing: &'a Sharing,
    pub(super) lasting: &'a Lasting,
}

/// What `check --json` prints. A figure that was not measured is `None`.
#[derive(Default, Serialize)]
struct Checked {
    scope: String,
    without: Option<String>,
    /// `holds`, `violated` (a property or a goal), `fails` (another requirement of the scope),
    /// `diverged` (the file's own steps) or `not conclusive`.
    verdict: &'static str,
    distinct_states: u64,
    transitions: u64,
    depth: u32,
    exhausted: bool,
    resumed_states: Option<u64>,
    /// The properties that were checked in every state.
    judged: Vec<&'static str>,
    /// The properties of the scope that no action in it could violate.
    idle: Vec<&'static str>,
    /// The goals that were checked; empty if no state was healed.
    goals: Vec<&'static str>,
    healed_states: Option<u64>,
    /// How many states have each stuck reason.
    stuck: BTreeMap<String, u64>,
    /// Whether the dropped guard changes any outcome here.
    guard_decides: Option<bool>,
    /// The violated property or missed goal.
    violation: Option<String>,
    /// Everything that is wrong, as sentences.
    failures: Vec<String>,
    trace_steps: Option<usize>,
    trace: Option<String>,
}

pub(super) fn run(wanted: &Wanted<'_>) -> Result<End> {
    let selected = match SelectedScope::of(wanted.scope, wanted.without)? {
        Ok(selected) => selected,
        Err(divergence) => return diverged(wanted, &divergence),
    };
    Check::new(wanted, selected)?.run()
}

/// Reports that the file's steps differ from the model's.
fn diverged(wanted: &Wanted<'_>, divergence: &Divergence) -> Result<End> {
    if wanted.json {
        let without = wanted.without.map(Into::into);
        let failures = vec![divergence.to_string()];
        let scope = wanted.scope.into();
        let report = Checked { scope, without, verdict: "diverged", failures, ..Checked::default() };
        outln!("{}", serde_json::to_string(&report)?);
    } else {
        outln!(
            "{}:\n{divergence}  its scope was not explored, because it begins after the steps",
            wanted.scope
        );
    }
    Ok(End::Violated)
}

struct Check<'a> {
    wanted: &'a Wanted<'a>,
    selected: SelectedScope,
    /// The goals to check; `None` checks all.
    goals: Option<Vec<Goal>>,
    heals: bool,
    model: Rollcall,
    report: Checked,
}

/// A violation, and the trace to it.
struct Found {
    name: String,
    trace: Trace,
    /// The whole healing from a state that does not heal. The trace has its beginning.
    healing: Option<Vec<Action>>,
}

impl<'a> Check<'a> {
    fn new(wanted: &'a Wanted<'a>, mut selected: SelectedScope) -> Result<Self> {
        let goals = choose(&mut selected, wanted.properties)?;
        let model = selected.plan.model(selected.guards)?;
        let chosen = goals.as_ref().is_some_and(|goals| !goals.is_empty());
        let by_itself = goals.is_none() && selected.plan.size != Size::Deep;
        let is_spread = matches!(wanted.sharing, Sharing::Hosts(_));
        if is_spread && chosen {
            bail!("--hosts explores without healing, so it cannot judge a goal");
        }
        let heals = !is_spread && wanted.heal.unwrap_or(chosen || by_itself);
        let (idle, judged): (Vec<Property>, Vec<Property>) = selected
            .plan
            .properties
            .iter()
            .partition(|property| property.idle_in(&selected.plan.scope).is_some());
        let names = |of: Vec<Property>| of.iter().map(|property| property.name()).collect();
        let report = Checked {
            scope: selected.name(),
            without: wanted.without.map(Into::into),
            judged: names(judged),
            idle: names(idle),
            ..Checked::default()
        };
        Ok(Self { wanted, selected, goals, heals, model, report })
    }

    fn run(mut self) -> Result<End> {
        if let Some((property, step)) = self.selected.violated_on_the_way() {
            let (name, step) = (property.to_owned(), step as usize);
            let taken = self.selected.steps.as_ref().map(|steps| steps.taken.clone());
            let mut trace = taken.expect("there are steps on the way");
            trace.steps.truncate(step);
            self.report.failures.push(format!("{name} is violated by the file's own steps"));
            return self.conclude(Some(Found { name, trace, healing: None }));
        }
        let journal = self.wanted.lasting.journal_of(&self.selected.plan);
        let lasting = self.wanted.lasting;
        let begun = self.wanted.sharing.begin(&self.model, journal.as_deref(), lasting.pace())?;
        let Begun { journal: opened, kept, processes } = match begun {
            Ok(begun) => begun,
            Err(why) => return self.ended_before_its_end(&why),
        };
        self.report.resumed_states = opened.as_ref().map(|_| kept.states());
        let started = Instant::now();
        let explored = match self.explore(opened.as_ref(), (kept, processes))? {
            Ok(explored) => explored,
            Err(why) => return self.ended_before_its_end(&why),
        };
        let mut report = report_of(&self.selected.plan, &explored, started.elapsed().as_secs_f64());
        self.report.distinct_states = explored.distinct();
        self.report.transitions = explored.transitions;
        self.report.depth = explored.depth();
        self.report.exhausted = explored.is_exhausted();
        let found = self.judge(&explored, &mut report)?;
        if let Ended::Stopped(bound) = explored.ended
            && found.is_none()
        {
            errln!("not conclusive: {bound}; {}", covered(&explored));
            if let (Bound::NotKept(_), Some(journal), None) = (bound, &opened, &explored.levels) {
                let kept = journal.lock().expect("no thread panics while it holds this lock").states();
                errln!("  the journal holds {kept} of these states to go on from");
            }
            lasting.say_how_to_go_on(&[journal]);
        } else if found.is_none() && !self.report.exhausted {
            // It was explored, and not yet healed completely.
            lasting.say_how_to_go_on(&[journal]);
        } else {
            lasting.remove(&[journal])?;
        }
        self.conclude(found)
    }

    /// Several processes explore, or would have explored, and something came between.
    fn ended_before_its_end(mut self, why: &str) -> Result<End> {
        errln!("rollcall: not conclusive: {why}");
        self.report.verdict = "not conclusive";
        if self.wanted.json {
            outln!("{}", serde_json::to_string(&self.report)?);
        }
        Ok(End::NotConclusive)
    }

    /// What was explored; or why several processes could not.
    fn explore(
        &self,
        journal: Option<&Mutex<Journal>>,
        from: (Kept, Option<Processes>),
    ) -> Result<Result<Exploration<State>, String>> {
        let interrupt = Arc::clone(&INTERRUPTED);
        let options = Options {
            stop_at_first_violation: true,
            keep_edges: false,
            interrupt: Some(&interrupt),
            memory: Some(self.wanted.lasting.memory()),
            keep: journal.map(|journal| journal as &Mutex<dyn Keep>),
            threads: super::lasting::default_threads(),
            ..Options::default()
        };
        self.wanted.sharing.explore(&self.model, options, from)
    }

    /// This process among several, unless it is the one that says everything.
    fn is_other(&self) -> Option<&'a Spread> {
        match self.wanted.sharing {
            Sharing::Hosts(spread) if spread.me > 0 => Some(spread),
            _ => None,
        }
    }

    /// Returns a violation or a state that does not heal; adds everything else to the failures.
    fn judge(&mut self, explored: &Exploration<State>, report: &mut ScopeReport) -> Result<Option<Found>> {
        let first =
            explored.violations().filter_map(|verdict| Some((verdict.first?, verdict.property))).min();
        if let Some((state, property)) = first {
            self.report.failures.push(format!("{property} is violated"));
            let trace = violation_trace(&self.model, explored, property, state);
            return Ok(Some(Found { name: property.into(), trace, healing: None }));
        }
        if !explored.is_exhausted() {
            return Ok(None);
        }
        // What the plan requires to be reached and to fire holds for the sound rules and all goals.
        let asks_all = self.wanted.without.is_none() && self.goals.is_none();
        if asks_all {
            self.report.failures.append(&mut report.failures);
        }
        let found = if self.heals { self.heal(explored, report)? } else { None };
        let has_all = explored.levels.is_none();
        if found.is_none() && has_all && self.wanted.without.is_some() {
            let sound = self.sound();
            let threads = super::lasting::default_threads();
            let begins = self.selected.plan.model(sound).is_ok_and(|sound| {
                sound.cluster(&sound.first()).view() == self.model.cluster(&self.model.first()).view()
            });
            self.report.guard_decides = if begins {
                decides(sound, &self.model, explored, threads, &INTERRUPTED)
            } else {
                Some(true)
            };
        }
        Ok(found)
    }

    /// The guards of the file alone: what `--without` drops holds again.
    fn sound(&self) -> GuardSet {
        let own = self.selected.steps.iter().flat_map(|steps| &steps.taken.header.without);
        let own = own.filter_map(|name| rollcall_model::Guard::from_name(name));
        own.fold(GuardSet::ALL, GuardSet::and_without)
    }

    fn heal(&mut self, explored: &Exploration<State>, report: &mut ScopeReport) -> Result<Option<Found>> {
        let threads = super::lasting::default_threads();
        let recovery =
            recover_from(HealingOptions::default(), &self.model, explored, 0, |_| {}, threads, &INTERRUPTED);
        let owed = |goal: &&Goal| goal.idle_in(&self.selected.plan.scope).is_none();
        let owed = || Goal::ALL.iter().filter(owed).copied().collect();
        let goals = self.goals.clone().unwrap_or_else(owed);
        self.report.goals = goals.iter().map(|goal| goal.name()).collect();
        let Recovery { recovered, stuck, finished, .. } = &recovery;
        if !finished && stuck.is_none() {
            self.report.exhausted = false;
            errln!("not conclusive: interrupted after {} states were healed", grouped(*recovered));
            return Ok(None);
        }
        self.report.healed_states = Some(*recovered);
        if let Some(stuck) = stuck {
            return Ok(self.stuck(explored, report, stuck, &goals));
        }
        if self.goals.is_some() {
            return Ok(None);
        }
        let (plan, may_end) = (&self.selected.plan, self.selected.may_end.as_deref());
        let other = check_stuck_reasons(report, plan, may_end, &self.model, explored, &recovery);
        self.report.stuck = std::mem::take(&mut report.stuck);
        if self.wanted.without.is_none() {
            self.report.failures.append(&mut report.failures);
        }
        let other = other?.filter(|_| self.wanted.without.is_none());
        Ok(other.map(|trace| Found { name: "stuck".into(), trace, healing: None }))
    }

    fn stuck(
        &mut self,
        explored: &Exploration<State>,
        report: &mut ScopeReport,
        first: &Stuck,
        goals: &[Goal],
    ) -> Option<Found> {
        // An earlier state may miss another goal.
        let is_asked = first.missed.iter().any(|missed| goals.contains(&missed.goal));
        let later = || {
            let of = |goal: &Goal| first_that_misses(&self.model, explored, *goal, &INTERRUPTED);
            goals.iter().filter_map(of).min_by_key(|stuck| stuck.state)
        };
        let mut stuck = if is_asked { first.clone() } else { later()? };
        stuck.missed.retain(|missed| goals.contains(&missed.goal));
        let recovery = Recovery { stuck: Some(stuck.clone()), ..Recovery::default() };
        report.failures.clear();
        judge_recovery(report, &self.model, explored, &recovery);
        self.report.failures.append(&mut report.failures);
        let name = stuck.first().goal.name().into();
        let trace = stuck_trace(&self.model, explored, &stuck);
        Some(Found { name, trace, healing: Some(stuck.healing) })
    }

    /// Prints the finding and writes the trace.
    fn conclude(mut self, found: Option<Found>) -> Result<End> {
        let is_over = INTERRUPTED.load(Ordering::SeqCst) && found.is_none();
        let (verdict, end) =
            match (&found, self.report.failures.is_empty(), self.report.exhausted && !is_over) {
                (Some(_), _, _) => ("violated", End::Violated),
                (None, false, true) => ("fails", End::Violated),
                (None, true, true) => ("holds", End::Holds),
                (None, _, false) => ("not conclusive", End::NotConclusive),
            };
        self.report.verdict = verdict;
        let (mut trace, mut path, mut healing) = (None, None, None);
        if let Some(Found { name, trace: found, healing: found_healing }) = found {
            healing = found_healing;
            let whole = if self.selected.violated_on_the_way().is_some() {
                found
            } else {
                self.selected.with_steps(found)?
            };
            self.report.trace_steps = Some(whole.steps.len());
            // For a violation in its own steps, the file itself is the trace.
            path = match (self.wanted.out, self.selected.violated_on_the_way()) {
                _ if self.is_other().is_some() => None,
                (Some(path), _) => Some(path.to_path_buf()),
                (None, Some(_)) => None,
                (None, None) => Some(default_name(&self.model, &name).into()),
            };
            self.report.violation = Some(name);
            trace = Some(whole);
        }
        if self.wanted.json {
            if let (Some(trace), Some(path)) = (&trace, &path) {
                self.report.trace = out::keep(trace, path).then(|| path.display().to_string());
            }
            outln!("{}", serde_json::to_string(&self.report)?);
            return Ok(end);
        }
        if let Some(spread) = self.is_other() {
            let (me, all) = (spread.me, spread.processes());
            outln!("{}: {verdict} (process {me} of {all}; process 0 says more)", self.report.scope);
            return Ok(end);
        }
        match &trace {
            Some(trace) => {
                say_trace(trace, healing.as_deref())?;
                self.say_violation();
                if let Some(path) = path.filter(|path| out::keep(trace, path)) {
                    outln!("  the trace is in {0}; to see it again: rollcall show {0}", path.display());
                }
            }
            None => self.say_what_holds(),
        }
        outln!("{}: {verdict}", self.report.scope);
        Ok(end)
    }

    fn say_violation(&self) {
        let Checked { scope, violation, trace_steps, distinct_states, failures, .. } = &self.report;
        let name = violation.as_deref().unwrap_or_default();
        let steps = trace_steps.unwrap_or(0);
        let how = match () {
            () if Goal::from_name(name).is_some() => "is missed once faults stop",
            () if Property::from_name(name).is_some() => "is violated",
            () => "is not a reason that the scope lists",
        };
        let found = match distinct_states {
            0 => "before anything was explored".into(),
            states => format!("found among {states} states"),
        };
        outln!("{scope}: {name} {how} after {steps} steps, {found}");
        failures.iter().for_each(|failure| outln!("  {failure}"));
        let of = self.wanted.without.unwrap_or(name);
        outln!("  more: rollcall explain {of}");
    }

    fn say_what_holds(&self) {
        let Checked { scope, distinct_states, transitions, depth, exhausted, .. } = &self.report;
        if !exhausted {
            outln!("{scope}: stopped after {distinct_states} states at depth {depth}");
            return;
        }
        self.report.failures.iter().for_each(|failure| outln!("  fails: {failure}"));
        let what = match self.report.judged.len() {
            0 => "nothing is judged",
            1 => "the property holds",
            _ => "every property holds",
        };
        outln!("{scope}: {what} in {distinct_states} states and {transitions} transitions, to depth {depth}");
        let listed = |what: &str, names: &[&str]| {
            if !names.is_empty() {
                outln!("{}", out::wrapped(&format!("  {what}: {}", names.join(", "))));
            }
        };
        listed("judged in every state", &self.report.judged);
        listed("cannot fail in this scope", &self.report.idle);
        match self.report.healed_states {
            Some(healed) => {
                listed(&format!("met once faults stop, from {healed} states"), &self.report.goals)
            }
            None if matches!(self.wanted.sharing, Sharing::Hosts(_)) => {
                outln!("  healing was not checked (not with `--hosts`)");
            }
            None => outln!("  healing was not checked (`--heal`)"),
        }
        for (stuck_reason, states) in &self.report.stuck {
            outln!("  {} states miss a goal for a listed reason: {stuck_reason}", grouped(*states));
        }
        let (covered, not_covered) = (self.selected.plan.covered(), self.selected.plan.not_covered());
        let covered = if covered.is_empty() { "only actions without a budget".into() } else { covered };
        outln!("{}", out::wrapped(&format!("  it allows {covered}; it has no {not_covered}")));
        if self.selected.steps.is_some() && self.report.transitions == 0 {
            outln!(
                "  no action is possible after the steps: only their end was checked; give the scope budgets"
            );
        }
        self.say_of_the_guard();
    }

    fn say_of_the_guard(&self) {
        let (Some(guard), Some(decides)) = (self.wanted.without, self.report.guard_decides) else { return };
        if decides {
            outln!("  {guard} changes some steps of this scope, and no property or goal breaks without it");
            return;
        }
        outln!("  {guard} changes no step of this scope, so this result says nothing about the guard");
        let elsewhere: Vec<&str> =
            PIECES.iter().filter(|piece| piece.guard.name() == guard).map(|piece| piece.scope).collect();
        if !elsewhere.is_empty() {
            outln!(
                "  it changes steps of: {0} (rollcall check {1} --without {guard})",
                elsewhere.join(", "),
                elsewhere[0]
            );
        }
    }
}

/// Prints the path into a violation. A failed healing takes one line: its steps repeat, and the
/// file has them.
fn say_trace(trace: &Trace, healing: Option<&[Action]>) -> Result<()> {
    let mut way = trace.clone();
    if let Some(healing) = healing {
        way.steps.truncate(trace.steps.len() - healing.len().min(SHOWN));
        way.verdict = None;
    }
    out::say(&terminal::trace(&way))?;
    if let Some(healing) = healing {
        outln!("{}", out::wrapped(&format!("  {}", in_a_line(healing))));
    }
    Ok(())
}

/// Limits the plan to the named properties and returns the named goals. `None` means that nothing
/// is named, and everything is checked.
fn choose(selected: &mut SelectedScope, names: &[String]) -> Result<Option<Vec<Goal>>> {
    if names.is_empty() {
        return Ok(None);
    }
    let (mut properties, mut goals) = (Vec::new(), Vec::new());
    for name in names {
        match lookup::owed(name)? {
            Owed::Property(property) => {
                if let Some(why) = property.idle_in(&selected.plan.scope) {
                    anyhow::bail!("{name} cannot fail in {}: {why}", selected.name());
                }
                properties.push(property);
            }
            Owed::Goal(goal) => {
                if let Some(why) = goal.idle_in(&selected.plan.scope) {
                    anyhow::bail!("{name} cannot fail in {}: {why}", selected.name());
                }
                goals.push(goal);
            }
        }
    }
    selected.plan.properties = properties;
    Ok(Some(goals))
}

fn default_name(model: &Rollcall, property: &str) -> String {
    let dropped: String = model.guards().dropped().map(|guard| format!("-without-{guard}")).collect();
    format!("{}{dropped}-{property}.jsonl", model.scope().name)
}
