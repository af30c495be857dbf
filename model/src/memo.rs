//! What was worked out once is not worked out again.
//!
//! A rule looks at a few parts of a state: a round between two stores at those
//! two, say. The same parts turn up in thousands of states, and on the same
//! parts a rule does the same. So while something is worked out, the parts that
//! it looks at are noted ([`Slots`]); the answer is kept under the numbers of
//! just these, and holds in every state that has them, whatever else is there.
//! Which parts are looked at need not be known beforehand, nor be the same each
//! time: what is noted is all that the answer can depend on.
//!
//! Answers are exact, for whole keys are compared. Not every answer is kept:
//! then it is only slower.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use smallvec::SmallVec;

use crate::intern::entry;
use crate::state::STORES;

/// The most answers that are kept: those that come first come again most often.
const MOST: usize = (1 << NUMBER_BITS) - 1;

/// The bits of an answer's number in a table.
const NUMBER_BITS: u32 = 22;

/// The places of the first table; each later one has twice as many.
const FIRST_TABLE: usize = 1 << 11;
const GROWTHS: usize = 13;
const _: () = assert!(FIRST_TABLE << (GROWTHS - 1) >= 2 * MOST, "the last table has room for all");

/// How many places are tried for an entry.
const TRIES: usize = 16;

/// The part of a hash that stands in a table beside an answer's number.
const TAG: u32 = !0 << NUMBER_BITS;

/// How many sets of slots are remembered of one question.
const SETS: usize = 4;

/// Parts of a state, or of two: the one before a step and the one after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots(u64);

/// Whose parts are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Those of the only state, or of the one before.
    Before,
    /// Those of the state after the step.
    After,
}

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A store's place.
    Store(Side, usize),
    /// What is under way.
    Held(Side),
    /// The placement driver.
    Pd(Side),
    /// Whether the placement driver is another one after the step.
    PdMoved,
    /// What was spent of the budgets, before.
    Spent,
    /// The history, before.
    History,
    /// What the peers on a store show of themselves after the step ([`rollcall_traces::Face`]).
    Faces(usize),
    /// What the leaders on a store report, before ([`crate::report::Reports`]).
    Reports(usize),
    /// Whether a store is another one after the step.
    Moved(usize),
    /// What the stores are doing: up, down, destroyed.
    Statuses(Side),
    /// The regions of which any store has a peer or a tombstone.
    Regions(Side),
}

/// How many kinds of slots there are of which each store has its own.
const OF_STORES: usize = 5;

const SLOTS: usize = OF_STORES * STORES + 11;

impl Slot {
    const fn bit(self) -> u64 {
        1 << self.place()
    }

    const fn place(self) -> usize {
        const BESIDE: usize = OF_STORES * STORES;
        match self {
            Slot::Store(Side::Before, at) => at,
            Slot::Store(Side::After, at) => STORES + at,
            Slot::Faces(at) => 2 * STORES + at,
            Slot::Reports(at) => 3 * STORES + at,
            Slot::Moved(at) => 4 * STORES + at,
            Slot::Held(Side::Before) => BESIDE,
            Slot::Held(Side::After) => BESIDE + 1,
            Slot::Pd(Side::Before) => BESIDE + 2,
            Slot::Pd(Side::After) => BESIDE + 3,
            Slot::PdMoved => BESIDE + 4,
            Slot::Spent => BESIDE + 5,
            Slot::History => BESIDE + 6,
            Slot::Statuses(Side::Before) => BESIDE + 7,
            Slot::Statuses(Side::After) => BESIDE + 8,
            Slot::Regions(Side::Before) => BESIDE + 9,
            Slot::Regions(Side::After) => BESIDE + 10,
        }
    }

    fn of_place(place: usize) -> Self {
        let at = place % STORES;
        match place / STORES {
            0 => Slot::Store(Side::Before, at),
            1 => Slot::Store(Side::After, at),
            2 => Slot::Faces(at),
            3 => Slot::Reports(at),
            4 => Slot::Moved(at),
            _ => match place - OF_STORES * STORES {
                0 => Slot::Held(Side::Before),
                1 => Slot::Held(Side::After),
                2 => Slot::Pd(Side::Before),
                3 => Slot::Pd(Side::After),
                4 => Slot::PdMoved,
                5 => Slot::Spent,
                6 => Slot::History,
                7 => Slot::Statuses(Side::Before),
                8 => Slot::Statuses(Side::After),
                9 => Slot::Regions(Side::Before),
                _ => Slot::Regions(Side::After),
            },
        }
    }
}

impl Slots {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn of(slot: Slot) -> Self {
        Self(slot.bit())
    }

    pub(crate) fn with(self, slot: Slot) -> Self {
        Self(self.0 | slot.bit())
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has(self, slot: Slot) -> bool {
        self.0 & slot.bit() != 0
    }

    pub(crate) fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Slot> {
        self.places().map(Slot::of_place)
    }

    fn places(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let at = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(at)
        })
    }
}

/// What stands in the slots of one state or step, each looked up when it is first
/// asked for: many questions are put to one state.
pub(crate) struct Values<F> {
    look_up: F,
    known: Noted,
    values: [Cell<u32>; SLOTS],
}

impl<F: Fn(Slot) -> u32> Values<F> {
    pub(crate) fn of(look_up: F) -> Self {
        Self { look_up, known: Cell::new(Slots::NONE), values: [const { Cell::new(0) }; SLOTS] }
    }

    #[inline]
    fn at(&self, place: usize) -> u32 {
        if self.known.get().0 >> place & 1 == 0 {
            let slot = Slot::of_place(place);
            self.values[place].set((self.look_up)(slot));
            note(&self.known, slot);
        }
        self.values[place].get()
    }
}

/// Where somebody notes what was looked at.
pub(crate) type Noted = Cell<Slots>;

pub(crate) fn note(noted: &Noted, slot: Slot) {
    noted.set(noted.get().with(slot));
}

/// A growing set of numbers of 64 bits, none of them 0. Reading takes no lock.
/// Not every number is kept.
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

/// A hash of a number: whoever multiplies by an odd constant loses nothing, and
/// the upper half depends on all bits.
fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
}

/// Tables of which each is larger than the one before. Only the newest is looked
/// at: whoever makes it brings along what is there.
struct Growing<T> {
    tables: [OnceLock<Box<[T]>>; GROWTHS],
    newest: AtomicUsize,
}

impl<T: Default> Growing<T> {
    fn new() -> Self {
        Self { tables: std::array::from_fn(|_| OnceLock::new()), newest: AtomicUsize::new(0) }
    }

    fn newest(&self) -> Option<&[T]> {
        Some(self.tables[self.newest.load(Ordering::Acquire)].get()?)
    }

    /// The newest table, which is made first if there are too many entries for
    /// it; `bring` fills it, and may do so from the one before.
    fn table_for(&self, entries: usize, bring: impl FnOnce(&[T], &[T])) -> &[T] {
        let newest = self.newest.load(Ordering::Acquire);
        let size = |growths: usize| FIRST_TABLE << growths;
        let growths = if 2 * entries < size(newest) { newest } else { (newest + 1).min(GROWTHS - 1) };
        let table = self.tables[growths].get_or_init(|| {
            let table: Box<[T]> = (0..size(growths)).map(|_| T::default()).collect();
            if let Some(last) = growths.checked_sub(1).and_then(|last| self.tables[last].get()) {
                bring(&table, last);
            }
            table
        });
        self.newest.fetch_max(growths, Ordering::Release);
        table
    }
}

/// Answers to numbered questions about states, each kept for the parts that it
/// depends on. Reading takes no lock.
pub(crate) struct Memo<V> {
    /// Of each question: the sets of slots that were looked at, one bit to say that it is a set.
    sets: boxcar::Vec<[AtomicU64; SETS]>,
    answers: boxcar::Vec<(Key, V)>,
    /// Entries of [`tagged`]: small, because looking there is what takes time.
    tables: Growing<AtomicU32>,
}

/// Where an answer holds.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    question: u32,
    /// The set of slots and its bit.
    set: u64,
    /// Whatever else the question says, then what stands in the slots.
    words: SmallVec<[u32; 8]>,
}

const IS_SET: u64 = 1 << 63;
const _: () = assert!(SLOTS < 63, "a set and its bit fit into a word");

impl<V: Copy> Memo<V> {
    pub(crate) fn new() -> Self {
        Self { sets: boxcar::Vec::new(), answers: boxcar::Vec::new(), tables: Growing::new() }
    }

    /// The answer where the slots that it depends on have these values.
    pub(crate) fn known<F: Fn(Slot) -> u32>(
        &self,
        question: u32,
        more: &[u32],
        values: &Values<F>,
    ) -> Option<V> {
        self.found(question, more, values).map(|(_, answer)| answer)
    }

    /// The same, with the answer's number: it stands for the question and for
    /// everything that the answer depends on.
    pub(crate) fn found<F: Fn(Slot) -> u32>(
        &self,
        question: u32,
        more: &[u32],
        values: &Values<F>,
    ) -> Option<(u32, V)> {
        let table = self.tables.newest()?;
        for set in self.sets.get(question as usize)? {
            let set = set.load(Ordering::Relaxed);
            if set == 0 {
                break;
            }
            let words = || words(more, set, values);
            let hash = hash(question, set, words());
            for place in places(hash, table) {
                let entry = table[place].load(Ordering::Acquire);
                if entry == 0 {
                    break;
                }
                if entry & TAG != hash as u32 & TAG {
                    continue;
                }
                let number = (entry & !TAG) - 1;
                let (key, answer) = &self.answers[number as usize];
                let is_same =
                    (key.question, key.set) == (question, set) && words().eq(key.words.iter().copied());
                if is_same {
                    return Some((number, *answer));
                }
            }
        }
        None
    }

    /// Keeps an answer, unless the question has too many sets of slots, or the
    /// memo is full. The answer's number is returned if it is kept.
    pub(crate) fn learn<F: Fn(Slot) -> u32>(
        &self,
        question: u32,
        more: &[u32],
        looked_at: Slots,
        values: &Values<F>,
        answer: V,
    ) -> Option<u32> {
        if self.answers.count() >= MOST {
            return None;
        }
        let none = || std::array::from_fn(|_| AtomicU64::new(0));
        let sets = entry(&self.sets, question as usize, none);
        let set = looked_at.0 | IS_SET;
        let has = |known: &AtomicU64| {
            let new = known.compare_exchange(0, set, Ordering::Relaxed, Ordering::Relaxed);
            new.is_ok() || new == Err(set)
        };
        if !sets.iter().any(has) {
            return None;
        }
        let key = Key { question, set, words: words(more, set, values).collect() };
        let hash = key.hash();
        // Two threads may learn the same at once, and then it is there twice.
        let at = self.answers.push((key, answer));
        if at >= MOST {
            return None;
        }
        let table = self.tables.table_for(at, |table, _| {
            for (at, (key, _)) in self.answers.iter().take_while(|(at, _)| *at < MOST) {
                enter(table, key.hash(), at);
            }
        });
        enter(table, hash, at);
        Some(at as u32)
    }
}

impl Key {
    fn hash(&self) -> u64 {
        hash(self.question, self.set, self.words.iter().copied())
    }
}

/// What a key says beside the question and the set.
fn words<'a, F: Fn(Slot) -> u32>(
    more: &'a [u32],
    set: u64,
    values: &'a Values<F>,
) -> impl Iterator<Item = u32> + 'a {
    more.iter().copied().chain(Slots(set & !IS_SET).places().map(|place| values.at(place)))
}

/// A hash of a key.
fn hash(question: u32, set: u64, words: impl Iterator<Item = u32>) -> u64 {
    let begin = spread(u64::from(question) ^ set.rotate_left(32));
    spread(words.fold(begin, |hash, word| spread(hash ^ u64::from(word))))
}

/// The places of a table in which an entry may stand.
fn places<T>(hash: u64, table: &[T]) -> impl Iterator<Item = usize> {
    let mask = table.len() - 1;
    (0..TRIES).map(move |step| (hash as usize + step) & mask)
}

/// Puts something into the first place that takes it; it is left out where none does.
fn put<T>(table: &[T], hash: u64, takes: impl Fn(&T) -> bool) {
    let _ = places(hash, table).find(|place| takes(&table[*place]));
}

fn enter(table: &[AtomicU32], hash: u64, answer: usize) {
    let entry = tagged(hash, answer);
    put(table, hash, |place| place.compare_exchange(0, entry, Ordering::Release, Ordering::Relaxed).is_ok());
}

/// A part of the key's hash and, in the lower bits, where the answer is, from 1 on.
fn tagged(hash: u64, answer: usize) -> u32 {
    (hash as u32 & TAG) | (answer as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_a_bit_of_its_own() {
        for at in 0..SLOTS {
            assert_eq!(Slot::of_place(at).place(), at);
        }
        let some = [Slot::Store(Side::After, 3), Slot::Held(Side::Before), Slot::Statuses(Side::After)];
        let slots = some.into_iter().fold(Slots::NONE, Slots::with);
        assert_eq!(slots.iter().collect::<Vec<_>>(), some);
        assert!(slots.has(Slot::Held(Side::Before)) && !slots.has(Slot::Held(Side::After)));
    }

    /// Beyond three growths, and every answer is still its own.
    #[test]
    fn an_answer_holds_where_the_slots_that_it_depends_on_are_the_same() {
        let memo = Memo::new();
        let first = Slots::NONE.with(Slot::Store(Side::Before, 0));
        let both = first.with(Slot::Store(Side::Before, 1));
        let row = |a: u32, b: u32| move |slot| if slot == Slot::Store(Side::Before, 0) { a } else { b };
        for a in 0..20_000 {
            let looked_at = if a % 2 == 0 { first } else { both };
            memo.learn(7, &[1], looked_at, &Values::of(row(a, a + 1)), a);
        }
        for a in 0..20_000 {
            assert_eq!(memo.known(7, &[1], &Values::of(row(a, a + 1))), Some(a));
            let elsewhere = (a % 2 == 0).then_some(a);
            assert_eq!(
                memo.known(7, &[1], &Values::of(row(a, a + 2))),
                elsewhere,
                "the second slot matters to the odd"
            );
            assert_eq!(memo.known(7, &[2], &Values::of(row(a, a + 1))), None, "another question");
        }
        assert_eq!(memo.known(6, &[1], &Values::of(row(0, 1))), None);
    }

    #[test]
    fn a_question_with_too_many_sets_is_answered_by_nobody() {
        let memo = Memo::new();
        for at in 0..=SETS {
            memo.learn(0, &[], Slots::NONE.with(Slot::Store(Side::Before, at)), &Values::of(|_| 5), at);
        }
        assert_eq!(memo.known(0, &[], &Values::of(|_| 5)), Some(0), "the first set answers");
        let other = |slot| if slot == Slot::Store(Side::Before, SETS) { 5 } else { 6 };
        assert_eq!(memo.known(0, &[], &Values::of(other)), None);
    }

    #[test]
    fn numbers_are_kept_through_growth() {
        let numbers = Numbers::new();
        let nth = |n: u64| (n << 30) | ((n * n) % 1_000 + 1);
        (0..50_000).for_each(|n| numbers.keep(nth(n)));
        let kept = (0..50_000).filter(|n| numbers.has(nth(*n))).count();
        assert!(kept > 49_000, "{kept}");
        assert!((0..50_000).all(|n| !numbers.has(nth(n) + 1_000)));
    }
}
