//! `split`: a region splits while everything else proceeds.
//!
//! Region 1 is the whole key space. The placement driver allots ids from 10 on, so the first child
//! of three members is region 10 with peers 11, 12 and 13.

pub(super) mod making;
mod merges;

use making::{at, child, splitting};
use rollcall_traces::{Action, Budgets, ChangeKind, Child, Command, Derive, Entries, Key, Outgoing, Scope};

use super::making::{
    REGION, add_learner, add_voter, apply, behind, change, either, enter_joint, put_at, remove, round,
};
use super::plan::{Family, ScopeOutline, ScopePlan, Size, named_for};
use super::{allowed_stuck, stale};
use crate::bounds::reach::Reach;
use crate::properties::Property;

pub(super) fn plans(size: Size) -> Vec<ScopePlan> {
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
        first_messages_pending(standard),
        reads_across_a_split(standard),
        merges::merge_and_leader_change(standard),
        merges::merge_behind_a_compaction(standard),
        merges::merges_crossed(standard),
        merges::store_sleeps_through_a_merge(standard),
        stale::removed_learner_blocks_a_child(standard),
        stale::learner_of_a_child_removed_before_it_is_born(standard),
        stale::uninitialised_peer_behind_a_merge(standard),
        merges::merge_behind_a_snapshot(standard),
        merges::merged_twice(standard),
        stale::child_takes_its_parent_in(standard),
        merges::snapshot_behind_a_rollback(standard),
        merges::merges_in_a_row(standard),
    ]
    .into_iter()
    .map(|(scope, reachable, must_fire)| ScopePlan {
        family: Family::Split,
        size,
        allowed_stuck: allowed_stuck::of(&scope.name, size),
        scope: named_for(scope, size),
        properties: Property::ALL.to_vec(),
        reachable,
        must_fire,
    })
    .collect()
}

fn split_against_an_add(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "split_against_an_add",
        "a peer joins while the ids for a split are under way: can stale ids split the region?",
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
        vec!["ask split, reply delayed", "late ids for a split", "change peer"],
    )
}

fn split_after_a_promotion(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "split_after_a_promotion",
        "a learner is promoted and the region then splits: does every replica apply both, whoever leads?",
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

fn split_against_a_remove(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "split_against_a_remove",
        "a peer is removed while the region splits: is it removed from both parts, or from neither?",
        &[1, 2, 3],
        &[1, 2, 3],
        &[],
    );
    let scope = Scope {
        commands: vec![remove(3, 3)],
        // The child's peer on the same store is removed, too.
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

/// Two voters and a third peer, added by `join`. The two have applied that, and the third's
/// snapshot, from before the split, is delayed.
fn third_on_its_way(asked: Scope, join: Command) -> Scope {
    let round = |follower| round(REGION, follower);
    let join = Action::Propose { region: REGION, store: 1, command: join, epoch: None };
    let applied = |store| apply(REGION, store);
    let snapshot = Action::Hold { region: REGION, from: 1, to: 3, message: Outgoing::Append };
    let asked = Scope { rounds: vec![Entries::All], ..asked };
    behind(asked, [join, round(2), applied(1), round(2), applied(2), round(3), snapshot])
}

fn child_snapshot_under_way(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "child_snapshot_under_way",
        "a slow store gets the parent's old snapshot and the child's new one: which region may own the range?",
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

fn child_removed_before_its_birth(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "child_removed_before_its_birth",
        "a child's learner is removed before its store applies the split: does the split bring it back?",
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

fn split_and_leader_change(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "split_and_leader_change",
        "another leader is elected while the region splits: who leads which part, and is a write lost?",
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

fn split_and_crash(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "split_and_crash",
        "the leader's store stops right after the split: do both parts come back?",
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

fn split_on_two_peers(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "split_on_two_peers",
        "a region of two peers splits and replies are lost: does either part lose its leader or a write?",
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
        vec!["ask split, reply dropped", "replicate, reply dropped", "put"],
    )
}

fn batch_split(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "batch_split",
        "one batch splits a region into three: are all parts on every store, on either side of the parent?",
        &[1, 2],
        &[1, 2],
        &[],
    );
    let scope = Scope {
        commands: vec![
            put_at("c", "1"),
            put_at("m", "2"),
            put_at("x", "3"),
            // An administrator's split, with ids allotted before.
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

fn split_in_joint_state(standard: bool) -> ScopeOutline {
    let swap = [change(ChangeKind::AddVoter, 3, 3), change(ChangeKind::AddLearner, 2, 2)];
    let asked = splitting(
        "split_in_joint_state",
        "a joint region splits: do its children leave their joint configurations?",
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

fn child_split_again(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "child_split_again",
        "a child splits before every store has applied the first split: in which order are the parts created?",
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

fn first_messages_pending(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "first_messages_pending",
        "a vote request and an append reach a store before the split that creates their receiver: what happens to them?",
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
        vec![
            Reach::VoteRequestPending,
            Reach::AppendPending,
            Reach::VoteForPendingRequest,
            Reach::ChildLeads,
        ],
        vec!["ask split", "hold append", "late append"],
    )
}

fn reads_across_a_split(standard: bool) -> ScopeOutline {
    let asked = splitting(
        "reads_across_a_split",
        "a client reads a key while it moves to another region: is the answer ever stale, or from the wrong region?",
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
