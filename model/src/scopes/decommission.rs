//! `decommission`: a store leaves, and the placement driver moves its peers.
//!
//! Region 1 is the whole key space, with peer n on store n. The placement driver allots ids from 10
//! on, so the first new peer is peer 10. It has a heartbeat from every store, and one report from
//! the leader.

mod arrivals;

mod by_force;
mod by_hand;
mod learners;
mod leaving;
mod limits;
pub(super) mod making;
mod merges;
mod two_left;

use rollcall_traces::{Action, AdminOperator, Budgets, Derive, Key, Scope, SplitKeys};

use leaving::{
    crash_while_a_store_leaves, decommission_cancelled, leaders_store_leaves, leaving_store_stopped,
    no_legal_target, one_store_leaves, process_ends_while_a_store_leaves, stalled_leaders_store_leaves,
    two_stores_of_a_region_leave,
};
use making::{divided, leaves, operator, placed, scheduled, successor_joined};

use super::making::{REGION, behind, either};
use super::plan::{Family, ScopeOutline, ScopePlan, Size, named_for};
use super::{allowed_stuck, stale};
use crate::bounds::reach::Reach;
use crate::properties::Property;

pub(super) fn plans(size: Size) -> Vec<ScopePlan> {
    let standard = size == Size::Standard;
    vec![
        one_store_leaves(standard),
        process_ends_while_a_store_leaves(standard),
        crash_while_a_store_leaves(standard),
        leaders_store_leaves(standard),
        stalled_leaders_store_leaves(standard),
        split_racing_a_decommission(standard),
        late_report_and_late_order(standard),
        two_stores_of_a_region_leave(standard),
        decommission_cancelled(standard),
        no_legal_target(standard),
        leaving_store_stopped(standard),
        pd_restarted(standard),
        administrator_against_the_patrol(standard),
        down_peer_and_a_learner(standard),
        one_replica(standard),
        by_hand::tombstone_by_hand(standard),
        by_hand::forced_by_hand(standard),
        by_hand::forced_behind_a_learner(standard),
        by_force::forced_with_a_merge_to_commit(standard),
        by_force::forced_with_a_merge_into_the_lower_id(standard),
        by_force::forced_while_merging(standard),
        by_force::forced_in_a_joint_state(standard),
        by_force::forced_behind_a_split(standard),
        by_force::forced_and_interrupted(standard),
        by_force::report_comes_late(standard),
        by_force::plan_for_a_hole_comes_late(standard),
        by_force::plan_to_destroy_comes_late(standard),
        by_force::broken_off_behind_a_split(standard),
        by_force::given_up_once_more(standard),
        two_left::forced_with_two_left(standard),
        two_left::forced_with_a_merge_and_two_left(standard),
        two_left::change_known_to_the_other_who_is_left(standard),
        by_force::merge_into_what_nobody_can_lead(standard),
        limits::target_full_by_share(standard),
        limits::patrol_limited(standard),
        limits::operators_wait(standard),
        limits::operator_outrun_while_it_waits(standard),
        limits::two_of_three_replicas_leave(standard),
        limits::two_of_five_die_unnoticed(standard),
        limits::stopped_while_two_stores_leave(standard),
        limits::crash_and_election_while_a_store_leaves(standard),
        arrivals::new_store_joins(standard),
        arrivals::voter_added_at_once(standard),
        arrivals::order_repeated(standard),
        learners::learner_waits_for_its_snapshot(standard),
        learners::learner_beside_a_spare_one(standard),
        merges::merge_racing_a_decommission(standard),
        merges::target_led_by_who_lags(standard),
        stale::stale_peer_asks_pd(standard),
    ]
    .into_iter()
    .map(|(scope, reachable, must_fire)| ScopePlan {
        family: Family::Decommission,
        size,
        allowed_stuck: allowed_stuck::of(&scope.name, size),
        scope: named_for(scope, size),
        properties: Property::ALL.to_vec(),
        reachable,
        must_fire,
    })
    .collect()
}

fn split_racing_a_decommission(standard: bool) -> ScopeOutline {
    let asked = placed(
        "split_racing_a_decommission",
        "the region splits while its peer is moved: does the store leave with a child on it?",
        &[1, 2, 3],
        &[1, 2],
    );
    let at = SplitKeys { keys: vec![Key::from("m")], derive: Derive::Right };
    let asked = if standard { asked } else { divided(asked, &at) };
    let asked = behind(asked, [leaves(2)]);
    let scope = Scope {
        splits: vec![at],
        admin: vec![Action::RemoveTombstone { store: 2 }],
        campaigners: vec![1],
        budgets: Budgets { admin: 1, schedules: 1, splits: either(standard, 1, 0), ..Budgets::default() },
        ..asked
    };
    let reachable =
        vec![Reach::SplitApplied, Reach::ChildUnknownToPd, Reach::StoreTombstone, Reach::BuriedUnderAChild];
    let mut must_fire = vec!["schedule", "region heartbeat", "remove tombstone"];
    if standard {
        must_fire.push("ask split");
    }
    (scope, reachable, must_fire)
}

fn late_report_and_late_order(standard: bool) -> ScopeOutline {
    let asked = placed(
        "late_report_and_late_order",
        "a report or an order arrives late: can PD's view go back, or a leader execute an order that PD no longer wants?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = behind(asked, [leaves(2)]);
    let asked = if standard { asked } else { successor_joined(asked, 3) };
    let scope = Scope {
        campaigners: vec![2],
        budgets: Budgets {
            schedules: either(standard, 1, 0),
            late: 1,
            lost: either(standard, 1, 0),
            timeouts: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::OrderUnderWay, Reach::ReportUnderWay, Reach::PdBehind];
    (scope, reachable, vec!["hold region report", "late region report", "late order"])
}

fn pd_restarted(standard: bool) -> ScopeOutline {
    let asked = placed(
        "pd_restarted",
        "the placement driver restarts during a decommission: does it bury a store whose regions have not been reported since?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = behind(asked, [leaves(2)]);
    let scope = Scope {
        campaigners: vec![2],
        budgets: Budgets {
            schedules: either(standard, 2, 1),
            pd_restarts: 1,
            elections: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::PdKnowsNoLeader, Reach::StoreTombstone];
    (scope, reachable, vec!["pd restart", "store heartbeat", "check stores"])
}

fn administrator_against_the_patrol(standard: bool) -> ScopeOutline {
    let asked = placed(
        "administrator_against_the_patrol",
        "an administrator removes peers by hand while one is dead and the patrol works: does a majority survive?",
        &[1, 2, 3],
        &[1, 2, 3],
    );
    let scope = Scope {
        admin: vec![
            operator(REGION, AdminOperator::RemovePeer { store: 2 }),
            operator(REGION, AdminOperator::RemovePeer { store: 3 }),
            operator(REGION, AdminOperator::TransferLeader { store: 2 }),
            Action::RemoveOperator { region: REGION },
            // Refused: too few stores would remain.
            leaves(2),
        ],
        crashers: vec![3],
        campaigners: vec![1],
        budgets: Budgets {
            admin: 2,
            schedules: either(standard, 1, 0),
            crashes: 1,
            missed_heartbeats: either(standard, 1, 0),
            transfers: 1,
            ..Budgets::default()
        },
        ..asked
    };
    let mut must_fire = vec!["add operator", "remove operator"];
    if standard {
        must_fire.push("schedule");
    }
    (scope, vec![Reach::TwoVotersLeft, Reach::StoreDown], must_fire)
}

fn down_peer_and_a_learner(standard: bool) -> ScopeOutline {
    let asked = placed(
        "down_peer_and_a_learner",
        "a store is lost while its replacement is still a learner: does the learner take its place?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let asked = behind(asked, [leaves(3), scheduled(), Action::LoseDisk { store: 3 }]);
    let scope = Scope {
        admin: vec![Action::RemoveOperator { region: REGION }],
        crashers: vec![3],
        campaigners: vec![2],
        budgets: Budgets {
            admin: 1,
            schedules: 2,
            missed_heartbeats: 2,
            elections: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::OrphanFills, Reach::DeadStoreTombstone];
    (scope, reachable, vec!["remove operator", "missed heartbeat", "schedule"])
}

fn one_replica(standard: bool) -> ScopeOutline {
    let asked = placed(
        "one_replica",
        "the only peer of a region is on the store that leaves: who leads while it is replaced?",
        &[1, 2, 3],
        &[1],
    );
    let asked = behind(asked, [leaves(1)]);
    let scope = Scope {
        campaigners: vec![1],
        crashers: vec![1],
        budgets: Budgets {
            schedules: 1,
            transfers: 1,
            crashes: either(standard, 1, 0),
            elections: either(standard, 1, 0),
            lost: 1,
            late: 1,
            ..Budgets::default()
        },
        ..asked
    };
    let must_fire = vec!["schedule, order dropped", "schedule, order delayed", "timeout now", "check stores"];
    (scope, vec![Reach::Transferring, Reach::StoreTombstone], must_fire)
}
