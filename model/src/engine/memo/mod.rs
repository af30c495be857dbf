//! Memoisation: a step on the same parts is taken once.
//!
//! A rule looks at a few parts of a state: a round between two stores at those
//! two, say. The same parts turn up in thousands of states, and on the same
//! parts a rule does the same. So while a result is computed, the parts that
//! it looks at are noted ([`Slots`]); the answer is kept under the numbers of
//! just these, and holds in every state that has them, whatever else is there.
//! Which parts are looked at need not be known beforehand, nor be the same each
//! time: what is noted is all that the answer can depend on.
//!
//! Answers are exact, for whole keys are compared. Not every answer is kept:
//! then it is only slower.

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

/// The part of a hash that stands in a table beside an answer's number.
const TAG: u32 = !0 << NUMBER_BITS;

/// How many sets of slots are remembered of one question.
const SETS: usize = 4;

/// Answers to numbered questions about states, each kept for the parts that it
/// depends on. Reading takes no lock.
pub(crate) struct Memo<V> {
    /// Of each question: the sets of slots that were looked at.
    sets: boxcar::Vec<[OnceLock<Listed>; SETS]>,
    replies: boxcar::Vec<(Key, V)>,
    /// Entries of [`tagged`]: small, because looking there is what takes time.
    tables: Growing<AtomicU32>,
}

/// Where an answer holds.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    question: u32,
    /// Which of the question's sets of slots.
    set: u32,
    /// Whatever else the question says, then what stands in the slots.
    words: SmallVec<[u32; 8]>,
}

impl<V: Copy> Memo<V> {
    pub(crate) fn new() -> Self {
        Self { sets: boxcar::Vec::new(), replies: boxcar::Vec::new(), tables: Growing::new() }
    }

    /// The answer where the slots that it depends on have these values.
    pub(crate) fn known<F: Fn(Slot) -> u32>(
        &self,
        question: u32,
        more: &[u32],
        values: &Values<F>,
    ) -> Option<V> {
        self.found(question, more, values).map(|(_, reply)| reply)
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

    /// Keeps an answer, unless the question has too many sets of slots, or the
    /// memo is full. The answer's number is returned if it is kept.
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
        // Two threads may learn the same at once, and then it is there twice.
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

/// What a key says beside the question and the set.
fn words<'a, F: Fn(Slot) -> u32>(
    more: &'a [u32],
    slots: &'a Listed,
    values: &'a Values<F>,
) -> impl Iterator<Item = u32> + 'a {
    more.iter().copied().chain(slots.places().map(|place| values.at(place)))
}

/// A hash of a key.
fn hash(question: u32, set: u32, words: impl Iterator<Item = u32>) -> u64 {
    let begin = spread(u64::from(question) << 32 | u64::from(set));
    spread(words.fold(begin, |hash, word| spread(hash ^ u64::from(word))))
}

fn enter(table: &[AtomicU32], hash: u64, reply: usize) {
    let entry = tagged(hash, reply);
    put(table, hash, |place| place.compare_exchange(0, entry, Ordering::Release, Ordering::Relaxed).is_ok());
}

/// A part of the key's hash and, in the lower bits, where the answer is, from 1 on.
fn tagged(hash: u64, reply: usize) -> u32 {
    (hash as u32 & TAG) | (reply as u32 + 1)
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
