//! What an administrator can force past PD's checks: tikv-ctl on a stopped store, and unsafe
//! recovery.

use rollcall_traces::{Action, AdminOperator, Budgets, Entries, Reply, Scope, StoreId};

use super::super::making::{REGION, behind, either, put, region, scope};
use super::super::plan::ScopeOutline;
use super::making::{leaves, operator, placed, reported};
use crate::bounds::reach::Reach;

fn by_hand(store: StoreId, force: bool) -> Action {
    Action::TombstonePeer { region: REGION, store, force }
}

pub(super) fn tombstone_by_hand(standard: bool) -> ScopeOutline {
    let asked = placed(
        "tombstone_by_hand",
        "tikv-ctl tombstones a peer on a stopped store, with PD's consent, with PD behind, and by force: what is lost?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = behind(asked, [operator(REGION, AdminOperator::AddPeer { store: 3 })]);
    let mut admin = vec![
        by_hand(3, false),
        by_hand(3, true),
        by_hand(2, true),
        operator(REGION, AdminOperator::RemovePeer { store: 3 }),
    ];
    if standard {
        // It is declared destroyed, and only stopped.
        admin.push(Action::Decommission { store: 3, force: true });
    }
    let scope = Scope {
        admin,
        campaigners: vec![1],
        crashers: vec![2, 3],
        budgets: Budgets {
            admin: 2,
            crashes: 1,
            elections: either(standard, 1, 0),
            timeouts: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreDown, Reach::ListedTombstone];
    (scope, reachable, vec!["tombstone peer", "tombstone peer by force", "crash"])
}

/// The store loses its disk and sends no more heartbeats.
pub(super) fn gone(store: StoreId) -> [Action; 2] {
    [Action::LoseDisk { store }, Action::MissedHeartbeat { store }]
}

pub(super) fn forced_by_hand(standard: bool) -> ScopeOutline {
    let asked = placed(
        "forced_by_hand",
        "two of three voters lost their disks: what can unsafe recovery do with the remaining one, and what is refused?",
        &[1, 2, 3],
        &[1, 2, 3],
    );
    let asked = behind(asked, gone(1));
    let asked = if standard { asked } else { behind(asked, gone(2)) };
    let scope = Scope {
        admin: vec![
            Action::RemoveFailedStores { stores: vec![1, 2] },
            by_hand(3, true),
            by_hand(3, false),
            leaves(3),
        ],
        campaigners: vec![3],
        crashers: if standard { vec![2, 3] } else { vec![3] },
        budgets: Budgets {
            admin: 2,
            stages: 5,
            schedules: 1,
            missed_heartbeats: either(standard, 2, 1),
            crashes: 1,
            disk_losses: either(standard, 1, 0),
            elections: either(standard, 2, 1),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreDown, Reach::StoreLost];
    (scope, reachable, vec!["remove failed stores", "tombstone peer by force", "crash"])
}

/// Store 1 has a write that no other store has, and store 3 has won an election since: its log
/// ends with an entry of a newer term in the place of that write. Once store 1 leads again, the
/// write may be committed behind an entry of the new term (Figure 8 of the Raft paper), and the
/// learner on store 4 may know that.
pub(super) fn forced_behind_a_learner(standard: bool) -> ScopeOutline {
    let asked = Scope {
        max_replicas: 3,
        next_id: 10,
        ..scope(
            "forced_behind_a_learner",
            "two of three voters are lost, and the remaining voter is behind a learner or has an entry of a newer term: does recovery keep what the learner knows to be committed?",
            &[1, 2, 3, 4],
            region(&[1, 2, 3], &[4]),
        )
    };
    let vote = |candidate, voter| Action::Vote { region: REGION, candidate, voter, reply: Reply::Delivered };
    let wins = |store, by: [StoreId; 2]| {
        [Action::Campaign { region: REGION, store }, vote(store, by[0]), vote(store, by[1])]
    };
    let to_the_other = Action::Replicate {
        region: REGION,
        leader: 1,
        follower: 2,
        entries: Entries::One,
        reply: Reply::Delivered,
    };
    let write = Action::Propose { region: REGION, store: 1, command: put("v"), epoch: None };
    let written = behind(asked, [reported(REGION, 1), write]);
    let asked = behind(behind(written, wins(3, [1, 2])), wins(1, [3, 2]));
    let asked =
        if standard { asked } else { behind(behind(asked, [to_the_other.clone(), to_the_other]), gone(2)) };
    let scope = Scope {
        admin: vec![Action::RemoveFailedStores { stores: vec![1, 2] }],
        // In the smoke size the former learner leads once it votes. An election of store 3 before
        // that would multiply the states by five; `forced_by_hand` has one.
        campaigners: vec![if standard { 3 } else { 4 }],
        crashers: vec![1, 2],
        budgets: Budgets {
            admin: 1,
            stages: 5,
            missed_heartbeats: either(standard, 2, 1),
            disk_losses: either(standard, 2, 1),
            elections: either(standard, 0, 1),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreLost, Reach::DemotedByForce, Reach::LeftWithoutMajority];
    (scope, reachable, vec!["remove failed stores", "replicate", "lose disk"])
}
