//! Subjects behind the wire: a right adapter, and every way in which one may be wrong.
//!
//! This test is its own adapter: with the arguments `adapter WHAT` it answers on standard input and
//! output. Each wrong adapter must end in one clear report. Nothing may hang, and no adapter may
//! outlive its run.

mod adapter;
mod cluster;
mod commands;
mod faults;
#[path = "../harness/mod.rs"]
mod harness;
mod recipe;
mod right;

use std::process::ExitCode;

use adapter::{Adapter, Wrong};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, adapter, wrong] = &arguments[..]
        && adapter == "adapter"
    {
        if let Some(wrong) = cluster::Wrong::named(wrong) {
            cluster::serve(wrong);
            return ExitCode::SUCCESS;
        }
        let found = Wrong::ALL.iter().find(|(name, _)| name == wrong);
        let wrong = found.unwrap_or_else(|| panic!("`{wrong}` is no way of being wrong")).1;
        std::panic::set_hook(Box::new(|_| {}));
        Adapter::new(wrong).serve();
        return ExitCode::SUCCESS;
    }
    let trials = [faults::trials(), right::trials(), commands::trials(), cluster::trials()];
    harness::run(trials.into_iter().flatten().collect())
}
