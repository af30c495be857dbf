//! The same of the placement driver, its operators and its recovery.

use rollcall_traces::*;

use super::{full, seen};
use crate::toy;

/// A placement driver in which every optional part is there.
fn whole_pd() -> PlacementDriver {
    let seat = |id| Seat { store: id, peer: id };
    let known = KnownStore {
        state: StoreState::Offline,
        physically_destroyed: true,
        liveness: Liveness::Disconnected,
        full: true,
    };
    let believed = KnownRegion {
        region: toy::region(&[1, 2, 3]),
        leader: 1,
        term: 6,
        pending: [2].into(),
        down: [3].into(),
    };
    let steps = vec![
        OperatorStep::TransferLeader { to: 1 },
        OperatorStep::AddLearner(seat(4)),
        OperatorStep::PromoteLearner(seat(4)),
        OperatorStep::EnterJoint { promote: vec![seat(4)], demote: vec![seat(3)] },
        OperatorStep::LeaveJoint { promote: vec![seat(4)], demote: vec![seat(3)] },
        OperatorStep::RemovePeer(seat(3)),
        OperatorStep::Split { keys: vec!["m".into()], start: "a".into(), end: "z".into() },
        OperatorStep::AddPeer(seat(5)),
    ];
    let epoch = Epoch { conf_ver: 1, version: 1 };
    let operator = Operator { purpose: Purpose::ReplaceRuleOfflinePeer, epoch, steps, done: 1 };
    PlacementDriver {
        next_id: 10,
        stores: [(3, known)].into(),
        regions: [(1, believed)].into(),
        operators: [(1, operator.clone())].into(),
        waiting: vec![WaitingOperator { region: 2, operator }],
        relearns: true,
        recovery: Some(Box::new(whole_recovery())),
        recovery_step: 5,
    }
}

/// A recovery in which every optional part is there.
fn whole_recovery() -> Recovery {
    let report = PeerReport {
        peer: 1,
        region: toy::region(&[1, 2, 3]),
        term: 6,
        log: vec![LogPosition { index: 5, term: 5 }, LogPosition { index: 8, term: 6 }],
        commit: 7,
        by_force: true,
        sources: [9].into(),
    };
    Recovery {
        failed_stores: [2, 3].into(),
        stage: RecoveryStage::DemoteFailedVoter,
        began: 1,
        reports: [(1, Some(vec![report])), (4, None)].into(),
        plans: [(1, whole_plan())].into(),
        aborted: true,
    }
}

/// A plan with every order that a store can get.
pub(super) fn whole_plan() -> RecoveryPlan {
    let order = ForceLeader { above: 6, committed: LogPosition { index: 7, term: 6 } };
    RecoveryPlan {
        step: 5,
        force_leaders: Some(ForceLeaders { failed_stores: [2, 3].into(), regions: [(1, order)].into() }),
        demotes: [(1, vec![2, 3])].into(),
        tombstones: [8].into(),
        creates: vec![toy::region(&[1])],
    }
}

type PdAlteration = (&'static str, fn(&mut PlacementDriver));

fn known(pd: &mut PlacementDriver) -> &mut KnownStore {
    pd.stores.get_mut(&3).unwrap()
}

fn believed(pd: &mut PlacementDriver) -> &mut KnownRegion {
    pd.regions.get_mut(&1).unwrap()
}

fn operator(pd: &mut PlacementDriver) -> &mut Operator {
    pd.operators.get_mut(&1).unwrap()
}

fn recovery(pd: &mut PlacementDriver) -> &mut Recovery {
    pd.recovery.as_mut().unwrap()
}

fn reported(pd: &mut PlacementDriver) -> &mut PeerReport {
    &mut recovery(pd).reports.get_mut(&1).unwrap().as_mut().unwrap()[0]
}

fn planned(pd: &mut PlacementDriver) -> &mut RecoveryPlan {
    recovery(pd).plans.get_mut(&1).unwrap()
}

fn forced(pd: &mut PlacementDriver) -> &mut ForceLeaders {
    planned(pd).force_leaders.as_mut().unwrap()
}

/// One alteration for each field of `PlacementDriver` and of what is in it, with its path.
const PD_ALTERATIONS: &[PdAlteration] = &[
    ("next_id", |pd| pd.next_id = 11),
    ("stores", |pd| pd.stores.clear()),
    ("stores/4", |pd| pd.stores.extend([(4, pd.stores[&3])])),
    ("stores/3/state", |pd| known(pd).state = StoreState::Tombstone),
    ("stores/3/physically_destroyed", |pd| known(pd).physically_destroyed = false),
    ("stores/3/liveness", |pd| known(pd).liveness = Liveness::Down),
    ("stores/3/full", |pd| known(pd).full = false),
    ("regions", |pd| pd.regions.clear()),
    ("regions/2", |pd| drop(pd.regions.insert(2, pd.regions[&1].clone()))),
    ("regions/1/id", |pd| believed(pd).region.id = 9),
    ("regions/1/start", |pd| believed(pd).region.start = "x".into()),
    ("regions/1/end", |pd| believed(pd).region.end = "x".into()),
    ("regions/1/epoch/conf_ver", |pd| believed(pd).region.epoch.conf_ver = 9),
    ("regions/1/epoch/version", |pd| believed(pd).region.epoch.version = 9),
    ("regions/1/peers/3", |pd| believed(pd).region.peers.truncate(2)),
    ("regions/1/peers/3/role", |pd| believed(pd).region.peers[2].role = MemberRole::DemotingVoter),
    ("regions/1/peers/order", |pd| believed(pd).region.peers.swap(0, 1)),
    ("regions/1/leader", |pd| believed(pd).leader = 0),
    ("regions/1/term", |pd| believed(pd).term = 7),
    ("regions/1/pending", |pd| believed(pd).pending = [1].into()),
    ("regions/1/down", |pd| believed(pd).down.clear()),
    ("operators", |pd| pd.operators.clear()),
    ("operators/2", |pd| drop(pd.operators.insert(2, pd.operators[&1].clone()))),
    ("operators/1/purpose", |pd| operator(pd).purpose = Purpose::AdminRemovePeer),
    ("operators/1/epoch/conf_ver", |pd| operator(pd).epoch.conf_ver = 2),
    ("operators/1/epoch/version", |pd| operator(pd).epoch.version = 2),
    ("operators/1/done", |pd| operator(pd).done = 2),
    ("operators/1/steps/7", |pd| drop(operator(pd).steps.pop())),
    ("operators/1/steps/0/transfer_leader/to", |pd| {
        operator(pd).steps[0] = OperatorStep::TransferLeader { to: 2 };
    }),
    ("operators/1/steps/1/add_learner/store", |pd| {
        operator(pd).steps[1] = OperatorStep::AddLearner(Seat { store: 5, peer: 4 });
    }),
    ("operators/1/steps/2/promote_learner/peer", |pd| {
        operator(pd).steps[2] = OperatorStep::PromoteLearner(Seat { store: 4, peer: 5 });
    }),
    ("operators/1/steps/3/enter_joint/promote", |pd| {
        let OperatorStep::EnterJoint { promote, .. } = &mut operator(pd).steps[3] else { unreachable!() };
        promote.clear();
    }),
    ("operators/1/steps/4/leave_joint/demote", |pd| {
        let OperatorStep::LeaveJoint { demote, .. } = &mut operator(pd).steps[4] else { unreachable!() };
        demote[0].store = 1;
    }),
    ("operators/1/steps/5/remove_peer/store", |pd| {
        operator(pd).steps[5] = OperatorStep::RemovePeer(Seat { store: 1, peer: 3 });
    }),
    ("operators/1/steps/6/split/keys", |pd| {
        let OperatorStep::Split { keys, .. } = &mut operator(pd).steps[6] else { unreachable!() };
        keys.push("n".into());
    }),
    ("operators/1/steps/6/split/start", |pd| {
        let OperatorStep::Split { start, .. } = &mut operator(pd).steps[6] else { unreachable!() };
        *start = "b".into();
    }),
    ("operators/1/steps/6/split/end", |pd| {
        let OperatorStep::Split { end, .. } = &mut operator(pd).steps[6] else { unreachable!() };
        *end = Key::empty();
    }),
    ("operators/1/steps/7/add_peer/store", |pd| {
        operator(pd).steps[7] = OperatorStep::AddPeer(Seat { store: 4, peer: 5 });
    }),
    ("waiting", |pd| pd.waiting.clear()),
    ("waiting/1", |pd| pd.waiting.push(pd.waiting[0].clone())),
    ("waiting/0/region", |pd| pd.waiting[0].region = 3),
    ("waiting/0/operator/done", |pd| pd.waiting[0].operator.done = 2),
    ("relearns", |pd| pd.relearns = false),
    ("recovery_step", |pd| pd.recovery_step = 6),
    ("recovery", |pd| pd.recovery = None),
    ("recovery/failed_stores", |pd| recovery(pd).failed_stores = [2].into()),
    ("recovery/stage", |pd| recovery(pd).stage = RecoveryStage::ExitForceLeader),
    ("recovery/began", |pd| recovery(pd).began = 2),
    ("recovery/aborted", |pd| recovery(pd).aborted = false),
    ("recovery/reports/4", |pd| drop(recovery(pd).reports.insert(4, Some(Vec::new())))),
    ("recovery/reports/1", |pd| drop(recovery(pd).reports.insert(1, None))),
    ("recovery/reports/1/0", |pd| recovery(pd).reports.get_mut(&1).unwrap().as_mut().unwrap().clear()),
    ("recovery/reports/1/0/peer", |pd| reported(pd).peer = 9),
    ("recovery/reports/1/0/region/epoch/version", |pd| reported(pd).region.epoch.version = 9),
    ("recovery/reports/1/0/region/peers/3", |pd| reported(pd).region.peers.truncate(2)),
    ("recovery/reports/1/0/term", |pd| reported(pd).term = 7),
    ("recovery/reports/1/0/log", |pd| reported(pd).log.truncate(1)),
    ("recovery/reports/1/0/commit", |pd| reported(pd).commit = 8),
    ("recovery/reports/1/0/by_force", |pd| reported(pd).by_force = false),
    ("recovery/reports/1/0/sources", |pd| reported(pd).sources.clear()),
    ("recovery/plans", |pd| recovery(pd).plans.clear()),
    ("recovery/plans/4", |pd| drop(recovery(pd).plans.insert(4, whole_plan()))),
    ("recovery/plans/1/step", |pd| planned(pd).step = 6),
    ("recovery/plans/1/force_leaders", |pd| planned(pd).force_leaders = None),
    ("recovery/plans/1/force_leaders/failed_stores", |pd| forced(pd).failed_stores = [2].into()),
    ("recovery/plans/1/force_leaders/regions", |pd| forced(pd).regions.clear()),
    ("recovery/plans/1/force_leaders/regions/1/above", |pd| {
        forced(pd).regions.get_mut(&1).unwrap().above = 7;
    }),
    ("recovery/plans/1/force_leaders/regions/1/committed/term", |pd| {
        forced(pd).regions.get_mut(&1).unwrap().committed.term = 5;
    }),
    ("recovery/plans/1/demotes", |pd| planned(pd).demotes.clear()),
    ("recovery/plans/1/demotes/1", |pd| planned(pd).demotes.get_mut(&1).unwrap().clear()),
    ("recovery/plans/1/tombstones", |pd| planned(pd).tombstones.clear()),
    ("recovery/plans/1/creates", |pd| planned(pd).creates.clear()),
    ("recovery/plans/1/creates/0/start", |pd| planned(pd).creates[0].start = "b".into()),
    ("recovery/plans/1/creates/0/peers/1/role", |pd| {
        planned(pd).creates[0].peers[0].role = MemberRole::Learner;
    }),
];

#[test]
fn every_field_of_the_placement_driver_is_named() {
    let seen = |pd| View { pd, ..seen(full()) };
    for (path, alter) in PD_ALTERATIONS {
        let mut pd = whole_pd();
        alter(&mut pd);
        let found = differences(&seen(whole_pd()), &seen(pd));
        let paths: Vec<&str> = found.iter().map(|difference| difference.path.as_str()).collect();
        assert_eq!(paths, [format!("pd/{path}")], "{found:?}");
    }
}

#[test]
fn no_field_of_the_placement_driver_is_left_out_of_the_test() {
    let altered = |path: String| {
        let begins = |(altered, _): &PdAlteration| {
            altered.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        assert!(PD_ALTERATIONS.iter().any(begins), "{path} is not altered");
    };
    let written = serde_json::to_value(whole_pd()).unwrap();
    let names = |of: &serde_json::Value| of.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    names(&written).into_iter().for_each(altered);
    for (part, id) in [("stores", "3"), ("regions", "1"), ("operators", "1")] {
        let fields = names(&written[part][id]);
        for name in fields.into_iter().filter(|name| *name != "region") {
            altered(format!("{part}/{id}/{name}"));
        }
    }
    for name in names(&written["regions"]["1"]["region"]) {
        altered(format!("regions/1/{name}"));
    }
    let recovery = &written["recovery"];
    names(recovery).into_iter().for_each(|name| altered(format!("recovery/{name}")));
    let report = names(&recovery["reports"]["1"][0]);
    report.into_iter().for_each(|name| altered(format!("recovery/reports/1/0/{name}")));
    let plan = names(&recovery["plans"]["1"]);
    plan.into_iter().for_each(|name| altered(format!("recovery/plans/1/{name}")));
}
