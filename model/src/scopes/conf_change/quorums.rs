//! Changes that would leave the new configuration without a working quorum. A leader refuses them
//! by the active voters and by what its log still has.

use rollcall_traces::{Budgets, ChangeKind, Entries, Scope};

use super::super::making::{add_voter, change, either, enter_joint, put, region, remove, scope};
use super::super::plan::ScopeOutline;
use crate::bounds::reach::Reach;

pub(super) fn removed_while_a_voter_is_down(standard: bool) -> ScopeOutline {
    let asked = scope(
        "removed_while_a_voter_is_down",
        "a voter is down and PD has not noticed: does the leader remove a live voter, and with it the majority?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![remove(2, 2), remove(3, 3), put("a")],
        campaigners: vec![2],
        crashers: vec![3],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            crashes: 1,
            changes: 1,
            writes: either(standard, 1, 0),
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::StoreDown, Reach::PeerRemoved], vec!["change peer", "crash", "restart"])
}

/// cockroach#42251, etcd#10563: the removed voter applies the removal first.
pub(super) fn one_of_four_goes(standard: bool) -> ScopeOutline {
    let asked = scope(
        "one_of_four_goes",
        "one of four voters is removed, any peer may learn of it first, and a disk is lost: can the remaining majority elect?",
        &[1, 2, 3, 4],
        region(&[1, 2, 3, 4], &[]),
    );
    let scope = Scope {
        commands: vec![enter_joint(&[change(ChangeKind::AddLearner, 2, 2)]), remove(2, 2)],
        rounds: vec![Entries::All],
        campaigners: vec![3],
        crashers: vec![1],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            changes: 2,
            disk_losses: 1,
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::StoreLost, Reach::PeerRemoved], vec!["lose disk", "enter joint", "change peer"])
}

pub(super) fn new_quorum_needs_a_snapshot(standard: bool) -> ScopeOutline {
    let asked = scope(
        "new_quorum_needs_a_snapshot",
        "a new voter waits for its snapshot and another voter is removed: does a quorum have the log?",
        &[1, 2, 3],
        region(&[1, 2], &[]),
    );
    let scope = Scope {
        commands: vec![add_voter(3, 3), remove(2, 2)],
        campaigners: vec![2],
        crashers: vec![3],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            changes: 2,
            crashes: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::PeerAdded, Reach::SnapshotPending], vec!["change peer", "apply snapshot"])
}
