//! Group persistence: one batch and one sync make many steps of many regions durable.
//!
//! Steps arrive in the order of their tickets. A disk takes all waiting ones as one [`Group`],
//! writes groups in order, and reports when each is durable. The reports may come out of order (a
//! sync may cover two groups). A group's outputs leave once it *and all groups before it* are
//! durable, because that is what a ticket promises ([`Effects`]).

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use crate::storage::engine::Write;
use crate::store::effects::{Effects, Ticket};
use crate::store::input::Output;

/// The steps that a disk writes at once.
#[derive(Debug, Default)]
pub struct Group {
    /// Its number: later ones are greater.
    pub number: u64,
    /// To be written one after the other, each atomically. More than one only for a store without
    /// [`Guard::AtomicApply`](crate::Guard::AtomicApply) or another guard of the one batch.
    pub batches: Vec<Vec<Write>>,
    /// Whether they must be synced.
    pub sync: bool,
    /// How many steps it contains.
    pub steps: usize,
}

/// The outputs that may leave, and the ticket up to which everything is durable.
#[derive(Debug, Default, PartialEq)]
pub struct Released {
    /// The ticket.
    pub ticket: Ticket,
    /// The outputs that waited for it.
    pub out: Vec<Output>,
}

/// Steps on their way to the disk.
#[derive(Default)]
pub struct Journal {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    /// Not taken by a disk yet.
    waiting: Vec<Effects>,
    /// Taken, in order.
    under_way: VecDeque<UnderWay>,
    groups: u64,
    is_stopped: bool,
}

struct UnderWay {
    number: u64,
    released: Released,
    is_durable: bool,
}

impl Journal {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics with the journal locked")
    }

    /// Takes a step's effects. The caller holds the store's lock, so the order of the calls is that
    /// of the tickets. Outputs that wait for nothing are returned at once.
    pub fn append(&self, mut effects: Effects) -> Vec<Output> {
        let has_writes = !effects.batch.is_empty() || !effects.parted.is_empty();
        let mut inner = self.lock();
        if !has_writes && inner.waiting.is_empty() && inner.under_way.is_empty() {
            return std::mem::take(&mut effects.after_persist);
        }
        inner.waiting.push(effects);
        self.changed.notify_one();
        Vec::new()
    }

    /// Takes all waiting steps as one group. Blocks until there is one; `None` once the journal is
    /// stopped and empty.
    pub fn take(&self) -> Option<Group> {
        let mut inner = self.lock();
        while inner.waiting.is_empty() {
            if inner.is_stopped {
                return None;
            }
            inner = self.changed.wait(inner).expect("nothing panics with the journal locked");
        }
        inner.groups += 1;
        let mut group = Group { number: inner.groups, batches: vec![Vec::new()], ..Group::default() };
        let mut released = Released::default();
        for effects in std::mem::take(&mut inner.waiting) {
            let Effects { batch, parted, sync, messages, after_persist, ticket, .. } = effects;
            debug_assert!(messages.is_empty(), "what need not wait has left");
            group.steps += 1;
            group.sync |= sync;
            group.batches.last_mut().expect("there is one").extend(batch);
            if !parted.is_empty() {
                group.batches.extend([parted, Vec::new()]);
            }
            released.ticket = released.ticket.max(ticket);
            released.out.extend(after_persist);
        }
        group.batches.retain(|batch| !batch.is_empty());
        let number = group.number;
        inner.under_way.push_back(UnderWay { number, released, is_durable: false });
        Some(group)
    }

    /// How many steps no disk has taken yet.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Marks the group as durable. Returns the outputs that may leave; none while an earlier group
    /// is not durable.
    pub fn completed(&self, number: u64) -> Option<Released> {
        let mut inner = self.lock();
        let group = inner.under_way.iter_mut().find(|group| group.number == number);
        group.expect("a group that was taken").is_durable = true;
        let mut all: Option<Released> = None;
        while let Some(first) = inner.under_way.pop_front_if(|first| first.is_durable) {
            let released = all.get_or_insert_default();
            released.ticket = first.released.ticket;
            released.out.extend(first.released.out);
        }
        all
    }

    /// Stops the journal: disks end once nothing waits.
    pub fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }
}
