//! A scope lists the reasons for which getting stuck is correct. Any other reason fails it, and so
//! does a listed reason that never occurs. A goal that is out of reach from the first state is an
//! error that names the scope.

use rollcall_checks::verify::{Verified, VerifyError, Watch, verify};
use rollcall_model::liveness::StuckReason;
use rollcall_model::scopes::{self, ScopePlan};
use rollcall_traces::{Action, Verdict};

const LOST: StuckReason = StuckReason::DiskLost { region: 1, store: 1 };

fn plan(allowed_stuck: &[StuckReason]) -> ScopePlan {
    let plan = scopes::named("one_of_four_goes_smoke").expect("a scope of that name");
    ScopePlan { allowed_stuck: allowed_stuck.to_vec(), ..plan }
}

fn verified(plan: &ScopePlan) -> Verified {
    verify(plan, 2, &Watch::default()).expect("the scope can be verified")
}

#[test]
fn the_reason_that_the_scope_names_is_met_and_counted() {
    let report = verified(&plan(&[LOST])).report;
    assert!(report.holds(), "{:?}", report.failures);
    assert_eq!(report.stuck_states, report.stuck.get(&LOST.to_string()).copied());
    assert!(report.stuck_states.is_some_and(|states| 0 < states && states < report.distinct_states));
}

#[test]
fn another_reason_fails_with_the_shortest_way_to_it() {
    let verified = verified(&plan(&[]));
    let [failure] = &verified.report.failures[..] else { panic!("{:?}", verified.report.failures) };
    assert!(
        failure.contains(&format!("misses a goal for a reason that the scope does not list: {LOST}")),
        "{failure}"
    );
    let [way] = &verified.violations[..] else { panic!("one way") };
    assert_eq!(
        way.steps.iter().map(|step| &step.action).collect::<Vec<_>>(),
        [&Action::LoseDisk { store: 1 }]
    );
    assert_eq!(way.verdict, Some(Verdict::violated("stuck", 1)));
}

#[test]
fn a_reason_that_is_never_met_fails() {
    let never = StuckReason::MajorityLost { region: 1 };
    let report = verified(&plan(&[LOST, never])).report;
    assert_eq!(report.failures, [format!("the scope lists a reason that never occurs: {never}")]);
}

/// Four replicas are wanted, and there are three stores.
#[test]
fn a_goal_that_is_out_of_reach_from_the_beginning_is_an_error_that_names_the_scope() {
    let mut plan = scopes::named("administrator_against_the_patrol_smoke").expect("a scope of that name");
    plan.scope.max_replicas = 4;
    let plan = ScopePlan { reachable: Vec::new(), must_fire: Vec::new(), ..plan };
    let error = verify(&plan, 2, &Watch::default()).err().expect("nothing can be owed here");
    assert!(matches!(error, VerifyError::GoalUnreachable { .. }), "{error}");
    let text = error.to_string();
    let begins = "scope `administrator_against_the_patrol_smoke` does not heal from its first state: no legal target for region 1 (";
    assert!(text.starts_with(begins), "{text}");
}

#[test]
fn a_bound_that_is_too_small_names_a_sufficient_one() {
    let bounded = |bound| verify(&plan(&[LOST]), 2, &Watch { heal_bound: Some(bound), ..Watch::default() });
    let Err(VerifyError::BoundTooSmall { needs, .. }) = bounded(2) else { panic!("2 are too few") };
    assert!(needs > 2);
    let mut enough = needs;
    // Another state may need more: each error names the next bound to try.
    while let Err(VerifyError::BoundTooSmall { needs, .. }) = bounded(enough) {
        assert!(needs > enough);
        enough = needs;
    }
    assert!(bounded(enough).expect("enough is enough").report.holds());
}
