//! Stores that run: threads, mailboxes and disks, in one process.

mod cluster;
mod storm;

use std::num::NonZeroUsize;
use std::sync::mpsc;

use rollcall_impl::running::{RunningStore, Surroundings, Threads, Unhandled, Unsent};
use rollcall_impl::{
    Command, Config, End, Engine, EngineError, Error, Input, MemoryEngine, Output, RedbEngine, Refusal,
    Sound, Store, Write,
};

use cluster::{Cluster, REGION, bytes, put, voters};

#[test]
fn acknowledged_writes_are_read_again() {
    let cluster = Cluster::start(3, |_| MemoryEngine::new());
    cluster.elect(1, REGION);
    std::thread::scope(|scope| {
        for writer in 0..4u64 {
            let cluster = &cluster;
            scope.spawn(move || {
                for number in 0..50 {
                    let key = format!("{writer}/{number}");
                    assert_eq!(cluster.ask(1, REGION, put(&key)), Ok(End::Applied { region: None }));
                }
            });
        }
    });
    let engines = cluster.stop();
    let store = Store::open(1, Config::SIMULATOR, Sound, &engines[&1]).unwrap();
    let data = store.peer(REGION).unwrap().data();
    assert_eq!(data.len(), 200);
}

/// Nobody confirms the read, so it has no answer when the store stops, and its client learns that.
#[test]
fn a_read_without_a_quorum_ends_when_the_store_stops() {
    let cluster = Cluster::start(2, |_| MemoryEngine::new());
    cluster.elect(1, REGION);
    assert_eq!(cluster.ask(1, REGION, put("a")), Ok(End::Applied { region: None }));
    cluster.cut_off(2);
    let read = cluster.begin(1, |id| Input::Get { id, region: REGION, key: bytes("a") });
    cluster.stop();
    assert_eq!(read.recv(), Ok(Ok(End::LeaderChanged)));
}

/// One store on a file: everything acknowledged is there when the file is opened again.
#[test]
fn a_store_on_a_file_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let cluster = Cluster::start(1, |_| RedbEngine::open(&path).unwrap());
    cluster.elect(1, REGION);
    assert_eq!(cluster.ask(1, REGION, put("a")), Ok(End::Applied { region: None }));
    let refused = RedbEngine::open(&path).err().expect("it is in use").to_string();
    assert!(refused.contains("open in another process"), "{refused}");
    drop(cluster.stop());
    let engine = RedbEngine::open(&path).unwrap();
    let store = Store::open(1, Config::SIMULATOR, Sound, &engine).unwrap();
    assert_eq!(store.peer(REGION).unwrap().data().get(&bytes("a")), Some(&bytes("a")));
}

/// A disk whose n-th sync fails.
struct Failing {
    engine: MemoryEngine,
    syncs_left: usize,
}

impl Engine for Failing {
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        self.engine.write(batch)
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        let left = self.syncs_left.checked_sub(1);
        self.syncs_left = left.ok_or(EngineError { what: "sync", reason: "the disk has gone".into() })?;
        self.engine.sync()
    }

    fn regions(&self) -> Result<Vec<u64>, EngineError> {
        self.engine.regions()
    }

    fn load(&self, region: u64) -> Result<Option<rollcall_impl::Persisted>, EngineError> {
        self.engine.load(region)
    }
}

/// The leader's disk fails: it acknowledges nothing more, another store is elected, and everything
/// acknowledged is there.
#[test]
fn a_leader_whose_disk_fails_acknowledges_nothing() {
    for syncs_left in [3, 4, 5, 8, 13, 21] {
        let cluster = Cluster::start(3, |store| Failing {
            engine: MemoryEngine::new(),
            syncs_left: if store == 1 { syncs_left } else { usize::MAX },
        });
        cluster.elect(1, REGION);
        let mut acknowledged = vec![];
        let stopped = (0..).find_map(|number| {
            let key = format!("{number}");
            match cluster.ask(1, REGION, put(&key)) {
                Ok(End::Applied { .. }) => acknowledged.push(bytes(&key)),
                Err(why) => return Some(why),
                Ok(end) => panic!("{end:?}"),
            }
            None
        });
        assert_eq!(stopped.expect("it ends"), cluster::Unanswered::Stopped);
        let leader = cluster.elect_one_of(&[2, 3], REGION);
        assert_eq!(cluster.ask(leader, REGION, put("last")), Ok(End::Applied { region: None }));
        let data = cluster.store(leader).look(|store| store.peer(REGION).unwrap().data().clone());
        assert!(acknowledged.iter().all(|key| data.contains_key(key)), "after {syncs_left} syncs");
        assert!(cluster.failures().iter().all(|why| why.contains("the disk has gone")));
        assert!(!cluster.failures().is_empty());
    }
}

/// Reports the results of requests.
struct Reports(mpsc::Sender<String>);

impl Surroundings for Reports {
    fn output(&self, output: Output) {
        if let Output::Completed { id, .. } = output {
            let _ = self.0.send(format!("{id} ended"));
        }
    }

    fn unhandled(&self, region: u64, why: Unhandled) {
        let why = match why {
            Unhandled::Refused { error: Error::Refused { refusal, .. }, .. } => format!("{refusal}"),
            other => format!("{other:?}"),
        };
        let _ = self.0.send(format!("region {region}: {why}"));
    }

    fn failed(&self, error: &Error) {
        let _ = self.0.send(format!("{error}"));
    }
}

fn alone(threads: Threads) -> (RunningStore<Sound, Reports, MemoryEngine>, mpsc::Receiver<String>) {
    let mut engine = MemoryEngine::new();
    let mut store = Store::open(1, Config::SIMULATOR, Sound, &engine).unwrap();
    let first = store.bootstrap(voters(&[1])).unwrap();
    engine.write(first.batch).unwrap();
    engine.sync().unwrap();
    let (say, received) = mpsc::channel();
    (RunningStore::start(store, engine, Reports(say), threads), received)
}

#[test]
fn requests_beyond_the_limits_are_refused() {
    let (store, _told) = alone(Threads { workers: NonZeroUsize::MIN, mailbox: 3, ..Threads::default() });
    let request = |id| Input::Request { id, region: REGION, command: put("a"), epoch: None };
    // While the test reads the store, no step is taken: the worker holds at most one batch of
    // inputs.
    let full = store.look(|_| (0..1000).find_map(|id| store.request(request(id)).err()));
    assert!(matches!(full.as_deref(), Some(Unsent::Full(Input::Request { .. }))));
    // Messages and ticks do not count against the limit.
    store.send(Input::Tick { region: REGION }).unwrap();
    store.stop().unwrap();
}

#[test]
fn a_refusal_is_reported_and_the_store_continues() {
    let (store, received) = alone(Threads::default());
    let handle = store.handle();
    let request = |region, command| Input::Request { id: 1, region, command, epoch: None };
    store.request(request(9, put("a"))).unwrap();
    assert_eq!(received.recv().unwrap(), format!("region 9: {}", Refusal::RegionNotFound));
    store.request(request(REGION, put("a"))).unwrap();
    assert_eq!(received.recv().unwrap(), format!("region {REGION}: {}", Refusal::NotLeader));
    store.send(Input::Campaign { region: REGION }).unwrap();
    store.request(request(REGION, Command::Delete { key: bytes("a") })).unwrap();
    assert_eq!(received.recv().unwrap(), "1 ended");
    // A mailbox without a peer is removed; the region's mailbox stays.
    assert_eq!(store.mailboxes(), 1);
    store.stop().unwrap();
    let unsent = handle.send(Input::Tick { region: REGION }).expect_err("it has stopped");
    assert!(matches!(*unsent, Unsent::Stopped(Input::Tick { region: REGION })));
}
