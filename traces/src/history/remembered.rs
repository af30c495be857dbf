//! What a history remembers of one region, and when each piece is forgotten.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::HistoryParts;
use crate::region::{Epoch, Key, PeerId, Region, RegionId, StoreId, Value};

/// What was in one region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct RegionHistory {
    /// Who won the election of a term, by term. Forgotten once no peer is
    /// behind the term or a candidate of it, and none may be born: it cannot be
    /// won again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leaders: BTreeMap<u64, Winner>,
    /// What somebody knew to be committed, by index. Forgotten once every
    /// initialised peer knows the index to be committed and none may be born. It
    /// follows from the logs unless a peer that knew is gone, so it adds few states.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub committed: BTreeMap<u64, Committed>,
    /// Every region meta seen, by ascending epoch. Forgotten once every
    /// initialised peer is beyond it and none may be born.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metas: Vec<Region>,
    /// The last epoch on a store that shows none now: its tombstone gave way
    /// to a peer that is not initialised, or is not to be seen.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub destroyed: BTreeMap<StoreId, Destroyed>,
    /// The writes that took effect, by key; in a region that was split off, what
    /// the parent held stands at the index where every replica begins. Forgotten
    /// once the key is in no initialised replica's range and none may be born.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub writes: BTreeMap<Key, KeyWrites>,
    /// For a read under way on a store: what a client knew of its key when the
    /// read was asked. Absent if nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<StoreId, PendingRead>,
}

impl RegionHistory {
    /// What is left of it without the other parts.
    pub(super) fn only(&self, parts: HistoryParts) -> Self {
        fn kept<T: Clone + Default>(carried: bool, part: &T) -> T {
            if carried { part.clone() } else { T::default() }
        }
        Self {
            leaders: kept(parts.leaders, &self.leaders),
            committed: kept(parts.committed, &self.committed),
            metas: kept(parts.epochs, &self.metas),
            destroyed: kept(parts.destroyed, &self.destroyed),
            writes: kept(parts.writes, &self.writes),
            reads: kept(parts.reads, &self.reads),
        }
    }
}

/// What a client knew of a key when a read of it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PendingRead {
    /// The index of the last write in the region; 0 for none.
    pub index: u64,
    /// A region with a write under a newer version than the asked peer has: the
    /// key went there by a split that the peer has not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_off: Option<RegionId>,
}

/// Who won an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Winner {
    /// Its store.
    pub store: StoreId,
    /// Its peer id.
    pub peer: PeerId,
}

/// An entry that somebody knew to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Committed {
    /// The entry's term.
    pub term: u64,
    /// The lowest term of a peer that knew. It was committed in that term or before.
    pub known_in: u64,
}

/// Where a store last stood in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destroyed {
    /// The id of the peer that it had.
    pub peer: PeerId,
    /// The epoch of that peer's tombstone.
    pub epoch: Epoch,
}

/// The writes of one key that took effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyWrites {
    /// The last one that a client knows of: its proposer applied it while it
    /// still led, or a read returned it. What a split handed over counts as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
    /// Those behind it that somebody applied, by ascending index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Write>,
}

impl KeyWrites {
    /// The write that a replica with `applied` shows, unless it shows one from
    /// before the acknowledged one.
    pub fn shown_at(&self, applied: u64) -> Option<&Write> {
        let acknowledged = self.acknowledged.as_ref().map(|acknowledged| &acknowledged.write);
        self.later.iter().rev().chain(acknowledged).find(|write| write.index <= applied)
    }
}

/// A write that took effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Write {
    /// The index of its entry.
    pub index: u64,
    /// The term of its entry.
    pub term: u64,
    /// The version of the region that it was made under.
    pub version: u64,
    /// The value; `None` for a `Delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// A write that a client knows of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Acknowledged {
    /// The write.
    pub write: Write,
    /// The term of the peer that answered the client. It was committed in that term or before.
    pub known_in: u64,
}
