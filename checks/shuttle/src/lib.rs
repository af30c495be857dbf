//! Whole running stores under shuttle.
//!
//! Three stores run, each with its workers, router, apply stage and disk, and exchange messages,
//! while clients write and read, regions split, merge and move, and a store crashes. A seed draws
//! the course and the schedule of all threads. Every step of a store is recorded, and the model must
//! accept the run. The stores' code is their own source; `build.rs` gives it shuttle's locks, and
//! makes the mutants that must be found. A failure names its seed. `docs/architecture.md` tells how
//! to see it again, and what is not driven.

#![cfg(test)]

mod plan;
mod recorded;
mod schedules;

macro_rules! generated {
    ($($module:ident)+) => {
        $(
            #[allow(dead_code, unused_imports, unused_mut, missing_docs, unreachable_pub, clippy::all)]
            mod $module {
                include!(concat!(env!("OUT_DIR"), "/", stringify!($module), ".rs"));
            }
        )+
    };
}

generated!(sound no_wake_up hands_over_too_late ignores_the_disk);
