//! What the scopes of a family must cover together.

use rollcall_model::ACTION_KINDS;
use rollcall_model::scopes::{Family, Size};
use rollcall_traces::Reason;

use super::ScopeReport;

/// What the family fails to cover: every action and every reason must occur, and no scope may have
/// most of the states.
pub fn family_failures(family: Family, size: Size, reports: &[ScopeReport]) -> Vec<String> {
    let reports: Vec<&ScopeReport> = reports
        .iter()
        .filter(|report| report.family == family.name() && report.size == size.name())
        .collect();
    let mut failures = Vec::new();
    // A deep scope answers one question by itself.
    if size == Size::Deep {
        return failures;
    }
    for kind in ACTION_KINDS.iter().filter(|kind| family.owes_kind(kind)) {
        if reports.iter().all(|report| report.actions.get(kind).copied().unwrap_or(0) == 0) {
            failures.push(format!("`{kind}` fires in no scope of {family}, {size}"));
        }
    }
    for reason in Reason::ALL.iter().filter(|reason| family.owes_reason(**reason)) {
        if reports.iter().all(|report| !report.reasons.contains_key(reason)) {
            failures.push(format!("nothing is refused as `{reason}` in any scope of {family}, {size}"));
        }
    }
    let total: u64 = reports.iter().map(|report| report.distinct_states).sum();
    for report in reports.iter().filter(|report| report.distinct_states * 2 > total) {
        failures.push(format!("{} holds more than half of the states of {family}, {size}", report.scope));
    }
    let owed = standard_states(family);
    if size == Size::Standard && total < owed {
        failures.push(format!("{family}, {size} has {total} distinct states; at least {owed} are required"));
    }
    failures
}

/// The least number of distinct states in a family's standard scopes.
fn standard_states(family: Family) -> u64 {
    match family {
        Family::ConfChange | Family::Split => 1_000_000,
        Family::Decommission => 2_000_000,
    }
}
