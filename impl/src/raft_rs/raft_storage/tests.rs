use raft::eraftpb::Entry;
use raft::{Error, Storage, StorageError};

use super::PeerStorage;
use crate::proto::position::Position;
use crate::proto::region::Region;
use crate::storage::engine::{ApplyState, PeerRecord, PeerState, Persisted};

/// Entries 8 and 9 of term 6; the log is truncated up to entry 7 of term 5.
fn storage() -> PeerStorage {
    let entry = |index| Entry { index, term: 6, ..Entry::default() };
    let record = PeerRecord::new(11, PeerState::Normal, Region::unknown(1));
    let truncated = Position { index: 7, term: 5 };
    let apply_state = ApplyState { applied: 8, truncated };
    let entries = vec![entry(8), entry(9)];
    PeerStorage::new(Persisted { apply_state, entries, ..Persisted::new(record) }, true, true)
}

/// raft-rs treats the two errors differently: it sends a snapshot for the first, and panics for the
/// second (`Storage::term`).
#[test]
fn a_term_below_the_log_is_compacted_and_one_beyond_it_unavailable() {
    let storage = storage();
    assert!(matches!(storage.term(6), Err(Error::Store(StorageError::Compacted))));
    assert_eq!((storage.term(7).ok(), storage.term(9).ok()), (Some(5), Some(6)));
    assert!(matches!(storage.term(10), Err(Error::Store(StorageError::Unavailable))));
}

#[test]
fn another_library_reads_where_the_log_begins_and_ends() {
    let mut storage = storage();
    assert_eq!(storage.truncated(), Position { index: 7, term: 5 });
    assert_eq!(storage.log_end(), Position { index: 9, term: 6 });
    // Entry 9 of a newer term replaces the old one.
    storage.append(&[Entry { index: 9, term: 7, ..Entry::default() }]);
    assert_eq!(storage.log_end(), Position { index: 9, term: 7 });
}
