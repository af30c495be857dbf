//! The rules of conf change and split as a stateright model: pure, no clock, no thread,
//! no I/O. It knows the dictionary and nothing of the implementation.
//!
//! [`Rollcall`] is the model of one [`rollcall_traces::Scope`]; [`Rollcall::step`]
//! is the rules alone. Bounds (which actions a scope offers, and how often) are
//! apart from the rules; what must hold is in [`properties`], what must be
//! reachable in [`Reach`], what must come once faults stop in [`heal`], what can
//! be left out in [`Guard`].

mod actions;
mod apart;
mod checkpoint;
mod cluster;
mod costs;
mod draft;
mod guard;
pub mod heal;
mod intern;
mod judged;
mod kinds;
mod memo;
mod model;
mod probes;
pub mod properties;
mod reach;
pub mod reference;
mod report;
mod rules;
pub mod scopes;
mod seen;
mod sending;
mod settle;
mod state;
mod steps;
mod tried;

pub use checkpoint::{PartCounts, PartsError};
pub use guard::{Guard, GuardSet};
pub use kinds::ACTION_KINDS;
pub use model::{EXPLORED, ModelSubject, Offered, Rollcall};
pub use reach::Reach;
pub use rules::{FIRST, first_peer};
pub use seen::Seen;
pub use sending::{may_ask, may_send};
pub use settle::next_to_settle;
pub use state::{STORES, State};
pub use tried::{LookedAt, Tried};
