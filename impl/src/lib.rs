//! A Multi-Raft store on raft-rs, sans-I/O.
//!
//! [`Store::step`] takes an [`Input`] and returns its [`Effects`]; what surrounds
//! it, a simulator, a replay or a process, has the clock, the threads, the disk and the
//! network. [`SyncedStore`] is a store on an engine, for whoever persists each step at once. Rules follow TiKV; each that somebody once left out is a
//! [`Guard`], and [`Store`] is generic over which hold. Who decides where
//! peers live is [`pd::PlacementDriver`], a machine of the same kind.
//!
//! A region of one replica elects itself and takes a value:
//!
//! ```
//! use std::sync::Arc;
//! use rollcall_impl::{
//!     Command, Config, Epoch, Input, Member, MemberRole, MemoryEngine, Region, Sound, SyncedStore,
//! };
//!
//! # fn main() -> Result<(), rollcall_impl::Error> {
//! let member = Member { id: 11, store: 1, role: MemberRole::Voter };
//! let region = Region {
//!     epoch: Epoch { conf_ver: 1, version: 1 },
//!     peers: vec![member],
//!     ..Region::unknown(7)
//! };
//! let mut store = SyncedStore::open(1, Config::SIMULATOR, Sound, MemoryEngine::new())?;
//! store.bootstrap(region)?;
//! store.step(Input::Campaign { region: 7 })?;
//! let (key, value): (Arc<[u8]>, Arc<[u8]>) = (Arc::from(*b"k"), Arc::from(*b"v"));
//! let command = Command::Put { key: key.clone(), value: value.clone() };
//! store.step(Input::Propose { region: 7, command, epoch: None })?;
//! let peer = store.peer(7).expect("it lives here");
//! assert_eq!((peer.applied(), peer.data().get(&key)), (7, Some(&value)));
//! # Ok(())
//! # }
//! ```

mod apply;
mod children;
mod codec;
mod command;
mod conf_change;
mod config;
pub mod ctl;
mod effects;
mod engine;
mod epoch_parts;
mod error;
mod force_leader;
mod guard;
mod input;
mod inputs;
mod lifecycle;
mod log;
mod merge;
mod message;
mod outgoing;
pub mod pd;
mod peer;
mod pending_messages;
mod position;
mod proposals;
mod propose;
mod raft_rs;
mod raft_storage;
mod ranges;
mod read;
mod recovery;
mod redb_engine;
mod region;
mod replica;
mod simulator;
mod size;
mod snapshot;
mod split;
mod split_check;
mod stale;
mod status;
mod step;
mod store;
mod synced_store;
mod transfer;
mod unsafe_recovery;
mod unsound;
mod waiting;

pub use codec::DecodeError;
pub use command::{Change, ChangeKind, Child, Command, Derive, Payload, RaftChange, Request};
pub use config::{Config, ConfigError};
pub use effects::{Due, Effects, Ticket};
pub use engine::{
    ApplyState, Creator, Engine, HardState, MemoryEngine, PeerRecord, PeerState, Persisted, Write,
};
pub use error::{EngineError, Error, Refusal, ReplicaError};
pub use guard::{Decider, Dropped, Guard, Guards, Lacking, Sound};
pub use input::{End, Input, Output};
pub use lifecycle::Tombstone;
pub use merge::command::{CarriedEntry, CommitMerge, MergeState, PrepareMerge};
pub use message::{Message, MessageError, MessagePayload};
pub use pd::IdAllocator;
pub use position::{INITIAL_POSITION, Position};
pub use raft::{StateRole, Storage, eraftpb};
pub use raft_rs::RaftRs;
pub use raft_storage::PeerStorage;
pub use ranges::RangeEntry;
pub use recovery::{ForceLeader, ForceLeaders, PeerReport, RecoveryPlan, StoreReport};
pub use redb_engine::RedbEngine;
pub use region::{Epoch, Key, KeyRange, Member, MemberRole, PeerId, Region, RegionId, StoreId, Value};
pub use replica::{AppendLimit, Innards, Ready, Replica};
pub use snapshot::body::SnapshotBody;
pub use status::{Mark, PeerStatus, ReadStatus};
pub use store::Store;
pub use synced_store::SyncedStore;
pub use waiting::{PeerRecovery, PlanUnderWay, StaleCheck};
