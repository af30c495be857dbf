//! What clients were promised, across a merge: region 1 merges its right neighbour, which has the
//! keys `x` and `y`.

use rollcall_traces::{Action, Command, Entry, Epoch, HistoryParts, Key, PeerState, View};

use super::super::forge::*;
use super::*;

/// The right neighbour holds x=1 at index 6, known to its client, and deleted `y` after that. On
/// every store the left one is about to merge it.
fn about_to_merge() -> (View, History) {
    let mut history = History::begin(HistoryParts::ALL, &three_split());
    let in_child = |entry: Entry| Entry { epoch: halves().1.epoch, ..entry };
    let after = with(&three_split(), |view| {
        lead_of(view, 1, CHILD, 6);
        for store in 1..=3 {
            write_of(view, store, CHILD, in_child(put(6, "x", "1")));
            write_of(view, store, CHILD, in_child(put(6, "y", "1")));
            write_of(view, store, CHILD, in_child(delete(6, "y")));
        }
    });
    follow(&mut history, &three_split(), Action::Campaign { region: CHILD, store: 1 }, &after);
    let waiting = with(&after, |view| {
        let source = Box::new(halves().1);
        let command = Command::CommitMerge { source, commit: 9, entries: Vec::new() };
        for store in 1..=3 {
            append(view, store, Entry { term: 6, command: Some(command.clone()), epoch: halves().0.epoch });
            let target = peer(view, store);
            target.commit = target.log.last_index();
        }
    });
    follow(&mut history, &after, replicate(1, 2, rollcall_traces::Reply::Delivered), &waiting);
    (waiting, history)
}

/// The store applies the merge and keeps the keys that `keeps` selects.
fn take_in(view: &mut View, store: u64, keeps: impl Fn(&Key) -> bool) {
    let before = peer(view, store).region.clone();
    let source = peer_of(view, store, CHILD);
    let data = source.data.clone();
    *source = rollcall_traces::Peer {
        merged_into: Some(before),
        ..rollcall_traces::Peer::blank(source.id, PeerState::Tombstone, source.region.clone())
    };
    let target = peer(view, store);
    target.applied += 1;
    target.region.end = Key::empty();
    target.region.epoch = Epoch { version: 3, ..target.region.epoch };
    target.data.extend(data.into_iter().filter(|(key, _)| keeps(key)));
    reindex(view);
}

#[test]
fn a_target_shows_what_its_source_held() {
    let (before, mut history) = about_to_merge();
    let after = with(&before, |view| take_in(view, 1, |_| true));
    follow(&mut history, &before, apply(1), &after);
    assert_eq!(no_lost_write(&after, &history), Ok(()), "the others have yet to take it in");
    let index = after.stores[&1].peers[&1].applied;
    let known = |key: &str| history.region(1).writes[&Key::from(key)].acknowledged.clone().unwrap().write;
    assert_eq!((known("x").index, known("x").value), (index, Some(Key::from("1"))));
    assert_eq!((known("y").index, known("y").value), (index, None));
    let late = with(&after, |view| take_in(view, 3, |key| *key != Key::from("x")));
    follow(&mut history, &after, apply(3), &late);
    let violation = no_lost_write(&late, &history).unwrap_err();
    assert!(violation.what.contains("store 3") && violation.what.contains("shows None for x"), "{violation}");
}

#[test]
fn a_region_that_was_merged_everywhere_is_forgotten() {
    let (mut view, mut history) = about_to_merge();
    assert!(!history.region(CHILD).writes.is_empty());
    for store in 1..=3 {
        let after = with(&view, |view| take_in(view, store, |_| true));
        follow(&mut history, &view, apply(store), &after);
        view = after;
    }
    assert_eq!(no_lost_write(&view, &history), Ok(()));
    assert!(history.region(CHILD).writes.is_empty());
    assert!(!history.region(1).writes.is_empty());
}
