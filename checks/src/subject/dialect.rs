//! Dialects: known, named and harmless differences between Raft libraries.
//!
//! Any difference that is not named here is a divergence. Every report names the dialects under
//! which a subject was judged. The names and reasons are the model's, because its rules have the
//! switches.

//!
//! Where a library goes by another design there is no switch, and equality says nothing:
//! what it names of [`DESIGNS`] is judged by properties alone.

pub use rollcall_model::Dialect;

/// Designs that are no model of these rules, each with what is otherwise than here.
pub const DESIGNS: &[(&str, &str)] = &[
    (
        "changes_when_appended",
        "a change of the members is in force as soon as it is in a log (Raft thesis 4.1), here once it is applied",
    ),
    (
        "voters_keep_their_leader",
        "a voter that knows a leader votes for nobody else and keeps its term (Raft thesis 4.2.3), here whatever \
         it knows",
    ),
];

/// The dialect of that name.
pub fn named(name: &str) -> Option<Dialect> {
    Dialect::ALL.iter().copied().find(|dialect| dialect.name() == name)
}

/// Whether there is a design of that name.
pub(super) fn is_design(name: &str) -> bool {
    DESIGNS.iter().any(|(design, _)| *design == name)
}

pub(super) fn known() -> String {
    let names: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.name()).collect();
    format!("known are {}", names.join(", "))
}
