use std::io::{Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use rollcall_model::{Guard, GuardSet, Rollcall, scopes};

use super::words::{Hello, Unread, Word};
use super::{Hosts, Meeting, MeetingError};
use crate::explorer::{Processes, Seat};

/// Longer than any of these tests takes.
pub(super) const LONG: Duration = Duration::from_secs(300);

pub(super) fn model(name: &str, guards: GuardSet) -> Rollcall {
    scopes::named(name).expect("it is there").model(guards).expect("it begins")
}

fn small() -> Rollcall {
    model("grow_and_shrink_smoke", GuardSet::ALL)
}

/// Hosts on ports that were free a moment ago.
pub(super) fn free(count: usize) -> Hosts {
    let bound: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let text = bound.iter().map(|one| format!("{}\n", one.local_addr().expect("it has one")));
    Hosts::parse(Path::new("hosts"), &text.collect::<String>()).expect("they are hosts")
}

type Met = Result<Processes, String>;

fn meet(hosts: &Hosts, me: usize, workers: usize, model: &Rollcall, within: Duration) -> Met {
    let met = Meeting::begin(hosts, me, workers, model, None)
        .and_then(|it| it.meet(within, &AtomicBool::new(false)));
    met.map_err(|error| error.to_string())
}

/// Everybody at once, each with its number of workers and its model.
fn meet_all(hosts: &Hosts, all: &[(usize, Rollcall)]) -> Vec<Met> {
    thread::scope(|scope| {
        let one = |(me, (workers, model)): (usize, &'_ (usize, Rollcall))| {
            let (workers, model) = (*workers, model.clone());
            scope.spawn(move || meet(hosts, me, workers, &model, LONG))
        };
        let running: Vec<_> = all.iter().enumerate().map(one).collect();
        running.into_iter().map(|running| running.join().expect("nothing panics")).collect()
    })
}

#[test]
fn a_file_of_hosts_is_read_or_its_line_is_named() {
    let parse = |text: &str| Hosts::parse(Path::new("hosts.txt"), text).map_err(|error| error.to_string());
    let text = "# ours\n\n 10.0.0.1:4100\nten.example.org:4100 \n[::1]:4100\n";
    let hosts = parse(text).expect("they are hosts");
    assert_eq!((hosts.count(), &*hosts.called(1)), (3, "process 1 (ten.example.org:4100)"));
    for (text, said) in [
        ("a:1\nb\n", "hosts.txt: line 2: `b` has no port; write HOST:PORT"),
        ("a:1\n\n:7\n", "hosts.txt: line 3: `` is no host; write HOST:PORT"),
        ("a b:1\n", "hosts.txt: line 1: `a b` is no host; write HOST:PORT"),
        ("::1:4100\n", "hosts.txt: line 1: `::1` is no host; write HOST:PORT"),
        ("a:0\n", "hosts.txt: line 1: `0` is no port from 1 to 65535"),
        ("a:70000\n", "hosts.txt: line 1: `70000` is no port from 1 to 65535"),
        ("a:1\n# b\na:1\n", "hosts.txt: line 3: `a:1` is in line 1 already"),
        ("# nobody\n", "hosts.txt: it names no host; write one HOST:PORT a line"),
    ] {
        assert_eq!(parse(text), Err(said.into()));
    }
}

#[test]
fn all_are_connected_to_all() {
    let all: Vec<_> = (0..4).map(|_| (2, small())).collect();
    let met = meet_all(&free(4), &all);
    for (me, met) in met.into_iter().enumerate() {
        let met = met.expect("they meet");
        assert_eq!(met.me, me);
        let connected: Vec<bool> = met.connections.iter().map(Option::is_some).collect();
        assert_eq!(connected, (0..4).map(|other| other != me).collect::<Vec<_>>());
    }
}

/// Whoever sees first that they differ, each of the two says so.
#[test]
fn who_is_about_to_do_something_else_ends_it() {
    let other_scope = model("three_voters_to_one_smoke", GuardSet::ALL);
    let other_guards = model("grow_and_shrink_smoke", GuardSet::without(Guard::SnapshotOnce));
    for (other, said) in [
        ((3, small()), "it has 3 workers, not 2"),
        ((2, other_scope), "it explores something else: its scope is three_voters_to_one_smoke"),
        ((2, other_guards), "it explores something else: the guards dropped are snapshot_once, not none"),
    ] {
        let met = meet_all(&free(2), &[(2, small()), other]);
        let why: Vec<String> = met.into_iter().map(|met| met.err().expect("they differ")).collect();
        assert!(why[0].contains(said) || why[0].contains("has given up"), "{}", why[0]);
        assert!(why.iter().any(|why| why.contains(said)), "{why:?}");
    }
}

#[test]
fn a_third_learns_why_two_have_given_up() {
    let all = [(1, small()), (1, small()), (2, small())];
    for met in meet_all(&free(3), &all) {
        let why = met.err().expect("one has another number of workers");
        assert!(why.contains("workers, not"), "{why}");
    }
}

#[test]
fn who_does_not_come_is_named_and_so_is_a_port_that_is_taken() {
    let hosts = free(2);
    let alone = meet(&hosts, 1, 1, &small(), Duration::ZERO).err().expect("nobody is there");
    let said = format!("{} did not come within 0 s: ", hosts.called(0));
    assert!(alone.starts_with(&said), "{alone}");
    let alone = meet(&hosts, 0, 1, &small(), Duration::ZERO).err().expect("nobody is there");
    assert_eq!(alone, format!("{} did not come within 0 s", hosts.called(1)));
    let taken = TcpListener::bind(&*hosts.0[0]).expect("it is free again");
    let deaf = meet(&hosts, 0, 1, &small(), LONG).err().expect("it is taken");
    assert!(deaf.starts_with(&format!("{} cannot listen: ", hosts.called(0))), "{deaf}");
    drop(taken);
}

#[test]
fn an_interruption_ends_the_waiting() {
    let hosts = free(2);
    let meeting = Meeting::begin(&hosts, 0, 1, &small(), None).expect("the port is free");
    let met = meeting.meet(LONG, &AtomicBool::new(true));
    assert!(matches!(met, Err(MeetingError::Interrupted)));
}

/// Somebody who looks at open ports, somebody with a number that is taken, and the real one.
#[test]
fn strangers_are_let_go_and_the_others_meet() {
    let (hosts, model) = (free(2), small());
    thread::scope(|scope| {
        let meeting = Meeting::begin(&hosts, 0, 1, &model, None).expect("the port is free");
        let zero =
            scope.spawn(move || meeting.meet(LONG, &AtomicBool::new(false)).map_err(|it| it.to_string()));
        let mut stranger = TcpStream::connect(&*hosts.0[0]).expect("it listens");
        stranger.write_all(b"GET / HTTP/1.1\r\nHost: me\r\n\r\n").expect("it is open");
        assert!(matches!(Word::read(&mut stranger), Ok(Word::Hello(_))), "it greets whoever comes");
        assert!(matches!(Word::read(&mut stranger), Err(Unread::Io)), "and lets it go");
        let mut twice = TcpStream::connect(&*hosts.0[0]).expect("it listens");
        let same =
            Word::Hello(Box::new(Hello::new(Seat { process: 0, processes: 2, workers: 1 }, &model, None)));
        same.write(&mut twice).expect("it is open");
        assert!(matches!(Word::read(&mut twice), Ok(Word::Hello(_))));
        let Ok(Word::Stop(why)) = Word::read(&mut twice) else { panic!("it is let go with a word") };
        assert_eq!(why, "process 0 cannot take part: its number belongs before this one");
        let one = meet(&hosts, 1, 1, &model, LONG);
        assert!(one.is_ok() && zero.join().expect("nothing panics").is_ok());
    });
}

#[test]
fn another_version_is_told_from_something_else() {
    let mut said = Vec::new();
    Word::Ready.write(&mut said).expect("into memory");
    let read = |bytes: &[u8]| Word::read(&mut Cursor::new(bytes));
    assert!(matches!(read(&said), Ok(Word::Ready)));
    assert!(matches!(read(&said[..said.len() - 1]), Err(Unread::Io)));
    let replaced = |from: &str, to: &str| {
        let text = String::from_utf8_lossy(&said).replace(from, to);
        read(text.as_bytes())
    };
    assert!(matches!(replaced("hosts 1", "hosts 2"), Err(Unread::OtherVersion)));
    assert!(matches!(replaced("Ready", "Merry"), Err(Unread::OtherVersion)));
    assert!(matches!(replaced("rollcall", "somebody"), Err(Unread::Foreign)));
    let mut long = said.clone();
    long[17..21].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read(&long), Err(Unread::Foreign)));
}
