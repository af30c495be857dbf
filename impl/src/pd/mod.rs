//! The placement driver: what it knows, and what it orders.
//!
//! A sans-I/O state machine like the store: [`PlacementDriver::step`] takes a [`PdInput`] and
//! returns [`PdOutput`]s. It has no clock (time is [`PdInput::Tick`]), no thread and no randomness.
//! It never sees a replica: it knows of a region only what a peer reported as its leader, and its
//! orders take effect only if that peer leads.
//!
//! Follows tikv/pd since v6.1 with placement rules: one rule, a number of voters. Online unsafe
//! recovery is in `pd/recovery`. Left out: merging, balancing, labels and witnesses, and
//! `Preparing`, which a store of this size leaves at once.

mod allocator;
mod builder;
mod checker;
mod config;
mod driver;
mod engine;
mod error;
mod handlers;
mod input;
mod operator;
mod operators;
mod recovery;
mod redb_engine;
mod regions;
mod step;
mod store;
mod targets;

pub use allocator::IdAllocator;
pub use config::{PdConfig, PdConfigError};
pub use driver::PlacementDriver;
pub use engine::{PdEngine, PdMemoryEngine, PdPersisted, PdWrite};
pub use error::{PdError, PdRefusal, Subject};
pub use input::{AdminOperator, Dispatch, PdInput, PdOutput};
pub use operator::{Operator, OperatorEnd, Priority, Purpose};
pub use recovery::state::{Recovery, RecoveryStage};
pub use recovery::{Standing, force_leader};
pub use redb_engine::PdRedbEngine;
pub use regions::{KnownRegion, RegionReport};
pub use step::{OperatorStep, Order, Seat, StaleOperator};
pub use store::{Liveness, NodeState, StoreInfo, StoreRecord, StoreState, StoreStats};
pub use targets::Unfit;
