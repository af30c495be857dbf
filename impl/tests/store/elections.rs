//! Election timeouts come only from the caller.

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{Config, Input, MemoryEngine, Output, Sound, StateRole, SyncedStore};

use crate::cluster::{REGION, region};

const DRAWN: Config = Config {
    election_tick: 10,
    heartbeat_tick: 2,
    drawn_election_tick: 12,
    redraws_elections: true,
    ..Config::SIMULATOR
};

fn voter(config: Config) -> SyncedStore {
    let mut store = SyncedStore::open(1, config, Sound, MemoryEngine::new()).unwrap();
    store.bootstrap(region(&[1, 2, 3])).unwrap();
    store
}

/// How many ticks pass before the peer campaigns.
fn ticks(store: &mut SyncedStore) -> usize {
    let asks = |output: &Output| match output {
        Output::Message(message) => message.raft_type() == Some(MessageType::MsgRequestVote),
        _ => false,
    };
    let mut count = 1;
    while !store.step(Input::Tick { region: REGION }).unwrap().iter().any(asks) {
        count += 1;
    }
    count
}

#[test]
fn each_term_has_the_timeout_that_was_handed_in() {
    let mut store = voter(DRAWN);
    assert_eq!(store.id(), 1);
    let mut counted = Vec::new();
    for next in [17, 11, 30] {
        store.draw_election_tick(next).unwrap();
        counted.push(ticks(&mut store));
    }
    assert_eq!(counted, [12, 17, 11]);
    // A copy has the original's timeout.
    let mut copy = store.clone();
    assert_eq!((ticks(&mut store), ticks(&mut copy)), (30, 30));
    assert!(store.draw_election_tick(9).is_err(), "shorter than the shortest");
}

#[test]
fn a_peer_that_does_not_redraw_keeps_its_own() {
    let mut store = voter(Config { redraws_elections: false, ..DRAWN });
    store.draw_election_tick(17).unwrap();
    assert_eq!([ticks(&mut store), ticks(&mut store)], [12, 12]);
}

#[test]
fn a_leader_that_steps_down_draws_a_new_timeout() {
    let mut store = voter(DRAWN);
    store.draw_election_tick(25).unwrap();
    assert_eq!(ticks(&mut store), 12);
    let mut other = voter(DRAWN);
    ticks(&mut other);
    ticks(&mut other);
    assert_eq!(store.peer(REGION).unwrap().role(), StateRole::Candidate);
    store.draw_election_tick(14).unwrap();
    // A request of a higher term makes it a follower.
    let peer = store.peer(REGION).unwrap();
    let (term, last) = (peer.term(), peer.last_index());
    let mut request = rollcall_impl::eraftpb::Message::default();
    request.set_msg_type(MessageType::MsgRequestVote);
    (request.from, request.to, request.term, request.index, request.log_term) = (2, 1, term + 3, last, 5);
    let mut message = ask(&mut other);
    message.payload = rollcall_impl::MessagePayload::Raft(Box::new(request));
    (message.from, message.to) = (message.to, message.from);
    store.step(Input::Message(message)).unwrap();
    assert_eq!(store.peer(REGION).unwrap().role(), StateRole::Follower);
    assert_eq!(ticks(&mut store), 14);
}

/// A vote request of store 1 to store 2.
fn ask(store: &mut SyncedStore) -> rollcall_impl::Message {
    let outputs = store.step(Input::Campaign { region: REGION }).unwrap();
    let requests = outputs.into_iter().filter_map(|output| match output {
        Output::Message(message) if message.to.store == 2 => Some(message),
        _ => None,
    });
    requests.into_iter().next().expect("it asks")
}
