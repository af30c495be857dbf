//! A region: its key range, its epoch, its members, and its raft configuration.
//!
//! Follows kvproto `metapb`. raft's configuration is never stored: it is derived from the members'
//! roles, as in TiKV (`TiKV util.rs conf_state_from_region`).

use std::sync::Arc;

use raft::eraftpb::ConfState;

/// Identifies a store for its lifetime.
pub type StoreId = u64;
/// Identifies a region for its lifetime.
pub type RegionId = u64;
/// Identifies one replica of one region on one store; 0 is no peer.
pub type PeerId = u64;
/// A key; keys are ordered bytewise. As the end of a range, the empty key means no end.
pub type Key = Arc<[u8]>;
/// A value.
pub type Value = Arc<[u8]>;

/// Counters of changes of the members (`conf_ver`) and of the range (`version`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Epoch {
    /// Raised by conf changes.
    pub conf_ver: u64,
    /// Raised by split and merge.
    pub version: u64,
}

impl Epoch {
    /// Whether either part is lower (`TiKV util.rs is_epoch_stale`).
    pub fn is_stale_against(&self, other: &Epoch) -> bool {
        self.version < other.version || self.conf_ver < other.conf_ver
    }
}

/// A member's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberRole {
    /// Votes and counts for the quorum.
    Voter,
    /// Receives the log only.
    Learner,
    /// In a joint configuration, a voter of the incoming half only.
    IncomingVoter,
    /// In a joint configuration, a voter of the outgoing half that becomes a learner.
    DemotingVoter,
}

/// One member of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// The peer's id.
    pub id: PeerId,
    /// Its store.
    pub store: StoreId,
    /// Its role.
    pub role: MemberRole,
}

/// A range of keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRange {
    /// The first key.
    pub start: Key,
    /// The first key beyond it; empty for no end.
    pub end: Key,
}

impl KeyRange {
    /// The whole key space.
    pub fn whole() -> Self {
        let nowhere: Key = Arc::from([]);
        Self { start: nowhere.clone(), end: nowhere }
    }

    /// Whether the key lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        *key >= *self.start && (self.end.is_empty() || *key < *self.end)
    }

    /// Whether the ranges share a key.
    pub fn overlaps(&self, other: &KeyRange) -> bool {
        (other.end.is_empty() || self.start < other.end) && (self.end.is_empty() || other.start < self.end)
    }
}

/// A region as one replica knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// The region's id.
    pub id: RegionId,
    /// The first key of the range.
    pub start: Key,
    /// The first key beyond it; empty for no end.
    pub end: Key,
    /// The epoch.
    pub epoch: Epoch,
    /// The members, in the order in which they joined.
    pub peers: Vec<Member>,
}

impl Region {
    /// A region of which only the id is known.
    pub fn unknown(id: RegionId) -> Self {
        let nowhere: Key = Arc::from([]);
        Self { id, start: nowhere.clone(), end: nowhere, epoch: Epoch::default(), peers: Vec::new() }
    }

    /// The member with this peer id.
    pub fn member(&self, id: PeerId) -> Option<&Member> {
        self.peers.iter().find(|member| member.id == id)
    }

    /// The member on this store.
    pub fn member_on(&self, store: StoreId) -> Option<&Member> {
        self.peers.iter().find(|member| member.store == store)
    }

    /// Whether the key lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        *key >= *self.start && (self.end.is_empty() || *key < *self.end)
    }

    /// The range.
    pub fn range(&self) -> KeyRange {
        KeyRange { start: self.start.clone(), end: self.end.clone() }
    }

    /// Whether the region has a joint configuration.
    pub fn is_joint(&self) -> bool {
        self.peers
            .iter()
            .any(|member| matches!(member.role, MemberRole::IncomingVoter | MemberRole::DemotingVoter))
    }

    /// Whether the peer is a voter of either half.
    pub fn is_voter(&self, id: PeerId) -> bool {
        self.member(id).is_some_and(|member| member.role != MemberRole::Learner)
    }

    /// The number of voters of either half.
    pub(crate) fn voter_count(&self) -> usize {
        self.peers.iter().filter(|member| member.role != MemberRole::Learner).count()
    }

    /// The raft configuration of these members: both halves, or their union for a store without
    /// `joint_needs_both_majorities`.
    pub(crate) fn conf_state(&self, both_halves: bool) -> ConfState {
        let mut state = ConfState::default();
        let joint = both_halves && self.is_joint();
        for member in &self.peers {
            match member.role {
                MemberRole::Voter => {
                    state.mut_voters().push(member.id);
                    if joint {
                        state.mut_voters_outgoing().push(member.id);
                    }
                }
                MemberRole::Learner => state.mut_learners().push(member.id),
                MemberRole::IncomingVoter => state.mut_voters().push(member.id),
                MemberRole::DemotingVoter if !both_halves => state.mut_voters().push(member.id),
                MemberRole::DemotingVoter => {
                    state.mut_voters_outgoing().push(member.id);
                    state.mut_learners_next().push(member.id);
                }
            }
        }
        state
    }
}
