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

mod slots;
mod table;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use smallvec::SmallVec;

use crate::intern::entry;

use slots::SLOTS;
pub(crate) use slots::{Noted, Side, Slot, Slots, Values, note};
pub(crate) use table::Numbers;
use table::{Growing, MOST, NUMBER_BITS, places, put, spread};

/// The part of a hash that stands in a table beside an answer's number.
const TAG: u32 = !0 << NUMBER_BITS;

/// How many sets of slots are remembered of one question.
const SETS: usize = 4;

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
}
