//! Dialects: differences between raft libraries that are known, named and harmless.
//!
//! Whatever is not named here is a divergence. A subject that is judged under a dialect has
//! that said in every report. The names and reasons are the model's, for its rules have
//! the switches.

pub use rollcall_model::Dialect;

/// The dialect of that name.
pub fn named(name: &str) -> Option<Dialect> {
    Dialect::ALL.iter().copied().find(|dialect| dialect.name() == name)
}

pub(super) fn known() -> String {
    let names: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.name()).collect();
    format!("known are {}", names.join(", "))
}
