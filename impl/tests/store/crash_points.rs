//! Every write and every sync of a run is a crash point.
//!
//! A storm (elections, appends, conf changes, snapshots, splits, merges) runs on recording engines.
//! What each store wrote is replayed to redb on a disk that records every operation. After
//! **every** operation of that disk the machine fails: of the unsynced writes nothing survives, or
//! all, or drawn parts with torn writes. The remaining file must open, and hold exactly the batches
//! up to some written one, including all synced ones. No output may have claimed more than that.
//! The store opens from it and has the same state.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;
use rollcall_impl::{
    Config, Engine, EngineError, MemoryEngine, Persisted, RedbEngine, RegionId, Sound, Store, StoreId, Write,
};

use crate::storm::{Random, Storm, Volatile};

/// A call of a store to its engine.
#[derive(Clone)]
enum Call {
    Write(Vec<Write>),
    Sync,
    /// A power failure and a restart of the store.
    Crash,
}

/// An engine in memory that records all calls.
struct Recording {
    engine: MemoryEngine,
    calls: Rc<RefCell<Vec<Call>>>,
}

impl Engine for Recording {
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        self.calls.borrow_mut().push(Call::Write(batch.clone()));
        self.engine.write(batch)
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.calls.borrow_mut().push(Call::Sync);
        self.engine.sync()
    }

    fn regions(&self) -> Result<Vec<RegionId>, EngineError> {
        self.engine.regions()
    }

    fn load(&self, region: RegionId) -> Result<Option<Persisted>, EngineError> {
        self.engine.load(region)
    }
}

impl Volatile for Recording {
    fn lose_unsynced(&mut self) {
        self.calls.borrow_mut().push(Call::Crash);
        self.engine.lose_unsynced();
    }
}

/// An operation on a disk.
#[derive(Clone, Debug)]
enum Operation {
    Write(u64, Arc<[u8]>),
    SetLen(u64),
    Sync,
}

impl Operation {
    fn take(&self, bytes: &mut Vec<u8>, most: usize) {
        match self {
            Operation::Write(offset, data) => {
                let data = &data[..data.len().min(most)];
                let at = *offset as usize;
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[at..at + data.len()].copy_from_slice(data);
            }
            Operation::SetLen(len) => bytes.resize(*len as usize, 0),
            Operation::Sync => {}
        }
    }
}

/// A disk in memory that records every operation.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    bytes: Vec<u8>,
    operations: Vec<Operation>,
}

impl Disk {
    fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Recorded { bytes, operations: vec![] })))
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().expect("nobody panics with a disk in hand")
    }

    fn happens(&self, operation: Operation) {
        let mut disk = self.lock();
        operation.take(&mut disk.bytes, usize::MAX);
        disk.operations.push(operation);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, std::io::Error> {
        Ok(self.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        let disk = self.lock();
        let range = offset as usize..offset as usize + out.len();
        let there = disk.bytes.get(range).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(there);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.happens(Operation::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        self.happens(Operation::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.happens(Operation::Write(offset, data.into()));
        Ok(())
    }
}

/// What a store persisted, region by region.
type Kept = Vec<Persisted>;

fn kept(engine: &impl Engine) -> Kept {
    let regions = engine.regions().expect("it can be read");
    regions
        .into_iter()
        .map(|region| engine.load(region).expect("it can be read").expect("it is listed"))
        .collect()
}

/// A run on redb: every operation of its disk, and the store's state after each batch.
struct Run {
    operations: Vec<Operation>,
    /// The state after each number of batches; the first is an empty store.
    kept: Vec<Kept>,
    /// The crash points.
    points: Vec<Point>,
}

/// The crash happens after this many operations.
#[derive(Clone, Copy)]
struct Point {
    behind: usize,
    /// How many batches must be there, because an output may have left.
    surely: usize,
    /// How many batches may be there.
    perhaps: usize,
}

impl Run {
    fn of(calls: &[Call]) -> Self {
        let disk = Disk::default();
        let mut engine = RedbEngine::open_on(disk.clone()).expect("an empty disk");
        let mut plain = MemoryEngine::new();
        let mut run = Run { operations: vec![], kept: vec![vec![]], points: vec![] };
        let (mut written, mut synced) = (0, 0);
        // While the tables are created, nothing must survive.
        let first = 1..=disk.lock().operations.len();
        run.points.extend(first.map(|behind| Point { behind, surely: 0, perhaps: 0 }));
        for call in calls {
            let before = disk.lock().operations.len();
            match call.clone() {
                Call::Write(batch) => {
                    written += 1;
                    plain.write(batch.clone()).expect("memory");
                    run.kept.push(kept(&plain));
                    engine.write(batch).expect("a disk that works");
                }
                Call::Sync => {
                    engine.sync().expect("a disk that works");
                    plain.sync().expect("memory");
                }
                Call::Crash => {
                    // What was not synced counts as never written.
                    assert_eq!(synced, written, "this storm persists each step at once");
                }
            }
            let now = disk.lock().operations.len();
            let point = |behind| Point { behind, surely: synced, perhaps: written };
            run.points.extend((before + 1..=now).map(point));
            if matches!(call, Call::Sync) {
                // The call has returned, so its batch is durable.
                synced = written;
                run.points.push(Point { behind: now, surely: synced, perhaps: written });
            }
        }
        run.operations = disk.lock().operations.clone();
        run
    }

    /// The contents that the disk may have after a crash behind this many operations: without the
    /// unsynced writes, with all of them, and twice with a drawn part.
    fn left(
        &self,
        behind: usize,
        synced: &[u8],
        unsynced: Range<usize>,
        random: &mut Random,
    ) -> Vec<Vec<u8>> {
        let unsynced = &self.operations[unsynced.start..behind.min(unsynced.end)];
        let mut all = vec![synced.to_vec()];
        if unsynced.is_empty() {
            return all;
        }
        for choice in 0..3 {
            let mut bytes = synced.to_vec();
            let mut order: Vec<_> = unsynced.iter().collect();
            for operation in &mut order {
                // A write may arrive in part, from its beginning on.
                let most = match (choice, random.below(4)) {
                    (0, _) | (_, 0 | 1) => usize::MAX,
                    (_, 2) => 0,
                    _ => 512 * random.below(9) as usize,
                };
                // The length of a file changes before what is written beyond its old end.
                let is_length = matches!(operation, Operation::SetLen(_));
                operation.take(&mut bytes, if is_length { usize::MAX } else { most });
            }
            all.push(bytes);
        }
        all
    }
}

/// The numbers of crash points and of opened files.
#[derive(Default)]
struct Tried {
    points: usize,
    files: usize,
}

fn every_crash_point(id: StoreId, calls: &[Call], seed: u64, tried: &mut Tried) {
    let run = Run::of(calls);
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut synced, mut since) = (Vec::new(), 0);
    for Point { behind, surely, perhaps } in run.points.iter().copied() {
        tried.points += 1;
        let last = run.operations[since..behind].iter().rposition(|last| matches!(last, Operation::Sync));
        if let Some(last) = last {
            let upto = since + last + 1;
            for operation in &run.operations[since..upto] {
                operation.take(&mut synced, usize::MAX);
            }
            since = upto;
        }
        for (choice, bytes) in run.left(behind, &synced, since..behind, &mut random).into_iter().enumerate() {
            tried.files += 1;
            let what =
                || format!("store {id}, seed {seed}, crash behind operation {behind}, choice {choice}");
            let engine = match RedbEngine::open_on(Disk::holding(bytes)) {
                Ok(engine) => engine,
                // A file that was never complete is no store's file yet, and no output has left.
                Err(_) if surely == 0 && perhaps == 0 => continue,
                Err(error) => panic!("{}: {error}", what()),
            };
            let left = kept(&engine);
            let holds = (surely..=perhaps).rev().find(|batches| run.kept[*batches] == left);
            assert!(holds.is_some(), "{}: neither batch {surely} nor any up to {perhaps}", what());
            let store = Store::open(id, Config::SIMULATOR, Sound, &engine);
            store.unwrap_or_else(|error| panic!("{}: {error}", what()));
        }
    }
}

#[test]
fn nothing_that_was_synced_is_lost_at_any_crash_point() {
    let mut tried = Tried::default();
    for (seed, merges) in (1..=6).map(|seed| (seed, seed % 2 == 0)) {
        println!("seed {seed}");
        let calls: Vec<Rc<RefCell<Vec<Call>>>> = (0..4).map(|_| Rc::default()).collect();
        let engine = |id: StoreId| Recording {
            engine: MemoryEngine::new(),
            calls: Rc::clone(&calls[id as usize - 1]),
        };
        let mut storm = Storm::on(seed, merges, engine);
        (0..1200).for_each(|_| storm.act());
        for (at, calls) in calls.iter().enumerate() {
            every_crash_point(at as StoreId + 1, &calls.borrow(), seed, &mut tried);
        }
    }
    println!("{} crash points, {} files opened", tried.points, tried.files);
    assert!(tried.points > 10_000, "the storms wrote little");
}
