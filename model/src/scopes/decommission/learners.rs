//! `decommission`: learners left over by a cancelled operator, or by an administrator's command in
//! the middle of one.

use rollcall_traces::{Action, AdminOperator, Budgets, Reply, Scope};

use super::super::making::{REGION, apply, behind, either, round};
use super::super::plan::ScopeOutline;
use super::making::{leaves, operator, placed, scheduled, successor_joined};
use crate::bounds::reach::Reach;

/// PD counts a pending learner as the peer that its rule requires (`rule_checker.go
/// fixLooseMatchPeer`). After a timeout it creates no operator for another store.
pub(super) fn learner_waits_for_its_snapshot(standard: bool) -> ScopeOutline {
    let asked = placed(
        "learner_waits_for_its_snapshot",
        "a voter is missing, and its learner's snapshot takes longer than the operator may: does PD wait, or add and remove learners?",
        &[1, 2, 3, 4],
        &[1, 2],
    );
    let asked = Scope { max_replicas: 3, ..asked };
    let asked = behind(asked, [scheduled(), round(REGION, 2), apply(REGION, 1)]);
    let scope = Scope {
        campaigners: vec![2],
        crashers: vec![3],
        budgets: Budgets {
            schedules: 2,
            timeouts: either(standard, 2, 1),
            elections: either(standard, 1, 0),
            missed_heartbeats: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::LearnerWaitedFor, Reach::Promoted];
    (scope, reachable, vec!["schedule", "operator timeout", "apply snapshot"])
}

/// An administrator demotes the peer on the leaving store in the middle of its move, so that
/// one voter and two learners remain. If the learner there holds the free place, no store is
/// left for another peer, and PD never finds a target.
pub(super) fn learner_beside_a_spare_one(standard: bool) -> ScopeOutline {
    let asked = placed(
        "learner_beside_a_spare_one",
        "an administrator removes a peer that is half moved, and two learners remain, one on the last store: does one become a voter?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = successor_joined(behind(asked, [leaves(2)]), 3);
    // The order to promote it is dropped.
    let report = Action::RegionHeartbeat { region: REGION, store: 1, reply: Reply::Dropped };
    let asked = behind(asked, [report]);
    let scope = Scope {
        admin: vec![operator(REGION, AdminOperator::RemovePeer { store: 2 })],
        campaigners: vec![1],
        budgets: Budgets {
            admin: 1,
            schedules: either(standard, 2, 1),
            timeouts: 1,
            elections: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::SpareLearner, Reach::StoreTombstone];
    (scope, reachable, vec!["add operator", "operator timeout", "schedule"])
}
