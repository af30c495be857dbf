//! Row 50: a message above the transport's limit is lost and sent again.

use rollcall_impl::{Config, Dropped, Guard, Guards, Input, MemoryEngine, Sound, SyncedStore};

use crate::cluster::{Cluster, REGION, bytes, region};

/// The transport's limit in bytes.
const LIMIT: u64 = 500;

/// Two stores; the second has missed forty writes.
fn behind<G: Guards>(guards: G) -> Cluster<G> {
    let config = Config { max_message_size: LIMIT, ..Config::SIMULATOR };
    let mut cluster = Cluster::new(guards, 3, &[1, 2, 3]);
    for id in 1..=3 {
        let mut store = SyncedStore::open(id, config, guards, MemoryEngine::new()).unwrap();
        store.bootstrap(region(&[1, 2, 3])).unwrap();
        cluster.stores.insert(id, store);
    }
    cluster.elect(1);
    cluster.cut_off(2, |cluster| {
        for at in 0..40 {
            let key = bytes(&format!("{at:02}"));
            let command = rollcall_impl::Command::Put { key: key.clone(), value: key };
            cluster.propose(1, command).unwrap();
        }
    });
    cluster
}

/// Delivers with the transport's limit; returns the size of the longest message.
fn longest_sent<G: Guards>(cluster: &mut Cluster<G>) -> u64 {
    let mut longest = 0;
    for _ in 0..20 {
        while let Some(message) = cluster.sent.pop_front() {
            longest = longest.max(message.size());
            if message.size() <= LIMIT {
                let _ = cluster.step(message.to.store, Input::Message(message));
            }
        }
        cluster.step(1, Input::Tick { region: REGION }).unwrap();
    }
    longest
}

#[test]
fn message_size_bounded() {
    let mut sound = behind(Sound);
    assert!(longest_sent(&mut sound) <= LIMIT);
    assert_eq!(sound.peer(2).last_index(), sound.peer(1).last_index());

    // raft counts only the entries, and the envelope adds to that.
    let mut unsound = behind(Dropped(Guard::MessageSizeBounded));
    assert!(longest_sent(&mut unsound) > LIMIT);
    assert!(unsound.peer(2).last_index() < unsound.peer(1).last_index(), "it is sent again and again");
}

/// An entry above the limit is sent all the same: no smaller message can contain it.
#[test]
fn one_entry_is_never_cut() {
    let mut cluster = behind(Sound);
    longest_sent(&mut cluster);
    let long = bytes(&"v".repeat(2 * LIMIT as usize));
    cluster.propose(1, rollcall_impl::Command::Put { key: bytes("k"), value: long }).unwrap();
    assert!(longest_sent(&mut cluster) > 2 * LIMIT);
    assert!(cluster.peer(2).last_index() < cluster.peer(1).last_index());
}
