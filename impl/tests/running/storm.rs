//! Everything at once: writers, splits, conf changes, elections.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rollcall_impl::{
    Change, ChangeKind, Child, Command, Config, Derive, End, Input, Key, MemoryEngine, RegionId, Sound,
    StateRole, Store, StoreId,
};

use crate::cluster::{Cluster, REGION, bytes, put};

const STORES: [StoreId; 3] = [1, 2, 3];
/// The number of checks before the test fails: a wake-up or a result was lost.
const PATIENCE: u64 = 10_000_000;

impl Cluster<MemoryEngine> {
    /// The store that leads the key's region, and the region.
    fn find(&self, key: &Key) -> Option<(StoreId, RegionId)> {
        STORES.into_iter().find_map(|id| {
            self.store(id).look(|store| {
                let leads = |region: &RegionId| {
                    let peer = store.peer(*region);
                    peer.is_some_and(|peer| {
                        peer.role() == StateRole::Leader && peer.region().range().contains(key)
                    })
                };
                store.regions().find(leads).map(|region| (id, region))
            })
        })
    }

    /// The same, after a running election.
    fn find_for_sure(&self, key: &Key) -> (StoreId, RegionId) {
        for _ in 0..PATIENCE {
            if let Some(found) = self.find(key) {
                return found;
            }
            thread::yield_now();
        }
        panic!("nobody leads {key:?}");
    }

    /// Writes until it is acknowledged. The log may have the write more than once.
    fn put_for_sure(&self, key: &str) {
        for _ in 0..PATIENCE {
            if let Some((store, region)) = self.find(&bytes(key))
                && let Ok(End::Applied { .. }) = self.ask(store, region, put(key))
            {
                return;
            }
            thread::yield_now();
        }
        panic!("{key} is never acknowledged");
    }

    /// Reads until there is an answer.
    fn get_for_sure(&self, key: &str) -> Option<Key> {
        for _ in 0..PATIENCE {
            if let Some((store, region)) = self.find(&bytes(key))
                && let Ok(End::Read { value, .. }) = self.get(store, region, bytes(key))
            {
                return value;
            }
            thread::yield_now();
        }
        panic!("a read of {key} is never answered");
    }
}

/// Stops the clock when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Three writers, and one thread that splits, removes and adds a member, and transfers leadership.
/// Everything acknowledged is read at once, whoever leads then, and is on the disk of the final leader of its region.
#[test]
fn splits_and_changes_under_load_lose_nothing() {
    let cluster = Cluster::start(3, |_| MemoryEngine::new());
    cluster.elect(1, REGION);
    let acknowledged = Mutex::new(Vec::new());
    let [is_over, is_stopped] = [const { AtomicBool::new(false) }; 2];
    let mut leaders = BTreeMap::new();
    thread::scope(|scope| {
        scope.spawn(|| cluster.tick_until(&is_stopped));
        // The clock stops however this test ends.
        let _stop = Stop(&is_stopped);
        let mut writers = vec![];
        for writer in ["b", "m", "y"] {
            let (cluster, acknowledged, is_over) = (&cluster, &acknowledged, &is_over);
            writers.push(scope.spawn(move || {
                for number in 0.. {
                    let key = format!("{writer}{number}");
                    cluster.put_for_sure(&key);
                    acknowledged.lock().unwrap().push(bytes(&key));
                    assert_eq!(cluster.get_for_sure(&key), Some(bytes(&key)), "it was acknowledged");
                    if is_over.load(Ordering::Relaxed) && number >= 20 {
                        return;
                    }
                }
            }));
        }
        let for_sure = |key: &str, command: &dyn Fn(u64) -> Command, is_done: &dyn Fn() -> bool| {
            for attempt in 0..PATIENCE {
                if is_done() {
                    return;
                }
                if let Some((store, region)) = cluster.find(&bytes(key)) {
                    let _ = cluster.ask(store, region, command(attempt));
                }
                thread::yield_now();
            }
            panic!("{:?} never takes effect", command(0));
        };
        let region_of = |key: &str| cluster.find(&bytes(key)).map(|(_, region)| region);
        for (at, (key, left)) in [("h", "b"), ("t", "m")].into_iter().enumerate() {
            let child = |attempt: u64| {
                let region = 10 + 100 * at as u64 + attempt;
                Child { key: bytes(key), region, peers: (1..=3).map(|peer| region * 10 + peer).collect() }
            };
            let split = |attempt| Command::Split { children: vec![child(attempt)], derive: Derive::Left };
            for_sure(
                left,
                &split,
                &|| matches!((region_of(key), region_of(left)), (Some(right), Some(of)) if right != of),
            );
        }
        let members = |stores: usize| {
            move |cluster: &Cluster<MemoryEngine>| {
                cluster.find(&bytes("b")).is_some_and(|(id, region)| {
                    cluster.store(id).look(|store| {
                        store.peer(region).is_some_and(|peer| peer.region().peers.len() == stores)
                    })
                })
            }
        };
        let change = |kind| move |_| Command::ChangePeer(Change { kind, peer: 3, store: 3 });
        let replacement = |_| Command::ChangePeer(Change { kind: ChangeKind::AddVoter, peer: 33, store: 3 });
        for_sure("b", &change(ChangeKind::Remove), &|| members(2)(&cluster));
        for_sure("b", &replacement, &|| members(3)(&cluster));
        cluster.store(2).send(Input::Campaign { region: REGION }).unwrap();
        cluster.put_for_sure("b-last");
        is_over.store(true, Ordering::Relaxed);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        acknowledged.lock().unwrap().push(bytes("b-last"));
        for key in &*acknowledged.lock().unwrap() {
            leaders.insert(key.clone(), cluster.find_for_sure(key));
        }
    });
    let disks = cluster.stop();
    let stores: BTreeMap<_, _> = disks
        .iter()
        .map(|(id, disk)| (*id, Store::open(*id, Config::SIMULATOR, Sound, disk).unwrap()))
        .collect();
    for (key, (id, region)) in leaders {
        let data = stores[&id].peer(region).expect("it led").data();
        assert_eq!(data.get(&key), Some(&key), "region {region} on store {id}");
    }
    let regions: Vec<_> = stores[&1].regions().collect();
    assert!(regions.len() >= 3, "it was split twice: {regions:?}");
}
