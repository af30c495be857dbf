//! Messages that come before their split: pending, delivered, or refused.

use rollcall_impl::eraftpb::{Entry, MessageType};
use rollcall_impl::{Change, ChangeKind, Command, Input, Message, MessagePayload, PeerState, Refusal, Sound};

use crate::cluster::{CHILD, Cluster, REGION, split};

/// Three stores with a committed split. Only store 1 has applied it; its child's vote requests to
/// the others.
fn one_ahead() -> (Cluster<Sound>, Vec<Message>) {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    cluster.commit_a_split();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    let requests: Vec<_> = cluster.sent.drain(..).collect();
    assert!(requests.iter().all(|request| request.raft_type() == Some(MessageType::MsgRequestVote)));
    (cluster, requests)
}

/// The child's vote request to store 3, changed.
fn to_three(requests: &[Message], change: impl FnOnce(&mut rollcall_impl::eraftpb::Message)) -> Message {
    let mut request = requests.iter().find(|request| request.to.store == 3).unwrap().clone();
    let MessagePayload::Raft(raft) = &mut request.payload else { panic!("{request:?}") };
    change(raft);
    request
}

fn append(entries: usize) -> impl FnOnce(&mut rollcall_impl::eraftpb::Message) {
    move |raft| {
        raft.set_msg_type(MessageType::MsgAppend);
        (raft.index, raft.log_term, raft.commit) = (5, 5, 5);
        let entry = |index| Entry { index, term: 6, ..Entry::default() };
        raft.set_entries((6..).take(entries).map(entry).collect::<Vec<_>>().into());
    }
}

#[test]
fn a_first_vote_request_waits_and_is_answered_by_the_child() {
    let (mut cluster, requests) = one_ahead();
    let request = to_three(&requests, |_| {});
    let before = cluster.stores[&3].mark(CHILD);
    let disk = cluster.stores[&3].engine().clone();
    cluster.step(3, Input::Message(request.clone())).unwrap();
    assert_eq!(cluster.stores[&3].pending_messages(), std::slice::from_ref(&request));
    assert_ne!(cluster.stores[&3].mark(CHILD), before);
    assert_eq!(cluster.step(3, Input::Message(request)), Err(Refusal::MessageAlreadyPending));
    assert_eq!(*cluster.stores[&3].engine(), disk, "nothing of it is kept");
    assert!(cluster.stores[&3].peer(CHILD).is_none() && cluster.sent.is_empty());

    cluster.step(3, Input::Apply { region: REGION }).unwrap();
    assert!(cluster.stores[&3].pending_messages().is_empty());
    let born = cluster.of(3, CHILD);
    assert_eq!((born.term(), born.vote()), (6, 21));
    // The vote is durable together with the split.
    cluster.restart(Sound, 3);
    assert_eq!((cluster.of(3, CHILD).term(), cluster.of(3, CHILD).vote()), (6, 21));
    cluster.deliver();
    assert_eq!(cluster.of(1, CHILD).leader(), 21);
}

#[test]
fn a_first_append_waits_and_reaches_the_child() {
    let (mut cluster, requests) = one_ahead();
    cluster.step(3, Input::Message(to_three(&requests, append(1)))).unwrap();
    assert_eq!(cluster.stores[&3].pending_messages().len(), 1);
    cluster.step(3, Input::Apply { region: REGION }).unwrap();
    let born = cluster.of(3, CHILD);
    assert_eq!((born.last_index(), born.term(), born.leader()), (6, 6, 21));
}

#[test]
fn any_other_message_is_refused() {
    let (mut cluster, requests) = one_ahead();
    let heartbeat = to_three(&requests, |raft| {
        raft.set_msg_type(MessageType::MsgHeartbeat);
        raft.commit = 0;
    });
    let with_data = to_three(&requests, |raft| {
        append(1)(raft);
        raft.mut_entries()[0].data = vec![1].into();
    });
    let later = to_three(&requests, |raft| {
        append(1)(raft);
        raft.mut_entries()[0].index = 7;
    });
    for (message, expected) in [
        (to_three(&requests, |raft| raft.term = 7), Refusal::RangeOverlap),
        (heartbeat, Refusal::RangeOverlap),
        (to_three(&requests, append(0)), Refusal::NotInitialMessage),
        (to_three(&requests, append(2)), Refusal::NotInitialMessage),
        (with_data, Refusal::NotInitialMessage),
        (later, Refusal::NotInitialMessage),
    ] {
        assert_eq!(cluster.step(3, Input::Message(message.clone())), Err(expected), "{message:?}");
        assert!(cluster.stores[&3].pending_messages().is_empty() && cluster.stores[&3].peer(CHILD).is_none());
    }
}

#[test]
fn pending_messages_are_lost_in_a_crash_and_delivered_to_no_other_peer() {
    let (mut cluster, requests) = one_ahead();
    let request = to_three(&requests, |_| {});
    // A request to another peer id, for a store on which that peer was to be added.
    let mut elder = request.clone();
    elder.to.id = 29;
    cluster.step(3, Input::Message(elder.clone())).unwrap();
    cluster.step(3, Input::Message(request)).unwrap();
    assert_eq!(cluster.stores[&3].pending_messages().len(), 2);
    cluster.restart(Sound, 3);
    assert!(cluster.stores[&3].pending_messages().is_empty());
    cluster.step(3, Input::Message(elder)).unwrap();
    cluster.step(3, Input::Apply { region: REGION }).unwrap();
    assert!(cluster.stores[&3].pending_messages().is_empty(), "its region has a live peer");
    assert_eq!(cluster.of(3, CHILD).vote(), 0);
}

#[test]
fn a_message_that_its_child_refuses_is_gone() {
    let (mut cluster, requests) = one_ahead();
    // A sender that is not in the child's region, with an old epoch.
    let mut stray = to_three(&requests, |_| {});
    (stray.from.store, stray.epoch.version) = (9, 1);
    cluster.step(3, Input::Message(stray)).unwrap();
    cluster.step(3, Input::Apply { region: REGION }).unwrap();
    assert!(cluster.stores[&3].pending_messages().is_empty());
    assert_eq!((cluster.of(3, CHILD).term(), cluster.of(3, CHILD).vote()), (5, 0));
    let notice = cluster.sent.pop_front().expect("a notice that it is gone");
    assert!(matches!(notice.payload, MessagePayload::GcPeer(_)) && notice.to.store == 9);
}

/// Both stores were late, and the one that leads now campaigns itself.
#[test]
fn a_leader_s_child_campaigns_and_ignores_pending_messages() {
    let (mut cluster, requests) = one_ahead();
    cluster.step(3, Input::Message(to_three(&requests, |_| {}))).unwrap();
    // Store 1 is partitioned; store 3 leads before it applied the split.
    cluster.step(3, Input::Campaign { region: REGION }).unwrap();
    cluster.sent.retain(|message| message.to.store == 2);
    cluster.deliver_only(&[MessageType::MsgRequestVote, MessageType::MsgRequestVoteResponse]);
    assert_eq!(cluster.peer(3).leader(), 3);
    cluster.step(3, Input::Apply { region: REGION }).unwrap();
    let born = cluster.of(3, CHILD);
    assert_eq!((born.term(), born.vote()), (6, 23));
    assert!(cluster.stores[&3].pending_messages().is_empty());
}

/// Store 3 was added before the split and has only a snapshot from before it, so its range was free
/// when it got the child's vote request from store 1.
#[test]
fn a_child_takes_the_place_and_the_vote_of_an_uninitialised_peer() {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2]);
    cluster.elect(1);
    let add = Change { kind: ChangeKind::AddVoter, peer: 3, store: 3 };
    cluster.propose(1, Command::ChangePeer(add)).unwrap();
    cluster.deliver();
    cluster.apply(1);
    cluster.apply(2);
    for _ in 0..4 {
        cluster.step(1, Input::Tick { region: REGION }).unwrap();
        cluster.deliver();
    }
    assert!(cluster.peer(3).staged().is_some());
    cluster.propose(1, split("m", 3)).unwrap();
    cluster.deliver();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    let request = cluster.sent.drain(..).find(|request| request.to.store == 3).unwrap();
    cluster.step(3, Input::Message(request)).unwrap();
    assert_eq!(cluster.of(3, CHILD).state(), PeerState::Uninitialised);
    assert_eq!(cluster.ranges(3), "");

    cluster.settle(1);
    let born = cluster.of(3, CHILD);
    assert_eq!((born.id(), born.state(), born.region().peers.len()), (23, PeerState::Normal, 3));
    assert_eq!((born.term(), born.vote()), (6, 21));
    assert_eq!(cluster.ranges(3), "[,m)=1 [m,)=2");
}
