//! What a crash may and may not lose.

use rollcall_traces::{Action, Budgets, ChangeKind, Command, Entries, Reply, Scope};

use super::super::making::{
    REGION, add_learner, add_voter, change, either, enter_joint, put, region, remove, round, scope,
};
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

/// Steps only write, and become durable later: a leader sends entries that its own disk does not
/// have, and crashes.
pub(super) fn power_fails_before_persistence(standard: bool) -> ScopeOutline {
    let asked = scope(
        "power_fails_before_persistence",
        "writes become durable later than their step, and the power fails between: is any promise lost?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        setup: elected_late(),
        commands: vec![remove(3, 3)],
        rounds: vec![Entries::All],
        campaigners: vec![1, 2],
        crashers: vec![1, 3],
        late_persistence: true,
        budgets: Budgets {
            elections: 2,
            crashes: 1,
            changes: 1,
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let mut reachable = vec![
        Reach::EntryUnsynced,
        Reach::CommittedByOthers,
        Reach::ChangeLostByItsLeader,
        Reach::StoreDown,
        Reach::TwoLeaders,
        Reach::PeerRemoved,
    ];
    if standard {
        reachable.push(Reach::PromiseUnsynced);
    }
    (scope, reachable, vec!["campaign", "change peer", "crash", "persist"])
}

/// A sole voter wins its own election at once, before its term is durable, and has a learner to
/// send to.
pub(super) fn sole_voter_persists_late(standard: bool) -> ScopeOutline {
    let asked = scope(
        "sole_voter_persists_late",
        "a sole voter leads before its own term is durable, and crashes: can it lead the term twice?",
        &[1, 2],
        region(&[1], &[2]),
    );
    let scope = Scope {
        setup: vec![],
        commands: vec![put("a"), add_voter(2, 2), remove(2, 2), add_learner(12, 2)],
        rounds: vec![if standard { Entries::One } else { Entries::All }],
        campaigners: if standard { vec![1, 2] } else { vec![1] },
        crashers: vec![1, 2],
        late_persistence: true,
        budgets: Budgets {
            elections: 2,
            crashes: either(standard, 2, 1),
            writes: 2,
            changes: 2,
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::EntryUnsynced, Reach::StoreDown, Reach::PeerRemoved];
    (scope, reachable, vec!["campaign", "put", "change peer", "crash", "persist"])
}

/// Store 1 leads, everybody has applied its first entry, and all of it is durable.
fn elected_late() -> Vec<Action> {
    let (region, leader) = (REGION, 1);
    let persist = Action::Persist { store: leader };
    vec![
        Action::Campaign { region, store: leader },
        persist.clone(),
        Action::Vote { region, candidate: leader, voter: 2, reply: Reply::Delivered },
        persist.clone(),
        round(region, 2),
        round(region, 3),
        round(region, 2),
        persist,
    ]
}
