//! Each possible result of a client's read, reported once.

use rollcall_impl::{End, Epoch, Input, Message, MessagePayload, Refusal, Region, Sound};

use crate::cluster::{Cluster, REGION, bytes, put, split};

fn get(id: u64, key: &str) -> Input {
    Input::Get { id, region: REGION, key: bytes(key) }
}

/// Store 1 leads and has the key a.
fn written() -> Cluster<Sound> {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    cluster.elect(1);
    cluster.propose(1, put("a")).unwrap();
    cluster.settle(1);
    cluster
}

fn is_due(cluster: &Cluster<Sound>) -> bool {
    cluster.stores[&1].due(REGION).answer_read
}

fn answered(region: &Region, value: Option<&str>) -> End {
    End::Read { value: value.map(bytes), region: Box::new(region.clone()) }
}

#[test]
fn a_read_is_due_once_a_quorum_has_confirmed_it() {
    let mut cluster = written();
    cluster.step(1, get(7, "a")).unwrap();
    assert!(!is_due(&cluster));
    assert_eq!(cluster.step(1, get(8, "b")), Err(Refusal::ReadPending));
    cluster.deliver();
    assert!(is_due(&cluster));
    assert_eq!(cluster.ends, []);
    cluster.step(1, Input::AnswerRead { region: REGION }).unwrap();
    assert!(!is_due(&cluster));
    cluster.step(1, get(8, "b")).unwrap();
    cluster.deliver();
    cluster.step(1, Input::AnswerRead { region: REGION }).unwrap();
    let region = cluster.peer(1).region().clone();
    assert_eq!(cluster.ends, [(7, answered(&region, Some("a"))), (8, answered(&region, None))]);
}

/// The simulator's reads have no client, and are answered when it asks for that.
#[test]
fn a_read_without_a_client_is_never_due() {
    let mut cluster = written();
    cluster.step(1, Input::Read { region: REGION, key: bytes("a") }).unwrap();
    cluster.deliver();
    assert!(cluster.peer(1).read().is_some_and(|read| read.ready));
    assert!(!is_due(&cluster));
}

#[test]
fn a_deposed_leader_does_not_answer() {
    let mut cluster = written();
    cluster.step(1, get(7, "a")).unwrap();
    cluster.sent.clear();
    cluster.cut_off(1, |cluster| cluster.step(2, Input::Campaign { region: REGION }).unwrap());
    cluster.settle(2);
    assert_eq!(cluster.ends, [(7, End::LeaderChanged)]);
    assert!(cluster.peer(1).read().is_none());
}

#[test]
fn a_read_ends_with_the_range_that_it_was_requested_in() {
    let mut cluster = written();
    cluster.step(1, get(7, "a")).unwrap();
    cluster.deliver();
    cluster.propose(1, split("m", 3)).unwrap();
    cluster.deliver();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    assert_eq!(cluster.ends, [(7, End::Refused(Refusal::EpochNotMatch))]);
}

#[test]
fn a_destroyed_peer_does_not_answer() {
    let mut cluster = written();
    cluster.step(1, get(7, "a")).unwrap();
    cluster.sent.clear();
    let known = Region { peers: vec![], ..cluster.peer(1).region().clone() };
    let newer = Region { epoch: Epoch { conf_ver: 9, ..known.epoch }, ..known };
    let (from, to) =
        (*cluster.peer(2).region().member_on(2).unwrap(), *cluster.peer(1).region().member_on(1).unwrap());
    let message = Message {
        region: REGION,
        from,
        to,
        epoch: newer.epoch,
        range: newer.range(),
        payload: MessagePayload::GcPeer(Box::new(newer)),
    };
    cluster.step(1, Input::Message(message)).unwrap();
    assert_eq!(cluster.ends, [(7, End::PeerDestroyed)]);
}
