//! Growing tables that are read without a lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// The most entries that are stored. The first ones are also the most frequent.
pub(super) const MOST: usize = (1 << NUMBER_BITS) - 1;

/// The bits of an entry's number.
pub(super) const NUMBER_BITS: u32 = 22;

/// The size of the first table. Each later one has twice as many entries.
const FIRST_TABLE: usize = 1 << 11;
const GROWTHS: usize = 13;
const _: () = assert!(FIRST_TABLE << (GROWTHS - 1) >= 2 * MOST, "the last table has room for all");

/// How many places are tried for an entry.
const TRIES: usize = 16;

/// A growing set of non-zero 64-bit numbers. Reads take no lock. Not every number is stored.
pub(crate) struct Numbers {
    tables: Growing<AtomicU64>,
    count: AtomicUsize,
}

impl Numbers {
    pub(crate) fn new() -> Self {
        Self { tables: Growing::new(), count: AtomicUsize::new(0) }
    }

    pub(crate) fn has(&self, number: u64) -> bool {
        let Some(table) = self.tables.newest() else { return false };
        let found = places(spread(number), table).map(|place| table[place].load(Ordering::Relaxed));
        found.take_while(|known| *known != 0).any(|known| known == number)
    }

    pub(crate) fn keep(&self, number: u64) {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        if count >= MOST {
            return;
        }
        let table = self.tables.table_for(count, |table, last| {
            let known = last.iter().map(|known| known.load(Ordering::Relaxed)).filter(|known| *known != 0);
            known.for_each(|known| keep_in(table, known));
        });
        keep_in(table, number);
    }
}

fn keep_in(table: &[AtomicU64], number: u64) {
    put(table, spread(number), |place| {
        place.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    });
}

/// A growing map from non-zero 64-bit to 32-bit numbers. Reads take no lock. Not every entry is
/// stored.
pub(crate) struct Numbered {
    tables: Growing<(AtomicU64, AtomicU32)>,
    count: AtomicUsize,
}

impl Numbered {
    pub(crate) fn new() -> Self {
        Self { tables: Growing::new(), count: AtomicUsize::new(0) }
    }

    pub(crate) fn get(&self, key: u64) -> Option<u32> {
        let table = self.tables.newest()?;
        let found = places(spread(key), table).map(|place| &table[place]);
        let mut found = found.take_while(|(known, _)| known.load(Ordering::Relaxed) != 0);
        let (_, value) = found.find(|(known, _)| known.load(Ordering::Relaxed) == key)?;
        // The thread that wrote the key may not have written the value yet.
        value.load(Ordering::Acquire).checked_sub(1)
    }

    /// Stores an entry; the value is less than 2^32 - 1.
    pub(crate) fn keep(&self, key: u64, value: u32) {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        if count >= MOST {
            return;
        }
        let table = self.tables.table_for(count, |table, last| {
            // The value is read first: the key was written before it.
            let known = last.iter().map(|(key, value)| {
                let value = value.load(Ordering::Acquire);
                (key.load(Ordering::Relaxed), value)
            });
            known.filter(|(_, value)| *value != 0).for_each(|(key, value)| enter(table, key, value));
        });
        enter(table, key, value + 1);
    }
}

fn enter(table: &[(AtomicU64, AtomicU32)], key: u64, value: u32) {
    debug_assert!(key != 0 && value != 0, "neither stands for nothing");
    put(table, spread(key), |(place, of)| {
        let new = place.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed);
        let is_its_own = new.is_ok() || new == Err(key);
        if is_its_own {
            of.store(value, Ordering::Release);
        }
        is_its_own
    });
}

/// A hash of a number. Multiplication by an odd constant is a bijection, and its upper half depends
/// on all bits.
pub(super) fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
}

/// A list of tables, each larger than the one before. Only the newest is used. The thread that
/// creates it copies the entries.
pub(super) struct Growing<T> {
    tables: [OnceLock<Box<[T]>>; GROWTHS],
    newest: AtomicUsize,
}

impl<T: Default> Growing<T> {
    pub(super) fn new() -> Self {
        Self { tables: std::array::from_fn(|_| OnceLock::new()), newest: AtomicUsize::new(0) }
    }

    pub(super) fn newest(&self) -> Option<&[T]> {
        Some(self.tables[self.newest.load(Ordering::Acquire)].get()?)
    }

    /// The newest table. If it has too many entries, a new one is created first, and `fill` fills
    /// it, for example from the old one.
    pub(super) fn table_for(&self, entries: usize, fill: impl FnOnce(&[T], &[T])) -> &[T] {
        let newest = self.newest.load(Ordering::Acquire);
        let size = |growths: usize| FIRST_TABLE << growths;
        let growths = if 2 * entries < size(newest) { newest } else { (newest + 1).min(GROWTHS - 1) };
        let table = self.tables[growths].get_or_init(|| {
            let table: Box<[T]> = (0..size(growths)).map(|_| T::default()).collect();
            if let Some(last) = growths.checked_sub(1).and_then(|last| self.tables[last].get()) {
                fill(&table, last);
            }
            table
        });
        self.newest.fetch_max(growths, Ordering::Release);
        table
    }
}

/// The places of a table in which an entry may stand.
pub(super) fn places<T>(hash: u64, table: &[T]) -> impl Iterator<Item = usize> {
    let mask = table.len() - 1;
    (0..TRIES).map(move |step| (hash as usize + step) & mask)
}

/// Writes an entry into the first place that accepts it, or drops it.
pub(super) fn put<T>(table: &[T], hash: u64, takes: impl Fn(&T) -> bool) {
    let _ = places(hash, table).find(|place| takes(&table[*place]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_through_growth() {
        let numbers = Numbers::new();
        let nth = |n: u64| (n << 30) | ((n * n) % 1_000 + 1);
        (0..50_000).for_each(|n| numbers.keep(nth(n)));
        let kept = (0..50_000).filter(|n| numbers.has(nth(*n))).count();
        assert!(kept > 49_000, "{kept}");
        assert!((0..50_000).all(|n| !numbers.has(nth(n) + 1_000)));
    }

    #[test]
    fn what_is_numbered_keeps_its_number_through_growth() {
        let numbered = Numbered::new();
        let nth = |n: u32| (u64::from(n) << 30) | 7;
        (0..50_000).for_each(|n| numbered.keep(nth(n), n));
        assert!((0..50_000).all(|n| numbered.get(nth(n)).is_none_or(|number| number == n)));
        let kept = (0..50_000).filter(|n| numbered.get(nth(*n)).is_some()).count();
        assert!(kept > 49_000, "{kept}");
        assert_eq!(numbered.get(nth(50_000)), None);
    }

    /// With concurrent readers, and while tables grow.
    #[test]
    fn nobody_sees_the_number_of_another() {
        for _ in 0..20 {
            let numbered = Numbered::new();
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let numbered = &numbered;
                    scope.spawn(move || {
                        for n in 0..20_000_u32 {
                            let n = if thread % 2 == 0 { n } else { 20_000 - n };
                            let key = u64::from(n) + 1;
                            assert!(numbered.get(key).is_none_or(|number| number == n));
                            numbered.keep(key, n);
                        }
                    });
                }
            });
            assert!((0..=20_000).all(|n| numbered.get(u64::from(n) + 1).is_none_or(|number| number == n)));
        }
    }
}
