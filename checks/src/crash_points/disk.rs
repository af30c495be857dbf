//! A store's disk: redb behind the same calls as the store's engine in memory, and what a failure
//! behind each of its operations leaves.

use rollcall_impl::{CrashDisk, Crashes, Engine, EngineCall, MemoryEngine, Persisted, RedbEngine};

/// How many of the files that a crash may leave have drawn parts of the unsynced writes.
const PARTS: usize = 1;

/// What an engine holds, region by region.
type Kept = Vec<Persisted>;

fn kept(engine: &impl Engine) -> Kept {
    let regions = engine.regions().expect("it can be read");
    let load = |region| engine.load(region).expect("it can be read").expect("it is listed");
    regions.into_iter().map(load).collect()
}

/// Whether the batch on its way to the disk is there after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Batch {
    Lost,
    Durable,
}

/// A crash point, and what the files that it may leave hold.
pub(super) struct Point {
    /// The number of operations of this disk before the failure.
    pub(super) behind: usize,
    pub(super) files: usize,
    /// What the files hold; if one holds anything else, what is wrong with it.
    pub(super) left: Result<Vec<Batch>, String>,
}

/// A disk with a store's engine.
pub(super) struct Disk {
    disk: CrashDisk,
    engine: RedbEngine,
    plain: MemoryEngine,
    crashes: Crashes,
}

impl Disk {
    /// A disk with the content of this engine.
    pub(super) fn holding(engine: &MemoryEngine, seed: u64) -> Self {
        let (disk, plain) = (CrashDisk::new(), engine.clone());
        let mut engine = RedbEngine::open_on(disk.clone()).expect("an empty disk");
        let batch = kept(&plain).iter().flat_map(Persisted::to_batch).collect();
        engine.write(batch).and_then(|()| engine.sync()).expect("a disk that works");
        assert!(kept(&engine) == kept(&plain), "both engines hold the same");
        let crashes = disk.crashes(seed);
        Self { disk, engine, plain, crashes }
    }

    /// Takes a call; its crash points.
    pub(super) fn take(&mut self, call: &EngineCall) -> Vec<Point> {
        let before = self.disk.operations();
        let mut durable = self.plain.clone();
        durable.lose_unsynced();
        let durable = kept(&durable);
        let taken = match call {
            EngineCall::Write(batch) => {
                self.engine.write(batch.clone()).and_then(|()| self.plain.write(batch.clone()))
            }
            EngineCall::Sync => self.engine.sync().and_then(|()| self.plain.sync()),
        };
        taken.expect("a disk that works");
        let (now, written) = (self.disk.operations(), kept(&self.plain));
        let mut points: Vec<Point> = (before + 1..=now)
            .map(|behind| self.point(behind, &[(Batch::Lost, &durable), (Batch::Durable, &written)]))
            .collect();
        if matches!(call, EngineCall::Sync) {
            // The call has returned, and nothing that depends on it has left.
            points.push(self.point(now, &[(Batch::Durable, &written)]));
        }
        points
    }

    fn point(&mut self, behind: usize, expected: &[(Batch, &Kept)]) -> Point {
        let files = self.crashes.behind(behind, PARTS);
        let (count, mut left) = (files.len(), Vec::new());
        for file in files {
            let engine = match RedbEngine::open_on(CrashDisk::holding(file)) {
                Ok(engine) => engine,
                Err(error) => return Point { behind, files: count, left: Err(error.to_string()) },
            };
            let holds = kept(&engine);
            let Some((batch, _)) = expected.iter().find(|(_, expected)| holds == **expected) else {
                let left = Err("the file holds a part of a batch, or lacks what was synced".to_string());
                return Point { behind, files: count, left };
            };
            left.push(*batch);
        }
        left.sort_unstable();
        left.dedup();
        Point { behind, files: count, left: Ok(left) }
    }
}
