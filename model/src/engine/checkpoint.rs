//! Writes the parts to which a state's numbers refer, so that another process can continue with the
//! same numbers.
//!
//! Threads intern in any order, so the numbers of one run mean nothing in another. Parts are only
//! added. A checkpoint has the parts added since the last one, in the order of their numbers. They
//! are JSON, like views and histories in traces: the dictionary leaves out empty fields, and
//! formats without field names cannot read that back. There are few parts for each state.

use std::hash::Hash;

use rollcall_traces::{
    Budgets, Held, History, Peer, PlacementDriver, PlanUnderWay, RangeEntry, RegionId, StoreStatus,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engine::intern::Interner;
use crate::engine::memo::STORES;
use crate::engine::state::{InternTables, Rest, State, StoreMeta, StorePart, UNUSED};

/// The number of parts of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartCounts {
    pub(super) peers: u32,
    pub(super) metas: u32,
    pub(super) store_parts: u32,
    pub(super) pds: u32,
    pub(super) held: u32,
    pub(super) spent: u32,
    pub(super) rests: u32,
    pub(super) histories: u32,
}

/// Parts that are malformed or out of order.
#[derive(Debug, Error)]
pub enum PartsError {
    /// They cannot be read.
    #[error("parts of states cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A part has another number in this process.
    #[error("{kind} number {number} is already another {kind} here")]
    Renumbered {
        /// The kind of part.
        kind: &'static str,
        /// Its number in the checkpoint.
        number: u32,
    },
    /// A part refers to one that is missing.
    #[error("{kind} number {number} refers to a part that does not exist")]
    Incomplete {
        /// The kind of part.
        kind: &'static str,
        /// Its number.
        number: u32,
    },
}

/// A store's status, the number of its meta, and those of its peers by region.
pub(super) type WrittenPlace = (StoreStatus, u32, Vec<(RegionId, u32)>);

/// The parts after `from`, as written.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) from: PartCounts,
    pub(super) peers: Vec<Peer>,
    pub(super) metas: Vec<(Vec<RangeEntry>, Vec<Held>, Option<PlanUnderWay>)>,
    pub(super) store_parts: Vec<WrittenPlace>,
    pub(super) pds: Vec<PlacementDriver>,
    pub(super) held: Vec<Vec<Held>>,
    pub(super) spent: Vec<Budgets>,
    pub(super) rests: Vec<(u32, u32, u32)>,
    pub(super) histories: Vec<History>,
}

impl InternTables {
    /// The parts added since `from`, and the counts now. All parts of every state made before the
    /// call are among these and earlier ones.
    pub(crate) fn parts_since(&self, from: PartCounts) -> (Vec<u8>, PartCounts) {
        let parts = self;
        // Count parts last to which others refer.
        let store_parts = parts.store_parts.settled();
        let rests = parts.rest.settled();
        let histories = parts.history.settled();
        let (peers, metas) = (parts.peers.settled(), parts.metas.settled());
        let (pds, held, spent) = (parts.pds.settled(), parts.held.settled(), parts.spent.settled());
        let now = PartCounts { peers, metas, store_parts, pds, held, spent, rests, histories };
        let written = Written {
            from,
            peers: some(&parts.peers, from.peers, now.peers, Peer::clone),
            metas: some(&parts.metas, from.metas, now.metas, |meta| {
                (meta.ranges.clone(), meta.pending_messages.clone(), meta.plan)
            }),
            store_parts: some(&parts.store_parts, from.store_parts, now.store_parts, |place| {
                (place.status, place.meta, place.peers.to_vec())
            }),
            pds: some(&parts.pds, from.pds, now.pds, PlacementDriver::clone),
            held: some(&parts.held, from.held, now.held, Vec::clone),
            spent: some(&parts.spent, from.spent, now.spent, |spent| *spent),
            rests: some(&parts.rest, from.rests, now.rests, |rest| (rest.held, rest.pd, rest.spent)),
            histories: some(&parts.history, from.histories, now.histories, History::clone),
        };
        (serde_json::to_vec(&written).expect("parts become JSON, as traces do"), now)
    }

    /// Adds what [`InternTables::parts_since`] wrote in another process: each checkpoint once, in
    /// order, and before any other state is made.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a part would get another number.
    pub(crate) fn take_parts(&self, written: &[u8]) -> Result<(), PartsError> {
        let parts = self;
        let Written { from, peers, metas, store_parts, pds, held, spent, rests, histories } =
            serde_json::from_slice(written)?;
        again(&parts.peers, "peer", from.peers, peers)?;
        let metas = metas.into_iter().map(|(ranges, pending_messages, plan)| StoreMeta {
            ranges,
            pending_messages,
            plan,
        });
        again(&parts.metas, "meta", from.metas, metas)?;
        again(&parts.pds, "placement driver", from.pds, pds)?;
        again(&parts.held, "set of messages", from.held, held)?;
        again(&parts.spent, "set of budgets", from.spent, spent)?;
        again(&parts.history, "history", from.histories, histories)?;
        for (number, (status, meta, peers)) in (from.store_parts..).zip(store_parts) {
            if !has(&parts.metas, meta) || !peers.iter().all(|(_, peer)| has(&parts.peers, *peer)) {
                return Err(PartsError::Incomplete { kind: "store", number });
            }
            let place = StorePart { status, meta, peers: peers.into() };
            again(&parts.store_parts, "store", number, [place])?;
        }
        for (number, (held, pd, spent)) in (from.rests..).zip(rests) {
            if !has(&parts.held, held) || !has(&parts.pds, pd) || !has(&parts.spent, spent) {
                return Err(PartsError::Incomplete { kind: "rest", number });
            }
            again(&parts.rest, "rest", number, [Rest { held, pd, spent }])?;
        }
        Ok(())
    }

    /// Whether every number of a row refers to a known part.
    pub(crate) fn knows(&self, row: &[u32]) -> bool {
        let parts = self;
        let Some((history, row)) = row.split_last() else { return false };
        let Some((rest, stores)) = row.split_last() else { return false };
        stores.len() == parts.stores.len()
            && stores.iter().all(|place| has(&parts.store_parts, *place))
            && has(&parts.rest, *rest)
            && has(&parts.history, *history)
    }
}

fn has<T: Clone + Eq + Hash>(interner: &Interner<T>, number: u32) -> bool {
    (number as usize) < interner.len()
}

fn some<T: Clone + Eq + Hash, W>(
    interner: &Interner<T>,
    from: u32,
    to: u32,
    write: impl Fn(&T) -> W,
) -> Vec<W> {
    (from..to).map(|number| write(interner.get(number))).collect()
}

fn again<T: Clone + Eq + Hash>(
    interner: &Interner<T>,
    kind: &'static str,
    from: u32,
    parts: impl IntoIterator<Item = T>,
) -> Result<(), PartsError> {
    for (number, part) in (from..).zip(parts) {
        if interner.intern(part) != number {
            return Err(PartsError::Renumbered { kind, number });
        }
    }
    Ok(())
}

/// The row of a state: a number for each store of the scope, and two more.
impl State {
    /// How many numbers the row has.
    pub fn row_width(&self) -> usize {
        self.stores.iter().take_while(|place| **place != UNUSED).count() + 2
    }

    /// Writes the row, which has [`State::row_width`] numbers.
    pub fn write_row(&self, row: &mut [u32]) {
        let (stores, others) = row.split_at_mut(row.len() - 2);
        stores.copy_from_slice(&self.stores[..stores.len()]);
        others.copy_from_slice(&[self.rest, self.history]);
    }

    /// The state of a row.
    pub fn read_row(row: &[u32]) -> Self {
        let (store_parts, others) = row.split_at(row.len() - 2);
        let mut stores = [UNUSED; STORES];
        stores[..store_parts.len()].copy_from_slice(store_parts);
        Self { stores, rest: others[0], history: others[1] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rollcall::Rollcall;
    use crate::guard::GuardSet;
    use crate::scopes::{self, Size};
    use stateright::Model;

    use crate::cluster::ClusterInScope;

    /// Some hundred states of each smoke scope, breadth first.
    fn walked(model: &Rollcall, states: usize) -> Vec<State> {
        let mut found = vec![model.first()];
        let mut at = 0;
        while at < found.len() && found.len() < states {
            for state in model.next_states(&found[at].clone()) {
                if !found.contains(&state) {
                    found.push(state);
                }
            }
            at += 1;
        }
        found
    }

    #[test]
    fn another_process_reads_every_state_as_it_was() {
        for plan in scopes::all().into_iter().filter(|plan| plan.size == Size::Smoke) {
            let model = plan.model(GuardSet::ALL).expect("the scope can be begun");
            let (first, counts) = model.parts_since(PartCounts::default());
            let states = walked(&model, 300);
            let (second, all) = model.parts_since(counts);
            assert_eq!(model.parts_since(all).1, all);
            let other = plan.model(GuardSet::ALL).expect("the scope can be begun");
            for written in [first, second] {
                other.take_parts(&written).expect("parts come back with their numbers");
            }
            assert_eq!(other.parts_since(all).1, all, "{}", plan.scope.name);
            for state in states {
                let mut row = vec![0; state.row_width()];
                state.write_row(&mut row);
                assert!(other.knows(&row));
                assert_eq!(State::read_row(&row), state);
                assert_eq!(other.cluster(&state).view(), model.cluster(&state).view());
                assert_eq!(other.cluster(&state).history(), model.cluster(&state).history());
                assert_eq!(other.cluster(&state).spent(), model.cluster(&state).spent());
                assert_eq!(other.next_states(&state).len(), model.next_states(&state).len());
            }
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let model = |name: &str| scopes::named(name).expect("it is there").model(GuardSet::ALL).unwrap();
        let one = model("grow_and_shrink_smoke");
        let (_, counts) = one.parts_since(PartCounts::default());
        walked(&one, 50);
        let (written, _) = one.parts_since(counts);
        let other = model("grow_and_shrink_smoke");
        other.take_parts(&written).expect("the setup's parts are there");
        let again = model("three_voters_to_one_smoke").take_parts(&written).unwrap_err();
        assert!(matches!(again, PartsError::Renumbered { .. } | PartsError::Incomplete { .. }), "{again}");
        assert!(matches!(one.take_parts(b"[]").unwrap_err(), PartsError::Unreadable(_)));
        assert!(!other.knows(&[0, 0]) && !other.knows(&[]));
        assert!(!other.knows(&[0, 0, 0, 0, 0, u32::MAX]));
    }
}
