//! The visible state of a peer: its Raft state, its region, and what it waits for.

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
    /// Its state.
    pub state: PeerState,
    /// Uninitialised peer only: it replaced a tombstone. Until it gets a snapshot, the store
    /// remembers the tombstone and a split creates no peer here.
    #[serde(default, skip_serializing_if = "is_false")]
    #[serde(alias = "over_tombstone")]
    pub replaces_tombstone: bool,
    /// Its Raft role. Volatile.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// Its vote in this term; 0 for none.
    pub vote: PeerId,
    /// The leader that it knows in this term; 0 for none. Volatile.
    pub leader: PeerId,
    /// Its log.
    pub log: Log,
    /// The last index known to be committed.
    pub commit: u64,
    /// The commit index on disk, if it is behind `commit`. A crash takes `commit` back to it
    /// ([`crate::Scope::unsynced_commits`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_commit: Option<u64>,
    /// What a crash takes the peer back to, where not all of it is durable
    /// ([`crate::Scope::late_persistence`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable: Option<Box<Durable>>,
    /// The last index that was applied.
    pub applied: u64,
    /// The region as of `applied`. A tombstone keeps the region as of its removal.
    pub region: Region,
    /// Merging peer only: what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeState>,
    /// The region into which this one was merged, as it was before. A tombstone has it from its own
    /// store. A live peer has it from another store's message (volatile).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<Region>,
    /// Uninitialised peer only: the sender of the message that created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Creator>,
    /// The members that it asks whether it is still one. Set if a tombstone named members that it
    /// does not know itself. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_check: Option<StaleCheck>,
    /// The epoch since which it has applied its region's entries: that of its last snapshot; `None`
    /// if it has applied all of them. It did not see earlier changes. The tombstone of a merged peer
    /// keeps it. It lies beyond the tombstone's epoch if the peer had not applied `PrepareMerge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_since: Option<Epoch>,
    /// A received snapshot that is not applied. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// Present while it is a candidate. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Campaign>,
    /// Present while it leads. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leading: Option<Leading>,
    /// Forced leader or candidate only: the stores whose votes and acknowledgements are assumed
    /// (TiKV `ForceLeaderState`). Volatile.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failed_stores: BTreeSet<StoreId>,
    /// Forced leader only: what remains of its store's recovery plan. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<PeerRecovery>,
    /// The read under way. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Read>,
    /// The keys and values as of `applied`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Key, Value>,
}

impl Peer {
    /// A peer of which only this is known.
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
            durable: None,
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

    /// Whether it is a forced leader or candidate.
    pub fn is_by_force(&self) -> bool {
        !self.failed_stores.is_empty()
    }

    /// Whether it has a region: it is neither uninitialised nor a tombstone.
    pub fn is_initialized(&self) -> bool {
        matches!(self.state, PeerState::Normal | PeerState::Merging)
    }

    /// Whether it is the tombstone of a peer that a merge ended.
    pub fn is_merged_away(&self) -> bool {
        self.state == PeerState::Tombstone && self.merged_into.is_some()
    }
}

/// The durable part of what raft and ordinary entries write of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Durable {
    /// Its term.
    pub term: u64,
    /// Whom it voted for in that term; 0 for nobody.
    pub vote: PeerId,
    /// Its log.
    pub log: Log,
    /// The last index known to be committed.
    pub commit: u64,
    /// The last index that took effect.
    pub applied: u64,
    /// The keys and values as of `applied`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Key, Value>,
}

impl Durable {
    /// All of a peer, as if it were durable.
    pub fn all_of(peer: &Peer) -> Self {
        let Peer { term, vote, log, commit, applied, data, .. } = peer;
        Self {
            term: *term,
            vote: *vote,
            log: log.clone(),
            commit: *commit,
            applied: *applied,
            data: data.clone(),
        }
    }

    /// Whether that is all of the peer.
    pub fn is_all_of(&self, peer: &Peer) -> bool {
        (self.term, self.vote, self.commit, self.applied) == (peer.term, peer.vote, peer.commit, peer.applied)
            && self.log == peer.log
            && self.data == peer.data
    }
}

/// The sender of the message that created a peer (TiKV `create_by_peer`). It knows that the peer is
/// a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Creator {
    /// The sender.
    pub member: Member,
    /// The sender's epoch.
    pub epoch: Epoch,
}

/// The members of a newer configuration, as a tombstone named them (TiKV `check_stale_conf_ver`,
/// `check_stale_peers`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct StaleCheck {
    /// The `conf_ver` of that configuration.
    pub conf_ver: u64,
    /// Its members.
    pub peers: Vec<Member>,
}

/// What a merging peer waits for (kvproto `MergeState`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct MergeState {
    /// Every replica has the entries before this index.
    pub min_index: u64,
    /// The target region when `PrepareMerge` was proposed. `CommitMerge` takes effect only at this
    /// epoch.
    pub target: Region,
    /// The index of the `PrepareMerge`.
    pub commit: u64,
}

/// The state of a peer (kvproto `PeerState`, and uninitialised before that).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// Created by a message. It knows neither range nor members and needs a snapshot.
    Uninitialised,
    /// It has a region.
    Normal,
    /// It has a region, and waits for the merge into another.
    Merging,
    /// It was removed. Only its id and its last region remain.
    Tombstone,
}

/// The Raft role of a peer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Follows a leader, or waits for one.
    #[default]
    Follower,
    /// Requests votes.
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

/// The state of a region at one index, for a replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// The index and term of the snapshot.
    pub position: LogPosition,
    /// The region.
    pub region: Region,
    /// The keys and values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Key, Value>,
}

/// The state of a candidate's election.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Campaign {
    /// Its commit index when it campaigned, and that entry's term. Its vote requests carry them.
    pub commit: LogPosition,
    /// The end of its log when it campaigned, as in its vote requests. Present if a merge has
    /// appended entries since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LogPosition>,
    /// The peers that granted their vote, including itself.
    pub granted: BTreeSet<PeerId>,
    /// The peers that rejected.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rejected: BTreeSet<PeerId>,
}

/// The volatile state of a leader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Leading {
    /// For each member, the last index that it is known to have, including itself.
    pub matched: BTreeMap<PeerId, u64>,
    /// For each other member, the commit index that it is known to have (raft-rs
    /// `Progress::committed_index`). Present if the scope shows it
    /// ([`crate::Scope::reports_commits`]).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub committed: BTreeMap<PeerId, u64>,
    /// A conf change may be pending up to this index.
    pub pending_conf_index: u64,
    /// The index of the last snapshot that it sent; 0 for none, or once every member has reached
    /// it.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub sent_snapshot: u64,
    /// The leadership transfer under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
}

/// A leadership transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    /// The transferee.
    pub to: PeerId,
    /// Whether its `TimeoutNow` was sent and has not arrived.
    pub timeout_now: bool,
}

/// A read under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Read {
    /// The key.
    pub key: Key,
    /// The commit index when it was asked.
    pub index: u64,
    /// The peers that acknowledged it, including itself; meaningless once `ready`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acks: BTreeSet<PeerId>,
    /// A quorum acknowledged it. It is answered once `index` is applied.
    pub ready: bool,
}
