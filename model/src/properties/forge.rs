//! Views built by hand to test the properties: three voters of a new region 1, small changes of
//! them, and the split that creates region 10, with or without a placement driver. A real run need
//! not reach such a view.

use crate::rules::index_of;
use rollcall_traces::{
    Action, Breach, Change, ChangeKind, Child, Command, Derive, Entries, Entry, Epoch, Held, History,
    HistoryParts, Key, KeyRange, KnownRegion, KnownStore, Liveness, Log, LogPosition, Member, MemberRole,
    Message, Outcome, Peer, PeerId, PeerState, PlacementDriver, RangeEntry, Region, RegionId, Reply, Role,
    Store, StoreId, StoreState, StoreStatus, View,
};

/// Region 1 with peers 1, 2 and 3 on stores of the same numbers.
pub(super) fn three_voters() -> Region {
    Region {
        epoch: Epoch { conf_ver: 1, version: 1 },
        peers: (1..=3).map(|id| Member { id, store: id, role: MemberRole::Voter }).collect(),
        ..Region::unknown(1)
    }
}

/// Three stores whose peers have truncated, committed and applied index 5 of term 5.
pub(super) fn three() -> View {
    of(3)
}

/// The same on `stores` stores; those beyond the third are not in the configuration.
pub(super) fn of(stores: StoreId) -> View {
    let store = |id| {
        let peer = Peer {
            state: PeerState::Normal,
            term: 5,
            log: log_from(5, 5),
            commit: 5,
            applied: 5,
            region: three_voters(),
            ..blank(id)
        };
        (id, Store { peers: [(1, peer)].into(), ..Store::default() })
    };
    with(&View { stores: (1..=stores).map(store).collect(), ..View::default() }, reindex)
}

/// The same with a placement driver that knows the stores and region 1 as they are.
pub(super) fn governed(stores: StoreId) -> View {
    let known = KnownStore {
        state: StoreState::Up,
        physically_destroyed: false,
        liveness: Liveness::Connected,
        full: false,
    };
    with(&of(stores), |view| {
        view.pd = PlacementDriver {
            next_id: 20,
            stores: (1..=stores).map(|store| (store, known)).collect(),
            ..PlacementDriver::default()
        };
        believe(view, three_voters());
    })
}

/// PD's record of a store.
pub(super) fn known(view: &mut View, store: StoreId) -> &mut KnownStore {
    view.pd.stores.get_mut(&store).expect("the forged PD has a record")
}

/// A region as its first peer reported it.
pub(super) fn believed(region: Region) -> KnownRegion {
    let leader = region.peers[0].id;
    KnownRegion { region, leader, term: 6, pending: [].into(), down: [].into() }
}

/// PD learns `region`.
pub(super) fn believe(view: &mut View, region: Region) {
    view.pd.regions.insert(region.id, believed(region));
}

/// Rebuilds every store's range index from its peers.
pub(super) fn reindex(view: &mut View) {
    for store in view.stores.values_mut() {
        store.ranges = index_of(store.peers.values());
        store.pending_ranges = store.peers.values().filter_map(RangeEntry::pending).collect();
    }
}

fn blank(id: u64) -> Peer {
    Peer::blank(id, PeerState::Uninitialised, Region::unknown(1))
}

/// A copy of `view` with a change.
pub(super) fn with(view: &View, change: impl FnOnce(&mut View)) -> View {
    let mut view = view.clone();
    change(&mut view);
    view
}

/// The peer of region 1 on `store`.
pub(super) fn peer(view: &mut View, store: StoreId) -> &mut Peer {
    peer_of(view, store, 1)
}

/// All of `store`.
pub(super) fn store(view: &mut View, store: StoreId) -> &mut Store {
    view.stores.get_mut(&store).expect("a forged store")
}

/// The peer of `region` on `store`.
pub(super) fn peer_of(view: &mut View, store: StoreId, region: RegionId) -> &mut Peer {
    view.stores
        .get_mut(&store)
        .and_then(|store| store.peers.get_mut(&region))
        .expect("the forged store has a peer")
}

/// The peer on `store` leads `term`.
pub(super) fn lead(view: &mut View, store: StoreId, term: u64) {
    lead_of(view, store, 1, term);
}

/// The peer of `region` on `store` leads `term`.
pub(super) fn lead_of(view: &mut View, store: StoreId, region: RegionId, term: u64) {
    let peer = peer_of(view, store, region);
    (peer.role, peer.term, peer.leader) = (Role::Leader, term, peer.id);
    peer.leading = Some(Default::default());
}

/// The peer on `store` campaigns in `term`.
pub(super) fn stand(view: &mut View, store: StoreId, term: u64) {
    let peer = peer(view, store);
    (peer.role, peer.term, peer.vote) = (Role::Candidate, term, peer.id);
}

/// The peer on `store` forgets what is volatile.
pub(super) fn step_down(view: &mut View, store: StoreId) {
    let peer = peer(view, store);
    (peer.role, peer.leader, peer.leading, peer.read) = (Role::Follower, 0, None, None);
}

/// A log that has discarded everything up to `index`, whose term is `term`.
pub(super) fn log_from(index: u64, term: u64) -> Log {
    Log { truncated: LogPosition { index, term }, entries: Vec::new() }
}

pub(super) fn empty(term: u64) -> Entry {
    Entry { term, command: None, epoch: Epoch::default() }
}

pub(super) fn put(term: u64, key: &str, value: &str) -> Entry {
    let command = Command::Put { key: Key::from(key), value: Key::from(value) };
    Entry { term, command: Some(command), epoch: three_voters().epoch }
}

pub(super) fn delete(term: u64, key: &str) -> Entry {
    let command = Command::Delete { key: Key::from(key) };
    Entry { term, command: Some(command), epoch: three_voters().epoch }
}

pub(super) fn add_voter(term: u64, peer: u64) -> Entry {
    let change = Change { kind: ChangeKind::AddVoter, peer, store: peer };
    Entry { term, command: Some(Command::ChangePeer(change)), epoch: three_voters().epoch }
}

/// The peer on the store of its number is removed.
pub(super) fn removal(term: u64, peer: u64) -> Entry {
    changing(term, Command::ChangePeer(Change { kind: ChangeKind::Remove, peer, store: peer }))
}

/// It becomes a learner, by a joint change of one.
pub(super) fn demotion(term: u64, peer: u64) -> Entry {
    let change = Change { kind: ChangeKind::AddLearner, peer, store: peer };
    changing(term, Command::EnterJoint { changes: vec![change] })
}

fn changing(term: u64, command: Command) -> Entry {
    Entry { term, command: Some(command), epoch: three_voters().epoch }
}

pub(super) fn append(view: &mut View, store: StoreId, entry: Entry) {
    peer(view, store).log.entries.push(entry);
}

/// Commits and applies up to `index`; what that does to region and data is for the caller.
pub(super) fn commit(view: &mut View, store: StoreId, index: u64) {
    let peer = peer(view, store);
    (peer.commit, peer.applied) = (index, index);
}

/// Appends, commits and applies a `Put` or `Delete`.
pub(super) fn write(view: &mut View, store: StoreId, entry: Entry) {
    write_of(view, store, 1, entry);
}

/// The same in `region`.
pub(super) fn write_of(view: &mut View, store: StoreId, region: RegionId, entry: Entry) {
    let peer = peer_of(view, store, region);
    match &entry.command {
        Some(Command::Put { key, value }) => drop(peer.data.insert(key.clone(), value.clone())),
        Some(Command::Delete { key }) => drop(peer.data.remove(key)),
        _ => {}
    }
    peer.log.entries.push(entry);
    let last = peer.log.last_index();
    (peer.commit, peer.applied) = (last, last);
}

/// The peer on `store` becomes a clean tombstone with `region`.
pub(super) fn write_tombstone(view: &mut View, store: StoreId, region: Region) {
    let peer = peer(view, store);
    *peer = Peer { state: PeerState::Tombstone, region, ..blank(peer.id) };
}

/// `store` has an uninitialised peer.
pub(super) fn create(view: &mut View, store: StoreId, id: u64) {
    *peer(view, store) = Peer { term: 6, leader: 1, ..blank(id) };
}

/// The peer on `store` has applied a snapshot of index 9.
pub(super) fn initialise(view: &mut View, store: StoreId, region: Region) {
    let peer = peer(view, store);
    *peer = Peer {
        state: PeerState::Normal,
        term: 6,
        log: log_from(9, 6),
        commit: 9,
        applied: 9,
        region,
        ..blank(peer.id)
    };
}

/// The child of the split: region 10 from m on, with peers 11, 12 and 13.
pub(super) const CHILD: RegionId = 10;

/// Region 1 and the child, once region 1 has split at m.
pub(super) fn halves() -> (Region, Region) {
    let epoch = Epoch { conf_ver: 1, version: 2 };
    let member = |store| Member { id: 10 + store, store, role: MemberRole::Voter };
    let peers = (1..=3).map(member).collect();
    let left = Region { end: Key::from("m"), epoch, ..three_voters() };
    (left, Region { id: CHILD, start: Key::from("m"), end: Key::empty(), epoch, peers })
}

/// Appends and commits the split in the log of each of the three stores; not applied.
pub(super) fn commit_split(view: &mut View) {
    let child = Child { key: Key::from("m"), region: CHILD, peers: vec![11, 12, 13] };
    let command = Command::Split { children: vec![child], derive: Derive::Left };
    for store in 1..=3 {
        let epoch = three_voters().epoch;
        append(view, store, Entry { term: 6, command: Some(command.clone()), epoch });
        let peer = peer(view, store);
        peer.commit = peer.log.last_index();
    }
}

/// The store applies its split: region 1 and its data are divided.
pub(super) fn split(view: &mut View, store: StoreId) {
    let (left, right) = halves();
    let parent = peer(view, store);
    parent.applied += 1;
    parent.region = left;
    let data = parent.data.split_off(&right.start);
    let child = Peer {
        state: PeerState::Normal,
        term: 5,
        log: log_from(5, 5),
        commit: 5,
        applied: 5,
        region: right,
        data,
        ..blank(10 + store)
    };
    self::store(view, store).peers.insert(CHILD, child);
    reindex(view);
}

/// The action by which a store applies its split.
pub(super) fn apply(store: StoreId) -> Action {
    Action::Apply { region: 1, store }
}

/// Three stores that have all applied the split.
pub(super) fn three_split() -> View {
    with(&three(), |view| {
        commit_split(view);
        (1..=3).for_each(|store| split(view, store));
    })
}

pub(super) fn lose_disk(view: &mut View, store: StoreId) {
    view.stores.insert(store, Store { status: StoreStatus::DiskLost, ..Store::default() });
}

pub(super) fn campaign(store: StoreId) -> Action {
    Action::Campaign { region: 1, store }
}

pub(super) fn vote(candidate: StoreId, voter: StoreId) -> Action {
    Action::Vote { region: 1, candidate, voter, reply: Reply::Delivered }
}

pub(super) fn replicate(leader: StoreId, follower: StoreId, reply: Reply) -> Action {
    Action::Replicate { region: 1, leader, follower, entries: Entries::One, reply }
}

/// A vote request of peer 11 on store 1 to peer `to`, held or pending somewhere.
pub(super) fn vote_request(region: RegionId, to: PeerId) -> Held {
    let member = |id, store| Member { id, store, role: MemberRole::Voter };
    let position = LogPosition { index: 5, term: 5 };
    Held {
        region,
        from: member(11, 1),
        to: member(to, 3),
        term: 6,
        epoch: Epoch { conf_ver: 1, version: 2 },
        range: KeyRange::default(),
        message: Message::VoteRequest { last: position, commit: position },
    }
}

/// Folds a step that was done and returned nothing.
pub(super) fn follow(history: &mut History, before: &View, action: Action, after: &View) {
    history.fold(before, &action, &Outcome::DONE, after);
}

/// A history in which nothing but `breach` happened.
pub(super) fn history_with(breach: &Breach) -> History {
    let text = serde_json::json!({ "parts": HistoryParts::ALL, "breaches": [breach] });
    serde_json::from_value(text).expect("a history is written as its parts and breaches")
}
