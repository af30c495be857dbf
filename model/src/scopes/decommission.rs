//! `decommission`: a store leaves, and the placement driver moves its peers.
//!
//! Region 1 is the whole key space, with peer n on store n. The placement
//! driver allots from 10 on, so the first new peer is peer 10. It has heard
//! from every store and, once, from the leader.

mod arrivals;
mod by_force;
mod by_hand;
mod learners;
mod limits;
mod merges;
mod two_left;

use rollcall_traces::{
    Action, AdminOperator, Budgets, Derive, Entries, Key, RegionId, Reply, Scope, SplitKeys, StoreId,
};

use super::{
    Asked, Family, REGION, ScopePlan, Size, allowed_stuck, apply, behind, either, named_for, put, region,
    round, scope, stale,
};
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

/// A region whose first member leads, has written a value that every member has applied, and
/// has reported.
pub(super) fn placed(name: &str, question: &str, stores: &[StoreId], voters: &[StoreId]) -> Scope {
    let region = region(voters, &[]);
    let round = |store: &StoreId| round(REGION, *store);
    let write = Action::Propose { region: REGION, store: voters[0], command: put("v"), epoch: None };
    let placed = Scope {
        max_replicas: voters.len() as u64,
        next_id: 10,
        rounds: vec![Entries::All],
        ..scope(name, question, stores, region)
    };
    let written = behind(behind(placed, [write]), voters[1..].iter().map(round));
    // Who had it before it was committed hears of that, too.
    let heard = behind(written, voters[1..].iter().take(voters.len() / 2).map(round));
    behind(heard, [reported(REGION, voters[0])])
}

pub(super) fn reported(region: RegionId, store: StoreId) -> Action {
    Action::RegionHeartbeat { region, store, reply: Reply::Delivered }
}

pub(super) fn leaves(store: StoreId) -> Action {
    Action::Decommission { store, force: false }
}

pub(super) fn scheduled() -> Action {
    Action::Schedule { region: REGION, reply: Reply::Delivered }
}

/// The patrol has found the voter that must move. Its successor has joined as a learner and has
/// caught up, and the leader knows that.
pub(super) fn successor_joined(scope: Scope, on: StoreId) -> Scope {
    let others: Vec<StoreId> = scope.regions[0].peers[1..].iter().map(|member| member.store).collect();
    let ordered = behind(scope, [scheduled()]);
    let committed = behind(ordered, others.into_iter().map(|store| round(REGION, store)));
    // It is created, gets a snapshot, and acknowledges what the snapshot has.
    let round = || round(REGION, on);
    let snapshot = Action::ApplySnapshot { region: REGION, store: on };
    behind(committed, [apply(REGION, 1), round(), round(), snapshot, round()])
}

/// A region with two replicas has entered the joint configuration that replaces one by its
/// successor, and the leader has applied that.
pub(super) fn joint_entered(scope: Scope, on: StoreId) -> Scope {
    let joined = behind(successor_joined(scope, on), [reported(REGION, 1)]);
    behind(joined, [round(REGION, 2), round(REGION, on), apply(REGION, 1)])
}

fn operator(region: RegionId, operator: AdminOperator) -> Action {
    Action::AddOperator { region, operator, reply: Reply::Delivered }
}

fn one_store_leaves(standard: bool) -> Asked {
    let asked = placed(
        "one_store_leaves",
        "a store with a follower leaves, and another peer may lead at any moment until the burial: does the store always become Tombstone, and only once it is empty?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let scope = Scope {
        admin: vec![leaves(3)],
        campaigners: vec![2],
        budgets: Budgets { admin: 1, schedules: 1, elections: either(standard, 1, 0), ..Budgets::default() },
        ..asked
    };
    let reachable = vec![Reach::StoreOffline, Reach::StoreTombstone, Reach::ReplacementVotes];
    let mut must_fire =
        vec!["decommission", "schedule", "region heartbeat", "apply snapshot", "check stores"];
    if standard {
        must_fire.extend(["campaign", "vote"]);
    }
    (scope, reachable, must_fire)
}

/// The same way with a crash instead of an election. Both at once have four million states;
/// `crash_and_election_while_a_store_leaves` has them from the joint configuration on.
fn process_ends_while_a_store_leaves(standard: bool) -> Asked {
    let (stores, voters): (&[StoreId], &[StoreId]) =
        if standard { (&[1, 2, 3, 4], &[1, 2, 3]) } else { (&[1, 2, 3], &[1, 2]) };
    let (leaving, successor) = if standard { (3, 4) } else { (2, 3) };
    let asked = placed(
        "process_ends_while_a_store_leaves",
        "a store leaves, and a process stops on the way, possibly the successor's in the middle of its snapshot: does the move go on where it was?",
        stores,
        voters,
    );
    let scope = Scope {
        admin: vec![leaves(leaving)],
        crashers: if standard { stores.to_vec() } else { vec![successor] },
        budgets: Budgets { admin: 1, schedules: 1, crashes: 1, ..Budgets::default() },
        ..asked
    };
    let reachable = vec![Reach::StoreDown, Reach::StoreTombstone, Reach::ReplacementVotes];
    let must_fire = vec!["decommission", "schedule", "crash", "restart", "apply snapshot", "check stores"];
    (scope, reachable, must_fire)
}

fn crash_while_a_store_leaves(standard: bool) -> Asked {
    let asked = placed(
        "crash_while_a_store_leaves",
        "the leader's process stops in the middle, and another peer leads: does the operator go on where it was?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = behind(asked, [leaves(2)]);
    let scope = Scope {
        campaigners: vec![1, 2],
        crashers: vec![1],
        budgets: Budgets {
            schedules: 1,
            elections: either(standard, 2, 1),
            crashes: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::StoreDown, Reach::StoreTombstone], vec!["crash", "restart", "check stores"])
}

fn leaders_store_leaves(standard: bool) -> Asked {
    let asked = placed(
        "leaders_store_leaves",
        "the leader's store leaves: does leadership move before the leader is demoted, whether or not the transfer succeeds?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = behind(asked, [leaves(1)]);
    let scope = Scope {
        campaigners: vec![2],
        crashers: vec![2],
        budgets: Budgets {
            schedules: 1,
            transfers: 1,
            missed_heartbeats: either(standard, 1, 0),
            timeouts: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreTombstone, Reach::Transferring, Reach::ReplacementVotes];
    (scope, reachable, vec!["schedule", "timeout now", "check stores"])
}

/// tikv#17363 under PD: the move begins with a learner that the leader commits and cannot
/// apply. PD never sees it, and never reaches the step that moves leadership. No checker moves
/// leaders off a leaving store by itself, and `evict-stopping-store` takes only stores that are
/// Up. TiUP adds the scheduler that does (seed 003, `evict-leader`); its order replaces the
/// move.
fn stalled_leaders_store_leaves(standard: bool) -> Asked {
    let asked = placed(
        "stalled_leaders_store_leaves",
        "the leader's store leaves, and its disk hangs while PD adds a learner: does the transfer reach a peer that can serve?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let asked = behind(asked, [leaves(1)]);
    let asked = if standard { asked } else { behind(asked, [scheduled()]) };
    let scope = Scope {
        apply_stalled: vec![1],
        admin: vec![operator(REGION, AdminOperator::EvictLeader { store: 1 })],
        campaigners: vec![2],
        budgets: Budgets {
            admin: 1,
            schedules: either(standard, 2, 1),
            transfers: 1,
            timeouts: 1,
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::LaggardHandsOver, Reach::LeaderEvicted, Reach::ApplyLags, Reach::TwoLeaders];
    let must_fire = vec!["schedule", "add operator", "operator timeout", "region heartbeat", "timeout now"];
    (scope, reachable, must_fire)
}

/// The child has a leader, which has not reported it.
fn divided(scope: Scope, at: &SplitKeys) -> Scope {
    let (keys, derive, reply) = (at.keys.clone(), at.derive, Reply::Delivered);
    let round = || round(REGION, 2);
    let ask = Action::AskSplit { region: REGION, store: 1, keys, derive, reply };
    let vote = Action::Vote { region: 10, candidate: 1, voter: 2, reply };
    behind(scope, [ask, round(), apply(REGION, 1), round(), apply(REGION, 2), vote])
}

fn split_racing_a_decommission(standard: bool) -> Asked {
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

fn late_report_and_late_order(standard: bool) -> Asked {
    let asked = placed(
        "late_report_and_late_order",
        "a report or an order arrives late: can PD's view go back, or a leader carry out an order that is no longer wanted?",
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

fn two_stores_of_a_region_leave(standard: bool) -> Asked {
    let stores: &[StoreId] = if standard { &[1, 2, 3, 4, 5] } else { &[1, 2, 3, 4] };
    let asked = placed(
        "two_stores_of_a_region_leave",
        "every store of a region leaves at once: do the peers move one after the other, and is there always a majority?",
        stores,
        &[1, 2],
    );
    let asked = behind(asked, [leaves(1), leaves(2)]);
    let scope = Scope {
        crashers: vec![3],
        campaigners: vec![1],
        budgets: Budgets {
            schedules: 2,
            transfers: 1,
            missed_heartbeats: either(standard, 1, 0),
            timeouts: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::TwoStoresTombstone, Reach::ReplacementVotes], vec!["schedule", "check stores"])
}

fn decommission_cancelled(standard: bool) -> Asked {
    let asked = placed(
        "decommission_cancelled",
        "a decommission is cancelled with its peer half moved: does every region get all its replicas again?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = behind(asked, [leaves(2)]);
    let scope = Scope {
        admin: vec![
            Action::CancelDecommission { store: 2 },
            leaves(2),
            // Refused: that is the patrol's to do.
            Action::SetTombstone { store: 2 },
            Action::RemoveTombstone { store: 2 },
        ],
        campaigners: vec![2],
        budgets: Budgets {
            admin: 2,
            schedules: either(standard, 2, 1),
            timeouts: 1,
            elections: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::CancelledHalfWay, Reach::StoreTombstone];
    (scope, reachable, vec!["cancel decommission", "remove tombstone", "operator timeout"])
}

fn no_legal_target(standard: bool) -> Asked {
    let asked = placed(
        "no_legal_target",
        "one possible target is too full and another silent or lost: what does PD answer, and what may an administrator still do?",
        &[1, 2, 3, 4],
        &[1, 2],
    );
    let asked = behind(asked, [leaves(1), Action::MissedHeartbeat { store: 4 }]);
    let asked = if standard { asked } else { behind(asked, [Action::LoseDisk { store: 4 }]) };
    let scope = Scope {
        full: vec![3],
        admin: vec![
            operator(REGION, AdminOperator::AddPeer { store: 3 }),
            operator(REGION, AdminOperator::RemovePeer { store: 1 }),
            operator(REGION, AdminOperator::EvictLeader { store: 1 }),
        ],
        crashers: vec![4],
        campaigners: vec![2],
        budgets: Budgets {
            admin: 1,
            schedules: 1,
            disk_losses: either(standard, 1, 0),
            missed_heartbeats: either(standard, 1, 0),
            transfers: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::LeaderEvicted, Reach::StoreFull], vec!["add operator", "schedule"])
}

fn leaving_store_stopped(standard: bool) -> Asked {
    let asked = placed(
        "leaving_store_stopped",
        "a leaving store's process stops, or its disk is lost, before its peer has moved: is the peer replaced, and the store buried?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let asked = behind(asked, [leaves(3)]);
    let asked = if standard { asked } else { behind(asked, [Action::LoseDisk { store: 3 }]) };
    let scope = Scope {
        // What was said to be destroyed is not taken back, by no word.
        admin: vec![
            Action::Decommission { store: 3, force: true },
            leaves(3),
            Action::CancelDecommission { store: 3 },
        ],
        crashers: vec![3],
        campaigners: vec![2],
        budgets: Budgets {
            admin: either(standard, 0, 2),
            schedules: 1,
            crashes: either(standard, 1, 0),
            missed_heartbeats: 2,
            ..Budgets::default()
        },
        ..asked
    };
    let mut must_fire = vec!["missed heartbeat", "schedule"];
    if standard {
        must_fire.extend(["crash", "restart"]);
    }
    let last = if standard { Reach::StoreDown } else { Reach::StoreLost };
    (scope, vec![Reach::DeadStoreTombstone, last], must_fire)
}

fn pd_restarted(standard: bool) -> Asked {
    let asked = placed(
        "pd_restarted",
        "the placement driver restarts during a decommission: does it bury a store whose regions nobody has reported since?",
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

fn administrator_against_the_patrol(standard: bool) -> Asked {
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
            // There are too few stores for that: refused.
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

fn down_peer_and_a_learner(standard: bool) -> Asked {
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

fn one_replica(standard: bool) -> Asked {
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
