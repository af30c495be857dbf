//! Something joins while a store leaves: a store, a voter, a repeated order.

use rollcall_traces::{Action, AdminOperator, Budgets, Reply, Scope};

use super::super::making::{REGION, behind, either};
use super::super::plan::ScopeOutline;
use super::making::{joint_entered, leaves, placed};
use crate::bounds::reach::Reach;

/// No store may leave before another has joined (row 39).
pub(super) fn new_store_joins(standard: bool) -> ScopeOutline {
    let asked = placed(
        "new_store_joins",
        "a new store registers: does PD let another leave only then, and does its peer move there once the new store has sent a heartbeat?",
        &[1, 2, 3],
        &[1, 2],
    );
    let scope = Scope {
        joining: vec![3],
        admin: vec![Action::AddStore { store: 3 }, leaves(2)],
        campaigners: vec![2],
        crashers: vec![3],
        budgets: Budgets {
            admin: 2,
            schedules: 1,
            elections: either(standard, 1, 0),
            crashes: either(standard, 1, 0),
            pd_restarts: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let mut must_fire = vec!["add store", "store heartbeat", "decommission", "schedule", "check stores"];
    if standard {
        must_fire.extend(["crash", "campaign", "pd restart"]);
    }
    (scope, vec![Reach::StoreTombstone, Reach::ReplacementVotes], must_fire)
}

/// As in TinyKV, and in PD before learners: for a while the new voter has no log and counts for the
/// quorum.
pub(super) fn voter_added_at_once(standard: bool) -> ScopeOutline {
    let asked = placed(
        "voter_added_at_once",
        "a voter is added without having been a learner: does the region continue while the new voter has no log, or if it is lost before it has one?",
        &[1, 2, 3],
        &[1, 2],
    );
    let added = Action::AddOperator {
        region: REGION,
        operator: AdminOperator::AddVoter { store: 3 },
        reply: Reply::Delivered,
    };
    let scope = Scope {
        max_replicas: 3,
        admin: vec![added],
        campaigners: vec![2],
        crashers: vec![3],
        budgets: Budgets {
            admin: 1,
            elections: 1,
            crashes: 1,
            timeouts: either(standard, 1, 0),
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::PeerAdded, Reach::StoreDown];
    (scope, reachable, vec!["add operator", "campaign", "crash", "apply snapshot"])
}

/// PD repeats an order until it is done. The first may have been lost, or only delayed.
pub(super) fn order_repeated(standard: bool) -> ScopeOutline {
    let asked = placed(
        "order_repeated",
        "an order is dropped or late, and PD sends it again: is it executed exactly once?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = behind(asked, [leaves(2)]);
    let asked = if standard { asked } else { joint_entered(asked, 3) };
    let scope = Scope {
        campaigners: vec![1],
        budgets: Budgets {
            schedules: either(standard, 1, 0),
            pushes: either(standard, 2, 1),
            lost: either(standard, 1, 0),
            late: 1,
            ..Budgets::default()
        },
        ..asked
    };
    let must_fire = vec!["push operator", "push operator, order delayed", "late order", "check stores"];
    (scope, vec![Reach::OrderUnderWay, Reach::StoreTombstone, Reach::ReplacementVotes], must_fire)
}
