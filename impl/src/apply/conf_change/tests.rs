use super::{apply, check_availability, check_new_quorum, check_propose};
use crate::error::Refusal::{self, *};
use crate::guard::{Dropped, Guard, Sound};
use crate::proto::command::{Change, ChangeKind, Command};
use crate::proto::region::{Epoch, Member, MemberRole, Region};
use ChangeKind::{AddLearner, AddVoter, Remove};
use MemberRole::{DemotingVoter, IncomingVoter, Learner, Voter};

/// A region with these members; peer ids are ten times the store ids.
fn region(members: &[(u64, MemberRole)]) -> Region {
    let peers = members.iter().map(|(store, role)| Member { id: store * 10, store: *store, role: *role });
    Region { epoch: Epoch { conf_ver: 1, version: 1 }, peers: peers.collect(), ..Region::unknown(1) }
}

fn change(kind: ChangeKind, peer: u64, store: u64) -> Change {
    Change { kind, peer, store }
}

fn simple(kind: ChangeKind, peer: u64, store: u64) -> Command {
    Command::ChangePeer(change(kind, peer, store))
}

fn joint(changes: &[(ChangeKind, u64)]) -> Command {
    Command::EnterJoint(changes.iter().map(|(kind, store)| change(*kind, store * 10, *store)).collect())
}

/// Peer 10 leads.
#[track_caller]
fn assert_propose(region: &Region, cases: &[(Command, Result<(), Refusal>)]) {
    for (command, expected) in cases {
        assert_eq!(check_propose(Sound, region, 10, command), *expected, "{command:?}");
    }
}

#[test]
fn simple_changes_at_propose() {
    let three = region(&[(1, Voter), (2, Voter), (3, Voter), (4, Learner)]);
    assert_propose(
        &three,
        &[
            (simple(AddVoter, 50, 5), Ok(())),
            (simple(AddVoter, 40, 4), Ok(())),
            (simple(AddLearner, 50, 5), Ok(())),
            (simple(Remove, 30, 3), Ok(())),
            (simple(Remove, 40, 4), Ok(())),
            // The member exists, or another peer is on the store.
            (simple(AddVoter, 20, 2), Err(InvalidChange)),
            (simple(AddLearner, 40, 4), Err(InvalidChange)),
            (simple(AddVoter, 20, 5), Err(InvalidChange)),
            (simple(AddVoter, 50, 2), Err(InvalidChange)),
            (simple(Remove, 50, 5), Err(InvalidChange)),
            (simple(Remove, 30, 2), Err(InvalidChange)),
            (simple(Remove, 99, 2), Err(InvalidChange)),
            // A voter is demoted only by a joint change.
            (simple(AddLearner, 20, 2), Err(InvalidChange)),
            (simple(Remove, 10, 1), Err(LeaderRemoval)),
            (Command::LeaveJoint, Err(NotJoint)),
        ],
    );
    assert_propose(
        &region(&[(1, Voter), (2, Voter), (3, Learner)]),
        &[
            (simple(Remove, 20, 2), Err(DemoteFirst)),
            (simple(Remove, 10, 1), Err(LeaderRemoval)),
            (simple(Remove, 30, 3), Ok(())),
        ],
    );
    assert_propose(&region(&[(1, Voter), (2, Learner)]), &[(simple(Remove, 10, 1), Err(InvalidChange))]);
}

#[test]
fn joint_changes_at_propose() {
    let three = region(&[(1, Voter), (2, Voter), (3, Voter), (4, Learner)]);
    assert_propose(
        &three,
        &[
            (joint(&[(AddVoter, 4), (AddLearner, 3)]), Ok(())),
            (joint(&[(AddVoter, 5), (Remove, 4)]), Ok(())),
            (joint(&[(AddLearner, 2), (AddLearner, 3)]), Ok(())),
            (joint(&[]), Err(InvalidChange)),
            (joint(&[(AddVoter, 5), (AddVoter, 5)]), Err(InvalidChange)),
            (joint(&[(AddVoter, 2)]), Err(InvalidChange)),
            (joint(&[(AddLearner, 5), (Remove, 4)]), Err(InvalidChange)),
            (joint(&[(Remove, 3), (AddVoter, 5)]), Err(VoterRemoval)),
            // The first error counts.
            (joint(&[(Remove, 3), (AddVoter, 2)]), Err(VoterRemoval)),
            (joint(&[(AddVoter, 2), (Remove, 3)]), Err(InvalidChange)),
            // No voter would be left.
            (joint(&[(AddLearner, 1), (AddLearner, 2), (AddLearner, 3)]), Err(InvalidChange)),
            // A leader may be demoted by a joint change. It transfers leadership before leaving.
            (joint(&[(AddLearner, 1), (AddVoter, 4)]), Ok(())),
        ],
    );
    let between = region(&[(1, DemotingVoter), (2, Voter), (3, IncomingVoter)]);
    assert_propose(
        &between,
        &[
            (simple(AddVoter, 50, 5), Err(AlreadyJoint)),
            (joint(&[(AddVoter, 5)]), Err(AlreadyJoint)),
            (Command::LeaveJoint, Err(LeaderRemoval)),
        ],
    );
}

/// A joint change of one member is a simple change, but may do what `ChangePeer` may not.
#[test]
fn joint_changes_of_one_at_propose() {
    assert_propose(
        &region(&[(1, Voter), (2, Voter), (3, Voter), (4, Learner)]),
        &[
            (joint(&[(AddVoter, 4)]), Ok(())),
            (joint(&[(AddLearner, 5)]), Ok(())),
            (joint(&[(AddLearner, 2)]), Ok(())),
            (joint(&[(Remove, 3)]), Ok(())),
            (joint(&[(Remove, 4)]), Ok(())),
            (joint(&[(AddLearner, 4)]), Err(InvalidChange)),
            // No later step would wait for another leader.
            (joint(&[(AddLearner, 1)]), Err(LeaderRemoval)),
            (joint(&[(Remove, 1)]), Err(LeaderRemoval)),
        ],
    );
    let two = region(&[(1, Voter), (2, Voter)]);
    assert_propose(&two, &[(joint(&[(Remove, 2)]), Err(DemoteFirst)), (joint(&[(AddLearner, 2)]), Ok(()))]);
    let demoted = apply(Sound, &two, &joint(&[(AddLearner, 2)])).unwrap();
    assert_eq!((demoted.epoch.conf_ver, demoted.member(20).unwrap().role), (2, Learner));
    assert_eq!(apply(Sound, &demoted, &joint(&[(AddLearner, 1)])), Err(InvalidChange));
}

#[test]
fn effects() {
    let three = region(&[(1, Voter), (2, Voter), (3, Voter)]);
    let added = apply(Sound, &three, &simple(AddVoter, 40, 4)).unwrap();
    assert_eq!((added.epoch.conf_ver, added.member(40).unwrap().role), (2, Voter));

    let entered = apply(Sound, &added, &joint(&[(AddLearner, 3), (AddVoter, 5), (AddLearner, 6)])).unwrap();
    let roles: Vec<_> = entered.peers.iter().map(|member| (member.store, member.role)).collect();
    assert_eq!(
        roles,
        [(1, Voter), (2, Voter), (3, DemotingVoter), (4, Voter), (5, IncomingVoter), (6, Learner)]
    );
    assert_eq!(entered.epoch, Epoch { conf_ver: 5, version: 1 });
    let conf = entered.conf_state(true);
    assert_eq!(conf.get_voters(), [10, 20, 40, 50]);
    assert_eq!(conf.get_voters_outgoing(), [10, 20, 30, 40]);
    assert_eq!((conf.get_learners(), conf.get_learners_next()), (&[60][..], &[30][..]));

    let left = apply(Sound, &entered, &Command::LeaveJoint).unwrap();
    assert_eq!(left.epoch.conf_ver, 7);
    assert!(!left.is_joint());
    assert_eq!((left.member(30).unwrap().role, left.member(50).unwrap().role), (Learner, Voter));

    // At apply the leader is treated as any member, and two voters may become one.
    let two = region(&[(1, Voter), (2, Voter)]);
    assert_eq!(apply(Sound, &two, &simple(Remove, 10, 1)).unwrap().peers.len(), 1);
    assert_eq!(apply(Sound, &three, &simple(AddVoter, 20, 2)), Err(InvalidChange));
}

#[test]
fn without_no_duplicate_change_the_epoch_rises_for_nothing() {
    let three = region(&[(1, Voter), (2, Voter), (3, Voter)]);
    let dropped = Dropped(Guard::NoDuplicateChange);
    let again = apply(dropped, &three, &simple(AddVoter, 20, 2)).unwrap();
    assert_eq!((again.epoch.conf_ver, &again.peers), (2, &three.peers));
    assert_eq!(apply(dropped, &three, &simple(AddVoter, 20, 5)), Err(InvalidChange));
}

#[test]
fn active_voters_outvote_inactive_ones() {
    let three = region(&[(1, Voter), (2, Voter), (3, Voter), (4, Learner)]);
    let check = |command: &Command, silent: &[u64]| check_availability(Sound, &three, command, silent);
    assert_eq!(check(&simple(Remove, 20, 2), &[3]), Err(MajorityLost));
    assert_eq!(check(&joint(&[(AddLearner, 2)]), &[3]), Err(MajorityLost));
    assert_eq!(check(&simple(Remove, 30, 3), &[3]), Ok(()));
    assert_eq!(check(&simple(Remove, 20, 2), &[]), Ok(()));
    // The active voters have no majority now.
    assert_eq!(check(&simple(Remove, 20, 2), &[2, 3]), Ok(()));
    // An inactive learner does not count as active; a new one does.
    assert_eq!(check(&joint(&[(AddVoter, 4), (AddLearner, 2)]), &[3, 4]), Err(MajorityLost));
    assert_eq!(check(&joint(&[(AddVoter, 5), (AddLearner, 2)]), &[3, 5]), Ok(()));
    assert_eq!(check(&joint(&[(AddVoter, 4), (AddLearner, 3)]), &[3]), Ok(()));
    let dropped = Dropped(Guard::ChangeKeepsMajorityHeard);
    assert_eq!(check_availability(dropped, &three, &simple(Remove, 20, 2), &[3]), Ok(()));
}

#[test]
fn a_new_quorum_has_the_log() {
    let three = region(&[(1, Voter), (2, Voter), (3, Voter), (4, Learner)]);
    let check = |command: &Command, have: &[u64]| {
        check_new_quorum(Sound, &three, command, |peer| have.contains(&(peer / 10)))
    };
    assert_eq!(check(&simple(Remove, 20, 2), &[1, 2]), Err(QuorumBehind));
    assert_eq!(check(&simple(Remove, 30, 3), &[1, 2]), Ok(()));
    assert_eq!(check(&simple(AddVoter, 50, 5), &[1, 2]), Err(QuorumBehind));
    assert_eq!(check(&simple(AddLearner, 50, 5), &[1, 2]), Ok(()));
    // Each half of a joint configuration needs a quorum.
    assert_eq!(check(&joint(&[(AddVoter, 4), (AddLearner, 2)]), &[1, 4]), Err(QuorumBehind));
    assert_eq!(check(&joint(&[(AddVoter, 4), (AddLearner, 2)]), &[1, 2]), Err(QuorumBehind));
    assert_eq!(check(&joint(&[(AddVoter, 4), (AddLearner, 2)]), &[1, 2, 4]), Ok(()));
    let one = region(&[(1, Voter)]);
    assert_eq!(check_new_quorum(Sound, &one, &simple(AddVoter, 20, 2), |peer| peer == 10), Ok(()));
    let dropped = Dropped(Guard::NewQuorumHasLog);
    assert_eq!(check_new_quorum(dropped, &three, &simple(Remove, 20, 2), |peer| peer < 30), Ok(()));
}
