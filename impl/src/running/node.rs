//! What the threads of a running store share: the store under its lock, the routers, the
//! journal, and what to do with a step's effects.

use std::sync::{Mutex, MutexGuard};

use super::journal::{Group, Journal};
use super::router::{Handler, Router, Unsent};
use crate::error::{EngineError, Error};
use crate::guard::Guards;
use crate::proto::region::RegionId;
use crate::raft_rs::replica::Replica;
use crate::storage::engine::Engine;
use crate::store::Store;
use crate::store::effects::Effects;
use crate::store::input::{Input, Output};

/// Who sends, answers and reports for a running store. Called from its threads, with no
/// lock held; must not wait for the store.
pub trait Surroundings: Send + Sync + 'static {
    /// Send this message, give this answer, ask this of the placement driver.
    fn output(&self, output: Output);

    /// An input had no effect. Whoever waits for it gets the reason; a message may be dropped.
    fn unhandled(&self, region: RegionId, why: Unhandled);

    /// The store has stopped: its disk or its raft failed. Nothing is acknowledged from here on.
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

/// What the threads share.
pub(super) struct Node<G: Guards, R: Replica, S> {
    core: Mutex<Core<G, R>>,
    /// What comes from outside.
    pub(super) inputs: Router<Input>,
    /// Regions for which something is due.
    pub(super) due: Router<()>,
    pub(super) journal: Journal,
    surroundings: S,
}

struct Core<G: Guards, R: Replica> {
    store: Store<G, R>,
    /// What stopped it.
    failed: Option<Error>,
}

/// What leaves once the store is let go.
#[derive(Default)]
struct Leaving {
    out: Vec<Output>,
    unhandled: Vec<(RegionId, Unhandled)>,
    due: Vec<RegionId>,
    /// It has failed just now.
    failed: bool,
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
        self.core.lock().expect("a thread panicked in a step")
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

    /// Takes one input. Its batch is handed over before the store is let go: that is what keeps
    /// the journal in the order of tickets.
    fn step(&self, core: &mut Core<G, R>, input: Input, leaving: &mut Leaving) -> bool {
        let region = input.region();
        if core.failed.is_some() {
            leaving.unhandled.push((region, Unhandled::Stopped(Box::new(input))));
            return false;
        }
        let request = match &input {
            Input::Request { id, .. } => Some(*id),
            _ => None,
        };
        match core.store.step(input) {
            Ok(effects) => {
                self.hand_over(core, region, effects, leaving);
                true
            }
            Err(error @ (Error::Refused { .. } | Error::Snapshot { .. })) => {
                leaving.unhandled.push((region, Unhandled::Refused { request, error }));
                false
            }
            Err(error) => {
                core.failed = Some(error);
                leaving.failed = true;
                false
            }
        }
    }

    fn hand_over(
        &self,
        core: &mut Core<G, R>,
        region: RegionId,
        mut effects: Effects,
        leaving: &mut Leaving,
    ) {
        leaving.out.extend(effects.messages.drain(..).map(Output::Message));
        let is_due = |region: &RegionId| core.store.due(*region) != Default::default();
        let regions = effects.regions().chain([region]).filter(is_due);
        leaving.due.extend(regions);
        leaving.out.extend(self.journal.append(effects));
    }

    /// With the store let go.
    fn leave(&self, mut leaving: Leaving) {
        if leaving.failed {
            let core = self.lock();
            self.surroundings.failed(core.failed.as_ref().expect("it has failed"));
            // Whoever would be answered now cannot know what becomes of it.
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
            let _ = self.due.send(region, (), 1);
        }
    }

    /// Writes groups until the journal is stopped and empty: the disk's loop.
    pub(super) fn write(&self, engine: &mut impl Engine) {
        while let Some(group) = self.journal.take() {
            self.write_group(engine, group);
        }
    }

    /// Writes one group, and lets out what waited for it.
    pub(super) fn write_group(&self, engine: &mut impl Engine, group: Group) {
        // What a failed store was about to write is as lost as by a crash.
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
            Err(source) => self.fail(source),
        }
    }

    fn fail(&self, source: EngineError) {
        let mut core = self.lock();
        let store = core.store.id();
        core.failed.get_or_insert(Error::Engine { store, source });
        drop(core);
        self.leave(Leaving { failed: true, ..Leaving::default() });
    }

    /// A group is durable.
    pub(super) fn completed(&self, number: u64) {
        let Some(released) = self.journal.completed(number) else { return };
        let mut leaving = Leaving { out: released.out, ..Leaving::default() };
        let mut core = self.lock();
        match core.store.persisted(released.ticket) {
            Ok(effects) => self.hand_over(&mut core, 0, effects, &mut leaving),
            Err(error) => {
                core.failed.get_or_insert(error);
                leaving.failed = true;
            }
        }
        drop(core);
        self.leave(leaving);
    }

    /// Once all threads have ended: what came too late.
    pub(super) fn close(&self) -> Result<(), Error> {
        for (region, input) in self.inputs.close() {
            self.surroundings.unhandled(region, Unhandled::Stopped(Box::new(input)));
        }
        self.due.close();
        match self.lock().failed.take() {
            None => Ok(()),
            Some(error) => Err(error),
        }
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

/// The apply stage: what is due for a region, one step at a time.
pub(super) struct Stage<'a, G: Guards, R: Replica, S>(pub(super) &'a Node<G, R, S>);

impl<G: Guards, R: Replica, S: Surroundings> Handler<()> for Stage<'_, G, R, S> {
    fn handle(&self, region: RegionId, _: Vec<()>) -> bool {
        let node = self.0;
        let mut looks_at_size = true;
        loop {
            let mut leaving = Leaving::default();
            let mut core = node.lock();
            let due = core.store.due(region);
            let input = if due.apply_snapshot {
                Input::ApplySnapshot { region }
            } else if due.apply {
                Input::Apply { region }
            } else if due.split_check && std::mem::take(&mut looks_at_size) {
                Input::SplitCheck { region }
            } else {
                return core.store.peer(region).is_some();
            };
            let is_taken = node.step(&mut core, input, &mut leaving);
            // A refusal is nobody's: what is due will be due again when more is known.
            leaving.unhandled.clear();
            // This thread looks again anyway.
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
