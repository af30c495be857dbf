//! What loom does not have: a cell that is written once, and a list that grows.

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering};

/// As std's: whoever comes while it is made waits for that.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    made: Mutex<()>,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { made: Mutex::new(()), value: std::sync::OnceLock::new() }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        let _made = self.made.lock().expect("nobody panics while it is made");
        self.value.get()
    }

    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let _made = self.made.lock().expect("nobody panics while it is made");
        self.value.get_or_init(init)
    }
}

/// As boxcar's: an entry counts before it is there.
#[derive(Debug)]
pub(crate) struct List<T> {
    count: AtomicUsize,
    entries: [OnceLock<T>; 4],
}

impl<T> List<T> {
    pub(crate) fn new() -> Self {
        Self { count: AtomicUsize::new(0), entries: std::array::from_fn(|_| OnceLock::new()) }
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.entries[at].get()
    }

    pub(crate) fn push(&self, value: T) -> usize {
        let at = self.count.fetch_add(1, Ordering::AcqRel);
        self.entries[at].get_or_init(|| value);
        at
    }
}
