//! Somebody else's raft in the place of ours: a program that answers JSON Lines.
//!
//! An *adapter* is a small program around a raft library, in any language. It holds the
//! replicas of one run; stores, placement driver and the rounds between them stay
//! Rollcall's, so whatever scenario, exhibit or tour is taken, each message between two
//! replicas is the library's own. `adapters/README.md` tells how to write one;
//! [`wire`] has what is said, [`Link`] who asks and what is said of a wrong answer,
//! [`Foreign`] the replica that a store sees.
//!
//! ```no_run
//! use rollcall_checks::subject::selftest::{SITUATIONS, Verdict, look};
//! use rollcall_checks::subject::{Link, Recipe, world};
//!
//! let link = Link::connect(&Recipe::new("./my-adapter")).unwrap_or_else(|fault| panic!("{fault}"));
//! assert!(SITUATIONS.iter().all(|situation| look(&link, situation) == Verdict::Fine));
//! let stores = world(&link);
//! ```

pub mod child;
mod convert;
mod decided;
pub mod dialect;
pub mod exhibits;
mod foreign;
mod link;
pub mod needs;
pub(crate) mod run;
pub mod selftest;
mod tour;
pub mod wire;

pub use decided::decided;
pub use foreign::Foreign;
pub(crate) use link::unwind;
pub use link::{Fault, Link, Recipe};
pub use run::{SubjectWorld, caught, replay_on, sides, world};
pub use tour::tour;
