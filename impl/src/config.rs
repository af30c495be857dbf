//! How a store runs raft.

use std::sync::LazyLock;

use slog::{Discard, Logger, o};
use thiserror::Error;

use crate::proto::command::Derive;

/// raft's log lines are not wanted; its errors arrive as errors.
pub(crate) static LOGGER: LazyLock<Logger> = LazyLock::new(|| Logger::root(Discard, o!()));

/// How a store runs raft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Ticks without a leader before a follower campaigns, at least.
    pub election_tick: usize,
    /// Ticks between a leader's heartbeats.
    pub heartbeat_tick: usize,
    /// The election timeout of peers created from now on, in ticks: drawn by
    /// the caller, because a store draws nothing. At least `election_tick`.
    pub drawn_election_tick: usize,
    /// Whenever raft would draw a timeout (in each term, and in each role), it is what was
    /// handed in last ([`Store::draw_election_tick`](crate::Store::draw_election_tick)). If
    /// not, a peer keeps the one that it was created with.
    pub redraws_elections: bool,
    /// A leader without an active quorum steps down.
    pub check_quorum: bool,
    /// A candidate asks first whether it could win.
    pub pre_vote: bool,
    /// A region of more bytes than this is split; [`Config::NEVER`] for none.
    pub max_size: u64,
    /// About how many bytes the left part of such a split keeps.
    pub split_size: u64,
    /// After so many written bytes a leader looks at its region's size (TiKV
    /// `region-split-check-diff`, a sixteenth of the split size).
    pub split_check_diff: u64,
    /// Which part of such a split keeps the region's id.
    pub split_derive: Derive,
    /// A region merges only if no replica is known to miss more entries than
    /// this (TiKV `merge-max-log-gap`).
    pub merge_max_log_gap: u64,
    /// A batch that raises commit indexes alone is written and not synced (raft-rs
    /// `Ready::must_sync`): it is durable with the next one.
    pub unsynced_commits: bool,
    /// A leader's messages need not wait for its own batch (the Raft thesis, 10.2.1). Then it
    /// counts its own entries once they are durable, and takes part of a step's effect
    /// when [`Store::persisted`](crate::Store::persisted) says so. Of replicas that cannot do
    /// that, all messages wait.
    pub early_appends: bool,
    /// How many bytes the transport takes of one message; [`Config::NEVER`] for
    /// any number (TiKV `raft-max-size-per-msg`, below `max-grpc-send-msg-len`).
    pub max_message_size: u64,
}

/// A configuration that raft would refuse.
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
        /// What was drawn.
        drawn: usize,
        /// The ticks before an election.
        election: usize,
    },
    /// A part that is split off would be empty, or as big as what was split.
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

    /// What a simulator uses: the shortest timeouts, and neither `check_quorum`
    /// nor `pre_vote`, which admits the most behaviours. Regions split by
    /// order alone.
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
        max_message_size: Config::NEVER,
    };

    /// Whether raft would take it.
    ///
    /// # Errors
    /// Where a timeout is too short for another, or a size too small.
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
            // raft counts entries alone; the rest is the sender's to count.
            max_size_per_msg: self.max_message_size,
            check_quorum: self.check_quorum,
            pre_vote: self.pre_vote,
            ..raft::Config::default()
        }
    }
}
