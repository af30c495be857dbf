//! The question before a leadership transfer, message by message. It takes time, and the state when
//! the reply arrives decides.

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{
    Change, ChangeKind, Command, Dropped, Guard, Guards, Input, Message, Refusal, Sound, StoreId,
};

use crate::cluster::{Cluster, REGION, change, put};

const TO_TWO: Command = Command::TransferLeader { to: 2 };

/// Store 1 leads three voters; store 4 has nothing.
fn led<G: Guards>(guards: G) -> Cluster<G> {
    let mut cluster = Cluster::new(guards, 4, &[1, 2, 3]);
    cluster.elect(1);
    cluster.settle(1);
    cluster.sent.clear();
    cluster
}

/// The leader proposes a learner. All peers know that it is committed, and only those on `stores`
/// apply it.
fn learner_applied_by<G: Guards>(cluster: &mut Cluster<G>, stores: &[StoreId]) {
    cluster.propose(1, change(ChangeKind::AddLearner, 4)).unwrap();
    commit(cluster);
    stores.iter().for_each(|store| cluster.apply(*store));
    cluster.sent.clear();
    let lags = |store| cluster.peer(store).applied() < cluster.peer(store).commit();
    assert!((1..=3).all(|store| lags(store) != stores.contains(&store)), "applied by {stores:?} alone");
}

/// Every peer learns the commit index.
fn commit<G: Guards>(cluster: &mut Cluster<G>) {
    cluster.deliver();
    let _ = cluster.step(1, Input::Tick { region: REGION });
    cluster.deliver();
}

/// The only message in flight: one of a transfer.
fn only<G: Guards>(cluster: &mut Cluster<G>) -> Message {
    let message = cluster.sent.pop_front().expect("something was sent");
    assert_eq!(message.raft_type(), Some(MessageType::MsgTransferLeader));
    assert!(cluster.sent.is_empty(), "and nothing else: {:?}", cluster.sent);
    message
}

fn arrives<G: Guards>(cluster: &mut Cluster<G>, message: &Message) -> Result<(), Refusal> {
    cluster.step(message.to.store, Input::Message(message.clone()))
}

/// The reply of store 2 to store 1.
fn answer<G: Guards>(cluster: &mut Cluster<G>) -> Message {
    cluster.propose(1, TO_TWO).unwrap();
    let question = only(cluster);
    arrives(cluster, &question).unwrap();
    only(cluster)
}

#[test]
fn asking_and_answering_change_no_peer() {
    let mut cluster = led(Sound);
    let marks = |cluster: &Cluster<Sound>| [1, 2].map(|store| cluster.stores[&store].mark(REGION));
    let before = marks(&cluster);
    let answer = answer(&mut cluster);
    assert_eq!(marks(&cluster), before);
    assert_eq!(answer.raft().map(|raft| raft.index), Some(cluster.peer(2).applied()));
    arrives(&mut cluster, &answer).unwrap();
    assert_eq!(cluster.peer(1).lead_transferee(), Some(2));
    // A copy of it has no effect.
    assert_eq!(arrives(&mut cluster, &answer), Err(Refusal::NoEffect));
    cluster.deliver();
    assert_eq!(cluster.peer(1).leader(), 2);
}

/// tikv#17363: the leader's own hanging disk is the reason for the transfer.
#[test]
fn a_leader_that_applies_nothing_hands_over() {
    let mut cluster = led(Sound);
    learner_applied_by(&mut cluster, &[2, 3]);
    cluster.propose(1, TO_TWO).unwrap();
    cluster.deliver();
    assert_eq!(cluster.peer(1).leader(), 2);
    cluster.propose(2, put("served")).unwrap();

    let mut cluster = led(Dropped(Guard::LaggingLeaderHandsOver));
    learner_applied_by(&mut cluster, &[2, 3]);
    assert_eq!(cluster.propose(1, TO_TWO), Err(Refusal::PendingConfChange));
}

/// Row 7: it could not campaign.
#[test]
fn a_transferee_must_have_applied_the_change() {
    let mut cluster = led(Sound);
    learner_applied_by(&mut cluster, &[1, 3]);
    let answer = answer(&mut cluster);
    assert_eq!(arrives(&mut cluster, &answer), Err(Refusal::PendingConfChange));
    assert_eq!(cluster.peer(1).lead_transferee(), None);
    // Once it has applied the change, it gets leadership.
    cluster.apply(2);
    cluster.propose(1, TO_TWO).unwrap();
    cluster.deliver();
    assert_eq!(cluster.peer(1).leader(), 2);
}

#[test]
fn a_late_reply_is_checked_against_later_proposals() {
    let mut cluster = led(Sound);
    let before = answer(&mut cluster);
    learner_applied_by(&mut cluster, &[2]);
    assert_eq!(arrives(&mut cluster, &before), Err(Refusal::PendingConfChange));
    // A current reply has an effect.
    let now = answer(&mut cluster);
    arrives(&mut cluster, &now).unwrap();
    assert_eq!(cluster.peer(1).lead_transferee(), Some(2));
}

#[test]
fn a_reply_of_an_old_term_is_ignored() {
    let mut cluster = led(Sound);
    let before = answer(&mut cluster);
    cluster.elect(3);
    assert_eq!(arrives(&mut cluster, &before), Err(Refusal::StaleTerm));
    cluster.elect(1);
    assert_eq!(arrives(&mut cluster, &before), Err(Refusal::StaleTerm));
    assert_eq!(cluster.peer(1).lead_transferee(), None);
}

#[test]
fn a_peer_that_may_not_lead_does_not_reply() {
    let mut cluster = led(Sound);
    cluster.propose(1, TO_TWO).unwrap();
    let question = only(&mut cluster);
    // Another peer leads by the time of the question.
    cluster.elect(3);
    assert_eq!(arrives(&mut cluster, &question), Err(Refusal::StaleTerm));

    // It has applied its demotion, and the leader has not.
    let mut cluster = led(Sound);
    let demoted = Change { kind: ChangeKind::AddLearner, peer: 2, store: 2 };
    cluster.propose(1, Command::EnterJoint(vec![demoted])).unwrap();
    commit(&mut cluster);
    cluster.apply(2);
    cluster.propose(1, TO_TWO).unwrap();
    let question = only(&mut cluster);
    assert_eq!(arrives(&mut cluster, &question), Err(Refusal::TransfereeNotVoter));

    // The peer is not there.
    let mut cluster = led(Sound);
    cluster.propose(1, change(ChangeKind::AddVoter, 4)).unwrap();
    commit(&mut cluster);
    cluster.apply(1);
    cluster.sent.clear();
    cluster.propose(1, Command::TransferLeader { to: 4 }).unwrap();
    let question = only(&mut cluster);
    assert_eq!(arrives(&mut cluster, &question), Err(Refusal::NotInitialMessage));
}
