//! Another Raft library in place of raft-rs: a program that answers JSON Lines.
//!
//! An *adapter* is a small program around a Raft library, in any language. It holds the replicas
//! of one run. Stores, placement driver and the rounds between them stay Rollcall's. So in every
//! scenario, exhibit and tour, the library itself makes each message between two replicas.
//! `adapters/README.md` tells how to write an adapter. [`wire`] has the protocol, [`Link`] sends
//! requests and reports wrong answers, and [`Foreign`] is the replica that a store uses. An adapter
//! of level `world` is a whole cluster, [`ForeignCluster`].
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
mod cluster;
mod convert;
mod decided;
pub mod dialect;
mod either;
pub mod exhibits;
mod foreign;
mod link;
pub mod needs;
pub(crate) mod run;
pub mod selftest;
mod tour;
pub mod wire;

pub use cluster::ForeignCluster;
pub use decided::decided;
pub use either::SubjectCluster;
pub use foreign::Foreign;
pub(crate) use link::unwind;
pub use link::{Fault, Link, Recipe};
pub use run::{SubjectWorld, caught, replay_on, sides, world};
pub use tour::tour;
