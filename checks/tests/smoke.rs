//! The smoke scopes inside `cargo test`: explored to the end, checked by stateright too, and every
//! transition replayed on the implementation.
//!
//! The counts of each scope are pinned. So a change of the rules shows even if every property still
//! holds. After an intended change: `INSTA_UPDATE=always cargo test -p rollcall-checks --test
//! smoke`.
//!
//! Each scope is a test of its own, on one thread; the test runner uses the cores.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{LazyLock, OnceLock};

use rollcall_checks::healing::Sample;
use rollcall_checks::verify::{ScopeReport, Watch, family_failures, verify};
use rollcall_model::scopes::{Family, ScopePlan, Size, plans};

/// Each smoke scope with its report, once it has been verified.
static SCOPES: LazyLock<Vec<(ScopePlan, OnceLock<ScopeReport>)>> = LazyLock::new(|| {
    let plans = Family::ALL.iter().flat_map(|family| plans(*family, Size::Smoke));
    plans.map(|plan| (plan, OnceLock::new())).collect()
});

const HEALED: Sample = Sample::Drawn { count: 250, seed: 1 };

fn report_of((plan, report): &(ScopePlan, OnceLock<ScopeReport>)) -> &ScopeReport {
    // `rollcall verify --size smoke` heals the implementation from every state.
    let watch = Watch { healed: Some(HEALED), ..Watch::default() };
    report.get_or_init(|| match verify(plan, 1, &watch) {
        Ok(verified) => {
            if let Some(divergence) = &verified.divergence {
                eprintln!("{divergence}");
            }
            verified.report
        }
        Err(error) => panic!("{}: {error}", plan.scope.name),
    })
}

/// Healing must begin one operator more than the scope's budget of the patrol allows: two peers
/// must move, or one after a change of leaders, or one whose operator became stale. So no goal lies
/// within the scope.
const GOAL_BEYOND_THE_BUDGET: &[&str] = &[
    "stalled_leaders_store_leaves_smoke",
    "operator_outrun_while_it_waits_smoke",
    "patrol_limited_smoke",
    "split_racing_a_decommission_smoke",
    "stopped_while_two_stores_leave_smoke",
    "two_of_five_die_unnoticed_smoke",
];

fn holds(name: &str) {
    let name = format!("{name}_smoke");
    let scope = SCOPES.iter().find(|(plan, _)| plan.scope.name == name);
    let report = report_of(scope.unwrap_or_else(|| panic!("there is no scope `{name}`")));
    assert!(report.holds(), "{name}: {:?} {:?}", report.failures, report.unfinished);
    assert!(report.exhausted);
    assert_eq!(report.stateright_agrees, Some(true));
    assert_eq!(report.transitions_replayed, Some(report.transitions));
    assert_eq!(report.recovered_states, Some(report.distinct_states));
    let reaching = report.reaching_states.expect("it was asked");
    assert!(reaching <= report.distinct_states);
    assert_eq!(reaching == 0, GOAL_BEYOND_THE_BUDGET.contains(&&*name), "{name}");
    assert!(report.healed_within_scope.is_some_and(|within| Some(within) <= report.reaching_states));
    assert_eq!(report.healed_on_implementation, Some(report.distinct_states.min(250)));
    assert!(report.replayed_steps >= report.transitions_replayed);
    assert!(report.refusals.is_some_and(|disabled| disabled > 0), "no disabled action was checked");
    assert_eq!(report.violations, Vec::<String>::new());
    assert_eq!(report.unreached, Vec::<String>::new());
}

macro_rules! scopes {
    ($($family:ident: $($scope:ident)+;)+) => {
        $(mod $family {
            $(#[test]
            fn $scope() {
                super::holds(stringify!($scope));
            })+
        })+

        const TESTED: &[&str] = &[$($(concat!(stringify!($scope), "_smoke"),)+)+];
    };
}

scopes! {
    conf_change:
        grow_and_shrink
        replace_one_by_one
        replace_by_joint
        swap_two_by_joint
        replace_a_lost_store
        leader_removed_after_handover
        two_voters_to_one
        three_voters_to_one
        one_of_two_is_lost
        old_term_leader
        promoted_while_it_needs_a_snapshot
        joins_again_with_the_same_id
        joins_again_with_a_new_id
        transfer_against_a_change
        leaders_disk_hangs
        old_term_entries
        reads_across_leaders
        voter_restarts_before_its_snapshot
        power_fails_between_changes
        power_fails_before_persistence
        sole_voter_persists_late
        demoted_while_it_needs_a_snapshot
        timeout_now_comes_late
        compacted_behind_an_election
        learner_removed_while_cut_off
        heartbeats_without_entries
        removed_while_a_voter_is_down
        one_of_four_goes
        new_quorum_needs_a_snapshot;
    split:
        split_against_an_add
        split_after_a_promotion
        split_against_a_remove
        child_snapshot_under_way
        child_removed_before_its_birth
        split_and_leader_change
        split_and_crash
        split_on_two_peers
        batch_split
        split_in_joint_state
        child_split_again
        first_messages_pending
        reads_across_a_split
        merge_and_leader_change
        merge_behind_a_compaction
        merges_crossed
        store_sleeps_through_a_merge
        removed_learner_blocks_a_child
        learner_of_a_child_removed_before_it_is_born
        uninitialised_peer_behind_a_merge
        merge_behind_a_snapshot
        merged_twice
        child_takes_its_parent_in
        snapshot_behind_a_rollback
        merges_in_a_row;
    decommission:
        one_store_leaves
        process_ends_while_a_store_leaves
        crash_while_a_store_leaves
        leaders_store_leaves
        stalled_leaders_store_leaves
        split_racing_a_decommission
        late_report_and_late_order
        two_stores_of_a_region_leave
        decommission_cancelled
        no_legal_target
        leaving_store_stopped
        pd_restarted
        administrator_against_the_patrol
        down_peer_and_a_learner
        one_replica
        tombstone_by_hand
        forced_by_hand
        forced_behind_a_learner
        forced_with_a_merge_to_commit
        forced_with_a_merge_into_the_lower_id
        forced_while_merging
        forced_in_a_joint_state
        forced_behind_a_split
        forced_and_interrupted
        report_comes_late
        plan_for_a_hole_comes_late
        plan_to_destroy_comes_late
        broken_off_behind_a_split
        given_up_once_more
        forced_with_two_left
        forced_with_a_merge_and_two_left
        change_known_to_the_other_who_is_left
        merge_into_what_nobody_can_lead
        target_full_by_share
        patrol_limited
        operators_wait
        operator_outrun_while_it_waits
        two_of_three_replicas_leave
        two_of_five_die_unnoticed
        stopped_while_two_stores_leave
        crash_and_election_while_a_store_leaves
        new_store_joins
        voter_added_at_once
        order_repeated
        learner_waits_for_its_snapshot
        learner_beside_a_spare_one
        merge_racing_a_decommission
        target_led_by_who_lags
        stale_peer_asks_pd;
}

#[test]
fn every_smoke_scope_is_a_test() {
    let there: Vec<&str> = SCOPES.iter().map(|(plan, _)| plan.scope.name.as_str()).collect();
    assert_eq!(TESTED, there, "the scopes of the model and the list in this file");
}

// Tests start in the order of their names, so this one finds the scopes verified.
#[test]
fn the_families_cover_everything() {
    let reports: Vec<ScopeReport> = SCOPES.iter().map(report_of).cloned().collect();
    for family in Family::ALL {
        assert_eq!(family_failures(*family, Size::Smoke, &reports), Vec::<String>::new());
    }
}

#[test]
fn the_numbers_are_as_they_were() {
    let mut families = BTreeMap::<&str, String>::new();
    for report in SCOPES.iter().map(report_of) {
        let ScopeReport { family, scope, distinct_states, transitions, depth, .. } = report;
        let table = families.entry(family).or_insert_with(|| {
            format!("{:<44} {:>8} {:>11} {:>5}\n", "scope", "distinct", "transitions", "depth")
        });
        writeln!(table, "{scope:<44} {distinct_states:>8} {transitions:>11} {depth:>5}").expect("a string");
    }
    for (family, table) in families {
        insta::assert_snapshot!(format!("smoke_{family}"), table);
    }
}
