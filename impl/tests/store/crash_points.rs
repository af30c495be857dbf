//! Every write and every sync of a run is a crash point.
//!
//! A storm (elections, appends, conf changes, snapshots, splits, merges) runs on recording engines.
//! What each store wrote is replayed to redb on a disk that records every operation. After
//! **every** operation of that disk the machine fails: of the unsynced writes nothing survives, or
//! all, or drawn parts with torn writes. The remaining file must open, and hold exactly the batches
//! up to some written one, including all synced ones. No output may have claimed more than that.
//! The store opens from it and has the same state.

use std::cell::RefCell;
use std::rc::Rc;

use rollcall_impl::running::Journal;
use rollcall_impl::{
    Config, CrashDisk, Effects, Engine, EngineError, MemoryEngine, Persisted, RedbEngine, RegionId, Sound,
    Store, StoreId, Write,
};
use tempfile::TempDir;

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

/// What a store persisted, region by region.
type Kept = Vec<Persisted>;

fn kept(engine: &impl Engine) -> Kept {
    let regions = engine.regions().expect("it can be read");
    regions
        .into_iter()
        .map(|region| engine.load(region).expect("it can be read").expect("it is listed"))
        .collect()
}

/// A run on redb: its disk, and the store's state after each batch.
struct Run {
    disk: CrashDisk,
    /// The state after each number of batches; the first is an empty store.
    kept: Vec<Kept>,
    /// The crash points.
    points: Vec<Point>,
    /// The batches that belong to more than one region.
    over_regions: usize,
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
        let disk = CrashDisk::new();
        let mut engine = RedbEngine::open_on(disk.clone()).expect("an empty disk");
        let mut plain = MemoryEngine::new();
        let mut run = Run { disk: disk.clone(), kept: vec![vec![]], points: vec![], over_regions: 0 };
        let (mut written, mut synced) = (0, 0);
        // While the tables are created, nothing must survive.
        run.points.extend((1..=disk.operations()).map(|behind| Point { behind, surely: 0, perhaps: 0 }));
        for call in calls {
            let before = disk.operations();
            match call.clone() {
                Call::Write(batch) => {
                    written += 1;
                    run.over_regions +=
                        usize::from(batch.iter().any(|one| one.region() != batch[0].region()));
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
            let now = disk.operations();
            let point = |behind| Point { behind, surely: synced, perhaps: written };
            run.points.extend((before + 1..=now).map(point));
            if matches!(call, Call::Sync) {
                // The call has returned, so its batch is durable.
                synced = written;
                run.points.push(Point { behind: now, surely: synced, perhaps: written });
            }
        }
        run
    }
}

/// The same calls as a disk of a running store makes them: up to six steps that wait, of any regions,
/// are one batch and one sync ([`Journal`]).
fn grouped(calls: &[Call], random: &mut Random) -> Vec<Call> {
    let journal = Journal::default();
    let take = |out: &mut Vec<Call>| {
        if journal.waiting() > 0 {
            let group = journal.take().expect("steps wait");
            out.extend(group.batches.into_iter().map(Call::Write));
            out.push(Call::Sync);
        }
    };
    let mut out = Vec::new();
    for call in calls {
        match call.clone() {
            Call::Write(batch) => {
                journal.append(Effects { batch, sync: true, ..Effects::default() });
                if random.below(6) == 0 || journal.waiting() == 6 {
                    take(&mut out);
                }
            }
            Call::Sync => {}
            Call::Crash => {
                take(&mut out);
                out.push(Call::Crash);
            }
        }
    }
    take(&mut out);
    out
}

/// The numbers of crash points, of opened files and of batches over several regions.
#[derive(Default)]
struct Tried {
    points: usize,
    files: usize,
    over_regions: usize,
}

fn every_crash_point(id: StoreId, calls: &[Call], seed: u64, tried: &mut Tried) {
    let run = Run::of(calls);
    tried.over_regions += run.over_regions;
    let mut crashes = run.disk.crashes(seed);
    for Point { behind, surely, perhaps } in run.points.iter().copied() {
        tried.points += 1;
        for (choice, bytes) in crashes.behind(behind, 2).into_iter().enumerate() {
            tried.files += 1;
            let what =
                || format!("store {id}, seed {seed}, crash behind operation {behind}, choice {choice}");
            let engine = match RedbEngine::open_on(CrashDisk::holding(bytes)) {
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

/// What the four stores of a storm ask of their engines.
fn calls_of_a_storm(seed: u64, actions: usize) -> Vec<Vec<Call>> {
    println!("seed {seed}");
    let calls: Vec<Rc<RefCell<Vec<Call>>>> = (0..4).map(|_| Rc::default()).collect();
    let engine =
        |id: StoreId| Recording { engine: MemoryEngine::new(), calls: Rc::clone(&calls[id as usize - 1]) };
    let mut storm = Storm::on(seed, seed.is_multiple_of(2), engine);
    (0..actions).for_each(|_| storm.act());
    calls.iter().map(|calls| calls.borrow().clone()).collect()
}

#[test]
fn nothing_that_was_synced_is_lost_at_any_crash_point() {
    let mut tried = Tried::default();
    for seed in 1..=6 {
        for (id, calls) in (1..).zip(calls_of_a_storm(seed, 1200)) {
            every_crash_point(id, &calls, seed, &mut tried);
        }
    }
    println!("{} crash points, {} files opened", tried.points, tried.files);
    assert!(tried.points > 10_000, "the storms wrote little");
}

/// Steps of many regions are made durable by one batch and one sync. A crash leaves all of them or
/// none, and none of an earlier group is lost.
#[test]
fn a_group_of_many_regions_is_there_or_not_at_any_crash_point() {
    let mut tried = Tried::default();
    for seed in 1..=8u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for (id, calls) in (1..).zip(calls_of_a_storm(seed, 1200)) {
            every_crash_point(id, &grouped(&calls, &mut random), seed, &mut tried);
        }
    }
    let Tried { points, files, over_regions } = tried;
    println!("{points} crash points, {files} files opened, {over_regions} batches over several regions");
    assert!(points > 2_000 && over_regions > 100, "{points} crash points, {over_regions} batches");
}

/// A file is made under another name, and renamed once it is complete. Behind every operation on it,
/// and before the rename, a store opens as a new one; behind the rename it opens.
#[test]
fn a_file_that_was_never_complete_is_made_again() {
    let folder = TempDir::new().unwrap();
    let (path, beside) = (folder.path().join("store"), folder.path().join("store.new"));
    let disk = CrashDisk::new();
    drop(RedbEngine::open_on(disk.clone()).unwrap());
    let (mut crashes, mut tried) = (disk.crashes(1), 0);
    for behind in 0..=disk.operations() {
        for bytes in crashes.behind(behind, 2) {
            std::fs::write(&beside, &bytes).unwrap();
            let engine =
                RedbEngine::open(&path).unwrap_or_else(|error| panic!("operation {behind}: {error}"));
            assert_eq!(engine.regions().unwrap(), Vec::<RegionId>::new());
            assert!(!beside.exists(), "operation {behind}");
            drop(engine);
            assert!(RedbEngine::open(&path).is_ok(), "operation {behind}: it was renamed");
            std::fs::remove_file(&path).unwrap();
            tried += 1;
        }
    }
    println!("{tried} files that were never complete");
    assert!(tried > disk.operations());
}
