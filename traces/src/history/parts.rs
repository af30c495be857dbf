//! The parts of a history that a run records.

use serde::{Deserialize, Serialize};

/// The parts that a history carries. The others stay empty, so that states merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryParts {
    /// Who won the election of a term.
    pub leaders: bool,
    /// Entries that a peer knew to be committed.
    pub committed: bool,
    /// Every region meta, by epoch, and whether consecutive configurations share quorums.
    pub epochs: bool,
    /// Tombstones that are no longer visible.
    pub destroyed: bool,
    /// Writes that were applied, and those that a client knows.
    pub writes: bool,
    /// The lower bound for the result of each read under way. Needs `writes`.
    pub reads: bool,
    /// Whether the regions of the first state covered every key.
    pub cover: bool,
    /// Whether the parts of a split have what they inherit. Records nothing.
    pub lineage: bool,
    /// What PD knew when it buried a store, and whether its region records, burials and plans are
    /// legal.
    pub pd: bool,
}

impl HistoryParts {
    /// No parts.
    pub const NONE: Self = Self {
        leaders: false,
        committed: false,
        epochs: false,
        destroyed: false,
        writes: false,
        reads: false,
        cover: false,
        lineage: false,
        pd: false,
    };

    /// All parts.
    pub const ALL: Self = Self {
        leaders: true,
        committed: true,
        epochs: true,
        destroyed: true,
        writes: true,
        reads: true,
        cover: true,
        lineage: true,
        pd: true,
    };

    /// The union of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            leaders: self.leaders || other.leaders,
            committed: self.committed || other.committed,
            epochs: self.epochs || other.epochs,
            destroyed: self.destroyed || other.destroyed,
            writes: self.writes || other.writes,
            reads: self.reads || other.reads,
            cover: self.cover || other.cover,
            lineage: self.lineage || other.lineage,
            pd: self.pd || other.pd,
        }
    }
}
