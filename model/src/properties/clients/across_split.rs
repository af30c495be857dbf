//! What clients were promised, across a split: region 1 with the keys
//! `x` and `y`, which go to the child.

use rollcall_traces::{Action, Entry, HistoryParts, Key, Outcome, Read, Reply, Returned, View};

use super::super::forge::*;
use super::*;

/// On every store `x`, which will be the child's, is 1, `y` was deleted, and the split is not
/// applied; clients know what store 1 wrote as leader. Then store 1 applies the split.
fn split_on_one() -> (View, History) {
    let mut history = History::begin(HistoryParts::ALL, &three());
    let written = with(&three(), |view| {
        lead(view, 1, 6);
        for store in 1..=3 {
            write(view, store, put(6, "x", "1"));
            write(view, store, put(6, "y", "1"));
            write(view, store, delete(6, "y"));
        }
    });
    follow(&mut history, &three(), replicate(1, 2, Reply::Delivered), &written);
    let waiting = with(&written, commit_split);
    follow(&mut history, &written, replicate(1, 2, Reply::Delivered), &waiting);
    let after = with(&waiting, |view| split(view, 1));
    follow(&mut history, &waiting, apply(1), &after);
    assert_eq!(no_lost_write(&after, &history), Ok(()));
    (after, history)
}

/// The same, and `x` is written again in the child, which store 1 leads.
fn written_in_the_child() -> (View, History) {
    let (split, mut history) = split_on_one();
    let after = with(&split, |view| {
        lead_of(view, 1, CHILD, 6);
        write_of(view, 1, CHILD, in_child(put(6, "x", "2")));
    });
    follow(&mut history, &split, Action::Campaign { region: CHILD, store: 1 }, &after);
    (after, history)
}

fn in_child(entry: Entry) -> Entry {
    Entry { epoch: halves().1.epoch, ..entry }
}

#[test]
fn a_child_begins_with_what_its_parent_held() {
    let (view, history) = split_on_one();
    let known = |key: &str| history.region(CHILD).writes[&Key::from(key)].acknowledged.clone().unwrap();
    assert_eq!((known("x").write.index, known("x").known_in), (5, 5));
    assert_eq!(known("x").write.version, 1, "it was made before the split");
    assert_eq!(known("y").write.value, None);
    for (forged, what) in [("x", "shows None for x"), ("y", "for y, where index 5 left None")] {
        let forged = with(&view, |view| {
            let data = &mut peer_of(view, 1, CHILD).data;
            drop(data.remove(&Key::from("x")).filter(|_| forged == "x"));
            data.extend((forged == "y").then(|| (Key::from("y"), Key::from("1"))));
            data.extend((forged == "y").then(|| (Key::from("x"), Key::from("1"))));
        });
        let violation = no_lost_write(&forged, &history).unwrap_err();
        assert_eq!(violation.region, Some(CHILD));
        assert!(violation.what.contains(what), "{violation}");
    }
}

#[test]
fn a_child_that_is_born_again_on_a_slow_store() {
    let (view, mut history) = written_in_the_child();
    let late = with(&view, |view| split(view, 3));
    follow(&mut history, &view, apply(3), &late);
    assert_eq!(no_lost_write(&late, &history), Ok(()), "it has yet to apply the newer write");
    let known = history.region(CHILD).writes[&Key::from("x")].acknowledged.as_ref();
    assert_eq!(known.map(|known| known.write.index), Some(6), "and the newer one is what is known");
    let forged =
        with(&late, |view| write_of(view, 3, CHILD, Entry { command: None, ..in_child(delete(6, "x")) }));
    assert!(no_lost_write(&forged, &history).is_err(), "index 6 is applied and not shown");
}

#[test]
fn a_parent_forgets_what_no_replica_has_in_its_range() {
    let (view, mut history) = split_on_one();
    assert!(history.region(1).writes.contains_key(&Key::from("x")), "stores 2 and 3 answer for it");
    let lost = with(&view, |view| drop(peer(view, 3).data.remove(&Key::from("x"))));
    assert!(no_lost_write(&lost, &history).is_err());
    let second = with(&view, |view| split(view, 2));
    follow(&mut history, &view, apply(2), &second);
    let third = with(&second, |view| split(view, 3));
    follow(&mut history, &second, apply(3), &third);
    assert!(history.region(1).writes.is_empty());
    assert_eq!(no_lost_write(&third, &history), Ok(()));
}

/// Store 1 leads, but does not apply what stores 2 and 3 have applied. It acknowledges `x` to its
/// client when the child has a newer value.
#[test]
fn a_slow_leader_acknowledges_what_a_child_was_born_with() {
    let mut history = History::begin(HistoryParts::ALL, &three());
    let waiting = with(&three(), |view| {
        lead(view, 1, 6);
        append(view, 1, put(6, "x", "1"));
        write(view, 2, put(6, "x", "1"));
        write(view, 3, put(6, "x", "1"));
        commit_split(view);
    });
    follow(&mut history, &three(), replicate(1, 2, Reply::Delivered), &waiting);
    let born = with(&waiting, |view| split(view, 2));
    follow(&mut history, &waiting, apply(2), &born);
    let newer = with(&born, |view| {
        lead_of(view, 2, CHILD, 6);
        write_of(view, 2, CHILD, in_child(put(6, "x", "2")));
    });
    follow(&mut history, &born, Action::Campaign { region: CHILD, store: 2 }, &newer);
    let acknowledged = with(&newer, |view| {
        let leader = peer(view, 1);
        leader.applied = 6;
        leader.data.insert(Key::from("x"), Key::from("1"));
    });
    follow(&mut history, &newer, replicate(1, 3, Reply::Delivered), &acknowledged);
    assert!(history.region(1).writes[&Key::from("x")].acknowledged.is_some());
    assert_eq!(no_lost_write(&acknowledged, &history), Ok(()));
    let forged = with(&acknowledged, |view| drop(peer_of(view, 2, CHILD).data.remove(&Key::from("x"))));
    assert!(
        no_lost_write(&forged, &history).is_err(),
        "a write acknowledged to the client is watched in the child"
    );
}

/// Reads `x` from region 1 on `store`. The read begins in `view`.
fn read_x(view: &View, history: &mut History, store: u64, meanwhile: impl FnOnce(&mut History)) {
    let index = view.stores[&store].peers[&1].commit;
    let x = Key::from("x");
    let asked = with(view, |view| {
        peer(view, store).read = Some(Read { key: x.clone(), index, acks: [].into(), ready: true });
    });
    follow(history, view, Action::Read { region: 1, store, key: x.clone() }, &asked);
    meanwhile(history);
    let peer = &asked.stores[&store].peers[&1];
    let value = peer.data.get(&x).cloned();
    let reply = Outcome::Done(Returned::Value { key: x, value, region: peer.region.clone() });
    history.fold(&asked, &Action::AnswerRead { region: 1, store }, &reply, view);
}

#[test]
fn a_parent_that_has_not_split_answers_for_what_the_child_has_written() {
    let (view, mut history) = written_in_the_child();
    read_x(&view, &mut history, 3, |_| {});
    let violation = read_safety(&view, &history).unwrap_err();
    assert!(violation.what.contains("a write in region 10"), "{violation}");
}

#[test]
fn a_parent_that_has_not_split_answers_for_what_the_child_only_inherited() {
    let (view, mut history) = split_on_one();
    read_x(&view, &mut history, 3, |_| {});
    assert_eq!(read_safety(&view, &history), Ok(()));
}

#[test]
fn a_child_writes_while_its_parent_is_read() {
    let (view, mut history) = split_on_one();
    read_x(&view, &mut history, 3, |history| {
        let after = with(&view, |view| {
            lead_of(view, 1, CHILD, 6);
            write_of(view, 1, CHILD, in_child(put(6, "x", "2")));
        });
        follow(history, &view, Action::Campaign { region: CHILD, store: 1 }, &after);
    });
    assert_eq!(read_safety(&view, &history), Ok(()));
}

/// Store 1 has applied the split: it must not answer for the key, not even that it is absent.
#[test]
fn a_parent_that_has_split_answers_for_a_key_of_the_child() {
    let (view, mut history) = split_on_one();
    read_x(&view, &mut history, 1, |_| {});
    let violation = read_safety(&view, &history).unwrap_err();
    assert!(violation.what.contains("differs from what it holds"), "{violation}");
}

#[test]
fn a_read_that_a_split_drops_is_forgotten() {
    let (view, mut history) = split_on_one();
    let asked = with(&view, |view| {
        peer(view, 3).read = Some(Read { key: Key::from("x"), index: 9, acks: [3].into(), ready: true });
    });
    follow(&mut history, &view, Action::Read { region: 1, store: 3, key: Key::from("x") }, &asked);
    assert_eq!(history.region(1).reads.len(), 1);
    let after = with(&asked, |view| {
        peer(view, 3).read = None;
        split(view, 3);
    });
    follow(&mut history, &asked, apply(3), &after);
    assert!(history.region(1).reads.is_empty());
}
