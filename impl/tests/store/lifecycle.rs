//! Which messages create a peer, which a tombstone refuses, and what a crash keeps.

use rollcall_impl::eraftpb::{self, MessageType};
use rollcall_impl::{
    ChangeKind, Command, Config, Epoch, Guards, Input, KeyRange, Member, MemberRole, MemoryEngine, Message,
    MessagePayload, PeerState, Refusal, Region, Sound, SyncedStore,
};

use crate::cluster::{Cluster, REGION, bytes, change, region};

fn member(id: u64, store: u64) -> Member {
    Member { id, store, role: MemberRole::Voter }
}

/// A raft message to the peer `to` on store 3.
pub(crate) fn message(kind: MessageType, from: Member, to: u64, conf_ver: u64, commit: u64) -> Message {
    let mut raft =
        eraftpb::Message { from: from.id, to, term: 8, commit, index: 9, log_term: 8, ..Default::default() };
    raft.set_msg_type(kind);
    Message {
        region: REGION,
        from,
        to: member(to, 3),
        epoch: Epoch { conf_ver, version: 1 },
        range: KeyRange::whole(),
        payload: MessagePayload::Raft(Box::new(raft)),
    }
}

pub(crate) fn empty_store<G: Guards>(guards: G) -> SyncedStore<G> {
    SyncedStore::open(3, Config::SIMULATOR, guards, MemoryEngine::new()).unwrap()
}

/// Store 3 with the tombstone of a peer 3 that received its removal at conf_ver 5. Its region was
/// {1, 2, 3} at conf_ver 4.
fn with_tombstone() -> SyncedStore {
    let mut store = empty_store(Sound);
    let last = Region { epoch: Epoch { conf_ver: 4, version: 1 }, ..region(&[1, 2, 3]) };
    store.bootstrap(last).unwrap();
    let membership = Region { epoch: Epoch { conf_ver: 5, version: 1 }, ..region(&[1, 2]) };
    let message = Message {
        region: REGION,
        from: member(1, 1),
        to: member(3, 3),
        epoch: membership.epoch,
        range: KeyRange::whole(),
        payload: MessagePayload::GcPeer(Box::new(membership)),
    };
    store.step(Input::Message(message)).unwrap();
    assert!(store.tombstone(REGION).is_some());
    store
}

fn refusal(store: &mut SyncedStore, message: Message) -> Option<Refusal> {
    match store.step(Input::Message(message)) {
        Ok(_) => None,
        Err(error) => Some(error.refusal().unwrap_or_else(|| panic!("{error}"))),
    }
}

#[test]
fn only_initial_messages_create() {
    use MessageType::{MsgAppend, MsgHeartbeat, MsgRequestVote, MsgTimeoutNow};
    for (kind, commit, expected) in [
        (MsgRequestVote, 6, None),
        (MsgHeartbeat, 0, None),
        (MsgHeartbeat, 6, Some(Refusal::NotInitialMessage)),
        (MsgAppend, 0, Some(Refusal::NotInitialMessage)),
        (MsgTimeoutNow, 0, Some(Refusal::NotInitialMessage)),
    ] {
        let mut store = empty_store(Sound);
        assert_eq!(refusal(&mut store, message(kind, member(1, 1), 3, 1, commit)), expected, "{kind:?}");
        let created = store.peer(REGION).map(|peer| (peer.id(), peer.state()));
        assert_eq!(created, expected.is_none().then_some((3, PeerState::Uninitialised)), "{kind:?}");
    }
}

#[test]
fn what_a_tombstone_refuses() {
    let heartbeat = |from, to, conf_ver| message(MessageType::MsgHeartbeat, from, to, conf_ver, 0);
    let refused = |from, to, conf_ver| refusal(&mut with_tombstone(), heartbeat(from, to, conf_ver));
    // Stale: refused, or answered with a removal message if the sender is no longer a member.
    assert_eq!(refused(member(1, 1), 3, 3), Some(Refusal::StaleEpoch));
    assert_eq!(refused(member(1, 1), 30, 3), Some(Refusal::StaleEpoch));
    let mut store = with_tombstone();
    let membership = store.step(Input::Message(heartbeat(member(9, 9), 3, 3))).unwrap();
    assert!(matches!(
        &membership[..],
        [rollcall_impl::Output::Message(Message { payload: MessagePayload::GcPeer(_), to, .. })]
            if to.store == 9
    ));
    assert!(store.peer(REGION).is_none());
    // Current: the tombstone still lists peer 3; a newer id is another peer.
    assert_eq!(refused(member(1, 1), 3, 4), Some(Refusal::Tombstone));
    assert_eq!(refused(member(1, 1), 2, 6), Some(Refusal::Tombstone));
    assert_eq!(refused(member(1, 1), 30, 4), None);
}

#[test]
fn a_newer_peer_replaces_an_older_one() {
    let vote = |to, conf_ver| message(MessageType::MsgRequestVote, member(1, 1), to, conf_ver, 6);
    let mut store = empty_store(Sound);
    store.bootstrap(region(&[1, 2, 3])).unwrap();
    assert_eq!(refusal(&mut store, vote(2, 1)), Some(Refusal::StalePeerId));
    assert_eq!(refusal(&mut store, vote(30, 2)), None);
    assert_eq!(store.peer(REGION).map(|peer| peer.id()), Some(30));
    // The newer peer is not created, but peer 30 is destroyed all the same.
    let append = message(MessageType::MsgAppend, member(1, 1), 40, 2, 6);
    assert_eq!(refusal(&mut store, append), None);
    let tombstone = store.tombstone(REGION).expect("peer 30 was uninitialised");
    assert_eq!((tombstone.id, tombstone.region.member_on(3).map(|member| member.id)), (30, Some(30)));
}

/// `TiKV fsm/peer.rs handle_gc_peer_msg` checks both.
#[test]
fn a_removal_message_needs_the_peers_id_and_a_newer_epoch() {
    for (peer, conf_ver, ends) in [(3, 5, true), (2, 5, false), (4, 5, false), (3, 4, false), (3, 3, false)] {
        let mut store = empty_store(Sound);
        let last = Region { epoch: Epoch { conf_ver: 4, version: 1 }, ..region(&[1, 2, 3]) };
        store.bootstrap(last).unwrap();
        let membership = Region { epoch: Epoch { conf_ver, version: 1 }, ..region(&[1, 2]) };
        let word = Message {
            region: REGION,
            from: member(1, 1),
            to: member(peer, 3),
            epoch: membership.epoch,
            range: KeyRange::whole(),
            payload: MessagePayload::GcPeer(Box::new(membership)),
        };
        let refused = refusal(&mut store, word);
        assert_eq!(refused, (!ends).then_some(Refusal::NoEffect), "peer {peer}, conf_ver {conf_ver}");
        assert_eq!(store.tombstone(REGION).is_some(), ends, "peer {peer}, conf_ver {conf_ver}");
    }
}

/// A heartbeat to a peer's predecessor may have a commit index beyond the new peer's empty log;
/// raft-rs would panic.
#[test]
fn a_peer_added_again_receives_messages_for_its_former_self() {
    let mut store = empty_store(Sound);
    assert_eq!(refusal(&mut store, message(MessageType::MsgHeartbeat, member(1, 1), 3, 1, 0)), None);
    assert_eq!(refusal(&mut store, message(MessageType::MsgHeartbeat, member(1, 1), 3, 1, 9)), None);
    assert_eq!(store.peer(REGION).expect("lives").commit(), 0);
}

#[test]
fn a_store_comes_back_as_it_went() {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    cluster.elect(1);
    cluster.settle(1);
    cluster.propose(1, Command::Put { key: bytes("k"), value: bytes("v") }).unwrap();
    cluster.propose(1, change(ChangeKind::Remove, 3)).unwrap();
    cluster.settle(1);
    for id in 1..=3 {
        let before = cluster.stores.remove(&id).unwrap();
        let shown = |store: &SyncedStore| {
            let tombstone = store.tombstone(REGION).map(|tombstone| (tombstone.id, tombstone.region.clone()));
            let peer = store.peer(REGION).map(|peer| {
                let terms: Vec<_> = peer.entries().map(|(entry, _)| (entry.index, entry.term)).collect();
                let positions = (peer.term(), peer.vote(), peer.commit(), peer.applied(), peer.truncated());
                (peer.id(), terms, positions, peer.region().clone(), peer.data().clone())
            });
            (tombstone, peer)
        };
        let expected = shown(&before);
        let after = SyncedStore::open(id, Config::SIMULATOR, Sound, before.into_engine()).unwrap();
        assert_eq!(shown(&after), expected);
        cluster.stores.insert(id, after);
    }
    assert!(cluster.stores[&3].tombstone(REGION).is_some());
    cluster.elect(2);
    assert_eq!(cluster.peer(1).leader(), 2);
}
