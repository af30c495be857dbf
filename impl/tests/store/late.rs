//! Stores whose batches reach the disk late. Several steps are unfinished at once, outputs that
//! wait for the disk are held, and a crash loses what is not on the disk and the outputs that
//! waited for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{
    ChangeKind, Command, Config, Effects, End, Engine, Input, MemoryEngine, Message, Output, PeerStatus,
    Refusal, Sound, StateRole, Store, StoreId, SyncedStore,
};

use crate::cluster::{REGION, bytes, change, put, region};
use crate::storm::Random;

const EARLY: Config = Config { early_appends: true, ..Config::SIMULATOR };

/// Which outputs leave too early.
type Leaks = fn(&Output) -> bool;

/// A store, its disk, and the batches on their way to it.
struct Late {
    store: Store<Sound>,
    disk: MemoryEngine,
    under_way: VecDeque<Effects>,
}

struct Cluster {
    config: Config,
    leaks: Leaks,
    stores: BTreeMap<StoreId, Late>,
    sent: Vec<Message>,
    ends: Vec<(u64, End)>,
}

impl Cluster {
    fn new(config: Config, leaks: Leaks, count: u64, voters: &[StoreId]) -> Self {
        let mut cluster = Self { config, leaks, stores: BTreeMap::new(), sent: Vec::new(), ends: Vec::new() };
        for id in 1..=count {
            let disk = MemoryEngine::new();
            let mut store = Store::open(id, config, Sound, &disk).unwrap();
            let first = voters.contains(&id).then(|| store.bootstrap(region(voters)).unwrap());
            cluster.stores.insert(id, Late { store, disk, under_way: VecDeque::new() });
            if let Some(effects) = first {
                cluster.take(id, effects);
                cluster.persist(id);
            }
        }
        cluster
    }

    fn step(&mut self, id: StoreId, input: Input) -> Result<(), Refusal> {
        let taken = self.stores.get_mut(&id).unwrap().store.step(input);
        let effects = taken.map_err(|error| error.refusal().unwrap_or_else(|| panic!("{error}")))?;
        self.take(id, effects);
        Ok(())
    }

    /// Outputs that need not wait leave at once.
    fn take(&mut self, id: StoreId, mut effects: Effects) {
        self.sent.append(&mut effects.messages);
        let leaks = self.leaks;
        let (leaked, waits) = effects.after_persist.into_iter().partition(leaks);
        effects.after_persist = waits;
        self.release(leaked);
        let late = self.stores.get_mut(&id).unwrap();
        late.under_way.push_back(effects);
        // An output without an unfinished batch before it leaves.
        while late.under_way.front().is_some_and(|first| first.batch.is_empty()) {
            let first = late.under_way.pop_front().expect("just seen");
            let out = first.after_persist;
            self.ends.extend(out.iter().filter_map(end));
            self.sent.extend(out.into_iter().filter_map(message));
        }
    }

    fn release(&mut self, out: Vec<Output>) {
        self.ends.extend(out.iter().filter_map(end));
        self.sent.extend(out.into_iter().filter_map(message));
    }

    /// The oldest batch, and perhaps some after it, reach the disk.
    fn persist_some(&mut self, id: StoreId, most: usize) -> bool {
        let late = self.stores.get_mut(&id).unwrap();
        let (mut out, mut last) = (Vec::new(), None);
        for _ in 0..most {
            let Some(effects) = late.under_way.pop_front() else { break };
            if !effects.batch.is_empty() {
                late.disk.write(effects.batch).unwrap();
            }
            out.extend(effects.after_persist);
            last = Some(effects.ticket);
        }
        let Some(ticket) = last else { return false };
        late.disk.sync().unwrap();
        let more = late.store.persisted(ticket).unwrap();
        self.release(out);
        if !more.is_empty() {
            self.take(id, more);
        }
        true
    }

    /// All batches reach the disk.
    fn persist(&mut self, id: StoreId) {
        while self.persist_some(id, 1) {}
    }

    /// Unfinished batches are lost, and so are the outputs that waited for them.
    fn crash(&mut self, id: StoreId) -> usize {
        let late = self.stores.get_mut(&id).unwrap();
        let lost = late.under_way.len();
        late.under_way.clear();
        late.store = Store::open(id, self.config, Sound, &late.disk).unwrap();
        lost
    }

    /// A message arrives, or is lost. The sender of a snapshot gets its status.
    fn deliver(&mut self, message: Message, arrives: bool) {
        let (from, to, region) = (message.from.store, message.to, message.region);
        let snapshot = message.is_snapshot();
        let taken = arrives && self.step(to.store, Input::Message(message)).is_ok();
        if snapshot {
            let _ = self.step(from, Input::ReportSnapshot { region, to: to.id, arrived: taken });
        }
    }

    /// Delivers what is for `to`, and drops all other messages in flight.
    fn deliver_to(&mut self, to: StoreId) {
        for message in std::mem::take(&mut self.sent) {
            if message.to.store == to {
                self.deliver(message, true);
            }
        }
    }

    /// Delivers and persists until nothing is in flight.
    fn quiet(&mut self) {
        loop {
            let ids: Vec<_> = self.stores.keys().copied().collect();
            ids.iter().for_each(|id| self.persist(*id));
            if self.sent.is_empty() {
                return;
            }
            for message in std::mem::take(&mut self.sent) {
                self.deliver(message, true);
            }
        }
    }

    fn elect(&mut self, id: StoreId) {
        self.step(id, Input::Campaign { region: REGION }).unwrap();
        self.quiet();
        assert_eq!(self.peer(id).role(), StateRole::Leader);
    }

    fn peer(&self, id: StoreId) -> PeerStatus<'_> {
        self.stores[&id].store.peer(REGION).expect("a live peer")
    }
}

fn message(output: Output) -> Option<Message> {
    match output {
        Output::Message(message) => Some(message),
        _ => None,
    }
}

fn end(output: &Output) -> Option<(u64, End)> {
    match output {
        Output::Completed { id, end, .. } => Some((*id, end.clone())),
        _ => None,
    }
}

fn is_of(output: &Output, kind: MessageType) -> bool {
    matches!(output, Output::Message(message) if message.raft_type() == Some(kind))
}

fn request(id: u64, command: Command) -> Input {
    Input::Request { id, region: REGION, command, epoch: None }
}

/// A vote that leaves before it is durable can be given twice.
#[test]
fn a_vote_leaves_once_it_is_durable() {
    fn leaders_of_one_term(leaks: Leaks) -> usize {
        let mut cluster = Cluster::new(Config::SIMULATOR, leaks, 3, &[1, 2, 3]);
        let mut leaders = 0;
        for candidate in [1, 3] {
            cluster.step(candidate, Input::Campaign { region: REGION }).unwrap();
            cluster.persist(candidate);
            cluster.deliver_to(2);
            if candidate == 1 {
                cluster.crash(2);
            } else {
                cluster.persist(2);
            }
            cluster.deliver_to(candidate);
            leaders += usize::from(cluster.peer(candidate).role() == StateRole::Leader);
            assert_eq!(cluster.peer(candidate).term(), 6);
        }
        leaders
    }
    assert_eq!(leaders_of_one_term(|_| false), 1);
    assert_eq!(leaders_of_one_term(|output| is_of(output, MessageType::MsgRequestVoteResponse)), 2);
}

/// If an append is acknowledged before it is durable, a leader may report a write that the next
/// leader lacks.
#[test]
fn an_append_is_acknowledged_once_it_is_durable() {
    fn acknowledged_and_lost(leaks: Leaks) -> (bool, bool) {
        let mut cluster = Cluster::new(Config::SIMULATOR, leaks, 3, &[1, 2, 3]);
        cluster.elect(1);
        cluster.step(1, request(1, put("a"))).unwrap();
        cluster.persist(1);
        cluster.deliver_to(2);
        cluster.deliver_to(1);
        cluster.persist(1);
        let reported = cluster.ends == [(1, End::Applied { region: None })];
        cluster.crash(2);
        cluster.sent.clear();
        // Store 1 is partitioned from now on.
        cluster.step(3, Input::Campaign { region: REGION }).unwrap();
        cluster.persist(3);
        cluster.deliver_to(2);
        cluster.persist(2);
        cluster.deliver_to(3);
        assert_eq!(cluster.peer(3).role(), StateRole::Leader);
        let known = cluster.peer(3).last_index() > 7 || cluster.peer(3).data().contains_key(&bytes("a"));
        (reported, !known)
    }
    assert_eq!(acknowledged_and_lost(|_| false), (false, true));
    assert_eq!(acknowledged_and_lost(|output| is_of(output, MessageType::MsgAppendResponse)), (true, true));
}

#[test]
fn a_leader_sends_early_and_counts_itself_once_it_is_durable() {
    for (config, leaves) in [(EARLY, true), (Config::SIMULATOR, false)] {
        let mut cluster = Cluster::new(config, |_| false, 3, &[1, 2, 3]);
        cluster.elect(1);
        let before = cluster.peer(1).commit();
        cluster.step(1, request(1, put("a"))).unwrap();
        assert_eq!(!cluster.sent.is_empty(), leaves, "early: {leaves}");
        if !leaves {
            continue;
        }
        cluster.deliver_to(2);
        cluster.persist(2);
        cluster.deliver_to(1);
        assert_eq!(cluster.peer(1).matched().map(|(_, index)| index).max(), Some(before + 1));
        assert_eq!(cluster.peer(1).commit(), before, "one of three has it on its disk");
        cluster.persist(1);
        assert_eq!(cluster.peer(1).commit(), before + 1);
        assert_eq!(cluster.ends, [(1, End::Applied { region: None })]);
    }
}

/// A new leader may send early once everything that it had treated as persisted is durable.
#[test]
fn a_new_leader_waits_for_its_disk() {
    let mut cluster = Cluster::new(EARLY, |_| false, 2, &[1]);
    cluster.step(1, Input::Campaign { region: REGION }).unwrap();
    assert_eq!(cluster.peer(1).role(), StateRole::Leader, "it is the only voter");
    assert_eq!(cluster.peer(1).commit(), 5, "nothing of it is on the disk");
    cluster.persist(1);
    assert_eq!(cluster.peer(1).commit(), 6);
    cluster.step(1, request(1, change(ChangeKind::AddLearner, 2))).unwrap();
    assert!(!cluster.stores[&1].store.due(REGION).apply);
    cluster.persist(1);
    assert!(cluster.stores[&1].store.due(REGION).apply);
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    cluster.quiet();
    cluster.step(1, Input::Tick { region: REGION }).unwrap();
    cluster.quiet();
    cluster.step(2, Input::ApplySnapshot { region: REGION }).unwrap();
    cluster.quiet();
    cluster.step(1, request(2, put("a"))).unwrap();
    assert_eq!((cluster.peer(1).applied(), cluster.ends.len()), (7, 1));
    cluster.quiet();
    assert_eq!((cluster.peer(1).applied(), cluster.ends.len()), (8, 2));
    cluster.crash(1);
    cluster.step(1, Input::Campaign { region: REGION }).unwrap();
    assert_eq!((cluster.peer(1).role(), cluster.sent.len()), (StateRole::Leader, 0));
    cluster.persist(1);
    cluster.sent.clear();
    cluster.step(1, Input::Tick { region: REGION }).unwrap();
    cluster.quiet();
    cluster.step(1, request(3, put("b"))).unwrap();
    assert!(!cluster.sent.is_empty(), "from now on it does not wait");
}

/// The machine fails between the commit index of an entry and its effect. What is due when the
/// store is back is this effect.
#[test]
fn an_entry_that_a_crash_parts_from_its_effect_takes_it_later() {
    let mut cluster = Cluster::new(EARLY, |_| false, 3, &[1, 2, 3]);
    cluster.elect(1);
    cluster.step(1, request(1, put("a"))).unwrap();
    for message in std::mem::take(&mut cluster.sent) {
        cluster.deliver(message, true);
    }
    cluster.persist(2);
    cluster.persist(3);
    cluster.deliver_to(1);
    assert_eq!((cluster.peer(1).commit(), cluster.peer(1).applied()), (7, 6), "the others have it");
    let late = cluster.stores.get_mut(&1).unwrap();
    for effects in late.under_way.drain(..) {
        late.disk.write(effects.batch).unwrap();
    }
    late.disk.sync().unwrap();
    cluster.crash(1);
    assert_eq!((cluster.peer(1).commit(), cluster.peer(1).applied()), (7, 6));
    assert!(cluster.stores[&1].store.due(REGION).apply);
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    assert_eq!(cluster.peer(1).applied(), 7);
    assert!(cluster.peer(1).data().contains_key(&bytes("a")), "the write took effect");
}

/// A copy of a leader has the same entries under way to its disk.
#[test]
fn a_copy_counts_what_was_under_way_once_it_is_durable() {
    let config = Config { late_persistence: true, ..EARLY };
    let mut store = SyncedStore::open(1, config, Sound, MemoryEngine::new()).unwrap();
    store.bootstrap(region(&[1])).unwrap();
    drop(store.step_late(Input::Campaign { region: REGION }).unwrap());
    drop(store.clone().step_late(request(1, put("a"))).unwrap());
    let mut copy = store.clone().clone();
    drop(copy.step_late(request(1, put("a"))).unwrap());
    assert_eq!(copy.peer(REGION).unwrap().commit(), 5, "nothing of it is durable");
    drop(copy.sync().unwrap());
    let peer = copy.peer(REGION).unwrap();
    assert_eq!((peer.commit(), peer.last_index()), (7, 7));
    let mut engine = copy.into_engine();
    engine.lose_unsynced();
    let left = SyncedStore::open(1, config, Sound, engine).unwrap();
    let peer = left.peer(REGION).unwrap();
    assert_eq!((peer.commit(), peer.last_index()), (5, 7), "the commit index was not synced");
    assert_eq!(store.peer(REGION).unwrap().last_index(), 6, "the first one has nothing of that");
}

/// The others acknowledge a change before it is on the leader's own disk. It becomes due when it is
/// on that disk, although nothing is left to write: the effects name the region.
#[test]
fn effects_name_a_region_that_becomes_due() {
    let mut cluster = Cluster::new(EARLY, |_| false, 3, &[1, 2, 3]);
    cluster.elect(1);
    cluster.quiet();
    cluster.step(1, request(1, change(ChangeKind::AddLearner, 4))).unwrap();
    let sent: Vec<_> = cluster.sent.drain(..).collect();
    sent.into_iter().for_each(|message| cluster.deliver(message, true));
    cluster.persist(2);
    cluster.persist(3);
    let acknowledged: Vec<_> = cluster.sent.drain(..).filter(|message| message.to.store == 1).collect();
    acknowledged.into_iter().for_each(|message| cluster.deliver(message, true));
    assert_eq!(cluster.peer(1).commit(), 7, "two of three have it");
    assert!(!cluster.stores[&1].store.due(REGION).apply, "the leader itself does not");
    let late = cluster.stores.get_mut(&1).unwrap();
    let last = late.under_way.drain(..).next_back().expect("its own batch").ticket;
    let effects = late.store.persisted(last).unwrap();
    assert!(late.store.due(REGION).apply);
    assert!(effects.regions().any(|region| region == REGION), "{effects:?}");
}

/// A leader that only sends heartbeats has no Ready to report later.
#[test]
fn heartbeats_leave_no_unfinished_ready() {
    let mut cluster = Cluster::new(EARLY, |_| false, 3, &[1, 2, 3]);
    cluster.elect(1);
    for _ in 0..100 {
        cluster.step(1, Input::Tick { region: REGION }).unwrap();
        cluster.quiet();
    }
    let late = cluster.stores.get_mut(&1).unwrap();
    let put = late.store.step(request(1, put("a"))).unwrap();
    let effects = late.store.persisted(put.ticket).unwrap();
    assert_eq!(effects.persisted, [REGION], "of its one batch");
}

/// The leader of each term, by the messages.
#[derive(Default)]
struct Seen {
    leaders: BTreeMap<u64, u64>,
    applied: BTreeMap<u64, Vec<Vec<u8>>>,
}

impl Seen {
    fn check(&mut self, cluster: &Cluster) {
        let raft = cluster.sent.iter().filter_map(Message::raft);
        let leads = |kind| matches!(kind, MessageType::MsgAppend | MessageType::MsgHeartbeat);
        for message in raft.filter(|message| leads(message.get_msg_type())) {
            let known = *self.leaders.entry(message.term).or_insert(message.from);
            assert_eq!(known, message.from, "leaders of term {}", message.term);
        }
        for (id, late) in &cluster.stores {
            let Some(kept) = late.disk.load(REGION).unwrap() else { continue };
            let keys: Vec<Vec<u8>> = kept.data.keys().map(|key| key.to_vec()).collect();
            let applied = kept.apply_state.applied;
            let known = self.applied.entry(applied).or_insert_with(|| keys.clone());
            assert_eq!(*known, keys, "at {applied} on the disk of store {id}");
        }
    }
}

struct Count {
    reported: usize,
    lost: usize,
    crashes: usize,
    deepest: usize,
    unknown: usize,
}

fn run(seed: u64, config: Config, leaks: Leaks) -> Count {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut cluster = Cluster::new(config, leaks, 4, &[1, 2, 3]);
    let (mut seen, mut asked) = (Seen::default(), 0);
    let mut count = Count { reported: 0, lost: 0, crashes: 0, deepest: 0, unknown: 0 };
    for _ in 0..1_500 {
        let id = 1 + random.below(4);
        match random.below(100) {
            0..45 if !cluster.sent.is_empty() => {
                let at = random.below(cluster.sent.len().min(4) as u64) as usize;
                let message = cluster.sent.remove(at);
                let fate = random.below(12);
                if fate == 1 {
                    cluster.sent.push(message.clone());
                }
                cluster.deliver(message, fate > 0);
            }
            45..70 => drop(cluster.persist_some(id, 1 + random.below(3) as usize)),
            70..76 => drop(cluster.step(id, Input::Tick { region: REGION })),
            76..86 => {
                asked += 1;
                let key = format!("{asked:05}");
                let _ = cluster.step(id, request(asked, put(&key)));
            }
            86..94 => {
                let _ = cluster.step(id, Input::ApplySnapshot { region: REGION });
                let _ = cluster.step(id, Input::Apply { region: REGION });
            }
            94 => drop(cluster.step(id, Input::Campaign { region: REGION })),
            95 => {
                let applied = cluster.stores[&id].store.peer(REGION).map_or(0, |peer| peer.applied());
                let compact = Command::CompactLog { index: applied.saturating_sub(2) };
                let _ = cluster.step(id, Input::Propose { region: REGION, command: compact, epoch: None });
            }
            96 => {
                let add = change(ChangeKind::AddVoter, 4);
                let _ = cluster.step(id, Input::Propose { region: REGION, command: add, epoch: None });
            }
            97 => {
                count.lost += cluster.crash(id);
                count.crashes += 1;
            }
            _ => {}
        }
        count.deepest = count.deepest.max(cluster.stores[&id].under_way.len());
        seen.check(&cluster);
    }
    settle(&mut cluster, &mut seen);
    let mut ended = BTreeSet::new();
    for (id, end) in &cluster.ends {
        assert!(ended.insert(*id), "request {id} ends twice");
        match end {
            End::Applied { .. } => {
                count.reported += 1;
                let key = bytes(&format!("{id:05}"));
                for store in [1, 2, 3] {
                    assert!(cluster.peer(store).data().contains_key(&key), "request {id} on store {store}");
                }
            }
            End::LeaderChanged | End::Dropped => count.unknown += 1,
            other => panic!("request {id}: {other:?}"),
        }
    }
    count
}

/// Faults stop: all messages arrive, a leader is elected, and all peers have the same data.
fn settle(cluster: &mut Cluster, seen: &mut Seen) {
    for round in 0..40 {
        cluster.quiet();
        seen.check(cluster);
        let peer = |id: &StoreId| cluster.stores[id].store.peer(REGION);
        let newest = [1, 2, 3, 4].iter().filter_map(peer).map(|peer| peer.term()).max();
        // A leader of an older term reaches nobody.
        let leads = |peer: &PeerStatus<'_>| peer.role() == StateRole::Leader && Some(peer.term()) == newest;
        let leader = (1..=4).find(|id| peer(id).as_ref().is_some_and(leads));
        for id in 1..=4 {
            let _ = cluster.step(id, Input::ApplySnapshot { region: REGION });
            while cluster.step(id, Input::Apply { region: REGION }).is_ok() {}
        }
        let _ = match leader {
            Some(id) => cluster.step(id, Input::Tick { region: REGION }),
            None => cluster.step(1 + round % 3, Input::Campaign { region: REGION }),
        };
    }
    cluster.quiet();
    let shown = |id| (cluster.peer(id).applied(), cluster.peer(id).commit(), cluster.peer(id).last_index());
    let ends = [1, 2, 3].map(shown);
    assert!(ends.iter().all(|end| *end == (ends[0].0, ends[0].0, ends[0].0)), "not the same: {ends:?}");
}

#[test]
fn late_disks_lose_nothing_that_was_acknowledged() {
    let mut all = Count { reported: 0, lost: 0, crashes: 0, deepest: 0, unknown: 0 };
    for seed in 1..=60 {
        for config in [Config::SIMULATOR, EARLY] {
            println!("seed {seed}, early {}", config.early_appends);
            let count = run(seed, config, |_| false);
            all.reported += count.reported;
            all.lost += count.lost;
            all.crashes += count.crashes;
            all.deepest = all.deepest.max(count.deepest);
            all.unknown += count.unknown;
        }
    }
    println!(
        "{} reported, {} open; {} crashes lost {} batches; up to {} under way",
        all.reported, all.unknown, all.crashes, all.lost, all.deepest
    );
    assert!(all.reported > 0 && all.unknown > 0 && all.lost > 0 && all.crashes > 0 && all.deepest > 2);
}

/// The check can fail: if responses do not wait for the disk, some runs fail.
#[test]
fn late_disks_that_do_not_hold_answers_are_noticed() {
    let leaks: [Leaks; 2] = [
        |output| is_of(output, MessageType::MsgAppendResponse),
        |output| is_of(output, MessageType::MsgRequestVoteResponse),
    ];
    for leak in leaks {
        let noticed = (1..=60).any(|seed| {
            let run = || run(seed, Config::SIMULATOR, leak);
            std::panic::catch_unwind(run).is_err()
        });
        assert!(noticed, "an answer that does not wait");
    }
}
