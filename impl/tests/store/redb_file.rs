//! The file of the durable engine: one process may open it, and a file that is not a store's is
//! neither opened nor changed.

use std::path::Path;

use redb::{Database, TableDefinition};
use rollcall_impl::{
    Config, Engine, Input, PeerRecord, PeerState, RedbEngine, Region, Sound, StateRole, SyncedStore, Write,
};
use tempfile::TempDir;

use crate::cluster::{REGION, bytes, put, region};

/// A closed file with some regions.
fn made(path: &Path) {
    let mut engine = RedbEngine::open(path).unwrap();
    for region in 1..=20 {
        let record = PeerRecord::new(1, PeerState::Normal, Region::unknown(region));
        let value = bytes(&"v".repeat(500));
        let puts = (0..5).map(|key| Write::Put(region, bytes(&key.to_string()), value.clone()));
        engine.write(std::iter::once(Write::Record(record)).chain(puts).collect()).unwrap();
    }
    engine.sync().unwrap();
}

/// The file is refused with a message that names it, and is unchanged.
fn is_refused(path: &Path, because: &str) {
    let before = std::fs::read(path).unwrap();
    let Err(error) = RedbEngine::open(path) else { panic!("{because}: it is opened") };
    let said = error.to_string();
    assert!(said.starts_with(&format!("the engine cannot open its file: {}: ", path.display())), "{said}");
    assert!(said.contains(because) && said.lines().count() == 1, "{said}");
    assert_eq!(std::fs::read(path).unwrap(), before, "{because}: it was changed");
}

#[test]
fn a_file_has_one_owner() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let mut first = RedbEngine::open(&path).unwrap();
    is_refused(&path, "it is open in another process");
    first.sync().unwrap();
    drop(first);
    assert!(RedbEngine::open(&path).is_ok());
}

#[test]
fn a_file_of_a_newer_program_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    made(&path);
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
    transaction.open_table(meta).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    is_refused(&path, "it has format 2, and this program knows 1");
}

#[test]
fn a_file_that_is_no_stores_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    std::fs::write(&path, "").unwrap();
    is_refused(&path, "");
    std::fs::write(&path, "a text of somebody's\n".repeat(500)).unwrap();
    is_refused(&path, "");
    std::fs::remove_file(&path).unwrap();
    drop(Database::create(&path).unwrap());
    is_refused(&path, "it is no store's file");
}

#[test]
fn a_truncated_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let (path, part) = (folder.path().join("store"), folder.path().join("part"));
    made(&path);
    let whole = std::fs::read(&path).unwrap();
    for length in [1, 100, 4096, whole.len() / 4, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&part, &whole[..length]).unwrap();
        is_refused(&part, "");
    }
}

/// For every damaged byte, the file is refused unchanged, or no content depends on that byte.
#[test]
fn a_damaged_file_is_refused_or_reads_the_same() {
    let folder = TempDir::new().unwrap();
    let (path, other) = (folder.path().join("store"), folder.path().join("damaged"));
    made(&path);
    let whole = std::fs::read(&path).unwrap();
    let shows = |engine: &RedbEngine| {
        let regions = engine.regions().unwrap();
        regions.into_iter().map(|region| engine.load(region).unwrap()).collect::<Vec<_>>()
    };
    let expected = shows(&RedbEngine::open(&path).unwrap());
    let (mut refused, mut unused) = (0, 0);
    for at in (0..whole.len()).step_by((whole.len() / 150) | 1) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x5a;
        std::fs::write(&other, &bytes).unwrap();
        match RedbEngine::open(&other) {
            Ok(engine) => {
                assert_eq!(shows(&engine), expected, "byte {at}");
                unused += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("damaged"), "{error}");
                assert_eq!(std::fs::read(&other).unwrap(), bytes, "byte {at}: the file was changed");
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {unused} without a meaning");
    assert!(refused > 0);
}

#[test]
fn a_store_comes_back_from_its_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let engine = RedbEngine::open(&path).unwrap();
    let mut store: SyncedStore<_, RedbEngine> =
        SyncedStore::open(1, Config::SIMULATOR, Sound, engine).unwrap();
    store.bootstrap(region(&[1])).unwrap();
    store.step(Input::Campaign { region: REGION }).unwrap();
    store.step(Input::Propose { region: REGION, command: put("a"), epoch: None }).unwrap();
    // The process is killed: this is its file now.
    let left = folder.path().join("left");
    std::fs::copy(&path, &left).unwrap();
    let engine = RedbEngine::open(&left).unwrap();
    let mut again: SyncedStore<_, RedbEngine> =
        SyncedStore::open(1, Config::SIMULATOR, Sound, engine).unwrap();
    let peer = again.peer(REGION).unwrap();
    assert_eq!((peer.role(), peer.term(), peer.applied()), (StateRole::Follower, 6, 7));
    assert_eq!(peer.data().get(&bytes("a")), Some(&bytes("a")));
    again.step(Input::Campaign { region: REGION }).unwrap();
    again.step(Input::Propose { region: REGION, command: put("b"), epoch: None }).unwrap();
    assert_eq!(again.peer(REGION).unwrap().data().len(), 2);
}
