//! The range of a received snapshot is reserved exactly as long as the snapshot is pending.
//! Otherwise a later peer that needs the range would wait for ever. Follows `TiKV fsm/peer.rs
//! on_ready_persist_snapshot, destroy_peer, on_ready_split_region`, which remove the region from
//! `pending_snapshot_regions`.

use rollcall_impl::{
    Config, Dropped, Epoch, Guard, Input, KeyRange, MemoryEngine, Message, MessagePayload, PeerState,
    Refusal, Region, RegionId, Sound, SyncedStore,
};

use crate::cluster::{CHILD, REGION};
use crate::ranges::{late_store, snapshot, uninitialised_child, whole_snapshot};

/// Store 3 has received a snapshot of region 7, and has a peer of region 8 without one.
fn received() -> (SyncedStore, Message, Message) {
    let mut store = SyncedStore::open(3, Config::SIMULATOR, Sound, MemoryEngine::new()).unwrap();
    let [beat, snapshot] = whole_snapshot(7, 73);
    let [beat_of_other, other] = whole_snapshot(8, 83);
    for message in [&beat, &beat_of_other, &snapshot] {
        store.step(Input::Message(message.clone())).unwrap();
    }
    assert_eq!(pending(&store), [7]);
    assert_eq!(refusal(&mut store, &other), Some(Refusal::SnapshotOverlap));
    (store, beat, other)
}

fn pending(store: &SyncedStore) -> Vec<RegionId> {
    store.pending_ranges().map(|entry| entry.region).collect()
}

fn refusal(store: &mut SyncedStore, message: &Message) -> Option<Refusal> {
    store.step(Input::Message(message.clone())).err().map(|error| error.refusal().unwrap())
}

/// Another store reports that the peer of region 7 was removed.
fn remove(store: &mut SyncedStore, beat: &Message) {
    let membership = Region { epoch: Epoch { conf_ver: 9, version: 1 }, ..Region::unknown(7) };
    let payload = MessagePayload::GcPeer(Box::new(membership.clone()));
    store.step(Input::Message(Message { epoch: membership.epoch, payload, ..beat.clone() })).unwrap();
    assert!(store.tombstone(7).is_some());
}

/// The other region's snapshot is received and applied.
fn takes(store: &mut SyncedStore, other: &Message) {
    assert_eq!(refusal(store, other), None);
    assert_eq!(pending(store), [8]);
    store.step(Input::ApplySnapshot { region: 8 }).unwrap();
    assert_eq!(pending(store), []);
    let entries: Vec<_> = store.ranges().map(|entry| entry.region).collect();
    assert_eq!(entries, [8]);
}

#[test]
fn a_range_is_free_once_its_snapshot_was_applied_and_the_peer_is_gone() {
    let (mut store, beat, other) = received();
    store.step(Input::ApplySnapshot { region: 7 }).unwrap();
    assert_eq!(pending(&store), []);
    // Now the range index has it.
    assert_eq!(refusal(&mut store, &other), Some(Refusal::SnapshotOverlap));
    remove(&mut store, &beat);
    takes(&mut store, &other);
}

#[test]
fn destruction_frees_the_range_of_a_pending_snapshot() {
    let (mut store, beat, other) = received();
    remove(&mut store, &beat);
    assert_eq!(pending(&store), []);
    takes(&mut store, &other);
}

/// A message for a newer peer of the region destroys the peer with the pending snapshot. The newer
/// peer has received none yet.
#[test]
fn replacement_frees_the_range_of_a_pending_snapshot() {
    let (mut store, beat, other) = received();
    let mut newer = beat.clone();
    newer.to.id = 75;
    if let MessagePayload::Raft(raft) = &mut newer.payload {
        raft.to = 75;
    }
    store.step(Input::Message(newer)).unwrap();
    assert_eq!(store.peer(7).map(|peer| (peer.id(), peer.state())), Some((75, PeerState::Uninitialised)));
    assert_eq!(pending(&store), []);
    takes(&mut store, &other);
}

/// A sound store takes no snapshot of a child while the parent has its range, so a peer that a
/// split replaces has no pending snapshot. Without that guard it may have one, and its reserved
/// range goes with it.
#[test]
fn a_split_frees_the_range_of_a_replaced_peers_snapshot() {
    let mut cluster = late_store(Dropped(Guard::SnapshotChecksOverlap));
    uninitialised_child(&mut cluster);
    let of_child = snapshot(&mut cluster, CHILD);
    cluster.step(3, Input::Message(of_child)).unwrap();
    assert_eq!(cluster.pending_ranges(3), "[m,)=2");
    // The parent there applies the split, which creates the child.
    cluster.settle(1);
    assert_eq!((cluster.ranges(3), cluster.pending_ranges(3)), ("[,m)=1 [m,)=2".into(), String::new()));
}

/// A range that only touches a reserved one is free.
#[test]
fn a_neighbour_of_a_range_that_waits() {
    let mut cluster = late_store(Sound);
    let of_parent = snapshot(&mut cluster, REGION);
    let store = SyncedStore::open(3, Config::SIMULATOR, Sound, MemoryEngine::new()).unwrap();
    cluster.stores.insert(3, store);
    for region in [REGION, CHILD] {
        let to = cluster.of(1, region).region().member_on(3).unwrap().id;
        let beat = cluster.stores.get_mut(&1).unwrap().heartbeat(region, to, false).unwrap();
        let mut beat = Message { range: KeyRange::whole(), ..beat };
        if let MessagePayload::Raft(raft) = &mut beat.payload {
            raft.commit = 0;
        }
        cluster.step(3, Input::Message(beat)).unwrap();
    }
    cluster.step(3, Input::Message(of_parent)).unwrap();
    assert_eq!(cluster.pending_ranges(3), "[,m)=1");
    let of_child = snapshot(&mut cluster, CHILD);
    cluster.step(3, Input::Message(of_child)).unwrap();
    assert_eq!(cluster.pending_ranges(3), "[,m)=1 [m,)=2");
    for region in [CHILD, REGION] {
        cluster.step(3, Input::ApplySnapshot { region }).unwrap();
    }
    assert_eq!((cluster.ranges(3), cluster.pending_ranges(3)), ("[,m)=1 [m,)=2".into(), String::new()));
}
