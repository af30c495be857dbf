//! tikv-ctl in local mode: a stopped store's peer is made a tombstone.

use rollcall_impl::{
    Config, Dropped, Epoch, Guard, Guards, Input, Key, KeyRange, Member, MemberRole, MemoryEngine, Message,
    MessagePayload, PeerState, Refusal, Region, Sound, SyncedStore, ctl, eraftpb,
};

/// Region 7 with voters 11, 12 and 13 on stores 1, 2 and 3.
fn region(conf_ver: u64, stores: &[u64]) -> Region {
    let member = |store: &u64| Member { id: 10 + store, store: *store, role: MemberRole::Voter };
    let epoch = Epoch { conf_ver, version: 3 };
    Region { epoch, peers: stores.iter().map(member).collect(), ..Region::unknown(7) }
}

fn open(engine: MemoryEngine) -> SyncedStore {
    SyncedStore::open(3, Config::SIMULATOR, Sound, engine).expect("a store that was stopped")
}

/// The disk of store 3, whose peer 13 has epoch {4, 3}, a vote and a term.
fn stopped() -> MemoryEngine {
    let mut store = open(MemoryEngine::new());
    store.bootstrap(region(4, &[1, 2, 3])).expect("an empty store");
    store.step(Input::Campaign { region: 7 }).expect("a voter may campaign");
    store.into_engine()
}

fn refusal(guards: impl Guards, engine: &mut MemoryEngine, known: Option<&Region>) -> Option<Refusal> {
    let before = engine.clone();
    let result = ctl::tombstone_peer(engine, guards, 3, 7, known);
    let refusal = result.err().map(|error| error.refusal().expect("no disk fails here"));
    assert_eq!(*engine == before, refusal.is_some(), "a refusal leaves the disk as it was");
    refusal
}

#[test]
fn the_placement_driver_must_know_a_newer_configuration_without_the_peer() {
    let mut disk = stopped();
    for (known, expected) in [
        (region(3, &[1, 2]), Refusal::InvalidConfVer),
        (region(4, &[1, 2]), Refusal::InvalidConfVer),
        (region(4, &[1, 2, 3]), Refusal::InvalidConfVer),
        (region(5, &[1, 2, 3]), Refusal::PeerStillListed),
    ] {
        assert_eq!(refusal(Sound, &mut disk, Some(&known)), Some(expected), "{known:?}");
    }
    assert_eq!(refusal(Sound, &mut disk, Some(&region(5, &[1, 2]))), None);
    let store = open(disk);
    let tombstone = store.tombstone(7).expect("it was made one");
    assert_eq!((tombstone.id, tombstone.region, tombstone.applied), (13, &region(5, &[1, 2]), 0));
    assert_eq!(store.ranges().count(), 0);
}

#[test]
fn another_peer_may_be_listed_on_the_store() {
    let mut again = region(6, &[1, 2]);
    again.peers.push(Member { id: 20, store: 3, role: MemberRole::Learner });
    assert_eq!(refusal(Sound, &mut stopped(), Some(&again)), None);
}

#[test]
fn by_force_nothing_is_asked_and_the_peer_stays_away() {
    let mut disk = stopped();
    assert_eq!(refusal(Sound, &mut disk, None), None);
    assert_eq!(refusal(Sound, &mut disk, None), Some(Refusal::RegionNotFound), "it is one already");
    let mut store = open(disk);
    assert_eq!(store.tombstone(7).map(|tombstone| tombstone.region.clone()), Some(region(4, &[1, 2, 3])));
    let mut vote = eraftpb::Message::default();
    vote.set_msg_type(eraftpb::MessageType::MsgRequestVote);
    (vote.term, vote.from, vote.to) = (9, 11, 13);
    let known = region(4, &[1, 2, 3]);
    let asks = Message {
        region: 7,
        from: known.peers[0],
        to: known.peers[2],
        epoch: known.epoch,
        range: KeyRange { start: Key::from(*b""), end: Key::from(*b"") },
        payload: MessagePayload::Raft(Box::new(vote)),
    };
    let refused = store.step(Input::Message(asks)).expect_err("the tombstone lists the peer");
    assert_eq!(refused.refusal(), Some(Refusal::Tombstone));
}

#[test]
fn a_missing_or_uninitialised_peer_is_not_found() {
    assert_eq!(refusal(Sound, &mut MemoryEngine::new(), None), Some(Refusal::RegionNotFound));
    let mut store = open(MemoryEngine::new());
    let known = region(4, &[1, 2, 3]);
    let mut beat = eraftpb::Message::default();
    beat.set_msg_type(eraftpb::MessageType::MsgHeartbeat);
    (beat.term, beat.from, beat.to) = (6, 11, 13);
    let created = store.step(Input::Message(Message {
        region: 7,
        from: known.peers[0],
        to: known.peers[2],
        epoch: known.epoch,
        range: known.range(),
        payload: MessagePayload::Raft(Box::new(beat)),
    }));
    created.expect("a first heartbeat creates the peer");
    assert_eq!(store.peer(7).map(|peer| peer.state()), Some(PeerState::Uninitialised));
    assert_eq!(refusal(Sound, &mut store.into_engine(), None), Some(Refusal::RegionNotFound));
}

#[test]
fn tombstone_needs_conf_ver_advance() {
    let without = Dropped(Guard::TombstoneNeedsConfVerAdvance);
    let mut disk = stopped();
    assert_eq!(refusal(without, &mut disk, Some(&region(3, &[1, 2]))), None);
    let store = open(disk);
    let epoch = store.tombstone(7).map(|tombstone| tombstone.region.epoch.conf_ver);
    assert_eq!(epoch, Some(3), "behind what the peer had");
}
