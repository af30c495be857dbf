//! A region: its key range, its epoch and its members.
//!
//! Follows kvproto `metapb.Region`, `metapb.RegionEpoch` and `metapb.Peer`.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The id of a store, for its lifetime.
pub type StoreId = u64;
/// The id of a region, for its lifetime.
pub type RegionId = u64;
/// The id of a peer (one replica of one region on one store); 0 for none.
pub type PeerId = u64;

/// A key: any bytes, in bytewise order. Traces have it as lower-case hex.
///
/// As the end of a range, the empty key means "no end".
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<[u8]>);

/// A value: any bytes. Traces have it as lower-case hex.
pub type Value = Key;

impl Key {
    /// The empty key: as a start it is before every other key, as an end after every other.
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(Arc::from(text.as_bytes()))
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }
}

/// Printable keys are shown as text, others as hex.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) => f.write_str(text),
            _ if self.0.is_empty() => f.write_str("\"\""),
            _ => write!(f, "0x{}", hex(&self.0)),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let digits = text.as_bytes();
        if !digits.len().is_multiple_of(2) {
            return Err(D::Error::custom(format!("key `{text}` has an odd number of hex digits")));
        }
        let digit = |byte: u8| {
            (byte as char).to_digit(16).ok_or_else(|| {
                D::Error::custom(format!("key `{text}` is not hex: `{}`", byte.escape_ascii()))
            })
        };
        digits
            .chunks(2)
            .map(|pair| Ok((digit(pair[0])? * 16 + digit(pair[1])?) as u8))
            .collect::<Result<Vec<u8>, D::Error>>()
            .map(|bytes| Self(bytes.into()))
    }
}

/// How often a region's members (`conf_ver`) and range (`version`) have changed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Epoch {
    /// Incremented by every conf change; for a joint one, by the number of changes.
    pub conf_ver: u64,
    /// Incremented by splits and merges.
    pub version: u64,
}

impl Epoch {
    /// Whether either component is behind `other`'s (TiKV `is_epoch_stale`).
    pub fn is_stale_against(&self, other: &Epoch) -> bool {
        self.version < other.version || self.conf_ver < other.conf_ver
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{conf_ver {}, version {}}}", self.conf_ver, self.version)
    }
}

/// The role of a member in its region (kvproto `PeerRole`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Votes, and counts for the quorum.
    Voter,
    /// Only receives the log.
    Learner,
    /// Joint: a voter of the new configuration only.
    IncomingVoter,
    /// Joint: a voter of the old configuration only, a learner of the new.
    DemotingVoter,
}

/// One member of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// The peer's id.
    pub id: PeerId,
    /// Its store.
    pub store: StoreId,
    /// Its role.
    pub role: MemberRole,
}

/// A range of keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct KeyRange {
    /// The first key.
    pub start: Key,
    /// The end, which is excluded; empty for no end.
    pub end: Key,
}

impl Default for KeyRange {
    fn default() -> Self {
        Self { start: Key::empty(), end: Key::empty() }
    }
}

impl KeyRange {
    /// Whether it contains every key.
    pub fn is_whole(&self) -> bool {
        self.start.is_empty() && self.end.is_empty()
    }

    /// Whether the ranges have a key in common.
    pub fn overlaps(&self, other: &KeyRange) -> bool {
        self.overlaps_between(&other.start, &other.end)
    }

    /// Whether the range has a key in common with `start` (included) to `end` (excluded; empty for
    /// no end).
    pub fn overlaps_between(&self, start: &Key, end: &Key) -> bool {
        overlap((&self.start, &self.end), (start, end))
    }
}

fn overlap((start, end): (&Key, &Key), (other_start, other_end): (&Key, &Key)) -> bool {
    (other_end.is_empty() || start < other_end) && (end.is_empty() || other_start < end)
}

/// A region as one replica knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Region {
    /// The region's id.
    pub id: RegionId,
    /// The first key of the range.
    pub start: Key,
    /// The end of the range, which is excluded; empty for no end.
    pub end: Key,
    /// The epoch.
    pub epoch: Epoch,
    /// The members, in the order in which they joined.
    pub peers: Vec<Member>,
}

impl Region {
    /// A region of which only the id is known: epoch zero, no members.
    pub fn unknown(id: RegionId) -> Self {
        Self { id, start: Key::empty(), end: Key::empty(), epoch: Epoch::default(), peers: Vec::new() }
    }

    /// The member on `store`.
    pub fn member_on(&self, store: StoreId) -> Option<&Member> {
        self.peers.iter().find(|member| member.store == store)
    }

    /// The member with peer id `id`.
    pub fn member(&self, id: PeerId) -> Option<&Member> {
        self.peers.iter().find(|member| member.id == id)
    }

    /// Whether the range contains `key`.
    pub fn contains(&self, key: &Key) -> bool {
        *key >= self.start && (self.end.is_empty() || *key < self.end)
    }

    /// Whether the range contains `key` and does not start with it, as a split key must be.
    pub fn has_inside(&self, key: &Key) -> bool {
        self.contains(key) && *key != self.start
    }

    /// Whether the ranges have a key in common.
    pub fn overlaps(&self, other: &Region) -> bool {
        overlap((&self.start, &self.end), (&other.start, &other.end))
    }

    /// The range.
    pub fn range(&self) -> KeyRange {
        KeyRange { start: self.start.clone(), end: self.end.clone() }
    }

    /// Whether the configuration is joint.
    pub fn is_joint(&self) -> bool {
        self.peers
            .iter()
            .any(|member| matches!(member.role, MemberRole::IncomingVoter | MemberRole::DemotingVoter))
    }

    /// Voters of the old configuration if joint, of the only one otherwise.
    pub fn outgoing_voters(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers
            .iter()
            .filter(|member| matches!(member.role, MemberRole::Voter | MemberRole::DemotingVoter))
            .map(|member| member.id)
    }

    /// Voters of the new configuration if joint, of the only one otherwise.
    pub fn incoming_voters(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers
            .iter()
            .filter(|member| matches!(member.role, MemberRole::Voter | MemberRole::IncomingVoter))
            .map(|member| member.id)
    }

    /// Whether `peer` is a voter in either configuration.
    pub fn is_voter(&self, peer: PeerId) -> bool {
        self.member(peer).is_some_and(|member| member.role != MemberRole::Learner)
    }

    /// Whether the peers for which `acked` holds are a majority of the old and of the new
    /// configuration. A configuration without voters has no majority.
    pub fn has_quorum(&self, acked: impl Fn(PeerId) -> bool) -> bool {
        majority(self.outgoing_voters(), &acked) && majority(self.incoming_voters(), &acked)
    }
}

fn majority(voters: impl Iterator<Item = PeerId>, acked: impl Fn(PeerId) -> bool) -> bool {
    let (mut all, mut yes) = (0, 0);
    for voter in voters {
        all += 1;
        yes += usize::from(acked(voter));
    }
    yes > all / 2
}
