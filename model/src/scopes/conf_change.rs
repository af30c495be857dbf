//! `conf-change`: membership changes of one region.

mod crashes;
mod laggards;
mod quorums;

use rollcall_traces::{Action, Budgets, ChangeKind, Command, Entries, Key, Region, Scope};

use super::making::{
    REGION, add_learner, add_voter, apply, behind, change, either, enter_joint, put, region, remove, round,
    scope,
};
use super::plan::{Family, ScopeOutline, ScopePlan, Size, named_for};
use super::{allowed_stuck, stale};
use crate::bounds::reach::Reach;
use crate::properties::Property;

pub(super) fn plans(size: Size) -> Vec<ScopePlan> {
    let standard = size == Size::Standard;
    vec![
        grow_and_shrink(standard),
        replace_one_by_one(standard),
        replace_by_joint(standard),
        swap_two_by_joint(standard),
        replace_a_lost_store(standard),
        leader_removed_after_handover(standard),
        two_voters_to_one(standard),
        three_voters_to_one(standard),
        one_of_two_is_lost(standard),
        old_term_leader(standard),
        promoted_while_it_needs_a_snapshot(standard),
        joins_again(standard, "joins_again_with_the_same_id", 3),
        joins_again(standard, "joins_again_with_a_new_id", 13),
        transfer_against_a_change(standard),
        leaders_disk_hangs(standard),
        old_term_entries(standard),
        reads_across_leaders(standard),
        crashes::voter_restarts_before_its_snapshot(standard),
        crashes::power_fails_between_changes(standard),
        crashes::power_fails_before_persistence(standard),
        crashes::sole_voter_persists_late(standard),
        laggards::demoted_while_it_needs_a_snapshot(standard),
        laggards::timeout_now_comes_late(standard),
        laggards::compacted_behind_an_election(standard),
        stale::learner_removed_while_cut_off(standard),
        stale::heartbeats_without_entries(standard),
        quorums::removed_while_a_voter_is_down(standard),
        quorums::one_of_four_goes(standard),
        quorums::new_quorum_needs_a_snapshot(standard),
    ]
    .into_iter()
    .map(|(scope, reachable, must_fire)| ScopePlan {
        family: Family::ConfChange,
        size,
        allowed_stuck: allowed_stuck::of(&scope.name, size),
        scope: named_for(scope, size),
        properties: Property::ALL.to_vec(),
        reachable,
        must_fire,
    })
    .collect()
}

fn grow_and_shrink(standard: bool) -> ScopeOutline {
    // Of four voters one is demoted before it is removed; of three one may be removed at once. The
    // leader knows that the fourth has joined. With one change more it could be added again under
    // its old id, and ids are never reused.
    let (stores, voters): (&[u64], &[u64]) =
        if standard { (&[1, 2, 3, 4], &[1, 2, 3]) } else { (&[1, 2, 3], &[1, 2]) };
    let last = stores.len() as u64;
    let asked = scope(
        "grow_and_shrink",
        "a voter joins and leaves again: does the region survive an election and a crash?",
        stores,
        region(voters, &[]),
    );
    let add = add_voter(last, last);
    let joins = Action::Propose { region: REGION, store: 1, command: add.clone(), epoch: None };
    let demote = enter_joint(&[change(ChangeKind::AddLearner, last, last)]);
    let asked = if standard { behind(asked, [joins, round(REGION, 2), apply(REGION, 1)]) } else { asked };
    let first = if standard { demote } else { add };
    let scope = Scope {
        commands: vec![first, remove(last, last)],
        campaigners: vec![2],
        crashers: if standard { vec![last] } else { vec![1, last] },
        rounds: vec![if standard { Entries::All } else { Entries::One }],
        budgets: Budgets { elections: 1, crashes: 1, changes: 2, ..Budgets::default() },
        ..asked
    };
    let mut reachable = vec![
        Reach::LeaderInCharge,
        Reach::PeerAdded,
        Reach::PeerRemoved,
        Reach::PeerUninitialised,
        Reach::SnapshotPending,
        Reach::StoreDown,
    ];
    if standard {
        reachable.push(Reach::TwoLeaders);
    }
    (scope, reachable, vec!["change peer", "apply snapshot", "crash"])
}

fn replace_one_by_one(standard: bool) -> ScopeOutline {
    let asked = scope(
        "replace_one_by_one",
        "a learner joins, is promoted, and an old voter is demoted and leaves: what if leadership moves in between?",
        &[1, 2, 3, 4],
        region(&[1, 2, 3], &[]),
    );
    // In the standard size the learner has joined at the leader.
    let joins = Action::Propose { region: REGION, store: 1, command: add_learner(4, 4), epoch: None };
    let joined = [joins, round(REGION, 2), apply(REGION, 1)];
    let asked = if standard { behind(asked, joined) } else { asked };
    let scope = Scope {
        commands: vec![
            add_learner(4, 4),
            add_voter(4, 4),
            enter_joint(&[change(ChangeKind::AddLearner, 3, 3)]),
            remove(3, 3),
        ],
        campaigners: vec![2],
        budgets: Budgets { elections: either(standard, 1, 0), changes: 3, ..Budgets::default() },
        ..asked
    };
    (
        scope,
        vec![Reach::PeerAdded, Reach::Promoted, Reach::PeerRemoved],
        vec!["change peer", "apply snapshot"],
    )
}

fn replace_by_joint(standard: bool) -> ScopeOutline {
    let swap = [change(ChangeKind::AddVoter, 4, 4), change(ChangeKind::AddLearner, 3, 3)];
    let asked = scope(
        "replace_by_joint",
        "one joint change replaces a voter by another: what if the new one leads in between?",
        &[1, 2, 3, 4],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![enter_joint(&swap), Command::LeaveJoint, remove(3, 3)],
        campaigners: vec![4],
        budgets: Budgets { elections: either(standard, 1, 0), changes: 3, ..Budgets::default() },
        ..asked
    };
    (
        scope,
        vec![Reach::Joint, Reach::JointLeft, Reach::PeerAdded, Reach::PeerRemoved],
        vec!["enter joint", "leave joint"],
    )
}

fn swap_two_by_joint(standard: bool) -> ScopeOutline {
    let swap = [
        change(ChangeKind::AddVoter, 4, 4),
        change(ChangeKind::AddVoter, 5, 5),
        change(ChangeKind::AddLearner, 2, 2),
        change(ChangeKind::AddLearner, 3, 3),
    ];
    let asked = scope(
        "swap_two_by_joint",
        "one joint change replaces two of three voters: can the old majority and the new one decide differently?",
        &[1, 2, 3, 4, 5],
        region(&[1, 2, 3], &[4, 5]),
    );
    let scope = Scope {
        commands: vec![enter_joint(&swap), Command::LeaveJoint],
        // Whole-log rounds: this scope does not ask about entries of old terms.
        rounds: vec![Entries::All],
        campaigners: vec![2],
        budgets: Budgets { elections: either(standard, 1, 0), changes: 2, ..Budgets::default() },
        ..asked
    };
    (scope, vec![Reach::Joint, Reach::JointLeft], vec!["enter joint", "leave joint"])
}

fn replace_a_lost_store(standard: bool) -> ScopeOutline {
    let asked = scope(
        "replace_a_lost_store",
        "a disk is lost: is its voter replaced, no matter what the others had received from it?",
        &[1, 2, 3, 4],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![
            remove(3, 3),
            enter_joint(&[change(ChangeKind::AddLearner, 3, 3)]),
            add_voter(4, 4),
            put("a"),
        ],
        rounds: vec![if standard { Entries::All } else { Entries::One }],
        campaigners: vec![2],
        crashers: vec![3],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            // A replacement by way of four voters takes three changes.
            changes: either(standard, 2, 3),
            disk_losses: 1,
            writes: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::StoreLost, Reach::LostVoterReplaced], vec!["lose disk", "change peer", "enter joint"])
}

fn leader_removed_after_handover(standard: bool) -> ScopeOutline {
    let asked = scope(
        "leader_removed_after_handover",
        "leadership moves to a voter whose removal is proposed: what does it do when it applies the removal?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![remove(2, 2), put("a")],
        campaigners: vec![2, 3],
        budgets: Budgets {
            elections: 2,
            changes: 1,
            writes: either(standard, 1, 0),
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::LeaderRemovesItself, Reach::PeerRemoved, Reach::TwoLeaders],
        vec!["campaign", "change peer"],
    )
}

fn two_voters_to_one(standard: bool) -> ScopeOutline {
    let demote = [change(ChangeKind::AddLearner, 2, 2)];
    let asked = scope(
        "two_voters_to_one",
        "one of two voters is demoted and removed: can lost replies leave the survivor without a majority?",
        &[1, 2],
        region(&[1, 2], &[]),
    );
    let scope = Scope {
        commands: vec![enter_joint(&demote), remove(2, 2)],
        budgets: Budgets {
            elections: either(standard, 3, 1),
            crashes: 1,
            changes: 2,
            lost: 2,
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::OneVoterLeft, Reach::PeerRemoved, Reach::StoreDown],
        vec!["vote, reply dropped", "replicate, reply dropped"],
    )
}

fn three_voters_to_one(standard: bool) -> ScopeOutline {
    let demote = |store| change(ChangeKind::AddLearner, store, store);
    let asked = scope(
        "three_voters_to_one",
        "two of three voters are removed, and both know it or neither does: can the one and the two others elect two leaders (etcd-io/raft#456)?",
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
        crashers: vec![1],
        budgets: Budgets { elections: 2, crashes: 1, changes: 2, ..Budgets::default() },
        ..asked
    };
    let (mut reachable, mut must_fire) =
        (vec![Reach::OneVoterLeft, Reach::StoreDown], vec!["campaign", "enter joint", "crash"]);
    if !standard {
        reachable.extend([Reach::Joint, Reach::JointLeft]);
        must_fire.push("leave joint");
    }
    (scope, reachable, must_fire)
}

/// Row 16: nothing that needs the dead voter's acknowledgement commits any more, including its own
/// removal.
fn one_of_two_is_lost(standard: bool) -> ScopeOutline {
    let demote = [change(ChangeKind::AddLearner, 2, 2)];
    let asked = scope(
        "one_of_two_is_lost",
        "one of two voters loses its disk: does the region continue if and only if that voter was demoted before?",
        &[1, 2],
        region(&[1, 2], &[]),
    );
    let scope = Scope {
        commands: vec![enter_joint(&demote), remove(2, 2), put("a")],
        campaigners: vec![1],
        crashers: vec![2],
        budgets: Budgets {
            changes: either(standard, 2, 1),
            elections: either(standard, 1, 0),
            lost: either(standard, 1, 0),
            writes: either(standard, 1, 0),
            disk_losses: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::StoreLost, Reach::OneVoterLeft], vec!["lose disk", "enter joint"])
}

fn old_term_leader(standard: bool) -> ScopeOutline {
    let asked = scope(
        "old_term_leader",
        "a late vote response elects a leader of an old term: does a change that it proposes do harm?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        setup: Vec::<Action>::new(),
        commands: vec![remove(3, 3)],
        campaigners: vec![1, 2],
        budgets: Budgets { elections: 2, changes: either(standard, 1, 0), late: 1, ..Budgets::default() },
        ..asked
    };
    (scope, vec![Reach::TwoLeaders], vec!["late vote response"])
}

fn promoted_while_it_needs_a_snapshot(standard: bool) -> ScopeOutline {
    let asked = scope(
        "promoted_while_it_needs_a_snapshot",
        "a learner is promoted before its snapshot arrives: who can still elect and commit?",
        &[1, 2, 3],
        region(&[1, 2], &[]),
    );
    let scope = Scope {
        commands: vec![add_learner(3, 3), add_voter(3, 3), put("a")],
        campaigners: vec![2],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            changes: 2,
            compactions: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::VoterWithoutLog, Reach::SnapshotPending, Reach::Promoted],
        vec!["compact log", "apply snapshot"],
    )
}

fn joins_again(standard: bool, name: &str, id: u64) -> ScopeOutline {
    let asked = scope(
        name,
        "a peer is removed and its store joins again: do leftovers of the old peer disturb the new one?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![remove(3, 3), add_voter(id, 3), put("a")],
        campaigners: if standard || id == 3 { vec![2, 3] } else { vec![3] },
        crashers: vec![3],
        budgets: Budgets {
            elections: 1,
            changes: 2,
            writes: u8::from(id == 3),
            crashes: either(standard && id == 3, 1, 0),
            late: u8::from(id != 3),
            ..Budgets::default()
        },
        ..asked
    };
    let again = if id == 3 { Reach::SameIdAgain } else { Reach::NewIdOnOldStore };
    (scope, vec![Reach::PeerRemoved, Reach::PeerUninitialised, again], vec!["change peer", "apply snapshot"])
}

fn transfer_against_a_change(standard: bool) -> ScopeOutline {
    let asked = scope(
        "transfer_against_a_change",
        "leadership is transferred while a change is pending: who may campaign, and who gets stuck?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![remove(3, 3), Command::TransferLeader { to: 2 }, put("a")],
        budgets: Budgets {
            changes: 1,
            transfers: either(standard, 2, 1),
            writes: either(standard, 1, 0),
            late: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::Transferring, Reach::LaggardHandsOver, Reach::ApplyLags, Reach::TwoLeaders],
        vec!["timeout now", "transfer timeout"],
    )
}

/// tikv#17363: the leader could not apply the learner that it had proposed, and TiKV refused
/// every transfer for that reason, so the region stayed hung.
fn leaders_disk_hangs(standard: bool) -> ScopeOutline {
    let asked = scope(
        "leaders_disk_hangs",
        "the leader's disk is stalled while a learner is added, and it still sends heartbeats: can another peer lead?",
        &[1, 2, 3, 4],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![add_learner(4, 4), Command::TransferLeader { to: 2 }, put("a")],
        apply_stalled: vec![1],
        campaigners: vec![3],
        budgets: Budgets {
            elections: either(standard, 1, 0),
            changes: 1,
            transfers: 1,
            writes: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::Transferring, Reach::LaggardHandsOver, Reach::ApplyLags, Reach::TwoLeaders],
        vec!["timeout now", "change peer"],
    )
}

fn old_term_entries(standard: bool) -> ScopeOutline {
    let asked = scope(
        "old_term_entries",
        "logs hold entries of old terms: is one ever committed by counting replicas (Figure 8)?",
        &[1, 2, 3],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![put("a"), put("b")],
        campaigners: if standard { vec![1, 2, 3] } else { vec![1, 2] },
        budgets: Budgets { elections: 3, writes: either(standard, 2, 1), ..Budgets::default() },
        ..asked
    };
    (scope, vec![Reach::TwoLeaders, Reach::OldTermEntry], vec!["campaign", "put"])
}

fn reads_across_leaders(standard: bool) -> ScopeOutline {
    let asked = scope(
        "reads_across_leaders",
        "a client reads from a leader while another is elected and members change: is the answer ever stale?",
        &[1, 2, 3],
        Region { end: Key::from("m"), ..region(&[1, 2, 3], &[]) },
    );
    let scope = Scope {
        commands: vec![put("a"), remove(3, 3)],
        // The second key lies outside the region.
        keys: vec![Key::from("k"), Key::from("z")],
        campaigners: vec![2],
        budgets: Budgets {
            elections: 1,
            writes: 1,
            reads: either(standard, 2, 1),
            changes: 1,
            lost: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::ReadReady, Reach::TwoLeaders], vec!["answer read"])
}
