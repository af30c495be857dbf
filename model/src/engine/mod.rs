//! The engine: makes the rules fast enough to take every step of every scope.
//!
//! A state is a row of numbers of interned parts (`state.rs`, `intern.rs`). A step is a transaction
//! on it ([`txn`]) that records which parts the rule reads ([`memo`]). Steps, history updates and
//! pairwise checks are memoised by these read sets ([`steps`], [`property_cache`]). Refusals are
//! reused while every part that they read is unchanged ([`refusals`]). [`checkpoint`] writes the
//! parts to a journal. A [`fingerprint`] is the same in every process and says who owns a state. A
//! [`translation`] turns another process's numbers into those of this one.
//!
//! Rules, properties, bounds and healing do not depend on the engine. They are written over the
//! cluster traits. [`rollcall::Rollcall`] joins the two, and `model.rs` exports it.

pub(crate) mod checkpoint;
pub(crate) mod fingerprint;
pub(crate) mod intern;
pub(crate) mod memo;
pub(crate) mod property_cache;
pub(crate) mod refusals;
pub(crate) mod region_slots;
pub(crate) mod rollcall;
pub(crate) mod state;
pub(crate) mod state_ref;
pub(crate) mod steps;
pub(crate) mod translation;
pub(crate) mod txn;
