//! Strategies for the placement driver: operators, what it knows, and a recovery.

use super::{epoch, key, number, position, region, seat};
use crate::toy;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rollcall_traces::*;

pub(super) fn step() -> impl Strategy<Value = OperatorStep> {
    let seats = || vec(seat(), 0..3);
    prop_oneof![
        number().prop_map(|to| OperatorStep::TransferLeader { to }),
        seat().prop_map(OperatorStep::AddLearner),
        seat().prop_map(OperatorStep::PromoteLearner),
        seat().prop_map(OperatorStep::AddPeer),
        seat().prop_map(OperatorStep::RemovePeer),
        (seats(), seats()).prop_map(|(promote, demote)| OperatorStep::EnterJoint { promote, demote }),
        (seats(), seats()).prop_map(|(promote, demote)| OperatorStep::LeaveJoint { promote, demote }),
        (vec(key(), 0..3), key(), key()).prop_map(|(keys, start, end)| OperatorStep::Split {
            keys,
            start,
            end
        }),
    ]
}

pub(crate) fn purpose() -> impl Strategy<Value = Purpose> {
    select(vec![
        Purpose::LeaveJoint,
        Purpose::RemoveOrphanPeer,
        Purpose::RemoveUnhealthyOrphanPeer,
        Purpose::RemoveReplacedOrphanPeer,
        Purpose::ReplaceDownPeerWithOrphanPeer,
        Purpose::FixPeerRole,
        Purpose::AddRulePeer,
        Purpose::ReplaceRuleDownPeer,
        Purpose::ReplaceRuleOfflinePeer,
        Purpose::EvictLeader,
        Purpose::AdminAddPeer,
        Purpose::AdminAddVoter,
        Purpose::AdminRemovePeer,
        Purpose::AdminTransferLeader,
        Purpose::AdminSplitRegion,
    ])
}

pub(super) fn operator() -> impl Strategy<Value = Operator> {
    (purpose(), epoch(), vec(step(), 0..4), 0..5_usize).prop_map(|(purpose, epoch, steps, done)| Operator {
        purpose,
        epoch,
        steps,
        done,
    })
}

fn known_store() -> impl Strategy<Value = KnownStore> {
    let state = select(vec![StoreState::Up, StoreState::Offline, StoreState::Tombstone]);
    let liveness = select(vec![Liveness::Connected, Liveness::Disconnected, Liveness::Down]);
    (state, any::<bool>(), liveness, any::<bool>()).prop_map(
        |(state, physically_destroyed, liveness, full)| KnownStore {
            state,
            physically_destroyed,
            liveness,
            full,
        },
    )
}

fn known_region() -> impl Strategy<Value = KnownRegion> {
    let peers = || btree_set(number(), 0..3);
    (region(), number(), number(), peers(), peers())
        .prop_map(|(region, leader, term, pending, down)| KnownRegion { region, leader, term, pending, down })
}

/// None at all, somebody who gives ids, or a whole one.
pub(super) fn pd() -> impl Strategy<Value = PlacementDriver> {
    let next_id = || prop_oneof![4 => 1..20_u64, 1 => 1..NUMBER_LIMIT];
    let whole = (
        next_id(),
        btree_map(number(), known_store(), 0..3),
        btree_map(number(), known_region(), 0..3),
        btree_map(number(), operator(), 0..3),
        vec((number(), operator()), 0..3),
        any::<bool>(),
        option::of(recovery().prop_map(Box::new)),
        number(),
    );
    prop_oneof![
        1 => Just(PlacementDriver::default()),
        1 => next_id().prop_map(toy::allotter),
        3 => whole.prop_map(|(next_id, stores, regions, operators, waiting, relearns, recovery, step)| PlacementDriver {
            next_id,
            stores,
            regions,
            operators,
            waiting: waiting.into_iter().map(|(region, operator)| WaitingOperator { region, operator }).collect(),
            relearns,
            recovery,
            recovery_step: step,
        }),
    ]
}

pub(super) fn recovery_plan() -> impl Strategy<Value = RecoveryPlan> {
    let leader = (number(), position()).prop_map(|(above, committed)| ForceLeader { above, committed });
    let forces = (btree_set(number(), 0..3), btree_map(number(), leader, 0..3))
        .prop_map(|(failed_stores, regions)| ForceLeaders { failed_stores, regions });
    let demotes = btree_map(number(), vec(number(), 0..3), 0..3);
    (number(), option::of(forces), demotes, btree_set(number(), 0..3), vec(region(), 0..2)).prop_map(
        |(step, force_leaders, demotes, tombstones, creates)| RecoveryPlan {
            step,
            force_leaders,
            demotes,
            tombstones,
            creates,
        },
    )
}

pub(super) fn peer_report() -> impl Strategy<Value = PeerReport> {
    let log = vec(position(), 0..3);
    (number(), region(), number(), log, number(), any::<bool>(), btree_set(number(), 0..2)).prop_map(
        |(peer, region, term, log, commit, by_force, sources)| PeerReport {
            peer,
            region,
            term,
            log,
            commit,
            by_force,
            sources,
        },
    )
}

pub(super) fn recovery() -> impl Strategy<Value = Recovery> {
    let stage = select(vec![
        RecoveryStage::CollectReport,
        RecoveryStage::ForceLeaderForCommitMerge,
        RecoveryStage::ForceLeader,
        RecoveryStage::DemoteFailedVoter,
        RecoveryStage::CreateEmptyRegion,
        RecoveryStage::ExitForceLeader,
    ]);
    let reports = btree_map(number(), option::of(vec(peer_report(), 0..2)), 0..3);
    let plans = btree_map(number(), recovery_plan(), 0..2);
    (btree_set(number(), 0..3), stage, number(), reports, plans, any::<bool>()).prop_map(
        |(failed_stores, stage, began, reports, plans, aborted)| Recovery {
            failed_stores,
            stage,
            began,
            reports,
            plans,
            aborted,
        },
    )
}
