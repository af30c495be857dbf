//! The encoding of a peer's record.

use crate::proto::codec::{DecodeError, Reader, put_epoch, put_member, put_region, put_u64};
use crate::proto::merge::MergeState;
use crate::storage::engine::{Creator, PeerRecord, PeerState};

pub(super) fn encode(record: &PeerRecord) -> Vec<u8> {
    let PeerRecord { id, state, region, replaces_tombstone, created_by, merge, log_since } = record;
    let mut out = Vec::new();
    put_u64(&mut out, *id);
    out.push(match state {
        PeerState::Uninitialised => 0,
        PeerState::Normal => 1,
        PeerState::Merging => 2,
        PeerState::Tombstone => 3,
    });
    put_region(&mut out, region);
    out.push(u8::from(*replaces_tombstone));
    out.push(u8::from(created_by.is_some()));
    if let Some(Creator { member, epoch }) = created_by {
        put_member(&mut out, member);
        put_epoch(&mut out, *epoch);
    }
    out.push(u8::from(merge.is_some()));
    if let Some(MergeState { min_index, target, commit }) = merge.as_deref() {
        put_u64(&mut out, *min_index);
        put_region(&mut out, target);
        put_u64(&mut out, *commit);
    }
    out.push(u8::from(log_since.is_some()));
    if let Some(epoch) = log_since {
        put_epoch(&mut out, *epoch);
    }
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<PeerRecord, DecodeError> {
    let mut reader = Reader::new(bytes);
    let id = reader.u64("a peer's id")?;
    let state = match reader.u8("a peer's state")? {
        0 => PeerState::Uninitialised,
        1 => PeerState::Normal,
        2 => PeerState::Merging,
        3 => PeerState::Tombstone,
        _ => return Err(reader.fail("a peer's state")),
    };
    let region = reader.region()?;
    let replaces_tombstone = is(&mut reader, "what it replaces")?;
    let created_by = match is(&mut reader, "a creator")? {
        true => Some(Creator { member: reader.member()?, epoch: reader.epoch()? }),
        false => None,
    };
    let merge = match is(&mut reader, "a merge")? {
        true => {
            let (min_index, target) = (reader.u64("an index")?, reader.region()?);
            Some(Box::new(MergeState { min_index, target, commit: reader.u64("an index")? }))
        }
        false => None,
    };
    let log_since = match is(&mut reader, "an epoch")? {
        true => Some(reader.epoch()?),
        false => None,
    };
    reader.end("a peer's record")?;
    Ok(PeerRecord { id, state, region, replaces_tombstone, created_by, merge, log_since })
}

fn is(reader: &mut Reader<'_>, what: &'static str) -> Result<bool, DecodeError> {
    match reader.u8(what)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(reader.fail(what)),
    }
}
