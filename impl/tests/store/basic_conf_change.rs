//! TinyKV's `TestBasicConfChange3B` on the store itself, message by message, with raft-rs's own
//! probing and no simulator hooks. On five stores all messages are delivered; then every admin
//! entry is applied.

use crate::cluster::{Cluster, REGION, bytes};
use rollcall_impl::{Change, ChangeKind, Command, PeerState, Sound, StoreId};

fn change(cluster: &mut Cluster<Sound>, kind: ChangeKind, store: StoreId, peer: u64) {
    cluster.propose(1, Command::ChangePeer(Change { kind, peer, store })).unwrap();
    cluster.settle(1);
}

fn demote(cluster: &mut Cluster<Sound>, store: StoreId, peer: u64) {
    let change = Change { kind: ChangeKind::AddLearner, peer, store };
    cluster.propose(1, Command::EnterJoint(vec![change])).unwrap();
    cluster.settle(1);
}

fn put(cluster: &mut Cluster<Sound>, key: &str) {
    cluster.propose(1, Command::Put { key: bytes(key), value: bytes(key) }).unwrap();
    cluster.settle(1);
}

fn keys(cluster: &Cluster<Sound>, store: StoreId) -> Vec<String> {
    let Some(peer) = cluster.stores[&store].peer(REGION) else { return Vec::new() };
    peer.data().keys().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
}

#[test]
fn basic_conf_change() {
    use ChangeKind::{AddVoter, Remove};
    let mut cluster = Cluster::new(Sound, 5, &[1, 2, 3, 4, 5]);
    cluster.elect(1);
    cluster.settle(1);
    assert_eq!(cluster.peer(5).leader(), 1);

    for id in [2, 3, 4] {
        // One of four voters is demoted first: our own rule.
        if id == 3 {
            demote(&mut cluster, id, id);
        }
        change(&mut cluster, Remove, id, id);
        assert!(cluster.stores[&id].tombstone(REGION).is_some(), "peer {id} is destroyed");
    }
    // One of two voters is demoted first: our own rule.
    demote(&mut cluster, 5, 5);
    change(&mut cluster, Remove, 5, 5);
    put(&mut cluster, "k1");
    assert_eq!(keys(&cluster, 1), ["k1"]);
    assert!(keys(&cluster, 2).is_empty());

    change(&mut cluster, AddVoter, 2, 2);
    put(&mut cluster, "k2");
    assert_eq!(keys(&cluster, 2), ["k1", "k2"]);
    assert!(cluster.peer(2).region().epoch.conf_ver > 1);
    assert!(keys(&cluster, 5).is_empty());

    change(&mut cluster, AddVoter, 3, 3);
    change(&mut cluster, Remove, 2, 2);
    put(&mut cluster, "k3");
    assert_eq!(keys(&cluster, 3), ["k1", "k2", "k3"]);
    assert!(keys(&cluster, 2).is_empty());

    // The same peer id again.
    change(&mut cluster, AddVoter, 2, 2);
    assert_eq!(keys(&cluster, 2), ["k1", "k2", "k3"]);
    change(&mut cluster, Remove, 2, 2);
    // A new peer id on the same store.
    change(&mut cluster, AddVoter, 2, 4);
    change(&mut cluster, Remove, 3, 3);
    put(&mut cluster, "k4");
    assert_eq!(keys(&cluster, 2), ["k1", "k2", "k3", "k4"]);
    assert!(keys(&cluster, 3).is_empty());
    assert_eq!((cluster.peer(2).id(), cluster.peer(2).state()), (4, PeerState::Normal));
}
