//! Merges into a neighbour, and their rollback.

use rollcall_traces::{
    Action, Budgets, Command, Derive, Entries, Key, Region, RegionId, Reply, Scope, StoreId,
};

use super::super::making::{
    NEIGHBOUR, REGION, apply, behind, either, elected, merged, neighbours, neighbours_with, put_at, region,
    remove, round, scope, taken_by,
};
use super::super::plan::ScopeOutline;
use super::making::{CHILD, at};
use crate::bounds::reach::Reach;

/// Two neighbours; the first may merge into the second.
fn merging(name: &str, question: &str, stores: &[StoreId]) -> Scope {
    let asked = scope(name, question, stores, region(stores, &[]));
    let merges = vec![(REGION, NEIGHBOUR)];
    Scope { merges, rounds: vec![Entries::All], ..neighbours(asked, stores) }
}

pub(super) fn merge_and_leader_change(standard: bool) -> ScopeOutline {
    let asked = merging(
        "merge_and_leader_change",
        "a region merges into its neighbour while one of its replicas lags and either region changes leader: does every replica end in the same region, with every write?",
        &[1, 2, 3],
    );
    let scope = Scope {
        commands: vec![put_at("c", "1")],
        campaigners: vec![2],
        budgets: Budgets { elections: 1, merges: 1, writes: either(standard, 1, 0), ..Budgets::default() },
        ..asked
    };
    let reachable = vec![
        Reach::MergedAway,
        Reach::MergedEverywhere,
        Reach::TargetWaits,
        Reach::SourceMissesEntries,
        Reach::SourceMissesCommit,
    ];
    (scope, reachable, vec!["prepare merge", "commit merge"])
}

pub(super) fn merges_crossed(standard: bool) -> ScopeOutline {
    let asked = merging(
        "merges_crossed",
        "two neighbours start to merge into each other: is one merge rolled back, and are both never committed?",
        &[1, 2],
    );
    let scope = Scope {
        merges: vec![(REGION, NEIGHBOUR), (NEIGHBOUR, REGION)],
        commands: vec![put_at("x", "1")],
        campaigners: vec![2],
        budgets: Budgets {
            elections: 1,
            merges: 2,
            writes: either(standard, 1, 0),
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::RolledBack, Reach::MergedAway],
        vec!["prepare merge", "commit merge", "rollback merge"],
    )
}

/// Store 1 writes to the first region, and one other store gets the entry.
fn written_on(scope: &Scope, other: StoreId) -> Vec<Action> {
    let region = scope.regions[0].id;
    let mut taken = taken_by(region, put_at("c", "1"), &[other]);
    // A write needs no `Apply` of its own.
    taken.retain(|action| !matches!(action, Action::Apply { .. }));
    taken
}

pub(super) fn merge_behind_a_compaction(standard: bool) -> ScopeOutline {
    let asked = merging(
        "merge_behind_a_compaction",
        "a region compacts its log and starts to merge while a replica lags: can the replica still get the entries that it lacks?",
        &[1, 2, 3],
    );
    // A write that store 3 lacks.
    let write = written_on(&asked, 2);
    let asked = behind(asked, write);
    let scope = Scope {
        campaigners: vec![2],
        budgets: Budgets { merges: 1, compactions: 1, lost: either(standard, 1, 0), ..Budgets::default() },
        ..asked
    };
    (scope, vec![Reach::MergedEverywhere, Reach::SourceMissesEntries], vec!["prepare merge", "compact log"])
}

pub(super) fn store_sleeps_through_a_merge(standard: bool) -> ScopeOutline {
    let asked = merging(
        "store_sleeps_through_a_merge",
        "a store comes back after a merge and a compaction of the target's log: does its source peer learn of the merge, and free its range for the snapshot?",
        &[1, 2, 3],
    );
    let merge = merged(&asked, &[2]);
    let asked = behind(asked, merge);
    let compaction = taken_by(NEIGHBOUR, Command::CompactLog { index: 7 }, &[2]);
    let asked = if standard { asked } else { behind(asked, compaction) };
    let scope = Scope {
        campaigners: vec![3],
        budgets: Budgets { elections: 1, compactions: either(standard, 1, 0), late: 1, ..Budgets::default() },
        ..asked
    };
    let mut reachable = vec![Reach::MergeLearned, Reach::SnapshotPending, Reach::MergedEverywhere];
    if standard {
        reachable.push(Reach::SourceMissesEntries);
    }
    (scope, reachable, vec!["vote, reply delayed", "late merged", "apply snapshot"])
}

pub(super) fn merge_behind_a_snapshot(standard: bool) -> ScopeOutline {
    let name = "merge_behind_a_snapshot";
    let question = "one replica took a snapshot, another is behind it, and the region begins to merge: can any leader of the target pass on the missing entries?";
    let stores = [1, 2, 3, 4];
    let asked = scope(name, question, &stores, region(&stores[..3], &stores[3..]));
    let asked = neighbours_with(asked, &stores[..3], &stores[3..], 10);
    let merges = vec![(REGION, NEIGHBOUR)];
    let asked = Scope { merges, rounds: vec![Entries::All], ..asked };
    // Store 3 has nothing of the truncated log, and store 4 all but the last write.
    let mut before = written_on(&asked, 2);
    before.push(round(REGION, 4));
    before.extend(taken_by(REGION, Command::CompactLog { index: 7 }, &[2]));
    before.extend([round(REGION, 4), apply(REGION, 4)]);
    before.extend(written_on(&asked, 2));
    before.extend([round(REGION, 3), Action::ApplySnapshot { region: REGION, store: 3 }, round(REGION, 3)]);
    before.extend(handed_over(NEIGHBOUR, 3, &[1, 2, 4, 1]));
    let asked = behind(asked, before);
    let scope =
        Scope { budgets: Budgets { merges: 1, lost: either(standard, 1, 0), ..Budgets::default() }, ..asked };
    (scope, vec![Reach::MergedEverywhere, Reach::TargetWaits], vec!["prepare merge", "commit merge"])
}

/// Store 1 transfers leadership to `store`, which then replicates to the others.
fn handed_over(region: RegionId, store: StoreId, others: &[StoreId]) -> Vec<Action> {
    let transfer = Command::TransferLeader { to: store };
    let round = |follower: &StoreId| Action::Replicate {
        region,
        leader: store,
        follower: *follower,
        entries: Entries::All,
        reply: Reply::Delivered,
    };
    let begun = [
        Action::Propose { region, store: 1, command: transfer, epoch: None },
        Action::TimeoutNow { region, leader: 1 },
        Action::Vote { region, candidate: store, voter: 1, reply: Reply::Delivered },
    ];
    begun.into_iter().chain(others.iter().map(round)).collect()
}

/// Store 3 has applied `PrepareMerge` with the others. It has not received their rollback, which
/// came after the target's peer was removed from store 3.
pub(super) fn snapshot_behind_a_rollback(standard: bool) -> ScopeOutline {
    let asked = merging(
        "snapshot_behind_a_rollback",
        "a merging replica gets a snapshot from after the rollback: does it serve again, and lead?",
        &[1, 2, 3],
    );
    let begin = Command::prepare_merge(asked.regions[1].clone());
    let by_all = |region, command| {
        let propose = Action::Propose { region, store: 1, command, epoch: None };
        let rounds = [2, 3, 2].map(|store| round(region, store));
        let applies = [1, 2, 3].map(|store| apply(region, store));
        [propose].into_iter().chain(rounds).chain(applies)
    };
    let begun = by_all(REGION, begin);
    let left = by_all(NEIGHBOUR, remove(6, 3));
    let back = taken_by(REGION, Command::RollbackMerge { commit: 0 }, &[2]);
    let scope = Scope {
        commands: vec![put_at("c", "1")],
        campaigners: vec![3],
        budgets: Budgets {
            compactions: 1,
            elections: 1,
            writes: 1,
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..behind(behind(behind(asked, begun), left), back)
    };
    (
        scope,
        vec![Reach::SnapshotWhileMerging, Reach::RolledBack],
        vec!["compact log", "apply snapshot", "campaign", "put"],
    )
}

pub(super) fn merged_twice(standard: bool) -> ScopeOutline {
    let asked = merging(
        "merged_twice",
        "a merge is rolled back because its target splits, and starts again: does the second merge bring all data?",
        &[1, 2],
    );
    let scope = Scope {
        splits: vec![at(&["t"], Derive::Left)],
        next_id: CHILD,
        commands: vec![put_at("c", "1")],
        campaigners: vec![2],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            merges: 2,
            splits: 1,
            writes: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::RolledBack, Reach::MergingAgain, Reach::MergedEverywhere],
        vec!["prepare merge", "commit merge", "rollback merge", "ask split"],
    )
}

/// The region after the neighbour.
const THIRD: RegionId = 3;

pub(super) fn merges_in_a_row(standard: bool) -> ScopeOutline {
    let mut asked = merging(
        "merges_in_a_row",
        "a region merges into its neighbour, which merges into a third region: is the first merge rolled back, or does the region end in the third?",
        &[1, 2],
    );
    let mut third = Region { id: THIRD, start: Key::from("t"), ..asked.regions[1].clone() };
    third.peers.iter_mut().for_each(|member| member.id += 3);
    asked.regions[1].end = Key::from("t");
    asked.setup.extend(elected(&third));
    asked.regions.push(third);
    let scope = Scope {
        merges: vec![(REGION, NEIGHBOUR), (NEIGHBOUR, THIRD)],
        campaigners: vec![2],
        budgets: Budgets {
            merges: 2,
            elections: either(standard, 1, 0),
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::RolledBack, Reach::MergedAway],
        vec!["prepare merge", "commit merge", "rollback merge"],
    )
}
