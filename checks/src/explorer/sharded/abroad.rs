//! Rows that leave the process: their numbers mean something only together with definitions.
//!
//! A process is told once of each part, not once for each of its workers. Definitions are numbered,
//! because they may arrive at different workers in any order, and rows say how many of them they need.
//! Whoever has rows too early keeps them until another worker has taken the definitions in.

use std::collections::BTreeMap;
use std::sync::{Mutex, RwLock};

use rollcall_model::{PartCounts, Translation};

use super::super::Explored;

/// What this process has told the others, and they it. The workers of a process share it.
pub(super) struct Abroad {
    me: usize,
    /// Workers in each process.
    workers: usize,
    told: Vec<Mutex<Told>>,
    learnt: Vec<RwLock<Learnt>>,
}

#[derive(Default)]
struct Told {
    parts: PartCounts,
    times: u32,
}

#[derive(Default)]
struct Learnt {
    numbers: Translation,
    times: u32,
    /// Definitions whose predecessors have still to come.
    early: BTreeMap<u32, Vec<u8>>,
}

/// What a receiver must know before it reads some rows.
pub(super) struct Needed {
    /// How many times it must have been told.
    pub(super) times: u32,
    /// The last of these, if it has still to be sent.
    pub(super) definitions: Option<Vec<u8>>,
}

impl Abroad {
    pub(super) fn new(me: usize, workers: usize, processes: usize) -> Self {
        let told = (0..processes).map(|_| Mutex::default()).collect();
        let learnt = (0..processes).map(|_| RwLock::default()).collect();
        Self { me, workers, told, learnt }
    }

    /// Whether a worker belongs to another process.
    pub(super) fn has(&self, worker: usize) -> bool {
        worker / self.workers != self.me
    }

    /// A worker's place in its process.
    pub(super) fn place(&self, worker: usize) -> usize {
        worker % self.workers
    }

    /// Whether there are other processes.
    pub(super) fn is_anybody(&self) -> bool {
        self.told.len() > 1
    }

    pub(super) fn needed<'r, M: Explored>(
        &self,
        model: &M,
        to: usize,
        rows: impl Iterator<Item = &'r [u32]>,
    ) -> Needed {
        let mut told = self.told[to / self.workers].lock().expect("a thread panicked");
        let Told { parts, times } = &mut *told;
        let definitions = model.definitions(parts, rows);
        *times += u32::from(definitions.is_some());
        Needed { times: *times, definitions }
    }

    /// Takes in the definitions that a worker's process sent as its nth, from 1.
    pub(super) fn learn<M: Explored>(&self, model: &M, from: usize, nth: u32, definitions: Vec<u8>) {
        let mut learnt = self.learnt[from / self.workers].write().expect("a thread panicked");
        let Learnt { numbers, times, early } = &mut *learnt;
        early.insert(nth, definitions);
        while let Some(next) = early.remove(&(*times + 1)) {
            model.learn(numbers, &next).expect("the same build wrote them, in this order");
            *times += 1;
        }
    }

    /// Translates the rows of another process; false if it must be told more first.
    pub(super) fn translate<'r, M: Explored>(
        &self,
        model: &M,
        (from, needs): (usize, u32),
        rows: impl Iterator<Item = &'r mut [u32]>,
    ) -> bool {
        let learnt = self.learnt[from / self.workers].read().expect("a thread panicked");
        let is_known = needs <= learnt.times;
        if is_known {
            rows.for_each(|row| model.translate(&learnt.numbers, row));
        }
        is_known
    }
}
