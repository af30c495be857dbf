//! In which scopes it is right to end short of the goals, and why: the
//! exceptions, in one place.

use super::Size;
use crate::heal::Excuse;

/// The reasons of the scope of that name, without the mark of its size.
pub(super) fn of(name: &str, size: Size) -> Vec<Excuse> {
    let _ = size;
    match name {
        _ => Vec::new(),
    }
}
