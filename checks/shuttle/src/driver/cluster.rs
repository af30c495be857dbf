//! Running stores that exchange messages by function calls, on engines in memory whose power can
//! fail. Compiled once for each mutant.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_checks::recorder::Recorder;
use rollcall_impl::{
    Config, End, Engine, EngineError, Error, Input, Key, MemoryEngine, Output, Persisted, Refusal, Region,
    RegionId, Sound, StateRole, StoreId, Write,
};
use shuttle::sync::{Arc, Mutex, mpsc};
use shuttle::thread;

use super::running::{Handle, RunningStore, Surroundings, Threads, Unhandled};
use crate::recorded::Store;

/// Time passes when so many looks found nothing that any store has sent. Otherwise elections would
/// overtake the messages that wait.
const LOOKS: usize = 40;
/// How often time passes before a client gives up: a wake-up, a message or an answer was lost.
const PATIENCE: usize = 400;
/// For how many ticks a clock stands still.
const STILL: u64 = 30;
/// Why a disk with a failed power refuses.
const POWER: &str = "the power has failed";

/// At which call of its disk a store crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailsAt {
    Write,
    Sync,
}

/// A store's disk. It stays when the store ends.
#[derive(Clone)]
struct Disk(Arc<Mutex<Platter>>);

#[derive(Default)]
struct Platter {
    engine: MemoryEngine,
    fails_at: Option<FailsAt>,
    has_failed: bool,
}

impl Platter {
    fn call(&mut self, at: FailsAt, what: &'static str) -> Result<(), EngineError> {
        self.has_failed |= self.fails_at == Some(at);
        if self.has_failed { Err(EngineError { what, reason: POWER.into() }) } else { Ok(()) }
    }
}

impl Engine for Disk {
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        let mut platter = self.0.lock().unwrap();
        platter.call(FailsAt::Write, "write")?;
        platter.engine.write(batch)
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        let mut platter = self.0.lock().unwrap();
        platter.call(FailsAt::Sync, "sync")?;
        platter.engine.sync()
    }

    fn regions(&self) -> Result<Vec<RegionId>, EngineError> {
        self.0.lock().unwrap().engine.regions()
    }

    fn load(&self, region: RegionId) -> Result<Option<Persisted>, EngineError> {
        self.0.lock().unwrap().engine.load(region)
    }
}

/// Why a request has no result that the store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    Refused(Refusal),
    Stopped,
}

pub(crate) type Answer = Result<End, Unanswered>;

/// Delivers messages between stores, and results to clients.
#[derive(Default)]
struct Network {
    stores: Mutex<BTreeMap<StoreId, Handle<Sound, Post>>>,
    /// The asked store, and the channel for the result.
    waiting: Mutex<BTreeMap<u64, (StoreId, mpsc::Sender<Answer>)>>,
    requests: Mutex<u64>,
    failures: Mutex<Vec<String>>,
    /// How much the stores have sent. No thread gives way here, nor at the clock.
    sent: AtomicU64,
    ticks: AtomicU64,
}

impl Network {
    fn store(&self, id: StoreId) -> Option<Handle<Sound, Post>> {
        self.stores.lock().unwrap().get(&id).cloned()
    }

    fn answer(&self, id: u64, answer: Answer) {
        let asked = self.waiting.lock().unwrap().remove(&id);
        if let Some((_, asked)) = asked {
            let _ = asked.send(answer);
        }
    }
}

/// One store's connection to the network and to the placement driver.
struct Post {
    of: StoreId,
    network: Arc<Network>,
    recorder: Arc<Recorder>,
}

impl Surroundings for Post {
    fn output(&self, output: Output) {
        self.network.sent.fetch_add(1, Ordering::Relaxed);
        match output {
            Output::Message(message) => {
                let (region, to, snapshot) = (message.region, message.to, message.is_snapshot());
                let receiver = self.network.store(to.store);
                let arrived = receiver.is_some_and(|store| store.send(Input::Message(message)).is_ok());
                if snapshot && let Some(sender) = self.network.store(self.of) {
                    let _ = sender.send(Input::ReportSnapshot { region, to: to.id, arrived });
                }
            }
            Output::AskSplit { region, keys, derive, .. } => {
                let children = self.recorder.allotted(&region, &keys);
                let reply =
                    Input::AskSplitResponse { region: region.id, epoch: region.epoch, children, derive };
                if let Some(asker) = self.network.store(self.of) {
                    let _ = asker.send(reply);
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
        let here: Vec<_> = waiting.extract_if(.., |_, (store, _)| *store == self.of).collect();
        drop(waiting);
        for (_, (_, asked)) in here {
            let _ = asked.send(Err(Unanswered::Stopped));
        }
    }
}

/// Running stores.
pub(crate) struct Cluster {
    running: Mutex<BTreeMap<StoreId, RunningStore<Sound, Post, Disk>>>,
    disks: BTreeMap<StoreId, Disk>,
    network: Arc<Network>,
    recorder: Arc<Recorder>,
}

fn config(of: StoreId) -> Config {
    // One candidate at a time, and a heartbeat before it.
    Config {
        election_tick: 10,
        heartbeat_tick: 2,
        drawn_election_tick: 10 + 5 * of as usize,
        ..Config::SIMULATOR
    }
}

impl Cluster {
    /// One store for each member of `region`.
    pub(crate) fn start(recorder: Arc<Recorder>, region: &Region) -> Self {
        let network = Arc::new(Network::default());
        let disk = |id: StoreId| (id, Disk(Arc::new(Mutex::new(Platter::default()))));
        let disks: BTreeMap<_, _> = region.peers.iter().map(|member| disk(member.store)).collect();
        let cluster = Self { running: Mutex::default(), disks, network, recorder };
        for (id, disk) in &cluster.disks {
            let mut disk = disk.clone();
            let mut store = rollcall_impl::Store::open(*id, config(*id), Sound, &disk).unwrap();
            let first = store.bootstrap(region.clone()).unwrap();
            disk.write(first.batch).unwrap();
            disk.sync().unwrap();
            assert!(store.persisted(first.ticket).unwrap().is_empty());
            // Tickets begin anew, and the run begins here.
            let store = rollcall_impl::Store::open(*id, config(*id), Sound, &disk).unwrap();
            cluster.recorder.starts(&store);
            cluster.run(*id, store);
        }
        cluster
    }

    fn run(&self, id: StoreId, store: rollcall_impl::Store<Sound>) {
        let post = Post { of: id, network: Arc::clone(&self.network), recorder: Arc::clone(&self.recorder) };
        let store = Store::new(store, &self.recorder);
        let running = RunningStore::start(store, self.disks[&id].clone(), post, Threads::default());
        self.network.stores.lock().unwrap().insert(id, running.handle());
        self.running.lock().unwrap().insert(id, running);
    }

    /// Makes the store's disk fail at its next such call, ends the store, and opens it again with
    /// what is durable.
    pub(crate) fn crash(&self, id: StoreId, fails_at: FailsAt) {
        self.disks[&id].0.lock().unwrap().fails_at = Some(fails_at);
        // Something to write may come first.
        (0..LOOKS).for_each(|_| thread::yield_now());
        self.network.stores.lock().unwrap().remove(&id);
        let running = self.running.lock().unwrap().remove(&id).expect("a store that runs");
        // Whether it had something to write is as it is.
        let _ = running.stop();
        let mut platter = self.disks[&id].0.lock().unwrap();
        platter.engine.lose_unsynced();
        (platter.fails_at, platter.has_failed) = (None, false);
        drop(platter);
        let store = rollcall_impl::Store::open(id, config(id), Sound, &self.disks[&id]).unwrap();
        self.recorder.reopened(&store);
        self.run(id, store);
    }

    /// Time passes. One clock after another stands still for longer than an election: timeouts do
    /// not change here, and a voter with the shortest one and a short log would end every election
    /// of the others.
    fn tick(&self) {
        let now = self.network.ticks.fetch_add(1, Ordering::Relaxed);
        let still = now / STILL % (self.disks.len() as u64 + 1);
        let stores = self.network.stores.lock().unwrap().clone();
        stores.iter().filter(|(id, _)| **id != still).for_each(|(_, store)| store.tick());
    }

    /// Sends an input that has no result.
    pub(crate) fn send(&self, id: StoreId, input: Input) {
        if let Some(store) = self.network.store(id) {
            let _ = store.send(input);
        }
    }

    /// Sends a request. Its result comes by the channel.
    pub(crate) fn begin(&self, id: StoreId, input: impl FnOnce(u64) -> Input) -> mpsc::Receiver<Answer> {
        let (say, received) = mpsc::channel();
        let mut requests = self.network.requests.lock().unwrap();
        *requests += 1;
        let request = *requests;
        drop(requests);
        self.network.waiting.lock().unwrap().insert(request, (id, say));
        let sent = self.network.store(id).map(|store| store.request(input(request)));
        if !matches!(sent, Some(Ok(()))) {
            self.network.answer(request, Err(Unanswered::Stopped));
        }
        received
    }

    /// The result of a request. Time passes while there is none.
    pub(crate) fn end(&self, result: &mpsc::Receiver<Answer>) -> Answer {
        let mut answer = None;
        let looks = || {
            answer = result.try_recv().ok();
            answer.is_some()
        };
        assert!(self.until(looks), "a request has no result");
        answer.expect("it was seen")
    }

    pub(crate) fn ask(&self, id: StoreId, input: impl FnOnce(u64) -> Input) -> Answer {
        self.end(&self.begin(id, input))
    }

    /// Looks until it holds, while time passes. Whether it came to hold.
    pub(crate) fn until(&self, mut holds: impl FnMut() -> bool) -> bool {
        (0..PATIENCE).any(|_| {
            let held = self.rests(&mut holds);
            if !held {
                self.tick();
            }
            held
        })
    }

    /// Tries until it takes effect. Between tries the stores come to rest, and time passes. Whether
    /// it took effect.
    pub(crate) fn tries(&self, mut takes_effect: impl FnMut() -> bool) -> bool {
        (0..PATIENCE).any(|_| {
            let done = takes_effect();
            if !done {
                self.rests(&mut || false);
                self.tick();
            }
            done
        })
    }

    /// Waits until the stores have sent nothing for a while, or it holds.
    fn rests(&self, holds: &mut impl FnMut() -> bool) -> bool {
        let (mut sent, mut looks) = (self.network.sent.load(Ordering::Relaxed), 0);
        while looks < LOOKS {
            if holds() {
                return true;
            }
            thread::yield_now();
            looks += 1;
            let now = self.network.sent.load(Ordering::Relaxed);
            if now != sent {
                (sent, looks) = (now, 0);
            }
        }
        false
    }

    /// What each running store shows, with `at`.
    pub(crate) fn look<T>(&self, at: impl Fn(StoreId, &Store<Sound>) -> Option<T>) -> Vec<T> {
        let stores: Vec<_> =
            self.network.stores.lock().unwrap().iter().map(|(id, store)| (*id, store.clone())).collect();
        stores.iter().filter_map(|(id, store)| store.look(|store| at(*id, store))).collect()
    }

    /// The store that leads the key's region in the newest term, and the region.
    pub(crate) fn leader(&self, key: &Key) -> Option<(StoreId, Region)> {
        let leaders = self.look(|id, store| {
            store.regions().find_map(|region| {
                let peer = store.peer(region)?;
                let leads = peer.role() == StateRole::Leader && peer.region().contains(key);
                leads.then(|| (peer.region().epoch.version, peer.term(), id, peer.region().clone()))
            })
        });
        let newest = leaders.into_iter().max_by_key(|(version, term, ..)| (*version, *term));
        newest.map(|(_, _, id, region)| (id, region))
    }

    /// What the stores show, for who looks for a failure.
    pub(crate) fn shown(&self) -> String {
        let stores = self.look(|id, store| {
            let peer = |region| {
                let peer = store.peer(region)?;
                let (role, term, vote, members) = (peer.role(), peer.term(), peer.vote(), &peer.region().peers);
                let members: Vec<_> = members.iter().map(|member| (member.id, member.role)).collect();
                let (applied, commit, last) = (peer.applied(), peer.commit(), peer.last_index());
                Some(format!(
                    "\n  peer {} of region {region} on store {id}: {role:?} of term {term}, voted {vote}, applied \
                     {applied}, committed {commit}, last {last}, {:?}, {members:?}",
                    peer.id(),
                    peer.state()
                ))
            };
            Some(store.regions().filter_map(peer).collect::<String>())
        });
        stores.concat()
    }

    /// Stops all stores. None has failed but for its power.
    pub(crate) fn stop(&self) {
        loop {
            let next = self.running.lock().unwrap().pop_first();
            let Some((_, store)) = next else { break };
            store.stop().unwrap();
        }
        let failures = self.network.failures.lock().unwrap();
        assert!(failures.iter().all(|why| why.contains(POWER)), "{failures:?}");
    }
}
