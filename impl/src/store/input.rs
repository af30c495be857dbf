//! A store's inputs and outputs.

use std::collections::BTreeMap;

use crate::error::Refusal;
use crate::proto::command::{Child, Command, Derive};
use crate::proto::message::Message;
use crate::proto::recovery::{RecoveryPlan, StoreReport};
use crate::proto::region::{Epoch, Key, Member, PeerId, Region, RegionId, StoreId, Value};

/// An input of a store.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message from another store.
    Message(Message),
    /// Time passes for one region.
    Tick {
        /// The region.
        region: RegionId,
    },
    /// The network reports whether a leader's snapshot arrived. Until then, or until the follower
    /// replies, raft-rs sends it only heartbeats: a lost reply would strand it (TiKV
    /// `report_snapshot_status`).
    ReportSnapshot {
        /// The region.
        region: RegionId,
        /// To whom it was sent.
        to: PeerId,
        /// Whether it arrived.
        arrived: bool,
    },
    /// The peer campaigns.
    Campaign {
        /// The region.
        region: RegionId,
    },
    /// The peer has had no leader for long: it asks the members that it knows, and the placement
    /// driver, whether it is still a member.
    CheckStalePeer {
        /// The region.
        region: RegionId,
    },
    /// The placement driver's region, for a peer that asked for it.
    ValidatePeer {
        /// The region.
        region: RegionId,
        /// As it knows it.
        known: Region,
    },
    /// A command is proposed. Merge commands name the other region, and the store completes them.
    Propose {
        /// The region.
        region: RegionId,
        /// The command.
        command: Command,
        /// The epoch that the proposer knows; the peer's own if left out.
        epoch: Option<Epoch>,
    },
    /// The same for a client that waits for the result. It gets one [`Output::Completed`], unless
    /// this step is refused or the store crashes.
    Request {
        /// The client's own number for it, unique among pending ones.
        id: u64,
        /// The region.
        region: RegionId,
        /// The command; a leadership transfer has no result of its own, and is refused.
        command: Command,
        /// The epoch that the proposer knows; the peer's own if left out.
        epoch: Option<Epoch>,
    },
    /// The stores that the leader counts as inactive, until the next such input. The owner of the
    /// clock decides when a store is inactive (`TiKV util.rs check_availability_by_last_heartbeats`:
    /// after two election timeouts).
    Inactive {
        /// The region.
        region: RegionId,
        /// The stores.
        stores: Vec<StoreId>,
    },
    /// The leader asks the placement driver for the ids of a split.
    AskSplit {
        /// The region.
        region: RegionId,
        /// Where to split, in order.
        keys: Vec<Key>,
        /// Which part keeps the region's id.
        derive: Derive,
        /// The epoch under which the placement driver ordered it. Refused if the region's version
        /// is another one.
        ordered_at: Option<Epoch>,
    },
    /// The placement driver has allotted the ids of a split that was asked for.
    AskSplitResponse {
        /// The region.
        region: RegionId,
        /// The epoch of the region for whose members they were allotted.
        epoch: Epoch,
        /// The new regions.
        children: Vec<Child>,
        /// Which part keeps the region's id.
        derive: Derive,
    },
    /// A check whether the region is too big. Nothing happens if the peer does not lead, or if
    /// little was written.
    SplitCheck {
        /// The region.
        region: RegionId,
    },
    /// Reads a value.
    Read {
        /// The region.
        region: RegionId,
        /// The key.
        key: Key,
    },
    /// Reads a value for a client that waits for the result. It gets one [`Output::Completed`],
    /// unless this step is refused or the store crashes. Refused while another read is pending.
    Get {
        /// The client's own number for it, unique among pending requests.
        id: u64,
        /// The region.
        region: RegionId,
        /// The key.
        key: Key,
    },
    /// Reads all values of the region (TinyKV `CmdType_Snap`).
    Snap {
        /// The region.
        region: RegionId,
    },
    /// Answers the pending read.
    AnswerRead {
        /// The region.
        region: RegionId,
    },
    /// Applies the next committed admin entry. If it is a `CommitMerge` whose source is behind
    /// here, a first such step may only give the source its missing entries. It is refused while
    /// the entry still waits for the source.
    Apply {
        /// The region.
        region: RegionId,
    },
    /// Applies the pending snapshot.
    ApplySnapshot {
        /// The region.
        region: RegionId,
    },
    /// The placement driver's plan for an unsafe recovery.
    RecoveryPlan(RecoveryPlan),
    /// The store is about to send its heartbeat to the placement driver. If it has carried out a
    /// plan, the report goes along ([`Output::StoreReport`]).
    StoreHeartbeat,
    /// The peer has been a forced leader or candidate for long, and PD has not told it to step down
    /// (TiKV `UNSAFE_RECOVERY_STATE_TIMEOUT`).
    ForceLeaderTimeout {
        /// The region.
        region: RegionId,
    },
}

impl Input {
    /// Its region; 0 for an input to the whole store.
    pub fn region(&self) -> RegionId {
        match self {
            Input::Message(message) => message.region,
            Input::Tick { region }
            | Input::ReportSnapshot { region, .. }
            | Input::Campaign { region }
            | Input::CheckStalePeer { region }
            | Input::ValidatePeer { region, .. }
            | Input::Propose { region, .. }
            | Input::Request { region, .. }
            | Input::Inactive { region, .. }
            | Input::AskSplit { region, .. }
            | Input::AskSplitResponse { region, .. }
            | Input::SplitCheck { region }
            | Input::Read { region, .. }
            | Input::Get { region, .. }
            | Input::Snap { region }
            | Input::AnswerRead { region }
            | Input::Apply { region }
            | Input::ForceLeaderTimeout { region }
            | Input::ApplySnapshot { region } => *region,
            Input::RecoveryPlan(_) | Input::StoreHeartbeat => 0,
        }
    }
}

/// The result of a proposal, or of a client's read.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// A read is answered.
    Read {
        /// The value, if the key has one.
        value: Option<Value>,
        /// The region that it was read in: a copy as of the answer.
        region: Box<Region>,
    },
    /// It was applied.
    Applied {
        /// The region after an admin command; none for any other.
        region: Option<Box<Region>>,
    },
    /// It is in the log and had no effect, for this reason. A read has no answer because the
    /// region's range has changed.
    Refused(Refusal),
    /// It will never be applied: another entry is in its place.
    Dropped,
    /// Its peer no longer leads. It may still be applied.
    LeaderChanged,
    /// Its peer was destroyed. It may still be applied.
    PeerDestroyed,
}

/// An output of a store, valid once its step is durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this.
    Message(Message),
    /// The result of an [`Input::Request`] or [`Input::Get`].
    Completed {
        /// The region that was asked.
        region: RegionId,
        /// The client's number for it.
        id: u64,
        /// How.
        end: End,
    },
    /// A read is answered.
    Value {
        /// The key.
        key: Key,
        /// Its value, if it has one.
        value: Option<Value>,
        /// The region that it was read in: a copy as of the answer.
        region: Region,
    },
    /// A read of all values is answered.
    Snap {
        /// The region: a copy as of the answer.
        region: Region,
        /// Its data at the same time.
        data: BTreeMap<Key, Value>,
    },
    /// Ask the placement driver for the ids of a split; they come back as
    /// [`Input::AskSplitResponse`] under the epoch of this region.
    AskSplit {
        /// The region: a copy as of now; the ids are for its members.
        region: Region,
        /// Where to split, in order.
        keys: Vec<Key>,
        /// Which part keeps the region's id.
        derive: Derive,
        /// The leader that asks, which gets the response.
        to: Member,
    },
    /// Ask the placement driver for the region. If PD knows it, the response is
    /// [`Input::ValidatePeer`].
    ValidatePeer {
        /// The region.
        region: RegionId,
    },
    /// Report the present region to the placement driver.
    RegionHeartbeat {
        /// The region.
        region: Region,
    },
    /// Report a finished plan to the placement driver, with the next heartbeat.
    StoreReport(StoreReport),
    /// A peer was destroyed.
    Destroyed {
        /// The region.
        region: RegionId,
        /// The peer.
        peer: PeerId,
    },
}
