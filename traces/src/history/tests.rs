//! The fold as a value: what it copies, carries and writes. What each part catches is tested with
//! the property that reads it.

use super::*;
use crate::log::{Entry, Log, LogPosition};
use crate::pd::PlacementDriver;
use crate::peer::Role;
use crate::region::{Key, Member, MemberRole};
use crate::view::{Store, View};
use crate::{Child, Command, Derive, Entries, Reason, Reply};

/// One voter, the leader of term 6, that has applied its own `Put` or is about to.
fn cluster(written: bool) -> View {
    let region = Region {
        epoch: Epoch { conf_ver: 1, version: 1 },
        peers: vec![Member { id: 1, store: 1, role: MemberRole::Voter }],
        ..Region::unknown(1)
    };
    let command = Command::Put { key: Key::from("a"), value: Key::from("1") };
    let entry = Entry { term: 6, command: Some(command), epoch: region.epoch };
    let last = 5 + u64::from(written);
    let peer = Peer {
        role: Role::Leader,
        term: 6,
        vote: 1,
        leader: 1,
        log: Log {
            truncated: LogPosition { index: 5, term: 5 },
            entries: written.then_some(entry).into_iter().collect(),
        },
        commit: last,
        applied: last,
        ..Peer::blank(1, PeerState::Normal, region)
    };
    let store = Store { peers: [(1, peer)].into(), ..Store::default() };
    View {
        stores: [(1, store), (2, Store::default())].into(),
        held: Vec::new(),
        pd: PlacementDriver::default(),
    }
}

fn propose() -> Action {
    let command = Command::Put { key: Key::from("a"), value: Key::from("1") };
    Action::Propose { region: 1, store: 1, command, epoch: None }
}

#[test]
fn a_history_is_written_and_read_back() {
    let mut history = History::begin(HistoryParts::ALL, &cluster(false));
    history.fold(&cluster(false), &propose(), &Outcome::DONE, &cluster(true));
    assert!(history.region(1).writes[&Key::from("a")].acknowledged.is_some());
    let text = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
}

#[test]
fn a_step_that_changes_nothing_of_it_copies_nothing() {
    let (before, after) = (cluster(false), cluster(true));
    let history = History::begin(HistoryParts::ALL, &before);
    let same = history.folded(&before, &propose(), &Outcome::DONE, &before);
    assert!(matches!(same, Cow::Borrowed(_)));
    let refused = history.folded(&before, &propose(), &Outcome::Refused(Reason::NotLeader), &after);
    assert!(matches!(refused, Cow::Borrowed(_)));
    let other = Action::Campaign { region: 1, store: 2 };
    let elsewhere = history.folded(&before, &other, &Outcome::DONE, &after);
    assert!(matches!(elsewhere, Cow::Borrowed(_)), "it looks only at what the action names");
}

#[test]
fn what_is_not_carried_stays_empty() {
    let parts = HistoryParts { leaders: true, ..HistoryParts::NONE };
    let mut history = History::begin(parts, &cluster(false));
    history.fold(&cluster(false), &propose(), &Outcome::DONE, &cluster(true));
    assert_eq!(history, History::begin(parts, &cluster(false)));
}

/// A split creates a region that was nowhere before. The fold sees it too.
#[test]
fn a_region_that_comes_to_be_is_taken_in() {
    let mut before = cluster(true);
    let parent = before.stores.get_mut(&1).unwrap().peers.get_mut(&1).unwrap();
    parent.data = [(Key::from("a"), Key::from("1"))].into();
    let child = Child { key: Key::from("a"), region: 10, peers: vec![11] };
    let command = Command::Split { children: vec![child], derive: Derive::Left };
    parent.log.entries.push(Entry { term: 6, command: Some(command), epoch: parent.region.epoch });
    parent.commit = 7;
    let mut after = before.clone();
    let store = after.stores.get_mut(&1).unwrap();
    let parent = store.peers.get_mut(&1).unwrap();
    let epoch = Epoch { conf_ver: 1, version: 2 };
    (parent.applied, parent.region.epoch, parent.region.end) = (7, epoch, Key::from("a"));
    let data = std::mem::take(&mut parent.data);
    let peers = vec![Member { id: 11, store: 1, role: MemberRole::Voter }];
    let region = Region { id: 10, start: Key::from("a"), end: Key::empty(), epoch, peers };
    let log = Log { truncated: BIRTH, entries: Vec::new() };
    let born =
        Peer { id: 11, leader: 11, vote: 11, log, commit: 5, applied: 5, region, data, ..parent.clone() };
    store.peers.insert(10, born);
    let mut history = History::begin(HistoryParts::ALL, &before);
    history.fold(&before, &Action::Apply { region: 1, store: 1 }, &Outcome::DONE, &after);
    assert_eq!(history.region(10).metas.len(), 1);
    let written = &history.region(10).writes[&Key::from("a")].acknowledged.as_ref().unwrap().write;
    assert_eq!((written.index, written.version, written.value.clone()), (5, 1, Some(Key::from("1"))));
    assert!(history.region(1).writes.is_empty(), "its only replica has split");
    let text = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
}

#[test]
fn reads_carry_writes() {
    let parts = HistoryParts { reads: true, ..HistoryParts::NONE };
    assert!(History::begin(parts, &cluster(false)).parts().writes);
}

#[test]
fn a_round_touches_both_ends_and_a_crash_every_region() {
    let view = cluster(false);
    let round =
        Action::Replicate { region: 1, leader: 1, follower: 2, entries: Entries::One, reply: Reply::Dropped };
    let touched = round.touched(&view);
    assert_eq!((touched.region, touched.stores().collect()), (Some(1), vec![1, 2]));
    let touched = Action::Crash { store: 2 }.touched(&view);
    assert_eq!((touched.region, touched.stores().collect()), (None, vec![2]));
    assert_eq!(Action::Late { slot: 0 }.touched(&view).stores().count(), 0);
}
