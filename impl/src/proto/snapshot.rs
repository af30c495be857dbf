//! The region and data that a snapshot carries, and a received one that waits.

use std::collections::BTreeMap;

use raft::eraftpb;

use crate::proto::codec::{DecodeError, Reader, put_bytes, put_region, put_u64};
use crate::proto::position::Position;
use crate::proto::region::{Key, Region, Value};

/// What a snapshot carries beside its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotBody {
    /// The region.
    pub region: Region,
    /// The data.
    pub data: BTreeMap<Key, Value>,
}

impl SnapshotBody {
    /// The raft snapshot of `region` and `data` as of `position`.
    pub(crate) fn encode(
        position: Position,
        region: &Region,
        data: &BTreeMap<Key, Value>,
        both_halves: bool,
    ) -> eraftpb::Snapshot {
        let mut bytes = Vec::with_capacity(64);
        put_region(&mut bytes, region);
        put_u64(&mut bytes, data.len() as u64);
        for (key, value) in data {
            put_bytes(&mut bytes, key);
            put_bytes(&mut bytes, value);
        }
        let mut snapshot = eraftpb::Snapshot { data: bytes.into(), ..Default::default() };
        let metadata = snapshot.mut_metadata();
        metadata.index = position.index;
        metadata.term = position.term;
        metadata.set_conf_state(region.conf_state(both_halves));
        snapshot
    }

    /// Reads what a snapshot carries.
    ///
    /// # Errors
    /// Where the bytes are not what this crate writes.
    pub fn decode(snapshot: &eraftpb::Snapshot) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(&snapshot.data);
        let region = reader.region()?;
        let count = reader.u64("a number of values")?;
        let mut data = BTreeMap::new();
        for _ in 0..count {
            data.insert(reader.bytes("a key")?, reader.bytes("a value")?);
        }
        reader.end("a snapshot")?;
        Ok(Self { region, data })
    }
}

/// A received snapshot that waits to be applied.
#[derive(Clone)]
pub(crate) struct Staged {
    /// What it stands for.
    pub(crate) position: Position,
    /// What it carries.
    pub(crate) body: SnapshotBody,
}
