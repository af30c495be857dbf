//! What a crash may and may not lose.

use rollcall_traces::{Budgets, ChangeKind, Command, Entries, Scope};

use super::super::making::{add_voter, change, either, enter_joint, put, region, remove, scope};
use super::super::plan::ScopeOutline;
use crate::bounds::reach::Reach;

/// PD first adds a learner, from which no candidate requests a vote. pd-ctl's former `add-peer`, or
/// a script, may add a voter.
pub(super) fn voter_restarts_before_its_snapshot(standard: bool) -> ScopeOutline {
    let asked = scope(
        "voter_restarts_before_its_snapshot",
        "a voter that was added directly votes before its snapshot arrives, and restarts: does it keep its vote?",
        &[1, 2, 3],
        region(&[1, 2], &[]),
    );
    let scope = Scope {
        commands: vec![add_voter(3, 3), put("a")],
        campaigners: if standard { vec![1, 2] } else { vec![2] },
        crashers: if standard { vec![1, 3] } else { vec![3] },
        budgets: Budgets {
            elections: either(standard, 2, 1),
            crashes: either(standard, 2, 1),
            changes: 1,
            writes: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::VoteBeforeSnapshot, Reach::VoterWithoutLog, Reach::StoreDown, Reach::TwoLeaders],
        vec!["change peer", "campaign", "crash", "apply snapshot"],
    )
}

/// A power failure loses what raft-rs lets a store leave unsynced: a commit index that was written
/// alone. Whether a peer may campaign depends on its commit index. No promise depends on what can
/// be lost.
pub(super) fn power_fails_between_changes(standard: bool) -> ScopeOutline {
    let demote = |store| change(ChangeKind::AddLearner, store, store);
    let asked = scope(
        "power_fails_between_changes",
        "the power fails, and a commit index that was written alone is lost: who may campaign then?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let removals = if standard {
        vec![remove(3, 3), enter_joint(&[demote(2)])]
    } else {
        vec![enter_joint(&[demote(2), demote(3)]), Command::LeaveJoint]
    };
    let scope = Scope {
        commands: removals,
        rounds: vec![if standard { Entries::One } else { Entries::All }],
        campaigners: vec![1, 2],
        crashers: if standard { vec![1, 2] } else { vec![2] },
        unsynced_commits: true,
        budgets: Budgets { elections: 2, crashes: 1, changes: 2, ..Budgets::default() },
        ..asked
    };
    let mut reachable = vec![Reach::CommitUnsynced, Reach::StoreDown, Reach::TwoLeaders];
    let mut must_fire = vec!["campaign", "enter joint", "crash"];
    // The standard size has a joint change of one member, which is a simple change.
    if !standard {
        reachable.extend([Reach::Joint, Reach::JointLeft]);
        must_fire.push("leave joint");
    }
    (scope, reachable, must_fire)
}
