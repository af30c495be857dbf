//! The range index through a region's life cycle, snapshots that must wait for their range, and
//! crashes around a split.

use rollcall_impl::eraftpb::{self, MessageType};
use rollcall_impl::{
    AppendLimit, ChangeKind, Command, Config, Derive, Engine, EngineError, Epoch, Guards, Input, KeyRange,
    Member, MemberRole, MemoryEngine, Message, MessagePayload, Output, PeerId, PeerState, Persisted, Refusal,
    Region, RegionId, Sound, SyncedStore, Write,
};

use crate::cluster::{CHILD, Cluster, REGION, bytes, change, child, put, region, split};
use crate::recorder::Recorder;

#[test]
fn the_index_follows_snapshot_split_removal_and_restart() {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2]);
    assert_eq!(cluster.ranges(1), "[,)=1");
    assert_eq!(cluster.ranges(3), "");
    cluster.elect(1);
    cluster.propose(1, split("m", 2)).unwrap();
    cluster.settle(1);
    cluster.propose(1, change(ChangeKind::AddVoter, 3)).unwrap();
    cluster.settle(1);
    assert_eq!(cluster.ranges(3), "[,m)=1");
    cluster
        .propose(1, Command::Split { children: vec![child("h", 10, &[11, 12, 13])], derive: Derive::Left })
        .unwrap();
    cluster.settle(1);
    assert_eq!(cluster.ranges(3), "[,h)=1 [h,m)=10");
    cluster.propose(1, change(ChangeKind::Remove, 3)).unwrap();
    cluster.settle(1);
    assert_eq!(cluster.ranges(3), "[h,m)=10");
    for store in 1..=3 {
        let before = cluster.ranges(store);
        cluster.restart(Sound, store);
        assert_eq!(cluster.ranges(store), before, "read from the disk of {store}");
    }
    assert_eq!(cluster.ranges(1), "[,h)=1 [h,m)=10 [m,)=2");
}

/// Regions 1 `[,m)` and 2 `[m,)` on stores 1 and 2. Store 3 has region 1 as it was before the
/// split, and was partitioned since.
pub(crate) fn late_store<G: Guards>(guards: G) -> Cluster<G> {
    let mut cluster = Cluster::new(guards, 3, &[1, 2, 3]);
    cluster.elect(1);
    cluster.propose(1, put("a")).unwrap();
    cluster.propose(1, put("t")).unwrap();
    cluster.settle(1);
    cluster.cut_off(3, |cluster| cluster.propose(1, split("m", 3)).unwrap());
    cluster
}

/// The snapshot that the leader of `region` on store 1 sends to its peer on store 3.
pub(crate) fn snapshot<G: Guards>(cluster: &mut Cluster<G>, region: u64) -> Message {
    let leader = cluster.of(1, region);
    let (to, index) = (leader.region().member_on(3).unwrap().id, leader.applied());
    // The log no longer reaches back.
    let compact = Input::Propose { region, command: Command::CompactLog { index }, epoch: None };
    cluster.cut_off(3, |cluster| cluster.step(1, compact).unwrap());
    while cluster.step(1, Input::Apply { region }).is_ok() {}
    let store = cluster.stores.get_mut(&1).unwrap();
    let outputs = store.probe(region, to, 1, AppendLimit::All).unwrap();
    cluster.sent.clear();
    cluster.queue(outputs);
    let snapshot = cluster.sent.pop_front().unwrap();
    assert_eq!(snapshot.raft_type(), Some(MessageType::MsgSnapshot));
    snapshot
}

/// An uninitialised peer of the child on store 3, created while the range was free.
pub(crate) fn uninitialised_child<G: Guards>(cluster: &mut Cluster<G>) {
    let leader = cluster.of(1, CHILD);
    let mut raft = eraftpb::Message { from: 21, to: 23, term: 6, ..Default::default() };
    raft.set_msg_type(MessageType::MsgHeartbeat);
    let heartbeat = Message {
        region: CHILD,
        from: leader.member(),
        to: *leader.region().member_on(3).unwrap(),
        epoch: leader.region().epoch,
        // The message of a sender that knows no range.
        range: KeyRange::whole(),
        payload: MessagePayload::Raft(Box::new(raft)),
    };
    let disk = cluster.stores.remove(&3).unwrap().into_engine();
    let mut store = SyncedStore::open(3, Config::SIMULATOR, cluster.guards, MemoryEngine::new()).unwrap();
    store.step(Input::Message(heartbeat)).unwrap();
    // The old region comes back beside it.
    let old = disk.load(REGION).unwrap().unwrap().record.region;
    store.bootstrap(old).unwrap();
    cluster.stores.insert(3, store);
    assert_eq!(cluster.of(3, CHILD).state(), PeerState::Uninitialised);
}

#[test]
fn a_snapshot_waits_until_its_range_is_free() {
    let mut cluster = late_store(Sound);
    uninitialised_child(&mut cluster);
    let of_child = snapshot(&mut cluster, CHILD);
    let of_parent = snapshot(&mut cluster, REGION);
    let mark = cluster.stores[&3].mark(CHILD);
    let take = |message: &Message| Input::Message(message.clone());
    // A message of a higher term is refused, too.
    let mut newer = of_child.clone();
    if let MessagePayload::Raft(raft) = &mut newer.payload {
        raft.term += 3;
    }
    assert_eq!(cluster.step(3, take(&newer)), Err(Refusal::SnapshotOverlap));
    assert_eq!(cluster.step(3, take(&of_child)), Err(Refusal::SnapshotOverlap));
    assert_eq!(cluster.stores[&3].mark(CHILD), mark);
    // A stale epoch is checked first, then the receiver, then the range.
    let mut stale = of_child.clone();
    if let MessagePayload::Raft(raft) = &mut stale.payload {
        raft.term = 5;
    }
    assert_eq!(cluster.step(3, take(&stale)), Err(Refusal::StaleTerm));

    cluster.step(3, take(&of_parent)).unwrap();
    assert_eq!(cluster.step(3, take(&of_child)), Err(Refusal::SnapshotOverlap), "not yet applied");
    cluster.step(3, Input::ApplySnapshot { region: REGION }).unwrap();
    assert_eq!(cluster.ranges(3), "[,m)=1");
    cluster.step(3, take(&of_child)).unwrap();
    assert_eq!(cluster.ranges(3), "[,m)=1", "the index has what is applied");
    cluster.step(3, Input::ApplySnapshot { region: CHILD }).unwrap();
    assert_eq!(cluster.ranges(3), "[,m)=1 [m,)=2");
    assert_eq!((cluster.keys(3, REGION), cluster.keys(3, CHILD)), ("a".into(), "t".into()));
}

/// A heartbeat and a snapshot of region `id`, which has the whole key space, to its learner `to` on
/// store 3.
pub(crate) fn whole_snapshot(id: RegionId, to: PeerId) -> [Message; 2] {
    let mut sender = SyncedStore::open(1, Config::SIMULATOR, Sound, MemoryEngine::new()).unwrap();
    let voter = Member { id: to - 2, store: 1, role: MemberRole::Voter };
    let learner = Member { id: to, store: 3, role: MemberRole::Learner };
    let epoch = Epoch { conf_ver: 2, version: 1 };
    sender.bootstrap(Region { epoch, peers: vec![voter, learner], ..Region::unknown(id) }).unwrap();
    sender.step(Input::Campaign { region: id }).unwrap();
    let beat = sender.heartbeat(id, to, false).unwrap();
    let sent = sender.probe(id, to, 1, AppendLimit::All).unwrap();
    let [Output::Message(snapshot)] = &sent[..] else { panic!("{sent:?}") };
    [beat, snapshot.clone()]
}

#[test]
fn a_snapshot_waits_for_another_that_is_not_applied() {
    let mut cluster = Cluster::new(Sound, 3, &[1]);
    let [beat_of_one, one] = whole_snapshot(7, 73);
    let [beat_of_other, other] = whole_snapshot(8, 83);
    for beat in [beat_of_one, beat_of_other] {
        cluster.step(3, Input::Message(beat)).unwrap();
    }
    cluster.step(3, Input::Message(one)).unwrap();
    assert_eq!(cluster.ranges(3), "");
    assert_eq!(cluster.step(3, Input::Message(other.clone())), Err(Refusal::SnapshotOverlap));
    // A crash drops the received snapshot and its reserved range.
    cluster.restart(Sound, 3);
    cluster.step(3, Input::Message(other)).unwrap();
    cluster.step(3, Input::ApplySnapshot { region: 8 }).unwrap();
    assert_eq!(cluster.ranges(3), "[,)=8");
}

#[test]
fn a_split_spares_a_known_child() {
    // Another id, uninitialised; and a tombstone.
    for tombstone in [false, true] {
        let mut cluster = late_store(Sound);
        let [beat, _] = whole_snapshot(CHILD, 33);
        let disk = cluster.stores.remove(&3).unwrap().into_engine();
        let old = disk.load(REGION).unwrap().unwrap().record.region;
        let mut store = SyncedStore::open(3, Config::SIMULATOR, Sound, MemoryEngine::new()).unwrap();
        store.step(Input::Message(beat.clone())).unwrap();
        if tombstone {
            let membership = Region { epoch: Epoch { conf_ver: 9, version: 1 }, ..Region::unknown(CHILD) };
            let payload = MessagePayload::GcPeer(Box::new(membership.clone()));
            store.step(Input::Message(Message { epoch: membership.epoch, payload, ..beat })).unwrap();
        }
        store.bootstrap(old).unwrap();
        cluster.stores.insert(3, store);
        let before = cluster.stores[&3].mark(CHILD);
        cluster.settle(1);
        assert_eq!(cluster.ranges(3), "[,m)=1");
        assert_eq!(cluster.keys(3, REGION), "a", "the rest is gone from this store");
        let kept = cluster.stores[&3].tombstone(CHILD).map(|tombstone| tombstone.id);
        assert_eq!(kept, tombstone.then_some(33));
        if tombstone {
            assert_eq!(cluster.stores[&3].mark(CHILD), before);
        } else {
            assert_eq!(cluster.of(3, CHILD).id(), 33);
            assert_eq!(cluster.of(3, CHILD).state(), PeerState::Uninitialised);
        }
    }
}

#[test]
fn a_crash_never_parts_parent_and_child() {
    let (disk, synced) = Recorder::new(MemoryEngine::new());
    let mut store = SyncedStore::open(1, Config::SIMULATOR, Sound, disk).unwrap();
    store.bootstrap(region(&[1])).unwrap();
    let propose = |command| Input::Propose { region: REGION, command, epoch: None };
    store.step(Input::Campaign { region: REGION }).unwrap();
    store.step(propose(put("a"))).unwrap();
    store.step(propose(put("t"))).unwrap();
    store.step(propose(split("m", 1))).unwrap();
    let before = synced.borrow().len();
    store.step(Input::Apply { region: REGION }).unwrap();
    assert_eq!(synced.borrow().len(), before + 1, "all of it in one batch");
    let mut seen = Vec::new();
    for disk in synced.borrow().iter() {
        let crashed = SyncedStore::open(1, Config::SIMULATOR, Sound, disk.clone()).unwrap();
        let keys = |region| {
            let peer = crashed.peer(region);
            peer.map(|peer| peer.data().keys().cloned().collect::<Vec<_>>())
        };
        let ranges: Vec<_> = crashed.ranges().map(|entry| (entry.start.clone(), entry.region)).collect();
        if crashed.peer(CHILD).is_some() {
            assert_eq!(ranges, [(bytes(""), REGION), (bytes("m"), CHILD)]);
            assert_eq!((keys(REGION), keys(CHILD)), (Some(vec![bytes("a")]), Some(vec![bytes("t")])));
            assert_eq!(crashed.peer(REGION).unwrap().applied(), 9);
        } else {
            assert_eq!(ranges, [(bytes(""), REGION)]);
            assert!(crashed.peer(REGION).unwrap().applied() < 9);
        }
        seen.push(crashed.peer(CHILD).is_some());
    }
    assert_eq!(seen.iter().filter(|has_child| **has_child).count(), 1);
}

#[test]
fn an_unsynced_split_leaves_the_parent_whole() {
    /// A disk that never syncs its last batch.
    struct Unsynced(MemoryEngine);
    impl Engine for Unsynced {
        fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
            self.0.write(batch)
        }
        fn sync(&mut self) -> Result<(), EngineError> {
            Ok(())
        }
        fn regions(&self) -> Result<Vec<u64>, EngineError> {
            self.0.regions()
        }
        fn load(&self, region: u64) -> Result<Option<Persisted>, EngineError> {
            self.0.load(region)
        }
    }
    let mut cluster = Cluster::new(Sound, 1, &[1]);
    cluster.elect(1);
    cluster.propose(1, put("t")).unwrap();
    cluster.propose(1, split("m", 1)).unwrap();
    let disk = cluster.stores.remove(&1).unwrap().into_engine();
    let mut store = SyncedStore::open(1, Config::SIMULATOR, Sound, Unsynced(disk)).unwrap();
    store.step(Input::Apply { region: REGION }).unwrap();
    assert!(store.peer(CHILD).is_some());
    let mut disk = store.into_engine().0;
    disk.lose_unsynced();
    cluster.stores.insert(1, SyncedStore::open(1, Config::SIMULATOR, Sound, disk).unwrap());
    assert_eq!(cluster.ranges(1), "[,)=1");
    assert_eq!(cluster.keys(1, REGION), "t");
    // It is applied again.
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    assert_eq!(cluster.ranges(1), "[,m)=1 [m,)=2");
    assert_eq!((cluster.keys(1, REGION), cluster.keys(1, CHILD)), (String::new(), "t".into()));
}
