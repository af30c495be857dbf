//! `replay`: a trace or scenario, or a folder of them, on the implementation. `heal`: heals the
//! last state of a file.
//!
//! A scenario without outcomes and views is replayed against the model: the implementation must
//! show what the model does by the scenario's rules.
//!
//! A file of a folder must show what it states: by the guards in its header, on both sides, with
//! the violation that it states.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rollcall_impl::{Guard, Lacking};
use rollcall_model::ModelSubject;
use rollcall_traces::{
    Divergence, GuardNote, ReplayError, Replayed, Scenario, Sides, Subject, Trace, record_again, replay,
};

use super::end::End;
use super::heal::{Healing, Side};
use super::named::Named;
use super::out::errln;
use super::stated::{judged, missed, misstated, states};
use super::{explain, named, out, terminal};
use crate::judge::Judge;
use crate::lookup;
use crate::places;
use crate::world::World;

/// The arguments of a replay.
pub(super) struct Wanted<'a> {
    pub(super) path: &'a Path,
    /// The guards that the implementation lacks.
    pub(super) without: &'a [String],
    pub(super) out: Option<&'a Path>,
    pub(super) heal: Heal,
    /// Whether the file is judged against its own header and verdict.
    pub(super) as_stated: bool,
}

/// Whether the last state is healed, and what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heal {
    /// It is not healed.
    No,
    /// The result is printed.
    End,
    /// The steps are printed, too. The implementation lacks the guards that the file drops.
    Steps,
}

pub(super) fn run(wanted: &Wanted<'_>) -> Result<End> {
    let Wanted { path, without, out, heal, as_stated } = wanted;
    let lacking = without.iter().map(|name| guard_of(name)).collect::<Result<Vec<_>>>()?;
    let name = path.to_string_lossy();
    if !path.exists() && rollcall_model::scopes::named(&name).is_some() {
        bail!("{name} is a scope, not a file; `rollcall check {name}` explores it and heals every state");
    }
    if path.is_dir() {
        if out.is_some() {
            bail!("--out takes one file, and {} is a folder", path.display());
        }
        return all(path, &lacking, *heal);
    }
    let by = By { lacking, own_rules: *as_stated || *heal == Heal::Steps, heal: *heal };
    let mut seen = one(path, &by)?;
    if let Found::Diverged(divergence) = &mut seen.found {
        let without: String = without.iter().map(|guard| format!(" --without {guard}")).collect();
        let command = match (heal, as_stated) {
            (Heal::Steps, _) => "heal",
            (_, true) => "replay --as-stated",
            (_, false) => "replay",
        };
        divergence.places = places::of_divergence(divergence);
        divergence.command = Some(format!("rollcall {command} {}{without}", path.display()));
    }
    out::say(&seen.words(path))?;
    let shows = *as_stated && seen.shows_what_it_states();
    let end = if shows { End::Holds } else { seen.end() };
    match (out, &seen.trace) {
        (Some(into), Some(trace)) if end == End::Holds => trace.write(into)?,
        (Some(into), Some(trace)) => {
            out::keep(trace, into);
        }
        _ => {}
    }
    Ok(end)
}

/// Replays every file of a folder and of its subfolders, and counts those that show what they
/// state.
fn all(folder: &Path, lacking: &[Guard], heal: Heal) -> Result<End> {
    let files = files_of(folder)?;
    let by = By { lacking: lacking.to_vec(), own_rules: true, heal };
    let (mut good, mut failing, mut unread) = (0, Vec::new(), Vec::new());
    for file in &files {
        match one(file, &by) {
            Ok(seen) => {
                out::say(&seen.words(file))?;
                if seen.shows_what_it_states() { good += 1 } else { failing.push(file) }
            }
            Err(error) => {
                errln!("rollcall: {}", super::end::in_a_line(&error));
                unread.push(file);
            }
        }
    }
    let listed = |files: &[&PathBuf]| {
        files
            .iter()
            .map(|file| format!("\n  rollcall replay --as-stated {}", file.display()))
            .collect::<String>()
    };
    let mut text = format!("{}: {good} of {} files show what they state\n", folder.display(), files.len());
    if !failing.is_empty() {
        text = format!(
            "{} of {} files do not show what they state:{}\n{text}",
            failing.len(),
            files.len(),
            listed(&failing)
        );
    }
    if !unread.is_empty() {
        text = format!(
            "{} of {} files cannot be replayed:{}\n{text}",
            unread.len(),
            files.len(),
            listed(&unread)
        );
    }
    out::say(&text)?;
    match (failing.is_empty(), unread.is_empty()) {
        (false, _) => Ok(End::Violated),
        (true, false) => bail!("{} of {} files cannot be replayed", unread.len(), files.len()),
        (true, true) => Ok(End::Holds),
    }
}

/// The implementation's guard of that name.
pub(super) fn guard_of(name: &str) -> Result<Guard> {
    lookup::any_guard(name)?;
    match Guard::from_name(name) {
        Some(guard) => Ok(guard),
        None => bail!("the implementation cannot drop `{name}`: raft-rs decides it"),
    }
}

/// The rules of a replay.
struct By {
    /// The guards that the implementation lacks.
    lacking: Vec<Guard>,
    /// Whether it also lacks those that the file drops.
    own_rules: bool,
    heal: Heal,
}

/// The result of one file.
struct Seen {
    found: Found,
    /// Every step with its outcome and view, up to where it ended.
    trace: Option<Trace>,
    /// The healing from its end, and whether its steps are printed.
    healed: Option<(Healing, Side, bool)>,
}

enum Found {
    Agreed(Agreed),
    Diverged(Box<Divergence>),
    /// A step of the file is refused.
    Refused(String),
}

/// The implementation showed what the trace says.
struct Agreed {
    replayed: Replayed,
    /// The guard for which only the model was asked: raft-rs cannot drop it.
    only_model: Option<String>,
    /// The first violation, and its step.
    violated: Option<(String, u64)>,
    /// Whether the file itself states that violation.
    is_stated: bool,
    /// The goals that are missed, if the file's verdict is a goal.
    missed: Vec<String>,
    /// What the file states about violations and is wrong.
    misstated: Vec<String>,
    /// Whether the file states the outcome of some step.
    states: bool,
    /// Whether any property was checked.
    judges: bool,
}

impl Seen {
    fn words(&self, file: &Path) -> String {
        let mut text = match &self.found {
            Found::Agreed(agreed) => agreed.words(file, self.healed.is_some()),
            Found::Diverged(divergence) => {
                let more = explain::pointer(divergence).map_or(String::new(), |more| more + "\n");
                format!("{}:\n{}\n{more}", file.display(), terminal::divergence(divergence))
            }
            Found::Refused(why) => format!("{why}\n"),
        };
        if let Some((healing, side, shown)) = &self.healed {
            if *shown {
                text += &healing.schedule();
            }
            text += &healing.words(file, side);
        }
        text
    }

    fn end(&self) -> End {
        let is_good = match &self.found {
            Found::Agreed(agreed) => {
                agreed.violated.is_none() && agreed.missed.is_empty() && agreed.misstated.is_empty()
            }
            Found::Diverged(_) | Found::Refused(_) => false,
        };
        if is_good && self.heals() { End::Holds } else { End::Violated }
    }

    fn heals(&self) -> bool {
        self.healed.as_ref().is_none_or(|(healing, side, _)| healing.is_good() && side.is_good())
    }

    fn shows_what_it_states(&self) -> bool {
        match &self.found {
            Found::Agreed(agreed) => {
                let is_stated = agreed.violated.is_none() || agreed.is_stated;
                is_stated && agreed.misstated.is_empty() && (self.heals() || !agreed.missed.is_empty())
            }
            Found::Diverged(_) | Found::Refused(_) => false,
        }
    }
}

impl Agreed {
    fn words(&self, file: &Path, heals: bool) -> String {
        let Replayed { steps, views, expectations, .. } = self.replayed;
        let side = if self.only_model.is_some() { "model" } else { "implementation" };
        let mut text = format!(
            "{}: the {side} agrees: {steps} steps, {views} views compared, {expectations} expectations met\n",
            file.display()
        );
        if let Some(guard) = &self.only_model {
            text += &format!(
                "{}: the implementation did not replay it: it cannot drop {guard}\n",
                file.display()
            );
        }
        if let Some((property, step)) = &self.violated {
            let states = if self.is_stated { ", as it states" } else { "" };
            text += &format!("{}: {property} is violated at step {step}{states}\n", file.display());
        }
        for missed in &self.missed {
            text += &format!("{}: once faults stop: {missed}\n", file.display());
        }
        for wrong in &self.misstated {
            text += &format!("{}: {wrong}\n", file.display());
        }
        if !self.states && !self.judges && !heals {
            text += &format!(
                "{}: it has no `expect`, `outcome` or `properties`; the replay only shows that its steps can be taken\n",
                file.display()
            );
        }
        text
    }
}

fn one(file: &Path, by: &By) -> Result<Seen> {
    let (scenario, named) = named::read(file)?;
    let (stated, expected, sides) = match scenario.recorded() {
        Some(trace) => (trace.clone(), trace, Sides::TRACE_AND_IMPL),
        None => match taken(file, &scenario, &named)? {
            Ok((stated, filled)) => (stated, filled, Sides::MODEL_AND_IMPL),
            Err(seen) => return Ok(*seen),
        },
    };
    let mut lacking = by.lacking.clone();
    if by.own_rules {
        let own = expected.header.without.iter().filter_map(|name| Guard::from_name(name));
        lacking.extend(own.collect::<Vec<_>>());
    }
    let not_here = expected.header.without.iter().find(|name| Guard::from_name(name).is_none());
    if let Some(guard) = not_here.filter(|_| by.own_rules) {
        return on_the_model(file, &scenario, &named, by, guard);
    }
    let deciders = deciders(&expected.header.without, &lacking, &sides);
    let mut world = World::new(Lacking(&lacking));
    let replayed = match diverged_or_error(file, replay(&mut world, &expected, sides))? {
        Ok(replayed) => replayed,
        Err(mut divergence) => {
            divergence.guards = deciders;
            return Ok(Seen { found: Found::Diverged(divergence), trace: Some(expected), healed: None });
        }
    };
    let healed = match by.heal {
        Heal::No => None,
        heal => {
            let side = world
                .healed()
                .map_or_else(|| Side::NotAsked("the replica cannot be healed".into()), Side::Healed);
            Some((Healing::of(&expected, named.guards)?, side, heal == Heal::Steps))
        }
    };
    let missed = missed(&stated, &world);
    let found = agreed(&scenario, &named, &stated, &expected, replayed, missed);
    Ok(Seen { found: Found::Agreed(found), trace: Some(expected), healed })
}

/// The views equal the expected ones, so those are judged.
fn agreed(
    scenario: &Scenario,
    named: &Named,
    stated: &Trace,
    expected: &Trace,
    replayed: Replayed,
    missed: Vec<String>,
) -> Agreed {
    let judged = judged(expected, named);
    let violated = judged.iter().find_map(|(step, names)| Some((names.first()?.clone(), *step)));
    let is_stated = violated.as_ref().is_some_and(|violated| states(stated, violated));
    let misstated = misstated(stated, &judged, &missed);
    let (states, judges) = (scenario.checks() > 0, !named.properties.is_empty());
    Agreed { replayed, only_model: None, violated, is_stated, missed, misstated, states, judges }
}

/// A file that drops a guard that raft-rs always has.
fn on_the_model(file: &Path, scenario: &Scenario, named: &Named, by: &By, guard: &str) -> Result<Seen> {
    let (stated, expected) = match taken(file, scenario, named)? {
        Ok(both) => both,
        Err(seen) => return Ok(*seen),
    };
    let mut model = ModelSubject::new(named.guards, &[]);
    let replayed = match diverged_or_error(file, replay(&mut model, &expected, Sides::TRACE_AND_MODEL))? {
        Ok(replayed) => replayed,
        Err(divergence) => return Ok(Seen { found: Found::Diverged(divergence), trace: None, healed: None }),
    };
    let healing = Healing::of(&expected, named.guards)?;
    let missed = super::stated::missed_of(&stated, || healing.missed());
    let found = agreed(scenario, named, &stated, &expected, replayed, missed);
    let found = Found::Agreed(Agreed { only_model: Some(guard.to_owned()), ..found });
    let side = Side::NotAsked(format!("it cannot drop {guard}: raft-rs decides it"));
    let healed = (by.heal != Heal::No).then_some((healing, side, by.heal == Heal::Steps));
    Ok(Seen { found, trace: Some(expected), healed })
}

/// The guards that only one side has: they decide where the sides diverge.
pub(super) fn deciders(
    trace_lacks: &[String],
    implementation_lacks: &[Guard],
    sides: &Sides,
) -> Vec<GuardNote> {
    let note = |guard: Guard, side: &str| GuardNote {
        side: side.into(),
        guard: guard.name().into(),
        decider: guard.decider().to_string(),
    };
    let only_trace = trace_lacks
        .iter()
        .filter_map(|name| Guard::from_name(name))
        .filter(|guard| !implementation_lacks.contains(guard))
        .map(|guard| note(guard, &sides.actual));
    let only_implementation = implementation_lacks
        .iter()
        .copied()
        .filter(|guard| !trace_lacks.iter().any(|name| name == guard.name()))
        .map(|guard| note(guard, &sides.expected));
    only_trace.chain(only_implementation).collect()
}

/// A scenario with its steps written out, and the model's trace of it; a finding instead if there
/// is one.
fn taken(file: &Path, scenario: &Scenario, named: &Named) -> Result<Result<(Trace, Trace), Box<Seen>>> {
    let mut model = ModelSubject::new(named.guards, &[]);
    let (stated, error) =
        scenario.taken_as_far(&mut model, Sides::TRACE_AND_MODEL).map_err(|error| placed(file, error))?;
    let mut judge = Judge::new(&named.properties);
    let filled = record_again(&mut model, &stated, |view, taken| judge.names(view, taken));
    let filled = filled.with_context(|| file.display().to_string())?;
    let found = match error {
        None => return Ok(Ok((stated, filled))),
        Some(ReplayError::Diverged(divergence)) => Found::Diverged(divergence),
        Some(refused @ ReplayError::Refused { .. }) => Found::Refused(refused.to_string()),
        Some(error) => return Err(placed(file, error)),
    };
    Ok(Err(Box::new(Seen { found, trace: Some(filled), healed: None })))
}

/// The same for a command that begins after a file's steps: there a refused step is bad input.
pub(super) fn filled_in(
    file: &Path,
    scenario: &Scenario,
    named: &Named,
) -> Result<Result<(Trace, Trace), Box<Divergence>>> {
    match taken(file, scenario, named)? {
        Ok(both) => Ok(Ok(both)),
        Err(seen) => match seen.found {
            Found::Diverged(divergence) => Ok(Err(divergence)),
            Found::Refused(why) => bail!("{why}"),
            Found::Agreed(_) => unreachable!("what agrees is handed back"),
        },
    }
}

/// A divergence is a finding. Any other error is bad input and names its file.
fn diverged_or_error<T>(file: &Path, replayed: Result<T, ReplayError>) -> Result<Result<T, Box<Divergence>>> {
    match replayed {
        Ok(replayed) => Ok(Ok(replayed)),
        Err(ReplayError::Diverged(divergence)) => Ok(Err(divergence)),
        Err(error) => Err(placed(file, error)),
    }
}

/// The error with its file, if it has no place of its own.
pub(super) fn placed(file: &Path, error: ReplayError) -> anyhow::Error {
    match error {
        ReplayError::Refused { .. } | ReplayError::Trace(_) => error.into(),
        error => anyhow::Error::from(error).context(file.display().to_string()),
    }
}

/// Every trace in the folder and its subfolders, by name.
pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        let unreadable = || format!("{}: cannot be read", folder.display());
        for entry in std::fs::read_dir(&folder).with_context(unreadable)? {
            let entry = entry.with_context(unreadable)?;
            // A link to a folder is not followed, because it may lead back.
            if entry.file_type().with_context(unreadable)?.is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "jsonl") {
                files.push(entry.path());
            }
        }
    }
    if files.is_empty() {
        bail!("{}: no trace in this folder or below it (files that end in .jsonl)", folder.display());
    }
    files.sort();
    Ok(files)
}
