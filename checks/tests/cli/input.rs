//! Standard input, and the limits of what is read.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::{Folder, scenario, text_of};

/// Runs the program with `input` on standard input.
fn fed(folder: &Folder, arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut command = folder.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // The program may end before it has read everything.
    let _ = child.stdin.take().expect("piped").write_all(input);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn standard_input_is_a_file() {
    let (folder, text) = (Folder::new(), text_of("transfer-leader.jsonl"));
    for name in ["-", "/dev/stdin"] {
        let (code, said, error) = fed(&folder, &["replay", name], text.as_bytes());
        assert_eq!(code, Some(0), "{said}{error}");
        assert!(said.starts_with(&format!("{name}: the implementation agrees: ")), "{said}");
    }
    let (code, shown, _) = fed(&folder, &["show", "-"], text.as_bytes());
    assert_eq!(
        (code, shown),
        (Some(0), folder.ends(&["show", &scenario("transfer-leader.jsonl")], 0).stdout)
    );
    let misspelt = text.replacen("election_safety", "election_safty", 1);
    let (code, _, error) = fed(&folder, &["replay", "-"], misspelt.as_bytes());
    assert_eq!(code, Some(2));
    assert!(error.starts_with("rollcall: standard input:1:") && error.contains("election_safety"), "{error}");
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let folder = Folder::new();
    folder.write("t.jsonl", &format!("\u{feff}{}", text_of("transfer-leader.jsonl")));
    folder.ends(&["replay", "t.jsonl"], 0);
    folder.ends(&["record", "--seed", "3", "--events", "50", "--out", "run.jsonl"], 0);
    let run = std::fs::read_to_string(folder.path().join("run.jsonl")).expect("it was written");
    folder.write("run.jsonl", &format!("\u{feff}{run}"));
    folder.ends(&["accept", "run.jsonl"], 0);
}

#[test]
fn a_repetition_that_never_ends_is_reported() {
    let folder = Folder::new();
    for command in ["replay", "show", "heal", "check", "accept"] {
        let ran = folder.ends(&[command, "/dev/zero"], 2);
        let says = "rollcall: /dev/zero:1:1: the line is longer than 16777216 bytes, the most that is read";
        assert!(ran.stderr.starts_with(says), "{}", ran.stderr);
    }
}

/// A closed pipe or a full disk ends no run with a panic.
#[test]
fn a_closed_or_full_output_is_no_panic() {
    let folder = Folder::new();
    let file = scenario("transfer-leader.jsonl");
    let violated = ["check", "old_term_entries_smoke", "--without", "commit_own_term"];
    let cases: [(&[&str], i32, i32); 5] = [
        (&["verify", "--size", "smoke", "--scope", "two_voters"], 0, 2),
        (&violated, 1, 1),
        (&["replay", &file], 0, 2),
        (&["scopes"], 0, 2),
        (&["museum", "transfer_times_out"], 0, 2),
    ];
    for (arguments, closed, full) in cases {
        // A pipe whose reading end is closed.
        let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().expect("`true` is there");
        let pipe = reader.stdin.take().expect("piped");
        reader.wait().expect("it ends at once");
        let again = std::os::fd::AsFd::as_fd(&pipe).try_clone_to_owned().expect("one more");
        let ran = folder.command(arguments).stdout(pipe).stderr(again).status().expect("it starts");
        assert_eq!(ran.code(), Some(closed), "{arguments:?} into a closed pipe");

        let device = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
        let output = folder.command(arguments).stdout(device()).output().expect("it starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(full), "{arguments:?} onto a full disk: {error}");
        assert!(error.contains("No space left on device") && !error.contains("panicked"), "{error}");
        let ran = folder.command(arguments).stdout(device()).stderr(device()).status().expect("it starts");
        assert_eq!(ran.code(), Some(full), "{arguments:?}, both");
    }
}
