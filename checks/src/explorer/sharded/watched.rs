//! Flags and totals that the workers of one process share.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Flags and totals that the workers of one process share, beside the dataflow.
pub(super) struct Watched {
    /// A worker panicked, or a process is lost: nobody else need wait for it.
    is_broken: AtomicBool,
    /// The process that was lost first.
    lost: OnceLock<usize>,
    /// Somebody wants all to end.
    pub(super) is_interrupted: AtomicBool,
    /// A checkpoint could not be written.
    pub(super) is_not_kept: AtomicBool,
    /// Distinct states.
    pub(super) states: AtomicU64,
    /// The bytes that each worker's tables hold.
    pub(super) bytes: Vec<AtomicU64>,
    pub(super) peak_bytes: AtomicU64,
    /// 0 if nobody looked.
    pub(super) peak_resident: AtomicU64,
}

impl Watched {
    pub(super) fn of(workers: usize) -> Self {
        Self {
            is_broken: AtomicBool::new(false),
            lost: OnceLock::new(),
            is_interrupted: AtomicBool::new(false),
            is_not_kept: AtomicBool::new(false),
            states: AtomicU64::new(0),
            bytes: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            peak_bytes: AtomicU64::new(0),
            peak_resident: AtomicU64::new(0),
        }
    }

    /// Nobody need wait for anybody any more.
    pub(super) fn break_off(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::SeqCst)
    }

    /// The connection to a process has broken, unless this process itself has broken off.
    pub(super) fn lose(&self, process: usize) {
        if !self.is_broken() {
            let _ = self.lost.set(process);
        }
        self.break_off();
    }

    /// The process whose loss ended the search.
    pub(super) fn lost(&self) -> Option<usize> {
        self.lost.get().copied()
    }

    /// The bytes that the tables of all workers hold now.
    pub(super) fn held_bytes(&self) -> u64 {
        self.bytes.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }
}
