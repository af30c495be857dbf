//! The engine's lock-free tables under loom.
//!
//! `model/src/engine/memo/table.rs` and the columns of `intern.rs` are read by all
//! threads of an exploration without a lock. loom takes every interleaving of a few
//! threads over them (preemption bound 2), and finds each mutant in `build.rs`.
//! The code under test is the engine's own text; `build.rs` gives it loom's atomics.

#![cfg(test)]

mod shim;
mod tests;

macro_rules! generated {
    ($($module:ident)+) => {
        $(
            #[allow(dead_code, missing_docs, unreachable_pub)]
            mod $module {
                include!(concat!(env!("OUT_DIR"), "/", stringify!($module), ".rs"));
            }
        )+
    };
}

generated!(table key_before_value takes_any_place value_not_there column counts_is_there);
