//! A message under way, and what it says.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::{Child, Derive};
use crate::log::{Entry, LogPosition};
use crate::pd::Order;
use crate::peer::Snapshot;
use crate::recovery::{PeerReport, RecoveryPlan};
use crate::region::{Epoch, KeyRange, Member, MemberRole, PeerId, Region, RegionId, StoreId};

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
        /// ([`crate::Scope::reports_commits`]); 0 where it is not said (the answer to a
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

fn is_nothing(index: &u64) -> bool {
    *index == 0
}
