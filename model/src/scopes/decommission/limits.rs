//! Stores that leave while something is scarce: space, the patrol's limit, or running stores.

use rollcall_traces::{Action, AdminOperator, Budgets, Change, ChangeKind, Command, Reply, Scope};

use super::super::making::{NEIGHBOUR, REGION, apply, behind, either, neighbours, round};
use super::super::plan::ScopeOutline;
use super::making::{joint_entered, leaves, placed, reported, scheduled, successor_joined};
use crate::bounds::reach::Reach;

/// Row 40: the only target reports that it is nearly full.
pub(super) fn target_full_by_share(standard: bool) -> ScopeOutline {
    let asked = placed(
        "target_full_by_share",
        "the only possible target is full by its share of space and has room in bytes: does the peer move there?",
        &[1, 2, 3],
        &[1, 2],
    );
    let scope = Scope {
        low_space: vec![3],
        campaigners: vec![2],
        budgets: Budgets {
            schedules: 1,
            elections: either(standard, 1, 0),
            pd_restarts: either(standard, 1, 0),
            ..Budgets::default()
        },
        // The target missed a heartbeat; the next one counts.
        ..behind(asked, [leaves(2), Action::MissedHeartbeat { store: 3 }])
    };
    let must_fire = vec!["store heartbeat", "schedule", "check stores"];
    (scope, vec![Reach::StoreTombstone, Reach::ReplacementVotes], must_fire)
}

/// Row 49: the patrol works under a limit while an administrator adds operators.
pub(super) fn patrol_limited(standard: bool) -> ScopeOutline {
    let asked = placed(
        "patrol_limited",
        "the patrol may run one operator at a time, two regions must leave one store, and an administrator adds a third operator: does each of them run?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = neighbours(asked, &[1, 2]);
    // The operator of the command is running, and its order has not reached the leader.
    let typed = AdminOperator::TransferLeader { store: 2 };
    let typed = Action::AddOperator { region: REGION, operator: typed, reply: Reply::Dropped };
    let asked = behind(asked, [reported(REGION, 1), reported(NEIGHBOUR, 1), typed, leaves(2)]);
    let scope = Scope {
        schedule_limit: 1,
        campaigners: vec![1],
        budgets: Budgets { schedules: either(standard, 2, 1), transfers: 1, ..Budgets::default() },
        ..asked
    };
    (scope, vec![Reach::ReplacementVotes, Reach::Transferring], vec!["schedule", "region heartbeat"])
}

/// Row 49: an operator beyond the limit waits, and may expire.
pub(super) fn operators_wait(standard: bool) -> ScopeOutline {
    let asked = two_regions_leave(
        "operators_wait",
        "two regions must leave one store, and the second operator waits for the first and may expire: does each of them run?",
    );
    let scope = one_waits(asked, standard);
    let mut must_fire = vec!["region heartbeat", "check stores"];
    if standard {
        must_fire.extend(["schedule", "operator timeout"]);
    }
    (scope, vec![Reach::OperatorWaits, Reach::ReplacementVotes, Reach::StoreTombstone], must_fire)
}

/// The same with a learner that an administrator adds to the waiting region: it is committed there
/// and not applied.
pub(super) fn operator_outrun_while_it_waits(standard: bool) -> ScopeOutline {
    let asked = two_regions_leave(
        "operator_outrun_while_it_waits",
        "a region's members change while its operator waits for another's: is the operator cancelled when it would start?",
    );
    let learner = Change { kind: ChangeKind::AddLearner, peer: 9, store: 3 };
    let by_hand =
        Action::Propose { region: NEIGHBOUR, store: 1, command: Command::ChangePeer(learner), epoch: None };
    let scope = one_waits(behind(asked, [by_hand, round(NEIGHBOUR, 2)]), standard);
    let must_fire = if standard { vec!["schedule", "operator timeout"] } else { vec!["region heartbeat"] };
    (scope, vec![Reach::OperatorWaits, Reach::WaitingOutrun, Reach::ReplacementVotes], must_fire)
}

fn two_regions_leave(name: &str, question: &str) -> Scope {
    let asked = neighbours(placed(name, question, &[1, 2, 3], &[1, 2]), &[1, 2]);
    let asked = Scope { schedule_limit: 1, waiting_limit: 1, ..asked };
    behind(asked, [reported(REGION, 1), reported(NEIGHBOUR, 1), leaves(2)])
}

/// One region is being moved, and the other may wait for that. In the smoke size it does.
fn one_waits(asked: Scope, standard: bool) -> Scope {
    let waits = Action::Schedule { region: NEIGHBOUR, reply: Reply::Delivered };
    let asked =
        if standard { behind(asked, [scheduled()]) } else { behind(joint_entered(asked, 3), [waits]) };
    let (schedules, timeouts) = (either(standard, 1, 0), either(standard, 1, 0));
    Scope { campaigners: vec![1], budgets: Budgets { schedules, timeouts, ..Budgets::default() }, ..asked }
}

/// Rows 38 and 48: a live voter that must move counts until its successor does. The voter with
/// the lost disk is replaced first, so its disk is lost from the beginning. Both moves with a
/// process that may come back have too many states for this size;
/// `stopped_while_two_stores_leave` has one of them.
pub(super) fn two_of_three_replicas_leave(standard: bool) -> ScopeOutline {
    let asked = placed(
        "two_of_three_replicas_leave",
        "two stores of a region leave at once and one loses its disk: do both leave, and does the live voter on the other stay until its successor votes?",
        &[1, 2, 3, 4, 5],
        &[1, 2, 3],
    );
    let gone = [Action::LoseDisk { store: 3 }, Action::MissedHeartbeat { store: 3 }];
    let asked = behind(behind(asked, [leaves(2), leaves(3)]), gone);
    let scope = Scope {
        crashers: vec![3],
        campaigners: vec![2],
        budgets: Budgets {
            schedules: 2,
            elections: either(standard, 1, 0),
            missed_heartbeats: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreLost, Reach::ReplacementVotes, Reach::TwoStoresTombstone];
    let mut must_fire = vec!["schedule", "check stores"];
    if standard {
        must_fire.extend(["campaign", "vote", "missed heartbeat"]);
    }
    (scope, reachable, must_fire)
}

/// omicron#8239: there are more voters than wanted, and PD has not noticed the dead ones yet.
pub(super) fn two_of_five_die_unnoticed(standard: bool) -> ScopeOutline {
    let asked = placed(
        "two_of_five_die_unnoticed",
        "three of five voters are wanted, and two are down before PD has noticed: does the patrol remove a live one and lose the majority?",
        &[1, 2, 3, 4, 5],
        &[1, 2, 3, 4, 5],
    );
    let scope = Scope {
        max_replicas: 3,
        crashers: vec![2, 3],
        budgets: Budgets {
            crashes: 2,
            schedules: 1,
            missed_heartbeats: either(standard, 2, 0),
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::StoreDown, Reach::PeerRemoved], vec!["schedule", "crash", "restart"])
}

/// The same with a stopped process that may restart at any time, and one of the two moves.
pub(super) fn stopped_while_two_stores_leave(standard: bool) -> ScopeOutline {
    let asked = placed(
        "stopped_while_two_stores_leave",
        "two stores of a region leave at once and one's process is stopped for a while: does the live voter on the other stay until its successor votes?",
        &[1, 2, 3, 4, 5],
        &[1, 2, 3],
    );
    let asked = behind(asked, [leaves(2), leaves(3)]);
    let stopped = [Action::Crash { store: 3 }, Action::MissedHeartbeat { store: 3 }];
    let asked = if standard { asked } else { behind(successor_joined(asked, 4), stopped) };
    let scope = Scope {
        crashers: vec![3],
        campaigners: vec![1],
        budgets: Budgets {
            schedules: either(standard, 1, 0),
            crashes: either(standard, 1, 0),
            missed_heartbeats: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let mut must_fire = vec!["region heartbeat", "check stores", "restart"];
    if standard {
        must_fire.extend(["schedule", "crash", "missed heartbeat"]);
    }
    (scope, vec![Reach::ReplacementVotes, Reach::StoreTombstone, Reach::StoreDown], must_fire)
}

/// As `crash_while_a_store_leaves` with a third replica, from the point where every replica has
/// the entry that changes the members.
pub(super) fn crash_and_election_while_a_store_leaves(standard: bool) -> ScopeOutline {
    let asked = placed(
        "crash_and_election_while_a_store_leaves",
        "the leader's process stops while a fourth replica replaces a leaving one of three, and another peer leads: does the store leave?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let asked = behind(successor_joined(behind(asked, [leaves(3)]), 4), [reported(REGION, 1)]);
    let asked = behind(asked, [2, 3, 4].map(|store| round(REGION, store)));
    let asked = if standard { asked } else { behind(asked, led_by_another()) };
    let scope = Scope {
        campaigners: vec![2],
        crashers: vec![1],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            crashes: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreDown, Reach::StoreTombstone, Reach::ReplacementVotes];
    let mut must_fire = vec!["restart", "check stores"];
    if standard {
        must_fire.extend(["campaign", "vote", "crash"]);
    }
    (scope, reachable, must_fire)
}

/// The leader has applied the joint configuration and stops. Another peer wins that does not know
/// it to be committed.
fn led_by_another() -> Vec<Action> {
    let (region, reply) = (REGION, Reply::Delivered);
    let stops = [apply(region, 1), apply(region, 2), Action::Crash { store: 1 }];
    let wins =
        [Action::Campaign { region, store: 2 }, Action::Vote { region, candidate: 2, voter: 3, reply }];
    stops.into_iter().chain(wins).collect()
}
