//! The state that the threads of a running store share: the store under its lock, the routers, the
//! journal, and the handling of a step's effects.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};

use super::journal::{Group, Journal};
use super::router::{Handler, Router, Unsent};
use crate::error::{Error, Refusal};
use crate::guard::Guards;
use crate::proto::region::{RegionId, StoreId};
use crate::raft_rs::replica::Replica;
use crate::storage::engine::Engine;
use crate::store::Store;
use crate::store::effects::{Due, Effects};
use crate::store::input::{Input, Output};

/// The environment of a running store, which sends its messages, replies and reports. Its methods
/// are called from the store's threads with no lock held, and must not wait for the store.
pub trait Surroundings: Send + Sync + 'static {
    /// Send this message, reply or request.
    fn output(&self, output: Output);

    /// An input had no effect. A waiting client gets the reason; a message may be dropped.
    fn unhandled(&self, region: RegionId, why: Unhandled);

    /// The store has stopped because its disk or its raft failed. From here on nothing is
    /// acknowledged, and the results of pending requests are unknown.
    fn failed(&self, error: &Error);
}

/// Why an input had no effect.
#[derive(Debug)]
pub enum Unhandled {
    /// The store refused it.
    Refused {
        /// The number of a client's request ([`Input::Request`]), if it was one.
        request: Option<u64>,
        /// Why.
        error: Error,
    },
    /// The store stopped first.
    Stopped(Box<Input>),
}

impl Unhandled {
    /// The number of the client's request that had no effect, and why it was refused; no reason if the
    /// store stopped first.
    pub fn request(&self) -> Option<(u64, Option<Refusal>)> {
        match self {
            Self::Refused { request, error } => Some(((*request)?, error.refusal())),
            Self::Stopped(input) => match **input {
                Input::Request { id, .. } | Input::Get { id, .. } => Some((id, None)),
                _ => None,
            },
        }
    }
}

/// The shared state.
pub(super) struct Node<G: Guards, R: Replica, S> {
    core: Mutex<Core<G, R>>,
    /// Inputs from outside.
    pub(super) inputs: Router<Input>,
    /// Regions for which something is due.
    pub(super) due: Router<Reminder>,
    pub(super) journal: Journal,
    surroundings: S,
}

struct Core<G: Guards, R: Replica> {
    store: Store<G, R>,
    /// The failure that stopped it.
    failed: Option<Arc<Error>>,
}

impl<G: Guards, R: Replica> Core<G, R> {
    /// Runs one call of the store. A panic in it is a failure of the store, as any other.
    fn run(
        &mut self,
        region: RegionId,
        call: impl FnOnce(&mut Store<G, R>) -> Result<Effects, Error>,
    ) -> Result<Effects, Error> {
        let store = self.store.id();
        catch_unwind(AssertUnwindSafe(|| call(&mut self.store)))
            .unwrap_or_else(|panic| Err(Error::Panicked { region, store, what: words(&*panic) }))
    }

    /// Only the first failure counts and is reported.
    fn fail(&mut self, error: Error, leaving: &mut Leaving) {
        if self.failed.is_none() {
            let error = Arc::new(error);
            leaving.failed = Some(Arc::clone(&error));
            self.failed = Some(error);
        }
    }
}

/// Something is due for a region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reminder {
    /// Also check its size, because time has passed since the last check.
    split_check: bool,
}

/// The text of a panic in a step.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no text").to_string()
}

/// Outputs to send once the store's lock is released.
#[derive(Default)]
struct Leaving {
    out: Vec<Output>,
    unhandled: Vec<(RegionId, Unhandled)>,
    due: Vec<RegionId>,
    /// Regions of which a tick was handled: their size may be checked.
    ticked: Vec<RegionId>,
    /// It has failed just now.
    failed: Option<Arc<Error>>,
}

impl<G: Guards, R: Replica, S: Surroundings> Node<G, R, S> {
    pub(super) fn new(store: Store<G, R>, surroundings: S) -> Self {
        Self {
            core: Mutex::new(Core { store, failed: None }),
            inputs: Router::default(),
            due: Router::default(),
            journal: Journal::default(),
            surroundings,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Core<G, R>> {
        self.core.lock().expect("nothing panics with the store locked")
    }

    pub(super) fn send(&self, input: Input, most: usize) -> Result<(), Box<Unsent<Input>>> {
        self.inputs.send(input.region(), input, most).map_err(Box::new)
    }

    pub(super) fn look<T>(&self, at: impl FnOnce(&Store<G, R>) -> T) -> T {
        at(&self.lock().store)
    }

    /// The regions whose peer here is live.
    pub(super) fn live(&self) -> Vec<RegionId> {
        self.look(|store| store.regions().filter(|region| store.peer(*region).is_some()).collect())
    }

    /// Takes one input. Its batch goes to the journal before the store's lock is released, which
    /// keeps the journal in the order of tickets.
    fn step(&self, core: &mut Core<G, R>, input: Input, leaving: &mut Leaving) -> bool {
        let region = input.region();
        if core.failed.is_some() {
            leaving.unhandled.push((region, Unhandled::Stopped(Box::new(input))));
            return false;
        }
        let request = match &input {
            Input::Request { id, .. } | Input::Get { id, .. } => Some(*id),
            _ => None,
        };
        if matches!(input, Input::Tick { .. }) {
            leaving.ticked.push(region);
        }
        match core.run(region, |store| store.step(input)) {
            Ok(effects) => {
                self.hand_over(core, region, effects, leaving);
                return true;
            }
            Err(error @ (Error::Refused { .. } | Error::Snapshot { .. })) => {
                leaving.unhandled.push((region, Unhandled::Refused { request, error }));
            }
            Err(error) => core.fail(error, leaving),
        }
        false
    }

    fn hand_over(
        &self,
        core: &mut Core<G, R>,
        region: RegionId,
        mut effects: Effects,
        leaving: &mut Leaving,
    ) {
        leaving.out.extend(effects.messages.drain(..).map(Output::Message));
        // A region whose source has moved on may have its merge to complete.
        let target = |region: RegionId| {
            core.store.peer(region).and_then(|peer| peer.merge().map(|merge| merge.target.id))
        };
        for touched in effects.regions().chain([region]) {
            for region in [Some(touched), target(touched)].into_iter().flatten() {
                if core.store.due(region) != Due::default() {
                    leaving.due.push(region);
                }
            }
        }
        leaving.out.extend(self.journal.append(effects));
    }

    /// Sends outputs, without the store's lock.
    fn leave(&self, mut leaving: Leaving) {
        if let Some(error) = leaving.failed {
            self.surroundings.failed(&error);
            // The results of these requests are now unknown.
            leaving.out.clear();
        }
        leaving.out.into_iter().for_each(|output| self.surroundings.output(output));
        for (region, why) in leaving.unhandled {
            self.surroundings.unhandled(region, why);
        }
        leaving.due.sort_unstable();
        leaving.due.dedup();
        for region in leaving.due {
            // One reminder is enough, and none once the stage has ended.
            let _ = self.due.send(region, Reminder { split_check: leaving.ticked.contains(&region) }, 1);
        }
    }

    /// Queues what is due when the store is opened: committed but unapplied entries.
    pub(super) fn remind(&self) {
        for region in self.live() {
            let _ = self.due.send(region, Reminder { split_check: false }, 1);
        }
    }

    /// Writes groups until the journal is stopped and empty: the disk's loop.
    pub(super) fn write(&self, engine: &mut impl Engine) {
        while let Some(group) = self.journal.take() {
            self.write_group(engine, group);
        }
    }

    /// Writes one group, and sends what waited for it.
    pub(super) fn write_group(&self, engine: &mut impl Engine, group: Group) {
        // A failed store's pending writes are lost, as by a crash.
        if self.lock().failed.is_some() {
            return;
        }
        let Group { number, batches, sync, .. } = group;
        let mut written = batches.into_iter().try_for_each(|batch| engine.write(batch));
        if sync {
            written = written.and_then(|()| engine.sync());
        }
        match written {
            Ok(()) => self.completed(number),
            Err(source) => self.fail(|store| Error::Engine { store, source }),
        }
    }

    /// A thread has panicked.
    pub(super) fn panicked(&self, panic: &(dyn Any + Send)) {
        self.fail(|store| Error::Panicked { region: 0, store, what: words(panic) });
    }

    fn fail(&self, error: impl FnOnce(StoreId) -> Error) {
        let mut leaving = Leaving::default();
        let mut core = self.lock();
        let error = error(core.store.id());
        core.fail(error, &mut leaving);
        drop(core);
        self.leave(leaving);
    }

    /// A group is durable.
    pub(super) fn completed(&self, number: u64) {
        let Some(released) = self.journal.completed(number) else { return };
        let mut leaving = Leaving { out: released.out, ..Leaving::default() };
        let mut core = self.lock();
        if core.failed.is_some() {
            return;
        }
        match core.run(0, |store| store.persisted(released.ticket)) {
            Ok(effects) => self.hand_over(&mut core, 0, effects, &mut leaving),
            Err(error) => core.fail(error, &mut leaving),
        }
        drop(core);
        self.leave(leaving);
    }

    /// After all threads have ended: returns late inputs, and ends requests without a result.
    pub(super) fn close(&self) -> Result<(), Arc<Error>> {
        for (region, input) in self.inputs.close() {
            self.surroundings.unhandled(region, Unhandled::Stopped(Box::new(input)));
        }
        self.due.close();
        let mut core = self.lock();
        if let Some(error) = core.failed.clone() {
            return Err(error);
        }
        let ended = core.store.abandon_requests();
        drop(core);
        ended.into_iter().for_each(|output| self.surroundings.output(output));
        Ok(())
    }
}

impl<G: Guards, R: Replica, S: Surroundings> Handler<Input> for Node<G, R, S> {
    fn handle(&self, region: RegionId, inputs: Vec<Input>) -> bool {
        let mut leaving = Leaving::default();
        let mut core = self.lock();
        for input in inputs {
            self.step(&mut core, input, &mut leaving);
        }
        let is_live = core.store.peer(region).is_some();
        drop(core);
        self.leave(leaving);
        is_live
    }
}

/// The apply stage: handles what is due for a region, one step at a time.
pub(super) struct Stage<'a, G: Guards, R: Replica, S>(pub(super) &'a Node<G, R, S>);

impl<G: Guards, R: Replica, S: Surroundings> Handler<Reminder> for Stage<'_, G, R, S> {
    fn handle(&self, region: RegionId, reminders: Vec<Reminder>) -> bool {
        let node = self.0;
        // As in TiKV, a tick triggers the split check, because it reads all of the region's data.
        let mut looks_at_size = reminders.iter().any(|reminder| reminder.split_check);
        loop {
            let mut leaving = Leaving::default();
            let mut core = node.lock();
            let due = core.store.due(region);
            let input = if due.answer_read {
                Input::AnswerRead { region }
            } else if due.apply_snapshot {
                Input::ApplySnapshot { region }
            } else if due.apply {
                Input::Apply { region }
            } else if due.split_check && std::mem::take(&mut looks_at_size) {
                Input::SplitCheck { region }
            } else {
                return core.store.peer(region).is_some();
            };
            let is_taken = node.step(&mut core, input, &mut leaving);
            // No client waits for a refusal here. A merge that waits for its source is due again
            // when the source moves on.
            leaving.unhandled.clear();
            // This thread checks the region again anyway.
            leaving.due.retain(|other| *other != region);
            let is_live = core.store.peer(region).is_some();
            drop(core);
            node.leave(leaving);
            if !is_taken {
                return is_live;
            }
        }
    }
}
