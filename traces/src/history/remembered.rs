//! The history of one region, and when each record is forgotten.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::HistoryParts;
use crate::region::{Epoch, Key, PeerId, Region, RegionId, StoreId, Value};

/// The history of one region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct RegionHistory {
    /// Who won the election of a term, by term. Forgotten once no peer is in an older term or a
    /// candidate of it, and none may be created: it cannot be won again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leaders: BTreeMap<u64, Winner>,
    /// Entries that a peer knew to be committed, by index. Forgotten once every initialised peer
    /// knows the index to be committed and none may be created. The logs show it unless the peer
    /// that knew is gone, so it adds few states.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub committed: BTreeMap<u64, Committed>,
    /// Every region meta, by ascending epoch. Forgotten once every initialised peer is beyond it
    /// and none may be created.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metas: Vec<Region>,
    /// The last epoch on a store that shows none now: an uninitialised peer replaced its tombstone,
    /// or the tombstone is not visible.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub destroyed: BTreeMap<StoreId, Destroyed>,
    /// The applied writes, by key. For a region created by a split, the parent's data stand at the
    /// index where every replica starts. Forgotten once the key is in no initialised replica's
    /// range and no replica may be created.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub writes: BTreeMap<Key, KeyWrites>,
    /// For a read under way on a store: what a client knew of its key when the read was asked.
    /// Absent if nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<StoreId, PendingRead>,
}

impl RegionHistory {
    /// The history with only these parts.
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

/// What a client knew of a key when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PendingRead {
    /// The index of the last write in the region; 0 for none.
    pub index: u64,
    /// A region with a write under a newer version than the asked peer's: a split that the peer has
    /// not applied moved the key there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_off: Option<RegionId>,
}

/// The winner of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Winner {
    /// Its store.
    pub store: StoreId,
    /// Its peer id.
    pub peer: PeerId,
}

/// An entry that a peer knew to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Committed {
    /// The entry's term.
    pub term: u64,
    /// The lowest term of a peer that knew. The entry was committed in that term or before.
    pub known_in: u64,
}

/// The last peer of a region on a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destroyed {
    /// The peer's id.
    pub peer: PeerId,
    /// The epoch of its tombstone.
    pub epoch: Epoch,
}

/// The applied writes of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyWrites {
    /// The last write that a client knows: its proposer applied it while it still led, or a read
    /// returned it. Data handed over by a split count as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
    /// The later writes that some peer applied, by ascending index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Write>,
}

impl KeyWrites {
    /// The write that a replica with `applied` shows, unless it shows one from before the
    /// acknowledged one.
    pub fn shown_at(&self, applied: u64) -> Option<&Write> {
        let acknowledged = self.acknowledged.as_ref().map(|acknowledged| &acknowledged.write);
        self.later.iter().rev().chain(acknowledged).find(|write| write.index <= applied)
    }
}

/// An applied write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Write {
    /// The index of its entry.
    pub index: u64,
    /// The term of its entry.
    pub term: u64,
    /// The region's version under which it was proposed.
    pub version: u64,
    /// The value; `None` for a `Delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// A write that a client knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Acknowledged {
    /// The write.
    pub write: Write,
    /// The term of the peer that answered the client. The write was committed in that term or
    /// before.
    pub known_in: u64,
}
