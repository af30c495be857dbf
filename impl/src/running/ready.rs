//! The queue of ready mailboxes, and the threads that wait for it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

/// A queue that many threads fill and empty, until it is stopped.
pub struct ReadyQueue<T> {
    inner: Mutex<Inner<T>>,
    changed: Condvar,
}

struct Inner<T> {
    queue: VecDeque<T>,
    is_stopped: bool,
}

impl<T> Default for ReadyQueue<T> {
    fn default() -> Self {
        let inner = Inner { queue: VecDeque::new(), is_stopped: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }
}

impl<T> ReadyQueue<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().expect("nothing panics with the ready queue locked")
    }

    /// Appends an item and wakes a thread.
    pub fn push(&self, ready: T) {
        self.lock().queue.push_back(ready);
        self.changed.notify_one();
    }

    /// Takes the first item. Blocks until there is one; `None` once the queue is stopped and empty.
    pub fn pop(&self) -> Option<T> {
        let mut inner = self.lock();
        loop {
            if let Some(first) = inner.queue.pop_front() {
                return Some(first);
            }
            if inner.is_stopped {
                return None;
            }
            inner = self.changed.wait(inner).expect("nothing panics with the ready queue locked");
        }
    }

    /// Stops the queue: waiting threads return, and no thread waits any more.
    pub fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }
}
