//! Mailboxes and router: every message is handled once, by one worker at a time, or comes back.

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::{ends_in_a_deadlock, interleavings};

const REGION: u64 = 1;

/// What the workers have handled.
struct Seen {
    handled: Mutex<Vec<u32>>,
    /// Notified when a message is handled.
    changed: Condvar,
    is_polled: AtomicBool,
    /// The message that closes the region once it is handled.
    last: u32,
}

/// Workers and senders. The first sender sends its second message, and stops the workers, only
/// after a given number of messages is handled.
macro_rules! scenario {
    ($running:ident, $last:expr, $workers:expr, $sends:expr) => {
        scenario!($running, $last, $workers, $sends, 2, [0, 0])
    };
    ($running:ident, $last:expr, $workers:expr, $sends:expr, $preemptions:expr, $waits:expr) => {{
        use crate::$running::router::{Handler, Router, Unsent};

        struct Worker(Arc<Seen>);

        impl Handler<u32> for Worker {
            fn handle(&self, _: u64, messages: Vec<u32>) -> bool {
                assert!(!self.0.is_polled.swap(true, Ordering::AcqRel), "two workers poll one region");
                let is_last = messages.contains(&self.0.last);
                self.0.handled.lock().unwrap().extend(messages);
                self.0.changed.notify_one();
                self.0.is_polled.store(false, Ordering::Release);
                !is_last
            }
        }

        let sends: &'static [&'static [u32]] = $sends;
        interleavings($preemptions, move || {
            let seen = Arc::new(Seen {
                handled: Mutex::new(vec![]),
                changed: Condvar::new(),
                is_polled: AtomicBool::new(false),
                last: $last,
            });
            let router = Arc::new(Router::<u32>::default());
            let workers: Vec<_> = (0..$workers)
                .map(|_| {
                    let (router, worker) = (Arc::clone(&router), Worker(Arc::clone(&seen)));
                    thread::spawn(move || router.work(&worker))
                })
                .collect();
            let waits = |count: usize, seen: &Seen| {
                let mut handled = seen.handled.lock().unwrap();
                while handled.len() < count {
                    handled = seen.changed.wait(handled).unwrap();
                }
            };
            let send = |messages: &[u32], router: &Router<u32>, between: &dyn Fn()| {
                let mut back = vec![];
                for message in messages {
                    match router.send(REGION, *message, usize::MAX) {
                        Ok(()) => between(),
                        Err(Unsent::Full(message) | Unsent::Stopped(message)) => back.push(message),
                    }
                }
                back
            };
            let senders: Vec<_> = sends[1..]
                .iter()
                .map(|messages| {
                    let router = Arc::clone(&router);
                    thread::spawn(move || send(messages, &router, &|| ()))
                })
                .collect();
            let [before_second, before_stop] = $waits;
            let mut all = send(sends[0], &router, &|| waits(before_second, &seen));
            waits(before_stop, &seen);
            router.stop();
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            all.extend(router.close().into_iter().map(|(_, message)| message));
            senders.into_iter().for_each(|sender| all.extend(sender.join().unwrap()));
            let handled = std::mem::take(&mut *seen.handled.lock().unwrap());
            for messages in sends {
                let of_sender = handled.iter().filter(|message| messages.contains(message));
                assert!(of_sender.is_sorted(), "out of order: {handled:?}");
            }
            all.extend(handled);
            all.sort_unstable();
            let sent: Vec<u32> = sends.concat();
            assert_eq!(all, sent, "each once");
        });
    }};
}

/// Two workers, and messages that arrive while they poll.
macro_rules! two_workers {
    ($running:ident) => {
        scenario!($running, 0, 2, &[&[1, 2]])
    };
}

/// The worker is not stopped before it has handled everything.
macro_rules! all_is_handled {
    ($running:ident) => {
        scenario!($running, 0, 1, &[&[1], &[2]], 2, [0, 2])
    };
}

/// The first message closes the region, and others arrive meanwhile.
macro_rules! the_region_goes {
    ($running:ident) => {
        scenario!($running, 1, 1, &[&[1, 2], &[3]])
    };
}

/// The region closes, and two workers may hold its mailboxes: the old one and the new one.
macro_rules! the_region_comes_back {
    ($running:ident) => {
        scenario!($running, 1, 2, &[&[1, 2, 3]], 3, [1, 0])
    };
}

#[test]
fn every_message_is_handled_once() {
    two_workers!(sound);
}

#[test]
fn no_wake_up_is_lost() {
    all_is_handled!(sound);
}

#[test]
fn a_message_to_a_region_that_goes_is_handled_once_or_comes_back() {
    the_region_goes!(sound);
}

#[test]
fn a_region_that_comes_back_is_polled_by_one() {
    the_region_comes_back!(sound);
}

#[test]
fn loom_finds_a_state_that_is_set_after_the_check() {
    ends_in_a_deadlock("mailboxes::loom_finds_a_state_that_is_set_after_the_check", || {
        all_is_handled!(idle_after_check)
    });
}

#[test]
#[should_panic(expected = "two workers poll one region")]
fn loom_finds_a_mailbox_that_is_let_go_early() {
    two_workers!(idle_while_polled);
}

#[test]
fn loom_finds_a_missing_wake_up() {
    ends_in_a_deadlock("mailboxes::loom_finds_a_missing_wake_up", || all_is_handled!(no_wake_up));
}

#[test]
fn loom_finds_a_worker_that_does_not_hear_the_stop() {
    ends_in_a_deadlock("mailboxes::loom_finds_a_worker_that_does_not_hear_the_stop", || {
        two_workers!(one_hears_the_stop)
    });
}

#[test]
#[should_panic(expected = "each once")]
fn loom_finds_a_message_in_a_closed_mailbox() {
    the_region_goes!(push_into_closed);
}

#[test]
#[should_panic(expected = "two workers poll one region")]
fn loom_finds_a_mailbox_forgotten_for_another() {
    the_region_comes_back!(forgets_another);
}

#[test]
#[should_panic(expected = "each once")]
fn loom_finds_a_message_taken_after_the_close() {
    the_region_goes!(sends_when_closed);
}
