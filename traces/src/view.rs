//! Everything that can be seen of a cluster between two actions.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::{Child, Command, Derive};
use crate::pd::{Order, PlacementDriver};
use crate::recovery::{PeerRecovery, PeerReport, PlanUnderWay, RecoveryPlan};
use crate::region::{Epoch, Key, KeyRange, Member, MemberRole, PeerId, Region, RegionId, StoreId, Value};

/// A cluster, seen between two actions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// The stores.
    pub stores: BTreeMap<StoreId, Store>,
    /// The messages held to arrive late, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// The placement driver.
    #[serde(default, skip_serializing_if = "PlacementDriver::is_absent")]
    pub pd: PlacementDriver,
}

/// A store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Store {
    /// Whether it runs.
    pub status: StoreStatus,
    /// Its peers and the tombstones of those it had. Of a store that is down
    /// this is what it will come back with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub peers: BTreeMap<RegionId, Peer>,
    /// The index from key range to region, in key order: initialised peers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<RangeEntry>,
    /// The ranges of snapshots that were received and are not applied, by region
    /// (TiKV `pending_snapshot_regions`). Volatile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_ranges: Vec<RangeEntry>,
    /// First messages for peers that a split will bring, oldest first. Volatile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(alias = "parked")]
    pub pending_messages: Vec<Held>,
    /// The plan of an unsafe recovery that it carries out. Volatile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanUnderWay>,
}

/// Whether a store runs.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StoreStatus {
    /// Its process runs.
    #[default]
    Up,
    /// Its process does not run; its disk is there.
    Down,
    /// Its disk is gone for good.
    #[serde(alias = "destroyed")]
    DiskLost,
}

/// One entry of a store's range index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct RangeEntry {
    /// The first key of the range.
    pub start: Key,
    /// The first key beyond it; empty for no end.
    pub end: Key,
    /// Whose range it is.
    pub region: RegionId,
}

impl RangeEntry {
    /// The range that the region will have once the peer applies what it received.
    pub fn pending(peer: &Peer) -> Option<Self> {
        let Region { id, start, end, .. } = &peer.snapshot.as_ref()?.region;
        Some(Self { start: start.clone(), end: end.clone(), region: *id })
    }
}

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
    /// Whom it asks whether it is a member still, if a tombstone told it of members that
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

/// The index and term of one log entry.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct LogPosition {
    /// The index.
    pub index: u64,
    /// The term.
    pub term: u64,
}

/// A raft log: what was discarded, and the entries behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Log {
    /// The last discarded entry; index 0 for an empty log that discarded nothing.
    pub truncated: LogPosition,
    /// The entries from `truncated.index + 1` on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
}

impl Log {
    /// The index of the last entry, discarded or not.
    pub fn last_index(&self) -> u64 {
        self.truncated.index + self.entries.len() as u64
    }

    /// The term of the last entry, discarded or not.
    pub fn last_term(&self) -> u64 {
        self.entries.last().map_or(self.truncated.term, |entry| entry.term)
    }

    /// The term of the entry at `index`; `None` where it is discarded or not there.
    /// The last discarded entry's term is known.
    pub fn term(&self, index: u64) -> Option<u64> {
        if index == self.truncated.index {
            return Some(self.truncated.term);
        }
        self.entry(index).map(|entry| entry.term)
    }

    /// The entry at `index`; `None` where it is discarded or not there.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        let offset = index.checked_sub(self.truncated.index + 1)?;
        self.entries.get(offset as usize)
    }

    /// The entries with their indexes.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        (self.truncated.index + 1..).zip(&self.entries)
    }

    /// The regions that the entries behind `index` take in by a `CommitMerge`.
    pub fn merged_after(&self, index: u64) -> impl Iterator<Item = RegionId> {
        let entries = self.iter().filter(move |(at, _)| *at > index);
        entries.filter_map(|(_, entry)| match &entry.command {
            Some(Command::CommitMerge { source, .. }) => Some(source.id),
            _ => None,
        })
    }
}

/// One log entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The term in which it was proposed.
    pub term: u64,
    /// What it carries; `None` for the empty entry of a new leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// The epoch that it was proposed under; zero for an empty entry.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: Epoch,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_nothing(index: &u64) -> bool {
    *index == 0
}

fn is_zero(epoch: &Epoch) -> bool {
    *epoch == Epoch::default()
}

impl Entry {
    /// Takes effect by an `Apply` of its own.
    pub fn is_admin(&self) -> bool {
        self.command.as_ref().is_some_and(Command::is_admin)
    }

    /// Changes the members.
    pub fn is_conf_change(&self) -> bool {
        self.command.as_ref().is_some_and(Command::is_conf_change)
    }
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
    /// ([`crate::Scope::tells_commits`]).
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

/// The placement driver as sender or receiver: no peer, on no store.
const PD: Member = Member { id: 0, store: 0, role: MemberRole::Learner };

/// A message that is under way and may arrive at any time. One from the
/// placement driver has peer and store 0 for its sender, and the epoch that it
/// was asked under or knows; one to it has them for its receiver.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// The region.
    pub region: RegionId,
    /// The sender, with its role in its own configuration.
    pub from: Member,
    /// The receiver as the sender knows it.
    pub to: Member,
    /// The sender's term; 0 for what no raft sends.
    pub term: u64,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// The range of the sender's region: who creates a peer from it must have it free.
    #[serde(default, skip_serializing_if = "KeyRange::is_whole")]
    pub range: KeyRange,
    /// What it says.
    pub message: Message,
}

impl Held {
    /// The placement driver's answer to the leader `to` of a region that asked
    /// under `epoch`.
    pub fn ask_split_response(
        region: RegionId,
        to: Member,
        epoch: Epoch,
        children: Vec<Child>,
        derive: Derive,
    ) -> Self {
        Self::of_pd(region, PD, to, 0, epoch, Message::AskSplitResponse { children, derive })
    }

    /// What the placement driver tells the leader `to` of a region, by the
    /// epoch that it knows.
    pub fn order(region: RegionId, to: Member, epoch: Epoch, order: Order) -> Self {
        Self::of_pd(region, PD, to, 0, epoch, Message::Order(order))
    }

    /// What the placement driver has `store` do for an unsafe recovery. It is of no region.
    pub fn recovery_plan(store: StoreId, plan: RecoveryPlan) -> Self {
        let to = Member { store, ..PD };
        Self::of_pd(0, PD, to, 0, Epoch::default(), Message::RecoveryPlan(plan))
    }

    /// What the leader `from` reports of its region.
    pub fn region_report(
        from: Member,
        term: u64,
        region: Region,
        pending: BTreeSet<PeerId>,
        down: BTreeSet<PeerId>,
    ) -> Self {
        let (id, epoch) = (region.id, region.epoch);
        let message = Message::RegionReport { region, pending, down };
        Self::of_pd(id, from, PD, term, epoch, message)
    }

    /// What `store` has done for the step of an unsafe recovery. It is of no region.
    pub fn store_report(store: StoreId, step: u64, peers: Vec<PeerReport>) -> Self {
        let from = Member { store, ..PD };
        Self::of_pd(0, from, PD, 0, Epoch::default(), Message::StoreReport { step, peers })
    }

    fn of_pd(region: RegionId, from: Member, to: Member, term: u64, epoch: Epoch, message: Message) -> Self {
        Self { region, from, to, term, epoch, range: KeyRange::default(), message }
    }

    /// What the placement driver knows of a region, as it reaches a peer that is no member
    /// of it any more: to itself, as the peer's own store passes it on (TiKV
    /// `send_destroy_peer_message`).
    pub fn gc_peer(peer: Member, known: Region) -> Self {
        let (id, epoch) = (known.id, known.epoch);
        Self::of_pd(id, peer, peer, 0, epoch, Message::GcPeer { region: known })
    }

    /// Whether the placement driver sent it.
    pub fn is_from_pd(&self) -> bool {
        matches!(
            self.message,
            Message::AskSplitResponse { .. } | Message::Order(_) | Message::RecoveryPlan(_)
        )
    }

    /// Whether it goes to the placement driver.
    pub fn is_to_pd(&self) -> bool {
        matches!(self.message, Message::RegionReport { .. } | Message::StoreReport { .. })
    }
}

/// What a held message says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// A candidate asks for a vote.
    VoteRequest {
        /// The end of its log.
        last: LogPosition,
        /// Its commit index and that entry's term when it asked.
        commit: LogPosition,
    },
    /// The response to a vote request.
    #[serde(alias = "vote_answer")]
    VoteResponse {
        /// Whether the vote was granted.
        granted: bool,
        /// The voter's commit index and its term; zero when granted.
        commit: LogPosition,
    },
    /// Log entries behind `previous`.
    Append {
        /// The entry before the first.
        previous: LogPosition,
        /// The entries.
        entries: Vec<Entry>,
        /// The leader's commit index.
        commit: u64,
    },
    /// The follower has the log up to `index`.
    #[serde(alias = "append_answer")]
    AppendResponse {
        /// The index; 0 where nothing is acknowledged (a rejection, the answer
        /// to a heartbeat).
        index: u64,
        /// The follower's commit index, where anybody asks for it
        /// ([`crate::Scope::tells_commits`]); 0 where it is not said (the answer to a
        /// snapshot).
        #[serde(default, skip_serializing_if = "is_nothing")]
        commit: u64,
    },
    /// A leader says that it leads.
    Heartbeat {
        /// The commit index, as far as the leader knows the receiver's log to
        /// match; 0 lets it create the receiver.
        commit: u64,
    },
    /// A snapshot.
    Snapshot(Snapshot),
    /// Campaign at once.
    TimeoutNow,
    /// A leader asks whom it is to hand over to how far it has applied the log
    /// (TiKV `MsgTransferLeader`, before the transfer).
    #[serde(alias = "transfer_question")]
    PreTransferLeader,
    /// The response, of the term of the request (TiKV `ack_transfer_leader_msg`).
    #[serde(alias = "transfer_answer")]
    AckTransferLeader {
        /// The applied index; never 0, for who has applied nothing is no voter.
        applied: u64,
    },
    /// The ids that the placement driver allots to a split (PD `AskBatchSplitResponse`).
    #[serde(alias = "split_answer")]
    AskSplitResponse {
        /// The new regions.
        children: Vec<Child>,
        /// Which part keeps the region's id.
        derive: Derive,
    },
    /// The placement driver tells whom it takes for the leader what to do.
    Order(Order),
    /// The placement driver tells a store what to do for an unsafe recovery.
    RecoveryPlan(RecoveryPlan),
    /// A leader reports its region to the placement driver.
    RegionReport {
        /// The region as the leader has applied it.
        region: Region,
        /// Peers that wait for a snapshot.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        pending: BTreeSet<PeerId>,
        /// Peers that do not answer.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        down: BTreeSet<PeerId>,
    },
    /// A store reports to the placement driver what has come of its plan for an unsafe
    /// recovery. The sender has peer 0, and the region is 0.
    StoreReport {
        /// The step that the plan was of.
        step: u64,
        /// Its peers.
        peers: Vec<PeerReport>,
    },
    /// The receiver was removed, and its message showed that it does not know.
    /// It is the store that says so: the term is 0.
    #[serde(alias = "removed")]
    GcPeer {
        /// The region as the teller knows it.
        region: Region,
    },
    /// A peer asks whether it is a member still. It is its store that asks, of term 0.
    CheckStalePeer,
    /// The one that was asked is gone, and knows of the asking peer nothing but that it was
    /// a member: these may know more.
    CheckStalePeerResponse {
        /// The members of the region as the tombstone has it.
        peers: Vec<Member>,
    },
    /// The receiver's region was taken in by another. A store says so, of term 0.
    Merged {
        /// That region as it was before.
        target: Region,
    },
}
