//! Each possible result of a proposal, reported once.

use rollcall_impl::{AppendLimit, ChangeKind, Command, End, Epoch, Input, Message, Refusal, Sound, StoreId};

use crate::cluster::{Cluster, REGION, change, put};

fn request(id: u64, command: Command) -> Input {
    Input::Request { id, region: REGION, command, epoch: None }
}

/// Store 1 leads, and its proposal number 7 reaches no other store. Then store 2 leads, and store 1
/// does not know it.
fn deposed() -> Cluster<Sound> {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    cluster.elect(1);
    cluster.settle(1);
    cluster.step(1, request(7, put("a"))).unwrap();
    cluster.sent.clear();
    cluster.cut_off(1, |cluster| cluster.step(2, Input::Campaign { region: REGION }).unwrap());
    assert_eq!(cluster.ends, []);
    cluster
}

fn receive(cluster: &mut Cluster<Sound>, store: StoreId, message: Message) {
    cluster.step(store, Input::Message(message)).unwrap();
}

#[test]
fn an_applied_proposal_completes_with_its_result() {
    let mut cluster = Cluster::new(Sound, 2, &[1]);
    cluster.elect(1);
    cluster.step(1, request(1, put("a"))).unwrap();
    assert_eq!(cluster.ends, [(1, End::Applied { region: None })]);
    cluster.step(1, request(2, change(ChangeKind::AddLearner, 2))).unwrap();
    cluster.step(1, request(3, put("b"))).unwrap();
    assert_eq!(cluster.ends.len(), 1, "neither takes effect before it is applied");
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    let region = cluster.peer(1).region().clone();
    assert_eq!((region.epoch.conf_ver, region.peers.len()), (2, 2));
    let expected = [(2, End::Applied { region: Some(Box::new(region)) }), (3, End::Applied { region: None })];
    assert_eq!(cluster.ends[1..], expected);
    let index = cluster.peer(1).applied();
    cluster.step(1, request(4, Command::CompactLog { index })).unwrap();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    assert_eq!(cluster.ends[3..], [(4, End::Applied { region: None })]);
}

#[test]
fn an_immediate_refusal_is_the_only_result() {
    let mut cluster = Cluster::new(Sound, 1, &[1]);
    assert_eq!(cluster.step(1, request(1, put("a"))), Err(Refusal::NotLeader));
    cluster.elect(1);
    let transfer = Command::TransferLeader { to: 2 };
    assert_eq!(cluster.step(1, request(2, transfer)), Err(Refusal::NoEffect));
    let stale = Epoch { conf_ver: 1, version: 0 };
    let late = Input::Request { id: 3, region: REGION, command: put("a"), epoch: Some(stale) };
    assert_eq!(cluster.step(1, late), Err(Refusal::EpochNotMatch));
    cluster.step(1, request(4, put("b"))).unwrap();
    assert_eq!(cluster.ends, [(4, End::Applied { region: None })]);
}

#[test]
fn an_entry_that_no_longer_fits_has_no_effect() {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    cluster.commit_a_split();
    // The new leader has not applied the old one's split, and proposes under the old epoch.
    cluster.elect(2);
    cluster.step(2, request(5, put("a"))).unwrap();
    cluster.deliver();
    assert_eq!(cluster.ends, []);
    cluster.step(2, Input::Apply { region: REGION }).unwrap();
    assert_eq!(cluster.ends, [(5, End::Refused(Refusal::EpochNotMatch))]);
}

#[test]
fn what_another_leader_overwrites_is_dropped() {
    let mut cluster = deposed();
    let at = cluster.peer(1).last_index();
    let sent = cluster.stores.get_mut(&2).unwrap().probe(REGION, 1, at, AppendLimit::All).unwrap();
    cluster.queue(sent);
    let append = cluster.sent.pop_back().unwrap();
    receive(&mut cluster, 1, append);
    assert_eq!(cluster.ends, [(7, End::Dropped)]);
    cluster.settle(2);
    assert_eq!(cluster.ends.len(), 1);
    assert_eq!(cluster.keys(1, REGION), "");
}

#[test]
fn a_deposed_leader_does_not_know() {
    let mut cluster = deposed();
    let beat = cluster.stores.get_mut(&2).unwrap().heartbeat(REGION, 1, false).unwrap();
    receive(&mut cluster, 1, beat);
    assert_eq!(cluster.ends, [(7, End::LeaderChanged)]);
    cluster.settle(2);
    assert_eq!(cluster.ends.len(), 1);
}

#[test]
fn a_destroyed_peer_does_not_know_either() {
    let mut cluster = deposed();
    cluster.cut_off(1, |cluster| {
        cluster.propose(2, change(ChangeKind::Remove, 1)).unwrap();
    });
    cluster.apply(2);
    cluster.sent.clear();
    cluster.step(1, Input::Tick { region: REGION }).unwrap();
    cluster.deliver();
    assert!(cluster.stores[&1].tombstone(REGION).is_some());
    assert_eq!(cluster.ends, [(7, End::PeerDestroyed)]);
}

#[test]
fn the_leader_that_removed_itself_tells_that_it_did() {
    // The previous leader proposes the removal, and the removed peer applies it.
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    cluster.elect(2);
    cluster.settle(2);
    cluster.propose(2, change(ChangeKind::Remove, 1)).unwrap();
    cluster.deliver();
    cluster.step(2, request(8, put("a"))).unwrap();
    cluster.settle(2);
    assert_eq!(cluster.ends, [(8, End::Applied { region: None })]);
    assert!(cluster.stores[&1].tombstone(REGION).is_some());
}
