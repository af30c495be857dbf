//! Checks.
pub mod explorer;
