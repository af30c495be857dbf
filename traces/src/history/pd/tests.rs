//! Every record and breach of the placement driver's history, with a forged step that shows it and
//! a near miss.

use super::*;
use crate::history::{History, HistoryParts};
use crate::outcome::{Outcome, Reason};
use crate::pd::{AdminOperator, Purpose, Seat, WaitingOperator};
use crate::region::{Key, Member};
use crate::round::Reply;
use crate::view::View;

/// Region 1 on the first three of four stores, at epoch {3, 1}, led by peer 1.
fn pd() -> PlacementDriver {
    let known = KnownStore {
        state: StoreState::Up,
        physically_destroyed: false,
        liveness: Liveness::Connected,
        full: false,
    };
    let voter = |id| Member { id, store: id, role: MemberRole::Voter };
    let region = Region {
        epoch: Epoch { conf_ver: 3, version: 1 },
        peers: (1..=3).map(voter).collect(),
        ..Region::unknown(1)
    };
    let believed = KnownRegion { region, leader: 1, term: 6, pending: [].into(), down: [].into() };
    PlacementDriver {
        next_id: 10,
        stores: (1..=4).map(|store| (store, known)).collect(),
        regions: [(1, believed)].into(),
        operators: BTreeMap::new(),
        waiting: Vec::new(),
        relearns: false,
        recovery: None,
        recovery_step: 0,
    }
}

fn with(pd: &PlacementDriver, change: impl FnOnce(&mut PlacementDriver)) -> PlacementDriver {
    let mut pd = pd.clone();
    change(&mut pd);
    pd
}

fn seen(pd: &PlacementDriver) -> View {
    View { pd: pd.clone(), ..View::default() }
}

const PD: HistoryParts = HistoryParts { pd: true, ..HistoryParts::NONE };

/// The history after `states` in turn, each by `action`.
fn folded(action: &Action, states: &[&PlacementDriver]) -> History {
    let mut history = History::begin(PD, &seen(states[0]));
    for pair in states.windows(2) {
        history.fold(&seen(pair[0]), action, &Outcome::DONE, &seen(pair[1]));
    }
    history
}

fn breaches(action: &Action, before: &PlacementDriver, after: &PlacementDriver) -> Vec<Breach> {
    folded(action, &[before, after]).breaches().to_vec()
}

fn bury_store(pd: &mut PlacementDriver, store: StoreId) {
    pd.stores.get_mut(&store).expect("a record").state = StoreState::Tombstone;
}

fn set_epoch(pd: &mut PlacementDriver, conf_ver: u64, version: u64) {
    pd.regions.get_mut(&1).expect("region 1").region.epoch = Epoch { conf_ver, version };
}

const REPORT: Action = Action::RegionHeartbeat { region: 1, store: 1, reply: Reply::Delivered };
const SCHEDULE: Action = Action::Schedule { region: 1, reply: Reply::Delivered };

fn buried(history: &History, store: StoreId) -> Vec<(RegionId, u64)> {
    history.buried(store).collect()
}

/// The record of `store` after it is buried and PD then becomes `after`.
fn remembered(store: StoreId, after: impl FnOnce(&mut PlacementDriver)) -> Vec<(RegionId, u64)> {
    let tomb = with(&pd(), |pd| bury_store(pd, store));
    buried(&folded(&REPORT, &[&pd(), &tomb, &with(&tomb, after)]), store)
}

/// Adds a member on store 4 to PD's region.
fn add_member(pd: &mut PlacementDriver) {
    let member = Member { id: 4, store: 4, role: MemberRole::Learner };
    pd.regions.get_mut(&1).unwrap().region.peers.push(member);
}

#[test]
fn a_store_that_is_buried_with_a_member() {
    let after = with(&pd(), |pd| bury_store(pd, 3));
    let history = folded(&Action::CheckStores, &[&pd(), &after]);
    assert_eq!(buried(&history, 3), [(1, 3)]);
    assert!(buried(&history, 4).is_empty() && history.breaches().is_empty());
    assert_eq!(History::begin(PD, &seen(&after)), history, "a scope may begin with a Tombstone");
    let offline = with(&pd(), |pd| pd.stores.get_mut(&3).unwrap().state = StoreState::Offline);
    assert_eq!(folded(&REPORT, &[&pd(), &offline]), History::begin(PD, &seen(&pd())));
    assert_eq!(remembered(3, |pd| set_epoch(pd, 3, 2)), [(1, 3)]);
    assert_eq!(remembered(3, |pd| set_epoch(pd, 4, 1)), [], "of what is newer nothing was promised");
}

/// The store is empty: PD's region shows it until the region changes.
#[test]
fn only_what_pd_does_not_show_is_remembered_of_a_burial() {
    let nothing: [(RegionId, u64); 0] = [];
    assert_eq!(remembered(4, |_| {}), nothing);
    assert_eq!(remembered(4, |pd| set_epoch(pd, 5, 1)), nothing);
    assert_eq!(remembered(4, |pd| pd.regions.clear()), [(1, 3)]);
    assert_eq!(remembered(4, |pd| set_epoch(pd, 2, 1)), [(1, 3)], "it went back");
    let learner = |conf_ver| {
        remembered(4, |pd| {
            add_member(pd);
            set_epoch(pd, conf_ver, 1);
        })
    };
    assert_eq!((learner(3), learner(2)), (vec![(1, 3)], vec![(1, 3)]));
    assert_eq!(learner(4), nothing);
    let recreated = |end: &str| {
        remembered(4, |pd| {
            add_member(pd);
            set_epoch(pd, 1, 1);
            pd.regions.get_mut(&1).unwrap().region.end = Key::from(end);
        })
    };
    assert_eq!((recreated("m"), recreated("")), (vec![], vec![(1, 3)]));
}

/// PD forgets the region that it knew at the burial, or has learned since.
#[test]
fn a_region_that_pd_forgets_and_learns_of_again() {
    let tomb = with(&pd(), |pd| bury_store(pd, 4));
    let lost = with(&tomb, |pd| pd.regions.clear());
    let at = |conf_ver| with(&tomb, |pd| set_epoch(pd, conf_ver, 1));
    assert_eq!(buried(&folded(&REPORT, &[&pd(), &tomb, &lost, &at(2)]), 4), [(1, 3)]);
    for conf_ver in [3, 4] {
        let history = folded(&REPORT, &[&pd(), &tomb, &lost, &at(conf_ver)]);
        assert_eq!(history, History::begin(PD, &seen(&pd())), "nothing is left of it");
    }
    let unknown = with(&pd(), |pd| pd.regions.clear());
    assert_eq!(buried(&folded(&REPORT, &[&unknown, &lost]), 4), [], "nothing was known");
    assert_eq!(buried(&folded(&REPORT, &[&unknown, &lost, &at(5), &lost]), 4), [(1, 5)]);
    let listed = with(&at(5), add_member);
    assert_eq!(buried(&folded(&REPORT, &[&unknown, &lost, &listed, &lost]), 4), []);
}

#[test]
fn a_burial_is_forgotten_with_the_record() {
    let tomb = with(&pd(), |pd| bury_store(pd, 3));
    let removed = with(&tomb, |pd| pd.stores.retain(|store, _| *store != 3));
    let rose = with(&tomb, |pd| pd.stores.get_mut(&3).unwrap().state = StoreState::Up);
    let remove = Action::RemoveTombstone { store: 3 };
    assert_eq!(buried(&folded(&remove, &[&pd(), &tomb, &removed]), 3), []);
    // PD knows a member on this store, and none on store 4.
    assert_eq!(breaches(&remove, &tomb, &removed), [Breach::RecordRemoved { region: 1, store: 3 }]);
    assert_eq!(buried(&folded(&REPORT, &[&pd(), &tomb, &rose]), 3), []);
}

#[test]
fn a_tombstone_that_rises() {
    let tomb = with(&pd(), |pd| bury_store(pd, 4));
    let cancel = Action::CancelDecommission { store: 4 };
    for state in [StoreState::Up, StoreState::Offline] {
        let rose = with(&tomb, |pd| pd.stores.get_mut(&4).unwrap().state = state);
        assert_eq!(breaches(&cancel, &tomb, &rose), [Breach::TombstoneRose { store: 4 }]);
    }
    let removed = with(&tomb, |pd| pd.stores.retain(|store, _| *store != 4));
    assert_eq!(breaches(&cancel, &tomb, &removed), []);
    let offline = with(&pd(), |pd| pd.stores.get_mut(&4).unwrap().state = StoreState::Offline);
    assert_eq!(breaches(&cancel, &offline, &pd()), [], "a decommission that is cancelled");
}

#[test]
fn a_destroyed_store_that_comes_back() {
    let gone = with(&pd(), |pd| {
        let known = pd.stores.get_mut(&4).unwrap();
        (known.state, known.physically_destroyed) = (StoreState::Offline, true);
    });
    let cancel = Action::CancelDecommission { store: 4 };
    assert_eq!(breaches(&cancel, &gone, &pd()), [Breach::DestroyedReturned { store: 4 }]);
    let buried = with(&gone, |pd| bury_store(pd, 4));
    assert_eq!(breaches(&Action::CheckStores, &gone, &buried), []);
    let removed = with(&buried, |pd| pd.stores.retain(|store, _| *store != 4));
    assert_eq!(breaches(&Action::RemoveTombstone { store: 4 }, &buried, &removed), []);
}

#[test]
fn a_record_that_is_removed_too_early() {
    let removal = |store| {
        let tomb = with(&pd(), |pd| bury_store(pd, store));
        let removed = with(&tomb, |pd| pd.stores.retain(|other, _| *other != store));
        breaches(&Action::RemoveTombstone { store }, &tomb, &removed)
    };
    assert_eq!(removal(1), [Breach::RecordRemoved { region: 1, store: 1 }]);
    assert_eq!(removal(4), [], "no region has a member there");
}

#[test]
fn a_belief_that_goes_back() {
    let newer = with(&pd(), |pd| set_epoch(pd, 3, 2));
    for (conf_ver, version) in [(2, 2), (3, 1), (4, 1), (2, 3)] {
        let back = with(&pd(), |pd| set_epoch(pd, conf_ver, version));
        let (from, to) = (newer.regions[&1].region.epoch, back.regions[&1].region.epoch);
        assert_eq!(breaches(&REPORT, &newer, &back), [Breach::PdWentBack { region: 1, from, to }]);
    }
    for (conf_ver, version) in [(3, 3), (4, 2), (5, 4)] {
        let on = with(&pd(), |pd| set_epoch(pd, conf_ver, version));
        assert_eq!(breaches(&REPORT, &newer, &on), []);
    }
    let forgotten = with(&newer, |pd| pd.regions.clear());
    assert_eq!(breaches(&REPORT, &newer, &forgotten), []);
}

/// Only with part of the keys: a new cluster's region has the first epoch and every key
/// (tikv#3868).
#[test]
fn a_region_that_was_recreated_begins_anew() {
    let first = with(&pd(), |pd| set_epoch(pd, 1, 1));
    assert_eq!(breaches(&REPORT, &pd(), &first).len(), 1);
    let recreated = with(&first, |pd| pd.regions.get_mut(&1).unwrap().region.end = Key::from("m"));
    assert_eq!(breaches(&REPORT, &pd(), &recreated), []);
}

fn seat(id: u64) -> Seat {
    Seat { store: id, peer: id }
}

/// PD after it created an operator with these steps in `before`.
fn planned(before: &PlacementDriver, purpose: Purpose, steps: Vec<OperatorStep>) -> PlacementDriver {
    let epoch = before.regions[&1].region.epoch;
    with(before, |pd| drop(pd.operators.insert(1, Operator { purpose, epoch, steps, done: 0 })))
}

fn plan_breaches(before: &PlacementDriver, steps: Vec<OperatorStep>) -> Vec<Breach> {
    breaches(&SCHEDULE, before, &planned(before, Purpose::RemoveOrphanPeer, steps))
}

/// Store 3 is Down; peers 1 and 2 are live.
fn one_down() -> PlacementDriver {
    with(&pd(), |pd| pd.stores.get_mut(&3).unwrap().liveness = Liveness::Down)
}

#[test]
fn a_plan_that_takes_one_of_two_live_voters_of_three() {
    let unsafe_plan = |store| vec![Breach::UnsafePlan { region: 1, store, peer: store }];
    let remove = |id| vec![OperatorStep::RemovePeer(seat(id))];
    assert_eq!(plan_breaches(&one_down(), remove(2)), unsafe_plan(2));
    assert_eq!(plan_breaches(&one_down(), remove(3)), [], "the dead one may go");
    assert_eq!(plan_breaches(&pd(), remove(2)), [], "two of two are left");
    let jointly = |demote: &[u64]| {
        let demote: Vec<Seat> = demote.iter().map(|id| seat(*id)).collect();
        vec![
            OperatorStep::TransferLeader { to: 1 },
            OperatorStep::EnterJoint { promote: Vec::new(), demote: demote.clone() },
            OperatorStep::LeaveJoint { promote: Vec::new(), demote },
        ]
    };
    assert_eq!(plan_breaches(&one_down(), jointly(&[2])), unsafe_plan(2));
    assert_eq!(plan_breaches(&one_down(), jointly(&[2, 3])), [], "one of one is left");
}

/// PD counts as dead: a peer that is down or pending, and one on a store that is Down, destroyed or
/// without a record.
#[test]
fn who_lives_by_what_pd_knows() {
    let remove = || vec![OperatorStep::RemovePeer(seat(2))];
    type Death = fn(&mut PlacementDriver);
    let deaths: [Death; 5] = [
        |pd| pd.stores.get_mut(&3).unwrap().liveness = Liveness::Down,
        |pd| pd.stores.get_mut(&3).unwrap().physically_destroyed = true,
        |pd| pd.stores.retain(|store, _| *store != 3),
        |pd| pd.regions.get_mut(&1).unwrap().pending.extend([3]),
        |pd| pd.regions.get_mut(&1).unwrap().down.extend([3]),
    ];
    for death in deaths {
        assert_eq!(plan_breaches(&with(&pd(), death), remove()).len(), 1);
    }
    let lives: [Death; 3] = [
        |pd| pd.stores.get_mut(&3).unwrap().liveness = Liveness::Disconnected,
        |pd| pd.stores.get_mut(&3).unwrap().state = StoreState::Offline,
        |pd| pd.regions.get_mut(&1).unwrap().pending.extend([4]),
    ];
    for life in lives {
        assert_eq!(plan_breaches(&with(&pd(), life), remove()), []);
    }
}

#[test]
fn a_plan_that_brings_another_voter_first() {
    let new = Seat { store: 4, peer: 10 };
    let one_by_one = |promoted: Seat| {
        vec![
            OperatorStep::AddLearner(new),
            OperatorStep::PromoteLearner(promoted),
            OperatorStep::RemovePeer(seat(2)),
        ]
    };
    assert_eq!(plan_breaches(&one_down(), one_by_one(new)), [], "two of three live, as before");
    let jointly = vec![
        OperatorStep::AddLearner(new),
        OperatorStep::EnterJoint { promote: vec![new], demote: vec![seat(2)] },
        OperatorStep::LeaveJoint { promote: vec![new], demote: vec![seat(2)] },
        OperatorStep::RemovePeer(seat(2)),
    ];
    assert_eq!(plan_breaches(&one_down(), jointly), []);
    let never_promoted = vec![OperatorStep::AddLearner(new), OperatorStep::RemovePeer(seat(2))];
    assert_eq!(plan_breaches(&one_down(), never_promoted).len(), 1, "a learner is no voter");
    let learner = |pending: bool| {
        with(&one_down(), |pd| {
            let known = pd.regions.get_mut(&1).unwrap();
            known.region.peers.push(Member { id: 4, store: 4, role: MemberRole::Learner });
            known.pending.extend(pending.then_some(4));
        })
    };
    let promoted = || vec![OperatorStep::PromoteLearner(seat(4)), OperatorStep::RemovePeer(seat(2))];
    assert_eq!(plan_breaches(&learner(false), promoted()), []);
    assert_eq!(plan_breaches(&learner(true), promoted()).len(), 1, "a learner that is there may be dead");
    assert_eq!(plan_breaches(&learner(true), vec![OperatorStep::RemovePeer(seat(4))]), [], "no voter");
}

#[test]
fn a_plan_for_a_region_without_a_live_majority_takes_none() {
    let two_down = with(&one_down(), |pd| pd.stores.get_mut(&2).unwrap().liveness = Liveness::Down);
    assert_eq!(plan_breaches(&two_down, vec![OperatorStep::RemovePeer(seat(1))]), []);
}

#[test]
fn a_joint_configuration_that_is_left_takes_nobody() {
    let joint = with(&one_down(), |pd| {
        let known = pd.regions.get_mut(&1).unwrap();
        known.region.peers[1].role = MemberRole::DemotingVoter;
    });
    let leave = OperatorStep::LeaveJoint { promote: Vec::new(), demote: vec![seat(2)] };
    assert_eq!(plan_breaches(&joint, vec![leave]), []);
}

/// The store went Down while the operator was already running.
#[test]
fn an_operator_that_is_there_is_not_judged_again() {
    let before = planned(&pd(), Purpose::RemoveOrphanPeer, vec![OperatorStep::RemovePeer(seat(2))]);
    let silent = with(&before, |pd| pd.stores.get_mut(&3).unwrap().liveness = Liveness::Down);
    let further = with(&silent, |pd| pd.operators.get_mut(&1).unwrap().done = 1);
    assert_eq!(folded(&REPORT, &[&before, &silent, &further]).breaches(), []);
}

#[test]
fn an_operator_gives_way_to_a_higher_one_alone() {
    let transfer = |to| vec![OperatorStep::TransferLeader { to }];
    let type_in = Action::AddOperator {
        region: 1,
        operator: AdminOperator::TransferLeader { store: 3 },
        reply: Reply::Delivered,
    };
    let displaced = vec![Breach::OperatorDisplaced { region: 1 }];
    let (patrol, admin) = (Purpose::LeaveJoint, Purpose::AdminTransferLeader);
    for (first, second, expected) in [
        (patrol, admin, vec![]),
        (patrol, patrol, displaced.clone()),
        (admin, admin, displaced.clone()),
        (admin, patrol, displaced.clone()),
    ] {
        let before = planned(&pd(), first, transfer(2));
        let after = planned(&pd(), second, transfer(3));
        assert_eq!(breaches(&type_in, &before, &after), expected, "{first} then {second}");
    }
    let before = planned(&pd(), patrol, transfer(2));
    for action in [type_in, SCHEDULE] {
        assert_eq!(breaches(&action, &before, &pd()), displaced);
    }
    let other = Action::Schedule { region: 2, reply: Reply::Delivered };
    for action in [REPORT, Action::OperatorTimeout { region: 1 }, Action::PdRestart, other] {
        assert_eq!(breaches(&action, &before, &pd()), [], "it has ended");
    }
}

#[test]
fn nothing_is_folded_of_what_is_not_carried_or_not_done() {
    let (before, after) = (seen(&pd()), seen(&with(&pd(), |pd| bury_store(pd, 3))));
    let refused = Outcome::Refused(Reason::NothingToBury);
    for (parts, outcome) in
        [(PD, &refused), (HistoryParts { epochs: true, ..HistoryParts::NONE }, &Outcome::DONE)]
    {
        let mut history = History::begin(parts, &before);
        history.fold(&before, &Action::CheckStores, outcome, &after);
        assert_eq!(history, History::begin(parts, &before));
    }
}

#[test]
fn a_burial_is_written_and_read_back() {
    let after = with(&pd(), |pd| bury_store(pd, 3));
    let history = folded(&Action::CheckStores, &[&pd(), &after]);
    assert_eq!(buried(&history, 3).len(), 1);
    let text = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
}

/// A waiting operator, with its region unchanged or changed when it starts.
#[test]
fn an_operator_that_waited_begins_for_the_region_that_it_was_made_for() {
    let begun = planned(&pd(), Purpose::RemoveOrphanPeer, vec![OperatorStep::RemovePeer(seat(2))]);
    let waits = with(&begun, |pd| {
        let operator = pd.operators.remove(&1).expect("it was planned");
        pd.waiting.push(WaitingOperator { region: 1, operator });
    });
    let moved_on = |pd: &PlacementDriver| {
        with(pd, |pd| pd.regions.get_mut(&1).expect("a known region").region.epoch.conf_ver += 1)
    };
    let outrun = [Breach::OperatorOutrun { region: 1 }];
    assert_eq!(breaches(&REPORT, &waits, &begun), []);
    assert_eq!(breaches(&REPORT, &moved_on(&waits), &moved_on(&begun)), outrun);
    // It starts after the report that shows the change.
    assert_eq!(breaches(&REPORT, &waits, &moved_on(&begun)), outrun);
    let forgotten = with(&begun, |pd| {
        pd.regions.remove(&1);
    });
    let [outrun] = outrun;
    assert_eq!(breaches(&REPORT, &waits, &forgotten), [Breach::OperatorWithoutRegion { region: 1 }, outrun]);
    // It keeps waiting, it is dropped, or it was already running.
    assert_eq!(breaches(&REPORT, &moved_on(&waits), &moved_on(&waits)), []);
    assert_eq!(breaches(&REPORT, &moved_on(&waits), &moved_on(&pd())), []);
    assert_eq!(breaches(&REPORT, &begun, &moved_on(&begun)), []);
}
