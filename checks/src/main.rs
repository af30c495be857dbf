//! The `rollcall` binary: 0 holds, 1 violated or diverged, 2 usage or bad
//! input, 3 not conclusive.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollcall_checks::cli::run()
}
