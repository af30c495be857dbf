//! A fingerprint of each state, equal in every process of one build.
//!
//! Part numbers depend on the order of discovery, so a row is meaningful in one process only. A
//! fingerprint is the sum of one content hash for each part of the row, times a factor for the part's
//! place. A part is hashed once. From a state to its successor only the changed parts are looked up.
//!
//! Two states may have one fingerprint. It decides who owns a state, and does not identify it.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::{AHasher, RandomState};

use crate::engine::intern::{Interner, entry};
use crate::engine::state::InternTables;

/// One hash for each part, worked out when it is first asked for.
struct Hashes(boxcar::Vec<AtomicU64>);

/// In place of a hash that nobody has asked for.
const UNKNOWN: u64 = 0;

impl Hashes {
    fn get_or(&self, number: u32, work_out: impl FnOnce() -> u64) -> u64 {
        let hash = entry(&self.0, number as usize, || AtomicU64::new(UNKNOWN));
        match hash.load(Ordering::Relaxed) {
            UNKNOWN => {
                let worked_out = work_out().max(UNKNOWN + 1);
                hash.store(worked_out, Ordering::Relaxed);
                worked_out
            }
            known => known,
        }
    }
}

/// The hashes of the parts that a row consists of.
pub(crate) struct Fingerprints {
    stores: Hashes,
    rests: Hashes,
    histories: Hashes,
    hasher: RandomState,
}

impl Fingerprints {
    pub(crate) fn new() -> Self {
        let none = || Hashes(boxcar::Vec::new());
        let hasher = RandomState::with_seeds(0x1319_8a2e, 0x0370_7344, 0xa409_3822, 0x299f_31d0);
        Self { stores: none(), rests: none(), histories: none(), hasher }
    }

    /// The fingerprint of a state's row.
    pub(crate) fn of(&self, parts: &InternTables, row: &[u32]) -> u64 {
        row.iter().enumerate().fold(0, |sum, (place, number)| {
            sum.wrapping_add(self.hash_at(parts, place, row.len(), *number).wrapping_mul(factor(place)))
        })
    }

    /// The fingerprint of the row `after`, where that of `before` is known.
    pub(crate) fn after(&self, parts: &InternTables, known: u64, before: &[u32], after: &[u32]) -> u64 {
        let width = after.len();
        let changed = before.iter().zip(after).enumerate().filter(|(_, (before, after))| before != after);
        changed.fold(known, |sum, (place, (before, after))| {
            let hash = |number: u32| self.hash_at(parts, place, width, number);
            sum.wrapping_add(hash(*after).wrapping_sub(hash(*before)).wrapping_mul(factor(place)))
        })
    }

    /// The hash of what the number at this place of a row stands for.
    fn hash_at(&self, parts: &InternTables, place: usize, width: usize, number: u32) -> u64 {
        match width - place {
            1 => {
                self.histories.get_or(number, || self.hash_of(|hasher| hash(&parts.history, number, hasher)))
            }
            2 => self.rests.get_or(number, || {
                let rest = parts.rest.get(number);
                self.hash_of(|hasher| {
                    hash(&parts.held, rest.held, hasher);
                    hash(&parts.pds, rest.pd, hasher);
                    hash(&parts.spent, rest.spent, hasher);
                })
            }),
            _ => self.stores.get_or(number, || {
                let store = parts.store_parts.get(number);
                self.hash_of(|hasher| {
                    store.status.hash(hasher);
                    hash(&parts.metas, store.meta, hasher);
                    for (region, peer) in &store.peers {
                        region.hash(hasher);
                        hash(&parts.peers, *peer, hasher);
                    }
                })
            }),
        }
    }

    fn hash_of(&self, content: impl FnOnce(&mut AHasher)) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        content(&mut hasher);
        hasher.finish()
    }
}

fn hash<T: Clone + Eq + Hash>(parts: &Interner<T>, number: u32, hasher: &mut AHasher) {
    parts.get(number).hash(hasher);
}

/// Odd and different, so that the same part counts otherwise at another place.
fn factor(place: usize) -> u64 {
    0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(2 * place as u64 + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stateright::Model;

    use crate::cluster::ClusterInScope;
    use crate::engine::state::State;
    use crate::guard::GuardSet;
    use crate::scopes;

    fn row(state: &State) -> Vec<u32> {
        let mut row = vec![0; state.row_width()];
        state.write_row(&mut row);
        row
    }

    /// Whole levels, of at least 150 states: their fingerprints by their content. `last_first` walks
    /// in another order, so that parts have other numbers.
    fn walked(name: &str, last_first: bool) -> BTreeMap<String, u64> {
        let model = scopes::named(name).expect("it is there").model(GuardSet::ALL).expect("it begins");
        let mut fingerprints = BTreeMap::new();
        let mut level = vec![model.first()];
        while fingerprints.len() < 150 && !level.is_empty() {
            let mut next = Vec::new();
            for state in level {
                let (at, before) = (model.fingerprint(&row(&state)), row(&state));
                let seen = model.cluster(&state);
                let content = (seen.view(), seen.history().clone(), seen.spent());
                let content = serde_json::to_string(&content).expect("JSON");
                if fingerprints.insert(content, at).is_some() {
                    continue;
                }
                let mut successors = model.next_states(&state);
                if last_first {
                    successors.reverse();
                }
                for after in &successors {
                    let whole = model.fingerprint(&row(after));
                    assert_eq!(model.fingerprint_after(at, &before, &row(after)), whole);
                }
                next.append(&mut successors);
            }
            if last_first {
                next.reverse();
            }
            level = next;
        }
        fingerprints
    }

    #[test]
    fn a_fingerprint_does_not_depend_on_the_order_of_discovery() {
        for name in ["new_store_joins_smoke", "merge_racing_a_decommission_smoke", "order_repeated_smoke"] {
            let (one, other) = (walked(name, false), walked(name, true));
            assert!(one.len() >= 150, "{name} has {} states", one.len());
            assert_eq!(one, other, "{name}");
            let mut distinct: Vec<&u64> = one.values().collect();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), one.len(), "{name}: other states, other fingerprints");
        }
    }
}
