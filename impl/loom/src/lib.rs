//! The running store under loom.
//!
//! loom checks every interleaving of a few threads over `impl/src/running` (preemption bound 2):
//! mailboxes, router, journal, and the whole node around a real `Store`. The code under test is the
//! store's own source; `build.rs` gives it loom's locks, and makes the mutants that loom must find.

#![cfg(test)]

#[allow(dead_code)]
#[path = "../../tests/store/cluster.rs"]
mod cluster;
mod disks;
mod mailboxes;
mod merges;
mod nodes;
mod reads;
mod stacked;

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

macro_rules! generated {
    ($($module:ident)+) => {
        $(
            #[allow(dead_code, unused_mut, missing_docs, unreachable_pub, clippy::all)]
            mod $module {
                include!(concat!(env!("OUT_DIR"), "/", stringify!($module), ".rs"));
            }
        )+
    };
}

generated!(
    sound idle_after_check idle_while_polled push_into_closed no_wake_up one_hears_the_stop forgets_another
    sends_when_closed releases_out_of_order overtakes_the_disk disk_not_woken hands_over_too_late
    ignores_the_disk no_reminder steps_when_failed forgets_requests forgets_the_target
    reports_what_waits
);

/// Checks every interleaving with at most `preemptions` preemptions, and returns their number.
fn interleavings(preemptions: usize, of: impl Fn() + Send + Sync + 'static) {
    let taken = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&taken);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    // Ignore the environment: an early end would look like the end.
    (model.max_permutations, model.max_duration) = (None, None);
    model.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        of();
    });
    let taken = taken.load(Ordering::Relaxed);
    println!("{taken} interleavings");
    assert!(taken > 10, "loom took only {taken}");
}

/// The same with at most two, which finds most mistakes.
fn every_interleaving(of: impl Fn() + Send + Sync + 'static) {
    interleavings(2, of);
}

/// Checks that the test of that name ends in a deadlock. loom's panic then aborts the process,
/// because locks are released while it unwinds. So the test runs itself as another process.
fn ends_in_a_deadlock(test: &str, of: impl FnOnce()) {
    const INNER: &str = "ROLLCALL_LOOM_DEADLOCK";
    if env::var_os(INNER).is_some() {
        of();
        return;
    }
    let mut inner = Command::new(env::current_exe().expect("this program"));
    let ended = inner.args(["--exact", test, "--nocapture"]).env(INNER, "1").output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success(), "loom finds nothing");
    assert!(said.contains("deadlock; threads"), "it ends otherwise: {said}");
}
