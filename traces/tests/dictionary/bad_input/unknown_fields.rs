//! A field that nobody reads is an error wherever it is, and the error names the nearest name.

use rollcall_traces::*;

use super::{CRASH, column, fault, header};

/// Line `number` of the two has a field that is not known, at `part`.
fn unknown(lines: &[&str], number: u64, part: &str, hint: &str) {
    let (error, line, at) = fault(lines);
    assert!(matches!(error, TraceError::UnknownField { .. }), "{error}");
    assert!(error.to_string().ends_with(hint), "{error}");
    assert_eq!((line, at), (number, column(lines[number as usize - 1], part)), "{error}");
}

fn with(line: &str, more: &str) -> String {
    format!("{},{more}}}", line.strip_suffix('}').expect("an object"))
}

#[test]
fn in_header_and_scope() {
    unknown(&[&with(&header(), r#""tittle":"x""#)], 1, r#""tittle""#, "did you mean `title`?");
    let line = header().replace(r#""rounds""#, r#""max_replica":3,"rounds""#);
    unknown(&[&line], 1, r#""max_replica""#, "did you mean `max_replicas`?");
    let line = header().replacen(r#""role""#, r#""rule":"voter","role""#, 1);
    unknown(&[&line], 1, r#""rule""#, "did you mean `role`?");
    let line = header().replace(r#""rounds""#, r#""budgets":{"election":1},"rounds""#);
    unknown(&[&line], 1, r#""election""#, "did you mean `elections`?");
}

#[test]
fn in_a_step() {
    let line = with(CRASH, r#""expects":{"leader":{"1":2}}"#);
    unknown(&[&header(), &line], 2, r#""expects""#, "did you mean `expect`?");
    let line = CRASH.replace(r#""store":1"#, r#""store":1,"reply":"delivered""#);
    unknown(&[&header(), &line], 2, r#""reply""#, "there are `store`");
    let line = with(CRASH, r#""view":{"stores":{"1":{"status":"up","peer":{}}}}"#);
    unknown(&[&header(), &line], 2, r#""peer""#, "did you mean `peers`?");
    let settle = r#"{"record":"step","settle":{"regions":1}}"#;
    unknown(&[&header(), settle], 2, r#""regions""#, "did you mean `region`?");
    // One line is one or the other.
    let settle = with(CRASH, r#""settle":{}"#);
    unknown(&[&header(), &settle], 2, r#""action""#, "there are `settle`, `note`, `expect`");
}

#[test]
fn in_an_expectation() {
    for (expect, part, hint) in [
        (r#"{"leaders":{"1":2}}"#, r#""leaders""#, "did you mean `leader`?"),
        (r#"{"peers":{"1":{"2":{"status":"absent"}}}}"#, r#""status""#, "did you mean `state`?"),
        (r#"{"pd":{"operators":{"1":null,"2":{"step":[]}}}}"#, r#""step":[]"#, "did you mean `steps`?"),
        (r#"{"regions":{"1":{"epoch":{"confver":1}}}}"#, r#""confver""#, "did you mean `conf_ver`?"),
    ] {
        let line = with(CRASH, &format!(r#""expect":{expect}"#));
        unknown(&[&header(), &line], 2, part, hint);
    }
}

/// serde lists the aliases of old traces among what it expects; an error names the current names alone.
#[test]
fn a_mistyped_name() {
    let says = |line: &str| fault(&[&header(), line]).0.to_string();
    let heartbeat = r#"{"record":"step","index":1,"action":{"heartbeat":{"region":1,"leader":1,"follower":2,"reply":"?"}}}"#;
    let replies = "there is no name `?` here; there are `delivered`, `dropped`, `delayed`";
    assert!(says(heartbeat).ends_with(replies), "{}", says(heartbeat));
    let mistyped = heartbeat.replace(r#""?""#, r#""dropt""#);
    assert!(says(&mistyped).ends_with("did you mean `dropped`?"), "{}", says(&mistyped));
    let silent = CRASH.replace("crash", "stores_silent");
    assert!(!says(&silent).contains("store_silent"), "{}", says(&silent));
    let parked = with(CRASH, r#""outcome":{"refused":"already_park"}"#);
    assert!(!says(&parked).contains("already_parked"), "{}", says(&parked));
}

#[test]
fn in_a_verdict() {
    let line = r#"{"record":"verdict","result":"holds","step":1}"#;
    unknown(&[&header(), line], 2, r#""step""#, "there are `result`, `property`, `at`");
}

#[test]
fn nothing_is_expected() {
    for (expect, words) in [
        ("{}", "nothing is expected"),
        (r#"{"heals":false}"#, "nothing is expected"),
        (r#"{"heals":true,"stuck":"disk_lost"}"#, "expect one of the two"),
    ] {
        let line = with(CRASH, &format!(r#""expect":{expect}"#));
        let (error, 2, at) = fault(&[&header(), &line]) else { panic!("line 2") };
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(at, column(&line, &format!("{expect}}}")));
    }
}

#[test]
fn an_outcome_without_its_reason() {
    let line = with(CRASH, r#""outcome":"refused""#);
    let (error, 2, _) = fault(&[&header(), &line]) else { panic!("line 2") };
    assert!(error.to_string().contains(r#"a refusal names its reason: {"refused":"not_leader"}"#), "{error}");
}

#[test]
fn a_settle_where_only_steps_can_be_read() {
    let settle = r#"{"record":"step","settle":{}}"#;
    let (error, 2, at) = fault(&[&header(), settle]) else { panic!("line 2") };
    assert!(matches!(error, TraceError::Settles { .. }), "{error}");
    assert_eq!(at, column(settle, "{}"));
    let settle = r#"{"record":"step","settle":{"except":[7]}}"#;
    assert!(matches!(fault(&[&header(), settle]).0, TraceError::UnknownStore { store: 7, .. }));
}
