//! A merge without faults.

use rollcall_impl::{Command, Input, Output, PeerState, Sound};

use super::*;
use crate::cluster::bytes;

#[test]
fn either_neighbour_may_be_the_target() {
    for (source, target) in [(LEFT, RIGHT), (RIGHT, LEFT)] {
        let mut cluster = two(Sound);
        prepare(&mut cluster, source, target).unwrap();
        settle(&mut cluster);
        for store in 1..=3 {
            let peer = cluster.of(store, source);
            let merge = peer.merge().unwrap();
            assert_eq!(
                (peer.state(), merge.target.id, merge.commit),
                (PeerState::Merging, target, peer.applied())
            );
            assert_eq!(merge.min_index, merge.commit, "every replica had the rest");
            // Both parts of the epoch rise: no conf change and no split fits any more.
            assert_eq!(epoch(&cluster, store, source), (2, 3));
            assert_eq!(cluster.ranges(store), "[,m)=1 [m,)=2");
        }
        cluster.step(1, Input::SplitCheck { region: target }).unwrap();
        assert!(cluster.of(1, target).approximate_size().is_some());
        commit(&mut cluster, 1, source, target).unwrap();
        settle(&mut cluster);
        assert_eq!(cluster.of(1, target).approximate_size(), None, "of a part it says nothing of the whole");
        for store in 1..=3 {
            let (end, merged) = (&cluster.stores[&store], cluster.of(store, target));
            let tombstone = end.tombstone(source).unwrap();
            assert_eq!(epoch(&cluster, store, target), (1, 4), "above both versions, conf_ver as it was");
            assert_eq!(
                (cluster.ranges(store), cluster.keys(store, target)),
                (format!("[,)={target}"), "ahmt".into())
            );
            assert_eq!(merged.state(), PeerState::Normal);
            assert_eq!((tombstone.region.epoch.version, tombstone.region.epoch.conf_ver), (3, 2));
            assert_eq!(tombstone.merged_into.map(|then| (then.id, then.epoch.version)), Some((target, 2)));
        }
        for key in ["b", "s"] {
            propose(&mut cluster, 1, target, put(key)).unwrap();
        }
        settle(&mut cluster);
        assert_eq!(cluster.keys(3, target), "abhmst");
    }
}

#[test]
fn a_merge_is_reported_with_the_destroyed_source() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    cluster.deliver();
    let outputs = cluster.outputs(1, Input::Apply { region: RIGHT }).unwrap();
    assert!(outputs.contains(&Output::Destroyed { region: LEFT, peer: 1 }));
    let region = cluster.of(1, RIGHT).region().clone();
    assert!(outputs.contains(&Output::RegionHeartbeat { region }));
}

#[test]
fn the_leaders_need_not_share_a_store() {
    let mut cluster = two(Sound);
    campaign(&mut cluster, 2, RIGHT);
    settle(&mut cluster);
    // The source's leader proposes `PrepareMerge`. The target's leader asks the source's follower
    // on its own store, which carries more entries than are missing.
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 2, LEFT, RIGHT).unwrap();
    let last = cluster.of(2, RIGHT).entries().last().unwrap().1.request().unwrap().command.clone();
    let Command::CommitMerge(carries) = last else { panic!("{last:?}") };
    assert_eq!(carries.entries.iter().map(|entry| entry.index).collect::<Vec<_>>(), [carries.commit]);
    settle(&mut cluster);
    for store in 1..=3 {
        assert_eq!((cluster.ranges(store), cluster.keys(store, RIGHT)), ("[,)=2".into(), "ahmt".into()));
    }
}

#[test]
fn a_merged_region_is_split_and_merged_again() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, RIGHT, LEFT).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 1, RIGHT, LEFT).unwrap();
    settle(&mut cluster);
    let children = vec![crate::cluster::child("h", 3, &[31, 32, 33])];
    let again = Command::Split { children, derive: rollcall_impl::Derive::Left };
    propose(&mut cluster, 1, LEFT, again).unwrap();
    settle(&mut cluster);
    assert_eq!(cluster.ranges(3), "[,h)=1 [h,)=3");
    prepare(&mut cluster, LEFT, 3).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 1, LEFT, 3).unwrap();
    settle(&mut cluster);
    for store in 1..=3 {
        assert_eq!((cluster.ranges(store), cluster.keys(store, 3)), ("[,)=3".into(), "ahmt".into()));
        assert_eq!(epoch(&cluster, store, 3), (1, 7));
    }
}

#[test]
fn a_read_under_way_ends_with_the_region_that_it_asked() {
    let mut cluster = two(Sound);
    let read = |key| Input::Read { region: LEFT, key: bytes(key) };
    cluster.step(1, read("a")).unwrap();
    cluster.step(1, Input::Read { region: RIGHT, key: bytes("t") }).unwrap();
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    cluster.deliver();
    // Committed and not applied: the target may be ahead on another store.
    cluster.step(1, Input::AnswerRead { region: LEFT }).unwrap();
    assert_eq!(cluster.step(1, read("a")), Err(Refusal::Merging));
    settle(&mut cluster);
    assert_eq!(cluster.step(1, read("a")), Err(Refusal::Merging));
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    assert_eq!(cluster.step(1, Input::AnswerRead { region: RIGHT }), Err(Refusal::NoReadReady));
    cluster.step(1, Input::Read { region: RIGHT, key: bytes("a") }).unwrap();
    settle(&mut cluster);
    let answered = cluster.outputs(1, Input::AnswerRead { region: RIGHT }).unwrap();
    assert!(
        matches!(&answered[..], [Output::Value { value: Some(_), region, .. }] if region.epoch.version == 4)
    );
}
