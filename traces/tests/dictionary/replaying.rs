//! Replays that agree say what they compared; those that do not say where.

use rollcall_traces::*;

use crate::toy::{Toy, put, scope};

fn recorded() -> Trace {
    let actions = [
        Action::Campaign { region: 1, store: 2 },
        put(2, "k1", "v1"),
        Action::Crash { store: 1 },
        put(1, "k2", "v2"),
        put(2, "k2", "v2"),
    ];
    record(&mut Toy::default(), &scope("toy", &[1, 2]), actions).expect("the toy has no setup")
}

fn diverged(result: Result<Replayed, ReplayError>) -> Divergence {
    match result {
        Err(ReplayError::Diverged(divergence)) => *divergence,
        other => panic!("it must diverge: {other:?}"),
    }
}

#[test]
fn what_was_recorded_is_replayed() {
    let replayed = replay(&mut Toy::default(), &recorded(), Sides::TRACE_AND_IMPL).expect("it agrees");
    assert_eq!(replayed, Replayed { steps: 5, outcomes: 5, views: 6, expectations: 0 });
}

#[test]
fn a_file_is_replayed_as_memory_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("toy.jsonl");
    let trace = recorded();
    let actions: Vec<Action> = trace.actions().cloned().collect();
    record_to_file(&mut Toy::default(), Header::new(scope("toy", &[1, 2])), actions, &path).unwrap();
    assert_eq!(Trace::read(&path).unwrap(), trace);
    let replayed = replay_file(&mut Toy::default(), &path, Sides::TRACE_AND_IMPL).expect("it agrees");
    assert_eq!(replayed.views, 6);
}

#[test]
fn a_view_that_differs_is_a_divergence() {
    let mut forgetful = Toy { forgets_puts_on: Some(2), ..Toy::default() };
    let found = diverged(replay(&mut forgetful, &recorded(), Sides::TRACE_AND_IMPL));
    assert_eq!((found.step, found.prefix.len()), (2, 2));
    assert!(!found.outcomes_differ());
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].path, "stores/2/regions/1/data");
}

#[test]
fn an_outcome_that_differs_is_a_divergence() {
    let mut trace = recorded();
    trace.steps[3].outcome = Some(Outcome::DONE);
    let found = diverged(replay(&mut Toy::default(), &trace, Sides::TRACE_AND_IMPL));
    assert_eq!(found.step, 4);
    assert!(found.outcomes_differ() && found.differences.is_empty());
}

#[test]
fn a_first_state_that_differs_is_a_divergence() {
    let mut trace = recorded();
    trace.header.view.as_mut().unwrap().stores.get_mut(&1).unwrap().status = StoreStatus::Down;
    let found = diverged(replay(&mut Toy::default(), &trace, Sides::TRACE_AND_IMPL));
    assert_eq!((found.step, found.action.is_none(), found.prefix.len()), (0, true, 0));
    assert_eq!(found.differences[0].path, "stores/1/status");
}

#[test]
fn a_divergence_fits_a_terminal() {
    let mut trace = recorded();
    trace.steps[4].outcome = Some(Outcome::Refused(Reason::LeaderRemoval));
    trace.steps[4].view.as_mut().unwrap().stores.clear();
    let mut found = diverged(replay(&mut Toy::default(), &trace, Sides::MODEL_AND_IMPL));
    found.guards.push(GuardNote {
        side: "model".into(),
        guard: "keep_leader".into(),
        decider: "Store".into(),
    });
    found.command = Some("rollcall replay toy.jsonl".into());
    insta::assert_snapshot!(found.to_string());
    for count in 0..40 {
        found.differences.push(Difference { path: format!("x/{count}"), expected: None, actual: None });
        found.prefix.push(put(1, "a", "b"));
    }
    let text = found.to_string();
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.contains("and 34 fields more") && text.contains("45 actions, of which the last"), "{text}");
    // Machines get everything.
    assert_eq!(serde_json::to_value(&found).unwrap()["differences"].as_array().unwrap().len(), 42);
}

#[test]
fn an_action_that_cannot_be_taken() {
    let header = Header::new(scope("toy", &[1, 2]));
    let trace = Trace::scenario(header, [Action::Crash { store: 1 }, put(1, "a", "b")]);
    let error = replay(&mut Toy::default(), &trace, Sides::TRACE_AND_IMPL).expect_err("store 1 is down");
    assert!(matches!(error, ReplayError::Refused { reason: Reason::StoreDown, .. }), "{error}");
    assert!(
        error.to_string().starts_with("toy: step 2: `Propose region 1: store 1, put a=b` cannot be"),
        "{error}"
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("toy.jsonl");
    trace.write(&path).unwrap();
    let error = replay_file(&mut Toy::default(), &path, Sides::TRACE_AND_IMPL).expect_err("store 1 is down");
    assert!(error.to_string().contains("toy.jsonl:3:37: step 2: "), "{error}");
}

#[test]
fn a_refusal_that_the_scenario_names_is_no_error() {
    let mut trace =
        Trace::scenario(Header::new(scope("toy", &[1])), [Action::Crash { store: 1 }, put(1, "a", "b")]);
    trace.steps[1].outcome = Some(Outcome::Refused(Reason::StoreDown));
    let replayed = replay(&mut Toy::default(), &trace, Sides::TRACE_AND_IMPL).expect("it says so");
    assert_eq!(replayed, Replayed { steps: 2, outcomes: 1, views: 0, expectations: 0 });
}

#[test]
fn zero_steps_are_a_failure() {
    let trace = Trace::scenario(Header::new(scope("toy", &[1])), []);
    let error = replay(&mut Toy::default(), &trace, Sides::TRACE_AND_IMPL).expect_err("it has no steps");
    assert!(matches!(error, ReplayError::ZeroSteps { .. }), "{error}");
}

#[test]
fn expectations_are_checked() {
    let data = |key: &str, value: Option<&str>| [(Key::from(key), value.map(Value::from))].into();
    let mut trace = Trace::scenario(Header::new(scope("toy", &[1, 2])), [put(2, "k1", "v1")]);
    let all = Expect {
        data: [(1, data("k1", None)), (2, data("k1", Some("v1")))].into(),
        conf_ver_at_least: Some(1),
        ..Expect::default()
    };
    trace.steps[0].expect = Some(all.clone());
    let replayed = replay(&mut Toy::default(), &trace, Sides::TRACE_AND_IMPL).expect("it holds");
    assert_eq!(replayed, Replayed { steps: 1, outcomes: 0, views: 0, expectations: 3 });

    let cases = [
        ("stores/2/holds/k1", Expect { data: [(2, data("k1", None))].into(), ..Expect::default() }),
        ("stores/2/holds/k1", Expect { data: [(2, data("k1", Some("v2")))].into(), ..Expect::default() }),
        ("stores/1/holds/k1", Expect { data: [(1, data("k1", Some("v1")))].into(), ..Expect::default() }),
        ("regions/1/leader", Expect { leader: [(1, Some(2))].into(), ..Expect::default() }),
        ("regions/1/conf_ver_at_least", Expect { conf_ver_at_least: Some(2), ..Expect::default() }),
    ];
    for (path, expect) in cases {
        trace.steps[0].expect = Some(expect);
        let found = diverged(replay(&mut Toy::default(), &trace, Sides::TRACE_AND_IMPL));
        assert_eq!(found.differences.iter().map(|one| &one.path).collect::<Vec<_>>(), [path]);
    }
}

#[test]
fn the_leader_is_the_one_of_the_newest_term() {
    let mut toy = Toy::default();
    toy.reset(&scope("toy", &[1, 2])).unwrap();
    let mut set = |store, role, term| {
        let peer = toy.view.stores.get_mut(&store).unwrap().peers.get_mut(&1).unwrap();
        (peer.role, peer.term) = (role, term);
        toy.view()
    };
    let on = |store| Expect { leader: [(1, Some(store))].into(), ..Expect::default() };
    let old = set(1, Role::Leader, 6);
    assert!(on(1).unmet(&old).is_empty());
    assert_eq!(on(2).unmet(&old)[0].to_string(), "regions/1/leader: expected 2, found 1");
    let deposed = set(2, Role::Leader, 7);
    assert!(on(2).unmet(&deposed).is_empty() && !on(1).unmet(&deposed).is_empty());
    let between = set(2, Role::Candidate, 8);
    assert_eq!(on(1).unmet(&between)[0].to_string(), "regions/1/leader: expected 1, found absent");
}

#[test]
fn a_tombstone_holds_nothing() {
    let mut toy = Toy::default();
    toy.reset(&scope("toy", &[1])).unwrap();
    toy.apply(&put(1, "k1", "v1"));
    let holds = Expect {
        data: [(1, [(Key::from("k1"), Some(Value::from("v1")))].into())].into(),
        conf_ver_at_least: Some(1),
        ..Expect::default()
    };
    assert!(holds.unmet(&toy.view()).is_empty());
    toy.view.stores.get_mut(&1).unwrap().peers.get_mut(&1).unwrap().state = PeerState::Tombstone;
    // Nobody is left who could show a conf_ver.
    assert_eq!(holds.unmet(&toy.view()).len(), 2);
}

#[test]
fn recording_again_keeps_the_words() {
    let mut scenario = Trace::scenario(Header::new(scope("toy", &[1])), [put(1, "a", "b")]);
    scenario.header.title = "A toy".into();
    scenario.steps[0].note = "written at once".into();
    let trace = record_again(&mut Toy::default(), &scenario, |_, _| Vec::new()).unwrap();
    assert_eq!(trace.header.title, "A toy");
    assert_eq!(trace.steps[0].note, "written at once");
    assert_eq!(trace.steps[0].outcome, Some(Outcome::DONE));
    assert_eq!(record_again(&mut Toy::default(), &trace, |_, _| Vec::new()).unwrap(), trace);
}

#[test]
fn recording_again_judges_anew() {
    let actions = [put(1, "a", "b"), Action::Crash { store: 1 }, Action::Crash { store: 2 }];
    let scenario = Trace::scenario(Header::new(scope("toy", &[1, 2])), actions);
    let all_up = |view: &View, _: Option<(&Action, &Outcome)>| match view.stores.values().next() {
        Some(store) if store.status != StoreStatus::Up => vec!["all_up".to_owned()],
        _ => Vec::new(),
    };
    let trace = record_again(&mut Toy::default(), &scenario, all_up).unwrap();
    assert_eq!(trace.verdict, Some(Verdict::violated("all_up", 2)));
    let violated: Vec<usize> = trace.steps.iter().map(|step| step.violated.len()).collect();
    assert_eq!(violated, [0, 1, 1]);
    let at_once = record_again(&mut Toy::default(), &scenario, |_, _| vec!["never".into()]).unwrap();
    assert_eq!(at_once.verdict, Some(Verdict::violated("never", 0)));
}
