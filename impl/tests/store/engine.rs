//! The engine in memory: what was not synced can be lost, and what is there is
//! what was written.

use rollcall_impl::eraftpb::Entry;
use rollcall_impl::{
    ApplyState, Engine, HardState, MemoryEngine, PeerRecord, PeerState, Position, Region, Write,
};

use crate::cluster::{REGION, bytes};

fn entries(indexes: impl IntoIterator<Item = u64>, term: u64) -> Vec<Entry> {
    indexes.into_iter().map(|index| Entry { index, term, ..Entry::default() }).collect()
}

fn engine() -> MemoryEngine {
    let mut engine = MemoryEngine::new();
    let record = PeerRecord::new(1, PeerState::Normal, Region::unknown(REGION));
    engine.write(vec![Write::Record(record), Write::Append(REGION, entries(6..=9, 5))]).unwrap();
    engine.sync().unwrap();
    engine
}

fn terms(engine: &MemoryEngine) -> Vec<(u64, u64)> {
    let persisted = engine.load(REGION).unwrap().expect("is there");
    persisted.entries.iter().map(|entry| (entry.index, entry.term)).collect()
}

#[test]
fn what_is_not_synced_is_read_and_can_be_lost() {
    let mut engine = engine();
    let hard_state = HardState { term: 7, vote: 1, commit: 6 };
    engine.write(vec![Write::HardState(REGION, hard_state)]).unwrap();
    assert_eq!(engine.load(REGION).unwrap().unwrap().hard_state, hard_state);
    let mut crashed = engine.clone();
    crashed.lose_unsynced();
    assert_eq!(crashed.load(REGION).unwrap().unwrap().hard_state, HardState::default());
    engine.sync().unwrap();
    engine.lose_unsynced();
    assert_eq!(engine.load(REGION).unwrap().unwrap().hard_state, hard_state);
    assert_eq!(engine.regions().unwrap(), [REGION]);
    assert_eq!(engine.load(2).unwrap(), None);
}

/// raft-rs does not ask for a sync of it (`Ready::must_sync`).
#[test]
fn a_commit_index_that_was_raised_is_lost_until_something_is_synced() {
    let mut engine = engine();
    let hard_state = HardState { term: 7, vote: 1, commit: 6 };
    engine.write(vec![Write::HardState(REGION, hard_state)]).unwrap();
    engine.sync().unwrap();
    engine.write(vec![Write::Commit(REGION, 8)]).unwrap();
    let raised = HardState { commit: 8, ..hard_state };
    assert_eq!(engine.load(REGION).unwrap().unwrap().hard_state, raised);
    assert_eq!(engine.synced(REGION).unwrap().hard_state, hard_state);
    let mut crashed = engine.clone();
    crashed.lose_unsynced();
    assert_eq!(crashed.load(REGION).unwrap().unwrap().hard_state, hard_state);
    engine.write(vec![Write::Append(REGION, entries(10..=10, 7))]).unwrap();
    engine.sync().unwrap();
    assert_eq!(engine.synced(REGION).unwrap().hard_state, raised, "all that was written went with it");
}

#[test]
fn an_append_replaces_what_is_behind_its_first_entry() {
    let mut engine = engine();
    engine.write(vec![Write::Append(REGION, entries(8..=8, 6))]).unwrap();
    assert_eq!(terms(&engine), [(6, 5), (7, 5), (8, 6)]);
    engine.write(vec![Write::Append(REGION, entries(9..=10, 6))]).unwrap();
    assert_eq!(terms(&engine), [(6, 5), (7, 5), (8, 6), (9, 6), (10, 6)]);
}

#[test]
fn truncating_discards_entries_and_clearing_all_but_the_record() {
    let mut engine = engine();
    let state = ApplyState { applied: 8, truncated: Position { index: 7, term: 5 } };
    engine.write(vec![Write::ApplyState(REGION, state)]).unwrap();
    assert_eq!(terms(&engine), [(8, 5), (9, 5)]);
    engine.write(vec![Write::Put(REGION, bytes("k"), bytes("v")), Write::Clear(REGION)]).unwrap();
    let left = engine.load(REGION).unwrap().unwrap();
    assert_eq!((left.record.id, left.entries.len(), left.data.len()), (1, 0, 0));
    assert_eq!(left.apply_state, ApplyState::default());
}
