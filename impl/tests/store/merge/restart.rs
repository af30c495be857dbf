//! A crash in every stage of a merge.

use rollcall_impl::{MemoryEngine, Sound, SyncedStore};

use super::*;
use crate::recorder::Recorder;

fn restart_all(cluster: &mut Cluster<Sound>) {
    cluster.sent.clear();
    for store in stores(cluster) {
        cluster.restart(Sound, store);
    }
}

fn finish(cluster: &mut Cluster<Sound>) {
    for region in [LEFT, RIGHT] {
        if cluster.stores[&1].peer(region).is_some_and(|peer| peer.leader() != peer.id()) {
            campaign(cluster, 1, region);
        }
    }
    settle(cluster);
    if is_merging(cluster, 1, LEFT) {
        commit(cluster, 1, LEFT, RIGHT).unwrap();
    }
    settle(cluster);
    for store in 1..=3 {
        assert_eq!((cluster.ranges(store), cluster.keys(store, RIGHT)), ("[,)=2".into(), "ahmt".into()));
        assert_eq!(epoch(cluster, store, RIGHT), (1, 4));
        let tombstone = cluster.stores[&store].tombstone(LEFT).unwrap();
        assert_eq!(tombstone.merged_into.map(|target| target.id), Some(RIGHT));
    }
}

#[test]
fn after_prepare_merge_was_proposed() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    cluster.deliver();
    restart_all(&mut cluster);
    assert!(!is_merging(&cluster, 1, LEFT));
    finish(&mut cluster);
}

#[test]
fn while_the_source_merges() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    let before = cluster.of(3, LEFT).merge().cloned();
    restart_all(&mut cluster);
    for store in 1..=3 {
        assert!(is_merging(&cluster, store, LEFT));
        assert_eq!(cluster.ranges(store), "[,m)=1 [m,)=2");
    }
    assert_eq!(cluster.of(3, LEFT).merge().cloned(), before);
    campaign(&mut cluster, 1, LEFT);
    assert_eq!(propose(&mut cluster, 1, LEFT, put("b")), Err(Refusal::Merging));
    finish(&mut cluster);
}

#[test]
fn after_commit_merge_was_committed() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    cluster.deliver();
    restart_all(&mut cluster);
    assert!(is_merging(&cluster, 1, LEFT));
    finish(&mut cluster);
}

#[test]
fn while_the_source_catches_up() {
    let mut cluster = two(Sound);
    let deaf = |message: &Message| !(message.region == LEFT && message.to.store == 3);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, deaf);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    deliver_where(&mut cluster, deaf);
    cluster.step(1, Input::Tick { region: RIGHT }).unwrap();
    deliver_where(&mut cluster, deaf);
    apply(&mut cluster, 3, RIGHT).unwrap();
    let helped = cluster.of(3, LEFT).commit();
    cluster.restart(Sound, 3);
    assert_eq!(cluster.of(3, LEFT).commit(), helped, "what came with the target's log stays");
    settle(&mut cluster);
    finish(&mut cluster);
}

#[test]
fn after_the_merge() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    restart_all(&mut cluster);
    finish(&mut cluster);
}

/// After a crash, the target's range, the source's destruction and the data agree.
#[test]
fn in_the_middle_of_the_batch() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle(&mut cluster);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    cluster.deliver();
    let disk: MemoryEngine = cluster.stores.remove(&1).unwrap().into_engine();
    let (recorder, synced) = Recorder::new(disk);
    let mut store = SyncedStore::open(1, Config::SIMULATOR, Sound, recorder).unwrap();
    store.step(Input::Apply { region: RIGHT }).unwrap();
    let synced = synced.borrow();
    assert_eq!(synced.len(), 1, "one batch");
    let store = SyncedStore::open(1, Config::SIMULATOR, Sound, synced[0].clone()).unwrap();
    let peer = store.peer(RIGHT).unwrap();
    assert!(store.tombstone(LEFT).is_some());
    assert_eq!((peer.data().len(), peer.applied(), peer.region().epoch.version), (4, peer.commit(), 4));
}
