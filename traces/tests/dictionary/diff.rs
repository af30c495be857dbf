//! The difference of two views names exactly what was altered.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rollcall_traces::*;

use crate::arbitrary::view;
use crate::toy;

mod pd;

use pd::whole_plan;

/// A peer in which every optional part is there.
fn full() -> Peer {
    let region = toy::region(&[1, 2, 3]);
    let mut peer = toy::peer(2, region.clone());
    let entry = |term, command| Entry { term, command, epoch: Epoch { conf_ver: 1, version: 1 } };
    peer.log.entries = vec![entry(6, None), entry(6, Some(Command::LeaveJoint))];
    peer.snapshot = Some(Snapshot {
        position: LogPosition { index: 9, term: 6 },
        region,
        data: [("a".into(), "b".into())].into(),
    });
    peer.campaign = Some(Campaign {
        commit: LogPosition { index: 5, term: 5 },
        last: None,
        granted: [2].into(),
        rejected: [3].into(),
    });
    peer.leading = Some(Leading {
        matched: [(1, 5), (2, 7)].into(),
        pending_conf_index: 5,
        committed: [(1, 4)].into(),
        sent_snapshot: 3,
        transfer: Some(Transfer { to: 1, timeout_now: false }),
    });
    peer.failed_stores = [1].into();
    peer.recovery = Some(PeerRecovery::Demotes(vec![1]));
    peer.read = Some(Read { key: "a".into(), index: 6, acks: [2].into(), ready: false });
    peer.data = [("a".into(), "b".into())].into();
    peer
}

fn seen(peer: Peer) -> View {
    let mut store = Store::default();
    store.ranges.push(RangeEntry { start: Key::empty(), end: Key::empty(), region: 1 });
    store.peers.insert(1, peer);
    View { stores: [(2, store)].into(), ..View::default() }
}

type Alteration = (&'static str, fn(&mut Peer));

/// One alteration for each field of `Peer` and of what is in it, with its path.
const ALTERATIONS: &[Alteration] = &[
    ("peer_id", |peer| peer.id = 9),
    ("state", |peer| peer.state = PeerState::Uninitialised),
    ("role", |peer| peer.role = Role::Leader),
    ("term", |peer| peer.term = 9),
    ("vote", |peer| peer.vote = 9),
    ("leader", |peer| peer.leader = 9),
    ("log/truncated/term", |peer| peer.log.truncated.term = 4),
    ("log/6/term", |peer| peer.log.entries[0].term = 7),
    ("log/7/command", |peer| peer.log.entries[1].command = None),
    ("log/7/epoch/version", |peer| peer.log.entries[1].epoch.version = 9),
    ("log/7", |peer| {
        peer.log.entries.pop();
    }),
    ("commit", |peer| peer.commit = 9),
    ("applied", |peer| peer.applied = 9),
    ("id", |peer| peer.region.id = 9),
    ("start", |peer| peer.region.start = "x".into()),
    ("end", |peer| peer.region.end = "x".into()),
    ("epoch/conf_ver", |peer| peer.region.epoch.conf_ver = 9),
    ("epoch/version", |peer| peer.region.epoch.version = 9),
    ("peers/3", |peer| {
        peer.region.peers.pop();
    }),
    ("peers/3/role", |peer| peer.region.peers[2].role = MemberRole::Learner),
    ("peers/3/store", |peer| peer.region.peers[2].store = 9),
    ("peers/order", |peer| peer.region.peers.swap(0, 1)),
    ("peers/3+", |peer| peer.region.peers.push(peer.region.peers[2])),
    ("snapshot", |peer| peer.snapshot = None),
    ("snapshot/position/index", |peer| peer.snapshot.as_mut().unwrap().position.index = 8),
    ("snapshot/region/peers/3", |peer| {
        peer.snapshot.as_mut().unwrap().region.peers.pop();
    }),
    ("snapshot/data", |peer| peer.snapshot.as_mut().unwrap().data.clear()),
    ("campaign", |peer| peer.campaign = None),
    ("campaign/commit/term", |peer| peer.campaign.as_mut().unwrap().commit.term = 4),
    ("campaign/granted", |peer| {
        peer.campaign.as_mut().unwrap().granted.insert(3);
    }),
    ("campaign/rejected", |peer| peer.campaign.as_mut().unwrap().rejected.clear()),
    ("leading", |peer| peer.leading = None),
    ("leading/matched/1", |peer| {
        peer.leading.as_mut().unwrap().matched.insert(1, 6);
    }),
    ("leading/committed/1", |peer| {
        peer.leading.as_mut().unwrap().committed.insert(1, 5);
    }),
    ("leading/sent_snapshot", |peer| peer.leading.as_mut().unwrap().sent_snapshot = 4),
    ("leading/pending_conf_index", |peer| peer.leading.as_mut().unwrap().pending_conf_index = 6),
    ("leading/transfer", |peer| peer.leading.as_mut().unwrap().transfer = None),
    ("leading/transfer/timeout_now", |peer| {
        peer.leading.as_mut().unwrap().transfer.as_mut().unwrap().timeout_now = true;
    }),
    ("failed_stores", |peer| peer.failed_stores.clear()),
    ("recovery", |peer| peer.recovery = None),
    ("recovery/demotes", |peer| peer.recovery = Some(PeerRecovery::Demotes(vec![]))),
    ("read", |peer| peer.read = None),
    ("read/key", |peer| peer.read.as_mut().unwrap().key = "b".into()),
    ("read/index", |peer| peer.read.as_mut().unwrap().index = 7),
    ("read/acks", |peer| peer.read.as_mut().unwrap().acks.clear()),
    ("read/ready", |peer| peer.read.as_mut().unwrap().ready = true),
    ("data/61", |peer| {
        peer.data.insert("a".into(), "c".into());
    }),
    ("data/62", |peer| {
        peer.data.insert("b".into(), "c".into());
    }),
];

#[test]
fn every_field_of_a_peer_is_named() {
    for (path, alter) in ALTERATIONS {
        let mut peer = full();
        alter(&mut peer);
        let found = differences(&seen(full()), &seen(peer));
        let paths: Vec<&str> = found.iter().map(|difference| difference.path.as_str()).collect();
        // A set that is emptied vanishes from the file: then its parent names it.
        assert_eq!(paths, [format!("stores/2/regions/1/{path}")], "{found:?}");
    }
}

#[test]
fn no_field_of_a_peer_is_left_out_of_the_test() {
    let written = serde_json::to_value(full()).unwrap();
    for name in written.as_object().unwrap().keys().filter(|name| *name != "region" && *name != "id") {
        assert!(
            ALTERATIONS.iter().any(|(path, _)| path.split('/').next() == Some(name)),
            "{name} is not altered"
        );
    }
    for name in written["region"].as_object().unwrap().keys() {
        assert!(
            ALTERATIONS.iter().any(|(path, _)| path.split('/').next() == Some(name)),
            "{name} is not altered"
        );
    }
}

#[test]
fn a_compacted_log_keeps_the_indexes_of_its_entries() {
    let mut compacted = full();
    compacted.log =
        Log { truncated: LogPosition { index: 6, term: 6 }, entries: full().log.entries[1..].to_vec() };
    let found = differences(&seen(full()), &seen(compacted));
    let paths: Vec<&str> = found.iter().map(|difference| difference.path.as_str()).collect();
    assert_eq!(
        paths,
        ["6", "truncated/index", "truncated/term"].map(|path| format!("stores/2/regions/1/log/{path}"))
    );
}

#[test]
fn stores_ranges_and_held_messages_are_named() {
    let append = Message::Append {
        previous: LogPosition { index: 5, term: 5 },
        entries: full().log.entries,
        commit: 5,
    };
    let member = |id| Member { id, store: id, role: MemberRole::Voter };
    let epoch = Epoch { conf_ver: 1, version: 1 };
    let range = KeyRange { start: "a".into(), end: "m".into() };
    let held = Held { region: 1, from: member(1), to: member(2), term: 6, epoch, range, message: append };
    let pd = toy::allotter(10);
    let mut base = View { held: vec![held.clone()], pd, ..seen(full()) };
    base.stores.get_mut(&2).unwrap().pending_messages.push(held);
    let waits = RangeEntry { start: "m".into(), end: "".into(), region: 10 };
    base.stores.get_mut(&2).unwrap().pending_ranges.push(waits);
    base.stores.get_mut(&2).unwrap().plan = Some(PlanUnderWay { step: 3, exits: true });
    type Case<'a> = (&'a str, &'a dyn Fn(&mut View));
    let cases: [Case<'_>; 16] = [
        ("stores/2/plan", &|view| view.stores.get_mut(&2).unwrap().plan = None),
        ("stores/2/plan/step", &|view| {
            view.stores.get_mut(&2).unwrap().plan = Some(PlanUnderWay { step: 4, exits: true });
        }),
        ("stores/2/status", &|view| view.stores.get_mut(&2).unwrap().status = StoreStatus::Down),
        ("stores/2", &|view| view.stores.clear()),
        ("stores/2/regions/1", &|view| view.stores.get_mut(&2).unwrap().peers.clear()),
        ("stores/2/ranges/0/region", &|view| view.stores.get_mut(&2).unwrap().ranges[0].region = 2),
        ("stores/2/pending_ranges", &|view| view.stores.get_mut(&2).unwrap().pending_ranges.clear()),
        ("stores/2/pending_ranges/0/start", &|view| {
            view.stores.get_mut(&2).unwrap().pending_ranges[0].start = "n".into();
        }),
        ("stores/2/pending_messages", &|view| view.stores.get_mut(&2).unwrap().pending_messages.clear()),
        ("stores/2/pending_messages/0/term", &|view| {
            view.stores.get_mut(&2).unwrap().pending_messages[0].term = 7
        }),
        ("pd/next_id", &|view| view.pd.next_id = 14),
        ("pd", &|view| view.pd = PlacementDriver::default()),
        ("held/0", &|view| view.held.clear()),
        ("held/0/range/end", &|view| view.held[0].range.end = "n".into()),
        ("held/0/term", &|view| view.held[0].term = 7),
        ("held/0/message/append/entries/7", &|view| {
            let Message::Append { entries, .. } = &mut view.held[0].message else { unreachable!() };
            entries.pop();
        }),
    ];
    for (path, alter) in cases {
        let mut view = base.clone();
        alter(&mut view);
        let found = differences(&base, &view);
        assert_eq!(found.iter().map(|difference| &difference.path).collect::<Vec<_>>(), [path], "{found:?}");
    }
}

#[test]
fn messages_of_the_placement_driver_are_named() {
    let region = toy::region(&[1, 2]);
    let leader = region.peers[0];
    let order = Order::Propose(Command::TransferLeader { to: 2 });
    let report = Held::region_report(leader, 6, region.clone(), [2].into(), [2].into());
    let plan = Held::recovery_plan(1, whole_plan());
    let of_peer = PeerReport {
        peer: 1,
        region: region.clone(),
        term: 6,
        log: vec![LogPosition { index: 5, term: 5 }],
        commit: 5,
        by_force: false,
        sources: [].into(),
    };
    let carried_out = Held::store_report(1, 4, vec![of_peer]);
    let held = vec![Held::order(1, leader, region.epoch, order), report, plan, carried_out];
    let base = View { held, ..View::default() };
    fn reported(view: &mut View) -> (&mut Region, &mut std::collections::BTreeSet<PeerId>) {
        let Message::RegionReport { region, down, .. } = &mut view.held[1].message else { unreachable!() };
        (region, down)
    }
    type Case<'a> = (&'a str, &'a dyn Fn(&mut View));
    fn planned(view: &mut View) -> &mut RecoveryPlan {
        let Message::RecoveryPlan(plan) = &mut view.held[2].message else { unreachable!() };
        plan
    }
    fn done(view: &mut View) -> (&mut u64, &mut PeerReport) {
        let Message::StoreReport { step, peers } = &mut view.held[3].message else { unreachable!() };
        (step, &mut peers[0])
    }
    let cases: [Case<'_>; 12] = [
        ("held/3/message/store_report/step", &|view| *done(view).0 = 5),
        ("held/3/message/store_report/peers/0/region/peers/2", &|view| done(view).1.region.peers.truncate(1)),
        ("held/3/message/store_report/peers/0/commit", &|view| done(view).1.commit = 6),
        ("held/2/to/store", &|view| view.held[2].to.store = 2),
        ("held/2/message/recovery_plan/step", &|view| planned(view).step = 6),
        ("held/2/message/recovery_plan/creates/0/peers/1", &|view| planned(view).creates[0].peers.clear()),
        ("held/0/epoch/conf_ver", &|view| view.held[0].epoch.conf_ver = 2),
        ("held/0/message/order/propose/transfer_leader/to", &|view| {
            view.held[0].message = Message::Order(Order::Propose(Command::TransferLeader { to: 1 }));
        }),
        ("held/1/term", &|view| view.held[1].term = 7),
        ("held/1/message/region_report/region/epoch/version", &|view| reported(view).0.epoch.version = 2),
        ("held/1/message/region_report/region/peers/2", &|view| reported(view).0.peers.truncate(1)),
        ("held/1/message/region_report/down", &|view| reported(view).1.clear()),
    ];
    for (path, alter) in cases {
        let mut view = base.clone();
        alter(&mut view);
        let found = differences(&base, &view);
        assert_eq!(found.iter().map(|difference| &difference.path).collect::<Vec<_>>(), [path], "{found:?}");
    }
}

#[test]
fn paths_are_sorted_with_numbers_by_value() {
    let stores = |status| View {
        stores: (1..=11).map(|id| (id, Store { status, ..Store::default() })).collect::<BTreeMap<_, _>>(),
        ..View::default()
    };
    let found = differences(&stores(StoreStatus::Up), &stores(StoreStatus::Down));
    let order: Vec<String> = (1..=11).map(|id| format!("stores/{id}/status")).collect();
    assert_eq!(found.into_iter().map(|difference| difference.path).collect::<Vec<_>>(), order);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// `differences` asserts that unequal views differ somewhere.
    #[test]
    fn no_difference_only_between_equals(a in view(), b in view()) {
        prop_assert_eq!(differences(&a, &b).is_empty(), a == b);
        prop_assert!(differences(&a, &a.clone()).is_empty());
    }
}
