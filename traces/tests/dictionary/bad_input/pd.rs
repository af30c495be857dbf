//! What can be wrong with a scope or a step of the placement driver.

use rollcall_traces::*;

use super::{column, fault, header};
use crate::toy;

#[test]
fn what_a_placement_driver_is_not_given() {
    let fine = Scope {
        max_replicas: 2,
        next_id: 10,
        full: vec![2],
        admin: vec![Action::Decommission { store: 2, force: false }],
        ..toy::scope("broken", &[1, 2])
    };
    assert_eq!(fine.validate(), Ok(()));
    let admin = |action| Scope { admin: vec![action], ..fine.clone() };
    let add = |operator| admin(Action::AddOperator { region: 1, operator, reply: Reply::Delivered });
    for (scope, words) in [
        (Scope { next_id: 0, ..fine.clone() }, "wants 2 replicas of a region and has no id to allot"),
        (
            Scope { full: vec![1, 7], ..fine.clone() },
            "`full` names store 7, which is not among the stores [1, 2]",
        ),
        (Scope { full: vec![2, 1, 2], ..fine.clone() }, "`full` names a store twice"),
        (
            admin(Action::Decommission { store: 7, force: true }),
            "`Decommission store 7, physically destroyed` names store 7, which is not among the stores [1, 2]",
        ),
        (admin(Action::CancelDecommission { store: 7 }), "names store 7"),
        (admin(Action::SetTombstone { store: 7 }), "names store 7"),
        (admin(Action::RemoveTombstone { store: 7 }), "names store 7"),
        (admin(Action::RemoveFailedStores { stores: vec![1, 7] }), "names store 7"),
        (admin(Action::TombstonePeer { region: 1, store: 7, force: true }), "names store 7"),
        (add(AdminOperator::AddPeer { store: 7 }), "names store 7"),
    ] {
        let error = scope.validate().expect_err(words);
        assert!(matches!(error, ScopeError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn what_an_administrator_cannot_type() {
    let scope =
        |action| Scope { max_replicas: 2, next_id: 10, admin: vec![action], ..toy::scope("broken", &[1, 2]) };
    for typed in [
        Action::Decommission { store: 1, force: true },
        Action::CancelDecommission { store: 1 },
        Action::SetTombstone { store: 1 },
        Action::RemoveTombstone { store: 1 },
        Action::TombstonePeer { region: 1, store: 1, force: false },
        Action::RemoveFailedStores { stores: vec![2] },
        Action::AddOperator {
            region: 1,
            operator: AdminOperator::Split { keys: vec!["m".into()] },
            reply: Reply::Dropped,
        },
        Action::RemoveOperator { region: 9 },
    ] {
        assert_eq!(scope(typed).validate(), Ok(()));
    }
    for (action, words) in [
        (Action::CheckStores, "`CheckStores` is not an administrator's command"),
        (Action::PdRestart, "`PdRestart`"),
        (Action::MissedHeartbeat { store: 1 }, "`MissedHeartbeat store 1`"),
        (Action::StoreHeartbeat { store: 1, reply: Reply::Delivered }, "`StoreHeartbeat store 1`"),
        (Action::OperatorTimeout { region: 1 }, "`OperatorTimeout region 1`"),
        (Action::Schedule { region: 1, reply: Reply::Delivered }, "`Schedule region 1`"),
        (
            Action::RegionHeartbeat { region: 1, store: 1, reply: Reply::Delivered },
            "`RegionHeartbeat region 1",
        ),
        (Action::Crash { store: 1 }, "`Crash store 1`"),
    ] {
        let error = scope(action).validate().expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// The place of a fault is found in steps of the placement driver too.
#[test]
fn steps_of_the_placement_driver_that_are_none() {
    let step = |action: &str| format!(r#"{{"record":"step","index":1,"action":{action}}}"#);
    for action in [
        r#"{"decommission":{"store":7}}"#,
        r#"{"missed_heartbeat":{"store":7}}"#,
        r#"{"region_heartbeat":{"region":1,"store":7,"reply":"delivered"}}"#,
        r#"{"hold":{"region":1,"from":7,"to":0,"message":"region_report"}}"#,
        r#"{"add_operator":{"region":1,"operator":{"add_peer":{"store":7}},"reply":"delivered"}}"#,
    ] {
        let line = step(action);
        let (error, number, at) = fault(&[&header(), &line]);
        assert!(matches!(error, TraceError::UnknownStore { store: 7, .. }), "{error}");
        assert_eq!((number, at), (2, column(&line, action)), "{error}");
    }
    for (action, words, part) in [
        (
            r#"{"add_operator":{"region":1,"operator":"add_peer","reply":"delivered"}}"#,
            "invalid type",
            "\"add_peer\"",
        ),
        (r#"{"schedule":{"region":1,"reply":"late"}}"#, "there is no name `late` here", "late\""),
        (r#"{"check_stores":{}}"#, "expected unit", ":{}"),
        (r#"{"decommission":{"store":"one"}}"#, "invalid type", "one\""),
    ] {
        let line = step(action);
        let (error, number, at) = fault(&[&header(), &line]);
        assert!(matches!(error, TraceError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!((number, at >= column(&line, part)), (2, true), "{error}");
    }
    let held = r#"{"hold":{"region":1,"from":1,"to":0,"message":"region_report"}}"#;
    let text = format!("{}\n{}\n", header(), step(held));
    assert_eq!(Trace::parse("fine.jsonl", &text).expect("it goes to no store").steps.len(), 1);
}

#[test]
fn a_scope_without_ids_is_reported_with_its_line() {
    let line = header().replace(r#""rounds""#, r#""max_replicas":3,"rounds""#);
    let (error, 1, at) = fault(&[&line]) else { panic!("line 1") };
    assert!(matches!(error, TraceError::BadScope { source: ScopeError::Malformed { .. }, .. }), "{error}");
    assert_eq!(at, column(&line, r#"{"name""#));
    let with_ids = line.replace(r#""max_replicas""#, r#""next_id":10,"max_replicas""#);
    assert!(Trace::parse("fine.jsonl", &with_ids).is_ok());
}
