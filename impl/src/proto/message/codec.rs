//! The encoding of a message.
//!
//! The first byte is the format's version. A store with another version returns an error and
//! decodes nothing. A message above the limit is refused before it is decoded. Raft's own message
//! is encoded by protobuf, so what a library puts into unknown fields is kept. Left out: checksums,
//! which the transport has.

use protobuf::Message as _;
use raft::eraftpb;
use thiserror::Error;

use crate::proto::codec::{DecodeError, Reader, put_bytes, put_epoch, put_member, put_region, put_u64};
use crate::proto::message::{Message, MessagePayload};
use crate::proto::region::KeyRange;

/// The version of the format.
const VERSION: u8 = 1;

const RAFT: u8 = 0;
const GC_PEER: u8 = 1;
const MERGED: u8 = 2;
const CHECK_STALE_PEER: u8 = 3;
const CHECK_STALE_PEER_RESPONSE: u8 = 4;

/// Why a message cannot be encoded or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// It is too large.
    #[error("a message of {bytes} bytes; at most {limit} are taken")]
    TooLarge {
        /// Its size in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Its sender uses another version of the format.
    #[error("a message of format {found}; this store speaks format {VERSION}")]
    Version {
        /// The sender's version.
        found: u8,
    },
    /// It cannot be decoded.
    #[error("a message that cannot be read: {0}")]
    Damaged(#[from] DecodeError),
}

fn fits(bytes: usize, limit: u64) -> Result<(), MessageError> {
    let bytes = bytes as u64;
    if bytes > limit { Err(MessageError::TooLarge { bytes, limit }) } else { Ok(()) }
}

impl Message {
    /// Encodes the message.
    ///
    /// # Errors
    /// If it has more than `limit` bytes.
    ///
    /// # Panics
    /// If raft's message lacks a required field; it has none.
    pub fn encode(&self, limit: u64) -> Result<Vec<u8>, MessageError> {
        let mut out = vec![VERSION];
        put_u64(&mut out, self.region);
        put_member(&mut out, &self.from);
        put_member(&mut out, &self.to);
        put_epoch(&mut out, self.epoch);
        put_bytes(&mut out, &self.range.start);
        put_bytes(&mut out, &self.range.end);
        match &self.payload {
            MessagePayload::Raft(message) => {
                out.push(RAFT);
                let length = message.compute_size();
                fits(out.len() + length as usize, limit)?;
                put_u64(&mut out, u64::from(length));
                message.write_to_vec(&mut out).expect("raft's messages have no required fields");
            }
            MessagePayload::GcPeer(region) => {
                out.push(GC_PEER);
                put_region(&mut out, region);
            }
            MessagePayload::Merged(region) => {
                out.push(MERGED);
                put_region(&mut out, region);
            }
            MessagePayload::CheckStalePeer => out.push(CHECK_STALE_PEER),
            MessagePayload::CheckStalePeerResponse(peers) => {
                out.push(CHECK_STALE_PEER_RESPONSE);
                put_u64(&mut out, peers.len() as u64);
                peers.iter().for_each(|member| put_member(&mut out, member));
            }
        }
        fits(out.len(), limit)?;
        Ok(out)
    }

    /// Decodes a message.
    ///
    /// # Errors
    /// If the bytes are more than `limit`, have another version, or are no message.
    pub fn decode(bytes: &[u8], limit: u64) -> Result<Self, MessageError> {
        fits(bytes.len(), limit)?;
        let mut reader = Reader::new(bytes);
        let found = reader.u8("a message's format")?;
        if found != VERSION {
            return Err(MessageError::Version { found });
        }
        let region = reader.u64("a region id")?;
        let (from, to) = (reader.member()?, reader.member()?);
        let epoch = reader.epoch()?;
        let range = KeyRange { start: reader.bytes("a range")?, end: reader.bytes("a range")? };
        let payload = match reader.u8("a kind of message")? {
            RAFT => {
                let bytes = reader.slice("a raft message")?;
                let message = eraftpb::Message::parse_from_bytes(bytes);
                MessagePayload::Raft(Box::new(message.map_err(|_| reader.fail("a raft message"))?))
            }
            GC_PEER => MessagePayload::GcPeer(Box::new(reader.region()?)),
            MERGED => MessagePayload::Merged(Box::new(reader.region()?)),
            CHECK_STALE_PEER => MessagePayload::CheckStalePeer,
            CHECK_STALE_PEER_RESPONSE => {
                let count = reader.u64("a number of members")?;
                // No memory is reserved for a count that the bytes only claim.
                let members = (0..count).map(|_| reader.member()).collect::<Result<_, _>>()?;
                MessagePayload::CheckStalePeerResponse(members)
            }
            _ => return Err(reader.fail("a kind of message").into()),
        };
        reader.end("a message")?;
        Ok(Self { region, from, to, epoch, range, payload })
    }
}
