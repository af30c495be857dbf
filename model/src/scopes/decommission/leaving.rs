//! Stores that leave, one after another or at once, or whose decommission is cancelled.

use rollcall_traces::{Action, AdminOperator, Budgets, Scope, StoreId};

use super::super::making::{REGION, behind, either};
use super::super::plan::ScopeOutline;
use super::making::{leaves, operator, placed, scheduled};
use crate::bounds::reach::Reach;

pub(super) fn one_store_leaves(standard: bool) -> ScopeOutline {
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

/// The same move with a crash instead of an election. Both at once have four million states;
/// `crash_and_election_while_a_store_leaves` has them from the joint configuration on.
pub(super) fn process_ends_while_a_store_leaves(standard: bool) -> ScopeOutline {
    let (stores, voters): (&[StoreId], &[StoreId]) =
        if standard { (&[1, 2, 3, 4], &[1, 2, 3]) } else { (&[1, 2, 3], &[1, 2]) };
    let (leaving, successor) = if standard { (3, 4) } else { (2, 3) };
    let asked = placed(
        "process_ends_while_a_store_leaves",
        "a store leaves, and a process stops on the way, possibly the successor's in the middle of its snapshot: does the move continue where it was?",
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

pub(super) fn crash_while_a_store_leaves(standard: bool) -> ScopeOutline {
    let asked = placed(
        "crash_while_a_store_leaves",
        "the leader's process stops in the middle, and another peer leads: does the operator continue where it was?",
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

pub(super) fn leaders_store_leaves(standard: bool) -> ScopeOutline {
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
pub(super) fn stalled_leaders_store_leaves(standard: bool) -> ScopeOutline {
    let asked = placed(
        "stalled_leaders_store_leaves",
        "the leader's store leaves, and its disk is stalled while PD adds a learner: does the transfer reach a peer that can serve?",
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

pub(super) fn two_stores_of_a_region_leave(standard: bool) -> ScopeOutline {
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

pub(super) fn decommission_cancelled(standard: bool) -> ScopeOutline {
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
            // Refused: only the patrol may do this.
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

pub(super) fn no_legal_target(standard: bool) -> ScopeOutline {
    let asked = placed(
        "no_legal_target",
        "one possible target is too full, and another is down or lost: what does PD reply, and what may an administrator still do?",
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

pub(super) fn leaving_store_stopped(standard: bool) -> ScopeOutline {
    let asked = placed(
        "leaving_store_stopped",
        "a leaving store's process stops, or its disk is lost, before its peer has moved: is the peer replaced, and the store buried?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let asked = behind(asked, [leaves(3)]);
    let asked = if standard { asked } else { behind(asked, [Action::LoseDisk { store: 3 }]) };
    let scope = Scope {
        // No command takes back a declaration of destruction.
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
