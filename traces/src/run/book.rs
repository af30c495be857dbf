//! The facts recorded so far for every region and store. New facts are changes against them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, LogFacts, PeerFacts};
use crate::log::Log;
use crate::peer::{Peer, Snapshot};
use crate::region::{Key, Region, RegionId, StoreId, Value};

/// The peer without its fields that are not facts.
pub fn factual(peer: &Peer) -> Peer {
    let snapshot = peer.snapshot.as_ref().map(|snapshot| Snapshot {
        position: snapshot.position,
        region: Region::unknown(snapshot.region.id),
        data: BTreeMap::new(),
    });
    Peer {
        snapshot,
        campaign: None,
        leading: None,
        failed_stores: BTreeSet::new(),
        recovery: None,
        read: None,
        merge: None,
        merged_into: None,
        stale_check: None,
        log_since: None,
        synced_commit: None,
        durable: None,
        ..peer.clone()
    }
}

/// The facts so far.
#[derive(Clone, Debug, Default)]
pub struct Book {
    peers: BTreeMap<(StoreId, RegionId), Peer>,
}

impl Book {
    /// Records the initial facts of a peer, without a change to write.
    pub fn note(&mut self, store: StoreId, region: RegionId, peer: &Peer) {
        self.peers.insert((store, region), factual(peer));
    }

    /// The peer by its recorded facts.
    pub fn peer(&self, store: StoreId, region: RegionId) -> Option<&Peer> {
        self.peers.get(&(store, region))
    }

    /// The regions with facts on a store, in order.
    pub fn regions_on(&self, store: StoreId) -> impl Iterator<Item = RegionId> + '_ {
        self.peers.range((store, 0)..=(store, RegionId::MAX)).map(|((_, region), _)| *region)
    }

    /// The change to write if the peer is `now`.
    pub fn tell(&mut self, store: StoreId, region: RegionId, now: Option<Peer>) -> Facts {
        let Some(now) = now.map(|peer| factual(&peer)) else {
            self.peers.remove(&(store, region));
            return Facts { store, region, peer: None };
        };
        let before = self.peers.get(&(store, region)).filter(|before| before.id == now.id);
        let kept = before.map_or(now.log.truncated.index, |before| common(&before.log, &now.log));
        let none = BTreeMap::new();
        let data = changes(before.map_or(&none, |before| &before.data), &now.data);
        let log = LogFacts {
            truncated: now.log.truncated,
            kept,
            entries: now.log.entries[(kept - now.log.truncated.index) as usize..].to_vec(),
        };
        let facts = PeerFacts {
            id: now.id,
            state: now.state,
            replaces_tombstone: now.replaces_tombstone,
            created_by: now.created_by,
            role: now.role,
            term: now.term,
            vote: now.vote,
            leader: now.leader,
            log,
            commit: now.commit,
            applied: now.applied,
            meta: now.region.clone(),
            snapshot: now.snapshot.as_ref().map(|snapshot| snapshot.position),
            data,
        };
        self.peers.insert((store, region), now);
        Facts { store, region, peer: Some(facts) }
    }

    /// The peer after a recorded change; `Err` with the fault if that is impossible.
    pub fn learn(&mut self, reported: &Facts) -> Result<Option<&Peer>, String> {
        let place = (reported.store, reported.region);
        let Some(facts) = &reported.peer else {
            self.peers.remove(&place);
            return Ok(None);
        };
        let before = self.peers.remove(&place).filter(|before| before.id == facts.id);
        let (truncated, kept) = (facts.log.truncated, facts.log.kept);
        let mut entries = Vec::new();
        for index in truncated.index + 1..=kept {
            let entry = before.as_ref().and_then(|before| before.log.entry(index));
            let entry = entry.ok_or_else(|| format!("it keeps entry {index}, which was not there before"))?;
            entries.push(entry.clone());
        }
        entries.extend(facts.log.entries.iter().cloned());
        let mut data = before.map(|before| before.data).unwrap_or_default();
        for (key, value) in &facts.data {
            match value {
                Some(value) => data.insert(key.clone(), value.clone()),
                None => data.remove(key),
            };
        }
        let unknown = || Region::unknown(reported.region);
        let peer = Peer {
            id: facts.id,
            state: facts.state,
            replaces_tombstone: facts.replaces_tombstone,
            created_by: facts.created_by,
            stale_check: None,
            role: facts.role,
            term: facts.term,
            vote: facts.vote,
            leader: facts.leader,
            log: Log { truncated, entries },
            commit: facts.commit,
            synced_commit: None,
            durable: None,
            applied: facts.applied,
            region: facts.meta.clone(),
            merge: None,
            merged_into: None,
            log_since: None,
            snapshot: facts.snapshot.map(|position| Snapshot {
                position,
                region: unknown(),
                data: BTreeMap::new(),
            }),
            campaign: None,
            leading: None,
            failed_stores: BTreeSet::new(),
            recovery: None,
            read: None,
            data,
        };
        Ok(Some(self.peers.entry(place).insert_entry(peer).into_mut()))
    }
}

/// The last index up to which both logs have the same entries, as far as the second has them.
fn common(before: &Log, now: &Log) -> u64 {
    let first = now.truncated.index;
    let same = |index: &u64| before.entry(*index).is_some_and(|entry| now.entry(*index) == Some(entry));
    (first + 1..=now.last_index()).take_while(same).last().unwrap_or(first)
}

/// The changes from the first map to the second: a value for a write, `None` for a deletion.
fn changes(before: &BTreeMap<Key, Value>, now: &BTreeMap<Key, Value>) -> BTreeMap<Key, Option<Value>> {
    let written = now.iter().filter(|(key, value)| before.get(*key) != Some(*value));
    let removed = before.keys().filter(|key| !now.contains_key(*key));
    let written = written.map(|(key, value)| (key.clone(), Some(value.clone())));
    written.chain(removed.map(|key| (key.clone(), None))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PeerState;

    fn holding(keys: &[(&str, &str)]) -> Peer {
        let key = |text: &str| Key::from(text);
        Peer {
            data: keys.iter().map(|(at, value)| (key(at), key(value))).collect(),
            ..Peer::blank(1, PeerState::Normal, Region::unknown(1))
        }
    }

    #[test]
    fn data_are_written_as_changes() {
        let (mut teller, mut listener) = (Book::default(), Book::default());
        let mut changes = |keys: &[(&str, &str)]| {
            let facts = teller.tell(1, 1, Some(holding(keys)));
            let peer = listener.learn(&facts).expect("facts").cloned();
            assert_eq!(peer, Some(holding(keys)));
            facts.peer.expect("it is there").data
        };
        let some = |text: &str| Some(Value::from(text));
        let is = |keys: [(&str, Option<Value>); 2]| keys.map(|(key, value)| (Key::from(key), value)).into();
        assert_eq!(changes(&[("a", "1"), ("b", "1")]), is([("a", some("1")), ("b", some("1"))]));
        assert_eq!(changes(&[("a", "1"), ("b", "1")]), BTreeMap::new());
        assert_eq!(changes(&[("b", "2")]), is([("a", None), ("b", some("2"))]));
    }

    #[test]
    fn another_peer_is_written_in_full() {
        let mut book = Book::default();
        book.note(1, 1, &holding(&[("a", "1")]));
        let other = Peer { id: 2, ..holding(&[("a", "1")]) };
        let facts = book.tell(1, 1, Some(other)).peer.expect("it is there");
        assert_eq!(facts.data.len(), 1);
        assert_eq!(book.regions_on(1).collect::<Vec<_>>(), [1]);
        assert_eq!(book.regions_on(2).count(), 0);
    }
}
