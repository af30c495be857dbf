//! Unsafe recovery while something else is unfinished: a merge, a joint configuration, a split that
//! PD knows and the remaining store does not.
//!
//! Stores 1 and 2 lose their disks. Store 3 remains, in some scopes with a fourth. In the smoke
//! size store 2 is lost from the start.

use rollcall_traces::{
    Action, Budgets, ChangeKind, Command, Derive, Entries, Key, Reply, Scope, SplitKeys, StoreId,
};

use super::super::making::{
    NEIGHBOUR, REGION, add_voter, apply, behind, change, either, enter_joint, neighbours, neighbours_with,
    put, put_at, region, remove, round, taken_by,
};
use super::super::plan::ScopeOutline;
use super::by_hand::gone;
use super::making::{placed, reported};
use crate::bounds::reach::Reach;

const LOST: [StoreId; 2] = [1, 2];

/// The actions that must fire if a recovery's plan is delayed.
const LATE_PLAN_FIRES: [&str; 4] =
    ["remove failed stores", "recovery timeout", "store heartbeat, plan delayed", "late recovery plan"];

/// Store 1 is lost and given up together with store 2, and the remaining peers may campaign.
fn given_up(scope: Scope, standard: bool, left: StoreId) -> Scope {
    let scope = if standard { scope } else { behind(scope, gone(2)) };
    Scope {
        admin: vec![Action::RemoveFailedStores { stores: LOST.to_vec() }],
        campaigners: vec![left],
        crashers: if standard { LOST.to_vec() } else { vec![1] },
        budgets: Budgets {
            admin: 1,
            stages: 5,
            missed_heartbeats: either(standard, 2, 1),
            disk_losses: either(standard, 2, 1),
            elections: either(standard, 0, 1),
            ..scope.budgets
        },
        ..scope
    }
}

/// Two neighbours on three stores, both reported to PD.
fn two_regions(name: &str, question: &str) -> Scope {
    let asked = neighbours(placed(name, question, &[1, 2, 3], &[1, 2, 3]), &[1, 2, 3]);
    behind(asked, [reported(REGION, 1), reported(NEIGHBOUR, 1)])
}

/// `source` has applied `PrepareMerge` into `target` on stores 1 and 2. Store 3 has not
/// received it, nor, without `informed`, the write before it.
fn merge_to_commit(
    asked: Scope,
    (source, target): (u64, u64),
    informed: bool,
    standard: bool,
) -> ScopeOutline {
    let key = if source == REGION { "k" } else { "z" };
    let write = Command::Put { key: Key::from(key), value: Key::from("v") };
    let write = Action::Propose { region: source, store: 1, command: write, epoch: None };
    let into = asked.regions.iter().find(|region| region.id == target).expect("one of the two").clone();
    let written = behind(asked, [write]);
    let written = if informed { behind(written, [round(source, 3)]) } else { written };
    let asked = behind(written, taken_by(source, Command::prepare_merge(into), &[2]));
    let asked = Scope { merges: vec![(source, target)], ..asked };
    let scope = given_up(asked, standard, 3);
    let budgets = Budgets { elections: 0, ..scope.budgets };
    let scope = Scope { budgets, ..scope };
    let reachable = vec![Reach::StoreLost, Reach::MergedAway, Reach::RegionsDropped];
    (scope, reachable, vec!["remove failed stores", "commit merge", "replicate", "lose disk"])
}

pub(super) fn forced_with_a_merge_to_commit(standard: bool) -> ScopeOutline {
    let asked = two_regions(
        "forced_with_a_merge_to_commit",
        "the remaining peers of two regions have the CommitMerge in the target's log, and the source may lack its PrepareMerge: is the merged data kept, although the source has the lower id?",
    );
    merge_to_commit(asked, (REGION, NEIGHBOUR), true, standard)
}

pub(super) fn forced_with_a_merge_into_the_lower_id(standard: bool) -> ScopeOutline {
    let asked = two_regions(
        "forced_with_a_merge_into_the_lower_id",
        "the target has the lower id, and the remaining peer lacks a write of the source as well: is the merge kept?",
    );
    merge_to_commit(asked, (NEIGHBOUR, REGION), false, standard)
}

/// The source's `PrepareMerge` is under way to store 3.
pub(super) fn forced_while_merging(standard: bool) -> ScopeOutline {
    let asked = two_regions(
        "forced_while_merging",
        "a region is merging, its target has not committed the merge, and both lose a majority: do both continue?",
    );
    let begin = Command::prepare_merge(asked.regions[1].clone());
    let begin = Action::Propose { region: REGION, store: 1, command: begin, epoch: None };
    let asked = behind(asked, [begin, round(REGION, 2), apply(REGION, 1)]);
    let scope = given_up(asked, standard, 3);
    let reachable = vec![Reach::StoreLost, Reach::RolledBack, Reach::DemotedByForce];
    (scope, reachable, vec!["remove failed stores", "apply", "replicate", "lose disk"])
}

/// Peer 4 replaces peer 1, which leads. Then stores 2 and 3 are lost, and of the remaining
/// peers one is being demoted and one promoted.
pub(super) fn forced_in_a_joint_state(standard: bool) -> ScopeOutline {
    let asked = Scope {
        max_replicas: 3,
        next_id: 10,
        ..super::super::making::scope(
            "forced_in_a_joint_state",
            "the remaining peers of a joint region are being demoted or promoted: is the joint configuration left, and who leads?",
            &[1, 2, 3, 4],
            region(&[1, 2, 3], &[4]),
        )
    };
    let swap = [change(ChangeKind::AddVoter, 4, 4), change(ChangeKind::AddLearner, 1, 1)];
    let enter = Action::Propose { region: REGION, store: 1, command: enter_joint(&swap), epoch: None };
    let asked = behind(asked, [reported(REGION, 1), enter, round(REGION, 2), round(REGION, 3)]);
    let asked = behind(asked, [apply(REGION, 1)]);
    let scope = if standard { asked } else { behind(asked, gone(2)) };
    let scope = Scope {
        admin: vec![Action::RemoveFailedStores { stores: vec![2, 3] }],
        campaigners: vec![1],
        crashers: if standard { vec![2, 3] } else { vec![3] },
        budgets: Budgets {
            admin: 1,
            stages: 5,
            missed_heartbeats: either(standard, 2, 1),
            disk_losses: either(standard, 2, 1),
            elections: 1,
            ..Budgets::default()
        },
        ..scope
    };
    let reachable = vec![Reach::StoreLost, Reach::DemotedByForce, Reach::RegionsDropped];
    (scope, reachable, vec!["remove failed stores", "replicate", "lose disk"])
}

/// Store 1 asks for the ids of a split at `m`.
fn asks_to_divide() -> Action {
    let (keys, derive, reply) = (vec![Key::from("m")], Derive::Left, Reply::Delivered);
    Action::AskSplit { region: REGION, store: 1, keys, derive, reply }
}

/// Store 1 splits the region and reports it. Store 3 may apply the split or not.
pub(super) fn forced_behind_a_split(standard: bool) -> ScopeOutline {
    let asked = placed(
        "forced_behind_a_split",
        "two stores split a region, report it, and are lost, and the third has not applied the split: does PD accept the third store's reports after unsafe recovery?",
        &[1, 2, 3],
        &[1, 2, 3],
    );
    let keys = vec![Key::from("m")];
    let write = Action::Propose { region: REGION, store: 1, command: put("w"), epoch: None };
    let asked = behind(asked, [write, asks_to_divide(), round(REGION, 2)]);
    let scope = given_up(asked, standard, 3);
    let scope = Scope { splits: vec![SplitKeys { keys, derive: Derive::Left }], ..scope };
    let reachable = vec![Reach::StoreLost, Reach::DemotedByForce, Reach::RegionsDropped];
    (scope, reachable, vec!["remove failed stores", "replicate", "apply", "lose disk", "region heartbeat"])
}

/// The stores are lost first, and are then given up.
pub(super) fn lost(asked: Scope, failed: &[StoreId]) -> Scope {
    let asked = failed.iter().fold(asked, |asked, store| behind(asked, gone(*store)));
    Scope { admin: vec![Action::RemoveFailedStores { stores: failed.to_vec() }], ..asked }
}

/// Three stores, of which only store 3 remains.
fn one_left(name: &str, question: &str) -> Scope {
    let asked = lost(placed(name, question, &[1, 2, 3], &[1, 2, 3]), &LOST);
    Scope { campaigners: vec![3], crashers: vec![3], ..asked }
}

pub(super) fn forced_and_interrupted(standard: bool) -> ScopeOutline {
    let asked = one_left(
        "forced_and_interrupted",
        "the remaining store restarts between the stages of a recovery that may time out, and a plan arrives late: does the region continue?",
    );
    let budgets = Budgets {
        admin: 1,
        stages: either(standard, 7, 6),
        crashes: either(standard, 2, 1),
        timeouts: either(standard, 2, 1),
        late: 1,
        lost: either(standard, 1, 0),
        ..Budgets::default()
    };
    let reachable = vec![Reach::DemotedByForce, Reach::RegionsDropped, Reach::StoreDown];
    let must_fire = vec![
        "remove failed stores",
        "recovery timeout",
        "force leader timeout",
        "store heartbeat, plan delayed",
        "late recovery plan",
        "crash",
    ];
    (Scope { budgets, ..asked }, reachable, must_fire)
}

/// Store 4 has no peer. PD still waits for its report.
pub(super) fn report_comes_late(standard: bool) -> ScopeOutline {
    let asked = placed(
        "report_comes_late",
        "a store's report of a recovery is dropped, or arrives late, in its step or in a later one: does PD wait, and never count a report for another step?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let scope = Scope {
        campaigners: vec![3],
        crashers: vec![3],
        store_reports: true,
        budgets: Budgets {
            admin: either(standard, 2, 1),
            stages: either(standard, 7, 5),
            crashes: 1,
            late: either(standard, 2, 1),
            ..Budgets::default()
        },
        ..lost(asked, &LOST)
    };
    let reachable = vec![
        Reach::StoreReportUnderWay,
        Reach::StoreReportOutrun,
        Reach::DemotedByForce,
        Reach::RegionsDropped,
        Reach::StoreDown,
    ];
    (scope, reachable, vec!["remove failed stores", "hold store report", "late store report", "crash"])
}

/// No remaining store has the region, and PD recreates it. Its plan for that is delayed until the
/// recovery was aborted and another is running or finished.
pub(super) fn plan_for_a_hole_comes_late(standard: bool) -> ScopeOutline {
    let asked = placed(
        "plan_for_a_hole_comes_late",
        "a recovery's plan creates a region for keys that no store has, and arrives when the next recovery has created one or is about to: are the keys in one region on that store?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let by_hand = Action::TombstonePeer { region: REGION, store: 3, force: true };
    let ended = [Action::Crash { store: 3 }, by_hand, Action::Restart { store: 3 }];
    let scope = Scope {
        campaigners: vec![3],
        crashers: vec![3],
        commands: vec![put("w")],
        budgets: Budgets {
            admin: 2,
            stages: either(standard, 8, 6),
            timeouts: either(standard, 2, 1),
            crashes: either(standard, 1, 0),
            late: 1,
            elections: 1,
            writes: 1,
            ..Budgets::default()
        },
        ..behind(lost(asked, &LOST), ended)
    };
    let reachable = vec![Reach::PlanOutrun, Reach::RegionsDropped];
    let must_fire = LATE_PLAN_FIRES.to_vec();
    (scope, reachable, must_fire)
}

/// Store 3 has the region from before a split, as a learner. Store 2 has the child, which is newer,
/// so PD destroys the older region's peer. Its plan for that is delayed until the peer is a
/// tombstone, by the same plan repeated or by the next recovery's.
pub(super) fn plan_to_destroy_comes_late(standard: bool) -> ScopeOutline {
    let asked = Scope {
        max_replicas: 1,
        next_id: 10,
        rounds: vec![Entries::All],
        ..super::super::making::scope(
            "plan_to_destroy_comes_late",
            "a recovery destroys a peer whose range a newer region has, and the plan for that arrives again after the peer was destroyed: do the tombstone and the newer region stay as they are?",
            &[1, 2, 3],
            region(&[1], &[3]),
        )
    };
    const CHILD: u64 = 10;
    let propose = |region, command| Action::Propose { region, store: 1, command, epoch: None };
    let (keys, derive, reply) = (vec![Key::from("m")], Derive::Right, Reply::Delivered);
    let divides = Action::AskSplit { region: REGION, store: 1, keys, derive, reply };
    let divided = [propose(REGION, put("v")), round(REGION, 3), divides, apply(REGION, 1)];
    // Peer 12 of the child should be on store 3 and is not created.
    let moved = [propose(CHILD, remove(12, 3)), apply(CHILD, 1), propose(CHILD, add_voter(9, 2))];
    let arrives = [
        round(CHILD, 2),
        round(CHILD, 2),
        Action::ApplySnapshot { region: CHILD, store: 2 },
        round(CHILD, 2),
    ];
    let moved = moved.into_iter().chain([apply(CHILD, 1)]).chain(arrives);
    let asked = behind(behind(asked, divided), moved);
    let asked = behind(asked, [reported(REGION, 1), reported(CHILD, 1)]);
    let scope = Scope {
        campaigners: vec![2],
        crashers: vec![2],
        budgets: Budgets {
            admin: either(standard, 2, 1),
            stages: either(standard, 6, 5),
            timeouts: 1,
            late: 1,
            ..Budgets::default()
        },
        ..lost(asked, &[1])
    };
    let reachable = vec![Reach::PlanOutrun, Reach::PlanMeetsTombstone, Reach::RegionsDropped];
    let must_fire = LATE_PLAN_FIRES.to_vec();
    (scope, reachable, must_fire)
}

/// Region 2 is to merge region 1. Of the remaining peers, only the learner on store 5 has the entry
/// for that. The learner on store 4 knows the write before it to be committed, and the voter on
/// store 3 has an entry of a newer term in its place.
pub(super) fn merge_into_what_nobody_can_lead(standard: bool) -> ScopeOutline {
    let asked = Scope {
        max_replicas: 3,
        next_id: 20,
        rounds: vec![Entries::All],
        ..super::super::making::scope(
            "merge_into_what_nobody_can_lead",
            "a region is to merge into one in which no remaining peer may become a forced leader: does it wait, and why?",
            &[1, 2, 3, 4, 5],
            region(&[1, 2, 3], &[4, 5]),
        )
    };
    let asked = neighbours_with(asked, &[1, 2, 3], &[4, 5], 5);
    let begin = Command::prepare_merge(asked.regions[1].clone());
    let propose = |store, command| Action::Propose { region: NEIGHBOUR, store, command, epoch: None };
    let reply = Reply::Delivered;
    let vote = |candidate, voter| Action::Vote { region: NEIGHBOUR, candidate, voter, reply };
    let wins = |store, by: [StoreId; 2]| {
        [Action::Campaign { region: NEIGHBOUR, store }, vote(store, by[0]), vote(store, by[1])]
    };
    let one_entry =
        Action::Replicate { region: NEIGHBOUR, leader: 1, follower: 4, entries: Entries::One, reply };
    let merging =
        behind(behind(asked, [reported(REGION, 1), reported(NEIGHBOUR, 1)]), taken_by(REGION, begin, &[2]));
    let also = [3, 4, 5].into_iter().flat_map(|store| [round(REGION, store), apply(REGION, store)]);
    let merging = behind(merging, also);
    let to_commit =
        [propose(1, put_at("z", "w")), propose(1, Command::commit_merge(REGION)), round(NEIGHBOUR, 5)];
    let to_commit = behind(behind(behind(merging, to_commit), wins(3, [1, 2])), wins(1, [3, 2]));
    let known = behind(to_commit, [round(NEIGHBOUR, 2), round(NEIGHBOUR, 2), one_entry]);
    let scope = Scope {
        campaigners: vec![3],
        crashers: vec![3],
        merges: vec![(REGION, NEIGHBOUR)],
        budgets: Budgets {
            admin: 1,
            stages: either(standard, 5, 3),
            timeouts: 1,
            crashes: 1,
            elections: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..lost(known, &LOST)
    };
    (scope, vec![Reach::LeftWithoutMajority], vec!["remove failed stores", "crash", "recovery timeout"])
}

pub(super) fn given_up_once_more(standard: bool) -> ScopeOutline {
    let asked = one_left(
        "given_up_once_more",
        "PD restarts during a recovery or aborts it, a plan is lost, and recovery of the same stores starts again: does the region continue, and does PD know it?",
    );
    let budgets = Budgets {
        admin: 2,
        stages: either(standard, 9, 6),
        timeouts: either(standard, 2, 1),
        pd_restarts: 1,
        lost: 1,
        crashes: either(standard, 1, 0),
        ..Budgets::default()
    };
    let reachable = vec![Reach::DemotedByForce, Reach::RegionsDropped];
    let must_fire =
        vec!["remove failed stores", "recovery timeout", "store heartbeat, plan dropped", "pd restart"];
    (Scope { budgets, ..asked }, reachable, must_fire)
}

/// Store 1 has split the region and reported it, store 3 has not applied the split, and the
/// recovery is interrupted.
pub(super) fn broken_off_behind_a_split(standard: bool) -> ScopeOutline {
    let asked = placed(
        "broken_off_behind_a_split",
        "PD knows a split that no remaining store has, and recovery times out or PD restarts: does PD accept the remaining store's reports?",
        &[1, 2, 3],
        &[1, 2, 3],
    );
    let divided = behind(asked, [asks_to_divide(), round(REGION, 2), apply(REGION, 1), reported(REGION, 1)]);
    let scope = Scope {
        campaigners: vec![3],
        crashers: vec![3],
        budgets: Budgets {
            admin: either(standard, 2, 1),
            stages: either(standard, 8, 5),
            timeouts: 1,
            pd_restarts: 1,
            crashes: either(standard, 1, 0),
            elections: 1,
            ..Budgets::default()
        },
        ..lost(divided, &LOST)
    };
    let reachable = vec![Reach::DemotedByForce, Reach::RegionsDropped];
    (scope, reachable, vec!["remove failed stores", "recovery timeout", "pd restart", "region heartbeat"])
}
