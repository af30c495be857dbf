//! Another replica in place of raft-rs: what a store needs of it, and what the store does without
//! access to its internals.

use std::collections::BTreeMap;

use rollcall_impl::eraftpb::Message as RaftMessage;
use rollcall_impl::{
    AppendLimit, ChangeKind, Command, Config, Dropped, Error, Guard, Guards, Innards, Input, MemoryEngine,
    Message, Output, PeerId, PeerStorage, Position, RaftChange, RaftRs, Ready, Replica, ReplicaError, Sound,
    StateRole, StoreId, SyncedStore,
};

use crate::cluster::{REGION, bytes, change, put, region};

/// raft-rs without access to its internals.
#[derive(Clone)]
struct Closed(RaftRs);

macro_rules! as_inside {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)+) => {
        $(fn $name(&self, $($argument: $kind),*) $(-> $result)? { self.0.$name($($argument),*) })+
    };
    (mut $($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)+) => {
        $(fn $name(&mut self, $($argument: $kind),*) $(-> $result)? { self.0.$name($($argument),*) })+
    };
}

impl Replica for Closed {
    type Maker = ();

    const HAS_INNARDS: bool = false;

    fn open(maker: &(), config: &Config, id: PeerId, storage: PeerStorage) -> Result<Self, ReplicaError> {
        RaftRs::open(maker, config, id, storage).map(Self)
    }

    as_inside! {
        storage() -> &PeerStorage;
        term() -> u64;
        vote() -> PeerId;
        role() -> StateRole;
        leader() -> PeerId;
        commit() -> Position;
        log_end() -> Position;
        is_promotable() -> bool;
        lead_transferee() -> Option<PeerId>;
        pending_conf_index() -> u64;
        votes() -> impl ExactSizeIterator<Item = (PeerId, bool)>;
        matched() -> impl ExactSizeIterator<Item = (PeerId, u64)>;
        matched_by(id: PeerId) -> Option<u64>;
        known_commits() -> impl ExactSizeIterator<Item = (PeerId, u64)>;
        read_acks(context: &[u8]) -> Option<impl ExactSizeIterator<Item = PeerId>>;
    }

    as_inside! { mut
        storage_mut() -> &mut PeerStorage;
        forget_known_commits();
        tick();
        campaign() -> Result<(), ReplicaError>;
        step(message: RaftMessage) -> Result<(), ReplicaError>;
        propose(data: Vec<u8>) -> Result<(), ReplicaError>;
        propose_change(data: Vec<u8>, change: RaftChange) -> Result<(), ReplicaError>;
        apply_change(change: &RaftChange) -> Result<(), ReplicaError>;
        applied_to(index: u64);
        compacted_to(index: u64);
        take_snapshot() -> Vec<RaftMessage>;
        transfer_leader(to: PeerId);
        read_index(context: Vec<u8>);
        forget_read(context: &[u8]);
        follow(term: u64);
        snapshot_sent(to: PeerId, arrived: bool);
        probe(to: PeerId, next: u64, limit: AppendLimit);
        beat(to: PeerId);
        next_ready() -> Option<Ready>;
    }

    fn innards(&mut self) -> Option<&mut dyn Innards> {
        None
    }
}

type Stores<G> = BTreeMap<StoreId, SyncedStore<G, MemoryEngine, Closed>>;

fn stores<G: Guards + Copy>(guards: G, voters: &[StoreId]) -> Stores<G> {
    let opened = voters.iter().map(|id| {
        let opened = SyncedStore::open_with((), *id, Config::SIMULATOR, guards, MemoryEngine::new());
        let mut store = opened.expect("nothing is on its disk");
        store.bootstrap(region(voters)).expect("it is empty");
        (*id, store)
    });
    opened.collect()
}

/// One step of a store, and everything that follows, until no message is in flight.
fn settle<G: Guards>(stores: &mut Stores<G>, on: StoreId, input: Input) {
    let messages = |outputs: Vec<Output>| {
        let sent = outputs.into_iter().filter_map(|output| match output {
            Output::Message(message) => Some(message),
            _ => None,
        });
        sent.collect::<Vec<Message>>()
    };
    let first = stores.get_mut(&on).expect("it is there").step(input).expect("it can be done");
    let mut sent = messages(first);
    while let Some(message) = sent.pop() {
        let store = stores.get_mut(&message.to.store).expect("nobody is away");
        sent.extend(store.step(Input::Message(message)).map(messages).unwrap_or_default());
    }
}

/// A replica without access to internals serves through the trait alone.
#[test]
fn a_closed_replica_elects_replicates_and_changes_members() {
    let mut stores = stores(Sound, &[1, 2, 3]);
    settle(&mut stores, 1, Input::Campaign { region: REGION });
    settle(&mut stores, 1, Input::Propose { region: REGION, command: put("a"), epoch: None });
    let removal = change(ChangeKind::Remove, 3);
    settle(&mut stores, 1, Input::Propose { region: REGION, command: removal, epoch: None });
    settle(&mut stores, 1, Input::Apply { region: REGION });
    let compact = Command::CompactLog { index: 7 };
    settle(&mut stores, 1, Input::Propose { region: REGION, command: compact, epoch: None });
    settle(&mut stores, 1, Input::Apply { region: REGION });
    let leader = stores[&1].peer(REGION).expect("it lives");
    assert_eq!((leader.role(), leader.term(), leader.truncated().index), (StateRole::Leader, 6, 7));
    assert_eq!(leader.region().epoch.conf_ver, 2);
    for store in [&stores[&1], &stores[&2]] {
        let peer = store.peer(REGION).expect("it lives");
        assert_eq!((peer.data().get(&bytes("a")), peer.last_index()), (Some(&bytes("a")), 9));
    }
    let copy = stores[&1].clone();
    assert_eq!(copy.mark(REGION), stores[&1].mark(REGION));
}

/// A store never keeps a rule silently that it was asked to drop.
#[test]
fn a_store_does_not_open_without_a_guard_that_only_innards_can_miss() {
    for guard in Guard::ALL {
        let opened: Result<SyncedStore<_, _, Closed>, _> =
            SyncedStore::open_with((), 1, Config::SIMULATOR, Dropped(*guard), MemoryEngine::new());
        match opened {
            Ok(_) => assert!(!guard.needs_innards(), "{guard}"),
            Err(Error::NoInnards { guard: missed, .. }) => {
                assert!(guard.needs_innards() && missed == *guard, "{guard}");
            }
            Err(error) => panic!("{guard}: {error}"),
        }
    }
}
