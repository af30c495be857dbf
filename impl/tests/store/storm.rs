//! Splits, merges, conf changes, elections, snapshots and crashes at once, drawn from a printed
//! seed. A step may only fail by a refusal, the range index must agree with the peers, and replicas
//! with equal applied indexes must have equal data.

use std::collections::BTreeMap;

use rollcall_impl::{
    Change, ChangeKind, Command, Config, Derive, Engine, IdAllocator, Input, Key, MemoryEngine, Output,
    PeerState, Refusal, RegionId, Sound, StateRole, StoreId, SyncedStore,
};

use crate::cluster::{Cluster, bytes};

const STORES: u64 = 4;
const SEEDS: u64 = 100;
const ACTIONS: usize = 2_000;

/// xorshift64*: the same numbers everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    pub(crate) fn of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len() as u64) as usize) }
    }
}

/// A store's durable state, a line for each peer and tombstone.
fn lasting<E: Engine>(store: &SyncedStore<Sound, E>) -> Vec<String> {
    let of = |region| {
        let tombstone = store.tombstone(region).map(|tombstone| format!("{tombstone:?}"));
        let peer = store.peer(region).map(|peer| {
            let terms: Vec<_> = peer.entries().map(|(entry, _)| (entry.index, entry.term)).collect();
            let log = (peer.truncated(), terms, peer.applied(), peer.log_since());
            let raft = (peer.term(), peer.vote(), peer.commit());
            format!("{:?}", (peer.id(), peer.state(), peer.region(), raft, log, peer.merge(), peer.data()))
        });
        format!("region {region}: {tombstone:?} {peer:?}")
    };
    store.regions().map(of).collect()
}

/// An engine that can lose unsynced writes.
pub(crate) trait Volatile: Engine {
    /// Loses unsynced writes, as a power failure does.
    fn lose_unsynced(&mut self);
}

impl Volatile for MemoryEngine {
    fn lose_unsynced(&mut self) {
        self.lose_unsynced();
    }
}

pub(crate) struct Storm<E: Engine = MemoryEngine> {
    pub(crate) cluster: Cluster<Sound, E>,
    random: Random,
    allocator: IdAllocator,
    splits: usize,
    pending_messages: usize,
    overlaps: usize,
    /// Whether most membership changes are merges instead.
    merges: bool,
    merged: usize,
    rolled_back: usize,
    helped: usize,
}

impl Storm {
    fn new(seed: u64, merges: bool) -> Self {
        Self::on(seed, merges, |_| MemoryEngine::new())
    }
}

impl<E: Volatile> Storm<E> {
    /// A storm over stores on these engines.
    pub(crate) fn on(seed: u64, merges: bool, engine: impl Fn(StoreId) -> E) -> Self {
        let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let cluster = Cluster::on(Sound, STORES, &[1, 2, 3], engine);
        let allocator = IdAllocator { next_id: 100 };
        Self {
            cluster,
            random,
            allocator,
            splits: 0,
            pending_messages: 0,
            overlaps: 0,
            merges,
            merged: 0,
            rolled_back: 0,
            helped: 0,
        }
    }

    fn key(&mut self) -> Key {
        let letter = b'a' + self.random.below(26) as u8;
        bytes(std::str::from_utf8(&[letter]).unwrap())
    }

    /// A random live peer; a leader if `leads` is set and there is one.
    fn peer(&mut self, leads: bool) -> (StoreId, RegionId) {
        let live: Vec<_> = self
            .cluster
            .stores
            .iter()
            .flat_map(|(id, store)| store.regions().map(move |region| (*id, region, store.peer(region))))
            .filter_map(|(id, region, peer)| Some((id, region, peer?.role() == StateRole::Leader)))
            .filter(|(_, _, is_leader)| *is_leader || !leads)
            .map(|(id, region, _)| (id, region))
            .collect();
        self.random.of(&live).copied().unwrap_or((1, 1))
    }

    pub(crate) fn act(&mut self) {
        match self.random.below(100) {
            0..55 => self.deliver(),
            55..65 => {
                let (store, region) = self.peer(self.splits > 2);
                let _ = self.cluster.step(store, Input::Tick { region });
            }
            65..80 => {
                let (store, region) = self.peer(false);
                let _ = self.cluster.step(store, Input::ApplySnapshot { region });
                self.apply(store, region);
            }
            80..88 => {
                let (key, (store, region)) = (self.key(), self.peer(true));
                let command = match self.random.below(4) {
                    0 => Command::Delete { key },
                    _ => Command::Put { value: key.clone(), key },
                };
                let _ = self.cluster.step(store, Input::Propose { region, command, epoch: None });
            }
            88..97 if self.merges && self.random.below(8) > 0 => self.merge(),
            88..92 => self.split(),
            92..97 => self.change(),
            97 => {
                let (store, region) = self.peer(true);
                let Some(index) = self.cluster.stores[&store].peer(region).map(|peer| peer.applied()) else {
                    return;
                };
                let command = Command::CompactLog { index };
                let _ = self.cluster.step(store, Input::Propose { region, command, epoch: None });
            }
            98 => {
                let (store, region) = self.peer(false);
                let _ = self.cluster.step(store, Input::Campaign { region });
            }
            _ => {
                let store = 1 + self.random.below(STORES);
                self.lose_power(store);
            }
        }
    }

    /// Everything durable of a store is on its disk before the step ends.
    fn lose_power(&mut self, store: StoreId) {
        let before = lasting(&self.cluster.stores[&store]);
        let mut disk = self.cluster.stores.remove(&store).unwrap().into_engine();
        disk.lose_unsynced();
        let opened = SyncedStore::open(store, Config::SIMULATOR, Sound, disk).unwrap();
        self.cluster.stores.insert(store, opened);
        assert_eq!(lasting(&self.cluster.stores[&store]), before, "store {store} after a power failure");
    }

    fn apply(&mut self, store: StoreId, region: RegionId) {
        let before = &self.cluster.stores[&store];
        let known = before.regions().count();
        let was = before.peer(region).map(|peer| (peer.applied(), peer.merge().is_some()));
        let applied = self.cluster.outputs(store, Input::Apply { region });
        let after = &self.cluster.stores[&store];
        self.splits += after.regions().count() - known;
        let now = after.peer(region).map(|peer| (peer.applied(), peer.merge().is_some()));
        let (Ok(outputs), Some((from, merging)), Some((to, still))) = (applied, was, now) else { return };
        self.rolled_back += usize::from(merging && !still);
        self.helped += usize::from(from == to);
        let ended =
            |output: &Output| matches!(output, Output::Destroyed { region: gone, .. } if *gone != region);
        self.merged += usize::from(outputs.iter().any(ended));
    }

    /// A merging region is committed or rolled back. If none is merging, a leader prepares a merge.
    fn merge(&mut self) {
        let (store, region) = self.peer(true);
        let here = &self.cluster.stores[&store];
        let merging: Vec<_> = here
            .regions()
            .filter_map(|region| Some((region, here.peer(region)?.merge()?.target.id)))
            .collect();
        let (region, command) = match self.random.of(&merging).copied() {
            Some((source, target)) if self.random.below(4) > 0 => (target, Command::commit_merge(source)),
            Some((source, _)) => (source, Command::rollback_merge()),
            None => {
                let others = here.regions().filter_map(|other| here.peer(other));
                let others: Vec<_> = others.map(|other| other.region().clone()).collect();
                let Some(target) = self.random.of(&others) else { return };
                (region, Command::prepare_merge(target.clone()))
            }
        };
        let _ = self.cluster.step(store, Input::Propose { region, command, epoch: None });
    }

    fn deliver(&mut self) {
        let Some(last) = (self.cluster.sent.len() as u64).checked_sub(1) else { return };
        // Mostly in order; now and then late, lost or twice.
        let at = if self.random.below(10) == 0 { self.random.below(last + 1) } else { 0 } as usize;
        let fate = self.random.below(if self.merges { 6 } else { 20 });
        let Some(message) = self.cluster.sent.remove(at) else { return };
        if fate == 0 {
            return;
        }
        if fate == 1 {
            self.cluster.sent.push_back(message.clone());
        }
        let (from, to, region, id) = (message.from.store, message.to.store, message.region, message.to.id);
        let snapshot = message.is_snapshot();
        let pending_messages = self.cluster.stores[&to].pending_messages().len();
        let taken = self.cluster.step(to, Input::Message(message));
        self.pending_messages +=
            self.cluster.stores[&to].pending_messages().len().saturating_sub(pending_messages);
        if snapshot {
            self.overlaps += usize::from(taken == Err(Refusal::SnapshotOverlap));
            let report = Input::ReportSnapshot { region, to: id, arrived: taken.is_ok() };
            let _ = self.cluster.step(from, report);
        }
    }

    fn split(&mut self) {
        let (key, (store, region)) = (self.key(), self.peer(true));
        let derive = if self.random.below(2) == 0 { Derive::Left } else { Derive::Right };
        let asked = self
            .cluster
            .outputs(store, Input::AskSplit { region, keys: vec![key], derive, ordered_at: None });
        for output in asked.unwrap_or_default() {
            let Output::AskSplit { region: known, keys, derive, .. } = output else { continue };
            let (epoch, children) = (known.epoch, self.allocator.allot(&known, &keys));
            let answer = Input::AskSplitResponse { region, epoch, children, derive };
            let _ = self.cluster.step(store, answer);
        }
    }

    fn change(&mut self) {
        let (store, region) = self.peer(true);
        let target = 1 + self.random.below(STORES);
        let Some(peer) = self.cluster.stores[&store].peer(region) else { return };
        let present = peer.region().member_on(target).copied();
        let command = match present {
            Some(member) => {
                Command::ChangePeer(Change { kind: ChangeKind::Remove, peer: member.id, store: target })
            }
            None => {
                let peer = self.allocator.next_id;
                self.allocator.next_id += 1;
                Command::ChangePeer(Change { kind: ChangeKind::AddVoter, peer, store: target })
            }
        };
        let _ = self.cluster.step(store, Input::Propose { region, command, epoch: None });
    }

    /// A region that was merged on one store makes no progress on any other.
    fn check_merged(&self) {
        let stores = self.cluster.stores.values();
        let mut over = BTreeMap::new();
        for store in stores.clone() {
            for tombstone in store.regions().filter_map(|region| store.tombstone(region)) {
                let last = over.entry(tombstone.region.id).or_insert(0);
                *last = tombstone.merged_into.map_or(*last, |_| tombstone.region.epoch.version.max(*last));
            }
        }
        for (region, over) in over.into_iter().filter(|(_, over)| *over > 0) {
            for peer in stores.clone().filter_map(|store| store.peer(region)) {
                let alive = peer.region().epoch.version;
                assert!(alive <= over, "region {region} lives on at {alive}, was merged at {over}");
            }
        }
    }

    fn check(&self) {
        Self::check_that(&self.cluster);
    }

    /// The range index agrees with the peers, and replicas with equal applied indexes have equal
    /// data.
    pub(crate) fn check_that(cluster: &Cluster<Sound, E>) {
        let mut applied = BTreeMap::new();
        for (id, store) in &cluster.stores {
            let mut ranges: Vec<_> = store
                .regions()
                .filter_map(|region| store.peer(region))
                .filter(|peer| peer.state() != PeerState::Uninitialised)
                .map(|peer| (peer.region().start.clone(), peer.region().end.clone(), peer.region().id))
                .collect();
            ranges.sort();
            let index: Vec<_> =
                store.ranges().map(|entry| (entry.start.clone(), entry.end.clone(), entry.region)).collect();
            assert_eq!(index, ranges, "the index of store {id}");
            for pair in index.windows(2) {
                let ((_, end, one), (start, _, other)) = (&pair[0], &pair[1]);
                assert!(!end.is_empty() && end <= start, "regions {one} and {other} overlap on store {id}");
            }
            for region in store.regions() {
                let Some(peer) = store.peer(region) else { continue };
                if peer.state() == PeerState::Uninitialised {
                    continue;
                }
                assert!(peer.data().keys().all(|key| peer.region().contains(key)));
                let shows = (peer.region().clone(), peer.data().clone());
                let known = applied.entry((region, peer.applied())).or_insert_with(|| shows.clone());
                assert_eq!(*known, shows, "region {region} at {} on store {id}", peer.applied());
            }
        }
    }
}

#[test]
fn splits_race_everything() {
    let (mut splits, mut pending_messages, mut overlaps) = (0, 0, 0);
    for seed in 1..=SEEDS {
        println!("seed {seed}");
        let mut storm = Storm::new(seed, false);
        for _ in 0..ACTIONS {
            storm.act();
            storm.check();
        }
        splits += storm.splits;
        pending_messages += storm.pending_messages;
        overlaps += storm.overlaps;
    }
    println!("{splits} splits applied, {pending_messages} messages pending, {overlaps} snapshots refused");
    assert!(splits > 0 && pending_messages > 0 && overlaps > 0, "{splits} {pending_messages} {overlaps}");
}

#[test]
fn merges_race_everything() {
    let (mut merged, mut rolled_back, mut helped) = (0, 0, 0);
    for seed in 1..=SEEDS {
        println!("seed {seed}");
        let mut storm = Storm::new(seed, true);
        for _ in 0..ACTIONS {
            storm.act();
            storm.check();
            storm.check_merged();
        }
        merged += storm.merged;
        rolled_back += storm.rolled_back;
        helped += storm.helped;
    }
    println!("{merged} sources taken in, {rolled_back} merges taken back, {helped} sources helped on");
    assert!(merged > 0 && rolled_back > 0 && helped > 0, "{merged} {rolled_back} {helped}");
}
