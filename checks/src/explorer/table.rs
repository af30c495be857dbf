//! The set of known states, as indices: open addressing, linear probing.
//!
//! A slot holds 32 bits of a state's hash and its index, so growing touches no
//! state, a probe mostly touches one cache line, and candidates of a whole
//! chunk can be fetched before the first state is compared. The caller
//! compares whole states; the hash only says where to look.

/// Slots of `hash << 32 | index + 1`; 0 is free.
pub(super) struct Table {
    slots: Vec<u64>,
    used: usize,
    peak_bytes: u64,
}

impl Table {
    pub(super) fn new() -> Self {
        let slots = vec![0; 1 << 10];
        Table { peak_bytes: size_of_val(slots.as_slice()) as u64, slots, used: 0 }
    }

    /// Bytes held now.
    pub(super) fn bytes(&self) -> u64 {
        size_of_val(self.slots.as_slice()) as u64
    }

    /// Bytes held at most, while growing.
    pub(super) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// Makes room for `additional` states, at most three quarters full.
    pub(super) fn reserve(&mut self, additional: usize) {
        let needed = ((self.used + additional) * 4 / 3 + 1).next_power_of_two();
        if needed <= self.slots.len() {
            return;
        }
        let mut larger = Table { slots: vec![0; needed], used: self.used, peak_bytes: 0 };
        larger.peak_bytes = self.peak_bytes.max(self.bytes() + larger.bytes());
        for &slot in self.slots.iter().filter(|&&slot| slot != 0) {
            let mut at = larger.home((slot >> 32) as u32);
            while larger.slots[at] != 0 {
                at = larger.after(at);
            }
            larger.slots[at] = slot;
        }
        *self = larger;
    }

    /// What the slot holds where a search for `hash` begins. Reading it is all
    /// that this does, so the cache misses of many calls overlap.
    pub(super) fn first_slot(&self, hash: u32) -> u64 {
        self.slots[self.home(hash)]
    }

    /// The first index with this hash, if any; `slot` is its `first_slot`. Its
    /// state may still differ.
    pub(super) fn candidate(&self, hash: u32, mut slot: u64) -> Option<u32> {
        let mut at = self.home(hash);
        while slot != 0 {
            if (slot >> 32) as u32 == hash {
                return Some(slot as u32 - 1);
            }
            at = self.after(at);
            slot = self.slots[at];
        }
        None
    }

    /// The index of the state that `is_same` recognises; otherwise `index` is
    /// taken in and `None` returned. Room must have been made by `reserve`.
    pub(super) fn find_or_insert(
        &mut self,
        hash: u32,
        index: u32,
        mut is_same: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                self.slots[at] = u64::from(hash) << 32 | u64::from(index + 1);
                self.used += 1;
                return None;
            }
            if (slot >> 32) as u32 == hash && is_same(slot as u32 - 1) {
                return Some(slot as u32 - 1);
            }
            at = self.after(at);
        }
    }

    /// The top bits, so that growing reads and writes both tables in order.
    fn home(&self, hash: u32) -> usize {
        (u64::from(hash) << 32 >> (64 - self.slots.len().trailing_zeros())) as usize
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_hashes_are_told_apart_by_state_and_survive_growth() {
        let mut table = Table::new();
        // Every hash is one of 7, so nearly all probes collide; the "state" is the index itself.
        for index in 0..3_000u32 {
            table.reserve(1);
            let hash = (index % 7) << 29 | 5;
            assert_eq!(table.find_or_insert(hash, index, |other| other == index), None);
        }
        for index in 0..3_000u32 {
            let hash = (index % 7) << 29 | 5;
            assert_eq!(table.find_or_insert(hash, 9_999, |other| other == index), Some(index));
            assert!(table.candidate(hash, table.first_slot(hash)).is_some());
        }
        assert_eq!(table.candidate(6, table.first_slot(6)), None);
        assert!(table.peak_bytes() > table.bytes());
    }
}
