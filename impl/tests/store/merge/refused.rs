//! Refused merge commands, each for its own reason and without a change.

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{Change, ChangeKind, Derive, PeerState, Sound};

use super::*;
use crate::cluster::{bytes, change, child};

/// The input is refused on `store`; marks, disk and network are unchanged.
#[track_caller]
fn assert_refused(cluster: &mut Cluster<Sound>, store: StoreId, input: Input, expected: Refusal) {
    let marks = |cluster: &Cluster<Sound>| {
        let store = &cluster.stores[&store];
        store.regions().map(|region| store.mark(region)).collect::<Vec<_>>()
    };
    let (before, disk, sent) = (marks(cluster), cluster.stores[&store].engine().clone(), cluster.sent.len());
    let said = format!("{input:?}");
    assert_eq!(cluster.step(store, input), Err(expected), "{said}");
    assert_eq!((marks(cluster), cluster.sent.len()), (before, sent), "{said}");
    assert_eq!(*cluster.stores[&store].engine(), disk, "{said}");
}

fn at(region: RegionId, command: Command) -> Input {
    Input::Propose { region, command, epoch: None }
}

#[test]
fn prepare_merge() {
    let mut cluster = two(Sound);
    let right = cluster.of(1, RIGHT).region().clone();
    let to = |target: &Region| at(LEFT, Command::prepare_merge(target.clone()));
    assert_refused(&mut cluster, 1, at(9, Command::prepare_merge(right.clone())), Refusal::RegionNotFound);
    assert_refused(&mut cluster, 2, to(&right), Refusal::NotLeader);
    let own = cluster.of(1, LEFT).region().epoch;
    for epoch in [
        Epoch { version: own.version - 1, ..own },
        Epoch { version: own.version + 1, ..own },
        Epoch { conf_ver: own.conf_ver + 1, ..own },
    ] {
        let command = Command::prepare_merge(right.clone());
        let input = Input::Propose { region: LEFT, command, epoch: Some(epoch) };
        assert_refused(&mut cluster, 1, input, Refusal::EpochNotMatch);
    }
    assert_refused(&mut cluster, 1, to(&Region::unknown(9)), Refusal::MergeTargetNotFound);
    for other in [
        Region { start: bytes("l"), ..right.clone() },
        Region { epoch: Epoch { version: 1, ..right.epoch }, ..right.clone() },
        Region { epoch: Epoch { version: 3, ..right.epoch }, ..right.clone() },
        Region { peers: right.peers[..2].to_vec(), ..right.clone() },
    ] {
        assert_refused(&mut cluster, 1, to(&other), Refusal::MergeTargetNotMatch);
    }
    let own = cluster.of(1, LEFT).region().clone();
    assert_refused(&mut cluster, 1, to(&own), Refusal::NotSiblings);
    // [,m)=1 [m,q)=2 [q,)=3: the first and the last are not adjacent.
    let third = Command::Split { children: vec![child("q", 3, &[31, 32, 33])], derive: Derive::Left };
    propose(&mut cluster, 1, RIGHT, third).unwrap();
    settle(&mut cluster);
    let third = cluster.of(1, 3).region().clone();
    assert_refused(&mut cluster, 1, to(&third), Refusal::NotSiblings);
    // The target is on fewer stores, or in another role.
    propose(&mut cluster, 1, RIGHT, remove(23)).unwrap();
    settle(&mut cluster);
    let fewer = cluster.of(1, RIGHT).region().clone();
    assert_refused(&mut cluster, 1, to(&fewer), Refusal::StoresNotMatch);
    let learner = Change { kind: ChangeKind::AddLearner, peer: 24, store: 3 };
    propose(&mut cluster, 1, RIGHT, Command::ChangePeer(learner)).unwrap();
    settle(&mut cluster);
    let learner = cluster.of(1, RIGHT).region().clone();
    assert_refused(&mut cluster, 1, to(&learner), Refusal::StoresNotMatch);
}

#[test]
fn prepare_merge_while_something_is_under_way() {
    let mut cluster = two(Sound);
    let right = cluster.of(1, RIGHT).region().clone();
    let to_right = at(LEFT, Command::prepare_merge(right));
    // A leadership transfer is in progress.
    propose(&mut cluster, 1, LEFT, Command::TransferLeader { to: 2 }).unwrap();
    cluster.deliver_first(MessageType::MsgTransferLeader);
    assert_refused(&mut cluster, 1, to_right.clone(), Refusal::TransferringLeader);
    settle(&mut cluster);
    assert_refused(&mut cluster, 1, to_right.clone(), Refusal::NotLeader);
    // A leader of a new term has not applied an entry of it.
    cluster.step(1, Input::Campaign { region: LEFT }).unwrap();
    deliver_where(&mut cluster, |message| {
        use rollcall_impl::eraftpb::MessageType::{MsgRequestVote, MsgRequestVoteResponse};
        matches!(message.raft_type(), Some(MsgRequestVote | MsgRequestVoteResponse))
    });
    assert_refused(&mut cluster, 1, to_right.clone(), Refusal::NotAppliedTerm);
    // It does not know what the others have either.
    deliver_where(&mut cluster, |_| true);
    cluster.step(1, Input::Tick { region: LEFT }).unwrap();
    settle_where(&mut cluster, |message| message.to.store != 3);
    let known = cluster.of(1, LEFT).matched().find(|(id, _)| *id == 3).unwrap().1;
    assert_eq!(known, 0);
    assert_refused(&mut cluster, 1, to_right.clone(), Refusal::LogGapTooLarge);
    settle(&mut cluster);
    // An unapplied entry of this term will change the epoch.
    for command in [change(ChangeKind::AddLearner, 4), crate::cluster::split("h", 3)] {
        let command = match command {
            Command::Split { derive, .. } => {
                Command::Split { children: vec![child("h", 4, &[41, 42, 43])], derive }
            }
            other => other,
        };
        let mut cluster = two(Sound);
        propose(&mut cluster, 1, LEFT, command).unwrap();
        assert_refused(&mut cluster, 1, to_right.clone(), Refusal::EpochChanging);
    }
}

#[test]
fn a_gap_that_the_merge_could_not_carry() {
    // A replica lacks an admin entry.
    let mut cluster = two(Sound);
    let index = cluster.of(1, LEFT).applied();
    let right = cluster.of(1, RIGHT).region().clone();
    let to_right = at(LEFT, Command::prepare_merge(right));
    propose(&mut cluster, 1, LEFT, Command::CompactLog { index }).unwrap();
    settle_where(&mut cluster, |message| message.to.store != 3);
    assert_refused(&mut cluster, 1, to_right.clone(), Refusal::AdminInLogGap);
    settle(&mut cluster);
    cluster.step(1, to_right.clone()).unwrap();
    // More entries than the target's log may carry, and one fewer.
    for (writes, expected) in [(11, Err(Refusal::LogGapTooLarge)), (10, Ok(()))] {
        let mut cluster = two(Sound);
        for _ in 0..writes {
            propose(&mut cluster, 1, LEFT, put("b")).unwrap();
        }
        settle_where(&mut cluster, |message| message.to.store != 3);
        assert_eq!(cluster.step(1, to_right.clone()), expected, "{writes}");
    }
    assert_eq!(Config::SIMULATOR.merge_max_log_gap, 10);
}

#[test]
fn everything_but_its_end_while_a_region_merges() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    // Proposed and not applied: whatever checks the epoch must wait.
    assert_refused(&mut cluster, 1, at(LEFT, put("b")), Refusal::EpochChanging);
    assert_refused(&mut cluster, 1, at(LEFT, change(ChangeKind::AddLearner, 4)), Refusal::EpochChanging);
    settle(&mut cluster);
    let right = cluster.of(1, RIGHT).region().clone();
    let children = vec![child("h", 4, &[41, 42, 43])];
    let joint = vec![Change { kind: ChangeKind::AddVoter, peer: 4, store: 4 }];
    for command in [
        put("b"),
        Command::Delete { key: bytes("a") },
        Command::CompactLog { index: cluster.of(1, LEFT).applied() },
        Command::Split { children, derive: Derive::Left },
        change(ChangeKind::AddLearner, 4),
        Command::EnterJoint(joint),
        Command::LeaveJoint,
        Command::prepare_merge(right),
        Command::commit_merge(RIGHT),
    ] {
        assert_refused(&mut cluster, 1, at(LEFT, command), Refusal::Merging);
    }
    let ask =
        Input::AskSplit { region: LEFT, keys: vec![bytes("h")], derive: Derive::Left, ordered_at: None };
    assert_refused(&mut cluster, 1, ask, Refusal::Merging);
    assert_refused(&mut cluster, 1, Input::Read { region: LEFT, key: bytes("a") }, Refusal::Merging);
    assert_refused(&mut cluster, 1, Input::Snap { region: LEFT }, Refusal::Merging);
    assert_refused(&mut cluster, 1, at(LEFT, Command::rollback_merge()), Refusal::MergeTargetUnchanged);
    // Elections and transfers are still possible.
    propose(&mut cluster, 1, LEFT, Command::TransferLeader { to: 2 }).unwrap();
    settle(&mut cluster);
    assert_eq!(cluster.of(2, LEFT).leader(), 2);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    assert_eq!(cluster.ranges(3), "[,)=2");
}

#[test]
fn commit_merge() {
    let mut cluster = two(Sound);
    let take = |source| at(RIGHT, Command::commit_merge(source));
    assert_refused(&mut cluster, 2, take(LEFT), Refusal::NotLeader);
    assert_refused(&mut cluster, 1, take(9), Refusal::MergeSourceNotFound);
    assert_refused(&mut cluster, 1, take(RIGHT), Refusal::SourceNotMerging);
    assert_refused(&mut cluster, 1, take(LEFT), Refusal::SourceNotMerging);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    assert_refused(&mut cluster, 1, take(LEFT), Refusal::SourceNotMerging);
    settle(&mut cluster);
    let other = Epoch { conf_ver: 1, version: 3 };
    let input = Input::Propose { region: RIGHT, command: Command::commit_merge(LEFT), epoch: Some(other) };
    assert_refused(&mut cluster, 1, input, Refusal::EpochNotMatch);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    // One proposal is enough.
    assert_refused(&mut cluster, 1, take(LEFT), Refusal::EpochChanging);
    settle(&mut cluster);
    assert_refused(&mut cluster, 1, take(LEFT), Refusal::MergeSourceNotFound);
}

#[test]
fn commit_merge_into_another_or_a_changed_target() {
    // [,m)=1 [m,q)=2 [q,)=3; 2 goes into 3.
    let third = Command::Split { children: vec![child("q", 3, &[31, 32, 33])], derive: Derive::Left };
    let mut cluster = two(Sound);
    propose(&mut cluster, 1, RIGHT, third).unwrap();
    settle(&mut cluster);
    prepare(&mut cluster, RIGHT, 3).unwrap();
    settle(&mut cluster);
    assert_refused(&mut cluster, 1, at(LEFT, Command::commit_merge(RIGHT)), Refusal::SourceNotMerging);
    // Region 3 gets a member before the proposal.
    let add = Change { kind: ChangeKind::AddLearner, peer: 34, store: 3 };
    assert_refused(&mut cluster, 1, at(3, Command::ChangePeer(add)), Refusal::InvalidChange);
    propose(&mut cluster, 1, 3, remove(33)).unwrap();
    settle(&mut cluster);
    assert_refused(&mut cluster, 1, at(3, Command::commit_merge(RIGHT)), Refusal::MergeTargetChanged);
}

#[test]
fn commit_merge_into_a_target_that_is_behind() {
    let mut cluster = two(Sound);
    // The target splits at t; store 2 leads it without having applied that.
    let third = Command::Split { children: vec![child("t", 3, &[31, 32, 33])], derive: Derive::Left };
    propose(&mut cluster, 1, RIGHT, third).unwrap();
    cluster.deliver();
    apply(&mut cluster, 1, RIGHT).unwrap();
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    for _ in 0..3 {
        cluster.deliver();
        cluster.step(1, Input::Tick { region: LEFT }).unwrap();
    }
    while apply(&mut cluster, 2, LEFT).is_ok() {}
    campaign(&mut cluster, 2, RIGHT);
    assert_refused(&mut cluster, 2, at(RIGHT, Command::commit_merge(LEFT)), Refusal::MergeTargetBehind);
    settle(&mut cluster);
    commit(&mut cluster, 2, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    assert_eq!(cluster.ranges(3), "[,t)=2 [t,)=3");
}

#[test]
fn rollback_merge_of_nothing() {
    let mut cluster = two(Sound);
    assert_refused(&mut cluster, 1, at(LEFT, Command::rollback_merge()), Refusal::NotMerging);
    assert_refused(&mut cluster, 2, at(LEFT, Command::rollback_merge()), Refusal::NotLeader);
}

#[test]
fn a_joint_source() {
    let mut cluster = two(Sound);
    let demote = |peer| Change { kind: ChangeKind::AddLearner, peer, store: peer };
    propose(&mut cluster, 1, LEFT, Command::EnterJoint(vec![demote(2), demote(3)])).unwrap();
    settle(&mut cluster);
    let right = cluster.of(1, RIGHT).region().clone();
    assert_refused(&mut cluster, 1, at(LEFT, Command::prepare_merge(right)), Refusal::AlreadyJoint);
}

/// `CompactLog` may follow `PrepareMerge` in the log. What it would truncate may be what the
/// target's replicas need.
#[test]
fn a_merging_region_keeps_its_log() {
    let mut cluster = two(Sound);
    let (index, truncated) = (cluster.of(1, LEFT).applied(), cluster.of(1, LEFT).truncated());
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    propose(&mut cluster, 1, LEFT, Command::CompactLog { index }).unwrap();
    settle(&mut cluster);
    for store in 1..=3 {
        let peer = cluster.of(store, LEFT);
        assert_eq!((peer.state(), peer.applied()), (PeerState::Merging, index + 2));
        assert_eq!(peer.truncated(), truncated);
    }
}
