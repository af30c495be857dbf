//! The encoding of what raft carries: commands in entries, regions and data in snapshots. It uses
//! variable-length integers and length-prefixed bytes, because every entry is decoded.
//!
//! Left out: checksums and versions. The transport and the disk have checksums, and the enclosing
//! format has a version.

use std::sync::Arc;

use thiserror::Error;

use crate::proto::region::{Epoch, Key, Member, MemberRole, Region};

/// Bytes that this crate has not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} at byte {at} cannot be read; the sender runs another version or the bytes are damaged")]
pub struct DecodeError {
    /// What was being decoded.
    pub what: &'static str,
    /// The offset in bytes.
    pub at: usize,
}

/// Appends an integer.
pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends bytes with their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends an epoch.
pub(crate) fn put_epoch(out: &mut Vec<u8>, epoch: Epoch) {
    put_u64(out, epoch.conf_ver);
    put_u64(out, epoch.version);
}

/// Appends a region.
pub(crate) fn put_region(out: &mut Vec<u8>, region: &Region) {
    put_u64(out, region.id);
    put_bytes(out, &region.start);
    put_bytes(out, &region.end);
    put_epoch(out, region.epoch);
    put_u64(out, region.peers.len() as u64);
    region.peers.iter().for_each(|member| put_member(out, member));
}

/// Appends a member.
pub(crate) fn put_member(out: &mut Vec<u8>, member: &Member) {
    put_u64(out, member.id);
    put_u64(out, member.store);
    out.push(match member.role {
        MemberRole::Voter => 0,
        MemberRole::Learner => 1,
        MemberRole::IncomingVoter => 2,
        MemberRole::DemotingVoter => 3,
    });
}

/// Reads from the beginning to the end.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn fail(&self, what: &'static str) -> DecodeError {
        DecodeError { what, at: self.at }
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.fail(what))?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(what)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.fail(what))
    }

    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<Arc<[u8]>, DecodeError> {
        self.slice(what).map(Arc::from)
    }

    pub(crate) fn slice(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.u64(what)?;
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let slice = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| self.fail(what))?;
        self.at += slice.len();
        Ok(slice)
    }

    pub(crate) fn epoch(&mut self) -> Result<Epoch, DecodeError> {
        Ok(Epoch { conf_ver: self.u64("an epoch")?, version: self.u64("an epoch")? })
    }

    pub(crate) fn region(&mut self) -> Result<Region, DecodeError> {
        let id = self.u64("a region id")?;
        let start: Key = self.bytes("a range")?;
        let end: Key = self.bytes("a range")?;
        let epoch = self.epoch()?;
        let count = self.u64("a number of members")?;
        let mut peers = Vec::new();
        for _ in 0..count {
            peers.push(self.member()?);
        }
        Ok(Region { id, start, end, epoch, peers })
    }

    pub(crate) fn member(&mut self) -> Result<Member, DecodeError> {
        let (id, store) = (self.u64("a member")?, self.u64("a member")?);
        let role = match self.u8("a member's role")? {
            0 => MemberRole::Voter,
            1 => MemberRole::Learner,
            2 => MemberRole::IncomingVoter,
            3 => MemberRole::DemotingVoter,
            _ => return Err(self.fail("a member's role")),
        };
        Ok(Member { id, store, role })
    }

    /// Checks that nothing follows.
    pub(crate) fn end(&self, what: &'static str) -> Result<(), DecodeError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.fail(what)) }
    }
}
