//! Interned parts of a state (SPIN's "collapse"): a peer's local state repeats
//! in thousands of global states, so it is kept once and named by a number.
//!
//! Numbers depend on the order in which parts were met, so they are meaningful
//! only within one process and one [`Interner`]; equal parts have equal
//! numbers, and that is all that the checker needs.

use std::borrow::Cow;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use ahash::RandomState;
use hashbrown::HashTable;

const SHARDS: usize = 64;

/// Keeps each distinct `T` once. Reading takes no lock.
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

    /// The number of `part`, which is kept if it is new.
    pub(crate) fn intern(&self, part: T) -> u32 {
        self.number(Cow::Owned(part))
    }

    /// The same; copied only if it is new.
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

    /// The part behind a number that `intern` returned.
    pub(crate) fn get(&self, id: u32) -> &T {
        &self.parts[id as usize]
    }

    /// How many distinct parts there are, while nobody adds one: all up to here can be had.
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

    /// How many distinct parts there are.
    pub(crate) fn len(&self) -> usize {
        self.parts.count()
    }
}

/// The entry of a list that grows up to it. Another thread may have begun it and
/// not be done: it counts already, and is not there yet.
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

/// One more number for each part, computed when it is first asked for.
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
