//! States judged by what was judged before.
//!
//! Most properties are about one store and the history, or about two stores and
//! nothing else: such a property holds of a cluster if it holds of each of its
//! stores with that history, and of each two of them with none
//! ([`Property::is_of_two_stores`]). The same two stores turn up in thousands of
//! states, and are judged once. The others are judged by the parts that they
//! look at.

use crate::memo::{Memo, Noted, Numbers, Side, Slots};
use crate::properties::Property;
use crate::state::{Parts, STORES, Seen, State};

/// Which properties broke where, bit n for the nth of the model's.
pub(crate) struct Judged {
    /// A cluster with nothing in it.
    nothing: State,
    /// What breaks none of the properties that are of two stores.
    sound: Numbers,
    /// Of the other properties: which are broken, by what all of them look at.
    others: Memo<u64>,
}

impl Judged {
    pub(crate) fn new(parts: &Parts) -> Self {
        Self { nothing: parts.nothing(), sound: Numbers::new(), others: Memo::new() }
    }

    /// The properties that a state breaks.
    pub(crate) fn broken(&self, parts: &Parts, properties: &[Property], state: &State) -> u64 {
        if !parts.history.get(state.history).abandoned().is_empty() {
            return breaks(properties, &parts.seen(state), |_| true);
        }
        let stores = parts.stores.len();
        let mut broken = 0;
        for one in 0..stores {
            broken |= self.judge((one, one), state.stores[one], state.history, || {
                let alone = State { history: state.history, ..self.only(state, &[one]) };
                breaks(properties, &parts.seen(&alone), Property::is_of_two_stores)
            });
            for other in one + 1..stores {
                broken |= self.judge((one, other), state.stores[one], state.stores[other], || {
                    let both = self.only(state, &[one, other]);
                    breaks(properties, &parts.seen(&both), Property::is_of_two_stores)
                });
            }
        }
        let values = parts.values(state);
        let others = self.others.known(0, &[], &values).unwrap_or_else(|| {
            let noted = Noted::new(Slots::NONE);
            let seen = parts.noted(state, &noted, Side::After);
            let others = breaks(properties, &seen, |property| !property.is_of_two_stores());
            self.others.learn(0, &[], noted.get(), &values, others);
            others
        });
        broken | others
    }

    /// Judges, unless it is known to be sound: two stores by their places, or
    /// one twice, by its place and the history.
    fn judge(
        &self,
        (one, other): (usize, usize),
        first: u32,
        second: u32,
        judge: impl FnOnce() -> u64,
    ) -> u64 {
        // 1 + 3 + 3 bits, and 28 for each number; a larger one is not kept.
        let number = (1 << 62 | one << 59 | other << 56) as u64 | u64::from(first) << 28 | u64::from(second);
        let fits = first >> 28 == 0 && second >> 28 == 0;
        if fits && self.sound.has(number) {
            return 0;
        }
        let broken = judge();
        if fits && broken == 0 {
            self.sound.keep(number);
        }
        broken
    }

    /// The cluster with nothing but these of its stores.
    fn only(&self, state: &State, places: &[usize]) -> State {
        let mut only = self.nothing;
        places.iter().for_each(|&at| only.stores[at] = state.stores[at]);
        only
    }
}

/// The judged ones of the properties that a cluster breaks.
fn breaks(properties: &[Property], seen: &Seen<'_>, judged: impl Fn(Property) -> bool) -> u64 {
    let history = seen.history();
    let broken = |property: Property| judged(property) && property.check(seen, history).is_err();
    let bits = properties.iter().enumerate().map(|(at, property)| u64::from(broken(*property)) << at);
    bits.fold(0, |all, bit| all | bit)
}

const _: () = assert!(STORES <= 8, "a store's place fits into three bits");
