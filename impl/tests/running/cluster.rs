//! Running stores that exchange messages by function calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, mpsc};
use std::thread;

use rollcall_impl::running::{Handle, RunningStore, Surroundings, Threads, Unhandled};
use rollcall_impl::{
    Command, Config, End, Engine, Epoch, Error, Input, Key, Member, MemberRole, Output, Refusal, Region,
    RegionId, Sound, StateRole, Store, StoreId,
};

/// The region of these tests.
pub(crate) const REGION: RegionId = 1;

/// Text as a key or value.
pub(crate) fn bytes(text: &str) -> Key {
    Arc::from(text.as_bytes())
}

/// Writes the key as its own value.
pub(crate) fn put(key: &str) -> Command {
    Command::Put { key: bytes(key), value: bytes(key) }
}

/// [`REGION`] with voters on those stores, peer ids as store ids.
pub(crate) fn voters(stores: &[StoreId]) -> Region {
    let peers = stores.iter().map(|id| Member { id: *id, store: *id, role: MemberRole::Voter }).collect();
    Region { epoch: Epoch { conf_ver: 1, version: 1 }, peers, ..Region::unknown(REGION) }
}

/// Why a request has no result that the store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    Refused(Refusal),
    Stopped,
}

type Answer = Result<End, Unanswered>;

/// Delivers messages between stores, and results to clients.
#[derive(Default)]
pub(crate) struct Network {
    stores: RwLock<BTreeMap<StoreId, Handle<Sound, Post>>>,
    /// The asked store, and the channel for the result.
    waiting: Mutex<BTreeMap<u64, (StoreId, mpsc::Sender<Answer>)>>,
    failures: Mutex<Vec<String>>,
    requests: AtomicU64,
    answers: AtomicU64,
}

impl Network {
    fn answer(&self, id: u64, answer: Answer) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if let Some((_, asked)) = self.waiting.lock().unwrap().remove(&id) {
            let _ = asked.send(answer);
        }
    }
}

/// One store's connection to the network.
pub(crate) struct Post {
    of: StoreId,
    network: Arc<Network>,
}

impl Surroundings for Post {
    fn output(&self, output: Output) {
        match output {
            Output::Message(message) => {
                let stores = self.network.stores.read().unwrap();
                let (region, to) = (message.region, message.to);
                let is_snapshot = message.is_snapshot();
                let arrived =
                    stores.get(&to.store).is_some_and(|store| store.send(Input::Message(message)).is_ok());
                if is_snapshot && let Some(sender) = stores.get(&self.of) {
                    let _ = sender.send(Input::ReportSnapshot { region, to: to.id, arrived });
                }
            }
            Output::Completed { id, end, .. } => self.network.answer(id, Ok(end)),
            _ => {}
        }
    }

    fn unhandled(&self, _: RegionId, why: Unhandled) {
        if let Some((id, refusal)) = why.request() {
            self.network.answer(id, Err(refusal.map_or(Unanswered::Stopped, Unanswered::Refused)));
        }
    }

    fn failed(&self, error: &Error) {
        self.network.failures.lock().unwrap().push(error.to_string());
        // The results of accepted requests are unknown.
        let mut waiting = self.network.waiting.lock().unwrap();
        for (_, (_, asked)) in waiting.extract_if(.., |_, (store, _)| *store == self.of) {
            let _ = asked.send(Err(Unanswered::Stopped));
        }
    }
}

/// Running stores.
pub(crate) struct Cluster<E: Engine + Send + 'static> {
    stores: BTreeMap<StoreId, RunningStore<Sound, Post, E>>,
    network: Arc<Network>,
}

impl<E: Engine + Send + 'static> Cluster<E> {
    /// `count` stores, each with a voter of [`REGION`].
    pub(crate) fn start(count: u64, engine: impl Fn(StoreId) -> E) -> Self {
        let all: Vec<_> = (1..=count).collect();
        Self::start_with(count, &[voters(&all)], engine)
    }

    /// `count` stores, with those peers of `regions` that are on them.
    pub(crate) fn start_with(count: u64, regions: &[Region], engine: impl Fn(StoreId) -> E) -> Self {
        let network = Arc::new(Network::default());
        let start = |of: StoreId| {
            let mut engine = engine(of);
            // Long enough for a heartbeat to come first, and for one candidate at a time.
            let config = Config {
                early_appends: true,
                election_tick: 100,
                drawn_election_tick: 100 + 50 * of as usize,
                ..Config::SIMULATOR
            };
            let mut store = Store::open(of, config, Sound, &engine).unwrap();
            let here = regions.iter().filter(|region| region.peers.iter().any(|peer| peer.store == of));
            for region in here {
                let first = store.bootstrap(region.clone()).unwrap();
                engine.write(first.batch).unwrap();
                engine.sync().unwrap();
                assert!(store.persisted(first.ticket).unwrap().is_empty());
            }
            let post = Post { of, network: Arc::clone(&network) };
            let running = RunningStore::start(store, engine, post, Threads::default());
            network.stores.write().unwrap().insert(of, running.handle());
            (of, running)
        };
        let stores = (1..=count).map(start).collect();
        Self { stores, network }
    }

    pub(crate) fn store(&self, id: StoreId) -> &RunningStore<Sound, Post, E> {
        &self.stores[&id]
    }

    /// Waits until that store leads the region. The others must let it win.
    pub(crate) fn elect(&self, id: StoreId, region: RegionId) {
        assert_eq!(self.elect_one_of(&[id], region), id);
    }

    /// Waits until one of these stores leads the region. They campaign in turn, because one whose
    /// log lags behind is rejected.
    pub(crate) fn elect_one_of(&self, stores: &[StoreId], region: RegionId) -> StoreId {
        let role = |store: &Store<Sound>| store.peer(region).map(|peer| peer.role());
        for id in stores.iter().cycle().take(1000) {
            self.store(*id).send(Input::Campaign { region }).unwrap();
            for _ in 0..10_000 {
                match self.store(*id).look(role) {
                    Some(StateRole::Leader) => return *id,
                    _ => thread::yield_now(),
                }
            }
        }
        panic!("none of {stores:?} comes to lead region {region}")
    }

    /// Sends a command and waits for its result.
    pub(crate) fn ask(&self, id: StoreId, region: RegionId, command: Command) -> Answer {
        self.request(id, |request| Input::Request { id: request, region, command, epoch: None })
    }

    /// Reads a key and waits for the result.
    pub(crate) fn get(&self, id: StoreId, region: RegionId, key: Key) -> Answer {
        self.request(id, |request| Input::Get { id: request, region, key })
    }

    fn request(&self, id: StoreId, input: impl FnOnce(u64) -> Input) -> Answer {
        self.begin(id, input).recv().expect("a result")
    }

    /// Sends a request. Its result comes by the channel.
    pub(crate) fn begin(&self, id: StoreId, input: impl FnOnce(u64) -> Input) -> mpsc::Receiver<Answer> {
        let (say, received) = mpsc::channel();
        let request = self.network.requests.fetch_add(1, Ordering::Relaxed);
        self.network.waiting.lock().unwrap().insert(request, (id, say.clone()));
        if self.store(id).request(input(request)).is_err() {
            let _ = say.send(Err(Unanswered::Stopped));
        }
        received
    }

    /// No message arrives at that store any more.
    pub(crate) fn cut_off(&self, id: StoreId) {
        self.network.stores.write().unwrap().remove(&id);
    }

    /// A clock: ticks for all stores whenever no request was answered for a while, until `is_over`.
    pub(crate) fn tick_until(&self, is_over: &AtomicBool) {
        while !is_over.load(Ordering::Relaxed) {
            let answers = self.network.answers.load(Ordering::Relaxed);
            (0..1000).for_each(|_| thread::yield_now());
            if self.network.answers.load(Ordering::Relaxed) == answers {
                self.stores.values().for_each(|store| store.tick());
            }
        }
    }

    /// The failures of stores.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.network.failures.lock().unwrap().clone()
    }

    /// Stops all stores and returns their disks.
    pub(crate) fn stop(self) -> BTreeMap<StoreId, E> {
        self.network.stores.write().unwrap().clear();
        let stop = |(id, store): (StoreId, RunningStore<Sound, Post, E>)| (id, store.stop().unwrap());
        self.stores.into_iter().map(stop).collect()
    }
}
