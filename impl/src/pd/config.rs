//! A placement driver's configuration: replicas, time and space.

use thiserror::Error;

/// A placement driver's configuration. Times are in ticks of its own clock; by default a tick is
/// ten seconds, the interval of store heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PdConfig {
    /// How many voters a region has (PD `max-replicas`).
    pub max_replicas: usize,
    /// A store without a heartbeat for longer than this is Disconnected (20 s).
    pub disconnected_after: u64,
    /// A store without a heartbeat for longer than this is Down (PD `max-store-down-time`, 30 min).
    pub down_after: u64,
    /// An operator that waits longer than this expires (3 s).
    pub operator_expiry: u64,
    /// The timeout of a step that moves data, such as adding a peer (10 min).
    pub slow_step: u64,
    /// The timeout of any other step; of a joint step once for each change and once more (60 s).
    pub fast_step: u64,
    /// How many of the checkers' operators may run at a time; others wait (PD
    /// `replica-schedule-limit`).
    pub schedule_limit: usize,
    /// How many of them may wait; no more are made (PD `scheduler-max-waiting-operator`).
    pub waiting_limit: usize,
    /// How full a store may be to get another peer, in percent (PD `low-space-ratio`).
    pub low_space_percent: u64,
    /// A store with fewer regions than `initial_regions` may be fuller, while
    /// more bytes than this are free (8 GiB; pd#3444).
    pub initial_space: u64,
    /// See `initial_space` (100).
    pub initial_regions: usize,
    /// How many ids are reserved on disk at a time (1,000); with 1 a restart loses none.
    pub id_step: u64,
}

/// Why a configuration is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PdConfigError {
    /// A region needs a voter.
    #[error("max_replicas must be above 0")]
    NoReplicas,
    /// A store is Disconnected before it is Down.
    #[error("down_after {down} must be above disconnected_after {disconnected}")]
    DownBeforeDisconnected {
        /// Ticks until Down.
        down: u64,
        /// Ticks until Disconnected.
        disconnected: u64,
    },
    /// Without a reserve no id can be allotted.
    #[error("id_step must be above 0")]
    NoIdStep,
    /// More than all of a store.
    #[error("low_space_percent {0} must be at most 100")]
    LowSpace(u64),
}

impl PdConfig {
    /// PD's own defaults, three replicas, ten seconds a tick.
    pub const DEFAULT: PdConfig = PdConfig {
        max_replicas: 3,
        disconnected_after: 2,
        down_after: 180,
        operator_expiry: 1,
        slow_step: 60,
        fast_step: 6,
        schedule_limit: 64,
        waiting_limit: 5,
        low_space_percent: 80,
        initial_space: 8 << 30,
        initial_regions: 100,
        id_step: 1000,
    };

    /// Validates the configuration.
    ///
    /// # Errors
    /// If a number rules out what depends on it.
    pub fn validate(&self) -> Result<(), PdConfigError> {
        if self.max_replicas == 0 {
            return Err(PdConfigError::NoReplicas);
        }
        if self.down_after <= self.disconnected_after {
            let (down, disconnected) = (self.down_after, self.disconnected_after);
            return Err(PdConfigError::DownBeforeDisconnected { down, disconnected });
        }
        if self.id_step == 0 {
            return Err(PdConfigError::NoIdStep);
        }
        if self.low_space_percent > 100 {
            return Err(PdConfigError::LowSpace(self.low_space_percent));
        }
        Ok(())
    }
}

impl Default for PdConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}
