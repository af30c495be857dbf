//! What clients know: acknowledged writes, and the results of reads.

use super::{Acknowledged, Breach, Fold, PeerStep, PendingRead, RegionHistory, Write};
use crate::action::Action;
use crate::cluster::Cluster;
use crate::command::Command;
use crate::outcome::{Outcome, Returned};
use crate::peer::{Peer, Role};
use crate::region::{Key, RegionId, StoreId};

impl Fold<'_> {
    /// Records the writes that a peer has just applied. The proposer answers its client if it still
    /// leads in the write's term.
    pub(super) fn applied_writes(&mut self, step: &PeerStep<'_>) {
        let Some(peer) = step.after.filter(|after| after.is_initialized()) else { return };
        let applied_before = step.same_replica().map_or(0, |before| before.applied);
        if peer.applied <= applied_before {
            return;
        }
        for index in peer.log.truncated.index.max(applied_before) + 1..=peer.applied {
            let Some(entry) = peer.log.entry(index) else { continue };
            let Some(command) = &entry.command else { continue };
            let Some(key) = command.written_key() else { continue };
            // A write under another version, or with a key outside the region, is skipped at apply.
            if entry.epoch.version != peer.region.epoch.version || !peer.region.contains(key) {
                continue;
            }
            let value = match command {
                Command::Put { value, .. } => Some(value.clone()),
                _ => None,
            };
            let write = Write { index, term: entry.term, version: entry.epoch.version, value };
            if peer.role == Role::Leader && entry.term == peer.term {
                self.acknowledge(step.region, key, write, peer.term);
            } else {
                self.took_effect(step.region, key, write);
            }
        }
    }

    fn took_effect(&mut self, region: RegionId, key: &Key, write: Write) {
        let later = match self.region(region).writes.get(key) {
            Some(writes) => {
                let behind =
                    writes.acknowledged.as_ref().is_some_and(|known| write.index <= known.write.index);
                match writes.later.binary_search_by_key(&write.index, |known| known.index) {
                    Err(at) if !behind => at,
                    _ => return,
                }
            }
            None => 0,
        };
        self.region_mut(region).writes.entry(key.clone()).or_default().later.insert(later, write);
    }

    /// Records that a client knows `write`, from a response by a peer in term `known_in`.
    pub(super) fn acknowledge(&mut self, region: RegionId, key: &Key, write: Write, known_in: u64) {
        let known = self.region(region).writes.get(key).and_then(|writes| writes.acknowledged.as_ref());
        if known.is_some_and(|known| {
            (known.write.index, std::cmp::Reverse(known.known_in))
                >= (write.index, std::cmp::Reverse(known_in))
        }) {
            return;
        }
        let writes = self.region_mut(region).writes.entry(key.clone()).or_default();
        writes.later.retain(|later| later.index > write.index);
        writes.acknowledged = Some(Acknowledged { write, known_in });
    }

    /// Records a read that is asked or answered in `before`.
    pub(super) fn client(&mut self, before: &impl Cluster, action: &Action, outcome: &Outcome) {
        match (action, outcome) {
            (Action::Read { region, store, key }, Outcome::Done(_)) => {
                if let Some(peer) = before.peer(*store, *region) {
                    self.asked(*region, *store, peer, key);
                }
            }
            (Action::AnswerRead { region, store }, Outcome::Done(returned)) => {
                if let Some(peer) = before.peer(*store, *region) {
                    self.answered(*region, *store, peer, returned);
                }
            }
            _ => {}
        }
    }

    /// Records what is known when a read is asked. If a region has a write of the key under a newer
    /// version than the peer's, a split gave it the key. The peer drops the read when it applies
    /// that split, so any response before that is older than the write.
    fn asked(&mut self, region: RegionId, store: StoreId, peer: &Peer, key: &Key) {
        let known = |of: &RegionHistory| {
            of.writes.get(key).and_then(|writes| writes.acknowledged.as_ref()).map(|known| {
                let Write { index, version, .. } = known.write;
                (index, version)
            })
        };
        let index = known(self.region(region)).map_or(0, |(index, _)| index);
        let behind =
            |of: &RegionHistory| known(of).is_some_and(|(_, version)| version > peer.region.epoch.version);
        let mut others = self.past().regions.iter().filter(|(other, _)| **other != region);
        let split_off = others.find(|(_, of)| behind(of)).map(|(other, _)| *other);
        if index > 0 || split_off.is_some() {
            self.region_mut(region).reads.insert(store, PendingRead { index, split_off });
        }
    }

    /// Judges a response by index, not by value: a value that happens to equal a newer one is still
    /// stale. The client knows the result from then on, so a later read must not be older.
    fn answered(&mut self, region: RegionId, store: StoreId, peer: &Peer, returned: &Returned) {
        let Some(read) = &peer.read else { return };
        let key = &read.key;
        let held = matches!(returned, Returned::Value { key: of, value, region: named }
            if of == key && value.as_ref() == peer.data.get(key) && *named == peer.region
                && named.contains(key));
        if !held {
            self.breach(Breach::WrongAnswer { region, store, key: key.clone() });
        }
        if let Some(PendingRead { index: acknowledged, split_off }) =
            self.region(region).reads.get(&store).copied()
        {
            if peer.applied < acknowledged {
                let (key, applied) = (key.clone(), peer.applied);
                self.breach(Breach::StaleRead { region, store, key, applied, acknowledged });
            }
            if let Some(split_off) = split_off {
                let (key, version) = (key.clone(), peer.region.epoch.version);
                self.breach(Breach::ReadBehindSplit { region, store, key, version, split_off });
            }
        }
        let shown = self.region(region).writes.get(key).and_then(|writes| writes.shown_at(peer.applied));
        if let Some(write) = shown.cloned() {
            self.acknowledge(region, key, write, peer.term);
        }
    }

    /// Forgets a read that has ended.
    pub(super) fn read_ended(&mut self, step: &PeerStep<'_>) {
        let under_way = |peer: &Peer| peer.read.is_some();
        // No read was under way, so none is recorded.
        if step.before.is_some_and(under_way)
            && !step.after.is_some_and(under_way)
            && self.region(step.region).reads.contains_key(&step.store)
        {
            self.region_mut(step.region).reads.remove(&step.store);
        }
    }
}
