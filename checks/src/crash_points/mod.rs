//! A run whose machines fail at every write and every sync of their disks.
//!
//! The run is a trace. Each store's batches also go to redb on a disk that records its operations.
//! Behind **every** operation the store's power fails: what its file then holds must be the batches
//! up to some written one, with all synced ones. The action ends there, and nothing of the step that
//! wrote has left the store. It is opened again from that, and every property must hold: at once, after
//! each step of the rest of the run, and after every other store has restarted too. The cluster must
//! heal from the first and from the last.
//!
//! Left out: failures of several disks in the middle of their own batches, unsafe recovery, and the
//! placement driver's disk (`impl/tests/pd/crash_points.rs`).

mod disk;
pub mod exhibits;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rollcall_impl::{EngineCall, Guards};
use rollcall_model::properties::Property;
use rollcall_traces::{Action, Outcome, StoreId, StoreStatus, Subject, Trace};
use thiserror::Error;

use crate::driven::take;
use crate::judge::Judge;
use crate::world::World;
use disk::{Batch, Disk};

/// How much was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// The steps of the run.
    pub steps: usize,
    /// The crash points.
    pub points: usize,
    /// The files that were opened.
    pub files: usize,
    /// The different clusters that were judged and healed.
    pub clusters: usize,
}

impl Tried {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            points: self.points + other.points,
            files: self.files + other.files,
            clusters: self.clusters + other.clusters,
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, points, files, clusters } = self;
        write!(f, "{steps} steps, {points} crash points, {files} files opened, {clusters} clusters healed")
    }
}

/// A crash point at which something fails.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its number, from 1 on.
    pub point: usize,
    /// The store whose power fails.
    pub store: StoreId,
    /// Behind how many operations of its disk.
    pub operation: usize,
    /// The step of the run, from 1 on, and its action.
    pub step: usize,
    /// That action.
    pub action: Action,
    /// The batch on its way to the disk: which one of how many in this step, and whether it is
    /// durable.
    pub batch: (usize, usize, bool),
    /// What happens afterwards.
    pub then: Then,
    /// What fails.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { point, store, operation, step, action, batch, then, what } = self;
        let (at, of, is_durable) = batch;
        let left = if *is_durable { "durable" } else { "lost" };
        let then = match then {
            Then::Heals => "",
            Then::GoesOn => ", and the run goes on",
            Then::AllRestart => ", and the other stores restart too",
        };
        write!(
            f,
            "crash point {point}: behind operation {operation} of store {store}'s disk, in step {step} ({action}); batch {at} of {of} is {left}{then}: {what}"
        )
    }
}

/// What happens after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The cluster heals at once.
    Heals,
    /// The store restarts, and the rest of the run follows.
    GoesOn,
    /// Every other store restarts, too.
    AllRestart,
}

/// What a run at its crash points came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// How much was tried, up to the first failure.
    pub tried: Tried,
    /// The first crash point at which something fails.
    pub failure: Option<Failure>,
    /// What fails in the same run without a crash.
    pub without_crash: Option<String>,
}

/// A run that cannot be taken.
#[derive(Debug, Error)]
pub enum CrashPointsError {
    /// Its scope cannot begin.
    #[error(transparent)]
    Scope(#[from] rollcall_traces::ScopeError),
    /// Its stores do not sync what they write.
    #[error(
        "scope `{0}` persists late, or does not sync commit indexes; there `rollcall check` explores what a power failure loses"
    )]
    Unsynced(String),
    /// A forced leader that crashes at once cannot be distinguished from another.
    #[error("the run has an unsafe recovery, in which a forced leader may lose what was committed")]
    Recovery,
    /// It does nothing.
    #[error("the run writes nothing, so it has no crash points")]
    WritesNothing,
}

/// Lets the power fail at every crash point of a run, up to the first at which something fails.
///
/// # Errors
/// If the run cannot be taken.
pub fn run(guards: impl Guards, trace: &Trace) -> Result<Report, CrashPointsError> {
    let scope = &trace.header.scope;
    if scope.late_persistence || scope.unsynced_commits {
        return Err(CrashPointsError::Unsynced(scope.name.clone()));
    }
    if trace.actions().any(|action| matches!(action, Action::RemoveFailedStores { .. })) {
        return Err(CrashPointsError::Recovery);
    }
    let mut world = World::new(guards);
    world.reset(scope)?;
    let mut run = Run::begin(world);
    let (mut failure, mut without_crash) = (None, None);
    let actions: Vec<Action> = trace.actions().cloned().collect();
    for (at, action) in (1..).zip(&actions) {
        run.tried.steps += 1;
        let step = Step { at, action, rest: &actions[at..] };
        let plain = run.step(&step, failure.is_none());
        if let Err(failed) = plain.crashed {
            failure = Some(*failed);
        }
        if let Some(what) = plain.without_crash {
            without_crash = Some(format!("step {at} ({action}): {what}"));
            break;
        }
    }
    if without_crash.is_none() {
        without_crash = heals(&run.world).err().map(|what| format!("after the last step: {what}"));
    }
    if run.tried.points == 0 {
        return Err(CrashPointsError::WritesNothing);
    }
    Ok(Report { tried: run.tried, failure, without_crash })
}

/// The world before the next step.
struct Run<G: Guards> {
    world: World<G>,
    judge: Judge,
    disks: BTreeMap<StoreId, Disk>,
    tried: Tried,
}

/// A step of a run.
struct Step<'a> {
    /// Its number, from 1 on.
    at: usize,
    action: &'a Action,
    /// What follows it.
    rest: &'a [Action],
}

/// One step: the first crash point of it that fails, and what fails without a crash.
struct Stepped {
    crashed: Result<(), Box<Failure>>,
    without_crash: Option<String>,
}

impl<G: Guards> Run<G> {
    fn begin(world: World<G>) -> Self {
        let disk = |store| Some((store, Disk::holding(world.engine(store)?, store)));
        let disks = world.stores().into_iter().filter_map(disk).collect();
        let mut judge = Judge::new(Property::ALL);
        judge.violations(&world.view(), None);
        Self { world, judge, disks, tried: Tried::default() }
    }

    /// Takes a step, and before that lets the power fail in copies of the world.
    fn step(&mut self, step: &Step<'_>, crashes: bool) -> Stepped {
        let action = step.action;
        let before = self.world.clone();
        self.world.watch_engines();
        let outcome = match take(&mut self.world, action) {
            Ok(outcome) => outcome,
            Err(panicked) => return Stepped { crashed: Ok(()), without_crash: Some(panicked) },
        };
        let calls = self.world.engine_calls();
        let mut crashed = Ok(());
        for (store, calls) in calls.iter().filter(|_| crashes) {
            crashed = crashed.and_then(|()| self.at_every_point(&before, step, *store, calls));
        }
        Stepped { crashed, without_crash: judged(&mut self.judge, &self.world, action, &outcome).err() }
    }

    fn at_every_point(
        &mut self,
        before: &World<G>,
        step: &Step<'_>,
        store: StoreId,
        calls: &[EngineCall],
    ) -> Result<(), Box<Failure>> {
        let mut judged = BTreeSet::new();
        for (number, call) in calls.iter().enumerate() {
            let disk = self.disks.get_mut(&store).expect("every store that writes has a disk");
            for point in disk.take(call) {
                self.tried.points += 1;
                self.tried.files += point.files;
                let failed = |is_durable, then, what| {
                    let (point, operation, action) = (self.tried.points, point.behind, step.action.clone());
                    let step = step.at;
                    let batch = (number / 2 + 1, calls.len() / 2, is_durable);
                    Box::new(Failure { point, store, operation, step, action, batch, then, what })
                };
                let left = point.left.map_err(|what| failed(false, Then::Heals, what))?;
                for batch in left {
                    // Each batch is one write and one sync. A write that fails leaves nothing, and a sync
                    // that fails has made everything durable.
                    let is_durable = batch == Batch::Durable;
                    let fails_at = number / 2 * 2 + usize::from(is_durable);
                    if judged.insert(fails_at) {
                        self.tried.clusters += 2;
                        let crashed = Crashed { before, step, store, judge: &self.judge };
                        let judged = crashed.judged(fails_at);
                        judged.map_err(|(then, what)| failed(is_durable, then, what))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A power failure of one store during an action.
struct Crashed<'a, G: Guards> {
    before: &'a World<G>,
    step: &'a Step<'a>,
    store: StoreId,
    judge: &'a Judge,
}

impl<G: Guards> Crashed<'_, G> {
    /// Judges and heals what is left.
    fn judged(&self, fails_at: usize) -> Result<(), (Then, String)> {
        let (mut world, mut judge) = (self.before.clone(), self.judge.clone());
        self.crash(&mut world, &mut judge, fails_at).map_err(|what| (Then::Heals, what))?;
        heals(&world).map_err(|what| (Then::Heals, what))?;
        self.go_on(world.clone(), judge.clone()).map_err(|what| (Then::GoesOn, what))?;
        self.restart_all(world, judge).map_err(|what| (Then::AllRestart, what))
    }

    /// The power fails at this call to the store's engine.
    fn crash(&self, world: &mut World<G>, judge: &mut Judge, fails_at: usize) -> Result<(), String> {
        let Step { action, .. } = *self.step;
        world.fail_at(self.store, fails_at);
        let ended = take(world, action);
        let failed = world.engine(self.store).is_some_and(|engine| engine.has_failed());
        assert!(failed && ended.is_err(), "the power fails in this action, and ends it");
        let crash = Action::Crash { store: self.store };
        let opened = take(world, &crash);
        opened.map_err(|panicked| format!("store {} does not open: {panicked}", self.store))?;
        // The store may have been down, with an administrator at its disk.
        world.power_is_back(self.store);
        // A read that was interrupted is no read.
        let is_read = matches!(action, Action::Read { .. } | Action::AnswerRead { .. });
        judged(judge, world, if is_read { &crash } else { action }, &Outcome::DONE)
    }

    /// The store restarts, and the run goes on. What does not fit any more is refused. The end need
    /// not heal: the rest may add a peer under an id whose old peer has missed its removal, for
    /// example, which the placement driver never does.
    fn go_on(&self, mut world: World<G>, mut judge: Judge) -> Result<(), String> {
        for action in [Action::Restart { store: self.store }].iter().chain(self.step.rest) {
            step(&mut world, &mut judge, action).map_err(|what| format!("after {action}: {what}"))?;
        }
        Ok(())
    }

    /// The other stores lose their power as well.
    fn restart_all(&self, mut world: World<G>, mut judge: Judge) -> Result<(), String> {
        for store in world.stores() {
            if world.view().stores[&store].status == StoreStatus::Up {
                step(&mut world, &mut judge, &Action::Crash { store })?;
            }
        }
        heals(&world)
    }
}

/// Takes an action and judges the view.
fn step<G: Guards>(world: &mut World<G>, judge: &mut Judge, action: &Action) -> Result<(), String> {
    let outcome = take(world, action)?;
    judged(judge, world, action, &outcome)
}

/// Every property holds on the view.
fn judged<G: Guards>(
    judge: &mut Judge,
    world: &World<G>,
    taken: &Action,
    outcome: &Outcome,
) -> Result<(), String> {
    let violations = judge.violations(&world.view(), Some((taken, outcome)));
    violations.first().map_or(Ok(()), |violation| Err(violation.to_string()))
}

/// Every goal is met once faults stop.
fn heals<G: Guards>(world: &World<G>) -> Result<(), String> {
    match world.healed() {
        Some(healed) => {
            healed.missed.first().map_or(Ok(()), |missed| Err(format!("once faults stop: {missed}")))
        }
        None => Err("the model cannot show what is left".to_string()),
    }
}
