//! Peers that lag behind a change: they lack its log, or have not applied it.

use rollcall_traces::{Action, Budgets, ChangeKind, Command, Entries, Outgoing, Scope};

use super::super::making::{REGION, behind, change, either, enter_joint, put, region, scope};
use super::super::plan::ScopeOutline;
use crate::bounds::reach::Reach;

/// etcd#12631: a joint configuration needs the voters that it demotes, and one of them needs a
/// snapshot. If the other's disk is lost, nothing commits until it has applied the snapshot.
pub(super) fn demoted_while_it_needs_a_snapshot(standard: bool) -> ScopeOutline {
    let demote = |store| change(ChangeKind::AddLearner, store, store);
    let asked = scope(
        "demoted_while_it_needs_a_snapshot",
        "two voters are being demoted, one is lost and the other needs a snapshot: is the joint configuration left?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![enter_joint(&[demote(2), demote(3)]), Command::LeaveJoint, put("a")],
        rounds: vec![Entries::All],
        campaigners: vec![1],
        crashers: vec![2],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            changes: 2,
            compactions: 1,
            disk_losses: 1,
            writes: either(standard, 1, 0),
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![
            Reach::Joint,
            Reach::JointLeft,
            Reach::StoreLost,
            Reach::DemotedBehindTheLog,
            Reach::SnapshotPending,
        ],
        vec!["enter joint", "leave joint", "compact log", "apply snapshot", "lose disk"],
    )
}

/// etcd#12133 by `TimeoutNow`: here no peer campaigns on its own. The smoke size starts with the
/// transfer aborted and its message delayed.
pub(super) fn timeout_now_comes_late(standard: bool) -> ScopeOutline {
    let demote = |store| change(ChangeKind::AddLearner, store, store);
    let asked = scope(
        "timeout_now_comes_late",
        "a transfer was aborted, and its TimeoutNow arrives after a change: does the receiver campaign by the old configuration?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let hand_over = Command::TransferLeader { to: 2 };
    let given_up = [
        Action::Propose { region: REGION, store: 1, command: hand_over.clone(), epoch: None },
        Action::Hold { region: REGION, from: 1, to: 2, message: Outgoing::TimeoutNow },
        Action::TransferTimeout { region: REGION, store: 1 },
    ];
    let scope = Scope {
        commands: vec![enter_joint(&[demote(2), demote(3)]), Command::LeaveJoint, hand_over, put("a")],
        rounds: vec![Entries::All],
        budgets: Budgets {
            changes: 2,
            transfers: either(standard, 1, 0),
            writes: 1,
            late: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let scope = if standard { scope } else { behind(scope, given_up) };
    (
        scope,
        vec![Reach::LateTimeoutNow, Reach::JointLeft, Reach::TwoLeaders],
        vec!["late timeout now", "enter joint", "leave joint"],
    )
}

/// A log also keeps the term of its last truncated entry. A follower's match is checked against
/// it.
pub(super) fn compacted_behind_an_election(standard: bool) -> ScopeOutline {
    let asked = scope(
        "compacted_behind_an_election",
        "a leader of a newer term compacts entries of an older term: do logs still match there?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![put("a"), put("b")],
        campaigners: if standard { vec![2, 3] } else { vec![2] },
        budgets: Budgets {
            elections: either(standard, 2, 1),
            compactions: 1,
            writes: 1,
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::OldTermDiscarded, Reach::TwoLeaders], vec!["compact log", "campaign", "put"])
}
