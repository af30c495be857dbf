//! Forged violations of the placement driver's promises, each with a near miss.

use rollcall_traces::{
    Action, HistoryParts, Key, Liveness, Member, MemberRole, Operator, OperatorStep, Purpose, Reply, Seat,
    StoreState, View,
};

use super::super::forge::*;
use super::*;

/// Four stores and PD; peer 3 was replaced by peer 4 at conf_ver 2, which
/// store 1 has applied and reported.
fn replaced() -> View {
    with(&governed(4), |view| {
        view.stores.get_mut(&4).unwrap().peers.clear();
        reindex(view);
        append(view, 1, empty(6));
        commit(view, 1, 6);
        peer(view, 1).region = without_three();
        believe(view, without_three());
        known(view, 3).state = StoreState::Offline;
    })
}

fn without_three() -> Region {
    let peers = [1, 2, 4].map(|id| Member { id, store: id, role: MemberRole::Voter });
    Region { epoch: Epoch { conf_ver: 2, version: 1 }, peers: peers.into(), ..three_voters() }
}

/// PD finds store 3 empty in `before`; then there is `after`.
fn buried(before: &View, after: impl FnOnce(&mut View)) -> Result<(), Violation> {
    let tomb = with(before, |view| known(view, 3).state = StoreState::Tombstone);
    let mut history = History::begin(HistoryParts::ALL, before);
    follow(&mut history, before, Action::CheckStores, &tomb);
    let last = with(&tomb, after);
    follow(&mut history, &tomb, REPORT, &last);
    tombstone_store_empty(&last, &history)
}

const REPORT: Action = Action::RegionHeartbeat { region: 1, store: 1, reply: Reply::Delivered };

#[test]
fn a_store_that_is_buried_with_a_member() {
    let offline = with(&governed(4), |view| known(view, 3).state = StoreState::Offline);
    let violation = buried(&offline, |_| {}).unwrap_err();
    assert_eq!(violation.region, Some(1));
    assert!(
        violation.what.contains("store 3 is Tombstone and has no member up to conf_ver 1"),
        "{violation}"
    );
    assert!(violation.what.contains("PD now has"), "{violation}");
    assert_eq!(buried(&replaced(), |_| {}), Ok(()));
}

#[test]
fn a_member_that_pd_believes_in_after_the_burial() {
    let at = |conf_ver| {
        buried(&replaced(), |view| {
            believe(view, Region { epoch: Epoch { conf_ver, version: 2 }, ..three_voters() });
        })
    };
    assert!(at(2).is_err(), "a conf_ver that PD has known without it");
    assert!(at(1).is_err());
    assert_eq!(at(3), Ok(()), "a learner whose adding PD did not know of");
}

#[test]
fn a_recreated_region_lists_the_store() {
    let recreated = |end: &str| {
        let meta = Region { end: Key::from(end), ..three_voters() };
        buried(&replaced(), |view| believe(view, meta))
    };
    assert_eq!(recreated("m"), Ok(()));
    assert!(recreated("").is_err(), "every key: the first region of a cluster, come late");
    let first = with(&governed(4), |view| {
        believe(view, Region { end: Key::from("m"), ..three_voters() });
        known(view, 3).state = StoreState::Offline;
    });
    assert!(buried(&first, |_| {}).is_err(), "it is what PD knew at the burial");
}

#[test]
fn a_member_in_what_is_applied() {
    let violation = buried(&replaced(), |view| peer(view, 1).region = three_voters()).unwrap_err();
    assert!(violation.what.contains("applied is"), "{violation}");
    let same = Region { epoch: without_three().epoch, ..three_voters() };
    assert!(buried(&replaced(), |view| peer(view, 2).region = same).is_err());
    let newer = Region { epoch: Epoch { conf_ver: 3, version: 1 }, ..three_voters() };
    assert_eq!(buried(&replaced(), |view| peer(view, 2).region = newer), Ok(()));
    assert!(buried(&replaced(), |view| write_tombstone(view, 1, three_voters())).is_err());
}

/// Stores 2 and 3 have not applied what store 1 had, and store 1's disk is lost.
#[test]
fn the_only_one_that_had_applied_the_removal_is_gone() {
    assert_eq!(buried(&replaced(), |view| lose_disk(view, 1)), Ok(()));
    let same = Region { epoch: without_three().epoch, ..three_voters() };
    let forged = buried(&replaced(), |view| {
        lose_disk(view, 1);
        peer(view, 2).region = same;
    });
    assert!(forged.is_err(), "of one conf_ver there is one configuration");
}

/// No replica shows that the removal was applied, and the lost disk never had a peer of the region.
#[test]
fn a_member_that_is_left_while_another_disk_is_lost() {
    let of_five = |view: &mut View| {
        view.stores.insert(5, Default::default());
        peer(view, 1).region = three_voters();
        lose_disk(view, 5);
    };
    let violation = buried(&replaced(), of_five).unwrap_err();
    assert!(violation.what.contains("applied is"), "{violation}");
    let of_the_region = |view: &mut View| {
        of_five(view);
        lose_disk(view, 4);
    };
    assert_eq!(buried(&replaced(), of_the_region), Ok(()), "peer 4 may have applied it");
}

#[test]
fn a_region_that_pd_did_not_know_at_the_burial() {
    let judged = buried(&replaced(), |view| {
        split_off(view);
        let (_, child) = halves();
        view.pd.regions.insert(CHILD, believed(child));
    });
    assert_eq!(judged, Ok(()));
    let known_before = with(&replaced(), |view| {
        let (_, child) = halves();
        view.pd.regions.insert(CHILD, believed(child));
    });
    assert_eq!(buried(&known_before, split_off).unwrap_err().region, Some(CHILD));
}

/// Every store has the child, with a member on store 3.
fn split_off(view: &mut View) {
    let split = three_split();
    for (store, had) in split.stores {
        let child = had.peers[&CHILD].clone();
        view.stores.get_mut(&store).unwrap().peers.insert(CHILD, child);
    }
}

#[test]
fn a_store_that_is_offline_may_have_members() {
    let mut history = History::begin(HistoryParts::ALL, &replaced());
    let back = with(&replaced(), |view| believe(view, three_voters()));
    follow(&mut history, &replaced(), REPORT, &back);
    assert_eq!(tombstone_store_empty(&back, &history), Ok(()));
}

/// What the step from `before` to `after` violates.
fn after_step(action: Action, before: &View, after: &View) -> Vec<Property> {
    let mut history = History::begin(HistoryParts::ALL, before);
    follow(&mut history, before, action, after);
    let violated = |property: &Property| property.check(after, &history).is_err();
    Property::ALL.iter().copied().filter(violated).collect()
}

fn operator(purpose: Purpose, step: OperatorStep) -> Operator {
    Operator { purpose, epoch: three_voters().epoch, steps: vec![step], done: 0 }
}

#[test]
fn a_plan_that_takes_the_majority() {
    let silent = with(&governed(3), |view| known(view, 3).liveness = Liveness::Down);
    let plan = |before: &View, peer| {
        let remove = OperatorStep::RemovePeer(Seat { store: peer, peer });
        let after = with(before, |view| {
            view.pd.operators.insert(1, operator(Purpose::AdminRemovePeer, remove));
        });
        after_step(Action::CheckStores, before, &after)
    };
    assert_eq!(plan(&silent, 2), [Property::NoUnsafePlan]);
    assert_eq!(plan(&silent, 3), []);
    assert_eq!(plan(&governed(3), 2), []);
}

#[test]
fn an_operator_that_is_displaced() {
    let transfer = |to, purpose| {
        with(&governed(3), |view| {
            let step = OperatorStep::TransferLeader { to };
            view.pd.operators.insert(1, operator(purpose, step));
        })
    };
    let patrol = transfer(2, Purpose::LeaveJoint);
    let other = transfer(3, Purpose::LeaveJoint);
    let admin = transfer(3, Purpose::AdminTransferLeader);
    let action = Action::Schedule { region: 1, reply: Reply::Dropped };
    assert_eq!(after_step(action.clone(), &patrol, &other), [Property::OneOperator]);
    assert_eq!(after_step(action, &patrol, &admin), []);
}

#[test]
fn a_tombstone_that_rises() {
    let tomb = with(&replaced(), |view| known(view, 3).state = StoreState::Tombstone);
    let up = with(&tomb, |view| known(view, 3).state = StoreState::Up);
    let gone = with(&tomb, |view| view.pd.stores.retain(|store, _| *store != 3));
    let action = Action::CancelDecommission { store: 3 };
    assert_eq!(after_step(action.clone(), &tomb, &up), [Property::TombstoneAbsorbing]);
    assert_eq!(after_step(action, &tomb, &gone), []);
}

#[test]
fn a_destroyed_store_that_comes_back() {
    let gone = with(&replaced(), |view| known(view, 3).physically_destroyed = true);
    let action = Action::CancelDecommission { store: 3 };
    assert_eq!(after_step(action.clone(), &gone, &replaced()), [Property::TombstoneAbsorbing]);
    let forced = Action::Decommission { store: 3, force: true };
    assert_eq!(after_step(forced, &replaced(), &gone), []);
}

#[test]
fn a_record_that_is_removed_too_early() {
    let removal = |before: &View| {
        let tomb = with(before, |view| known(view, 3).state = StoreState::Tombstone);
        let removed = with(&tomb, |view| view.pd.stores.retain(|store, _| *store != 3));
        after_step(Action::RemoveTombstone { store: 3 }, &tomb, &removed)
    };
    assert_eq!(removal(&governed(3)), [Property::TombstoneStoreEmpty], "region 1 lists peer 3");
    assert_eq!(removal(&replaced()), []);
}

#[test]
fn a_belief_that_goes_back() {
    let back = with(&replaced(), |view| believe(view, three_voters()));
    assert_eq!(after_step(REPORT, &replaced(), &back), [Property::PdView]);
    assert_eq!(after_step(REPORT, &back, &replaced()), []);
}

/// The same members and range, reported by the leader of an older term.
#[test]
fn a_leader_of_an_older_term_that_is_believed() {
    let led = |leader, term| {
        with(&governed(3), |view| {
            let known = view.pd.regions.get_mut(&1).expect("PD knows it");
            (known.leader, known.term) = (leader, term);
        })
    };
    assert_eq!(after_step(REPORT, &led(2, 7), &led(1, 6)), [Property::PdView]);
    assert_eq!(after_step(REPORT, &led(1, 6), &led(2, 7)), []);
    assert_eq!(after_step(Action::PdRestart, &led(2, 7), &led(0, 0)), [], "it knows of none");
    assert_eq!(after_step(REPORT, &led(0, 0), &led(1, 6)), [], "and takes the first that reports");
}

/// A region is forgotten, with or without its operator.
#[test]
fn an_operator_that_outlives_its_region() {
    let has = |region: bool, operators: bool| {
        with(&governed(3), |view| {
            let step = OperatorStep::TransferLeader { to: 2 };
            view.pd.operators.insert(1, operator(Purpose::LeaveJoint, step));
            view.pd.regions.retain(|_, _| region);
            view.pd.operators.retain(|_, _| operators);
        })
    };
    assert_eq!(after_step(REPORT, &has(true, true), &has(false, true)), [Property::OneOperator]);
    assert_eq!(after_step(REPORT, &has(true, true), &has(false, false)), []);
    assert_eq!(after_step(REPORT, &has(true, false), &has(true, true)), []);
}

fn judged(view: &View) -> Result<(), Violation> {
    pd_view(view, &History::begin(HistoryParts::ALL, view))
}

#[test]
fn a_belief_in_what_nobody_has_applied() {
    let at = |conf_ver, version| Region { epoch: Epoch { conf_ver, version }, ..three_voters() };
    for ahead in [at(2, 1), at(1, 2)] {
        let view = with(&governed(3), |view| believe(view, ahead));
        assert!(judged(&view).unwrap_err().what.contains("no peer has applied"));
        let lost = with(&view, |view| lose_disk(view, 3));
        assert_eq!(judged(&lost), Ok(()), "store 3 may have had it");
    }
    assert_eq!(judged(&governed(3)), Ok(()));
    assert_eq!(judged(&replaced()), Ok(()), "store 1 has");
    let by_tombstone = with(&replaced(), |view| {
        peer(view, 1).region = three_voters();
        write_tombstone(view, 3, without_three());
    });
    assert_eq!(judged(&by_tombstone), Ok(()), "the one that was removed has");
    let unknown = with(&governed(3), |view| {
        view.pd.regions.insert(CHILD, believed(halves().1));
    });
    assert_eq!(judged(&unknown).unwrap_err().region, Some(CHILD));
}

/// Four stores. No replica shows that the last one ever had a peer of region 1. PD is ahead, and
/// then that disk is lost.
#[test]
fn a_belief_ahead_while_a_disk_is_lost() {
    let ahead = |view: &mut View| {
        believe(view, Region { epoch: Epoch { conf_ver: 3, version: 1 }, ..three_voters() });
    };
    let elsewhere = with(&governed(4), |view| {
        view.stores.get_mut(&4).unwrap().peers.clear();
        reindex(view);
        ahead(view);
        lose_disk(view, 4);
    });
    assert!(judged(&elsewhere).unwrap_err().what.contains("no peer has applied"));

    let with_four = Region { epoch: Epoch { conf_ver: 2, version: 1 }, ..without_three() };
    let by_pd = with(&elsewhere, |view| believe(view, with_four.clone()));
    assert_eq!(judged(&by_pd), Ok(()), "PD lists a peer there");
    let by_replica = with(&elsewhere, |view| peer(view, 1).region = with_four.clone());
    assert_eq!(judged(&by_replica), Ok(()), "a replica lists a peer there");
    let by_tombstone = with(&elsewhere, |view| write_tombstone(view, 3, with_four.clone()));
    assert_eq!(judged(&by_tombstone), Ok(()), "whoever removed the reporter may have been there");

    // Only store 4 had applied the configuration that brought it there.
    let had = with(&governed(4), |view| {
        peer(view, 4).region = with_four.clone();
        ahead(view);
    });
    let history = History::begin(HistoryParts::ALL, &had);
    assert!(pd_view(&had, &history).is_err(), "it is there, and has applied less");
    let gone = with(&had, |view| lose_disk(view, 4));
    let mut after = history.clone();
    follow(&mut after, &had, Action::LoseDisk { store: 4 }, &gone);
    assert_eq!(pd_view(&gone, &after), Ok(()), "the history lists a peer there");
    assert!(judged(&gone).is_err(), "nothing does");
}

/// Peer 3 reported, was removed as its tombstone shows, and comes again.
#[test]
fn a_belief_that_a_hidden_tombstone_shows() {
    let removed = with(&replaced(), |view| {
        peer(view, 1).region = three_voters();
        write_tombstone(view, 3, without_three());
    });
    let history = History::begin(HistoryParts::ALL, &removed);
    let again = with(&removed, |view| create(view, 3, 13));
    let mut after = history.clone();
    follow(&mut after, &removed, replicate(1, 3, Reply::Delivered), &again);
    let belief = |history: &History| pd_view(&again, history);
    assert_eq!(belief(&after), Ok(()));
    let nobody = History::begin(HistoryParts::ALL, &again);
    assert!(belief(&nobody).unwrap_err().what.contains("no peer has applied"));
}

#[test]
fn a_belief_beside_what_is_applied() {
    let view = with(&replaced(), |view| peer(view, 2).region.epoch.version = 2);
    let violation = judged(&view).unwrap_err();
    assert!(violation.what.contains("store 2 has {conf_ver 1, version 2}, neither ahead"), "{violation}");
    let behind = with(&replaced(), |view| peer(view, 2).region = without_three());
    assert_eq!(judged(&behind), Ok(()));
}
