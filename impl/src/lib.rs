//! A Multi-Raft store on raft-rs, sans-I/O.
//!
//! [`Store::step`] takes an [`Input`] and returns its [`Effects`]. The caller (a simulator, a
//! replay or a process) has the clock, the threads, the disk and the network. [`SyncedStore`] is a
//! store with its engine, which persists each step at once. The rules follow TiKV. Each rule that
//! some system once lacked is a [`Guard`], and [`Store`] is generic over the guards that hold.
//! [`pd::PlacementDriver`], a state machine of the same kind, decides where peers live.
//!
//! A region with one replica elects it and writes a value:
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
mod config;
mod error;
mod guard;
mod merge;
pub mod pd;
mod peer;
mod proto;
mod raft_rs;
pub mod running;
mod storage;
mod store;
mod unsound;

pub use config::{Config, ConfigError};
pub use error::{EngineError, Error, Refusal, ReplicaError};
pub use guard::{Decider, Dropped, Guard, Guards, Lacking, Sound};
pub use pd::IdAllocator;
pub use peer::status::{Mark, PeerStatus, ReadStatus};
pub use peer::waiting::{PeerRecovery, PlanUnderWay, StaleCheck};
pub use proto::codec::DecodeError;
pub use proto::command::{Change, ChangeKind, Child, Command, Derive, Payload, RaftChange, Request};
pub use proto::merge::{CarriedEntry, CommitMerge, MergeState, PrepareMerge};
pub use proto::message::{Message, MessageError, MessagePayload};
pub use proto::position::{INITIAL_POSITION, Position};
pub use proto::recovery::{ForceLeader, ForceLeaders, PeerReport, RecoveryPlan, StoreReport};
pub use proto::region::{Epoch, Key, KeyRange, Member, MemberRole, PeerId, Region, RegionId, StoreId, Value};
pub use proto::snapshot::SnapshotBody;
pub use raft::{StateRole, Storage, eraftpb};
pub use raft_rs::RaftRs;
pub use raft_rs::raft_storage::PeerStorage;
pub use raft_rs::replica::{AppendLimit, Innards, Ready, Replica};
pub use storage::crash_disk::{CrashDisk, Crashes};
pub use storage::engine::{ApplyState, Creator, Engine, HardState, PeerRecord, PeerState, Persisted, Write};
pub use storage::memory_engine::{EngineCall, MemoryEngine};
pub use storage::redb_engine::RedbEngine;
pub use store::Store;
pub use store::ctl;
pub use store::effects::{Due, Effects, Ticket};
pub use store::input::{End, Input, Output};
pub use store::lifecycle::Tombstone;
pub use store::ranges::RangeEntry;
pub use store::synced_store::{SyncedStore, Unsynced};
