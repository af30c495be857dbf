//! A split's children on this store.
//!
//! Every store splits into the same parts (`split.rs`), but a child's place may be taken here. An
//! uninitialised peer of the same id, created by an early message, becomes the child and keeps its
//! term and vote. Any other knowledge of the region stays, because it is newer than the split
//! (tikv#5852). So does a peer that replaced a tombstone, and then the data of its range is dropped
//! from this store. Parent and children are one batch.
//!
//! Follows `TiKV apply.rs exec_batch_split`, `TiKV fsm/peer.rs on_ready_split_region`. One rule is
//! stricter: TiKV writes no hard state of an uninitialised peer, so its child begins without the
//! vote.

use std::collections::BTreeMap;

use crate::apply::split::{Divided, Division};
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::proto::position::{INITIAL_POSITION, Position};
use crate::proto::region::{Key, PeerId, Region, Value};
use crate::raft_rs::replica::Replica;
use crate::storage::engine::{ApplyState, HardState, PeerRecord, PeerState, Persisted, Write};
use crate::store::input::Output;
use crate::store::step::{Failure, StepContext};
use crate::store::{Resident, Store};

impl<G: Guards, R: Replica> Store<G, R> {
    /// Creates the parts of a split on the store.
    pub(crate) fn take_division(
        &mut self,
        divided: Divided,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let Divided { division: Division { parent, children }, data, leads } = divided;
        self.ranges.set(parent.id, parent.range());
        let mut created = Vec::with_capacity(children.len());
        for (child, data) in children.iter().zip(data) {
            if let Some((id, hard_state)) = self.place_for(child, step.guards) {
                let replaces = self.entries.contains_key(&child.id);
                self.create_child(id, child.clone(), hard_state, data, step)?;
                if replaces && !step.guards.holds(Guard::DestroySparesTheReplaced) {
                    // The destruction of the uninitialised peer was pending, and destroys the
                    // child instead.
                    self.entries.remove(&child.id);
                    step.batch.push(Write::Clear(child.id));
                    continue;
                }
                created.push((child.id, id));
            }
        }
        if leads && step.guards.holds(Guard::SplitReported) {
            let born =
                children.into_iter().filter(|child| created.iter().any(|(region, _)| *region == child.id));
            let parts = std::iter::once(parent).chain(born);
            step.out.extend(parts.map(|region| Output::RegionHeartbeat { region }));
        }
        for (region, id) in created {
            let pending_messages = self.pending_messages.leave(region, id);
            let begun = match pending_messages {
                // A child that has taken part in an election needs no other.
                _ if leads && self.live(region)?.storage().hard.term == INITIAL_POSITION.term => {
                    self.live(region)?.campaign(step)
                }
                Some(message) => self.receive(message, step),
                None => Ok(()),
            };
            match begun {
                // A learner does not campaign; an early message may be refused.
                Ok(()) | Err(Failure::Refused(_) | Failure::Snapshot(_)) => {}
                Err(failure) => return Err(failure),
            }
            if let Ok(peer) = self.live(region) {
                peer.flush(step);
            }
        }
        Ok(())
    }

    /// The child's peer id and the hard state that it keeps, if its place is free.
    fn place_for(&self, child: &Region, guards: G) -> Option<(PeerId, HardState)> {
        let id = child.member_on(self.id)?.id;
        let Position { index, term } = INITIAL_POSITION;
        let known = self.entries.get(&child.id).map(|slot| &slot.resident);
        let gives_way = match known {
            None => true,
            Some(Resident::Live(peer)) => {
                let storage = peer.storage();
                peer.id == id && !storage.is_initialized() && !storage.record.replaces_tombstone
            }
            Some(Resident::Tombstone { .. }) => false,
        };
        if !gives_way && guards.holds(Guard::SplitSparesTheKnown) {
            return None;
        }
        let kept = match known {
            Some(Resident::Live(peer)) if guards.holds(Guard::SplitKeepsVote) => Some(peer.storage().hard),
            _ => None,
        };
        let kept = kept.filter(|kept| kept.term >= term);
        Some((id, HardState { commit: index, ..kept.unwrap_or(HardState { term, ..HardState::default() }) }))
    }

    /// Creates a peer with an empty log.
    pub(crate) fn create_child(
        &mut self,
        id: PeerId,
        child: Region,
        hard_state: HardState,
        data: BTreeMap<Key, Value>,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let (region, range) = (child.id, child.range());
        let Position { index, .. } = INITIAL_POSITION;
        let apply_state = ApplyState { applied: index, truncated: INITIAL_POSITION };
        let record = PeerRecord::new(id, PeerState::Normal, child);
        let persisted = Persisted { hard_state, apply_state, data, ..Persisted::new(record) };
        step.batch.push(Write::Clear(region));
        step.batch.push(Write::Record(persisted.record.clone()));
        step.batch.push(Write::HardState(region, hard_state));
        step.batch.push(Write::ApplyState(region, apply_state));
        for (key, value) in &persisted.data {
            step.batch.push(Write::Put(region, key.clone(), value.clone()));
        }
        let peer = Peer::load(self.id, &self.config, self.guards, &self.maker, persisted)?;
        self.settle(region, Resident::Live(Box::new(peer)));
        self.ranges.set(region, range);
        self.ranges.set_pending(region, None);
        Ok(())
    }
}
