//! The placement driver's machine fails at every write and every sync of its disk, while stores leave
//! and regions move and split.
//!
//! PD's batches also go to redb on a disk that records its operations. Behind **every** one the power
//! fails, with the unsynced part lost, written or torn. The file must hold PD's state after its last
//! step, or after the step that was writing; never less than it has answered. Then the storm takes
//! the same action with a PD that fails there: nobody gets an answer from it any more in this action.
//! PD opens again from what is left. It must give out no id twice, keep every answer, and every
//! leaving store must still leave.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use rollcall_impl::pd::{
    PdConfig, PdEngine, PdInput, PdMemoryEngine, PdOutput, PdPersisted, PdRedbEngine, PdWrite,
    PlacementDriver,
};
use rollcall_impl::{CrashDisk, Crashes, Derive, EngineError, RedbEngine, Sound};
use tempfile::TempDir;

use crate::cluster::{REGION, key, region};
use crate::storm::{Storm, calm};

/// A call of PD to its engine.
#[derive(Clone)]
enum Call {
    Write(Vec<PdWrite>),
    Sync,
}

/// An engine in memory that notes its calls, and whose power fails at one of them.
#[derive(Clone, Default)]
struct Watched {
    engine: PdMemoryEngine,
    calls: RefCell<Vec<Call>>,
    fails_at: Cell<Option<usize>>,
}

impl Watched {
    fn note(&self, call: Call) -> Result<(), EngineError> {
        self.calls.borrow_mut().push(call);
        if self.has_failed() { Err(EngineError { what: "write", reason: "no power".into() }) } else { Ok(()) }
    }

    fn has_failed(&self) -> bool {
        self.fails_at.get().is_some_and(|call| self.calls.borrow().len() > call)
    }
}

impl PdEngine for Watched {
    /// A write that fails leaves nothing.
    fn write(&mut self, batch: Vec<PdWrite>) -> Result<(), EngineError> {
        self.note(Call::Write(batch.clone()))?;
        self.engine.write(batch)
    }

    /// A sync that fails has made everything durable.
    fn sync(&mut self) -> Result<(), EngineError> {
        if !self.has_failed() {
            self.engine.sync()?;
        }
        self.note(Call::Sync)
    }

    fn load(&self) -> Result<PdPersisted, EngineError> {
        self.engine.load()
    }
}

/// PD's disk.
struct Disk {
    disk: CrashDisk,
    engine: PdRedbEngine,
    durable: PdPersisted,
    crashes: Crashes,
}

#[derive(Default, Debug)]
struct Tried {
    points: usize,
    files: usize,
    clusters: usize,
    held_up: usize,
}

impl Disk {
    fn new(seed: u64) -> Self {
        let disk = CrashDisk::new();
        let engine = PdRedbEngine::open_on(disk.clone()).unwrap();
        let crashes = disk.crashes(seed);
        Self { disk, engine, durable: PdPersisted::default(), crashes }
    }

    /// Takes a call; whether a crash on its way may lose the batch, and whether it may keep it.
    fn take(&mut self, call: &Call, tried: &mut Tried) -> [bool; 2] {
        let before = self.disk.operations();
        match call {
            Call::Write(batch) => self.engine.write(batch.clone()).unwrap(),
            Call::Sync => self.engine.sync().unwrap(),
        }
        let (now, written) = (self.disk.operations(), self.engine.load().unwrap());
        let mut left = [false, false];
        for behind in before + 1..=now {
            tried.points += 1;
            for file in self.crashes.behind(behind, 2) {
                tried.files += 1;
                let opened = PdRedbEngine::open_on(CrashDisk::holding(file));
                let holds =
                    opened.unwrap_or_else(|error| panic!("operation {behind}: {error}")).load().unwrap();
                assert!(holds == self.durable || holds == written, "operation {behind}: a part of a batch");
                left[usize::from(holds == written)] = true;
            }
        }
        if matches!(call, Call::Sync) {
            // The call has returned, and no answer has left.
            let holds = PdRedbEngine::open_on(CrashDisk::holding(self.crashes.behind(now, 0).remove(0)));
            assert!(holds.unwrap().load().unwrap() == written, "operation {now}: what was synced is lost");
            left[1] = true;
            self.durable = written;
        }
        left
    }
}

/// The action with a PD that fails at this call, and what follows.
fn fails(before: &Storm<Watched>, call: usize, tried: &mut Tried) {
    let mut storm = before.clone();
    let known = before.real.pd.next_id();
    let engine = storm.real.pd.engine();
    engine.calls.borrow_mut().clear();
    engine.fails_at.set(Some(call));
    storm.act();
    let engine = storm.real.pd.engine();
    assert!(engine.has_failed(), "the power fails in this action");
    engine.fails_at.set(None);
    let kept = engine.load().unwrap();
    storm.real.pd = storm.real.pd.restart().unwrap();
    let pd = &storm.real.pd;
    assert_eq!(
        pd.stores().map(|info| info.record).collect::<Vec<_>>(),
        kept.stores.into_values().collect::<Vec<_>>()
    );
    assert!(pd.next_id() >= known, "{} was given out before {known}", pd.next_id());
    storm.real.store_heartbeats();
    storm.check();
    let is_calm = calm(&mut storm);
    // A learner that missed its removal may keep a store from leaving (see `storm.rs`).
    assert!(
        is_calm || !storm.real.left_behind().is_empty(),
        "never calm: {:?}",
        storm.real.pd.operators().collect::<Vec<_>>()
    );
    tried.held_up += usize::from(!is_calm);
    tried.clusters += 1;
}

#[test]
fn nothing_that_pd_has_answered_is_lost_at_any_crash_point() {
    let mut tried = Tried::default();
    for seed in 1..=12 {
        println!("seed {seed}");
        let mut storm = Storm::on(Watched::default(), seed);
        let mut disk = Disk::new(seed);
        for call in storm.real.pd.engine().calls.take() {
            disk.take(&call, &mut tried);
        }
        for _ in 0..100 {
            let before = storm.clone();
            storm.act();
            storm.check();
            let mut failed = BTreeSet::new();
            for (number, call) in storm.real.pd.engine().calls.take().iter().enumerate() {
                for (is_durable, left) in disk.take(call, &mut tried).into_iter().enumerate() {
                    // A batch is a write and a sync.
                    let at = number / 2 * 2 + is_durable;
                    if left && failed.insert(at) {
                        fails(&before, at, &mut tried);
                    }
                }
            }
            assert!(disk.durable == storm.real.pd.engine().load().unwrap());
        }
    }
    let Tried { points, files, clusters, held_up } = tried;
    println!("{points} crash points, {files} files opened, {clusters} clusters went on, {held_up} held up");
    assert!(points > 1_000 && clusters > 300 && held_up * 20 < clusters, "{points} {clusters} {held_up}");
}

/// A PD that gives out ids and restarts behind every one of its batches gives out none twice.
#[test]
fn no_id_is_given_out_twice_at_any_crash_point() {
    let config = PdConfig { id_step: 5, ..PdConfig::DEFAULT };
    let mut pd = PlacementDriver::open(config, Sound, Watched::default()).unwrap();
    pd.bootstrap(&[1, 2, 3], &[region(REGION, ("", ""), (1, 1), &[1, 2, 3])], 1000).unwrap();
    let (mut given, mut failures) = (BTreeSet::new(), 0);
    let ask = |pd: &mut PlacementDriver<Watched>| {
        let region = pd.region(REGION).unwrap().region.clone();
        pd.step(PdInput::AskSplit { region, keys: vec![key("m")], derive: Derive::Left })
    };
    for turn in 0..40 {
        let engine = pd.engine();
        engine.calls.borrow_mut().clear();
        engine.fails_at.set((turn % 3 < 2).then_some(turn % 3));
        match ask(&mut pd) {
            Ok(outputs) => {
                let [PdOutput::SplitIds { children, .. }] = &outputs[..] else { panic!("{outputs:?}") };
                let ids = children.iter().flat_map(|child| child.peers.iter().chain([&child.region]));
                ids.for_each(|id| assert!(given.insert(*id), "{id} is given out twice"));
            }
            Err(_) => {
                failures += 1;
                pd.engine().fails_at.set(None);
                pd = pd.restart().unwrap();
            }
        }
    }
    assert!(failures > 10 && given.len() > 60, "{failures} failures, {} ids", given.len());
}

#[test]
fn a_pd_comes_back_from_its_file_and_a_stores_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let (path, of_a_store) = (folder.path().join("pd"), folder.path().join("store"));
    let mut pd = PlacementDriver::open(PdConfig::DEFAULT, Sound, PdRedbEngine::open(&path).unwrap()).unwrap();
    let first = region(REGION, ("", "m"), (3, 2), &[1, 2, 3]);
    pd.bootstrap(&[1, 2, 3, 4], std::slice::from_ref(&first), 1000).unwrap();
    pd.step(PdInput::Decommission { store: 4, force: true }).unwrap();
    pd.step(PdInput::CheckStores).unwrap();
    let known = pd.engine().load().unwrap();
    assert_eq!((known.regions[&REGION].clone(), known.id_limit > 1000), (first, true));
    let said = PdRedbEngine::open(&path).err().expect("it is open").to_string();
    assert!(said.contains("it is open in another process"), "{said}");
    drop(pd);
    let again = PlacementDriver::open(PdConfig::DEFAULT, Sound, PdRedbEngine::open(&path).unwrap()).unwrap();
    assert!(again.engine().load().unwrap() == known);
    drop(RedbEngine::open(&of_a_store).unwrap());
    let said = PdRedbEngine::open(&of_a_store).err().expect("it is a store's").to_string();
    assert!(said.contains("it is no placement driver's file"), "{said}");
    let said = RedbEngine::open(&path).err().expect("it is open, and PD's").to_string();
    assert!(said.contains("open in another process"), "{said}");
    drop(again);
    let said = RedbEngine::open(&path).err().expect("it is PD's").to_string();
    assert!(said.contains("it is no store's file"), "{said}");
}
