//! A few stores and the messages between them, for tests of the store itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{
    Change, ChangeKind, Child, Command, Config, Derive, End, Engine, Epoch, Guards, Input, Key, Member,
    MemberRole, MemoryEngine, Message, Output, PeerStatus, RangeEntry, Refusal, Region, RegionId, StoreId,
    SyncedStore,
};

/// The first region of these tests.
pub(crate) const REGION: u64 = 1;
/// The region that is split off it.
pub(crate) const CHILD: u64 = 2;

/// Stores, and the messages in flight, in order.
pub(crate) struct Cluster<G: Guards, E: Engine = MemoryEngine> {
    pub(crate) guards: G,
    pub(crate) stores: BTreeMap<StoreId, SyncedStore<G, E>>,
    pub(crate) sent: VecDeque<Message>,
    /// The results of proposals as (id, end), in order.
    pub(crate) ends: Vec<(u64, End)>,
}

/// Text as a key or value.
pub(crate) fn bytes(text: &str) -> Key {
    Arc::from(text.as_bytes())
}

/// A region with voters on those stores; peer ids equal store ids.
pub(crate) fn region(voters: &[StoreId]) -> Region {
    let peers = voters.iter().map(|id| Member { id: *id, store: *id, role: MemberRole::Voter }).collect();
    Region { epoch: Epoch { conf_ver: 1, version: 1 }, peers, ..Region::unknown(REGION) }
}

/// A new region that begins (or ends) at `key`.
pub(crate) fn child(key: &str, region: RegionId, peers: &[u64]) -> Child {
    Child { key: bytes(key), region, peers: peers.to_vec() }
}

/// Splits [`CHILD`] off at `key`, with peers 21, 22 and so on; the left part
/// keeps the id.
pub(crate) fn split(key: &str, members: u64) -> Command {
    let peers: Vec<_> = (21..21 + members).collect();
    Command::Split { children: vec![child(key, CHILD, &peers)], derive: Derive::Left }
}

/// Writes the key as its own value.
pub(crate) fn put(key: &str) -> Command {
    Command::Put { key: bytes(key), value: bytes(key) }
}

/// A simple change of the peer whose id is that of its store.
pub(crate) fn change(kind: ChangeKind, store: StoreId) -> Command {
    Command::ChangePeer(Change { kind, peer: store, store })
}

impl<G: Guards> Cluster<G> {
    /// `count` stores with voters on some of them.
    pub(crate) fn new(guards: G, count: u64, voters: &[StoreId]) -> Self {
        Self::on(guards, count, voters, |_| MemoryEngine::new())
    }

    /// Stops and restarts the store's process.
    pub(crate) fn restart(&mut self, guards: G, store: StoreId) {
        let disk = self.stores.remove(&store).unwrap().into_engine();
        self.stores.insert(store, SyncedStore::open(store, Config::SIMULATOR, guards, disk).unwrap());
    }
}

impl<G: Guards, E: Engine> Cluster<G, E> {
    /// The same on the given engines.
    pub(crate) fn on(guards: G, count: u64, voters: &[StoreId], engine: impl Fn(StoreId) -> E) -> Self {
        let stores = (1..=count).map(|id| {
            let mut store = SyncedStore::open(id, Config::SIMULATOR, guards, engine(id)).unwrap();
            if voters.contains(&id) {
                store.bootstrap(region(voters)).unwrap();
            }
            (id, store)
        });
        Self { guards, stores: stores.collect(), sent: VecDeque::new(), ends: Vec::new() }
    }

    /// One step; its messages are queued.
    pub(crate) fn step(&mut self, store: StoreId, input: Input) -> Result<(), Refusal> {
        self.outputs(store, input).map(drop)
    }

    /// One step and its outputs; its messages are queued, too.
    pub(crate) fn outputs(&mut self, store: StoreId, input: Input) -> Result<Vec<Output>, Refusal> {
        match self.stores.get_mut(&store).unwrap().step(input) {
            Ok(outputs) => {
                self.queue(outputs.clone());
                Ok(outputs)
            }
            Err(error) => Err(error.refusal().unwrap_or_else(|| panic!("{error}"))),
        }
    }

    /// Queues the messages among `outputs`.
    pub(crate) fn queue(&mut self, outputs: Vec<Output>) {
        self.sent.extend(outputs.into_iter().filter_map(|output| match output {
            Output::Message(message) => Some(message),
            Output::Completed { id, end, .. } => {
                self.ends.push((id, end));
                None
            }
            _ => None,
        }));
    }

    /// Delivers messages until none is in flight.
    pub(crate) fn deliver(&mut self) {
        while let Some(message) = self.sent.pop_front() {
            let _ = self.step(message.to.store, Input::Message(message));
        }
    }

    /// Store 1 leads and has a value; a split is committed on all three stores.
    pub(crate) fn commit_a_split(&mut self) {
        self.elect(1);
        self.propose(1, put("t")).unwrap();
        self.propose(1, split("m", 3)).unwrap();
        self.deliver();
        self.step(1, Input::Tick { region: REGION }).unwrap();
        self.deliver();
    }

    /// Delivers messages of these types, and drops all others.
    pub(crate) fn deliver_only(&mut self, kinds: &[MessageType]) {
        while let Some(message) = self.sent.pop_front() {
            if message.raft_type().is_some_and(|kind| kinds.contains(&kind)) {
                let _ = self.step(message.to.store, Input::Message(message));
            }
        }
    }

    /// Delivers messages of this type and those that they cause; all others wait.
    pub(crate) fn deliver_first(&mut self, kind: MessageType) {
        while let Some(at) = self.sent.iter().position(|message| message.raft_type() == Some(kind)) {
            let message = self.sent.remove(at).expect("just seen");
            let _ = self.step(message.to.store, Input::Message(message));
        }
    }

    /// Applies everything that waits on `store`.
    pub(crate) fn apply(&mut self, store: StoreId) {
        let _ = self.step(store, Input::ApplySnapshot { region: REGION });
        while self.step(store, Input::Apply { region: REGION }).is_ok() {}
    }

    /// Delivers, applies and sends the leader's heartbeats until nothing is left to do.
    pub(crate) fn settle(&mut self, leader: StoreId) {
        for _ in 0..10 {
            self.deliver();
            let stores: Vec<_> = self.stores.keys().copied().collect();
            stores.into_iter().for_each(|store| self.apply(store));
            let _ = self.step(leader, Input::Tick { region: REGION });
        }
    }

    /// Runs `happens` and everything that follows while `store` receives nothing.
    pub(crate) fn cut_off(&mut self, store: StoreId, happens: impl FnOnce(&mut Self)) {
        happens(self);
        for _ in 0..4 {
            while let Some(message) = self.sent.pop_front() {
                if message.to.store != store {
                    let _ = self.step(message.to.store, Input::Message(message));
                }
            }
            let others: Vec<_> = self.stores.keys().copied().filter(|other| *other != store).collect();
            others.into_iter().for_each(|other| self.apply(other));
        }
    }

    /// Elects the store's peer.
    pub(crate) fn elect(&mut self, store: StoreId) {
        self.step(store, Input::Campaign { region: REGION }).unwrap();
        self.deliver();
    }

    /// Proposes at the leader's own epoch.
    pub(crate) fn propose(&mut self, store: StoreId, command: Command) -> Result<(), Refusal> {
        self.step(store, Input::Propose { region: REGION, command, epoch: None })
    }

    /// The live peer on that store.
    pub(crate) fn peer(&self, store: StoreId) -> PeerStatus<'_> {
        self.of(store, REGION)
    }

    /// The live peer of that region on that store.
    pub(crate) fn of(&self, store: StoreId, region: RegionId) -> PeerStatus<'_> {
        self.stores[&store].peer(region).expect("a live peer")
    }

    /// The keys of the region's peer on that store, as one string.
    pub(crate) fn keys(&self, store: StoreId, region: RegionId) -> String {
        self.of(store, region).data().keys().map(|key| String::from_utf8_lossy(key)).collect()
    }

    /// The range index of that store, as `[start,end)=region`.
    pub(crate) fn ranges(&self, store: StoreId) -> String {
        words_of(self.stores[&store].ranges())
    }

    /// The ranges of pending snapshots on that store, in the same form.
    pub(crate) fn pending_ranges(&self, store: StoreId) -> String {
        words_of(self.stores[&store].pending_ranges())
    }
}

fn words_of<'a>(entries: impl Iterator<Item = RangeEntry<'a>>) -> String {
    let text = |key: &Key| String::from_utf8_lossy(key).into_owned();
    let words = entries.map(|entry| format!("[{},{})={}", text(entry.start), text(entry.end), entry.region));
    words.collect::<Vec<_>>().join(" ")
}
