//! Bad input: exit code 2, one clear line that names the place, and no file left behind.

use crate::{Folder, scenario, text_of};

/// Runs the program in `folder`. Standard error must be one line that begins with `begins` and
/// contains `says`, and no file may appear.
#[track_caller]
fn refused(folder: &Folder, arguments: &[&str], begins: &str, says: &str) {
    let before = folder.files();
    let ran = folder.ends(arguments, 2);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "one line: {:?}", ran.stderr);
    let line = lines[0].strip_prefix("rollcall: ").expect("it says who speaks");
    assert!(line.starts_with(begins), "`{line}` does not begin with `{begins}`");
    assert!(line.contains(says), "`{line}` does not say `{says}`");
    assert_eq!(ran.stdout, "", "nothing is claimed of bad input");
    assert_eq!(folder.files(), before, "nothing is left behind");
}

/// The same for a file, with every command that reads one.
#[track_caller]
fn refused_file(text: &str, place: &str, says: &str) {
    let folder = Folder::new();
    folder.write("t.jsonl", text);
    let begins = format!("t.jsonl{place}");
    for arguments in [&["replay", "t.jsonl"][..], &["replay", "t.jsonl", "--out", "o.jsonl"]] {
        refused(&folder, arguments, &begins, says);
    }
    for arguments in [&["show", "t.jsonl"][..], &["show", "t.jsonl", "--html", "--out", "o.html"]] {
        refused(&folder, arguments, &begins, says);
    }
}

/// The scenario with line `number` (from 1) replaced.
fn with_line(number: usize, line: &str) -> String {
    let text = text_of("transfer-leader.jsonl");
    let lines = text.lines().zip(1..).map(|(old, at)| if at == number { line } else { old });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Every command that needs the model names the limit; none panics or shortens the scope.
#[test]
fn more_stores_than_the_model_holds() {
    let folder = Folder::new();
    let file = |stores: std::ops::RangeInclusive<u64>| {
        let stores: Vec<u64> = stores.collect();
        format!(
            "{{\"record\":\"header\",\"schema\":\"rollcall-trace/1\",\"scenario\":\"x\",\
             \"scope\":{{\"name\":\"x\",\"stores\":{stores:?},\"regions\":[{{\"id\":1,\"start\":\"\",\
             \"end\":\"\",\"epoch\":{{\"conf_ver\":1,\"version\":1}},\
             \"peers\":[{{\"id\":1,\"store\":1,\"role\":\"voter\"}}]}}]}}}}\n\
             {{\"record\":\"step\",\"index\":1,\"action\":{{\"campaign\":{{\"region\":1,\"store\":1}}}}}}\n"
        )
    };
    folder.write("nine.jsonl", &file(1..=9));
    for command in ["check", "heal", "verify", "replay"] {
        let says = "it has 9 stores, and a scope may have no more than 8";
        refused(&folder, &[command, "nine.jsonl"], "nine.jsonl: ", says);
    }
    folder.write("eight.jsonl", &file(1..=8));
    folder.ends(&["replay", "eight.jsonl"], 0);
}

#[test]
fn a_trace_that_is_cut_short() {
    let text = text_of("transfer-leader.jsonl");
    let end = text.match_indices("\"voter\":2").next().expect("it votes").0;
    refused_file(&text[..end], ":4:", "cut short: the last line is not complete");
}

#[test]
fn a_recorded_trace_without_its_verdict() {
    let folder = Folder::new();
    folder.ends(&["replay", &scenario("transfer-leader.jsonl"), "--out", "whole.jsonl"], 0);
    let whole = std::fs::read_to_string(folder.path().join("whole.jsonl")).expect("it was written");
    let lines = whole.lines().count();
    let without: String = whole.lines().take(lines - 1).map(|line| format!("{line}\n")).collect();
    refused_file(&without, &format!(":{lines}:1: cut short"), "none follows step");
}

#[test]
fn a_trace_that_is_not_json() {
    refused_file(&with_line(3, "{\"record\" \"step\"}"), ":3:11: not JSON", "expected `:`");
    refused_file("hello\n", ":1:1: not JSON", "");
    refused_file("", ":1:1: the file is empty", "begins with a header");
}

#[test]
fn a_trace_of_another_major_version() {
    let text = text_of("transfer-leader.jsonl").replacen("rollcall-trace/1", "rollcall-trace/2", 1);
    refused_file(&text, ":1:", "schema is `rollcall-trace/2`, and this reads `rollcall-trace/1`");
}

#[test]
fn a_trace_that_names_an_unknown_store() {
    let line = r#"{"record":"step","index":2,"action":{"crash":{"store":9}}}"#;
    refused_file(&with_line(3, line), ":3:37: store 9", "not among the scope's stores [1, 2, 3, 4, 5]");
}

/// `replay` reports this as a finding and writes the steps up to there. Other commands refuse the
/// file.
#[test]
fn a_trace_whose_action_cannot_be_taken() {
    let folder = Folder::new();
    let line = r#"{"record":"step","index":2,"action":{"restart":{"store":4}}}"#;
    folder.write("t.jsonl", &with_line(3, line));
    let says = "t.jsonl:3:37: step 2: `Restart store 4` cannot be taken: store_up";
    let ran = folder.ends(&["replay", "t.jsonl", "--out", "o.jsonl"], 1);
    assert!(ran.stdout.starts_with(says), "{}", ran.stdout);
    let written = std::fs::read_to_string(folder.path().join("o.jsonl")).expect("it was written");
    assert_eq!(written.matches("\"record\":\"step\"").count(), 2);
    assert!(written.contains(r#""outcome":{"refused":"store_up"}"#), "{written}");
    for command in ["show", "check", "verify"] {
        refused(&folder, &[command, "t.jsonl"], says, "");
    }
    assert!(folder.ends(&["heal", "t.jsonl"], 1).stdout.starts_with(says));
}

#[test]
fn a_trace_without_steps_or_out_of_order() {
    let text = text_of("transfer-leader.jsonl");
    let header = text.lines().next().expect("a header");
    refused_file(header, ": it has no steps", "shows nothing");
    let third = text.lines().nth(3).expect("a third step");
    refused_file(&format!("{header}\n{third}\n"), ":2:26: step 3", "where step 1 belongs");
}

#[test]
fn a_trace_with_unknown_names() {
    let text = text_of("transfer-leader.jsonl");
    let guard = text.replacen("\"without\":[]", "\"without\":[\"snapshot_onc\"]", 1);
    refused_file(&guard, ":1:", "unknown guard `snapshot_onc`; did you mean `snapshot_once`?");
    let property = text.replacen("\"election_safety\"", "\"election_safty\"", 1);
    refused_file(&property, ":1:", "unknown property `election_safty`; did you mean `election_safety`?");
}

#[test]
fn a_scope_that_cannot_be_begun() {
    let text = text_of("transfer-leader.jsonl");
    let zero = text.replacen(r#"{"id":1,"store":1,"#, r#"{"id":0,"store":1,"#, 1);
    refused_file(&zero, ":1:", "region 1: an id is 0, and ids begin at 1");
    let stores = text.replacen("\"stores\":[1,", "\"stores\":[9,8,7,11,12,13,14,15,16,17,1,", 1);
    refused_file(&stores, ": scope", "a scope may have no more than 8");
    let setup =
        text.replacen("\"rounds\"", "\"setup\":[{\"apply\":{\"region\":1,\"store\":1}}],\"rounds\"", 1);
    refused_file(&setup, ": scope", "step 1 of its setup is refused");
}

#[test]
fn a_peer_id_that_raft_does_not_have() {
    let text = text_of("transfer-leader.jsonl");
    let change = r#"{"propose":{"region":1,"store":5,"command":{"change_peer":{"kind":"add_voter","peer":0,"store":5}}}}"#;
    let line = format!(r#"{{"record":"step","index":2,"action":{change}}}"#);
    let lines: Vec<&str> = text.lines().collect();
    refused_file(&[lines[0], lines[1], &line].join("\n"), ":3:37: ", "a peer id is 0");
}

#[test]
fn unknown_names_on_the_command_line() {
    let folder = Folder::new();
    let scope = "unknown scope `old_term_entry`; did you mean `old_term_entries`?";
    refused(&folder, &["check", "old_term_entry"], scope, "`rollcall scopes` lists them all");
    let size = ["verify", "--size", "smoke", "--scope", "tow_voters_to_one"];
    refused(
        &folder,
        &size,
        "unknown smoke scope `tow_voters_to_one`; did you mean `two_voters_to_one_smoke`?",
        "",
    );
    let family = ["verify", "--family", "split", "--size", "smoke", "--scope", "two_voters"];
    refused(&folder, &family, "unknown smoke scope of split `two_voters`; ", "lists them all");
    let guard = "unknown guard `commit_own_terms`; did you mean `commit_own_term`?";
    refused(
        &folder,
        &["check", "old_term_entries", "--without", "commit_own_terms"],
        guard,
        "rollcall guards",
    );
    let replay = ["replay", &scenario("transfer-leader.jsonl"), "--without", "commit_own_terms"];
    refused(&folder, &replay, guard, "rollcall guards");
    let property = "unknown property `no_lost_writes`; did you mean `no_lost_write`?";
    let check = ["check", "old_term_entries", "--property", "no_lost_writes"];
    refused(&folder, &check, property, "rollcall properties");
    refused(&folder, &["check", "#"], "unknown scope `#`; `rollcall scopes` lists them all", "");
}

#[test]
fn a_scope_instead_of_a_file_and_an_empty_explain() {
    let folder = Folder::new();
    for command in ["heal", "replay"] {
        let begins =
            "two_voters_to_one_smoke is a scope, not a file; `rollcall check two_voters_to_one_smoke`";
        refused(&folder, &[command, "two_voters_to_one_smoke"], begins, "heals every state");
    }
    refused(&folder, &["explain", " "], "explain what?", "paste a message");
    // A step that cannot be taken stops `show`.
    let file = scenario("transfer-leader.jsonl");
    let checked = folder.ends(&["check", &file], 0).stdout;
    assert!(
        checked.contains("no action is possible after the steps: only their end was checked"),
        "{checked}"
    );
    let verified = folder.ends(&["verify", &file], 1).stdout;
    assert!(verified.contains("no action is possible in it, so nothing was shown"), "{verified}");
    let exhibit = scenario("../museum/snapshot_once.jsonl");
    let checked = folder.ends(&["check", &exhibit], 1).stdout;
    assert!(checked.contains("is violated after 10 steps, before anything was explored"), "{checked}");
    assert_eq!(folder.files(), Vec::<String>::new(), "the exhibit is its own trace");
}

#[test]
fn a_guard_below_the_models_grain() {
    let below = rollcall_impl::Guard::ALL.iter().find(|guard| guard.is_implementation_only());
    let name = below.expect("there is one").name();
    let begins = format!("guard `{name}` has no form in the model");
    refused(
        &Folder::new(),
        &["check", "old_term_entries", "--without", name],
        &begins,
        "only the implementation",
    );
}

#[test]
fn a_missing_file_and_a_folder_without_traces() {
    let folder = Folder::new();
    refused(&folder, &["replay", "nowhere.jsonl"], "nowhere.jsonl:1:1: cannot be read", "No such file");
    refused(&folder, &["show", "nowhere.jsonl"], "nowhere.jsonl:1:1: cannot be read", "No such file");
    folder.write("notes.txt", "no trace");
    refused(&folder, &["replay", "."], ".: no trace in this folder", ".jsonl");
    refused(&folder, &["show", "."], ".:1:1: cannot be read", "directory");
}

#[test]
fn an_unwritable_target() {
    let folder = Folder::new();
    let file = scenario("transfer-leader.jsonl");
    let out = "nowhere/o.jsonl";
    let says = "No such file or directory (os error 2); nothing was left behind";
    // The finding is printed before the error.
    let ran = |arguments: &[&str], code, begins: &str, says: &str| {
        let before = folder.files();
        let ran = folder.ends(arguments, code);
        let error = ran.stderr.strip_prefix("rollcall: ").expect("it says who speaks");
        assert!(error.starts_with(begins) && error.contains(says), "{error}");
        assert_eq!(folder.files(), before, "nothing is left behind");
        ran.stdout
    };
    let agrees = ran(&["replay", &file, "--out", out], 2, "nowhere/o.jsonl: cannot be written: ", says);
    assert!(agrees.contains(": the implementation agrees: "), "{agrees}");
    // A folder cannot be a target either, and stays unchanged.
    std::fs::create_dir(folder.path().join("taken")).expect("a folder");
    ran(&["replay", &file, "--out", "taken"], 2, "taken: cannot be written", "is a directory");
    for form in ["--mermaid", "--html"] {
        let arguments = ["show", &file, form, "--out", "nowhere/o.txt"];
        refused(&folder, &arguments, "nowhere/o.txt: cannot be written", "No such file");
        let arguments = ["show", &file, form, "--out", "taken"];
        refused(&folder, &arguments, "taken: cannot be written", "irectory");
    }
    let without = ["check", "old_term_entries_smoke", "--without", "commit_own_term"];
    let stands = "the finding stands, but it was not written: nowhere/o.jsonl: cannot be written";
    let found = ran(&[&without[..], &["--out", out]].concat(), 1, stands, says);
    assert!(found.contains("is violated after") && found.ends_with(": violated\n"), "{found}");
    let found = ran(&[&without[..], &["--json", "--out", out]].concat(), 1, stands, says);
    assert!(found.contains(r#""verdict":"violated""#) && found.contains(r#""trace":null"#), "{found}");
    let folder_of_traces = crate::scenarios().display().to_string();
    refused(&folder, &["replay", &folder_of_traces, "--out", "o.jsonl"], "--out takes one file", "");
}

#[test]
fn runs_that_cannot_be_recorded_or_judged() {
    let folder = Folder::new();
    let says = "No such file or directory (os error 2); nothing was left behind";
    let ran = folder.ends(&["record", "--events", "50", "--out", "nowhere/r.jsonl"], 2);
    assert!(
        ran.stderr.contains("nowhere/r.jsonl: cannot be written") && ran.stderr.contains(says),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("seed 1: "), "the result is printed: {}", ran.stdout);
    let unknown = ["record", "--scenario", "conf-chang", "--out", "r.jsonl"];
    refused(&folder, &unknown, "unknown scenario `conf-chang`; did you mean `conf-change", "");
    refused(&folder, &["accept", "nowhere.jsonl"], "nowhere.jsonl:1:1: cannot be read", "No such file");

    folder.ends(&["record", "--seed", "3", "--events", "200", "--out", "run.jsonl"], 0);
    let run = std::fs::read_to_string(folder.path().join("run.jsonl")).expect("it was written");
    folder.write("cut.jsonl", &run[..run.len() / 2]);
    refused(&folder, &["accept", "cut.jsonl"], "cut.jsonl:", "cut short");
    // A recorded run is no trace, and a trace is no recorded run.
    refused(&folder, &["replay", "run.jsonl"], "run.jsonl:1:", "this reads `rollcall-trace/1`");
    folder.write("trace.jsonl", &text_of("transfer-leader.jsonl"));
    refused(&folder, &["accept", "trace.jsonl"], "trace.jsonl:1:", "schema is `rollcall-trace/1`");
}

#[test]
fn a_museum_without_that_piece_or_without_a_place() {
    let folder = Folder::new();
    let says = "did you mean `snapshot_once`?";
    refused(&folder, &["museum", "snapshot_onc"], "unknown guard `snapshot_onc`", says);
    folder.write("taken", "a file");
    let begins = "taken: the traces are written into a folder";
    refused(&folder, &["museum", "snapshot_once", "--out", "taken"], begins, "File exists");
    folder.ends(&["museum", "transfer_times_out", "--out", "made/for/it"], 0);
    assert!(folder.path().join("made/for/it/transfer_times_out.jsonl").is_file());
    refused(&folder, &["museum", "--matrix", "snapshot_onc"], "unknown guard `snapshot_onc`", says);
    folder.ends(&["museum", "--matrix", "--out", "."], 2);
}

#[test]
fn an_unknown_command_ends_with_2() {
    let folder = Folder::new();
    for arguments in [&["verfy"][..], &["verify", "--size", "huge"], &["verify", "--family", "splits"], &[]] {
        let ran = folder.ends(arguments, 2);
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty());
    }
}

#[test]
fn a_bound_that_is_too_small_for_healing() {
    let folder = Folder::new();
    let ran = folder.ends(&["verify", "--size", "smoke", "--scope", "two_voters", "--heal-bound", "3"], 2);
    let line = ran.stderr.lines().last().expect("it says why");
    let begins = "rollcall: scope `two_voters_to_one_smoke`: healing from state ";
    assert!(line.starts_with(begins), "{line}");
    assert!(line.contains(" actions, and 3 are allowed; ") && line.contains("--heal-bound"), "{line}");
    assert_eq!((ran.stdout.as_str(), folder.files().len()), ("", 0));
}
