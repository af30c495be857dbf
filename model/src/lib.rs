//! The rules of conf change, split, merge, decommission and unsafe recovery as a stateright model:
//! pure, without clock, threads or I/O. It depends on the dictionary and knows nothing of the
//! implementation.
//!
//! [`Rollcall`] is the model of one [`rollcall_traces::Scope`]; [`Rollcall::step`] takes the rules
//! alone. Bounds (which actions a scope offers, and how often) are separate from the rules.
//! [`properties`] has the invariants, [`Reach`] the situations that must be reachable, [`liveness`]
//! the goals once faults stop, and [`Guard`] the rules that can be switched off.

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
pub use bounds::withheld::Withheld;
pub use cluster::ClusterInScope;
pub use dialect::Dialect;
pub use guard::{Guard, GuardSet};
pub use liveness::next_to_settle;
pub use model::{
    EXPLORED, Offered, PartCounts, PartsError, ReadSet, RefusalCache, Rollcall, STORES, State, StateRef,
    Translation,
};
pub use rules::{FIRST, first_peer};
pub use semantics::Semantics;
pub use subject::ModelSubject;
pub use walking::Walk;
