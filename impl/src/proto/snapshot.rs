//! The region and data of a snapshot, and a received snapshot that is not applied.

use std::collections::BTreeMap;

use raft::eraftpb;

use crate::proto::codec::{DecodeError, Reader, put_bytes, put_region, put_u64};
use crate::proto::position::Position;
use crate::proto::region::{Key, Region, Value};

/// The content of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotBody {
    /// The region.
    pub region: Region,
    /// The data.
    pub data: BTreeMap<Key, Value>,
}

impl SnapshotBody {
    /// The raft snapshot of `region` and `data` at `position`.
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

    /// Decodes a snapshot's content.
    ///
    /// # Errors
    /// If the bytes were not written by this crate.
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

/// A received snapshot that is not applied.
#[derive(Clone)]
pub(crate) struct Staged {
    /// Its position.
    pub(crate) position: Position,
    /// Its content.
    pub(crate) body: SnapshotBody,
}
