//! `split`: a region divides while everything else goes on.
//!
//! Region 1 is the whole key space. The placement driver allots from 10 on, so
//! the first child of three members is region 10 with the peers 11, 12 and 13.

use rollcall_traces::{
    Action, Answer, Budgets, ChangeKind, Child, ChildCommand, Command, Derive, Entries, Key, Outgoing,
    RegionId, Scope, SplitKeys, StoreId,
};

use super::{
    Asked, Family, NEIGHBOUR, Plan, REGION, Size, add_learner, add_voter, apply, behind, change, either,
    enter_joint, excuses, merged, named_for, neighbours, neighbours_with, put_at, region, remove, round,
    scope, stale, taken_by,
};
use crate::properties::Property;
use crate::reach::Reach;

/// The first id that the placement driver allots: the first child's.
pub(super) const CHILD: RegionId = 10;

pub(super) fn plans(size: Size) -> Vec<Plan> {
    let standard = size == Size::Standard;
    vec![
        split_against_an_add(standard),
        split_after_a_promotion(standard),
        split_against_a_remove(standard),
        child_snapshot_under_way(standard),
        child_removed_before_its_birth(standard),
        split_and_leader_change(standard),
        split_and_crash(standard),
        split_on_two_peers(standard),
        batch_split(standard),
        split_in_joint_state(standard),
        child_split_again(standard),
        first_messages_parked(standard),
        reads_across_a_split(standard),
        merge_and_leader_change(standard),
        merge_behind_a_compaction(standard),
        merges_crossed(standard),
        store_sleeps_through_a_merge(standard),
        stale::removed_learner_blocks_a_child(standard),
        stale::learner_of_a_child_removed_before_it_is_born(standard),
        stale::uninitialised_peer_behind_a_merge(standard),
        merge_behind_a_snapshot(standard),
        merged_twice(standard),
        stale::child_takes_its_parent_in(standard),
        snapshot_behind_a_rollback(standard),
    ]
    .into_iter()
    .map(|(scope, reachable, fires)| Plan {
        family: Family::Split,
        size,
        excuses: excuses::of(&scope.name, size),
        scope: named_for(scope, size),
        properties: Property::ALL.to_vec(),
        reachable,
        fires,
    })
    .collect()
}

pub(super) fn at(keys: &[&str], derive: Derive) -> SplitKeys {
    SplitKeys { keys: keys.iter().map(|key| Key::from(*key)).collect(), derive }
}

pub(super) fn splitting(
    name: &str,
    question: &str,
    stores: &[StoreId],
    voters: &[StoreId],
    learners: &[StoreId],
) -> Scope {
    Scope {
        splits: vec![at(&["m"], Derive::Left)],
        next_id: CHILD,
        ..scope(name, question, stores, region(voters, learners))
    }
}

fn child(command: Command) -> ChildCommand {
    ChildCommand { region: CHILD, command }
}

fn split_against_an_add(standard: bool) -> Asked {
    let asked = splitting(
        "split_against_an_add",
        "a member joins while ids for a split are under way: can stale ids split the region?",
        &[1, 2, 3],
        &[1, 2],
        &[],
    );
    let scope = Scope {
        commands: vec![add_learner(3, 3)],
        campaigners: vec![2],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            changes: 1,
            splits: 1,
            late: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::SplitApplied, Reach::IdsUnderWay, Reach::PeerAdded, Reach::ChildLeads],
        vec!["ask split, answer held", "late ids for a split", "change peer"],
    )
}

fn split_after_a_promotion(standard: bool) -> Asked {
    let asked = splitting(
        "split_after_a_promotion",
        "a learner is promoted and the region divides behind it: does every replica take both, whoever leads?",
        &[1, 2, 3],
        &[1, 2],
        &[3],
    );
    let scope = Scope {
        commands: vec![add_voter(3, 3), Command::TransferLeader { to: 2 }],
        rounds: vec![Entries::All],
        campaigners: vec![3],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            changes: 1,
            splits: 1,
            transfers: either(standard, 0, 1),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::SplitApplied, Reach::SplitUneven, Reach::ChildLeads],
        vec!["change peer", "ask split"],
    )
}

fn split_against_a_remove(standard: bool) -> Asked {
    let asked = splitting(
        "split_against_a_remove",
        "a member leaves while the region divides: is it gone from both parts, or from neither?",
        &[1, 2, 3],
        &[1, 2, 3],
        &[],
    );
    let scope = Scope {
        commands: vec![remove(3, 3)],
        // Of the child the one on the same store leaves too.
        child_commands: vec![child(remove(13, 3))],
        rounds: vec![Entries::All],
        campaigners: vec![2],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            changes: either(standard, 2, 1),
            splits: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::SplitApplied, Reach::PeerRemoved], vec!["ask split", "change peer"])
}

/// Two voters and a third member, added by `join`: the two have applied that,
/// and the snapshot for the third, from before the split, is under way.
fn third_on_its_way(asked: Scope, join: Command) -> Scope {
    let round = |follower| round(REGION, follower);
    let join = Action::Propose { region: REGION, store: 1, command: join, epoch: None };
    let applied = |store| apply(REGION, store);
    let snapshot = Action::Hold { region: REGION, from: 1, to: 3, message: Outgoing::Append };
    let asked = Scope { rounds: vec![Entries::All], ..asked };
    behind(asked, [join, round(2), applied(1), round(2), applied(2), round(3), snapshot])
}

fn child_snapshot_under_way(standard: bool) -> Asked {
    let asked = splitting(
        "child_snapshot_under_way",
        "a slow store gets the region's old snapshot and the child's new one: which of them may have the range?",
        &[1, 2, 3],
        &[1, 2],
        &[],
    );
    let scope = Scope {
        campaigners: if standard { vec![2, 3] } else { vec![2] },
        budgets: Budgets { elections: 1, splits: 1, lost: either(standard, 1, 0), ..Budgets::default() },
        ..third_on_its_way(asked, add_voter(3, 3))
    };
    (
        scope,
        vec![
            Reach::ChildBeforeTheSplit,
            Reach::SplitUnderSnapshot,
            Reach::SplitUneven,
            Reach::ChildBySnapshot,
            Reach::ChildWithAnOlderVote,
        ],
        vec!["late snapshot", "apply snapshot", "ask split"],
    )
}

fn child_removed_before_its_birth(standard: bool) -> Asked {
    let asked = splitting(
        "child_removed_before_its_birth",
        "the child's learner is removed before its store takes the split: does the split bring it back?",
        &[1, 2, 3],
        &[1, 2],
        &[],
    );
    let scope = Scope {
        child_commands: vec![child(remove(13, 3)), child(add_learner(19, 3)), child(add_learner(13, 3))],
        campaigners: vec![2],
        budgets: Budgets { elections: either(standard, 1, 0), changes: 2, splits: 1, ..Budgets::default() },
        ..third_on_its_way(asked, add_learner(3, 3))
    };
    (
        scope,
        vec![Reach::ChildBySnapshot, Reach::PeerRemoved, Reach::ChildSkipped],
        vec!["late snapshot", "change peer"],
    )
}

fn split_and_leader_change(standard: bool) -> Asked {
    let asked = splitting(
        "split_and_leader_change",
        "another leader is elected while the region divides: who leads which part, and is a write lost?",
        &[1, 2, 3],
        &[1, 2, 3],
        &[],
    );
    let scope = Scope {
        commands: vec![put_at("p", "1"), Command::TransferLeader { to: 2 }],
        rounds: vec![Entries::All],
        campaigners: vec![2],
        budgets: Budgets {
            elections: 1,
            splits: 1,
            transfers: either(standard, 1, 0),
            writes: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::SplitUneven, Reach::ChildLeads, Reach::TwoLeaders, Reach::LeadersApart],
        vec!["ask split", "campaign"],
    )
}

fn split_and_crash(standard: bool) -> Asked {
    let asked = splitting(
        "split_and_crash",
        "the store of the leader stops right behind the split: do both parts come back?",
        &[1, 2, 3],
        &[1, 2, 3],
        &[],
    );
    let scope = Scope {
        commands: vec![put_at("p", "1")],
        rounds: vec![Entries::All],
        campaigners: vec![2],
        crashers: vec![1],
        budgets: Budgets { elections: either(standard, 2, 1), crashes: 1, splits: 1, ..Budgets::default() },
        ..asked
    };
    (
        scope,
        vec![Reach::DownBehindTheSplit, Reach::LeadersApart, Reach::SplitUneven],
        vec!["crash", "restart"],
    )
}

fn split_on_two_peers(standard: bool) -> Asked {
    let asked = splitting(
        "split_on_two_peers",
        "a region of two divides and answers are lost: does either part lose its leader or a write?",
        &[1, 2],
        &[1, 2],
        &[],
    );
    let scope = Scope {
        commands: vec![put_at("p", "1"), put_at("c", "2"), Command::Delete { key: Key::from("p") }],
        splits: vec![at(&["m"], Derive::Left), at(&["m"], Derive::Right)],
        campaigners: vec![2],
        budgets: Budgets {
            elections: 1,
            splits: 1,
            lost: either(standard, 2, 1),
            writes: 3,
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::SplitApplied, Reach::ChildLeads, Reach::DataDivided],
        vec!["ask split, answer lost", "replicate, answer lost", "put"],
    )
}

fn batch_split(standard: bool) -> Asked {
    let asked = splitting(
        "batch_split",
        "a region divides into three at once: are all parts there on every store, on either side of the parent?",
        &[1, 2],
        &[1, 2],
        &[],
    );
    let scope = Scope {
        commands: vec![
            put_at("c", "1"),
            put_at("m", "2"),
            put_at("x", "3"),
            // An operator's split, with ids that were allotted before.
            Command::Split {
                children: vec![Child { key: Key::from("m"), region: 7, peers: vec![8, 9] }],
                derive: Derive::Right,
            },
        ],
        splits: vec![at(&["g", "s"], Derive::Left), at(&["g", "s"], Derive::Right)],
        campaigners: vec![2],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            splits: 1,
            writes: either(standard, 2, 3),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::ThreeRegions, Reach::ChildLeads, Reach::DataDivided],
        vec!["ask split", "split", "put"],
    )
}

fn split_in_joint_state(standard: bool) -> Asked {
    let swap = [change(ChangeKind::AddVoter, 3, 3), change(ChangeKind::AddLearner, 2, 2)];
    let asked = splitting(
        "split_in_joint_state",
        "the region divides while it is between two configurations: do its children leave theirs?",
        &[1, 2, 3],
        &[1, 2],
        &[3],
    );
    let scope = Scope {
        commands: vec![enter_joint(&swap), Command::LeaveJoint],
        child_commands: vec![child(Command::LeaveJoint)],
        rounds: vec![Entries::All],
        campaigners: vec![3],
        budgets: Budgets { elections: either(standard, 1, 0), changes: 3, splits: 1, ..Budgets::default() },
        ..asked
    };
    (
        scope,
        vec![Reach::Joint, Reach::JointChild, Reach::ChildLeftJoint],
        vec!["enter joint", "leave joint", "ask split"],
    )
}

fn child_split_again(standard: bool) -> Asked {
    let asked = splitting(
        "child_split_again",
        "a child divides before every store has the first split: in which order do the parts come to be?",
        &[1, 2, 3],
        &[1, 2, 3],
        &[],
    );
    let scope = Scope {
        commands: vec![put_at("x", "1")],
        splits: vec![at(&["m"], Derive::Left), at(&["t"], Derive::Right)],
        rounds: vec![Entries::All],
        budgets: Budgets { splits: 2, writes: 1, lost: either(standard, 1, 0), ..Budgets::default() },
        ..asked
    };
    (scope, vec![Reach::ThreeRegions, Reach::GrandchildFirst], vec!["ask split"])
}

fn first_messages_parked(standard: bool) -> Asked {
    let asked = splitting(
        "first_messages_parked",
        "a vote request and an append reach a store before the split that brings their receiver: what comes of them?",
        &[1, 2, 3],
        &[1, 2, 3],
        &[],
    );
    let scope = Scope {
        rounds: vec![Entries::All],
        campaigners: vec![3],
        crashers: vec![3],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            crashes: either(standard, 0, 1),
            splits: 1,
            late: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::MessageParked, Reach::AppendParked, Reach::ParkedVote, Reach::ChildLeads],
        vec!["ask split", "hold append", "late append"],
    )
}

fn reads_across_a_split(standard: bool) -> Asked {
    let asked = splitting(
        "reads_across_a_split",
        "a value is asked for while its key moves to another region: is the answer ever stale, or of the wrong region?",
        &[1, 2, 3],
        &[1, 2, 3],
        &[],
    );
    let scope = Scope {
        commands: vec![put_at("p", "1")],
        rounds: vec![Entries::All],
        keys: vec![Key::from("p")],
        campaigners: vec![2],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            splits: 1,
            writes: 1,
            reads: 1,
            ..Budgets::default()
        },
        ..asked
    };
    let mut reachable = vec![Reach::ReadReady, Reach::ReadOfChild];
    if standard {
        reachable.push(Reach::ReadBehindTheSplit);
    }
    (scope, reachable, vec!["read", "answer read"])
}

/// Two neighbours, of which the first may give itself up to the second.
fn merging(name: &str, question: &str, stores: &[StoreId]) -> Scope {
    let asked = scope(name, question, stores, region(stores, &[]));
    let merges = vec![(REGION, NEIGHBOUR)];
    Scope { merges, rounds: vec![Entries::All], ..neighbours(asked, stores) }
}

fn merge_and_leader_change(standard: bool) -> Asked {
    let asked = merging(
        "merge_and_leader_change",
        "a region merges into its neighbour while a replica of it lags and leadership of either moves: does every replica end in the same region, with every write?",
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

fn merges_crossed(standard: bool) -> Asked {
    let asked = merging(
        "merges_crossed",
        "two neighbours give themselves up to each other at once: is one taken back, and never both taken in?",
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

/// Store 1 writes to the first region, and one other hears of it.
fn written_on(scope: &Scope, other: StoreId) -> Vec<Action> {
    let region = scope.regions[0].id;
    let mut taken = taken_by(region, put_at("c", "1"), &[other]);
    // A write needs no step of its own.
    taken.retain(|action| !matches!(action, Action::Apply { .. }));
    taken
}

fn merge_behind_a_compaction(standard: bool) -> Asked {
    let asked = merging(
        "merge_behind_a_compaction",
        "a region compacts its log and gives itself up while a replica of it lags: can that replica be brought what it misses?",
        &[1, 2, 3],
    );
    // A write that store 3 has not.
    let write = written_on(&asked, 2);
    let asked = behind(asked, write);
    let scope = Scope {
        campaigners: vec![2],
        budgets: Budgets { merges: 1, compactions: 1, lost: either(standard, 1, 0), ..Budgets::default() },
        ..asked
    };
    (scope, vec![Reach::MergedEverywhere, Reach::SourceMissesEntries], vec!["prepare merge", "compact log"])
}

fn store_sleeps_through_a_merge(standard: bool) -> Asked {
    let asked = merging(
        "store_sleeps_through_a_merge",
        "a store comes back behind a merge and a compaction of the target's log: does the source on it hear of its end, and give its range to the snapshot?",
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
    let mut reachable = vec![Reach::ToldOfMerge, Reach::SnapshotPending, Reach::MergedEverywhere];
    if standard {
        reachable.push(Reach::SourceMissesEntries);
    }
    (scope, reachable, vec!["vote, answer held", "late merged", "apply snapshot"])
}

fn merge_behind_a_snapshot(standard: bool) -> Asked {
    let name = "merge_behind_a_snapshot";
    let question = "a replica was brought forward by a snapshot, another is behind where that begins, and the region gives itself up: can whoever leads the target hand on what is missed?";
    let stores = [1, 2, 3, 4];
    let asked = scope(name, question, &stores, region(&stores[..3], &stores[3..]));
    let asked = neighbours_with(asked, &stores[..3], &stores[3..], 10);
    let merges = vec![(REGION, NEIGHBOUR)];
    let asked = Scope { merges, rounds: vec![Entries::All], ..asked };
    // Store 3 has nothing of the discarded log, store 4 all but the last write.
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

/// Store 1 hands over to `store`, which then brings the others forward.
fn handed_over(region: RegionId, store: StoreId, others: &[StoreId]) -> Vec<Action> {
    let transfer = Command::TransferLeader { to: store };
    let round = |follower: &StoreId| Action::Replicate {
        region,
        leader: store,
        follower: *follower,
        entries: Entries::All,
        answer: Answer::Given,
    };
    let begun = [
        Action::Propose { region, store: 1, command: transfer, epoch: None },
        Action::TimeoutNow { region, leader: 1 },
        Action::Vote { region, candidate: store, voter: 1, answer: Answer::Given },
    ];
    begun.into_iter().chain(others.iter().map(round)).collect()
}

/// Store 3 gave the region up with the others, and has not heard that they took that back
/// when the neighbour had left store 3.
fn snapshot_behind_a_rollback(standard: bool) -> Asked {
    let asked = merging(
        "snapshot_behind_a_rollback",
        "a replica that is merging gets a snapshot from after the merge was taken back: does it serve again, and lead?",
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

fn merged_twice(standard: bool) -> Asked {
    let asked = merging(
        "merged_twice",
        "a region gives itself up, takes that back because its target divides, and gives itself up again: does the target take in the second time what the first one left?",
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
