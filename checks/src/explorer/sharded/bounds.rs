//! What ends a search early, and what the workers of a process tell each other about their memory.

use std::sync::atomic::Ordering;

use super::super::progress::Progress;
use super::super::rows::Row;
use super::super::{Explored, Memory, Options};
use super::News;
use super::port::Content;
use super::summary::{Halt, all_of};
use super::worker::{Search, Worker};

/// Memory is checked once in this many slices.
const SLICES_PER_LOOK: u64 = 4;

/// What of the options ends a search.
pub(super) struct Bounds {
    max_states: u32,
    pub(super) max_depth: Option<u32>,
    max_bytes: Option<u64>,
    memory: Option<Memory>,
    pub(super) stop_at_first_violation: bool,
}

impl Bounds {
    pub(super) fn of(options: &Options<'_>) -> Self {
        let Options { max_states, max_depth, max_bytes, memory, stop_at_first_violation, .. } = *options;
        Self { max_states, max_depth, max_bytes, memory, stop_at_first_violation }
    }
}

impl<M> Worker<'_, M>
where
    M: Explored,
    M::State: Row,
{
    pub(super) fn look_at_bounds(&mut self) {
        self.publish();
        self.slices += 1;
        if self.halt.is_none() {
            self.halt = self.bound_that_is_hit();
            if let Some(halt) = self.halt {
                self.port.send_all(&Content::Halt(halt));
            }
        }
    }

    fn bound_that_is_hit(&self) -> Option<Halt> {
        let Search { bounds, watched, .. } = self.search;
        if watched.is_interrupted.load(Ordering::Relaxed) {
            return Some(Halt::Interrupted);
        }
        if watched.is_not_kept.load(Ordering::Relaxed) {
            return Some(Halt::NotKept);
        }
        if watched.states.load(Ordering::Relaxed) > u64::from(bounds.max_states) {
            return Some(Halt::States(bounds.max_states));
        }
        if let Some(memory) = bounds.memory
            && self.slices.is_multiple_of(SLICES_PER_LOOK)
            && let Some(resident) = (memory.resident)()
        {
            watched.peak_resident.fetch_max(resident, Ordering::Relaxed);
            if resident > memory.limit {
                return Some(Halt::Memory(memory.limit));
            }
        }
        bounds.max_bytes.filter(|&max| watched.held_bytes() > max).map(Halt::Bytes)
    }

    /// Lets the others of this process know how much there is.
    pub(super) fn publish(&mut self) {
        let watched = &self.search.watched;
        let fresh = self.owner.states() - std::mem::replace(&mut self.published, self.owner.states());
        watched.states.fetch_add(u64::from(fresh), Ordering::Relaxed);
        watched.bytes[self.search.abroad.place(self.me)].store(self.owner.bytes(), Ordering::Relaxed);
        watched.peak_bytes.fetch_max(watched.held_bytes(), Ordering::Relaxed);
    }

    pub(super) fn report(&self, sizes: &[u64]) {
        if self.me == 0 {
            let expanded = all_of(sizes);
            let states = self.search.watched.states.load(Ordering::Relaxed).max(expanded);
            (self.tell)(News::Progress(Progress::at(states, states - expanded, sizes)));
        }
    }
}
