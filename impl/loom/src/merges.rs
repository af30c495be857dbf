//! Merges on a running store: the target waits for its source on the same store, and whoever comes
//! second must be reminded.

use loom::sync::Arc;
use loom::thread;
use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{Command, Engine, Input, MemoryEngine, Message, Output, PeerState, Sound};

use super::cluster::{CHILD, Cluster, REGION, put, split};
use super::nodes::{Disk, World, deaf_to_merges, request, right, swallowing, talkative, wait_until};
use super::{ends_in_a_deadlock, interleavings};

/// The source has the keys before m, the target those from m on.
const SOURCE: u64 = REGION;
const TARGET: u64 = CHILD;

/// Delivers what `arrives`; returns the rest.
fn deliver(cluster: &mut Cluster<Sound>, arrives: impl Fn(&Message) -> bool) -> Vec<Message> {
    let mut kept = vec![];
    while let Some(message) = cluster.sent.pop_front() {
        if arrives(&message) {
            let _ = cluster.step(message.to.store, Input::Message(message));
        } else {
            kept.push(message);
        }
    }
    kept
}

fn apply(cluster: &mut Cluster<Sound>, store: u64, region: u64) {
    while cluster.step(store, Input::Apply { region }).is_ok() {}
}

/// Proposes on store 1, and commits. Returns the messages that do not arrive.
fn commit(
    cluster: &mut Cluster<Sound>,
    region: u64,
    command: Command,
    arrives: impl Fn(&Message) -> bool,
) -> Vec<Message> {
    cluster.step(1, Input::Propose { region, command, epoch: None }).unwrap();
    let mut kept = deliver(cluster, &arrives);
    cluster.step(1, Input::Tick { region }).unwrap();
    kept.extend(deliver(cluster, &arrives));
    kept
}

/// Three stores merge a region. Store 3 has the committed `CommitMerge`, and no `PrepareMerge`: the
/// append with it is on the way. Returns the disk of store 3, and the append.
fn before_the_merge() -> (MemoryEngine, Message) {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    cluster.commit_a_split();
    (1..=3).for_each(|store| apply(&mut cluster, store, REGION));
    cluster.deliver();
    commit(&mut cluster, SOURCE, put("a"), |_| true);
    let target = cluster.of(1, TARGET).region().clone();
    let is_lost = |message: &Message| message.region == SOURCE && message.to.store == 3;
    let late = commit(&mut cluster, SOURCE, Command::prepare_merge(target), |message| !is_lost(message));
    [1, 2].into_iter().for_each(|store| apply(&mut cluster, store, SOURCE));
    commit(&mut cluster, TARGET, Command::commit_merge(SOURCE), |message| !is_lost(message));
    let mut appends = late.into_iter().filter(|late| late.raft_type() == Some(MessageType::MsgAppend));
    let append = appends.next().expect("PrepareMerge was sent");
    (cluster.stores.remove(&3).expect("store 3").into_engine(), append)
}

fn is_merged(world: &World) -> bool {
    world.out.iter().any(|output| matches!(output, Output::Destroyed { region: SOURCE, .. }))
}

/// The target has all keys and the source is a tombstone, on the disk too.
fn assert_merged(world: &World) {
    assert_eq!(world.engine.synced(SOURCE).expect("a record").record.state, PeerState::Tombstone);
    let target = world.engine.load(TARGET).unwrap().expect("the target");
    let keys: String = target.data.keys().map(|key| String::from_utf8_lossy(key)).collect();
    assert_eq!(keys, "at");
    let region = target.record.region;
    assert!(region.start.is_empty() && region.end.is_empty(), "it has all keys");
}

/// The append with `PrepareMerge` races the merge, which carries the same entry.
macro_rules! a_merge_races_an_append {
    ($node:ident) => {{
        let (engine, append) = before_the_merge();
        interleavings(1, move || {
            let (node, world) = $node::open(3, Sound, engine.clone(), &[]);
            let threads = [$node::works(&node), $node::applies(&node), $node::writes(&node, &world)];
            node.remind();
            node.send(Input::Message(append.clone()), usize::MAX).unwrap();
            wait_until(&world, is_merged);
            node.inputs.stop();
            node.due.stop();
            node.journal.stop();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            node.close().unwrap();
            assert_merged(&world.lock().unwrap());
        });
    }};
}

#[test]
fn a_merge_races_the_append_that_its_source_waits_for() {
    a_merge_races_an_append!(right);
}

#[test]
#[should_panic(expected = "a merge that waits is reported")]
fn loom_finds_a_stage_that_reports_what_waits() {
    a_merge_races_an_append!(talkative);
}

#[test]
fn loom_finds_a_target_that_is_not_reminded() {
    ends_in_a_deadlock("merges::loom_finds_a_target_that_is_not_reminded", || {
        a_merge_races_an_append!(deaf_to_merges)
    });
}

/// The disk of a store with one replica of each region. The source is merging, and the target's
/// `CommitMerge` is committed and not applied.
fn merging_alone() -> MemoryEngine {
    let mut cluster = Cluster::new(Sound, 1, &[1]);
    cluster.elect(1);
    for command in [put("a"), put("t"), split("m", 1)] {
        cluster.propose(1, command).unwrap();
    }
    cluster.apply(1);
    let target = cluster.of(1, TARGET).region().clone();
    commit(&mut cluster, SOURCE, Command::prepare_merge(target), |_| true);
    apply(&mut cluster, 1, SOURCE);
    commit(&mut cluster, TARGET, Command::commit_merge(SOURCE), |_| true);
    cluster.stores.remove(&1).expect("store 1").into_engine()
}

/// A client writes to the source while the target takes it in. The source takes no write any more,
/// and then is gone: each request is refused once, by whichever it meets.
macro_rules! requests_race_the_merge {
    ($node:ident, $preemptions:expr) => {{
        let engine = merging_alone();
        interleavings($preemptions, move || {
            let (node, world) = $node::open(1, Sound, engine.clone(), &[SOURCE, TARGET]);
            let (worker, stage) = ($node::works(&node), $node::applies(&node));
            let client = {
                let node = Arc::clone(&node);
                thread::spawn(move || {
                    for id in [1, 2] {
                        node.send(request(id, SOURCE, "a"), usize::MAX).unwrap();
                    }
                })
            };
            node.remind();
            client.join().unwrap();
            node.inputs.stop();
            worker.join().unwrap();
            node.due.stop();
            stage.join().unwrap();
            node.journal.stop();
            node.write(&mut Disk(Arc::clone(&world)));
            node.close().unwrap();
            let world = world.lock().unwrap();
            assert_eq!((world.ended(), world.unhandled), (0, 2), "each is refused once");
            assert_merged(&world);
        });
    }};
}

#[test]
fn requests_to_the_source_race_the_merge() {
    requests_race_the_merge!(right, 2);
}

#[test]
#[should_panic(expected = "each is refused once")]
fn loom_finds_a_request_in_the_mailbox_of_who_is_gone() {
    requests_race_the_merge!(swallowing, 1);
}
