//! Which parts of a history a run remembers.

use serde::{Deserialize, Serialize};

/// Which parts a history carries; the others stay empty, so that states merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryParts {
    /// Who won the election of a term.
    pub leaders: bool,
    /// Entries that somebody knew to be committed.
    pub committed: bool,
    /// Every region meta seen, by epoch, and whether consecutive quorums meet.
    pub epochs: bool,
    /// Where tombstones stood that are not shown any more.
    pub destroyed: bool,
    /// Writes that took effect, and those of them that a client knows of.
    pub writes: bool,
    /// What a read under way must not fall behind. Needs `writes`.
    pub reads: bool,
    /// Whether the first regions covered every key.
    pub cover: bool,
    /// Whether the parts of a split have what they inherit. Remembers nothing.
    pub lineage: bool,
    /// What the placement driver knew when it buried a store, and whether it
    /// believes, buries and plans as it may.
    pub pd: bool,
}

impl HistoryParts {
    /// No part at all.
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

    /// Every part.
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

    /// The parts of either.
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
