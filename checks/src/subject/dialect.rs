//! Dialects: known, named and harmless differences between Raft libraries.
//!
//! Any difference that is not named here is a divergence. Every report names the dialects under
//! which a subject was judged. The names and reasons are the model's, because its rules have the
//! switches.

pub use rollcall_model::Dialect;

/// The dialect of that name.
pub fn named(name: &str) -> Option<Dialect> {
    Dialect::ALL.iter().copied().find(|dialect| dialect.name() == name)
}

pub(super) fn known() -> String {
    let names: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.name()).collect();
    format!("known are {}", names.join(", "))
}
