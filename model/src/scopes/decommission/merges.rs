//! Regions that merge while stores leave (seed 000).

use rollcall_traces::{Action, Budgets, Command, Scope};

use super::super::making::{NEIGHBOUR, REGION, apply, behind, either, neighbours, round};
use super::super::plan::ScopeOutline;
use super::making::{leaves, placed, reported};
use crate::bounds::reach::Reach;

pub(super) fn merge_racing_a_decommission(standard: bool) -> ScopeOutline {
    let asked = placed(
        "merge_racing_a_decommission",
        "two neighbours merge while PD moves their peers off a leaving store: does the store leave, and does PD know the merged region?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = neighbours(asked, &[1, 2]);
    let asked = behind(asked, [reported(REGION, 1), reported(NEIGHBOUR, 1), leaves(2)]);
    let scope = Scope {
        merges: vec![(REGION, NEIGHBOUR)],
        campaigners: vec![1],
        budgets: Budgets { schedules: 1, merges: 1, lost: either(standard, 1, 0), ..Budgets::default() },
        ..asked
    };
    let reachable = vec![Reach::MergedAway, Reach::MergeBesideAMove];
    (scope, reachable, vec!["prepare merge", "commit merge", "schedule", "region heartbeat"])
}

/// Seed 000: every store but store 3 has applied the merge. Store 3 has both logs, and only
/// misses that the source's last entry is committed (tikv#5512).
pub(super) fn target_led_by_who_lags(standard: bool) -> ScopeOutline {
    let asked = placed(
        "target_led_by_who_lags",
        "PD knows a merge that the target's next leader has not applied: does that leader catch up, and does PD then accept its reports?",
        &[1, 2, 3],
        &[1, 2, 3],
    );
    let asked = neighbours(asked, &[1, 2, 3]);
    let propose = |region, command| Action::Propose { region, store: 1, command, epoch: None };
    let begin = Command::prepare_merge(asked.regions[1].clone());
    let taken = |region| [round(region, 3), round(region, 2), apply(region, 1), apply(region, 2)];
    let asked = behind(asked, [reported(REGION, 1), reported(NEIGHBOUR, 1), propose(REGION, begin)]);
    // Store 3 acknowledges the entry and never learns that it is committed.
    let asked = behind(asked, taken(REGION));
    let asked = behind(asked, [propose(NEIGHBOUR, Command::commit_merge(REGION))]);
    let asked = behind(behind(asked, taken(NEIGHBOUR)), [reported(NEIGHBOUR, 1)]);
    let scope = Scope {
        campaigners: vec![3],
        crashers: vec![1],
        budgets: Budgets {
            elections: either(standard, 2, 1),
            crashes: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::SourceMissesCommit, Reach::LeaderBehindPd, Reach::MergedEverywhere];
    (scope, reachable, vec!["campaign", "apply", "region heartbeat"])
}
