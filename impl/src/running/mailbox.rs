//! One region's mailbox: the messages for its peer, and whether a worker has it.
//!
//! As TiKV's `BasicMailbox`, with queue and state under one lock. A mailbox is *idle*, *scheduled*
//! (in the ready queue or with a worker) or *closed*. A push into an idle one schedules it. The
//! worker decides in one critical section whether messages are left. So no wake-up is lost, and two
//! workers never have the same mailbox.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use crate::proto::region::RegionId;

/// A region's mailbox.
pub struct Mailbox<T> {
    region: RegionId,
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    queue: VecDeque<T>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Scheduled,
    Closed,
}

/// The result of a push.
pub enum Pushed<T> {
    /// The mailbox was idle: the sender puts it into the ready queue.
    Schedule,
    /// A worker has it, or will.
    Waits,
    /// The mailbox is full; the message comes back.
    Full(T),
    /// The mailbox is no longer in use; the message comes back.
    Closed(T),
}

/// What a worker does with a mailbox that it has polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// Messages are left: back into the ready queue.
    Again,
    /// Nothing is left.
    Idle,
    /// Nothing is left, and the mailbox is no longer in use.
    Closed,
}

impl<T> Mailbox<T> {
    /// An empty mailbox, idle.
    pub fn new(region: RegionId) -> Self {
        Self { region, inner: Mutex::new(Inner { queue: VecDeque::new(), state: State::Idle }) }
    }

    /// Its region.
    pub fn region(&self) -> RegionId {
        self.region
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().expect("nothing panics with a mailbox locked")
    }

    /// Appends a message, unless `most` wait already.
    pub fn push(&self, message: T, most: usize) -> Pushed<T> {
        let mut inner = self.lock();
        if inner.state == State::Closed {
            return Pushed::Closed(message);
        }
        if inner.queue.len() >= most {
            return Pushed::Full(message);
        }
        inner.queue.push_back(message);
        match std::mem::replace(&mut inner.state, State::Scheduled) {
            State::Idle => Pushed::Schedule,
            State::Scheduled | State::Closed => Pushed::Waits,
        }
    }

    /// Takes the oldest messages, at most `most`. The mailbox stays scheduled, so no other worker
    /// has it until [`release`](Mailbox::release).
    pub fn take(&self, most: usize) -> Vec<T> {
        let mut inner = self.lock();
        let count = most.min(inner.queue.len());
        inner.queue.drain(..count).collect()
    }

    /// The worker has handled what it took. If nothing is left, `close` closes the mailbox.
    pub fn release(&self, close: bool) -> Released {
        let mut inner = self.lock();
        let (state, released) = match (inner.queue.is_empty(), close) {
            (false, _) => (State::Scheduled, Released::Again),
            (true, false) => (State::Idle, Released::Idle),
            (true, true) => (State::Closed, Released::Closed),
        };
        inner.state = state;
        released
    }

    /// Closes the mailbox and returns its messages.
    pub fn close(&self) -> VecDeque<T> {
        let mut inner = self.lock();
        inner.state = State::Closed;
        std::mem::take(&mut inner.queue)
    }
}
