//! The shared dictionary of Rollcall.
//!
//! Everything that can happen is an [`Action`]; everything that can be seen is
//! a [`View`]; what an action came to is an [`Outcome`]. A trace is a list of
//! actions with the outcome and the view filled in after each. The model and
//! the implementation never see each other: both speak this dictionary, so one
//! trace drives either, and one comparison serves both directions.

mod action;
mod cluster;
mod outcome;
mod region;
mod scope;
mod subject;
mod view;

pub use action::{Action, Answer, Change, ChangeKind, Command, Entries, Outgoing};
pub use cluster::Cluster;
pub use outcome::{Outcome, Reason, Returned};
pub use region::{Epoch, Key, Member, MemberRole, PeerId, Region, RegionId, StoreId, Value};
pub use scope::{Budgets, Scope, ScopeError};
pub use subject::Subject;
pub use view::{
    Campaign, Entry, Held, Leading, Log, LogPosition, Message, Peer, PeerState, RangeEntry, Read, Role,
    Snapshot, Store, StoreStatus, Transfer, View,
};
