//! One search over several processes that keep a journal each: killed, on a full disk, and resumed.

use std::process::Child;
use std::thread;

use crate::Folder;
use crate::hosts::{all_of, folder, said, start};
use crate::lasting::{command_on_a_small_disk, figures, resumed};

const CHECK: [&str; 5] = ["check", "split_and_crash", "--hosts", "hosts", "--json"];

fn check<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&CHECK[..], more].concat()
}

/// What one process finds, without healing.
fn uninterrupted(folder: &Folder) -> Vec<(String, serde_json::Value)> {
    figures(&folder.ends(&["check", "split_and_crash", "--no-heal", "--json"], 0).stdout)
}

/// Waits until the journal has so many bytes.
fn grown(folder: &Folder, journal: &str, bytes: u64, writer: &mut Child) {
    let path = folder.path().join(journal);
    while std::fs::metadata(&path).map_or(0, |journal| journal.len()) < bytes {
        let status = writer.try_wait().expect("its status");
        assert_eq!(status, None, "it ended before {journal} had {bytes} bytes");
        thread::yield_now();
    }
}

/// Both with these workers, until the journal of process 1 has so many bytes and it is killed. The other
/// ends by itself.
fn killed(folder: &Folder, hosts: &[String], workers: &str, bytes: u64) {
    let start = |process: &str| {
        let journal = format!("{process}.journal");
        start(folder.command(&check(&["--workers", workers, "--process", process, "--resume", &journal])))
    };
    let (zero, mut one) = (start("0"), start("1"));
    grown(folder, "1.journal", bytes, &mut one);
    one.kill().expect("it can be killed");
    assert!(!one.wait().expect("its status").success());
    let (code, stdout, stderr) = said(zero.wait_with_output().expect("it ends"));
    let line = format!(
        "rollcall: not conclusive: process 1 ({}) has ended in the middle of the search; the same command in every process continues from the journals\n",
        hosts[1]
    );
    assert_eq!((code, stderr), (Some(3), line));
    assert!(stdout.contains("\"verdict\":\"not conclusive\""), "{stdout}");
}

/// Both to the end, or to what they say.
fn both(folder: &Folder, workers: &str) -> Vec<(Option<i32>, String, String)> {
    let all = ["0.journal", "1.journal"].map(|journal| check(&["--workers", workers, "--resume", journal]));
    all_of(folder, &[&all[0], &all[1]])
}

fn end_as_one_does(folder: &Folder, workers: &str) {
    let whole = uninterrupted(folder);
    let mut began = 0;
    for (code, stdout, stderr) in both(folder, workers) {
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(figures(&stdout), whole);
        began += resumed(&stdout).expect("it keeps a journal");
    }
    assert!(began > 100, "they went on from {began} states");
    assert_eq!(folder.files(), ["hosts"], "nothing is left to go on with");
}

#[test]
fn a_killed_process_ends_the_other_and_both_resume() {
    let (folder, hosts) = folder(2);
    killed(&folder, &hosts, "1", 60_000);
    killed(&folder, &hosts, "1", 250_000);
    end_as_one_does(&folder, "1");
}

#[test]
fn what_does_not_belong_together_is_refused_and_left_alone() {
    let (folder, hosts) = folder(2);
    killed(&folder, &hosts, "2", 100_000);
    let read = |journal: &str| std::fs::read(folder.path().join(journal)).expect("a journal");
    let before = ["0.journal", "1.journal"].map(read);
    for (arguments, says) in [
        (
            check(&["--workers", "1", "--process", "0"]),
            "process 0 of 2 with 1 worker each; name another file",
        ),
        (
            check(&["--workers", "2", "--process", "1"]),
            "process 1 of 2 with 2 workers each; name another file",
        ),
        (vec!["check", "split_and_crash", "--workers", "2"], "a process alone; name another file"),
        (vec!["check", "split_and_crash"], "a process alone; name another file"),
    ] {
        let ran = folder.ends(&[&arguments[..], &["--resume", "0.journal"]].concat(), 2);
        let begin = "rollcall: 0.journal: the journal belongs to another exploration: it was written by \
                     process 0 of 2 with 2 workers each, not ";
        assert!(ran.stderr.starts_with(begin) && ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!((ran.stderr.lines().count(), &*ran.stdout), (1, ""));
    }
    let refused = |zero: &[&str], one: &[&str], says: &str| {
        for (code, _, stderr) in all_of(&folder, &[&check(zero), &check(one)]) {
            assert_eq!((code, stderr.lines().count()), (Some(3), 1), "{stderr}");
            assert!(stderr.contains(says), "{stderr}");
        }
    };
    let with = |journal| ["--workers", "2", "--resume", journal];
    refused(&with("0.journal"), &["--workers", "2"], " journal (`--resume`), and this one does");
    refused(&with("0.journal"), &with("x.journal"), "it has no journal, and process 0 has one");
    assert_eq!(folder.files(), ["0.journal", "1.journal", "hosts"], "no empty journal is left");
    let other = self::folder(2);
    killed(&other.0, &other.1, "2", 100_000);
    std::fs::copy(other.0.path().join("1.journal"), folder.path().join("1.journal")).expect("a copy");
    refused(&with("0.journal"), &with("1.journal"), "its journal is of another run than that of process 0");
    assert_eq!(read("0.journal"), before[0]);
    std::fs::write(folder.path().join("1.journal"), &before[1]).expect("it is put back");
    end_as_one_does(&folder, "2");
}

#[test]
fn a_full_disk_of_one_ends_both_and_both_resume() {
    let (folder, _) = folder(2);
    let with = |process, journal| check(&["--workers", "1", "--process", process, "--resume", journal]);
    let zero = start(folder.command(&with("0", "0.journal")));
    let one = start(command_on_a_small_disk(&folder, 600, &with("1", "1.journal")));
    let ended = [zero, one].map(|running| said(running.wait_with_output().expect("it ends")));
    for ((code, _, stderr), says) in ended.iter().zip([
        "not conclusive: another process could not write a checkpoint; ",
        "not conclusive: a checkpoint could not be written: ",
    ]) {
        assert_eq!(*code, Some(3), "{stderr}");
        assert!(stderr.starts_with(says), "{stderr}");
        assert!(stderr.contains(".journal` continues from there"), "{stderr}");
    }
    end_as_one_does(&folder, "1");
}
