//! The engine: what makes the rules fast enough to take every step of every scope.
//!
//! A state is a row of numbers of interned parts (`state.rs`, `intern.rs`). A step is
//! a transaction over it ([`txn`]) that notes which parts the rule read ([`memo`]).
//! Steps, history updates and judgements of pairs are memoised by these read sets
//! ([`steps`], [`property_cache`]); refusals are reused while every part that they
//! read is unchanged ([`refusals`]). [`checkpoint`] writes the parts to a journal.
//!
//! Rules, properties, bounds and healing know nothing of it: they are written over the
//! traits of a cluster. [`rollcall::Rollcall`] joins the two, and `model.rs` hands it out.

pub(crate) mod checkpoint;
pub(crate) mod intern;
pub(crate) mod memo;
pub(crate) mod property_cache;
pub(crate) mod refusals;
pub(crate) mod region_slots;
pub(crate) mod rollcall;
pub(crate) mod state;
pub(crate) mod state_ref;
pub(crate) mod steps;
pub(crate) mod txn;
