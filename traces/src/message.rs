//! A delayed message and its content.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::{Child, Derive};
use crate::log::{Entry, LogPosition};
use crate::pd::Order;
use crate::peer::Snapshot;
use crate::recovery::{PeerReport, RecoveryPlan};
use crate::region::{Epoch, KeyRange, Member, MemberRole, PeerId, Region, RegionId, StoreId};

/// The placement driver as sender or receiver: no peer and no store.
const PD: Member = Member { id: 0, store: 0, role: MemberRole::Learner };

/// A delayed message, which may arrive at any time. If the placement driver is the sender, peer and
/// store are 0 and the epoch is that of the request or of PD's region. If it is the receiver, peer
/// and store of the receiver are 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// The region.
    pub region: RegionId,
    /// The sender, with its role in its own configuration.
    pub from: Member,
    /// The receiver as the sender knows it.
    pub to: Member,
    /// The sender's term; 0 for a message that is not Raft's.
    pub term: u64,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// The range of the sender's region. The receiver's store creates a peer only if it is free
    /// there.
    #[serde(default, skip_serializing_if = "KeyRange::is_whole")]
    pub range: KeyRange,
    /// The content.
    pub message: Message,
}

impl Held {
    /// The placement driver's response to the leader `to`, which asked under `epoch`.
    pub fn ask_split_response(
        region: RegionId,
        to: Member,
        epoch: Epoch,
        children: Vec<Child>,
        derive: Derive,
    ) -> Self {
        Self::of_pd(region, PD, to, 0, epoch, Message::AskSplitResponse { children, derive })
    }

    /// An order of the placement driver to the leader `to`, with PD's epoch of the region.
    pub fn order(region: RegionId, to: Member, epoch: Epoch, order: Order) -> Self {
        Self::of_pd(region, PD, to, 0, epoch, Message::Order(order))
    }

    /// The plan of an unsafe recovery for `store`. It belongs to no region.
    pub fn recovery_plan(store: StoreId, plan: RecoveryPlan) -> Self {
        let to = Member { store, ..PD };
        Self::of_pd(0, PD, to, 0, Epoch::default(), Message::RecoveryPlan(plan))
    }

    /// The report of the leader `from` about its region.
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

    /// The report of `store` about a step of an unsafe recovery. It belongs to no region.
    pub fn store_report(store: StoreId, step: u64, peers: Vec<PeerReport>) -> Self {
        let from = Member { store, ..PD };
        Self::of_pd(0, from, PD, 0, Epoch::default(), Message::StoreReport { step, peers })
    }

    fn of_pd(region: RegionId, from: Member, to: Member, term: u64, epoch: Epoch, message: Message) -> Self {
        Self { region, from, to, term, epoch, range: KeyRange::default(), message }
    }

    /// PD's knowledge of a region for a peer that is no longer a member. The peer's own store sends
    /// it to the peer (TiKV `send_destroy_peer_message`).
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

    /// Whether the placement driver receives it.
    pub fn is_to_pd(&self) -> bool {
        matches!(self.message, Message::RegionReport { .. } | Message::StoreReport { .. })
    }
}

/// The content of a delayed message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// A candidate requests a vote.
    VoteRequest {
        /// The end of its log.
        last: LogPosition,
        /// The candidate's commit index when it campaigned, and that entry's term.
        commit: LogPosition,
    },
    /// The response to a vote request.
    #[serde(alias = "vote_answer")]
    VoteResponse {
        /// Whether the vote was granted.
        granted: bool,
        /// The voter's commit index and that entry's term; zero if the vote was granted.
        commit: LogPosition,
    },
    /// Log entries after `previous`.
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
        /// The index; 0 if nothing is acknowledged (a rejection, or the response to a heartbeat).
        index: u64,
        /// The follower's commit index, if the scope shows it ([`crate::Scope::reports_commits`]);
        /// 0 in the response to a snapshot.
        #[serde(default, skip_serializing_if = "is_nothing")]
        commit: u64,
    },
    /// A leader's heartbeat.
    Heartbeat {
        /// The commit index, as far as the leader knows the receiver's log to match. 0 lets the
        /// receiver's store create the peer.
        commit: u64,
    },
    /// A snapshot.
    Snapshot(Snapshot),
    /// The receiver must campaign at once.
    TimeoutNow,
    /// A leader asks the transferee how far it has applied the log (TiKV `MsgTransferLeader`,
    /// before the transfer).
    #[serde(alias = "transfer_question")]
    PreTransferLeader,
    /// The response, with the term of the request (TiKV `ack_transfer_leader_msg`).
    #[serde(alias = "transfer_answer")]
    AckTransferLeader {
        /// The applied index; never 0, because a peer that has applied nothing is not a voter.
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
    /// The placement driver orders the leader that it knows to take a step.
    Order(Order),
    /// The placement driver sends a store its plan of an unsafe recovery.
    RecoveryPlan(RecoveryPlan),
    /// A leader reports its region to the placement driver.
    RegionReport {
        /// The region as the leader has applied it.
        region: Region,
        /// The pending peers, which need a snapshot.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        pending: BTreeSet<PeerId>,
        /// The down peers, which do not respond.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        down: BTreeSet<PeerId>,
    },
    /// A store reports to the placement driver the result of its plan of an unsafe recovery. The
    /// sender's peer and the region are 0.
    StoreReport {
        /// The step to which the plan belongs.
        step: u64,
        /// The store's peers.
        peers: Vec<PeerReport>,
    },
    /// The receiver was removed, and its message showed that it does not know this. The store sends
    /// it, with term 0.
    #[serde(alias = "removed")]
    GcPeer {
        /// The region as the sender knows it.
        region: Region,
    },
    /// A peer asks whether it is still a member. Its store sends the message, with term 0.
    CheckStalePeer,
    /// The asked peer is a tombstone, and only knows that the asking peer was a member. These
    /// members may know more.
    CheckStalePeerResponse {
        /// The members of the tombstone's region.
        peers: Vec<Member>,
    },
    /// The receiver's region was merged into another. A store sends it, with term 0.
    Merged {
        /// The target region before the merge.
        target: Region,
    },
}

fn is_nothing(index: &u64) -> bool {
    *index == 0
}
