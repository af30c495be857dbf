//! The deep scopes: questions that standard scopes cannot answer.
//!
//! A standard scope is small because it leaves something out: single entries, larger groups,
//! several kinds of change at once. Each deep scope puts one of these back where the question
//! depends on it.

use rollcall_traces::{Action, Budgets, ChangeKind, Command, Derive, Entries, Scope};

use super::allowed_stuck;
use super::decommission::making::{leaves, placed};
use super::making::{REGION, add_voter, behind, change, enter_joint, put, put_at, region, scope};
use super::plan::{Family, ScopeOutline, ScopePlan, Size};
use super::split::making::{CHILD, at, splitting};
use crate::bounds::reach::Reach;
use crate::properties::Property;

pub(super) fn plans(family: Family) -> Vec<ScopePlan> {
    let asked = match family {
        Family::ConfChange => vec![swap_two_entry_by_entry(), three_elections_and_two_crashes()],
        Family::Split => vec![split_and_merged_back()],
        Family::Decommission => {
            vec![crash_and_election_over_a_whole_move(), divided_and_led_by_the_leaving_store()]
        }
    };
    let plan = |(scope, reachable, must_fire): ScopeOutline| ScopePlan {
        family,
        size: Size::Deep,
        allowed_stuck: allowed_stuck::of(&scope.name, Size::Deep),
        scope,
        properties: Property::ALL.to_vec(),
        reachable,
        must_fire,
    };
    asked.into_iter().map(plan).collect()
}

/// The standard scope replaces two voters with whole-log rounds, and only an old voter campaigns. A
/// follower then has all of a leader's entries or none. So no change is on some old and some new
/// voters without the entries after it, and no new voter leads with part of it.
fn swap_two_entry_by_entry() -> ScopeOutline {
    let swap = [
        change(ChangeKind::AddVoter, 4, 4),
        change(ChangeKind::AddVoter, 5, 5),
        change(ChangeKind::AddLearner, 2, 2),
        change(ChangeKind::AddLearner, 3, 3),
    ];
    let asked = scope(
        "swap_two_entry_by_entry",
        "one joint change replaces two of three voters, entry by entry, and an old voter or a new one is elected in between: can the old majority and the new one decide differently?",
        &[1, 2, 3, 4, 5],
        region(&[1, 2, 3], &[4, 5]),
    );
    let scope = Scope {
        commands: vec![enter_joint(&swap), Command::LeaveJoint, put("a")],
        rounds: vec![Entries::One],
        campaigners: vec![2, 4],
        budgets: Budgets { elections: 1, changes: 2, writes: 1, ..Budgets::default() },
        ..asked
    };
    let reachable = vec![Reach::Joint, Reach::JointLeft, Reach::TwoLeaders, Reach::OldTermEntry];
    (scope, reachable, vec!["enter joint", "leave joint", "put", "campaign"])
}

/// Standard scopes name who campaigns and who crashes. Here any peer does, the one that is added as
/// well, and a third leader may meet what two others left behind.
fn three_elections_and_two_crashes() -> ScopeOutline {
    let asked = scope(
        "three_elections_and_two_crashes",
        "a fourth voter is added while any peer campaigns, three times in all, any two processes stop and a reply is lost: do two peers lead one term, or is the committed change lost?",
        &[1, 2, 3, 4],
        region(&[1, 2, 3], &[]),
    );
    let scope = Scope {
        commands: vec![add_voter(4, 4)],
        rounds: vec![Entries::All],
        campaigners: vec![1, 2, 3, 4],
        crashers: vec![1, 2, 3, 4],
        budgets: Budgets { elections: 3, crashes: 2, changes: 1, lost: 1, ..Budgets::default() },
        ..asked
    };
    let reachable = vec![Reach::TwoLeaders, Reach::OldTermEntry, Reach::PeerAdded, Reach::StoreDown];
    (scope, reachable, vec!["change peer", "campaign", "crash", "restart", "apply snapshot"])
}

/// Standard scopes split or merge, never both. Here a replica that missed the split must be
/// created, catch up and be merged, in that order. Nothing changes the target in between, so no
/// merge is rolled back.
fn split_and_merged_back() -> ScopeOutline {
    let asked = splitting(
        "split_and_merged_back",
        "a region splits and its child is merged back while one replica has received neither and leadership moves: does every replica end in one region, with every write?",
        &[1, 2, 3],
        &[1, 2, 3],
        &[],
    );
    let scope = Scope {
        commands: vec![put_at("p", "1")],
        merges: vec![(CHILD, REGION)],
        // With whole-log rounds no replica would be between the split and the merge.
        rounds: vec![Entries::One],
        campaigners: vec![2, 3],
        budgets: Budgets { elections: 1, splits: 1, merges: 1, writes: 1, ..Budgets::default() },
        ..asked
    };
    let reachable = vec![
        Reach::SplitApplied,
        Reach::SplitUneven,
        Reach::MergedAway,
        Reach::MergedEverywhere,
        Reach::TargetWaits,
        Reach::SourceMissesEntries,
    ];
    (scope, reachable, vec!["ask split", "prepare merge", "commit merge", "campaign"])
}

/// Standard scopes combine a crash with an election only from the middle of a move on. Here both
/// may happen from the first order to the burial.
fn crash_and_election_over_a_whole_move() -> ScopeOutline {
    let asked = placed(
        "crash_and_election_over_a_whole_move",
        "the leader's process stops and another of three replicas leads, each at any moment until the burial: does the store leave, and only once it is empty?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let scope = Scope {
        admin: vec![leaves(3)],
        campaigners: vec![2],
        crashers: vec![1],
        budgets: Budgets { admin: 1, schedules: 1, elections: 1, crashes: 1, ..Budgets::default() },
        ..asked
    };
    let reachable =
        vec![Reach::StoreOffline, Reach::StoreDown, Reach::ReplacementVotes, Reach::StoreTombstone];
    (
        scope,
        reachable,
        vec!["decommission", "schedule", "campaign", "vote", "crash", "restart", "check stores"],
    )
}

/// In standard scopes the leader stays in place while a region splits and moves, so a remaining
/// store reports both parts. Here the leaving store may lead either part, and its process may stop.
/// PD may bury the store, and remove its record, while it leads a region that PD does not know.
///
/// With three replicas this is too large: even without elections there are more than 27 million
/// states within 26 actions, and each level grows by a fifth.
fn divided_and_led_by_the_leaving_store() -> ScopeOutline {
    let asked = placed(
        "divided_and_led_by_the_leaving_store",
        "the region splits while its peer is moved, and the leaving store may lead either part and stop: does it leave with a child's peer on it, and does PD ever learn of that?",
        &[1, 2, 3],
        &[1, 2],
    );
    let scope = Scope {
        splits: vec![at(&["m"], Derive::Right)],
        admin: vec![Action::RemoveTombstone { store: 2 }],
        campaigners: vec![2],
        crashers: vec![2],
        budgets: Budgets {
            admin: 1,
            schedules: 1,
            splits: 1,
            elections: 1,
            crashes: 1,
            ..Budgets::default()
        },
        ..behind(asked, [leaves(2)])
    };
    let reachable = vec![
        Reach::SplitApplied,
        Reach::SplitUneven,
        Reach::ChildUnknownToPd,
        Reach::StoreTombstone,
        Reach::BuriedUnderAChild,
        Reach::StoreDown,
    ];
    let must_fire = ["ask split", "schedule", "region heartbeat", "remove tombstone", "campaign", "crash"];
    (scope, reachable, must_fire.to_vec())
}
