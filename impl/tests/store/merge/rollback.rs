//! A merge that is taken back, and when it may not be.

use rollcall_impl::{Derive, PeerState, Sound};

use super::*;
use crate::cluster::child;

/// The source is merging; its target was split before it could take it in.
fn overtaken() -> Cluster<Sound> {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    let third = Command::Split { children: vec![child("t", 3, &[31, 32, 33])], derive: Derive::Left };
    propose(&mut cluster, 1, RIGHT, third).unwrap();
    settle(&mut cluster);
    assert_eq!(commit(&mut cluster, 1, LEFT, RIGHT), Err(Refusal::MergeTargetChanged));
    cluster
}

#[test]
fn the_region_serves_again_at_a_new_version() {
    let mut cluster = overtaken();
    assert_eq!(propose(&mut cluster, 2, LEFT, Command::rollback_merge()), Err(Refusal::NotLeader));
    propose(&mut cluster, 1, LEFT, Command::rollback_merge()).unwrap();
    settle(&mut cluster);
    for store in 1..=3 {
        let peer = cluster.of(store, LEFT);
        assert_eq!((peer.state(), peer.merge()), (PeerState::Normal, None));
        // 2 and 1 before; PrepareMerge raised both, RollbackMerge the version.
        assert_eq!(epoch(&cluster, store, LEFT), (2, 4));
    }
    propose(&mut cluster, 1, LEFT, put("b")).unwrap();
    propose(&mut cluster, 1, LEFT, remove(3)).unwrap();
    settle(&mut cluster);
    assert_eq!((cluster.keys(1, LEFT), epoch(&cluster, 1, LEFT)), ("abh".into(), (3, 4)));
    assert_eq!(propose(&mut cluster, 1, LEFT, Command::rollback_merge()), Err(Refusal::NotMerging));
}

#[test]
fn the_next_merge_is_another_one() {
    let mut cluster = overtaken();
    propose(&mut cluster, 1, LEFT, Command::rollback_merge()).unwrap();
    settle(&mut cluster);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    for store in 1..=3 {
        assert_eq!(cluster.ranges(store), "[,t)=2 [t,)=3");
        // The source came to version 5, the target to 3.
        assert_eq!((epoch(&cluster, store, RIGHT), cluster.keys(store, RIGHT)), ((1, 6), "ahm".into()));
    }
}

#[test]
fn a_replica_in_the_first_merge_is_brought_to_the_second() {
    let mut cluster = overtaken();
    propose(&mut cluster, 1, LEFT, Command::rollback_merge()).unwrap();
    // Store 3 gets the entry and never hears that it is committed.
    settle_where(&mut cluster, one_append_to_3(LEFT));
    assert!(is_merging(&cluster, 3, LEFT) && !is_merging(&cluster, 1, LEFT));
    let deaf = |message: &Message| !(message.region == LEFT && message.to.store == 3);
    // The entry of the rollback is among what store 3 is known to have.
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, deaf);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, deaf);
    for store in 1..=3 {
        assert_eq!((cluster.ranges(store), epoch(&cluster, store, RIGHT)), ("[,t)=2 [t,)=3".into(), (1, 6)));
    }
}

#[test]
fn a_committed_merge_is_not_taken_back() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    cluster.deliver();
    cluster.step(1, Input::Tick { region: RIGHT }).unwrap();
    cluster.deliver();
    // Store 2 has merged, the source's leader on store 1 has not.
    apply(&mut cluster, 2, RIGHT).unwrap();
    assert_eq!(propose(&mut cluster, 1, LEFT, Command::rollback_merge()), Err(Refusal::MergeTargetUnchanged));
    settle(&mut cluster);
    assert_eq!(cluster.ranges(1), "[,)=2");
}
