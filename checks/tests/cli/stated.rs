//! The statements of a file are compared, and a file that neither states nor checks anything gets a
//! warning.

use crate::{Folder, text_of};

const HEADER: &str = r#"{"record":"header","schema":"rollcall-trace/1","scenario":"x","properties":PROPERTIES,"scope":{"name":"x","stores":[1,2,3],"regions":[{"id":1,"start":"","end":"","epoch":{"conf_ver":1,"version":1},"peers":[{"id":1,"store":1,"role":"voter"},{"id":2,"store":2,"role":"voter"}]}]}}"#;

/// Replays a header and these lines, checks the exit code, and returns the output.
#[track_caller]
fn replayed(properties: &str, lines: &[&str], code: i32) -> String {
    let folder = Folder::new();
    let header = HEADER.replace("PROPERTIES", properties);
    let lines = [&[header.as_str()], lines].concat();
    folder.write("t.jsonl", &lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    let ran = folder.ends(&["replay", "t.jsonl"], code);
    ran.stdout + &ran.stderr
}

fn campaign(more: &str) -> String {
    format!(r#"{{"record":"step","index":1,"action":{{"campaign":{{"region":1,"store":1}}}}{more}}}"#)
}

#[test]
fn nothing_is_stated_and_nothing_judged() {
    let said = replayed("[]", &[&campaign("")], 0);
    assert!(said.contains("it has no `expect`, `outcome` or `properties`"), "{said}");
    let said = replayed(r#"["election_safety"]"#, &[&campaign("")], 0);
    assert!(!said.contains("it has no `expect`"), "{said}");
    let said = replayed("[]", &[&campaign(r#","expect":{"leader":{"1":null}}"#)], 0);
    assert!(!said.contains("it has no `expect`"), "{said}");
}

/// Without a list of properties, all are checked.
#[test]
fn a_file_without_properties_is_judged_by_all() {
    let folder = Folder::new();
    let header = HEADER.replace(r#""properties":PROPERTIES,"#, "");
    folder.write("t.jsonl", &format!("{header}\n{}\n", campaign("")));
    let said = folder.ends(&["replay", "t.jsonl"], 0).stdout;
    assert!(!said.contains("it has no `expect`"), "{said}");
    let shown = folder.ends(&["show", "t.jsonl"], 0).stdout;
    assert!(shown.contains("judged by every property\n") && shown.contains("verdict: holds"), "{shown}");
    // By the rules without a guard, the file shows what breaks.
    let museum = text_of("museum/seed-003-tombstone-by-hand.jsonl");
    let (header, steps) = museum.split_once('\n').expect("a header and steps");
    let mut header: serde_json::Value = serde_json::from_str(header).expect("JSON");
    header.as_object_mut().and_then(|header| header.remove("properties")).expect("it names some");
    folder.write("u.jsonl", &format!("{header}\n{steps}"));
    let said = folder.ends(&["show", "u.jsonl"], 0).stdout;
    assert!(said.contains("VIOLATED: tombstone_store_empty"), "{said}");
}

#[test]
fn a_violation_that_is_none() {
    for (properties, violated) in [(r#"["election_safety"]"#, "step 1"), ("[]", "step 1")] {
        let step = campaign(r#","violated":["election_safety"]"#);
        let said = replayed(properties, &[&step], 1);
        let states = format!("it states that election_safety is violated at {violated}, but it holds there");
        assert!(said.contains(&states), "{said}");
    }
    let verdict = r#"{"record":"verdict","result":"violated","property":"election_safety","at":1}"#;
    let said = replayed("[]", &[&campaign(""), verdict], 1);
    assert!(
        said.contains("its verdict is that election_safety is violated at step 1, but it holds there"),
        "{said}"
    );
    let holds = r#"{"record":"verdict","result":"holds"}"#;
    replayed(r#"["election_safety"]"#, &[&campaign(""), holds], 0);
}

#[test]
fn an_expectation_that_is_misspelt_or_has_another_shape() {
    let said = replayed("[]", &[&campaign(r#","expects":{"leader":{"1":2}}"#)], 2);
    assert!(
        said.contains("t.jsonl:2:73: there is no field `expects` here; did you mean `expect`?"),
        "{said}"
    );
    let said = replayed("[]", &[&campaign(r#","expect":{"peers":{"1":[1]}}"#)], 2);
    assert!(said.contains("t.jsonl:2:") && said.contains("invalid type: sequence, expected a map"), "{said}");
    let said = replayed("[]", &[&campaign(r#","outcome":"refused""#)], 2);
    assert!(said.contains("a refusal names its reason"), "{said}");
}

#[test]
fn a_settling_is_written_out() {
    let folder = Folder::new();
    let header = HEADER.replace("PROPERTIES", "[]");
    let vote =
        r#"{"record":"step","action":{"vote":{"region":1,"candidate":1,"voter":2,"reply":"delivered"}}}"#;
    let settle =
        r#"{"record":"step","settle":{},"note":"plumbing","expect":{"leader":{"1":1},"heals":true}}"#;
    folder.write("t.jsonl", &format!("{header}\n{}\n{vote}\n{settle}\n", campaign("")));
    let said = folder.ends(&["replay", "t.jsonl", "--out", "o.jsonl"], 0).stdout;
    assert!(said.contains("2 expectations met"), "{said}");
    let written = std::fs::read_to_string(folder.path().join("o.jsonl")).expect("it was written");
    assert!(!written.contains("settle") && written.contains("plumbing"), "{written}");
    assert!(written.lines().count() > 5, "{written}");
    let again = folder.ends(&["replay", "o.jsonl"], 0).stdout;
    assert!(again.contains("2 expectations met"), "{again}");
    folder.ends(&["show", "t.jsonl"], 0);
}

/// An exhibit whose verdict is a goal: the store without the guard misses it, too.
#[test]
fn a_goal_that_is_missed_once_faults_stop() {
    let museum = crate::scenarios().join("../museum");
    for (guard, goal) in
        [("transfer_times_out", "transfer_ends"), ("step_down_on_higher_term", "leader_electable")]
    {
        let exhibit = museum.join(format!("{guard}.jsonl")).display().to_string();
        let said = Folder::new().ends(&["replay", &exhibit, "--without", guard], 1).stdout;
        assert!(said.contains(&format!("once faults stop: {goal}: ")), "{said}");
        assert!(!said.contains("its verdict is"), "{said}");
    }
}
