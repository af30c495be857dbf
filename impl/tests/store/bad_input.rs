//! Bad input: each has its own refusal, changes nothing on the disk, and the store goes on with what it
//! has acknowledged.

use rollcall_impl::eraftpb::{self, Entry, MessageType};
use rollcall_impl::{
    ChangeKind, Command, Config, End, Epoch, Error, Input, KeyRange, Member, MemberRole, MemoryEngine,
    Message, MessageError, MessagePayload, Refusal, Sound, SyncedStore,
};

use crate::cluster::{Cluster, REGION, bytes, change, put, split};

/// Limits that a client meets.
const LIMITS: Config = Config { max_key_size: 4, max_value_size: 8, ..Config::SIMULATOR };

/// Three stores; store 1 leads the region up to "m" and has acknowledged a write.
fn cluster() -> Cluster<Sound> {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    for id in 1..=3 {
        let disk = cluster.stores.remove(&id).unwrap().into_engine();
        cluster.stores.insert(id, SyncedStore::open(id, LIMITS, Sound, disk).unwrap());
    }
    cluster.elect(1);
    cluster.propose(1, split("m", 3)).unwrap();
    cluster.settle(1);
    cluster.step(1, request(1, put("a"))).unwrap();
    cluster.settle(1);
    assert_eq!(cluster.ends, [(1, End::Applied { region: None })]);
    cluster
}

fn request(id: u64, command: Command) -> Input {
    Input::Request { id, region: REGION, command, epoch: None }
}

fn pair(key: &str, value: &str) -> Command {
    Command::Put { key: bytes(key), value: bytes(value) }
}

/// A raft message of store 2's peer to store 1's, of the leader's own term.
fn message(cluster: &Cluster<Sound>, kind: MessageType) -> Message {
    let (epoch, term) = (cluster.peer(1).region().epoch, cluster.peer(1).term());
    let member = |id| Member { id, store: id, role: MemberRole::Voter };
    let mut raft = eraftpb::Message { from: 2, to: 1, term, ..Default::default() };
    raft.set_msg_type(kind);
    let (range, payload) = (KeyRange::whole(), MessagePayload::Raft(Box::new(raft)));
    Message { region: REGION, from: member(2), to: member(1), epoch, range, payload }
}

/// The input is refused, nothing has changed, and the store goes on.
fn is_refused(cluster: &mut Cluster<Sound>, input: Input, expected: Result<Refusal, &str>) {
    let before: MemoryEngine = cluster.stores[&1].engine().clone();
    let ended = cluster.ends.len();
    let said = format!("{input:?}");
    let error = cluster.stores.get_mut(&1).unwrap().step(input).expect_err(&said);
    match (expected, &error) {
        (Ok(refusal), Error::Refused { .. }) => assert_eq!(error.refusal(), Some(refusal), "{said}"),
        (Err(words), Error::Snapshot { .. }) => assert!(error.to_string().contains(words), "{error}"),
        _ => panic!("{said}: {error}"),
    }
    assert!(*cluster.stores[&1].engine() == before, "{said}: something was written");
    assert_eq!(cluster.ends.len(), ended, "{said}");
    assert!(cluster.peer(1).data().contains_key(&bytes("a")), "{said}: what was acknowledged is lost");
    cluster.step(1, request(100, put("b"))).unwrap();
    cluster.settle(1);
    assert_eq!(cluster.ends.pop(), Some((100, End::Applied { region: None })), "{said}");
}

#[test]
fn bad_requests_are_refused_and_the_store_goes_on() {
    let mut cluster = cluster();
    let stale = Some(Epoch { conf_ver: 1, version: 1 });
    let of = |region, command, epoch| Input::Request { id: 2, region, command, epoch };
    let bad = [
        (of(9, put("a"), None), Refusal::RegionNotFound),
        (of(REGION, put("a"), stale), Refusal::EpochNotMatch),
        (request(2, put("m")), Refusal::KeyNotInRegion),
        (request(2, Command::Delete { key: bytes("z") }), Refusal::KeyNotInRegion),
        (request(2, pair("abcde", "v")), Refusal::KeyTooLarge),
        (request(2, Command::Delete { key: bytes("abcde") }), Refusal::KeyTooLarge),
        (request(2, pair("abcd", "123456789")), Refusal::ValueTooLarge),
        (request(2, change(ChangeKind::Remove, 9)), Refusal::InvalidChange),
        (request(2, Command::CompactLog { index: 1000 }), Refusal::InvalidCompactIndex),
        (Input::Read { region: REGION, key: bytes("m") }, Refusal::KeyNotInRegion),
    ];
    for (input, refusal) in bad {
        is_refused(&mut cluster, input, Ok(refusal));
    }
    // At its limits a pair is taken.
    cluster.step(1, request(3, pair("abcd", "12345678"))).unwrap();
    cluster.settle(1);
    assert_eq!(cluster.ends.last(), Some(&(3, End::Applied { region: None })));
}

#[test]
fn bad_messages_are_refused_and_the_store_goes_on() {
    let mut cluster = cluster();
    // What a follower's library would only tell itself.
    let local = [
        MessageType::MsgHup,
        MessageType::MsgBeat,
        MessageType::MsgPropose,
        MessageType::MsgUnreachable,
        MessageType::MsgSnapStatus,
        MessageType::MsgCheckQuorum,
        MessageType::MsgReadIndex,
    ];
    for kind in local {
        let input = Input::Message(message(&cluster, kind));
        is_refused(&mut cluster, input, Ok(Refusal::NoEffect));
    }
    let mut astray = message(&cluster, MessageType::MsgAppendResponse);
    astray.to.store = 2;
    is_refused(&mut cluster, Input::Message(astray), Ok(Refusal::NotInConfig));
    let mut of_a_stranger = message(&cluster, MessageType::MsgAppendResponse);
    of_a_stranger.from = Member { id: 7, store: 7, role: MemberRole::Voter };
    is_refused(&mut cluster, Input::Message(of_a_stranger), Ok(Refusal::NotInConfig));
    let mut of_no_region = message(&cluster, MessageType::MsgAppend);
    of_no_region.region = 9;
    is_refused(&mut cluster, Input::Message(of_no_region), Ok(Refusal::NotInitialMessage));
    let mut damaged = message(&cluster, MessageType::MsgSnapshot);
    let MessagePayload::Raft(raft) = &mut damaged.payload else { panic!("it is raft's") };
    raft.mut_snapshot().data = b"nothing".as_slice().into();
    is_refused(&mut cluster, Input::Message(damaged), Err("snapshot"));
}

/// An entry that nobody can read takes no effect, the same on every replica.
#[test]
fn an_entry_that_cannot_be_read_takes_no_effect() {
    let mut cluster = cluster();
    let (term, last, commit) =
        (cluster.peer(2).term(), cluster.peer(2).last_index(), cluster.peer(2).commit());
    let mut append = message(&cluster, MessageType::MsgAppend);
    (append.from, append.to) = (append.to, append.from);
    let MessagePayload::Raft(raft) = &mut append.payload else { panic!("it is raft's") };
    (raft.from, raft.to, raft.index, raft.log_term, raft.commit) = (1, 2, last, term, last + 1);
    raft.entries =
        vec![Entry { index: last + 1, term, data: b"nothing".as_slice().into(), ..Entry::default() }].into();
    assert_eq!(commit, last);
    cluster.step(2, Input::Message(append)).unwrap();
    let peer = cluster.peer(2);
    assert_eq!((peer.commit(), peer.applied(), cluster.keys(2, REGION)), (last + 1, last + 1, "a".into()));
}

/// A peer of another version, or a message that is cut off: its sender gets an error that says which,
/// and the store never sees it.
#[test]
fn what_cannot_be_decoded_never_reaches_the_store() {
    let cluster = cluster();
    let sent = message(&cluster, MessageType::MsgAppendResponse).encode(1000).unwrap();
    let mut newer = sent.clone();
    newer[0] = 2;
    assert_eq!(Message::decode(&newer, 1000), Err(MessageError::Version { found: 2 }));
    assert!(matches!(Message::decode(&sent[..sent.len() - 1], 1000), Err(MessageError::Damaged(_))));
    let bytes = sent.len() as u64;
    assert_eq!(Message::decode(&sent, bytes - 1), Err(MessageError::TooLarge { bytes, limit: bytes - 1 }));
    assert!(Message::decode(&sent, bytes).is_ok());
}
