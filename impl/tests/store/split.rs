//! Which splits are valid, and what a split does on every store.

use rollcall_impl::{
    Change, ChangeKind, Child, Command, Derive, Epoch, IdAllocator, Input, MemberRole, Output, PeerState,
    Refusal, Region, Sound, StateRole,
};

use crate::cluster::{CHILD, Cluster, REGION, bytes, change, child, put, region, split};

/// Three stores with keys a, h, m and t, led by store 1.
fn three() -> Cluster<Sound> {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    cluster.elect(1);
    for key in ["a", "h", "m", "t"] {
        cluster.propose(1, put(key)).unwrap();
    }
    cluster.settle(1);
    cluster
}

#[test]
fn refused_for_its_own_reason_with_nothing_changed() {
    let mut cluster = three();
    // A second region is here, so that ids other than the region's own may be in use.
    cluster.propose(1, split("p", 3)).unwrap();
    cluster.settle(1);
    cluster.sent.clear();
    let at = |children: &[Child]| Command::Split { children: children.to_vec(), derive: Derive::Left };
    let fits = |key| child(key, 40, &[41, 42, 43]);
    let next = |key| child(key, 50, &[51, 52, 53]);
    let cases = [
        (at(&[]), Refusal::NoSplitKey),
        (at(&[fits("")]), Refusal::SplitKeyEmpty),
        (at(&[fits("p")]), Refusal::SplitKeyAtEnd),
        (at(&[fits("q")]), Refusal::SplitKeyAtEnd),
        (at(&[fits("h"), next("h")]), Refusal::SplitKeysOutOfOrder),
        (at(&[child("h", 40, &[41, 42])]), Refusal::SplitIdsMismatch),
        (at(&[child("h", REGION, &[41, 42, 43])]), Refusal::IdInUse),
        (at(&[child("h", CHILD, &[41, 42, 43])]), Refusal::IdInUse),
        // A peer of this store, a member of its region on another store, an own member.
        (at(&[child("h", 40, &[21, 42, 43])]), Refusal::IdInUse),
        (at(&[child("h", 40, &[41, 23, 43])]), Refusal::IdInUse),
        (at(&[child("h", 40, &[41, 42, 3])]), Refusal::IdInUse),
        (at(&[fits("h"), child("k", 50, &[51, 43, 53])]), Refusal::IdInUse),
    ];
    let (mark, disk) = (cluster.stores[&1].mark(REGION), cluster.stores[&1].engine().clone());
    for (command, expected) in cases {
        assert_eq!(cluster.propose(1, command.clone()), Err(expected), "{command:?}");
    }
    let own = cluster.peer(1).region().epoch;
    for epoch in [
        Epoch { version: own.version - 1, ..own },
        Epoch { version: own.version + 1, ..own },
        Epoch { conf_ver: own.conf_ver - 1, ..own },
        Epoch { conf_ver: own.conf_ver + 1, ..own },
    ] {
        let propose = Input::Propose { region: REGION, command: at(&[fits("h")]), epoch: Some(epoch) };
        assert_eq!(cluster.step(1, propose), Err(Refusal::EpochNotMatch), "{epoch:?}");
    }
    assert_eq!(cluster.propose(2, at(&[fits("h")])), Err(Refusal::NotLeader));
    assert_eq!(cluster.stores[&1].mark(REGION), mark);
    assert_eq!(*cluster.stores[&1].engine(), disk);
    assert!(cluster.sent.is_empty());
    // The right region begins at its own start, and earlier keys are outside.
    for (key, expected) in [("p", Refusal::SplitKeyAtStart), ("h", Refusal::SplitKeyOutside)] {
        let propose = Input::Propose { region: CHILD, command: at(&[fits(key)]), epoch: None };
        assert_eq!(cluster.step(1, propose), Err(expected), "{key}");
    }
    cluster.propose(1, at(&[fits("h"), next("k")])).unwrap();
}

#[test]
fn a_child_on_every_store_with_its_part_of_range_and_data() {
    for (derive, own, theirs) in
        [(Derive::Left, ("[,m)=1 [m,)=2", "ah", "mt"), 1), (Derive::Right, ("[,m)=2 [m,)=1", "mt", "ah"), 1)]
    {
        let mut cluster = three();
        let children = vec![child("m", CHILD, &[21, 22, 23])];
        cluster.propose(1, Command::Split { children, derive }).unwrap();
        cluster.settle(1);
        let (ranges, parent_keys, child_keys) = own;
        for store in 1..=3 {
            assert_eq!(cluster.ranges(store), ranges, "{derive:?} on {store}");
            assert_eq!(cluster.keys(store, REGION), parent_keys, "{derive:?} on {store}");
            assert_eq!(cluster.keys(store, CHILD), child_keys, "{derive:?} on {store}");
            let born = cluster.of(store, CHILD);
            assert_eq!((born.id(), born.state()), (20 + store, PeerState::Normal));
            assert_eq!((born.truncated().index, born.truncated().term), (5, 5));
            for region in [REGION, CHILD] {
                let epoch = cluster.of(store, region).region().epoch;
                assert_eq!(epoch, Epoch { conf_ver: theirs, version: 2 }, "{region} on {store}");
            }
            // The child of the parent's leader campaigned at once, and won.
            assert_eq!((born.leader(), born.term(), born.commit()), (21, 6, 6));
        }
        let write = Input::Propose { region: CHILD, command: put(&child_keys[..1]), epoch: None };
        cluster.step(1, write).unwrap();
        let outside = Input::Propose { region: CHILD, command: put(&parent_keys[..1]), epoch: None };
        assert_eq!(cluster.step(1, outside), Err(Refusal::KeyNotInRegion));
    }
}

#[test]
fn a_batch_divides_in_one_step_and_a_child_is_split_again() {
    let mut cluster = three();
    let children = vec![child("h", 10, &[11, 12, 13]), child("m", 14, &[15, 16, 17])];
    cluster.propose(1, Command::Split { children, derive: Derive::Right }).unwrap();
    cluster.settle(1);
    for store in 1..=3 {
        assert_eq!(cluster.ranges(store), "[,h)=10 [h,m)=14 [m,)=1");
        assert_eq!(cluster.keys(store, 14), "h");
        assert_eq!(cluster.of(store, 14).region().epoch.version, 3);
    }
    let again = Command::Split { children: vec![child("i", 18, &[19, 20, 21])], derive: Derive::Left };
    cluster.step(1, Input::Propose { region: 14, command: again, epoch: None }).unwrap();
    cluster.deliver();
    for store in 1..=3 {
        while cluster.step(store, Input::Apply { region: 14 }).is_ok() {}
        assert_eq!(cluster.ranges(store), "[,h)=10 [h,i)=14 [i,m)=18 [m,)=1");
        assert_eq!(cluster.of(store, 18).region().epoch.version, 4);
    }
}

#[test]
fn a_single_replica_s_child_leads_at_once_and_is_reported() {
    let mut cluster = Cluster::new(Sound, 1, &[1]);
    cluster.elect(1);
    cluster.propose(1, put("m")).unwrap();
    cluster.propose(1, split("m", 1)).unwrap();
    let outputs = cluster.outputs(1, Input::Apply { region: REGION }).unwrap();
    let born = cluster.of(1, CHILD);
    assert_eq!((born.role(), born.term(), born.applied()), (StateRole::Leader, 6, 6));
    let reported = outputs.iter().filter_map(|output| match output {
        Output::RegionHeartbeat { region } => Some(region.clone()),
        _ => None,
    });
    let expected: Vec<Region> = [REGION, CHILD].map(|region| cluster.of(1, region).region().clone()).into();
    assert_eq!(reported.collect::<Vec<_>>(), expected);
}

#[test]
fn joint_roles_and_learners_are_inherited() {
    let mut cluster = Cluster::new(Sound, 4, &[1, 2]);
    cluster.elect(1);
    cluster.propose(1, change(ChangeKind::AddLearner, 4)).unwrap();
    cluster.settle(1);
    // One step of the new configuration. Without a log of its own it would be refused.
    cluster.propose(1, change(ChangeKind::AddLearner, 3)).unwrap();
    cluster.settle(1);
    let change = |kind, store| Change { kind, peer: store, store };
    let joint = vec![change(ChangeKind::AddLearner, 2), change(ChangeKind::AddVoter, 3)];
    cluster.propose(1, Command::EnterJoint(joint)).unwrap();
    cluster.settle(1);
    cluster.propose(1, split("m", 4)).unwrap();
    cluster.settle(1);
    use MemberRole::{DemotingVoter, IncomingVoter, Learner, Voter};
    for store in 1..=4 {
        let born = cluster.of(store, CHILD);
        let roles: Vec<_> =
            born.region().peers.iter().map(|member| (member.id, member.store, member.role)).collect();
        let expected = [(21, 1, Voter), (22, 2, DemotingVoter), (23, 4, Learner), (24, 3, IncomingVoter)];
        assert_eq!(roles, expected, "on {store}");
        assert_eq!(born.leader(), 21, "on {store}");
    }
    // Both halves must agree: the incoming voter alone commits nothing.
    let write = Input::Propose { region: CHILD, command: put("z"), epoch: None };
    cluster.step(1, write).unwrap();
    let before = cluster.of(1, CHILD).commit();
    cluster.sent.retain(|message| message.to.store != 2);
    cluster.deliver();
    assert_eq!(cluster.of(1, CHILD).commit(), before);
    // The child leaves the joint configuration by itself.
    let _ = cluster.step(1, Input::Tick { region: CHILD });
    cluster.deliver();
    cluster.step(1, Input::Propose { region: CHILD, command: Command::LeaveJoint, epoch: None }).unwrap();
    cluster.deliver();
    cluster.step(1, Input::Apply { region: CHILD }).unwrap();
    assert!(!cluster.of(1, CHILD).region().is_joint() && cluster.peer(1).region().is_joint());
}

/// TiKV's `CmdEpochChecker`.
#[test]
fn proposals_wait_for_a_pending_change_of_their_epoch() {
    let mut cluster = three();
    cluster.propose(1, split("m", 3)).unwrap();
    let again = Command::Split { children: vec![child("h", 40, &[41, 42, 43])], derive: Derive::Left };
    for command in [put("a"), Command::Delete { key: bytes("a") }, again.clone()] {
        assert_eq!(cluster.propose(1, command), Err(Refusal::EpochChanging));
    }
    // A conf change checks only conf_ver, and a later split waits for it.
    cluster.propose(1, change(ChangeKind::Remove, 3)).unwrap();
    assert_eq!(
        cluster.propose(1, change(ChangeKind::Remove, 2)),
        Err(Refusal::PendingConfChange),
        "said first"
    );
    cluster.deliver();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    cluster.propose(1, put("a")).unwrap();
    assert_eq!(cluster.propose(1, again), Err(Refusal::EpochChanging));
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    let after = Command::Split { children: vec![child("h", 40, &[41, 42])], derive: Derive::Left };
    cluster.propose(1, after).unwrap();
}

/// A new leader does not know the proposals of the old one. The second of two splits finds the
/// region at another epoch and has no effect.
#[test]
fn a_late_split_has_no_effect() {
    let mut cluster = three();
    cluster.propose(1, split("m", 3)).unwrap();
    cluster.deliver();
    cluster.elect(2);
    let other = Command::Split { children: vec![child("h", 40, &[41, 42, 43])], derive: Derive::Left };
    cluster.propose(2, other).unwrap();
    cluster.propose(2, put("b")).unwrap_err();
    cluster.settle(2);
    for store in 1..=3 {
        assert_eq!(cluster.ranges(store), "[,m)=1 [m,)=2", "on {store}");
        assert_eq!(cluster.peer(store).region().epoch.version, 2);
        assert_eq!(cluster.peer(store).applied(), cluster.peer(2).commit());
        assert!(cluster.stores[&store].peer(40).is_none());
    }
}

/// TiKV validates a split order by its version alone, before it asks PD for ids.
#[test]
fn a_split_that_pd_ordered_under_another_version_is_refused() {
    let mut cluster = three();
    let known = cluster.peer(1).region().epoch;
    let order = |key: &str, epoch| Input::AskSplit {
        region: REGION,
        keys: vec![bytes(key)],
        derive: Derive::Right,
        ordered_at: Some(epoch),
    };
    let older = Epoch { version: known.version - 1, ..known };
    assert_eq!(cluster.outputs(1, order("m", older)), Err(Refusal::EpochNotMatch));
    let newer = Epoch { version: known.version + 1, ..known };
    assert_eq!(cluster.outputs(1, order("m", newer)), Err(Refusal::EpochNotMatch));
    let other_members = Epoch { conf_ver: known.conf_ver + 1, ..known };
    for epoch in [known, other_members] {
        let asked = cluster.outputs(1, order("m", epoch)).unwrap();
        assert!(matches!(asked[..], [Output::AskSplit { .. }]), "{asked:?}");
    }
}

#[test]
fn a_split_key_outside_the_region_is_refused_before_pd_is_asked() {
    let mut cluster = three();
    cluster.propose(1, split("m", 3)).unwrap();
    cluster.settle(1);
    let range = cluster.peer(1).region().range();
    let ask = |key: &str| Input::AskSplit {
        region: REGION,
        keys: vec![bytes(key)],
        derive: Derive::Right,
        ordered_at: None,
    };
    for key in ["a", "x"] {
        let inside = range.contains(key.as_bytes());
        assert_eq!(cluster.outputs(1, ask(key)).is_ok(), inside, "{key} in {range:?}");
    }
}

#[test]
fn an_answer_for_the_peers_of_another_epoch_is_refused() {
    let mut cluster = three();
    let ask =
        Input::AskSplit { region: REGION, keys: vec![bytes("m")], derive: Derive::Right, ordered_at: None };
    assert_eq!(cluster.outputs(2, ask.clone()), Err(Refusal::NotLeader));
    for (keys, expected) in
        [(vec![], Refusal::NoSplitKey), (vec![bytes("m"), bytes("")], Refusal::SplitKeyEmpty)]
    {
        let ask = Input::AskSplit { region: REGION, keys, derive: Derive::Right, ordered_at: None };
        assert_eq!(cluster.outputs(1, ask), Err(expected));
    }
    let asked = cluster.outputs(1, ask.clone()).unwrap();
    let [Output::AskSplit { region: known, keys, derive, to }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((known, to.id, to.store), (cluster.peer(1).region(), 1, 1));
    let mut allocator = IdAllocator { next_id: 100 };
    let children = allocator.allot(known, keys);
    assert_eq!(children, [child("m", 100, &[101, 102, 103])]);
    assert_eq!(allocator.next_id, 104);
    let answer = Input::AskSplitResponse {
        region: REGION,
        epoch: known.epoch,
        children: children.clone(),
        derive: *derive,
    };

    cluster.propose(1, change(ChangeKind::Remove, 3)).unwrap();
    cluster.settle(1);
    assert_eq!(cluster.step(1, answer), Err(Refusal::EpochNotMatch));
    // Requested again, it fits.
    let asked = cluster.outputs(1, ask).unwrap();
    let [Output::AskSplit { region: known, keys, derive, .. }] = &asked[..] else { panic!("{asked:?}") };
    let (epoch, children) = (known.epoch, allocator.allot(known, keys));
    cluster.step(1, Input::AskSplitResponse { region: REGION, epoch, children, derive: *derive }).unwrap();
    cluster.settle(1);
    assert_eq!(cluster.ranges(2), "[,m)=104 [m,)=1");
}

#[test]
fn reads_answer_for_the_region_that_they_were_computed_on() {
    let mut cluster = three();
    let read = |key| Input::Read { region: REGION, key: bytes(key) };
    let answer = Input::AnswerRead { region: REGION };
    cluster.step(1, read("t")).unwrap();
    cluster.deliver();
    let before = cluster.peer(1).region().clone();
    let expected = Output::Value { key: bytes("t"), value: Some(bytes("t")), region: before.clone() };
    assert_eq!(cluster.outputs(1, answer.clone()), Ok(vec![expected]));
    // A pending read ends with the range that it was requested in.
    cluster.step(1, read("t")).unwrap();
    cluster.deliver();
    assert!(cluster.peer(1).read().is_some_and(|read| read.ready));
    cluster.propose(1, split("m", 3)).unwrap();
    cluster.deliver();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    assert!(cluster.peer(1).read().is_none());
    assert_eq!(cluster.step(1, answer.clone()), Err(Refusal::NoReadReady));
    assert_eq!(cluster.step(1, read("t")), Err(Refusal::KeyNotInRegion));
    // A read that no quorum had confirmed leaves nothing behind in raft.
    cluster.settle(1);
    cluster.step(1, read("a")).unwrap();
    cluster.deliver();
    assert!(matches!(&cluster.outputs(1, answer).unwrap()[..], [Output::Value { value: Some(_), .. }]));
}

#[test]
fn a_read_without_a_key_takes_all() {
    let mut cluster = three();
    cluster.propose(1, split("m", 3)).unwrap();
    cluster.settle(1);
    cluster.step(1, Input::Snap { region: CHILD }).unwrap();
    assert!(cluster.of(1, CHILD).read().is_some_and(|read| read.key.is_none()));
    cluster.deliver();
    let answered = cluster.outputs(1, Input::AnswerRead { region: CHILD }).unwrap();
    let [Output::Snap { region, data }] = &answered[..] else { panic!("{answered:?}") };
    assert_eq!(region, cluster.of(1, CHILD).region());
    assert!(data.keys().eq([&bytes("m"), &bytes("t")]));
}

#[test]
fn a_deleted_key_is_gone_everywhere() {
    let mut cluster = three();
    cluster.propose(1, Command::Delete { key: bytes("h") }).unwrap();
    cluster.propose(1, Command::Delete { key: bytes("z") }).unwrap();
    cluster.settle(1);
    for store in 1..=3 {
        assert_eq!(cluster.keys(store, REGION), "amt");
        cluster.restart(Sound, store);
        assert_eq!(cluster.keys(store, REGION), "amt");
    }
}

#[test]
fn regions_of_one_store_may_not_overlap_from_the_beginning() {
    let mut cluster = Cluster::new(Sound, 1, &[1]);
    let store = cluster.stores.get_mut(&1).unwrap();
    let other = Region { id: 9, start: bytes("m"), ..region(&[1]) };
    let error = store.bootstrap(other).unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::RangeOverlap));
    assert_eq!(cluster.ranges(1), "[,)=1");
}
