//! The numbers of another process's parts, in this process.
//!
//! Two processes meet parts in different orders and number them differently. A process that sends rows
//! sends the definitions of its parts too, once, in the form of a checkpoint. The receiver interns each
//! and keeps the number that it has here. A translated row is exact: equal states have equal rows,
//! whoever sent them.

use std::hash::Hash;

use crate::engine::checkpoint::{PartCounts, PartsError, Written};
use crate::engine::intern::Interner;
use crate::engine::state::{InternTables, Rest, StoreMeta, StorePart};

/// The numbers here of the parts of one other process, by their numbers there.
#[derive(Debug, Default)]
pub struct Translation {
    peers: Vec<u32>,
    metas: Vec<u32>,
    store_parts: Vec<u32>,
    pds: Vec<u32>,
    held: Vec<u32>,
    spent: Vec<u32>,
    rests: Vec<u32>,
    histories: Vec<u32>,
}

impl Translation {
    /// Replaces the other process's numbers in a row by those of this process.
    ///
    /// # Panics
    ///
    /// If a part of the row has not been defined.
    pub fn translate(&self, row: &mut [u32]) {
        let (stores, others) = row.split_at_mut(row.len() - 2);
        for store in stores {
            *store = self.store_parts[*store as usize];
        }
        others[0] = self.rests[others[0] as usize];
        others[1] = self.histories[others[1] as usize];
    }
}

impl PartCounts {
    /// Whether these many parts include all of a row.
    pub(crate) fn include(&self, row: &[u32]) -> bool {
        let (stores, others) = row.split_at(row.len() - 2);
        others[0] < self.rests
            && others[1] < self.histories
            && stores.iter().all(|store| *store < self.store_parts)
    }
}

impl InternTables {
    /// Takes in definitions of another process: what its [`InternTables::parts_since`] wrote, each
    /// once, in order.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or are not the next ones.
    pub(crate) fn learn(&self, theirs: &mut Translation, written: &[u8]) -> Result<(), PartsError> {
        let Written { from, peers, metas, store_parts, pds, held, spent, rests, histories } =
            serde_json::from_slice(written)?;
        let here = theirs;
        number(&self.peers, &mut here.peers, ("peer", from.peers), peers)?;
        let metas = metas.into_iter().map(|(ranges, pending_messages, plan)| StoreMeta {
            ranges,
            pending_messages,
            plan,
        });
        number(&self.metas, &mut here.metas, ("meta", from.metas), metas)?;
        number(&self.pds, &mut here.pds, ("placement driver", from.pds), pds)?;
        number(&self.held, &mut here.held, ("set of messages", from.held), held)?;
        number(&self.spent, &mut here.spent, ("set of budgets", from.spent), spent)?;
        number(&self.history, &mut here.histories, ("history", from.histories), histories)?;
        for (at, (status, meta, peers)) in (from.store_parts..).zip(store_parts) {
            let unknown = PartsError::Incomplete { kind: "store", number: at };
            let peer = |(region, peer)| Some((region, *here.peers.get(peer as usize)?));
            peers.iter().for_each(|(region, _)| self.region_slots.add(*region));
            let peers = peers.into_iter().map(peer).collect::<Option<_>>();
            let (Some(peers), Some(meta)) = (peers, here.metas.get(meta as usize)) else {
                return Err(unknown);
            };
            let part = StorePart { status, meta: *meta, peers };
            number(&self.store_parts, &mut here.store_parts, ("store", at), [part])?;
        }
        for (at, (held, pd, spent)) in (from.rests..).zip(rests) {
            let known = |numbers: &[u32], number: u32| {
                let unknown = PartsError::Incomplete { kind: "rest", number: at };
                numbers.get(number as usize).copied().ok_or(unknown)
            };
            let (held, pd) = (known(&here.held, held)?, known(&here.pds, pd)?);
            let rest = Rest { held, pd, spent: known(&here.spent, spent)? };
            number(&self.rest, &mut here.rests, ("rest", at), [rest])?;
        }
        Ok(())
    }
}

/// Interns parts of one kind, the first of which has that number there.
fn number<T: Clone + Eq + Hash>(
    interner: &Interner<T>,
    numbers: &mut Vec<u32>,
    (kind, from): (&'static str, u32),
    parts: impl IntoIterator<Item = T>,
) -> Result<(), PartsError> {
    if numbers.len() != from as usize {
        return Err(PartsError::Incomplete { kind, number: from });
    }
    numbers.extend(parts.into_iter().map(|part| interner.intern(part)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use stateright::Model;

    use super::*;
    use crate::cluster::ClusterInScope;
    use crate::engine::rollcall::Rollcall;
    use crate::engine::state::State;
    use crate::guard::GuardSet;
    use crate::scopes::{self, Size};

    fn row(state: &State) -> Vec<u32> {
        let mut row = vec![0; state.row_width()];
        state.write_row(&mut row);
        row
    }

    /// Some states, depth first or breadth first.
    fn walked(model: &Rollcall, last_first: bool) -> Vec<State> {
        let (mut found, mut open) = (vec![model.first()], std::collections::VecDeque::from([model.first()]));
        while let Some(state) = if last_first { open.pop_back() } else { open.pop_front() } {
            for after in model.next_states(&state) {
                if found.len() < 200 && !found.contains(&after) {
                    found.push(after);
                    open.push_back(after);
                }
            }
        }
        found
    }

    /// Each process has its own states before it reads the other's.
    #[test]
    fn a_translated_row_is_the_same_state() {
        for plan in scopes::all().into_iter().filter(|plan| plan.size == Size::Smoke) {
            let name = &plan.scope.name;
            let model = || plan.model(GuardSet::ALL).expect("the scope can be begun");
            let (here, there) = (model(), model());
            let (mut theirs, mut told) = (Translation::default(), PartCounts::default());
            let own = walked(&here, true);
            let mut renumbered = 0;
            for state in walked(&there, false) {
                let mut read = row(&state);
                if let Some(definitions) = there.definitions(&mut told, [&read[..]]) {
                    here.learn(&mut theirs, &definitions).expect("they are the next");
                }
                theirs.translate(&mut read);
                renumbered += u32::from(read != row(&state));
                assert!(here.knows(&read), "{name}");
                let same = State::read_row(&read);
                assert_eq!(here.cluster(&same).view(), there.cluster(&state).view(), "{name}");
                assert_eq!(here.cluster(&same).history(), there.cluster(&state).history(), "{name}");
                assert_eq!(here.cluster(&same).spent(), there.cluster(&state).spent(), "{name}");
                assert_eq!(here.fingerprint(&read), there.fingerprint(&row(&state)), "{name}");
                assert_eq!(here.next_states(&same).len(), there.next_states(&state).len(), "{name}");
            }
            // Whoever walks that few states in any order meets them in one order.
            assert!(renumbered > 0 || own.len() < 200, "{name}: the numbers were the same");
            assert!(there.definitions(&mut told, [&row(&there.first())[..]]).is_none(), "{name}");
        }
    }

    #[test]
    fn definitions_out_of_order_are_refused() {
        let model = || {
            let plan = scopes::named("grow_and_shrink_smoke").expect("it is there");
            plan.model(GuardSet::ALL).expect("it begins")
        };
        let (here, there) = (model(), model());
        let first = there.parts_since(PartCounts::default());
        walked(&there, false);
        let (second, _) = there.parts_since(first.1);
        let mut theirs = Translation::default();
        let early = here.learn(&mut theirs, &second).unwrap_err();
        assert!(matches!(early, PartsError::Incomplete { .. }), "{early}");
        let mut theirs = Translation::default();
        here.learn(&mut theirs, &first.0).expect("the first");
        here.learn(&mut theirs, &second).expect("the second");
        let twice = here.learn(&mut theirs, &second).unwrap_err();
        assert!(matches!(twice, PartsError::Incomplete { .. }), "{twice}");
        assert!(matches!(here.learn(&mut theirs, b"{").unwrap_err(), PartsError::Unreadable(_)));
    }
}
