//! One search over several processes: what is refused, and how a process that is lost ends the others.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;

use crate::Folder;

const CHECK: [&str; 4] = ["check", "two_voters_to_one_smoke", "--hosts", "hosts"];

/// Addresses that were free a moment ago.
pub(crate) fn free(count: usize) -> Vec<String> {
    let bound: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    bound.iter().map(|one| one.local_addr().expect("it has one").to_string()).collect()
}

/// A folder with a file of so many hosts.
pub(crate) fn folder(count: usize) -> (Folder, Vec<String>) {
    let (folder, hosts) = (Folder::new(), free(count));
    folder.write("hosts", &hosts.join("\n"));
    (folder, hosts)
}

pub(crate) fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Runs these, each as the process of its place, until all have ended.
pub(crate) fn all_of(folder: &Folder, all: &[&[&str]]) -> Vec<(Option<i32>, String, String)> {
    let command = |(process, arguments): (usize, &&[&str])| {
        let process = process.to_string();
        start(folder.command(&[arguments, &["--process", &process][..]].concat()))
    };
    let running: Vec<Child> = all.iter().enumerate().map(command).collect();
    running.into_iter().map(|child| said(child.wait_with_output().expect("it ends"))).collect()
}

pub(crate) fn said(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_wrong_file_of_hosts_is_refused_with_its_line() {
    let folder = Folder::new();
    folder.write("hosts", "127.0.0.1:4100\n127.0.0.1\n");
    let ran = folder.ends(&[&CHECK[..], &["--process", "0"]].concat(), 2);
    assert_eq!(ran.stderr, "rollcall: hosts: line 2: `127.0.0.1` has no port; write HOST:PORT\n");
    folder.write("hosts", "127.0.0.1:4100\n127.0.0.1:4101\n");
    let ran = folder.ends(&[&CHECK[..], &["--process", "2"]].concat(), 2);
    assert_eq!(ran.stderr, "rollcall: --process 2: hosts names 2 hosts, so the last process is 1\n");
    for (more, says) in [
        (&["--process", "0", "--workers", "513"][..], "513 workers on each of 2 hosts are more than 1024"),
        (&["--process", "0", "--property", "leader_electable"], "explores without healing"),
        (&["--process", "0", "--heal"], "cannot be used with"),
        (&[], "--process <K>"),
    ] {
        let ran = folder.ends(&[&CHECK[..], more].concat(), 2);
        assert!(ran.stderr.contains(says), "{more:?}: {}", ran.stderr);
    }
    let ran = folder.ends(&["check", "two_voters_to_one_smoke", "--hosts", "none", "--process", "0"], 2);
    assert!(ran.stderr.starts_with("rollcall: none: "), "{}", ran.stderr);
}

#[test]
fn who_waits_in_vain_and_who_cannot_listen_says_so() {
    let (folder, hosts) = folder(2);
    for (process, other) in [("0", 1), ("1", 0)] {
        let ran = folder.ends(&[&CHECK[..], &["--process", process, "--wait", "0"]].concat(), 3);
        let begin =
            format!("rollcall: not conclusive: process {other} ({}) did not come within 0 s", hosts[other]);
        assert!(ran.stderr.starts_with(&begin) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    let taken = TcpListener::bind(&*hosts[0]).expect("it is free again");
    let ran = folder.ends(&[&CHECK[..], &["--process", "0", "--json"]].concat(), 3);
    let begin = format!("rollcall: not conclusive: process 0 ({}) cannot listen: ", hosts[0]);
    assert!(ran.stderr.starts_with(&begin) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("\"verdict\":\"not conclusive\""), "{}", ran.stdout);
    drop(taken);
}

/// Both say it, or one says it and the other that the first has given up for that reason.
#[test]
fn processes_that_differ_do_not_begin() {
    let check = |scope, more: &[&'static str]| [&["check", scope, "--hosts", "hosts"], more].concat();
    let ours = check("two_voters_to_one_smoke", &["--workers", "2"]);
    for (theirs, says) in [
        (check("three_voters_to_one_smoke", &["--workers", "2"]), "its scope is t"),
        (
            check("two_voters_to_one_smoke", &["--workers", "2", "--without", "snapshot_once"]),
            "the guards dropped are ",
        ),
        (
            check("two_voters_to_one_smoke", &["--workers", "2", "--property", "log_matching"]),
            "the properties are ",
        ),
        (check("two_voters_to_one_smoke", &["--workers", "1"]), "workers, not "),
    ] {
        let (folder, _) = folder(2);
        for (code, stdout, stderr) in all_of(&folder, &[&ours, &theirs]) {
            assert_eq!((code, &*stdout), (Some(3), ""), "{says}: {stderr}");
            assert!(stderr.contains(says) && stderr.lines().count() == 1, "{says}: {stderr}");
        }
    }
}

#[test]
fn another_build_does_not_take_part() {
    let (folder, _) = folder(2);
    let program = folder.path().join("other");
    std::fs::copy(env!("CARGO_BIN_EXE_rollcall"), &program).expect("it is copied");
    // Nothing reads what is behind an executable.
    let mut file = std::fs::OpenOptions::new().append(true).open(&program).expect("it can be written");
    file.write_all(b"\n").expect("there is room");
    drop(file);
    let arguments = |process| [&CHECK[..], &["--process", process]].concat();
    let mut other = Command::new(&program);
    other.args(arguments("1")).current_dir(folder.path()).stdin(Stdio::null());
    let (ours, theirs) = (start(folder.command(&arguments("0"))), start(other));
    for running in [ours, theirs] {
        let (code, stdout, stderr) = said(running.wait_with_output().expect("it ends"));
        assert_eq!((code, &*stdout), (Some(3), ""), "{stderr}");
        assert!(stderr.contains("it is another build (0.1.0 build "), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

/// Passes on what one side sends the other, and tells how much that was. Its end is passed on too.
fn pass(mut from: TcpStream, mut to: TcpStream, passed: Sender<usize>) {
    let mut bytes = [0; 1 << 12];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
        let _ = passed.send(length);
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Process 1 reaches process 0 through this test, which so knows that the search is under way.
#[test]
fn a_process_that_is_killed_ends_the_other() {
    let (folder, hosts) = folder(2);
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let reached = proxy.local_addr().expect("it has one").to_string();
    folder.write("through", &[&*reached, &*hosts[1]].join("\n"));
    let check = |hosts, process| {
        folder.command(&[
            "check",
            "one_store_leaves",
            "--no-heal",
            "--workers",
            "1",
            "--hosts",
            hosts,
            "--process",
            process,
        ])
    };
    let (zero, mut one) = (start(check("hosts", "0")), start(check("through", "1")));
    let (passed, told) = mpsc::channel();
    let address = hosts[0].clone();
    thread::spawn(move || {
        // Until process 0 listens, process 1 is sent away, and tries again.
        for theirs in proxy.incoming() {
            let (Ok(theirs), Ok(ours)) = (theirs, TcpStream::connect(&*address)) else { continue };
            let copy = |it: &TcpStream| it.try_clone().expect("it is open");
            let (back, to, passed_back) = (copy(&ours), copy(&theirs), passed.clone());
            thread::spawn(move || pass(back, to, passed_back));
            pass(theirs, ours, passed.clone());
        }
    });
    let mut all = 0;
    while all < 300_000 {
        all += told.recv().expect("the search goes on");
    }
    assert_eq!(one.try_wait().expect("its status"), None, "it ended too early");
    one.kill().expect("it can be killed");
    one.wait().expect("its status");
    let (code, stdout, stderr) = said(zero.wait_with_output().expect("it ends"));
    let line = format!(
        "rollcall: not conclusive: process 1 ({}) has ended in the middle of the search; begin again in every process\n",
        hosts[1]
    );
    assert_eq!((code, &*stdout, stderr), (Some(3), "", line));
}
