//! The rules of conf change, split, merge, decommission and unsafe recovery as a stateright
//! model: pure, no clock, no thread, no I/O. It knows the dictionary and nothing of the
//! implementation.
//!
//! [`Rollcall`] is the model of one [`rollcall_traces::Scope`]; [`Rollcall::step`]
//! is the rules alone. Bounds (which actions a scope offers, and how often) are
//! apart from the rules; what must hold is in [`properties`], what must be
//! reachable in [`Reach`], what must come once faults stop in [`liveness`], what can
//! be left out in [`Guard`].

mod bounds;
mod cluster;
mod dialect;
mod engine;
mod guard;
pub mod liveness;
mod model;
pub mod properties;
pub mod reference;
mod rules;
pub mod scopes;
mod semantics;
mod subject;
mod unsound;
mod walking;

pub use bounds::kinds::ACTION_KINDS;
pub use bounds::reach::Reach;
pub use bounds::sending::{may_ask, may_send};
pub use cluster::ClusterInScope;
pub use dialect::Dialect;
pub use guard::{Guard, GuardSet};
pub use liveness::next_to_settle;
pub use model::{
    EXPLORED, Offered, PartCounts, PartsError, ReadSet, RefusalCache, Rollcall, STORES, State, StateRef,
};
pub use rules::{FIRST, first_peer};
pub use semantics::Semantics;
pub use subject::ModelSubject;
pub use walking::Walk;
