//! Flags and totals that the workers of one process share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Flags and totals that the workers of one process share, beside the dataflow.
pub(super) struct Watched {
    /// A worker panicked: nobody else need wait for it.
    pub(super) is_broken: AtomicBool,
    /// Somebody wants all to end.
    pub(super) is_interrupted: AtomicBool,
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
            is_interrupted: AtomicBool::new(false),
            states: AtomicU64::new(0),
            bytes: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            peak_bytes: AtomicU64::new(0),
            peak_resident: AtomicU64::new(0),
        }
    }

    /// The bytes that the tables of all workers hold now.
    pub(super) fn held_bytes(&self) -> u64 {
        self.bytes.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }
}
