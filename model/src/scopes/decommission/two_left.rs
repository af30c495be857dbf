//! Two stores remain with different logs. Unsafe recovery must be right for both.

use rollcall_traces::{Action, Budgets, Command, Entries, Reply, Scope};

use super::super::making::{
    NEIGHBOUR, REGION, add_voter, apply, behind, either, neighbours_with, put, region, round, taken_by,
};
use super::super::plan::ScopeOutline;
use super::by_force::lost;
use super::making::{placed, reported};
use crate::bounds::reach::Reach;

/// One of the two restarts between the stages.
fn one_restarts(standard: bool) -> Budgets {
    Budgets {
        admin: 1,
        stages: either(standard, 5, 4),
        crashes: 1,
        lost: either(standard, 1, 0),
        elections: either(standard, 1, 0),
        ..Budgets::default()
    }
}

/// Of five voters, stores 1, 3 and 4 have committed a write and are lost. Store 2 has the write
/// and does not know that it is committed; store 5 lacks it.
pub(super) fn forced_with_two_left(standard: bool) -> ScopeOutline {
    let asked = placed(
        "forced_with_two_left",
        "two of five voters remain, one behind the other, and one restarts between the stages of a recovery: does the one with the longer log lead, and does the other follow?",
        &[1, 2, 3, 4, 5],
        &[1, 2, 3, 4, 5],
    );
    let write = Action::Propose { region: REGION, store: 1, command: put("w"), epoch: None };
    let asked = behind(asked, [write, round(REGION, 2), round(REGION, 3)]);
    let scope = Scope {
        campaigners: vec![2],
        crashers: vec![2, 5],
        budgets: one_restarts(standard),
        ..lost(asked, &[1, 3, 4])
    };
    let reachable = vec![Reach::DemotedByForce, Reach::RegionsDropped, Reach::StoreDown];
    (scope, reachable, vec!["remove failed stores", "vote", "replicate", "crash"])
}

/// Stores 4 and 5 have the target's `CommitMerge` uncommitted.
pub(super) fn forced_with_a_merge_and_two_left(standard: bool) -> ScopeOutline {
    let all = [1, 2, 3, 4, 5];
    let asked = placed(
        "forced_with_a_merge_and_two_left",
        "two of five stores remain, with a CommitMerge in the target's log on both: does the store that applies it last still have the source?",
        &all,
        &all,
    );
    let asked = Scope { next_id: 20, ..neighbours_with(asked, &all, &[], 5) };
    let asked = behind(asked, [reported(REGION, 1), reported(NEIGHBOUR, 1)]);
    let begin = Command::prepare_merge(asked.regions[1].clone());
    let begun = behind(asked, taken_by(REGION, begin, &[4, 5]));
    let commit = Command::commit_merge(REGION);
    let commit = Action::Propose { region: NEIGHBOUR, store: 1, command: commit, epoch: None };
    let asked = lost(behind(begun, [commit, round(NEIGHBOUR, 4), round(NEIGHBOUR, 5)]), &[1, 2, 3]);
    let scope = Scope {
        campaigners: vec![4],
        crashers: vec![4, 5],
        merges: vec![(REGION, NEIGHBOUR)],
        budgets: one_restarts(standard),
        ..asked
    };
    let reachable = vec![Reach::MergedAway, Reach::DemotedByForce, Reach::RegionsDropped];
    (scope, reachable, vec!["remove failed stores", "vote", "replicate", "crash"])
}

/// Peer 4 becomes a voter on stores 1 and 3. Store 2 has that entry uncommitted, and a write
/// behind it. Then stores 1 and 4 are lost: two of four voters, but only one of the three that
/// store 2 knows.
pub(super) fn change_known_to_the_other_who_is_left(standard: bool) -> ScopeOutline {
    let asked = Scope {
        max_replicas: 2,
        next_id: 10,
        rounds: vec![Entries::All],
        ..super::super::making::scope(
            "change_known_to_the_other_who_is_left",
            "two of four voters remain. The one with the longer log knows a configuration of three, of which they are a majority, and the other knows a newer one: does PD's recovery end?",
            &[1, 2, 3, 4],
            region(&[1, 2, 3], &[4]),
        )
    };
    let propose = |command| Action::Propose { region: REGION, store: 1, command, epoch: None };
    let one_entry = Action::Replicate {
        region: REGION,
        leader: 1,
        follower: 3,
        entries: Entries::One,
        reply: Reply::Delivered,
    };
    let changed = [reported(REGION, 1), propose(add_voter(4, 4)), propose(put("w"))];
    let known = [round(REGION, 2), one_entry, apply(REGION, 1), apply(REGION, 3)];
    let asked = lost(behind(behind(asked, changed), known), &[1, 4]);
    let scope = Scope {
        campaigners: if standard { vec![2, 3] } else { vec![2] },
        crashers: vec![3],
        budgets: Budgets {
            admin: 1,
            stages: either(standard, 4, 2),
            timeouts: 1,
            elections: 1,
            crashes: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable =
        vec![Reach::PlanRefused, Reach::LeftWithoutMajority, Reach::DemotedByForce, Reach::RegionsDropped];
    (scope, reachable, vec!["remove failed stores", "recovery timeout", "campaign", "vote", "replicate"])
}
