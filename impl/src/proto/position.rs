//! A position in a log.

/// The index and term of one entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// The index.
    pub index: u64,
    /// The term.
    pub term: u64,
}

/// The log of a bootstrapped replica begins after this entry (TiKV `RAFT_INIT_LOG_TERM`,
/// `RAFT_INIT_LOG_INDEX`).
pub const INITIAL_POSITION: Position = Position { index: 5, term: 5 };
