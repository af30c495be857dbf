//! Runs that end early: killed or out of memory, and then resumed.

use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::{Folder, Ran};

/// The fields of a JSON line that do not depend on time, memory or the order of threads.
pub(crate) fn figures(line: &str) -> Vec<(String, serde_json::Value)> {
    let report: serde_json::Map<_, _> = serde_json::from_str(line).expect("one JSON object");
    let kept = |(name, _): &(String, serde_json::Value)| {
        !name.ends_with("_seconds")
            && !["resumed_states", "refusals_checked", "peak_bytes", "peak_resident_bytes"]
                .contains(&name.as_str())
    };
    report.into_iter().filter(kept).collect()
}

pub(crate) fn resumed(line: &str) -> Option<u64> {
    let report: serde_json::Value = serde_json::from_str(line).expect("one JSON object");
    report["resumed_states"].as_u64()
}

const CHECK: &[&str] = &["check", "split_and_crash", "--json"];

fn check(more: &[&'static str]) -> Vec<&'static str> {
    [CHECK, more].concat()
}

#[test]
fn a_killed_run_resumes_to_the_same_counts() {
    killed_and_resumed(&[], &[], &[]);
}

/// Its journal does not depend on the number of workers. The ordered explorer continues as well.
#[test]
fn a_killed_run_in_shards_resumes_with_other_workers() {
    killed_and_resumed(&["--workers", "2"], &["--workers", "3"], &["--workers", "1"]);
    killed_and_resumed(&["--workers", "2"], &["--workers", "1"], &[]);
}

/// A run that is killed, resumed so, killed again, and resumed so to its end.
fn killed_and_resumed(first: &[&'static str], second: &[&'static str], last: &[&'static str]) {
    let folder = Folder::new();
    let uninterrupted = folder.ends(CHECK, 0).stdout;
    let journal = folder.path().join("killed.journal");
    let lasting = |more: &[&'static str]| {
        [&check(&["--resume", "killed.journal", "--checkpoint-every", "500"]), more].concat()
    };
    // The second run resumes from a journal and is killed again.
    for (bytes, who) in [(60_000, first), (400_000, second)] {
        let mut killed = folder.command(&lasting(who));
        let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        while std::fs::metadata(&journal).map_or(0, |journal| journal.len()) < bytes {
            assert_eq!(
                killed.try_wait().expect("its status"),
                None,
                "it ended before its journal had {bytes} bytes"
            );
            std::thread::yield_now();
        }
        killed.kill().expect("it can be killed");
        assert!(!killed.wait().expect("its status").success());
        let mut begin = [0; 19];
        let mut file = std::fs::File::open(&journal).expect("the journal is left");
        file.read_exact(&mut begin).expect("it has a beginning");
        assert_eq!(&begin, b"rollcall-journal/1\n");
    }
    let ran = folder.ends(&lasting(last), 0);
    assert_eq!(figures(&ran.stdout), figures(&uninterrupted));
    let from = resumed(&ran.stdout).expect("it went on");
    // Shards resume from a whole level, and the one that holds the last of 400,000 bytes begins at 3,287.
    assert!(from >= 3_287, "it went on from {from} states");
    assert!(!journal.exists(), "nothing is left to go on with");
}

#[test]
fn out_of_memory_it_reports_its_coverage_and_resumes_with_more() {
    let folder = Folder::new();
    let verify = ["verify", "--size", "smoke", "--scope", "two_voters_to_one", "--json"];
    let uninterrupted = folder.ends(&verify, 0).stdout;
    assert_eq!((folder.files(), resumed(&uninterrupted)), (vec![], None));
    let little = [&verify[..], &["--resume", "journals", "--memory", "1MiB"]].concat();
    let ran = folder.ends(&little, 3);
    for words in ["holds more than 1048576 bytes", "distinct states are not expanded", "--resume journals"] {
        assert!(ran.stderr.contains(words), "`{words}` is not said: {}", ran.stderr);
    }
    assert!(ran.stdout.contains("\"exhausted\":false"));
    let ran = folder.ends(&[&verify[..], &["--resume", "journals"]].concat(), 0);
    assert_eq!(figures(&ran.stdout), figures(&uninterrupted));
    assert!(resumed(&ran.stdout).is_some_and(|states| states > 0));
    assert_eq!(std::fs::read_dir(folder.path().join("journals")).expect("the folder stays").count(), 0);
}

#[test]
fn a_journal_that_cannot_be_gone_on_with_is_left_alone() {
    let folder = Folder::new();
    let refused = |arguments: &[&str], says: &str| {
        let before = std::fs::read(folder.path().join("x.journal")).expect("the file");
        let ran = folder.ends(arguments, 2);
        assert!(
            ran.stderr.starts_with("rollcall: x.journal: ") && ran.stderr.lines().count() == 1,
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains(says), "`{says}` is not said: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
        assert_eq!(std::fs::read(folder.path().join("x.journal")).expect("the file"), before);
    };
    folder.write("x.journal", "a shopping list");
    refused(&check(&["--resume", "x.journal"]), "not a journal");
    folder.write("x.journal", "rollcall-journal/7\n");
    refused(&check(&["--resume", "x.journal"]), "another version");
    std::fs::remove_file(folder.path().join("x.journal")).expect("it was there");
    folder.ends(&check(&["--resume", "x.journal", "--memory", "1MiB"]), 3);
    refused(&["check", "old_term_leader", "--resume", "x.journal"], "its scope is split_and_crash");
    refused(&["verify", "--scope", "split_and_crash", "--resume", "x.journal"], "`check` began it");
    refused(&["verify", "--size", "smoke", "--resume", "x.journal"], "select one with `--scope`");
    // The ordered explorer was interrupted within a level.
    let ran = folder.ends(&check(&["--resume", "x.journal", "--workers", "2"]), 2);
    assert!(
        ran.stderr.contains("only the ordered search continues; leave out `--workers`"),
        "{}",
        ran.stderr
    );
    let mut bytes = std::fs::read(folder.path().join("x.journal")).expect("the journal");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(folder.path().join("x.journal"), bytes).expect("it is written");
    refused(&check(&["--resume", "x.journal"]), "damaged at byte");
}

/// Runs the program with a limit on the length of files, in blocks of 512 bytes. Writing more fails
/// as on a full disk, and the test needs no root rights.
pub(crate) fn command_on_a_small_disk(folder: &Folder, blocks: u32, arguments: &[&str]) -> Command {
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_rollcall")]).args(arguments);
    command.current_dir(folder.path()).stdin(Stdio::null());
    command
}

fn on_a_small_disk(folder: &Folder, blocks: u32, arguments: &[&str]) -> Ran {
    let output = command_on_a_small_disk(folder, blocks, arguments).output().expect("there is a shell");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// It prints how much the journal holds, which is less than what was explored. The next run
/// continues from exactly that.
#[test]
fn on_a_full_disk_it_reports_how_much_can_be_resumed() {
    on_a_full_disk(&[]);
    on_a_full_disk(&["--workers", "2"]);
}

fn on_a_full_disk(who: &[&'static str]) {
    let folder = Folder::new();
    let lasting = [&check(&["--resume", "x.journal", "--checkpoint-every", "500"]), who].concat();
    let ran = on_a_small_disk(&folder, 400, &lasting);
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.stdout, ran.stderr);
    let between = |from: &str, to: &str| {
        let (_, behind) = ran.stderr.split_once(from).unwrap_or_else(|| panic!("`{from}`: {}", ran.stderr));
        let (number, _) = behind.split_once(to).unwrap_or_else(|| panic!("`{to}`: {}", ran.stderr));
        number.parse::<u64>().unwrap_or_else(|error| panic!("{number}: {error}"))
    };
    assert!(ran.stderr.contains("a checkpoint could not be written: "), "{}", ran.stderr);
    let kept = between("the journal holds ", " of these states to go on from");
    let explored =
        serde_json::from_str::<serde_json::Value>(&ran.stdout).expect("one JSON object")["distinct_states"]
            .as_u64();
    assert!(kept > 0 && explored.is_some_and(|explored| kept < explored), "{kept} of {explored:?}");
    assert!(ran.stderr.contains("`--resume x.journal` continues from there"), "{}", ran.stderr);
    let on = folder.ends(&lasting, 0);
    assert_eq!(resumed(&on.stdout), Some(kept));
    assert_eq!(figures(&on.stdout), figures(&folder.ends(CHECK, 0).stdout));
    assert_eq!(folder.files(), Vec::<String>::new());
}

/// A deep run creates the folder for its journals, and removes it if it stays empty.
#[test]
fn no_empty_folder_of_journals_is_left_behind() {
    let folder = Folder::new();
    let deep = ["verify", "--size", "deep", "--scope", "split_and_merged_back"];
    let ran = on_a_small_disk(&folder, 0, &deep);
    assert_eq!(ran.code, Some(2), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("rollcall-journals/split_and_merged_back"), "{}", ran.stderr);
    assert_eq!(folder.files(), Vec::<String>::new(), "{}", ran.stderr);
}

/// If a scope cannot begin, the results of the scopes before it are still printed.
#[test]
fn findings_before_a_failed_journal_are_printed() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("journals")).expect("a folder");
    folder.write("journals/demoted_while_it_needs_a_snapshot_smoke.journal", "a shopping list");
    let scopes = ["verify", "--family", "conf-change", "--size", "smoke", "--scope", "needs_a_snapshot"];
    let ran = folder.ends(&[&scopes[..], &["--resume", "journals"]].concat(), 3);
    assert!(ran.stdout.contains("promoted_while_it_needs_a_snapshot_smoke"), "{}", ran.stdout);
    assert!(ran.stderr.contains("not a journal"), "{}", ran.stderr);
    assert!(ran.stderr.contains("not conclusive: 1 of 3 scopes were finished"), "{}", ran.stderr);
}
