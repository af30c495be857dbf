//! Interned parts of a state (SPIN's "collapse"): a peer's local state repeats in thousands of
//! global states, so it is stored once and referred to by a number.
//!
//! Numbers depend on the order in which parts were found, so they mean something only within one
//! process and one [`Interner`]. Equal parts have equal numbers, which is all that the checker
//! needs.

use std::borrow::Cow;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use ahash::RandomState;
use hashbrown::HashTable;

const SHARDS: usize = 64;

/// Stores each distinct `T` once. Reads take no lock.
pub(crate) struct Interner<T> {
    parts: boxcar::Vec<T>,
    shards: Vec<Mutex<HashTable<u32>>>,
    hasher: RandomState,
}

impl<T: Clone + Eq + Hash> Interner<T> {
    pub(crate) fn new() -> Self {
        Self {
            parts: boxcar::Vec::new(),
            shards: (0..SHARDS).map(|_| Mutex::new(HashTable::new())).collect(),
            hasher: RandomState::with_seeds(5, 434_317, 4204, 90_496),
        }
    }

    /// The number of `part`, which is added if it is new.
    pub(crate) fn intern(&self, part: T) -> u32 {
        self.number(Cow::Owned(part))
    }

    /// The same for a reference; the part is cloned only if it is new.
    pub(crate) fn intern_ref(&self, part: &T) -> u32 {
        self.number(Cow::Borrowed(part))
    }

    fn number(&self, part: Cow<'_, T>) -> u32 {
        let hash = self.hasher.hash_one(&*part);
        let shard = &self.shards[(hash >> 58) as usize % SHARDS];
        let mut table = shard.lock().expect("a thread panicked while interning");
        if let Some(id) = table.find(hash, |id| self.parts[*id as usize] == *part) {
            return *id;
        }
        let id = u32::try_from(self.parts.push(part.into_owned())).expect("more than 2^32 distinct parts");
        table.insert_unique(hash, id, |id| self.hasher.hash_one(&self.parts[*id as usize]));
        id
    }

    /// The part with a number that `intern` returned.
    pub(crate) fn get(&self, id: u32) -> &T {
        &self.parts[id as usize]
    }

    /// The number of distinct parts, all of them readable. No thread may add one meanwhile.
    pub(crate) fn settled(&self) -> u32 {
        let locked: Vec<_> = self
            .shards
            .iter()
            .map(|shard| shard.lock().expect("a thread panicked while interning"))
            .collect();
        let count = self.parts.count() as u32;
        drop(locked);
        count
    }

    /// The number of distinct parts.
    pub(crate) fn len(&self) -> usize {
        self.parts.count()
    }
}

/// Grows the list and returns its entry. Another thread may still be writing an entry: it is
/// counted, but not yet readable.
pub(crate) fn entry<T>(list: &boxcar::Vec<T>, at: usize, new: impl Fn() -> T) -> &T {
    loop {
        if let Some(entry) = list.get(at) {
            return entry;
        }
        if list.count() <= at {
            list.push(new());
        } else {
            std::hint::spin_loop();
        }
    }
}

/// A second number for each part, computed on demand.
pub(crate) struct Column(boxcar::Vec<AtomicU32>);

const UNKNOWN: u32 = u32::MAX;

impl Column {
    pub(crate) fn new() -> Self {
        Self(boxcar::Vec::new())
    }

    /// Several.
    pub(crate) fn some<const N: usize>() -> [Self; N] {
        std::array::from_fn(|_| Self::new())
    }

    pub(crate) fn get_or(&self, id: u32, work_out: impl FnOnce() -> u32) -> u32 {
        let number = entry(&self.0, id as usize, || AtomicU32::new(UNKNOWN));
        match number.load(Ordering::Acquire) {
            UNKNOWN => {
                let worked_out = work_out();
                number.store(worked_out, Ordering::Release);
                worked_out
            }
            known => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_grows_under_several_threads() {
        for _ in 0..200 {
            let column = Column::new();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for id in (0..300).rev() {
                            assert_eq!(column.get_or(id, || id + 7), id + 7);
                        }
                    });
                }
            });
        }
    }
}
