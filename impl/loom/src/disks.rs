//! The journal: an output leaves only once its step and all earlier ones are durable.

use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use rollcall_impl::{Config, Effects, Input, MemoryEngine, Output, Sound, Store, Ticket, Write};

use super::cluster::{REGION, put, region};
use super::{ends_in_a_deadlock, every_interleaving};

/// The tickets of `count` steps of a store.
fn tickets(count: usize) -> Vec<Ticket> {
    let engine = MemoryEngine::new();
    let mut store = Store::open(1, Config::SIMULATOR, Sound, &engine).unwrap();
    let mut tickets = vec![store.bootstrap(region(&[1])).unwrap().ticket];
    tickets.push(store.step(Input::Campaign { region: REGION }).unwrap().ticket);
    let propose = || Input::Propose { region: REGION, command: put("a"), epoch: None };
    tickets.extend((2..count).map(|_| store.step(propose()).unwrap().ticket));
    tickets.truncate(count);
    assert!(tickets.is_sorted_by(|one, next| one < next));
    tickets
}

/// A step with an output, with or without a write.
fn effects(ticket: Ticket, writes: bool) -> Effects {
    let batch = if writes { vec![Write::Commit(REGION, 5)] } else { vec![] };
    let after_persist = vec![Output::ValidatePeer { region: REGION }];
    Effects { batch, sync: writes, after_persist, ticket, ..Effects::default() }
}

macro_rules! disks {
    ($running:ident, $disks:expr, $steps:expr) => {{
        use crate::$running::journal::Journal;

        // A step's ticket, and whether it writes.
        let steps: &'static [(usize, bool)] = $steps;
        let tickets = std::sync::Arc::new(tickets(3));
        every_interleaving(move || {
            let journal = Arc::new(Journal::default());
            // How many steps with a write are on the disk.
            let written = Arc::new(Mutex::new(0));
            let writes_upto = {
                let tickets = std::sync::Arc::clone(&tickets);
                move |last: Ticket| {
                    steps.iter().filter(|(at, writes)| *writes && tickets[*at] <= last).count()
                }
            };
            let threads: Vec<_> = (0..$disks)
                .map(|_| {
                    let (journal, written) = (Arc::clone(&journal), Arc::clone(&written));
                    let writes_upto = writes_upto.clone();
                    thread::spawn(move || {
                        let mut left = 0;
                        while let Some(group) = journal.take() {
                            *written.lock().unwrap() += group.batches.concat().len();
                            let Some(released) = journal.completed(group.number) else { continue };
                            let written = *written.lock().unwrap();
                            assert!(writes_upto(released.ticket) <= written, "it left too early");
                            left += released.out.len();
                        }
                        left
                    })
                })
                .collect();
            let mut left = 0;
            for (at, writes) in steps {
                let at_once = journal.append(effects(tickets[*at], *writes));
                if !at_once.is_empty() {
                    let written = *written.lock().unwrap();
                    assert!(writes_upto(tickets[*at]) <= written, "it left too early");
                }
                left += at_once.len();
            }
            journal.stop();
            left += threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>();
            assert_eq!(left, steps.len(), "whatever waits leaves");
        });
    }};
}

/// Two disks, which take groups in turn and complete them in any order.
macro_rules! two_disks {
    ($running:ident) => {
        disks!($running, 2, &[(0, true), (1, true)])
    };
}

/// An output after a write.
macro_rules! told_behind_a_write {
    ($running:ident) => {
        disks!($running, 1, &[(0, true), (0, false), (1, true)])
    };
}

/// The disk is not stopped before it has written everything.
macro_rules! woken {
    ($running:ident) => {{
        use crate::$running::journal::Journal;

        let tickets = std::sync::Arc::new(tickets(3));
        every_interleaving(move || {
            let journal = Arc::new(Journal::default());
            let written = Arc::new((Mutex::new(0), Condvar::new()));
            let disk = {
                let (journal, written) = (Arc::clone(&journal), Arc::clone(&written));
                thread::spawn(move || {
                    while let Some(group) = journal.take() {
                        *written.0.lock().unwrap() += group.steps;
                        written.1.notify_one();
                    }
                })
            };
            for ticket in &*tickets {
                journal.append(effects(*ticket, true));
            }
            let mut steps = written.0.lock().unwrap();
            while *steps < tickets.len() {
                steps = written.1.wait(steps).unwrap();
            }
            drop(steps);
            journal.stop();
            disk.join().unwrap();
        });
    }};
}

#[test]
fn groups_complete_in_any_order() {
    two_disks!(sound);
}

#[test]
fn an_answer_waits_for_the_writes_before_it() {
    told_behind_a_write!(sound);
}

#[test]
#[should_panic(expected = "it left too early")]
fn loom_finds_a_release_out_of_order() {
    two_disks!(releases_out_of_order);
}

#[test]
#[should_panic(expected = "it left too early")]
fn loom_finds_an_answer_that_overtakes_the_disk() {
    told_behind_a_write!(overtakes_the_disk);
}

#[test]
fn the_disk_is_woken() {
    woken!(sound);
}

#[test]
fn loom_finds_a_disk_that_is_not_woken() {
    ends_in_a_deadlock("disks::loom_finds_a_disk_that_is_not_woken", || woken!(disk_not_woken));
}
