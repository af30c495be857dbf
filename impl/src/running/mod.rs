//! A running store: threads, mailboxes and a disk around [`Store`].
//!
//! ```text
//!             Router ── a mailbox a region ── workers ─┐
//! inputs ──▶                                           ├─▶ Store::step ──▶ Journal ──▶ disk
//!             Router ── what is due ────── apply stage ─┘      ▲                         │
//!                                                              └── Store::persisted ◀────┘
//! ```
//!
//! - **Workers** take one mailbox at a time ([`Router`]): a region's inputs are handled in order,
//!   and a busy region does not hold up the others.
//! - **The apply stage** is a thread of its own. It takes committed admin entries and received
//!   snapshots, one a step, so that a long queue of them does not keep messages waiting.
//! - **The store** is shared metadata: it says which peer a message is for, and which range is
//!   free. It is under one lock. Most steps take microseconds; a split, a snapshot and a look at
//!   the size take as long as the region is large. None touches the disk.
//! - **The journal** makes all steps that wait durable by one sync ([`Journal`]).
//!
//! There is no clock, network or runtime here: ticks are inputs, and outputs go to the
//! [`Surroundings`]. Threads share only `std::sync` types, and `impl/loom` checks every
//! interleaving of them under loom. `checks/shuttle` runs whole stores under drawn schedules.

mod journal;
mod mailbox;
mod node;
mod ready;
mod router;

use std::num::NonZeroUsize;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::error::Error;
use crate::guard::Guards;
use crate::proto::region::RegionId;
use crate::raft_rs::RaftRs;
use crate::raft_rs::replica::Replica;
use crate::storage::engine::Engine;
use crate::store::Store;
use crate::store::input::Input;

use node::{Node, Stage};

pub use journal::{Group, Journal, Released};
pub use mailbox::Mailbox;
pub use node::{Surroundings, Unhandled};
pub use ready::ReadyQueue;
pub use router::{Handler, Router, Unsent};

/// The number of threads, and the limits of queues.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    /// How many threads handle mailboxes.
    pub workers: NonZeroUsize,
    /// How many client inputs may wait in a region's mailbox ([`Handle::request`]). Messages and
    /// ticks are never refused for that.
    pub mailbox: usize,
    /// How many steps may wait for the disk before clients are refused, too.
    pub journal: usize,
}

impl Default for Threads {
    /// Two workers, 4,096 inputs a region, 65,536 steps.
    fn default() -> Self {
        Self { workers: NonZeroUsize::new(2).expect("two"), mailbox: 4096, journal: 65_536 }
    }
}

/// Sends inputs to a running store. It stays valid when the store has stopped, and then returns
/// them.
pub struct Handle<G: Guards, S, R: Replica = RaftRs> {
    node: Arc<Node<G, R, S>>,
    threads: Threads,
}

impl<G: Guards, S, R: Replica> Clone for Handle<G, S, R> {
    fn clone(&self) -> Self {
        Self { node: Arc::clone(&self.node), threads: self.threads }
    }
}

impl<G: Guards, S: Surroundings, R: Replica> Handle<G, S, R> {
    /// Sends an input of another store, of a clock or of the placement driver.
    ///
    /// # Errors
    /// If the store has stopped; the input comes back.
    pub fn send(&self, input: Input) -> Result<(), Box<Unsent<Input>>> {
        self.node.send(input, usize::MAX)
    }

    /// Sends a client's input.
    ///
    /// # Errors
    /// The region's mailbox or the disk's queue is full, and the client should retry later (TiKV
    /// `ServerIsBusy`); or the store has stopped. The input comes back.
    pub fn request(&self, input: Input) -> Result<(), Box<Unsent<Input>>> {
        if self.node.journal.waiting() >= self.threads.journal {
            return Err(Box::new(Unsent::Full(input)));
        }
        self.node.send(input, self.threads.mailbox)
    }

    /// Time passes for all live peers.
    pub fn tick(&self) {
        for region in self.regions() {
            let _ = self.send(Input::Tick { region });
        }
    }

    /// Reads the store between two steps. What it shows may not be durable yet.
    pub fn look<T>(&self, at: impl FnOnce(&Store<G, R>) -> T) -> T {
        self.node.look(at)
    }

    /// The regions whose peer here is live.
    pub fn regions(&self) -> Vec<RegionId> {
        self.node.live()
    }

    /// How many regions have a mailbox.
    pub fn mailboxes(&self) -> usize {
        self.node.inputs.mailboxes()
    }
}

/// A store with its threads; dropping it ends them.
pub struct RunningStore<G: Guards, S: Surroundings, E, R: Replica = RaftRs> {
    handle: Handle<G, S, R>,
    workers: Vec<JoinHandle<()>>,
    apply: Option<JoinHandle<()>>,
    disk: Option<JoinHandle<E>>,
}

impl<G, S, E, R> RunningStore<G, S, E, R>
where
    G: Guards + Send + Sync + 'static,
    S: Surroundings,
    E: Engine + Send + 'static,
    R: Replica + Send + 'static,
    R::Maker: Send,
{
    /// Starts the threads of a store that was opened from this engine.
    pub fn start(store: Store<G, R>, engine: E, surroundings: S, threads: Threads) -> Self {
        let node = Arc::new(Node::new(store, surroundings));
        node.remind();
        let workers = 0..threads.workers.get();
        let workers = workers.map(|_| spawn(&node, |node| node.inputs.work(node))).collect();
        let apply = Some(spawn(&node, |node| node.due.work(&Stage(node))));
        let disk = Some(spawn(&node, move |node| {
            let mut engine = engine;
            node.write(&mut engine);
            engine
        }));
        Self { handle: Handle { node, threads }, workers, apply, disk }
    }

    /// A handle that sends inputs.
    pub fn handle(&self) -> Handle<G, S, R> {
        self.handle.clone()
    }

    /// Ends the threads. Messages in mailboxes are handled, and handled steps are written. Later
    /// inputs go to [`Surroundings::unhandled`]. Requests without a result end with
    /// [`End::LeaderChanged`](crate::End::LeaderChanged). Returns the engine.
    ///
    /// # Errors
    /// If the store had failed before.
    ///
    /// # Panics
    /// A thread has panicked; the others have ended by then.
    pub fn stop(mut self) -> Result<E, Arc<Error>> {
        let ended = self.end().expect("it was not stopped before");
        let engine = ended.unwrap_or_else(|panic| resume_unwind(panic));
        self.handle.node.close().map(|()| engine)
    }
}

impl<G: Guards, S: Surroundings, E, R: Replica> RunningStore<G, S, E, R> {
    /// Ends the stages in order, so that each passes its work on to the next.
    fn end(&mut self) -> Option<thread::Result<E>> {
        let node = &self.handle.node;
        let mut ended = Ok(());
        node.inputs.stop();
        for worker in self.workers.drain(..) {
            ended = ended.and(worker.join());
        }
        node.due.stop();
        ended = ended.and(self.apply.take()?.join());
        node.journal.stop();
        let engine = self.disk.take()?.join();
        Some(ended.and(engine))
    }
}

impl<G: Guards, S: Surroundings, E, R: Replica> Drop for RunningStore<G, S, E, R> {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// A thread of the node. If it panics, the store fails, and the panic reaches the thread that joins
/// it.
fn spawn<G, R, S, T>(
    node: &Arc<Node<G, R, S>>,
    work: impl FnOnce(&Node<G, R, S>) -> T + Send + 'static,
) -> JoinHandle<T>
where
    G: Guards + Send + Sync + 'static,
    S: Surroundings,
    R: Replica + Send + 'static,
    R::Maker: Send,
    T: Send + 'static,
{
    let node = Arc::clone(node);
    thread::spawn(move || {
        catch_unwind(AssertUnwindSafe(|| work(&node))).unwrap_or_else(|panic| {
            node.panicked(&*panic);
            resume_unwind(panic)
        })
    })
}

impl<G: Guards, S: Surroundings, E, R: Replica> Deref for RunningStore<G, S, E, R> {
    type Target = Handle<G, S, R>;

    fn deref(&self) -> &Self::Target {
        &self.handle
    }
}
