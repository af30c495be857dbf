//! Memoisation: a step on the same parts is computed once.
//!
//! A rule reads a few parts of a state. A round between two stores reads those two, for example.
//! The same parts occur in thousands of states, and a rule does the same on the same parts. So the
//! parts that a computation reads are recorded ([`Slots`]). The answer is stored under the numbers
//! of just these parts, and holds in every state that has them. The parts need not be known
//! beforehand, and may differ from one computation to the next: the answer depends on nothing but
//! what was read.
//!
//! Answers are exact, because whole keys are compared. An answer that is not stored costs only
//! time.

mod slots;
mod table;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use smallvec::SmallVec;

use crate::engine::intern::entry;

use slots::Listed;
pub use slots::STORES;
pub(crate) use slots::{REGIONS, ReadTracker, SLOTS, Side, Slot, Slots, Values, track};
use table::{Growing, MOST, NUMBER_BITS, places, put, spread};
pub(crate) use table::{Numbered, Numbers};

/// The part of a hash that a table stores with an answer's number.
const TAG: u32 = !0 << NUMBER_BITS;

/// The most slot sets that are stored for one question.
const SETS: usize = 4;

/// Answers to numbered questions about states, each stored under the parts on which it depends.
/// Reads take no lock.
pub(crate) struct Memo<V> {
    /// For each question, the slot sets that were read.
    sets: boxcar::Vec<[OnceLock<Listed>; SETS]>,
    replies: boxcar::Vec<(Key, V)>,
    /// Entries made by [`tagged`]. They are small, because lookups dominate.
    tables: Growing<AtomicU32>,
}

/// The key of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    question: u32,
    /// Which of the question's slot sets.
    set: u32,
    /// The rest of the question, then the values of the slots.
    words: SmallVec<[u32; 8]>,
}

impl<V: Copy> Memo<V> {
    pub(crate) fn new() -> Self {
        Self { sets: boxcar::Vec::new(), replies: boxcar::Vec::new(), tables: Growing::new() }
    }

    /// The answer for these values of the slots that it depends on.
    pub(crate) fn known<F: Fn(Slot) -> u32>(
        &self,
        question: u32,
        more: &[u32],
        values: &Values<F>,
    ) -> Option<V> {
        self.found(question, more, values).map(|(_, reply)| reply)
    }

    /// The same with the answer's number. The number stands for the question and for everything on
    /// which the answer depends.
    pub(crate) fn found<F: Fn(Slot) -> u32>(
        &self,
        question: u32,
        more: &[u32],
        values: &Values<F>,
    ) -> Option<(u32, V)> {
        let table = self.tables.newest()?;
        for (set, slots) in (0..).zip(self.sets.get(question as usize)?) {
            let Some(slots) = slots.get() else { break };
            let words = || words(more, slots, values);
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
                let (key, reply) = &self.replies[number as usize];
                let is_same =
                    (key.question, key.set) == (question, set) && words().eq(key.words.iter().copied());
                if is_same {
                    return Some((number, *reply));
                }
            }
        }
        None
    }

    /// Stores an answer unless the question has too many slot sets or the memo is full. Returns the
    /// answer's number if it was stored.
    pub(crate) fn learn<F: Fn(Slot) -> u32>(
        &self,
        question: u32,
        more: &[u32],
        read_set: Slots,
        values: &Values<F>,
        reply: V,
    ) -> Option<u32> {
        if self.replies.count() >= MOST {
            return None;
        }
        let sets = entry(&self.sets, question as usize, || std::array::from_fn(|_| OnceLock::new()));
        let read_set = Listed::of(read_set.settled())?;
        let set = sets.iter().position(|known| *known.get_or_init(|| read_set) == read_set)? as u32;
        let key = Key { question, set, words: words(more, &read_set, values).collect() };
        let hash = key.hash();
        // Two threads may store the same answer. Then it is there twice.
        let at = self.replies.push((key, reply));
        if at >= MOST {
            return None;
        }
        let table = self.tables.table_for(at, |table, _| {
            for (at, (key, _)) in self.replies.iter().take_while(|(at, _)| *at < MOST) {
                enter(table, key.hash(), at);
            }
        });
        enter(table, hash, at);
        Some(at as u32)
    }

    /// The slots on which the answer with this number depends.
    pub(crate) fn read_set(&self, number: u32) -> Slots {
        let (key, _) = &self.replies[number as usize];
        let slots = self.sets[key.question as usize][key.set as usize].get();
        slots.expect("a set that an answer was learnt with").slots()
    }
}

impl Key {
    fn hash(&self) -> u64 {
        hash(self.question, self.set, self.words.iter().copied())
    }
}

/// The words of a key after question and set.
fn words<'a, F: Fn(Slot) -> u32>(
    more: &'a [u32],
    slots: &'a Listed,
    values: &'a Values<F>,
) -> impl Iterator<Item = u32> + 'a {
    more.iter().copied().chain(slots.places().map(|place| values.at(place)))
}

/// The hash of a key.
fn hash(question: u32, set: u32, words: impl Iterator<Item = u32>) -> u64 {
    let begin = spread(u64::from(question) << 32 | u64::from(set));
    spread(words.fold(begin, |hash, word| spread(hash ^ u64::from(word))))
}

fn enter(table: &[AtomicU32], hash: u64, reply: usize) {
    let entry = tagged(hash, reply);
    put(table, hash, |place| place.compare_exchange(0, entry, Ordering::Release, Ordering::Relaxed).is_ok());
}

/// Part of the key's hash and, in the lower bits, the answer's index plus one.
fn tagged(hash: u64, reply: usize) -> u32 {
    (hash as u32 & TAG) | (reply as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After three growths every key still has its own answer.
    #[test]
    fn an_answer_holds_where_the_slots_that_it_depends_on_are_the_same() {
        let memo = Memo::new();
        let first = Slots::NONE.with(Slot::Store(Side::Before, 0));
        let both = first.with(Slot::Store(Side::Before, 1));
        let row = |a: u32, b: u32| move |slot| if slot == Slot::Store(Side::Before, 0) { a } else { b };
        for a in 0..20_000 {
            let read_set = if a % 2 == 0 { first } else { both };
            memo.learn(7, &[1], read_set, &Values::of(row(a, a + 1)), a);
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
}
