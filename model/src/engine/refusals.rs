//! The refusal cache: what an implementation has refused, so that it need not
//! be checked again where every component that it read is unchanged.
//!
//! Disabled actions come in groups (`disabled.rs`): what a store does alone, what it does
//! to one other, and so on. A group that was refused is kept under the numbers
//! of the parts ([`Slots`]) at which either side looked, the model to say why
//! and the implementation to refuse. In another state with these very parts
//! both would look at the same again, so both would say the same.
//!
//! Left out: what a state does not show and an implementation carries all the
//! same, as the next index of a follower. Who shares refusals tries some states
//! with everything, or all of them.

use rollcall_traces::{Reason, StoreId};
use smallvec::SmallVec;

use crate::engine::intern::Interner;
use crate::engine::memo::{Memo, Side, Slot, Slots, Values};
use crate::engine::state::InternTables;

/// The parts at which somebody looked.
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

/// How often each reason stands in a group.
type Reasons = SmallVec<[(Reason, u32); 6]>;

/// The groups that one implementation has refused.
pub struct RefusalCache {
    groups: Memo<u32>,
    reasons: Interner<Reasons>,
    /// In how many states, by the number of the reasons.
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

    /// Each reason with the number of disabled actions that are refused for it over all
    /// states, those among them for which nobody had to try again.
    pub fn refused(&self) -> impl Iterator<Item = (Reason, u64)> {
        let of = |(number, states): (usize, &u64)| {
            let reasons = self.reasons.get(number as u32).iter();
            let states = *states;
            reasons.map(move |(reason, count)| (*reason, u64::from(*count) * states))
        };
        self.states.iter().enumerate().flat_map(of)
    }

    /// Whether the group was refused on the same parts. It counts for another state then.
    pub(crate) fn knows(&mut self, group: u32, values: &Values<impl Fn(Slot) -> u32>) -> bool {
        let known = self.groups.known(group, &[], values);
        if let Some(reasons) = known {
            self.count(reasons);
        }
        known.is_some()
    }

    /// The group was refused; kept for the parts that the read set names, if it names them all.
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
