//! The whole node, around a real store.

use std::collections::BTreeMap;

use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use rollcall_impl::eraftpb::{Message as RaftMessage, MessageType};
use rollcall_impl::{
    ChangeKind, End, Engine, EngineError, Epoch, Guard, Guards, Input, Lacking, Member, MemberRole,
    MemoryEngine, Message, MessagePayload, Output, PeerState, Refusal, Region, Sound, StateRole, Write,
};

use super::cluster::{CHILD, Cluster, REGION, change, put, region, split};
use super::stacked::Store;
use super::{ends_in_a_deadlock, every_interleaving, interleavings};

/// A disk, and the outputs so far.
pub(super) struct World {
    pub(super) engine: MemoryEngine,
    /// Whether every further write fails.
    fails: bool,
    /// The last index of each region before the first request. Request n has the n-th index after
    /// it.
    begins: BTreeMap<u64, u64>,
    pub(super) out: Vec<Output>,
    pub(super) unhandled: usize,
    failures: usize,
    /// Notified at every output.
    changed: Arc<Condvar>,
}

impl World {
    fn new(engine: MemoryEngine) -> Arc<Mutex<Self>> {
        let begins = BTreeMap::new();
        let changed = Arc::new(Condvar::new());
        Arc::new(Mutex::new(Self {
            engine,
            fails: false,
            begins,
            out: vec![],
            unhandled: 0,
            failures: 0,
            changed,
        }))
    }

    /// Sets the counts to 0.
    fn mark(&mut self) {
        self.begins = [REGION, CHILD].map(|region| (region, last_on_disk(&self.engine, region))).into();
        self.out.clear();
    }

    /// How many requests have a result.
    pub(super) fn ended(&self) -> usize {
        self.out.iter().filter(|output| matches!(output, Output::Completed { .. })).count()
    }

    /// How many requests were applied.
    fn applied(&self) -> usize {
        let applied = |output: &&Output| matches!(output, Output::Completed { end: End::Applied { .. }, .. });
        self.out.iter().filter(applied).count()
    }
}

/// The writer and the checks share one disk.
pub(super) struct Disk(pub(super) Arc<Mutex<World>>);

impl Engine for Disk {
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        let mut world = self.0.lock().unwrap();
        if world.fails {
            return Err(EngineError { what: "write", reason: "no space is left".into() });
        }
        world.engine.write(batch)
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.0.lock().unwrap().engine.sync()
    }

    fn regions(&self) -> Result<Vec<u64>, EngineError> {
        self.0.lock().unwrap().engine.regions()
    }

    fn load(&self, region: u64) -> Result<Option<rollcall_impl::Persisted>, EngineError> {
        self.0.lock().unwrap().engine.load(region)
    }
}

/// The region's last index on the disk.
fn last_on_disk(engine: &MemoryEngine, region: u64) -> u64 {
    engine.synced(region).and_then(|there| there.entries.last()).map_or(5, |entry| entry.index)
}

/// Elects the store in its region and makes all of that durable.
fn lead<G: Guards + Send + Sync>(store: &mut Store<G>, engine: &mut MemoryEngine, region: u64) {
    let mut persist = |store: &mut Store<G>, input| {
        let mut effects = store.step(input).unwrap();
        while !effects.is_empty() {
            engine.write(effects.batch).unwrap();
            engine.sync().unwrap();
            effects = store.persisted(effects.ticket).unwrap();
        }
    };
    persist(store, Input::Campaign { region });
    let peer = store.peer(region).expect("it is here");
    if let Some(other) = peer.region().member_on(2).copied() {
        let granted = RaftMessage {
            msg_type: MessageType::MsgRequestVoteResponse,
            from: other.id,
            to: peer.id(),
            term: peer.term(),
            ..RaftMessage::default()
        };
        let message = Message {
            region,
            from: other,
            to: *peer.region().member_on(1).expect("it is here"),
            epoch: peer.region().epoch,
            range: peer.region().range(),
            payload: MessagePayload::Raft(Box::new(granted)),
        };
        persist(store, Input::Message(message));
    }
    assert_eq!(store.peer(region).expect("it is here").role(), StateRole::Leader);
}

/// Waits until the condition holds.
pub(super) fn wait_until(world: &Arc<Mutex<World>>, is_so: impl Fn(&World) -> bool) {
    let mut seen = world.lock().unwrap();
    let changed = Arc::clone(&seen.changed);
    while !is_so(&seen) {
        seen = changed.wait(seen).unwrap();
    }
}

/// Checks an output that the surroundings receive.
fn judge(world: &mut World, output: Output) {
    if let Output::Completed { region, id, end: End::Applied { .. } } = &output {
        let last = last_on_disk(&world.engine, *region);
        assert!(last >= world.begins[region] + id, "request {id} is acknowledged and not durable");
    }
    world.out.push(output);
    world.changed.notify_one();
}

/// The node of a variant. Its disk and its receiver check the outputs.
macro_rules! node {
    ($module:ident, $running:ident) => {
        #[allow(dead_code)]
        pub(super) mod $module {
            use super::*;
            use crate::$running::node::{Node, Stage, Surroundings, Unhandled};

            pub(crate) struct Outside(Arc<Mutex<World>>);

            impl Surroundings for Outside {
                fn output(&self, output: Output) {
                    judge(&mut self.0.lock().unwrap(), output);
                }

                fn unhandled(&self, _: u64, why: Unhandled) {
                    let is_request = match why {
                        Unhandled::Refused { request, error } => {
                            let waits = error.refusal() == Some(Refusal::WaitsForSource);
                            assert!(!waits, "a merge that waits is reported");
                            request.is_some()
                        }
                        Unhandled::Stopped(input) => {
                            matches!(*input, Input::Request { .. } | Input::Get { .. })
                        }
                    };
                    self.0.lock().unwrap().unhandled += usize::from(is_request);
                }

                fn failed(&self, _: &rollcall_impl::Error) {
                    let mut world = self.0.lock().unwrap();
                    world.failures += 1;
                    world.changed.notify_one();
                }
            }

            pub(crate) type Shared<G> = Arc<Node<G, rollcall_impl::RaftRs, Outside>>;

            /// A node around the store of this disk, which leads the regions in `led`.
            pub(crate) fn open<G: Guards + Send + Sync>(
                id: u64,
                guards: G,
                mut engine: MemoryEngine,
                led: &[u64],
            ) -> (Shared<G>, Arc<Mutex<World>>) {
                let mut store = Store::open(id, guards, &engine);
                led.iter().for_each(|region| lead(&mut store, &mut engine, *region));
                let world = World::new(engine);
                let node = Arc::new(Node::new(store, Outside(Arc::clone(&world))));
                world.lock().unwrap().mark();
                (node, world)
            }

            /// A worker.
            pub(crate) fn works<G: Guards + Send + Sync + 'static>(
                node: &Shared<G>,
            ) -> thread::JoinHandle<()> {
                let node = Arc::clone(node);
                thread::spawn(move || node.inputs.work(&*node))
            }

            /// The apply stage.
            pub(crate) fn applies<G: Guards + Send + Sync + 'static>(
                node: &Shared<G>,
            ) -> thread::JoinHandle<()> {
                let node = Arc::clone(node);
                thread::spawn(move || node.due.work(&Stage(&node)))
            }

            /// The disk.
            pub(crate) fn writes<G: Guards + Send + Sync + 'static>(
                node: &Shared<G>,
                world: &Arc<Mutex<World>>,
            ) -> thread::JoinHandle<()> {
                let (node, mut disk) = (Arc::clone(node), Disk(Arc::clone(world)));
                thread::spawn(move || node.write(&mut disk))
            }
        }
    };
}

node!(right, sound);
node!(late, hands_over_too_late);
node!(deaf, ignores_the_disk);
node!(forgetful, no_reminder);
node!(stubborn, steps_when_failed);
node!(silent, forgets_requests);
node!(deaf_to_merges, forgets_the_target);
node!(swallowing, push_into_closed);
node!(talkative, reports_what_waits);

/// Three stores have committed a split. Store 1 has applied it, and its child sends a vote request
/// to store 3. Returns the disk of store 3, and the request.
fn before_the_split() -> (MemoryEngine, Message) {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    cluster.commit_a_split();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    let request = cluster.sent.iter().find(|request| request.to.store == 3).expect("a request").clone();
    assert_eq!((request.region, request.raft_type()), (CHILD, Some(MessageType::MsgRequestVote)));
    (cluster.stores.remove(&3).expect("store 3").into_engine(), request)
}

/// A vote request for a child races the split that creates it.
macro_rules! a_vote_races_the_split {
    ($guards:expr) => {{
        let (engine, request) = before_the_split();
        every_interleaving(move || {
            let (node, world) = right::open(3, $guards, engine.clone(), &[]);
            let (worker, stage) = (right::works(&node), right::applies(&node));
            node.remind();
            node.send(Input::Message(request.clone()), usize::MAX).unwrap();
            node.inputs.stop();
            worker.join().unwrap();
            node.due.stop();
            stage.join().unwrap();
            node.journal.stop();
            node.write(&mut Disk(Arc::clone(&world)));
            node.close().unwrap();
            let world = world.lock().unwrap();
            let votes: Vec<_> = world
                .out
                .iter()
                .filter_map(|output| match output {
                    Output::Message(message) => message.raft().filter(|_| message.region == CHILD),
                    _ => None,
                })
                .collect();
            assert_eq!(votes.len(), 1, "the vote is answered once");
            assert!(!votes[0].reject && votes[0].msg_type == MessageType::MsgRequestVoteResponse);
            assert_eq!(world.engine.synced(CHILD).expect("it is there").hard_state.vote, 21);
        });
    }};
}

#[test]
fn a_vote_for_a_child_races_the_split_that_brings_it() {
    a_vote_races_the_split!(Sound);
}

#[test]
#[should_panic(expected = "the vote is answered once")]
fn loom_finds_a_first_message_that_does_not_wait() {
    a_vote_races_the_split!(Lacking(&[Guard::FirstMessagePending]));
}

/// A removal message to the peer of store 2, and the first message to the next peer.
fn removal_and_first_message() -> (MemoryEngine, Message, Message) {
    let mut cluster = Cluster::new(Sound, 2, &[1, 2]);
    cluster.elect(1);
    let engine = cluster.stores.remove(&2).expect("store 2").into_engine();
    let member = |id, store, role| Member { id, store, role };
    let (leader, removed) = (member(1, 1, MemberRole::Voter), member(2, 2, MemberRole::Voter));
    let added = member(7, 2, MemberRole::Learner);
    let without = Region { epoch: Epoch { conf_ver: 2, version: 1 }, peers: vec![leader], ..region(&[1]) };
    let message = |to, conf_ver, payload| Message {
        region: REGION,
        from: leader,
        to,
        epoch: Epoch { conf_ver, version: 1 },
        range: without.range(),
        payload,
    };
    let beat = RaftMessage {
        msg_type: MessageType::MsgHeartbeat,
        from: 1,
        to: 7,
        term: 6,
        ..RaftMessage::default()
    };
    (
        engine,
        message(removed, 2, MessagePayload::GcPeer(Box::new(without.clone()))),
        message(added, 3, MessagePayload::Raft(Box::new(beat))),
    )
}

#[test]
fn a_removal_races_the_first_message_to_who_comes_next() {
    let (engine, removal, first) = removal_and_first_message();
    every_interleaving(move || {
        let (node, world) = right::open(2, Sound, engine.clone(), &[]);
        let worker = right::works(&node);
        let sender = {
            let (node, first) = (Arc::clone(&node), first.clone());
            thread::spawn(move || node.send(Input::Message(first), usize::MAX).unwrap())
        };
        node.send(Input::Message(removal.clone()), usize::MAX).unwrap();
        sender.join().unwrap();
        node.inputs.stop();
        worker.join().unwrap();
        node.journal.stop();
        node.write(&mut Disk(Arc::clone(&world)));
        node.close().unwrap();
        let world = world.lock().unwrap();
        let record = &world.engine.synced(REGION).expect("a record").record;
        assert_eq!((record.id, record.state), (7, PeerState::Uninitialised));
    });
}

/// The disk of a store that leads two regions with one replica each.
pub(super) fn alone() -> MemoryEngine {
    let mut cluster = Cluster::new(Sound, 1, &[1]);
    cluster.elect(1);
    cluster.propose(1, split("m", 1)).unwrap();
    cluster.apply(1);
    cluster.stores.remove(&1).expect("store 1").into_engine()
}

pub(super) fn request(id: u64, region: u64, key: &str) -> Input {
    Input::Request { id, region, command: put(key), epoch: None }
}

/// The store is stopped right after the requests. Each request has its result, and an applied one
/// is on the disk.
macro_rules! stopped_at_once {
    ($node:ident, $workers:expr, $preemptions:expr, $requests:expr) => {{
        let requests: &'static [(u64, u64, &str)] = $requests;
        let engine = alone();
        interleavings($preemptions, move || {
            let (node, world) = $node::open(1, Sound, engine.clone(), &[REGION, CHILD]);
            let workers: Vec<_> = (0..$workers).map(|_| $node::works(&node)).collect();
            let disk = $node::writes(&node, &world);
            for (id, region, key) in requests {
                node.send(request(*id, *region, key), usize::MAX).unwrap();
            }
            node.inputs.stop();
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            node.journal.stop();
            disk.join().unwrap();
            node.close().unwrap();
            let world = world.lock().unwrap();
            assert_eq!(world.ended() + world.unhandled, requests.len(), "each has its end");
        });
    }};
}

#[test]
fn a_shutdown_loses_nothing_that_was_acknowledged() {
    stopped_at_once!(right, 1, 2, &[(1, REGION, "a"), (2, REGION, "b")]);
}

#[test]
fn two_regions_share_a_disk() {
    stopped_at_once!(right, 2, 2, &[(1, REGION, "a"), (1, CHILD, "z")]);
}

#[test]
#[should_panic(expected = "acknowledged and not durable")]
fn loom_finds_a_batch_that_is_handed_over_too_late() {
    stopped_at_once!(late, 2, 1, &[(1, REGION, "a"), (1, CHILD, "z")]);
}

/// The disk fails: nothing is acknowledged, and the error is reported once.
macro_rules! the_disk_fails {
    ($node:ident) => {{
        let engine = alone();
        every_interleaving(move || {
            let (node, world) = $node::open(1, Sound, engine.clone(), &[REGION]);
            world.lock().unwrap().fails = true;
            let (worker, disk) = ($node::works(&node), $node::writes(&node, &world));
            node.send(request(1, REGION, "a"), usize::MAX).unwrap();
            wait_until(&world, |world| world.failures > 0 || world.applied() > 0);
            node.send(request(2, REGION, "b"), usize::MAX).unwrap();
            node.inputs.stop();
            worker.join().unwrap();
            node.journal.stop();
            disk.join().unwrap();
            let error = node.close().expect_err("it has failed");
            assert_eq!(
                error.to_string(),
                "store 1: the engine cannot write: no space is left; drop the store and open it again"
            );
            let world = world.lock().unwrap();
            assert_eq!((world.ended(), world.failures, world.unhandled), (0, 1, 1), "the second is told");
        });
    }};
}

#[test]
fn a_disk_that_fails_stops_the_store() {
    the_disk_fails!(right);
}

#[test]
#[should_panic(expected = "acknowledged and not durable")]
fn loom_finds_a_disk_whose_failure_is_not_heard() {
    the_disk_fails!(deaf);
}

/// A learner is added: a worker proposes, the disk commits, the apply stage applies. No thread is
/// stopped before the request has its result.
macro_rules! a_change_comes_to_its_end {
    ($node:ident) => {{
        let engine = alone();
        interleavings(1, move || {
            let (node, world) = $node::open(1, Sound, engine.clone(), &[REGION]);
            let threads = [$node::works(&node), $node::applies(&node), $node::writes(&node, &world)];
            let command = change(ChangeKind::AddLearner, 9);
            let request = Input::Request { id: 1, region: REGION, command, epoch: None };
            node.send(request, usize::MAX).unwrap();
            wait_until(&world, |world| world.ended() > 0);
            node.inputs.stop();
            node.due.stop();
            node.journal.stop();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            node.close().unwrap();
            assert_eq!(world.lock().unwrap().applied(), 1);
        });
    }};
}

#[test]
fn a_change_is_applied_by_its_stage() {
    a_change_comes_to_its_end!(right);
}

#[test]
fn loom_finds_a_stage_that_is_not_reminded() {
    ends_in_a_deadlock("nodes::loom_finds_a_stage_that_is_not_reminded", || {
        a_change_comes_to_its_end!(forgetful)
    });
}

#[test]
#[should_panic(expected = "the second is told")]
fn loom_finds_a_failed_store_that_is_stepped() {
    the_disk_fails!(stubborn);
}

/// The leader of two voters; the other never answers, so nothing commits.
macro_rules! stopped_without_a_quorum {
    ($node:ident) => {{
        let mut cluster = Cluster::new(Sound, 2, &[1, 2]);
        cluster.elect(1);
        let engine = cluster.stores.remove(&1).expect("store 1").into_engine();
        every_interleaving(move || {
            let (node, world) = $node::open(1, Sound, engine.clone(), &[REGION]);
            let (worker, disk) = ($node::works(&node), $node::writes(&node, &world));
            node.send(request(1, REGION, "a"), usize::MAX).unwrap();
            node.inputs.stop();
            worker.join().unwrap();
            node.journal.stop();
            disk.join().unwrap();
            node.close().unwrap();
            let world = world.lock().unwrap();
            assert_eq!((world.applied(), world.ended()), (0, 1), "its result is unknown");
        });
    }};
}

#[test]
fn a_request_without_a_quorum_ends_when_the_store_stops() {
    stopped_without_a_quorum!(right);
}

#[test]
#[should_panic(expected = "its result is unknown")]
fn loom_finds_a_request_that_nobody_ends() {
    stopped_without_a_quorum!(silent);
}
