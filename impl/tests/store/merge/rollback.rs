//! The rollback of a merge, and when it is refused.

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{Derive, Dropped, Guard, PeerState, Sound, StateRole};

use super::*;
use crate::cluster::child;

/// The source is merging, but its target was split before it could commit the merge.
fn overtaken<G: Guards>(guards: G) -> Cluster<G> {
    let mut cluster = two(guards);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    let third = Command::Split { children: vec![child("t", 3, &[31, 32, 33])], derive: Derive::Left };
    propose(&mut cluster, 1, RIGHT, third).unwrap();
    settle(&mut cluster);
    assert_eq!(commit(&mut cluster, 1, LEFT, RIGHT), Err(Refusal::MergeTargetChanged));
    cluster
}

#[test]
fn the_region_serves_again_at_a_new_version() {
    let mut cluster = overtaken(Sound);
    assert_eq!(propose(&mut cluster, 2, LEFT, Command::rollback_merge()), Err(Refusal::NotLeader));
    propose(&mut cluster, 1, LEFT, Command::rollback_merge()).unwrap();
    settle(&mut cluster);
    for store in 1..=3 {
        let peer = cluster.of(store, LEFT);
        assert_eq!((peer.state(), peer.merge()), (PeerState::Normal, None));
        // Versions 2 and 1 before; PrepareMerge raised both parts, RollbackMerge the version.
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
    let mut cluster = overtaken(Sound);
    propose(&mut cluster, 1, LEFT, Command::rollback_merge()).unwrap();
    settle(&mut cluster);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    for store in 1..=3 {
        assert_eq!(cluster.ranges(store), "[,t)=2 [t,)=3");
        // The source has version 5, the target version 3.
        assert_eq!((epoch(&cluster, store, RIGHT), cluster.keys(store, RIGHT)), ((1, 6), "ahm".into()));
    }
}

#[test]
fn a_merge_waits_until_every_peer_has_applied_the_rollback() {
    let mut cluster = overtaken(Sound);
    propose(&mut cluster, 1, LEFT, Command::rollback_merge()).unwrap();
    // Store 3 gets the entry and does not know that it is committed.
    settle_where(&mut cluster, one_append_to_3(LEFT));
    assert_eq!(prepare(&mut cluster, LEFT, RIGHT), Err(Refusal::AdminInLogGap));
    settle(&mut cluster);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
}

#[test]
fn a_new_leader_knows_no_commit_of_others() {
    let mut cluster = overtaken(Sound);
    propose(&mut cluster, 1, LEFT, Command::rollback_merge()).unwrap();
    settle(&mut cluster);
    // It has led before, and every peer responded then.
    let known = |cluster: &Cluster<Sound>| -> Vec<_> { cluster.of(1, LEFT).committed().collect() };
    assert!(known(&cluster).iter().all(|(_, index)| *index > 0));
    campaign(&mut cluster, 2, LEFT);
    settle(&mut cluster);
    cluster.step(1, Input::Campaign { region: LEFT }).unwrap();
    deliver_where(&mut cluster, |message| message.raft_type() != Some(MessageType::MsgAppend));
    assert_eq!(cluster.of(1, LEFT).role(), StateRole::Leader);
    assert!(known(&cluster).iter().all(|(_, index)| *index == 0));
}

/// Only without `merge_waits_for_commits` may the next merge begin so early.
#[test]
fn a_replica_in_the_first_merge_is_brought_to_the_second() {
    let mut cluster = overtaken(Dropped(Guard::MergeWaitsForCommits));
    propose(&mut cluster, 1, LEFT, Command::rollback_merge()).unwrap();
    // Store 3 gets the entry and never learns that it is committed.
    settle_where(&mut cluster, one_append_to_3(LEFT));
    assert!(is_merging(&cluster, 3, LEFT) && !is_merging(&cluster, 1, LEFT));
    let deaf = |message: &Message| !(message.region == LEFT && message.to.store == 3);
    // Store 3 is known to have the entry of the rollback.
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

/// The target's peer on the store of the source's leader was removed (TiKV
/// `test_unsafe_recovery_rollback_merge`). If it applied its removal, it has passed the merge. If
/// another store reported the removal, a merge may have come before it.
#[test]
fn a_removed_target_allows_a_rollback_if_it_applied_its_removal() {
    let removed = |reached: bool| {
        let mut cluster = two(Sound);
        prepare(&mut cluster, LEFT, RIGHT).unwrap();
        settle(&mut cluster);
        campaign(&mut cluster, 3, LEFT);
        settle(&mut cluster);
        assert_eq!(
            propose(&mut cluster, 3, LEFT, Command::rollback_merge()),
            Err(Refusal::MergeTargetUnchanged)
        );
        propose(&mut cluster, 1, RIGHT, remove(23)).unwrap();
        if reached {
            deliver_where(&mut cluster, |message| message.to.store != 3);
            apply_all(&mut cluster, 1);
            apply_all(&mut cluster, 2);
            cluster.step(3, Input::Campaign { region: RIGHT }).unwrap();
        } else {
            cluster.deliver();
            cluster.step(1, Input::Tick { region: RIGHT }).unwrap();
        }
        cluster.deliver();
        apply_all(&mut cluster, 3);
        let gone = cluster.stores[&3].tombstone(RIGHT).expect("it was removed");
        assert_eq!(gone.region.member_on(3).is_some(), reached);
        propose(&mut cluster, 3, LEFT, Command::rollback_merge())
    };
    assert_eq!(removed(false), Ok(()));
    assert_eq!(removed(true), Err(Refusal::MergeTargetUnchanged));
}
