//! Removed peers that do not know of their removal, and heartbeats to existing peers. The scopes of
//! all three families in which a peer gets no message, or only a heartbeat.

use rollcall_traces::{Action, Budgets, ChildCommand, Command, Derive, Entries, Scope};

use super::decommission;
use super::making::{
    NEIGHBOUR, REGION, add_learner, apply, behind, either, neighbours, put, region, remove, round, scope,
};
use super::plan::ScopeOutline;
use super::split::making::{CHILD, splitting};
use crate::bounds::reach::Reach;

/// tikv#7386: learners learn of their removal by asking.
pub(super) fn learner_removed_while_cut_off(standard: bool) -> ScopeOutline {
    let (stores, learners): (&[u64], &[u64]) =
        if standard { (&[1, 2, 3, 4], &[3, 4]) } else { (&[1, 2, 3], &[2, 3]) };
    let voters: &[u64] = if standard { &[1, 2] } else { &[1] };
    let asked = scope(
        "learner_removed_while_cut_off",
        "two learners are removed, and one of them never receives its removal: does it learn from the other, which was destroyed first, which members to ask?",
        stores,
        region(voters, learners),
    );
    let scope = Scope {
        commands: learners.iter().map(|store| remove(*store, *store)).collect(),
        rounds: vec![Entries::All],
        campaigners: vec![2],
        crashers: vec![3],
        budgets: Budgets {
            changes: 2,
            late: 1,
            stale_checks: 2,
            crashes: either(standard, 0, 1),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::LearnerStrays, Reach::LearnerEndedByWord, Reach::MembersNamed],
        vec!["check stale peer", "check stale peer, reply delayed", "late check stale peer response"],
    )
}

pub(super) fn heartbeats_without_entries(standard: bool) -> ScopeOutline {
    let asked = scope(
        "heartbeats_without_entries",
        "leaders send heartbeats without entries: can a term or a commit index from a heartbeat claim more than the log holds?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        heartbeats: true,
        commands: vec![put("1"), put("2"), remove(3, 3)],
        rounds: vec![Entries::All],
        campaigners: vec![2],
        budgets: Budgets {
            elections: either(standard, 2, 1),
            writes: 1,
            late: 1,
            changes: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::FollowsWithoutEntry, Reach::CommitByHeartbeat, Reach::TwoLeaders],
        vec!["heartbeat", "hold heartbeat", "late heartbeat"],
    )
}

/// A learner that never receives its removal blocks the range for the next peer there.
pub(super) fn removed_learner_blocks_a_child(standard: bool) -> ScopeOutline {
    let (stores, voters): (&[u64], &[u64]) = if standard { (&[1, 2, 3], &[1, 3]) } else { (&[1, 2], &[1]) };
    let asked = splitting(
        "removed_learner_blocks_a_child",
        "a learner is removed while its store is cut off, and the store is to get a peer of the child: does the range become free in the end?",
        stores,
        voters,
        &[2],
    );
    let scope = Scope {
        commands: vec![remove(2, 2)],
        child_commands: vec![ChildCommand { region: CHILD, command: add_learner(30, 2) }],
        rounds: vec![Entries::All],
        campaigners: vec![1],
        budgets: Budgets {
            changes: 2,
            splits: 1,
            stale_checks: 1,
            late: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::LearnerStrays, Reach::LearnerEndedByWord, Reach::ChildBesideAStray, Reach::PeerAdded],
        vec!["check stale peer", "ask split", "change peer", "apply snapshot"],
    )
}

/// The store whose learner was removed from the child applies the split last (cockroach#163566,
/// tikv#5852).
pub(super) fn learner_of_a_child_removed_before_it_is_born(standard: bool) -> ScopeOutline {
    let (stores, voters): (&[u64], &[u64]) = if standard { (&[1, 2, 3], &[1, 3]) } else { (&[1, 2], &[1]) };
    let asked = splitting(
        "learner_of_a_child_removed_before_it_is_born",
        "a region with a learner splits, the child's learner is removed, and only then its store applies the split: is the peer destroyed?",
        stores,
        voters,
        &[2],
    );
    // The child's peers of three members are 11, 12 and 13, of which the learner's is the last.
    let learner = if standard { 13 } else { 12 };
    let scope = Scope {
        child_commands: vec![ChildCommand { region: CHILD, command: remove(learner, 2) }],
        rounds: vec![Entries::All],
        campaigners: if standard { vec![3] } else { vec![1] },
        crashers: vec![2],
        budgets: Budgets {
            changes: 1,
            splits: 1,
            stale_checks: 1,
            elections: either(standard, 1, 0),
            crashes: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::ChildStrays, Reach::LearnerEndedByWord, Reach::ChildSkipped],
        vec!["check stale peer", "ask split", "change peer"],
    )
}

/// tikv#15919: PD no longer knows a merged region, and an uninitialised peer knows no member.
pub(super) fn uninitialised_peer_behind_a_merge(standard: bool) -> ScopeOutline {
    let voters: &[u64] = if standard { &[1, 3] } else { &[1] };
    let asked = scope(
        "uninitialised_peer_behind_a_merge",
        "a peer is created, gets no snapshot, is removed, and its region merges: how does it learn of its removal?",
        if standard { &[1, 2, 3] } else { &[1, 2] },
        region(voters, &[]),
    );
    let asked = Scope { rounds: vec![Entries::All], ..neighbours(asked, voters) };
    let learner = add_learner(9, 2);
    let propose = Action::Propose { region: REGION, store: 1, command: learner, epoch: None };
    let others = &voters[1..];
    let committed: Vec<Action> = others.iter().chain(others).map(|store| round(REGION, *store)).collect();
    let applied = voters.iter().map(|store| apply(REGION, *store));
    let asked = behind(behind(behind(asked, [propose]), committed), applied);
    let scope = Scope {
        commands: vec![remove(9, 2)],
        merges: vec![(REGION, NEIGHBOUR)],
        campaigners: vec![1],
        crashers: vec![2],
        budgets: Budgets { changes: 1, merges: 1, stale_checks: 1, crashes: 1, ..Budgets::default() },
        ..asked
    };
    (
        scope,
        vec![Reach::UninitialisedBehindAMerge, Reach::UninitialisedEnded, Reach::MergedAway],
        vec!["check stale peer", "change peer", "prepare merge", "commit merge", "crash"],
    )
}

/// Store 3 knows that the split is committed and has not applied it. A child at its version from
/// before the merge does not own the parent's range, even if other stores know of the merge (TiKV
/// `maybe_destroy_source`).
pub(super) fn child_takes_its_parent_in(standard: bool) -> ScopeOutline {
    use rollcall_traces::Reply::Delivered;
    let asked = splitting(
        "child_takes_its_parent_in",
        "a parent merges into its child, and a store that has not applied the split learns of it: does the parent there wait for its child?",
        &[1, 2, 3],
        &[1, 2, 3],
        &[],
    );
    let (keys, derive) = (vec!["m".into()], Derive::Left);
    let divided = [
        Action::AskSplit { region: REGION, store: 1, keys, derive, reply: Delivered },
        round(REGION, 2),
        round(REGION, 3),
        round(REGION, 2),
        apply(REGION, 1),
        apply(REGION, 2),
        Action::Vote { region: CHILD, candidate: 1, voter: 2, reply: Delivered },
        round(CHILD, 2),
    ];
    let scope = Scope {
        merges: vec![(REGION, CHILD)],
        rounds: vec![Entries::All],
        campaigners: vec![2],
        budgets: Budgets {
            merges: 1,
            stale_checks: 1,
            elections: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..behind(asked, divided)
    };
    (
        scope,
        vec![Reach::MergeLearned, Reach::MergedAway, Reach::MergedEverywhere],
        vec!["check stale peer", "prepare merge", "commit merge"],
    )
}

/// Every member that the peer knows is lost, so only PD can answer it (TiKV
/// `test_stale_peer_out_of_region`). In the smoke size the others can as well.
pub(super) fn stale_peer_asks_pd(standard: bool) -> ScopeOutline {
    let question = "a learner is removed while its store is cut off, and asks PD: does PD's answer end it, and only if no newer change lists it?";
    let (stores, voters): (&[u64], &[u64]) =
        if standard { (&[1, 2, 3, 4], &[1, 3, 4]) } else { (&[1, 2], &[1]) };
    let placed = decommission::making::placed("stale_peer_asks_pd", question, stores, voters);
    let propose = |command: Command| Action::Propose { region: REGION, store: 1, command, epoch: None };
    let others = &voters[1..];
    // A peer that had the entry before it was committed learns its commit, too.
    let informed = others.iter().take(voters.len() / 2);
    let rounds = others.iter().chain(informed).map(|store| round(REGION, *store));
    // The leader creates a learner outside PD's plan, which gets no snapshot.
    let joined = behind(behind(placed, [propose(add_learner(9, 2))]), rounds);
    let applied = voters.iter().map(|store| apply(REGION, *store));
    // PD does not know it.
    let joined = behind(behind(joined, applied), [round(REGION, 2)]);
    let asked = if standard { behind(joined, removed_by_who_is_lost(9, [3, 4])) } else { joined };
    let scope = Scope {
        crashers: vec![2],
        campaigners: vec![voters[0]],
        budgets: Budgets {
            schedules: 1,
            stale_checks: either(standard, 2, 1),
            late: 1,
            crashes: either(standard, 1, 0),
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::UninitialisedStrays, Reach::UninitialisedEnded],
        vec!["validate peer", "validate peer, reply delayed", "schedule"],
    )
}

/// The learner is removed. Its creator has committed that with another voter and is lost. The other
/// voter leads, and has not reported yet.
fn removed_by_who_is_lost(learner: u64, [transferee, voter]: [u64; 2]) -> Vec<Action> {
    use rollcall_traces::Reply::Delivered;
    let (region, reply) = (REGION, Delivered);
    let led = Action::Replicate { region, leader: transferee, follower: voter, entries: Entries::All, reply };
    vec![
        decommission::making::reported(region, 1),
        Action::Propose { region, store: 1, command: remove(learner, 2), epoch: None },
        round(region, transferee),
        Action::LoseDisk { store: 1 },
        Action::Campaign { region, store: transferee },
        Action::Vote { region, candidate: transferee, voter, reply },
        led.clone(),
        led,
    ]
}
