//! How a command ends: its exit code, what interrupts it, and an error in a line.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

/// How a command ended; the number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Everything that was asked holds.
    Holds = 0,
    /// A property is violated, or two sides diverge.
    Violated = 1,
    /// A bound was hit: never claimed as "holds".
    NotConclusive = 3,
}

/// The exit code of usage and of bad input.
pub(super) const USAGE: u8 = 2;

/// Set by Ctrl-C and SIGTERM: what runs ends soon and says what it had covered.
pub(crate) static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The error with its causes, each said once.
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
