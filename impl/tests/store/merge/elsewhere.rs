//! Store 3 receives nothing while the others merge, and its target cannot follow entry by entry
//! afterwards.

use rollcall_impl::{Change, ChangeKind, Derive, PeerState, Sound};

use super::*;
use crate::cluster::child;

fn not_3(message: &Message) -> bool {
    message.to.store != 3 && message.from.store != 3
}

/// A merge that stores 1 and 2 have applied.
fn merged_without_3() -> Cluster<Sound> {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, not_3);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, not_3);
    assert_eq!((cluster.ranges(1), cluster.ranges(2)), ("[,)=2".into(), "[,)=2".into()));
    cluster
}

/// Truncates the target's log, so that store 3 needs a snapshot.
fn compact(cluster: &mut Cluster<Sound>) {
    let index = cluster.of(1, RIGHT).applied();
    propose(cluster, 1, RIGHT, Command::CompactLog { index }).unwrap();
    settle_where(cluster, not_3);
}

/// Store 3 gets messages from the target's leader, which knows that earlier snapshots are lost.
fn hear_the_target(cluster: &mut Cluster<Sound>) {
    cluster.sent.clear();
    for _ in 0..4 {
        let _ = cluster.step(1, Input::ReportSnapshot { region: RIGHT, to: 23, arrived: false });
        cluster.step(1, Input::Tick { region: RIGHT }).unwrap();
        deliver_where(cluster, |message| message.region == RIGHT);
        apply_all(cluster, 3);
    }
}

/// The source on store 3 campaigns, and learns of the merge.
fn ask_for_the_source(cluster: &mut Cluster<Sound>) {
    cluster.sent.clear();
    cluster.step(3, Input::Campaign { region: LEFT }).unwrap();
    deliver_where(cluster, |message| message.region == LEFT);
}

#[test]
fn a_source_waits_for_a_target_that_can_follow() {
    let mut cluster = merged_without_3();
    ask_for_the_source(&mut cluster);
    let target = cluster.stores[&3].merged_elsewhere_into(LEFT).unwrap();
    assert_eq!((target.id, target.epoch.version), (RIGHT, 2));
    assert_eq!(cluster.of(3, LEFT).state(), PeerState::Normal);
    let mark = cluster.stores[&3].mark(LEFT);
    ask_for_the_source(&mut cluster);
    assert_ne!(cluster.stores[&3].mark(LEFT), mark, "another term");
    hear_the_target(&mut cluster);
    assert_eq!((cluster.ranges(3), cluster.keys(3, RIGHT)), ("[,)=2".into(), "ahmt".into()));
    assert_eq!(cluster.stores[&3].merged_elsewhere_into(LEFT), None);
}

#[test]
fn a_snapshot_of_the_target_ends_a_source_that_is_known_to_be_merged() {
    let mut cluster = merged_without_3();
    compact(&mut cluster);
    // The snapshot's range belongs to the source here, and no store has reported the merge.
    hear_the_target(&mut cluster);
    assert_eq!(cluster.ranges(3), "[,m)=1 [m,)=2");
    assert!(cluster.of(3, RIGHT).staged().is_none());
    ask_for_the_source(&mut cluster);
    // A crash loses the report; the source asks again.
    cluster.restart(Sound, 3);
    hear_the_target(&mut cluster);
    assert_eq!(cluster.ranges(3), "[,m)=1 [m,)=2");
    ask_for_the_source(&mut cluster);
    hear_the_target(&mut cluster);
    assert_eq!((cluster.ranges(3), cluster.keys(3, RIGHT)), ("[,)=2".into(), "ahmt".into()));
    let tombstone = cluster.stores[&3].tombstone(LEFT).unwrap();
    assert_eq!(tombstone.merged_into.map(|then| (then.id, then.epoch.version)), Some((RIGHT, 2)));
    cluster.restart(Sound, 3);
    assert_eq!((cluster.ranges(3), cluster.keys(3, RIGHT)), ("[,)=2".into(), "ahmt".into()));
}

#[test]
fn a_staged_snapshot_keeps_the_source_until_it_is_applied() {
    let mut cluster = merged_without_3();
    compact(&mut cluster);
    ask_for_the_source(&mut cluster);
    let _ = cluster.step(1, Input::ReportSnapshot { region: RIGHT, to: 23, arrived: false });
    for _ in 0..3 {
        cluster.step(1, Input::Tick { region: RIGHT }).unwrap();
        deliver_where(&mut cluster, |message| message.region == RIGHT);
    }
    assert!(cluster.of(3, RIGHT).staged().is_some());
    assert_eq!(cluster.ranges(3), "[,m)=1 [m,)=2");
    cluster.restart(Sound, 3);
    assert_eq!((cluster.ranges(3), cluster.keys(3, LEFT)), ("[,m)=1 [m,)=2".into(), "ah".into()));
}

/// The target has split the source's range off again, and reached store 3 by a snapshot.
fn target_went_past(cluster: &mut Cluster<Sound>) {
    let children = vec![child("m", 3, &[31, 32, 33])];
    propose(cluster, 1, RIGHT, Command::Split { children, derive: Derive::Right }).unwrap();
    settle_where(cluster, not_3);
    compact(cluster);
    hear_the_target(cluster);
    assert_eq!((cluster.ranges(3), epoch(cluster, 3, RIGHT)), ("[,m)=1 [m,)=2".into(), (1, 5)));
}

#[test]
fn a_source_ends_whose_target_went_past_it() {
    let mut cluster = merged_without_3();
    target_went_past(&mut cluster);
    ask_for_the_source(&mut cluster);
    assert!(cluster.stores[&3].tombstone(LEFT).is_some());
    settle(&mut cluster);
    assert_eq!((cluster.ranges(3), cluster.keys(3, 3)), ("[,m)=3 [m,)=2".into(), "ah".into()));
}

/// The source has a majority on stores 2 and 3 although store 1 has merged it. Its leader's target
/// is past the merge, but this store has not applied the entries that led there.
#[test]
fn a_target_that_came_by_a_snapshot_is_no_reason_to_roll_back() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    deliver_where(&mut cluster, not_3);
    apply(&mut cluster, 1, RIGHT).unwrap();
    assert!(is_merging(&cluster, 2, LEFT) && is_merging(&cluster, 3, LEFT));
    let children = vec![child("m", 3, &[31, 32, 33])];
    propose(&mut cluster, 1, RIGHT, Command::Split { children, derive: Derive::Right }).unwrap();
    deliver_where(&mut cluster, not_3);
    apply(&mut cluster, 1, RIGHT).unwrap();
    let index = cluster.of(1, RIGHT).applied();
    propose(&mut cluster, 1, RIGHT, Command::CompactLog { index }).unwrap();
    deliver_where(&mut cluster, not_3);
    apply(&mut cluster, 1, RIGHT).unwrap();
    hear_the_target(&mut cluster);
    assert_eq!(
        (epoch(&cluster, 3, RIGHT), cluster.of(3, RIGHT).log_since().map(|since| since.version)),
        ((1, 5), Some(5))
    );
    let from = |message: &Message, store| message.region == LEFT && message.from.store == store;
    cluster.step(3, Input::Campaign { region: LEFT }).unwrap();
    deliver_where(&mut cluster, |message| from(message, 3) && message.to.store == 2 || from(message, 2));
    assert_eq!(cluster.of(3, LEFT).leader(), 3);
    assert_eq!(propose(&mut cluster, 3, LEFT, Command::rollback_merge()), Err(Refusal::MergeTargetUnchanged));
    settle(&mut cluster);
    for store in 1..=3 {
        assert_eq!((cluster.ranges(store), cluster.keys(store, 3)), ("[,m)=3 [m,)=2".into(), "ah".into()));
    }
}

#[test]
fn a_source_ends_whose_target_was_replaced() {
    let mut cluster = merged_without_3();
    propose(&mut cluster, 1, RIGHT, remove(23)).unwrap();
    settle_where(&mut cluster, not_3);
    let add = Change { kind: ChangeKind::AddVoter, peer: 24, store: 3 };
    propose(&mut cluster, 1, RIGHT, Command::ChangePeer(add)).unwrap();
    settle(&mut cluster);
    // The new peer replaces the old one and finds its range taken.
    assert_eq!(cluster.ranges(3), "[,m)=1");
    assert!(cluster.stores[&3].tombstone(RIGHT).is_some());
    ask_for_the_source(&mut cluster);
    assert_eq!(cluster.ranges(3), "");
    settle(&mut cluster);
    assert_eq!((cluster.ranges(3), cluster.of(3, RIGHT).id()), ("[,)=2".into(), 24));
    assert_eq!(cluster.keys(3, RIGHT), "ahmt");
}

/// A replica that was removed before its region was merged gets a removal message.
#[test]
fn a_removed_source_learns_that_it_was_removed() {
    let mut cluster = two(Sound);
    for (region, peer) in [(LEFT, 3), (RIGHT, 23)] {
        propose(&mut cluster, 1, region, remove(peer)).unwrap();
        settle_where(&mut cluster, not_3);
    }
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, not_3);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, not_3);
    ask_for_the_source(&mut cluster);
    let tombstone = cluster.stores[&3].tombstone(LEFT).unwrap();
    assert_eq!(tombstone.merged_into, None);
}
