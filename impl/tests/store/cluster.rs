//! A few stores and the messages between them, for tests of the store itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{
    Change, ChangeKind, Command, Config, Epoch, Guards, Input, Key, Member, MemberRole, MemoryEngine,
    Message, Output, PeerStatus, Refusal, Region, Store, StoreId,
};

/// The one region of these tests.
pub(crate) const REGION: u64 = 1;

/// Stores, and what is under way between them, in order.
pub(crate) struct Cluster<G: Guards> {
    pub(crate) stores: BTreeMap<StoreId, Store<G>>,
    pub(crate) sent: VecDeque<Message>,
}

/// Text as a key or value.
pub(crate) fn bytes(text: &str) -> Key {
    Arc::from(text.as_bytes())
}

/// A region with voters on those stores, peer ids as store ids.
pub(crate) fn region(voters: &[StoreId]) -> Region {
    let peers = voters.iter().map(|id| Member { id: *id, store: *id, role: MemberRole::Voter }).collect();
    Region { epoch: Epoch { conf_ver: 1, version: 1 }, peers, ..Region::unknown(REGION) }
}

/// A simple change of the peer whose id is that of its store.
pub(crate) fn change(kind: ChangeKind, store: StoreId) -> Command {
    Command::ChangePeer(Change { kind, peer: store, store })
}

impl<G: Guards> Cluster<G> {
    /// `count` stores with voters on some of them.
    pub(crate) fn new(guards: G, count: u64, voters: &[StoreId]) -> Self {
        let stores = (1..=count).map(|id| {
            let mut store = Store::open(id, Config::SIMULATOR, guards, MemoryEngine::new()).unwrap();
            if voters.contains(&id) {
                store.bootstrap(region(voters)).unwrap();
            }
            (id, store)
        });
        Self { stores: stores.collect(), sent: VecDeque::new() }
    }

    /// One step; what the store sends is queued.
    pub(crate) fn step(&mut self, store: StoreId, input: Input) -> Result<(), Refusal> {
        match self.stores.get_mut(&store).unwrap().step(input) {
            Ok(outputs) => {
                self.queue(outputs);
                Ok(())
            }
            Err(error) => Err(error.refusal().unwrap_or_else(|| panic!("{error}"))),
        }
    }

    /// Queues the messages among `outputs`.
    pub(crate) fn queue(&mut self, outputs: Vec<Output>) {
        self.sent.extend(outputs.into_iter().filter_map(|output| match output {
            Output::Message(message) => Some(message),
            Output::Value { .. } | Output::Destroyed { .. } => None,
        }));
    }

    /// Delivers what is under way, and what comes of it, until nothing is.
    pub(crate) fn deliver(&mut self) {
        while let Some(message) = self.sent.pop_front() {
            let _ = self.step(message.to.store, Input::Message(message));
        }
    }

    /// Delivers messages of these types, and drops all others.
    pub(crate) fn deliver_only(&mut self, kinds: &[MessageType]) {
        while let Some(message) = self.sent.pop_front() {
            if message.raft_type().is_some_and(|kind| kinds.contains(&kind)) {
                let _ = self.step(message.to.store, Input::Message(message));
            }
        }
    }

    /// The store's process ends and comes back.
    pub(crate) fn restart(&mut self, guards: G, store: StoreId) {
        let disk = self.stores.remove(&store).unwrap().into_engine();
        self.stores.insert(store, Store::open(store, Config::SIMULATOR, guards, disk).unwrap());
    }

    /// Applies everything that waits on `store`.
    pub(crate) fn apply(&mut self, store: StoreId) {
        let _ = self.step(store, Input::ApplySnapshot { region: REGION });
        while self.step(store, Input::Apply { region: REGION }).is_ok() {}
    }

    /// Delivers, applies and lets the leader beat until nothing is left to do.
    pub(crate) fn settle(&mut self, leader: StoreId) {
        for _ in 0..10 {
            self.deliver();
            let stores: Vec<_> = self.stores.keys().copied().collect();
            stores.into_iter().for_each(|store| self.apply(store));
            let _ = self.step(leader, Input::Tick { region: REGION });
        }
    }

    /// Makes a leader.
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
        self.stores[&store].peer(REGION).expect("a live peer")
    }
}
