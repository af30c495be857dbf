//! How a command ends: exit codes, interrupts, and errors in one line.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

/// How a command ended, with its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Everything holds.
    Holds = 0,
    /// A property is violated, or two sides diverge.
    Violated = 1,
    /// A bound was reached. This is never reported as "holds".
    NotConclusive = 3,
}

/// The exit code of usage and of bad input.
pub(super) const USAGE: u8 = 2;

/// Set by Ctrl-C and SIGTERM. A running job then ends soon and prints what it has covered.
pub(crate) static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The error with its causes. Each is printed once.
pub(super) fn in_a_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}
