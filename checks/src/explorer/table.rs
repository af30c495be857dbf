//! The set of known states, as indices: open addressing with linear probing.
//!
//! A slot holds 32 bits of a state's hash and its index. So growing reads no state, a search mostly
//! reads one cache line, and candidates of a whole chunk can be fetched before the first state is
//! compared. The caller compares whole states; the hash only says where to look.
//!
//! The table is split into shards by the hash's top bits. Each grows on its own and by a quarter.
//! So at most one shard is held twice, and between 64 and 80 of 100 slots are used: a state takes
//! about 11 bytes.

const SHARD_BITS: u32 = 6;
const SMALLEST: usize = 16;

/// Slots of `hash << 32 | index + 1`; 0 is free.
pub(super) struct Table {
    shards: Vec<Shard>,
    bytes: u64,
    peak_bytes: u64,
}

struct Shard {
    slots: Vec<u64>,
    used: usize,
}

impl Table {
    pub(super) fn new() -> Self {
        let shards: Vec<Shard> = (0..1 << SHARD_BITS).map(|_| Shard::new(SMALLEST)).collect();
        let bytes = shards.iter().map(Shard::bytes).sum();
        Table { shards, bytes, peak_bytes: bytes }
    }

    /// The bytes held now.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The most bytes held, while growing.
    pub(super) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    fn shard(&self, hash: u32) -> &Shard {
        &self.shards[(hash >> (32 - SHARD_BITS)) as usize]
    }

    /// The content of the slot where a search for `hash` begins. It only reads, so the cache misses
    /// of many calls overlap.
    pub(super) fn first_slot(&self, hash: u32) -> u64 {
        let shard = self.shard(hash);
        shard.slots[shard.home(hash)]
    }

    /// The first index with this hash, if there is one; `slot` is its `first_slot`. Its state may
    /// still differ.
    pub(super) fn candidate(&self, hash: u32, mut slot: u64) -> Option<u32> {
        if slot == 0 {
            return None;
        }
        let shard = self.shard(hash);
        let mut at = shard.home(hash);
        while slot != 0 {
            if (slot >> 32) as u32 == hash {
                return Some(slot as u32 - 1);
            }
            at = shard.after(at);
            slot = shard.slots[at];
        }
        None
    }

    /// The index of the state for which `is_same` is true. If there is none, inserts `index` and
    /// returns `None`.
    pub(super) fn find_or_insert(
        &mut self,
        hash: u32,
        index: u32,
        mut is_same: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        self.make_room_for(hash);
        let shard = &mut self.shards[(hash >> (32 - SHARD_BITS)) as usize];
        let mut at = shard.home(hash);
        loop {
            let slot = shard.slots[at];
            if slot == 0 {
                shard.slots[at] = u64::from(hash) << 32 | u64::from(index + 1);
                shard.used += 1;
                return None;
            }
            if (slot >> 32) as u32 == hash && is_same(slot as u32 - 1) {
                return Some(slot as u32 - 1);
            }
            at = shard.after(at);
        }
    }

    fn make_room_for(&mut self, hash: u32) {
        let shard = &mut self.shards[(hash >> (32 - SHARD_BITS)) as usize];
        if (shard.used + 1) * 5 <= shard.slots.len() * 4 {
            return;
        }
        let larger = shard.grown();
        self.peak_bytes = self.peak_bytes.max(self.bytes + larger.bytes());
        self.bytes += larger.bytes() - shard.bytes();
        *shard = larger;
    }
}

impl Shard {
    fn new(slots: usize) -> Self {
        Shard { slots: vec![0; slots], used: 0 }
    }

    fn bytes(&self) -> u64 {
        size_of_val(self.slots.as_slice()) as u64
    }

    /// A slot's home grows with its hash, so both tables are passed through in order.
    fn grown(&self) -> Self {
        let mut larger = Shard { used: self.used, ..Shard::new(self.slots.len() + self.slots.len() / 4) };
        for &slot in self.slots.iter().filter(|&&slot| slot != 0) {
            let mut at = larger.home((slot >> 32) as u32);
            while larger.slots[at] != 0 {
                at = larger.after(at);
            }
            larger.slots[at] = slot;
        }
        larger
    }

    /// The home slot of a hash within its shard.
    fn home(&self, hash: u32) -> usize {
        let rest = u64::from(hash << SHARD_BITS);
        ((rest * self.slots.len() as u64) >> 32) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_hashes_are_distinguished_by_state_and_survive_growth() {
        let mut table = Table::new();
        // Every hash is one of 7, so nearly all searches collide; the "state" is the index itself.
        for index in 0..3_000u32 {
            let hash = (index % 7) << 29 | 5;
            assert_eq!(table.find_or_insert(hash, index, |other| other == index), None);
        }
        for index in 0..3_000u32 {
            let hash = (index % 7) << 29 | 5;
            assert_eq!(table.find_or_insert(hash, 9_999, |other| other == index), Some(index));
            assert!(table.candidate(hash, table.first_slot(hash)).is_some());
        }
        assert_eq!(table.candidate(6, table.first_slot(6)), None);
    }

    #[test]
    fn spread_hashes_take_at_most_thirteen_bytes_a_state_even_while_a_shard_grows() {
        let mut table = Table::new();
        for index in 0..200_000u32 {
            let hash = index.wrapping_mul(0x9e37_79b9);
            assert_eq!(table.find_or_insert(hash, index, |_| false), None);
        }
        assert!(table.peak_bytes() >= table.bytes());
        assert!(table.peak_bytes() <= 13 * 200_000, "{}", table.peak_bytes());
    }
}
