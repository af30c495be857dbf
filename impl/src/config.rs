//! The configuration of a store.

use std::sync::LazyLock;

use slog::{Discard, Logger, o};
use thiserror::Error;

use crate::proto::command::Derive;

/// raft's log is discarded; its errors are returned as errors.
pub(crate) static LOGGER: LazyLock<Logger> = LazyLock::new(|| Logger::root(Discard, o!()));

/// The configuration of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The least number of ticks without a leader before a follower campaigns.
    pub election_tick: usize,
    /// Ticks between a leader's heartbeats.
    pub heartbeat_tick: usize,
    /// The election timeout of new peers in ticks. The caller draws it, because a store draws
    /// nothing. At least `election_tick`.
    pub drawn_election_tick: usize,
    /// If true, raft takes the timeout that was set last
    /// ([`Store::draw_election_tick`](crate::Store::draw_election_tick)) whenever it would draw
    /// one, in each term and role. If false, a peer keeps the timeout with which it was created.
    pub redraws_elections: bool,
    /// Whether a leader without an active quorum steps down.
    pub check_quorum: bool,
    /// Whether a candidate first asks if it could win.
    pub pre_vote: bool,
    /// A region with more bytes than this is split; [`Config::NEVER`] splits none.
    pub max_size: u64,
    /// About how many bytes the left region of such a split keeps.
    pub split_size: u64,
    /// After this many written bytes a leader checks its region's size (TiKV
    /// `region-split-check-diff`, a sixteenth of the split size).
    pub split_check_diff: u64,
    /// Which region of such a split keeps the id.
    pub split_derive: Derive,
    /// A region merges only if every replica is known to lack at most this many entries (TiKV
    /// `merge-max-log-gap`).
    pub merge_max_log_gap: u64,
    /// If true, a batch that only raises commit indexes is written without a sync (raft-rs
    /// `Ready::must_sync`). It becomes durable with the next one.
    pub unsynced_commits: bool,
    /// If true, a leader sends messages before its own batch is durable (the Raft thesis, 10.2.1).
    /// It then counts its own entries once they are durable, and some effects of a step happen in
    /// [`Store::persisted`](crate::Store::persisted). With replicas that cannot do that, all
    /// messages wait.
    pub early_appends: bool,
    /// Simulator only: a [`SyncedStore`](crate::SyncedStore) writes and does not sync, until it is
    /// told to ([`SyncedStore::sync`](crate::SyncedStore::sync)).
    pub late_persistence: bool,
    /// The most bytes of a message that the transport takes; [`Config::NEVER`] sets no limit (TiKV
    /// `raft-max-size-per-msg`, below `max-grpc-send-msg-len`).
    pub max_message_size: u64,
    /// The most bytes of a client's key; [`Config::NEVER`] sets no limit (TiKV
    /// `storage.max-key-size`).
    pub max_key_size: u64,
    /// The most bytes of a client's value; [`Config::NEVER`] sets no limit (TiKV
    /// `raft-entry-max-size`). With the key and an envelope it should fit into a message.
    pub max_value_size: u64,
}

/// Why a configuration is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Heartbeats must be more frequent than elections.
    #[error("heartbeat_tick {heartbeat} must be above 0 and below election_tick {election}")]
    Heartbeat {
        /// The ticks between heartbeats.
        heartbeat: usize,
        /// The ticks before an election.
        election: usize,
    },
    /// The drawn timeout is too short.
    #[error("drawn_election_tick {drawn} must be at least election_tick {election}")]
    Drawn {
        /// The drawn timeout in ticks.
        drawn: usize,
        /// The ticks before an election.
        election: usize,
    },
    /// A region after the split would be empty, or as large as before.
    #[error("split_size {split} must be above 0 and at most max_size {max}")]
    SplitSize {
        /// The size of the left part.
        split: u64,
        /// The size above which a region is split.
        max: u64,
    },
}

impl Config {
    /// A size that no region reaches.
    pub const NEVER: u64 = u64::MAX;

    /// The configuration of simulations: the shortest timeouts, and neither `check_quorum` nor
    /// `pre_vote`, which allows the most behaviours. Regions split only by command.
    pub const SIMULATOR: Config = Config {
        election_tick: 2,
        heartbeat_tick: 1,
        drawn_election_tick: 2,
        redraws_elections: false,
        check_quorum: false,
        pre_vote: false,
        max_size: Config::NEVER,
        split_size: Config::NEVER,
        split_check_diff: Config::NEVER,
        split_derive: Derive::Right,
        merge_max_log_gap: 10,
        unsynced_commits: false,
        early_appends: false,
        late_persistence: false,
        max_message_size: Config::NEVER,
        max_key_size: Config::NEVER,
        max_value_size: Config::NEVER,
    };

    /// Checks the configuration.
    ///
    /// # Errors
    /// If a timeout is too short for another, or a size is too small.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.heartbeat_tick == 0 || self.heartbeat_tick >= self.election_tick {
            return Err(ConfigError::Heartbeat {
                heartbeat: self.heartbeat_tick,
                election: self.election_tick,
            });
        }
        if self.drawn_election_tick < self.election_tick {
            return Err(ConfigError::Drawn { drawn: self.drawn_election_tick, election: self.election_tick });
        }
        if self.split_size == 0 || self.split_size > self.max_size {
            return Err(ConfigError::SplitSize { split: self.split_size, max: self.max_size });
        }
        Ok(())
    }

    /// raft's own configuration for a peer.
    pub(crate) fn raft(&self, id: u64, applied: u64) -> raft::Config {
        raft::Config {
            id,
            applied,
            election_tick: self.election_tick,
            heartbeat_tick: self.heartbeat_tick,
            min_election_tick: if self.redraws_elections {
                self.election_tick
            } else {
                self.drawn_election_tick
            },
            max_election_tick: if self.redraws_elections { usize::MAX } else { self.drawn_election_tick + 1 },
            // raft counts only entries; the sender counts the rest.
            max_size_per_msg: self.max_message_size,
            check_quorum: self.check_quorum,
            pre_vote: self.pre_vote,
            ..raft::Config::default()
        }
    }
}
