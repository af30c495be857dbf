//! A peer as it is seen: its Raft state, its region, and what it waits for.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::{Log, LogPosition};
use crate::recovery::PeerRecovery;
use crate::region::{Epoch, Key, Member, PeerId, Region, StoreId, Value};

/// One replica of one region on one store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Peer {
    /// Its id.
    pub id: PeerId,
    /// Where it stands in its life.
    pub state: PeerState,
    /// Of an uninitialised peer: a tombstone stood in its place. Until a
    /// snapshot comes the store knows of that end, and a split brings no peer here.
    #[serde(default, skip_serializing_if = "is_false")]
    #[serde(alias = "over_tombstone")]
    pub replaces_tombstone: bool,
    /// What it is in its term. Volatile.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// Whom it voted for in its term; 0 for nobody.
    pub vote: PeerId,
    /// Whom it takes for the leader of its term; 0 for nobody. Volatile.
    pub leader: PeerId,
    /// Its log.
    pub log: Log,
    /// The last index known to be committed.
    pub commit: u64,
    /// The commit index on disk, where that is behind `commit` and a crash takes
    /// `commit` back to it ([`crate::Scope::unsynced_commits`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_commit: Option<u64>,
    /// The last index that took effect.
    pub applied: u64,
    /// The region as of `applied`. A tombstone keeps the region as of its removal.
    pub region: Region,
    /// Of a merging peer: what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeState>,
    /// The region that took this one in, as it was before. Of a tombstone by what
    /// its own store knew; of a live peer by what another store said, volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<Region>,
    /// Of an uninitialised peer: by whose message it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Creator>,
    /// Whom it asks whether it is a member still, if a tombstone named members that
    /// it does not know itself. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_check: Option<StaleCheck>,
    /// From which epoch on it has followed its region entry by entry: that of its
    /// last snapshot, or every one of them. What it left before it never saw. A tombstone
    /// by a merge keeps it, beyond its own epoch where the peer had not given its region up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_since: Option<Epoch>,
    /// A snapshot that was received and is not applied. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// Set while it is a candidate. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Campaign>,
    /// Set while it leads. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leading: Option<Leading>,
    /// Of one that leads by force, or asks to: the stores whose votes and
    /// acknowledgements are made up (TiKV `ForceLeaderState`). Volatile.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failed_stores: BTreeSet<StoreId>,
    /// Of one that leads by force: what it has still to do for its store's plan. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<PeerRecovery>,
    /// A read under way. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Read>,
    /// The keys and values as of `applied`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Key, Value>,
}

impl Peer {
    /// A peer of which nothing is known but where it stands.
    pub fn blank(id: PeerId, state: PeerState, region: Region) -> Self {
        Self {
            id,
            state,
            replaces_tombstone: false,
            role: Role::Follower,
            term: 0,
            vote: 0,
            leader: 0,
            log: Log::default(),
            commit: 0,
            synced_commit: None,
            applied: 0,
            region,
            merge: None,
            merged_into: None,
            created_by: None,
            stale_check: None,
            log_since: None,
            snapshot: None,
            campaign: None,
            leading: None,
            failed_stores: BTreeSet::new(),
            recovery: None,
            read: None,
            data: BTreeMap::new(),
        }
    }

    /// Whether it leads by force, or asks to.
    pub fn is_by_force(&self) -> bool {
        !self.failed_stores.is_empty()
    }

    /// Whether it has a region: it is neither new nor destroyed.
    pub fn is_initialized(&self) -> bool {
        matches!(self.state, PeerState::Normal | PeerState::Merging)
    }

    /// Whether it is the tombstone of a peer that a merge ended.
    pub fn is_merged_away(&self) -> bool {
        self.state == PeerState::Tombstone && self.merged_into.is_some()
    }
}

/// Who sent the message that created a peer (TiKV `create_by_peer`), and knew that it is a
/// member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Creator {
    /// The sender.
    pub member: Member,
    /// The sender's epoch.
    pub epoch: Epoch,
}

/// The members of a newer configuration, as a tombstone named them (TiKV
/// `check_stale_conf_ver`, `check_stale_peers`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct StaleCheck {
    /// That configuration's.
    pub conf_ver: u64,
    /// Its members.
    pub peers: Vec<Member>,
}

/// What a merging region waits for (kvproto `MergeState`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct MergeState {
    /// Every replica has the entries before this one.
    pub min_index: u64,
    /// Into what, as it was when that was proposed: `CommitMerge` takes effect at
    /// this epoch and at no other.
    pub target: Region,
    /// The index of the `PrepareMerge`.
    pub commit: u64,
}

/// Where a peer stands in its life (kvproto `PeerState`, and what comes before it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// Created by a message; it knows neither range nor members and needs a snapshot.
    Uninitialised,
    /// It has a region.
    Normal,
    /// It has a region, which waits to be taken in by another.
    Merging,
    /// It was removed; only its id and its last region remain.
    Tombstone,
}

/// What a peer is in its term.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Follows, or waits.
    #[default]
    Follower,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_nothing(index: &u64) -> bool {
    *index == 0
}

/// The state of a region at one index, to be sent to a replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// The index and term that it stands for.
    pub position: LogPosition,
    /// The region.
    pub region: Region,
    /// The keys and values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Key, Value>,
}

/// What a candidate knows of its election.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Campaign {
    /// Its commit index and that entry's term when it asked: its requests carry them.
    pub commit: LogPosition,
    /// Where its log ended when it asked, as its requests say, if a merge has
    /// brought it more since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LogPosition>,
    /// Who granted, itself among them.
    pub granted: BTreeSet<PeerId>,
    /// Who rejected.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rejected: BTreeSet<PeerId>,
}

/// What only a leader has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Leading {
    /// The last index known to be on each member, itself among them.
    pub matched: BTreeMap<PeerId, u64>,
    /// The commit index that each other member is known to have (raft-rs
    /// `Progress::committed_index`), where anybody asks for it
    /// ([`crate::Scope::reports_commits`]).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub committed: BTreeMap<PeerId, u64>,
    /// Up to here a conf change may be under way.
    pub pending_conf_index: u64,
    /// The index of the last snapshot that it sent; 0 for none, or once every
    /// member is known to have reached it.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub sent_snapshot: u64,
    /// A transfer of leadership under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
}

/// A transfer of leadership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    /// Who shall lead.
    pub to: PeerId,
    /// Its `TimeoutNow` is under way.
    pub timeout_now: bool,
}

/// A read under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Read {
    /// The key.
    pub key: Key,
    /// The commit index that it took.
    pub index: u64,
    /// Who acknowledged it, itself among them; meaningless once `ready`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acks: BTreeSet<PeerId>,
    /// A quorum acknowledged it: it may be answered once `index` is applied.
    pub ready: bool,
}
