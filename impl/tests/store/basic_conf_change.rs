//! TinyKV's `TestBasicConfChange3B` on the store itself, message by message:
//! raft-rs's own probing, no simulator hooks. Five stores; everything that is
//! sent is delivered until nothing is; then every admin entry is applied.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rollcall_impl::{
    Change, ChangeKind, Command, Config, Epoch, Input, Key, Member, MemberRole, MemoryEngine, Output,
    PeerState, Region, Sound, Store, StoreId,
};

const REGION: u64 = 1;

struct Cluster {
    stores: BTreeMap<StoreId, Store>,
    sent: VecDeque<rollcall_impl::Message>,
}

fn bytes(text: &str) -> Key {
    Arc::from(text.as_bytes())
}

impl Cluster {
    fn new() -> Self {
        let peers = (1..=5).map(|id| Member { id, store: id, role: MemberRole::Voter }).collect();
        let region = Region { epoch: Epoch { conf_ver: 1, version: 1 }, peers, ..Region::unknown(REGION) };
        let stores = (1..=5).map(|id| {
            let mut store = Store::open(id, Config::SIMULATOR, Sound, MemoryEngine::new()).unwrap();
            store.bootstrap(region.clone()).unwrap();
            (id, store)
        });
        Self { stores: stores.collect(), sent: VecDeque::new() }
    }

    /// Whether the store took it; what it sends is queued.
    fn offer(&mut self, store: StoreId, input: Input) -> bool {
        match self.stores.get_mut(&store).unwrap().step(input) {
            Ok(outputs) => {
                self.sent.extend(outputs.into_iter().filter_map(|output| match output {
                    Output::Message(message) => Some(message),
                    Output::Value { .. } | Output::Destroyed { .. } => None,
                }));
                true
            }
            Err(error) => {
                assert!(error.refusal().is_some(), "{error}");
                false
            }
        }
    }

    /// Delivers, applies and lets the leader beat until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..10 {
            while let Some(message) = self.sent.pop_front() {
                self.offer(message.to.store, Input::Message(message));
            }
            for id in 1..=5 {
                self.offer(id, Input::ApplySnapshot { region: REGION });
                while self.offer(id, Input::Apply { region: REGION }) {}
            }
            self.offer(1, Input::Tick { region: REGION });
        }
    }

    fn propose(&mut self, command: Command) {
        assert!(self.offer(1, Input::Propose { region: REGION, command, epoch: None }));
        self.settle();
    }

    fn change(&mut self, kind: ChangeKind, store: StoreId, peer: u64) {
        self.propose(Command::ChangePeer(Change { kind, peer, store }));
    }

    fn demote(&mut self, store: StoreId, peer: u64) {
        let change = Change { kind: ChangeKind::AddLearner, peer, store };
        self.propose(Command::EnterJoint(vec![change]));
        self.propose(Command::LeaveJoint);
    }

    fn put(&mut self, key: &str) {
        self.propose(Command::Put { key: bytes(key), value: bytes(key) });
    }

    fn keys(&self, store: StoreId) -> Vec<String> {
        let Some(peer) = self.stores[&store].peer(REGION) else { return Vec::new() };
        peer.data().keys().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }
}

#[test]
fn basic_conf_change() {
    use ChangeKind::{AddVoter, Remove};
    let mut cluster = Cluster::new();
    assert!(cluster.offer(1, Input::Campaign { region: REGION }));
    cluster.settle();
    assert_eq!(cluster.stores[&5].peer(REGION).unwrap().leader(), 1);

    for id in [2, 3, 4] {
        cluster.change(Remove, id, id);
        assert!(cluster.stores[&id].tombstone(REGION).is_some(), "peer {id} is destroyed");
    }
    // Of two voters one is demoted first: our own rule.
    cluster.demote(5, 5);
    cluster.change(Remove, 5, 5);
    cluster.put("k1");
    assert_eq!(cluster.keys(1), ["k1"]);
    assert!(cluster.keys(2).is_empty());

    cluster.change(AddVoter, 2, 2);
    cluster.put("k2");
    assert_eq!(cluster.keys(2), ["k1", "k2"]);
    let epoch = cluster.stores[&2].peer(REGION).unwrap().region().epoch;
    assert!(epoch.conf_ver > 1);
    assert!(cluster.keys(5).is_empty());

    cluster.change(AddVoter, 3, 3);
    cluster.change(Remove, 2, 2);
    cluster.put("k3");
    assert_eq!(cluster.keys(3), ["k1", "k2", "k3"]);
    assert!(cluster.keys(2).is_empty());

    // The same peer id again.
    cluster.change(AddVoter, 2, 2);
    assert_eq!(cluster.keys(2), ["k1", "k2", "k3"]);
    cluster.change(Remove, 2, 2);
    // A new peer id on the same store.
    cluster.change(AddVoter, 2, 4);
    cluster.change(Remove, 3, 3);
    cluster.put("k4");
    assert_eq!(cluster.keys(2), ["k1", "k2", "k3", "k4"]);
    assert!(cluster.keys(3).is_empty());
    let peer = cluster.stores[&2].peer(REGION).unwrap();
    assert_eq!((peer.id(), peer.state()), (4, PeerState::Normal));
}
