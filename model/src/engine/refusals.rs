//! The refusal cache: an implementation's refusal is reused if every component that it read is
//! unchanged.
//!
//! Disabled actions come in groups (`disabled.rs`): a store's actions on itself, on one other
//! store, and so on. A group that was refused is stored under the numbers of the parts ([`Slots`])
//! that either side read: the model to find the reason, the implementation to refuse. In another
//! state with these parts both would read the same again, so both would answer the same.
//!
//! This misses what a state does not show but an implementation has, such as the next index of a
//! follower. Callers that reuse refusals therefore check some states in full, or all.

use rollcall_traces::{Reason, StoreId};
use smallvec::SmallVec;

use crate::engine::intern::Interner;
use crate::engine::memo::{Memo, Side, Slot, Slots, Values};
use crate::engine::state::InternTables;

/// The parts that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadSet(Slots);

impl ReadSet {
    pub(crate) fn of(
        parts: &InternTables,
        stores: impl Iterator<Item = StoreId>,
        held: bool,
        pd: bool,
    ) -> ReadSet {
        let store_parts = stores.filter_map(|store| parts.store_place(store));
        let beside = [(held, Slot::Held(Side::Before)), (pd, Slot::Pd(Side::Before))];
        let slots = store_parts.map(|at| Slot::Store(Side::Before, at));
        let beside = beside.into_iter().filter_map(|(looked, slot)| looked.then_some(slot));
        ReadSet(slots.chain(beside).fold(Slots::NONE, Slots::with))
    }

    pub(crate) fn union(self, slots: Slots) -> Slots {
        self.0.union(slots)
    }
}

/// How often each reason occurs in a group.
type Reasons = SmallVec<[(Reason, u32); 6]>;

/// The groups that one implementation has refused.
pub struct RefusalCache {
    groups: Memo<u32>,
    reasons: Interner<Reasons>,
    /// The number of states, by the number of the reasons.
    states: Vec<u64>,
    checked: u64,
}

impl Default for RefusalCache {
    fn default() -> Self {
        Self { groups: Memo::new(), reasons: Interner::new(), states: Vec::new(), checked: 0 }
    }
}

impl RefusalCache {
    /// How often the implementation was asked.
    pub fn checked(&self) -> u64 {
        self.checked
    }

    /// Each reason with the number of disabled actions refused for it over all states, and how many
    /// of those refusals were reused.
    pub fn refused(&self) -> impl Iterator<Item = (Reason, u64)> {
        let of = |(number, states): (usize, &u64)| {
            let reasons = self.reasons.get(number as u32).iter();
            let states = *states;
            reasons.map(move |(reason, count)| (*reason, u64::from(*count) * states))
        };
        self.states.iter().enumerate().flat_map(of)
    }

    /// Whether the group was refused on the same parts. If so, it is counted for another state.
    pub(crate) fn knows(&mut self, group: u32, values: &Values<impl Fn(Slot) -> u32>) -> bool {
        let known = self.groups.known(group, &[], values);
        if let Some(reasons) = known {
            self.count(reasons);
        }
        known.is_some()
    }

    /// Records that the group was refused, under the parts of the read set, if it names all of
    /// them.
    pub(crate) fn refuse(
        &mut self,
        group: u32,
        disabled: impl Iterator<Item = Reason>,
        read_set: Option<Slots>,
        values: &Values<impl Fn(Slot) -> u32>,
    ) {
        let mut reasons = Reasons::new();
        for reason in disabled {
            self.checked += 1;
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => reasons.push((reason, 1)),
            }
        }
        let reasons = self.reasons.intern(reasons);
        self.count(reasons);
        if let Some(read_set) = read_set {
            self.groups.learn(group, &[], read_set, values, reasons);
        }
    }

    fn count(&mut self, reasons: u32) {
        let at = reasons as usize;
        if at >= self.states.len() {
            self.states.resize(at + 1, 0);
        }
        self.states[at] += 1;
    }
}
