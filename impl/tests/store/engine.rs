//! What every engine must do: unsynced writes can be read and lost, a batch is written completely
//! or not at all, and reads return what was written. One suite for all engines.

use std::cell::Cell;

use rollcall_impl::eraftpb::Entry;
use rollcall_impl::{
    ApplyState, Creator, Engine, Epoch, HardState, KeyRange, Member, MemberRole, MemoryEngine, MergeState,
    PeerRecord, PeerState, Persisted, Position, RedbEngine, Region, RegionId, Write,
};
use tempfile::TempDir;

use crate::cluster::{REGION, bytes, region};
use crate::storm::Random;

/// A disk with an engine on it.
pub(crate) trait Disk: Sized {
    type Engine: Engine;

    /// An empty disk.
    fn new() -> Self;

    fn engine(&mut self) -> &mut Self::Engine;

    /// The disk after the process was killed.
    fn crashed(&self) -> Self;
}

pub(crate) struct InMemory(MemoryEngine);

impl Disk for InMemory {
    type Engine = MemoryEngine;

    fn new() -> Self {
        Self(MemoryEngine::new())
    }

    fn engine(&mut self) -> &mut MemoryEngine {
        &mut self.0
    }

    fn crashed(&self) -> Self {
        let mut left = self.0.clone();
        left.lose_unsynced();
        Self(left)
    }
}

pub(crate) struct OnFile {
    folder: TempDir,
    engine: RedbEngine,
    copies: Cell<u32>,
}

impl Disk for OnFile {
    type Engine = RedbEngine;

    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let engine = RedbEngine::open(folder.path().join("store")).unwrap();
        Self { folder, engine, copies: Cell::new(0) }
    }

    fn engine(&mut self) -> &mut RedbEngine {
        &mut self.engine
    }

    /// The file is copied while it is open, as after a kill.
    fn crashed(&self) -> Self {
        self.copies.set(self.copies.get() + 1);
        let folder = TempDir::new().unwrap();
        let copy = folder.path().join("store");
        std::fs::copy(self.engine.path(), &copy).unwrap();
        assert!(copy.starts_with(folder.path()) && !copy.starts_with(self.folder.path()));
        Self { engine: RedbEngine::open(copy).unwrap(), folder, copies: Cell::new(0) }
    }
}

/// Makes each of these a test of each engine.
macro_rules! on_each_engine {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            $(#[test] fn $name() { super::$name::<super::InMemory>(); })+
        }
        mod redb {
            $(#[test] fn $name() { super::$name::<super::OnFile>(); })+
        }
    };
}

on_each_engine! {
    unsynced_writes_can_be_read_and_lost,
    a_commit_index_that_was_raised_is_lost_until_something_is_synced,
    an_append_replaces_what_is_behind_its_first_entry,
    truncating_discards_entries_and_clearing_all_but_the_record,
    data_is_kept_region_by_region,
    every_part_of_a_record_comes_back,
}

fn entries(indexes: impl IntoIterator<Item = u64>, term: u64) -> Vec<Entry> {
    indexes.into_iter().map(|index| Entry { index, term, ..Entry::default() }).collect()
}

fn begun<D: Disk>() -> D {
    let mut disk = D::new();
    let record = PeerRecord::new(1, PeerState::Normal, Region::unknown(REGION));
    disk.engine().write(vec![Write::Record(record), Write::Append(REGION, entries(6..=9, 5))]).unwrap();
    disk.engine().sync().unwrap();
    disk
}

fn load(disk: &mut impl Disk, region: RegionId) -> Persisted {
    disk.engine().load(region).unwrap().expect("is there")
}

fn terms(disk: &mut impl Disk) -> Vec<(u64, u64)> {
    load(disk, REGION).entries.iter().map(|entry| (entry.index, entry.term)).collect()
}

fn unsynced_writes_can_be_read_and_lost<D: Disk>() {
    let mut disk = begun::<D>();
    let hard_state = HardState { term: 7, vote: 1, commit: 6 };
    disk.engine().write(vec![Write::HardState(REGION, hard_state)]).unwrap();
    assert_eq!(load(&mut disk, REGION).hard_state, hard_state);
    assert_eq!(load(&mut disk.crashed(), REGION).hard_state, HardState::default());
    disk.engine().sync().unwrap();
    let mut crashed = disk.crashed();
    assert_eq!(load(&mut crashed, REGION).hard_state, hard_state);
    assert_eq!(crashed.engine().regions().unwrap(), [REGION]);
    assert_eq!(crashed.engine().load(2).unwrap(), None);
}

/// raft-rs needs no sync for it (`Ready::must_sync`).
fn a_commit_index_that_was_raised_is_lost_until_something_is_synced<D: Disk>() {
    let mut disk = begun::<D>();
    let hard_state = HardState { term: 7, vote: 1, commit: 6 };
    disk.engine().write(vec![Write::HardState(REGION, hard_state)]).unwrap();
    disk.engine().sync().unwrap();
    disk.engine().write(vec![Write::Commit(REGION, 8)]).unwrap();
    let raised = HardState { commit: 8, ..hard_state };
    assert_eq!(load(&mut disk, REGION).hard_state, raised);
    assert_eq!(load(&mut disk.crashed(), REGION).hard_state, hard_state);
    disk.engine().write(vec![Write::Append(REGION, entries(10..=10, 7))]).unwrap();
    disk.engine().sync().unwrap();
    assert_eq!(load(&mut disk.crashed(), REGION).hard_state, raised, "all that was written went with it");
}

fn an_append_replaces_what_is_behind_its_first_entry<D: Disk>() {
    let mut disk = begun::<D>();
    disk.engine().write(vec![Write::Append(REGION, entries(8..=8, 6))]).unwrap();
    assert_eq!(terms(&mut disk), [(6, 5), (7, 5), (8, 6)]);
    disk.engine().write(vec![Write::Append(REGION, entries(9..=10, 6))]).unwrap();
    assert_eq!(terms(&mut disk), [(6, 5), (7, 5), (8, 6), (9, 6), (10, 6)]);
}

fn truncating_discards_entries_and_clearing_all_but_the_record<D: Disk>() {
    let mut disk = begun::<D>();
    let state = ApplyState { applied: 8, truncated: Position { index: 7, term: 5 } };
    disk.engine().write(vec![Write::ApplyState(REGION, state)]).unwrap();
    assert_eq!(terms(&mut disk), [(8, 5), (9, 5)]);
    assert_eq!(load(&mut disk, REGION).apply_state, state);
    let put = Write::Put(REGION, bytes("k"), bytes("v"));
    disk.engine().write(vec![put, Write::Clear(REGION), Write::Clear(3)]).unwrap();
    let left = load(&mut disk, REGION);
    assert_eq!((left.record.id, left.entries.len(), left.data.len()), (1, 0, 0));
    assert_eq!((left.apply_state, left.hard_state), Default::default());
    assert_eq!(disk.engine().load(3).unwrap(), None, "nothing is there to discard");
}

fn data_is_kept_region_by_region<D: Disk>() {
    let mut disk = D::new();
    for region in [1, 2, u64::MAX] {
        let record = PeerRecord::new(1, PeerState::Normal, Region::unknown(region));
        let put = |key| Write::Put(region, bytes(key), bytes("v"));
        let batch = vec![Write::Record(record), put(""), put("a"), put("m"), put("z")];
        disk.engine().write(batch).unwrap();
    }
    let range = KeyRange { start: bytes("a"), end: bytes("z") };
    let kept = [Write::Keep(1, range.clone()), Write::Keep(u64::MAX, range), Write::Delete(1, bytes("m"))];
    disk.engine().write(kept.to_vec()).unwrap();
    disk.engine().sync().unwrap();
    let mut keys = |region| {
        let kept = load(&mut disk, region);
        let keys = kept.data.keys().map(|key| String::from_utf8_lossy(key).into_owned());
        keys.collect::<Vec<_>>().join(",")
    };
    assert_eq!([keys(1), keys(2), keys(u64::MAX)], ["a", ",a,m,z", "a,m"]);
    assert_eq!(disk.engine().regions().unwrap(), [1, 2, u64::MAX]);
}

fn every_part_of_a_record_comes_back<D: Disk>() {
    let mut disk = D::new();
    let epoch = Epoch { conf_ver: 3, version: 1 << 40 };
    let roles =
        [MemberRole::Voter, MemberRole::Learner, MemberRole::IncomingVoter, MemberRole::DemotingVoter];
    let members = roles.map(|role| Member { id: 9, store: u64::MAX, role });
    let whole = Region { id: 1, start: bytes("a"), end: bytes("b"), epoch, peers: members.to_vec() };
    let merge = MergeState { min_index: 7, target: region(&[1, 2]), commit: 12 };
    for state in [PeerState::Uninitialised, PeerState::Normal, PeerState::Merging, PeerState::Tombstone] {
        let record = PeerRecord {
            replaces_tombstone: true,
            created_by: Some(Creator { member: members[1], epoch }),
            merge: Some(Box::new(merge.clone())),
            log_since: Some(epoch),
            ..PeerRecord::new(4, state, whole.clone())
        };
        for record in [record, PeerRecord::new(4, state, whole.clone())] {
            disk.engine().write(vec![Write::Record(record.clone())]).unwrap();
            disk.engine().sync().unwrap();
            assert_eq!(load(&mut disk.crashed(), 1).record, record);
        }
    }
}

fn drawn(random: &mut Random, region: RegionId, next: &mut u64) -> Write {
    let key = bytes(["a", "b", "c", "d"][random.below(4) as usize]);
    match random.below(9) {
        0 => Write::HardState(region, HardState { term: random.below(9), vote: 1, commit: 6 }),
        1 => Write::Commit(region, random.below(20)),
        2..5 => {
            let from = *next - random.below(3).min(*next - 1);
            *next = from + 1 + random.below(2);
            Write::Append(region, entries(from..*next, random.below(5)))
        }
        5 => Write::Delete(region, key),
        6 => Write::Keep(region, KeyRange { start: bytes("b"), end: bytes("d") }),
        _ => Write::Put(region, key, bytes(&random.below(100).to_string())),
    }
}

/// Drawn batches have the same result on both engines, and so has a crash after any of them.
#[test]
fn the_engines_keep_the_same() {
    let (mut memory, mut file) = (InMemory::new(), OnFile::new());
    let (mut random, mut next, mut lost) = (Random(7), [1, 1], 0);
    for region in [1, 2] {
        let record = PeerRecord::new(region, PeerState::Normal, Region::unknown(region));
        memory.engine().write(vec![Write::Record(record.clone())]).unwrap();
        file.engine().write(vec![Write::Record(record)]).unwrap();
    }
    let all = |disk: &mut dyn FnMut(RegionId) -> Option<Persisted>| [disk(1), disk(2)];
    for step in 0..300 {
        let batch: Vec<Write> = (0..1 + random.below(5))
            .map(|_| {
                let region = 1 + random.below(2);
                drawn(&mut random, region, &mut next[region as usize - 1])
            })
            .collect();
        memory.engine().write(batch.clone()).unwrap();
        file.engine().write(batch).unwrap();
        if random.below(3) == 0 {
            memory.engine().sync().unwrap();
            file.engine().sync().unwrap();
        }
        let kept = all(&mut |region| memory.engine().load(region).unwrap());
        assert_eq!(all(&mut |region| file.engine().load(region).unwrap()), kept, "step {step}");
        if step % 10 == 0 {
            let (mut memory, mut file) = (memory.crashed(), file.crashed());
            let left = all(&mut |region| memory.engine().load(region).unwrap());
            assert_eq!(all(&mut |region| file.engine().load(region).unwrap()), left, "crash at {step}");
            lost += usize::from(left != kept);
        }
    }
    assert!(lost > 0, "some crash takes something back");
}
