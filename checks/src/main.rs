//! The `rollcall` program. Exit codes: 0 holds, 1 violated or diverged, 2 usage or bad input, 3 not
//! conclusive.

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    rollcall_checks::cli::run()
}
