//! What a crash takes with it, and what it must not.

use rollcall_traces::{Budgets, Scope};

use super::super::{Asked, add_voter, either, put, region, scope};
use crate::reach::Reach;

/// PD adds a learner first, which nobody asks for a vote; pd-ctl's `add-peer` of
/// old and a script of its own may add a voter.
pub(super) fn voter_restarts_before_its_snapshot(standard: bool) -> Asked {
    let asked = scope(
        "voter_restarts_before_its_snapshot",
        "a voter that was added at once votes before its snapshot comes, and restarts: does it keep its word?",
        &[1, 2, 3],
        region(&[1, 2], &[]),
    );
    let scope = Scope {
        commands: vec![add_voter(3, 3), put("a")],
        campaigners: if standard { vec![1, 2] } else { vec![2] },
        crashers: if standard { vec![1, 3] } else { vec![3] },
        budgets: Budgets {
            elections: either(standard, 2, 1),
            crashes: either(standard, 2, 1),
            changes: 1,
            writes: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (
        scope,
        vec![Reach::VoteBeforeSnapshot, Reach::VoterWithoutLog, Reach::StoreDown, Reach::TwoLeaders],
        vec!["change peer", "campaign", "crash", "apply snapshot"],
    )
}
