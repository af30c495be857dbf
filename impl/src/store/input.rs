//! What a store takes in, and what it wants done.

use std::collections::BTreeMap;

use crate::error::Refusal;
use crate::proto::command::{Child, Command, Derive};
use crate::proto::message::Message;
use crate::proto::recovery::{RecoveryPlan, StoreReport};
use crate::proto::region::{Epoch, Key, Member, PeerId, Region, RegionId, StoreId, Value};

/// What a store takes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message from another store.
    Message(Message),
    /// Time passes for one region.
    Tick {
        /// The region.
        region: RegionId,
    },
    /// The network says what became of a snapshot that the leader sent. Until
    /// then, or until the follower answers, raft-rs sends it nothing but
    /// heartbeats: a lost answer would strand it (TiKV `report_snapshot_status`).
    ReportSnapshot {
        /// The region.
        region: RegionId,
        /// To whom it was sent.
        to: PeerId,
        /// Whether it arrived.
        arrived: bool,
    },
    /// The peer shall ask to become leader.
    Campaign {
        /// The region.
        region: RegionId,
    },
    /// The peer has had no leader for long: it shall ask the members that it knows,
    /// and the placement driver, whether it is a member still.
    CheckStalePeer {
        /// The region.
        region: RegionId,
    },
    /// What the placement driver knows of the region whose peer asked for it.
    ValidatePeer {
        /// The region.
        region: RegionId,
        /// As it knows it.
        known: Region,
    },
    /// A command is proposed. Those of a merge name the other region, and the
    /// store fills in the rest.
    Propose {
        /// The region.
        region: RegionId,
        /// The command.
        command: Command,
        /// The epoch that the proposer knows; the peer's own if left out.
        epoch: Option<Epoch>,
    },
    /// The same for a client that wants to know how it ends: by [`Output::Completed`], once,
    /// unless this step is refused or the store crashes.
    Request {
        /// The client's own number for it, not used for another under way.
        id: u64,
        /// The region.
        region: RegionId,
        /// The command; a transfer of leadership has no end of its own, and is refused.
        command: Command,
        /// The epoch that the proposer knows; the peer's own if left out.
        epoch: Option<Epoch>,
    },
    /// Which stores the leader does not know lately, until the next such word. How
    /// long that is, whoever has a clock decides (`TV util.rs
    /// check_availability_by_last_heartbeats`: two election timeouts).
    Inactive {
        /// The region.
        region: RegionId,
        /// The stores.
        stores: Vec<StoreId>,
    },
    /// The leader shall ask the placement driver for the ids of a split.
    AskSplit {
        /// The region.
        region: RegionId,
        /// Where to split, in order.
        keys: Vec<Key>,
        /// Which part keeps the region's id.
        derive: Derive,
    },
    /// The placement driver has allotted the ids of a split that was asked for.
    AskSplitResponse {
        /// The region.
        region: RegionId,
        /// The epoch of the region for whose peers they were allotted.
        epoch: Epoch,
        /// The new regions.
        children: Vec<Child>,
        /// Which part keeps the region's id.
        derive: Derive,
    },
    /// It is time to look whether the region is too big. Nothing comes of it
    /// where the peer does not lead, or where little was written.
    SplitCheck {
        /// The region.
        region: RegionId,
    },
    /// A value is asked for.
    Read {
        /// The region.
        region: RegionId,
        /// The key.
        key: Key,
    },
    /// All values of the region are asked for (TinyKV `CmdType_Snap`).
    Snap {
        /// The region.
        region: RegionId,
    },
    /// The read under way shall be answered.
    AnswerRead {
        /// The region.
        region: RegionId,
    },
    /// The next committed admin entry shall take effect. Of a `CommitMerge` whose
    /// source is behind here, the first such step may only help the source on; it
    /// is refused while that is all that can be done.
    Apply {
        /// The region.
        region: RegionId,
    },
    /// The received snapshot shall become the peer's state.
    ApplySnapshot {
        /// The region.
        region: RegionId,
    },
    /// What the placement driver has the store do for an unsafe recovery.
    RecoveryPlan(RecoveryPlan),
    /// The store is about to tell the placement driver that it lives: if it has carried
    /// out a plan, what has come of it goes along ([`Output::StoreReport`]).
    StoreHeartbeat,
    /// The peer has led by force for long, or asked to, and PD has not ordered it to stop
    /// (TiKV `UNSAFE_RECOVERY_STATE_TIMEOUT`).
    ForceLeaderTimeout {
        /// The region.
        region: RegionId,
    },
}

impl Input {
    /// Of which region it is; 0 for one that is of the whole store.
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
            | Input::Snap { region }
            | Input::AnswerRead { region }
            | Input::Apply { region }
            | Input::ForceLeaderTimeout { region }
            | Input::ApplySnapshot { region } => *region,
            Input::RecoveryPlan(_) | Input::StoreHeartbeat => 0,
        }
    }
}

/// How a proposal ends.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// It took effect.
    Applied {
        /// What an admin command has made of the region; nothing for any other.
        region: Option<Box<Region>>,
    },
    /// It is in the log and took no effect, for this reason.
    Refused(Refusal),
    /// It never will take effect: something else stands in its place.
    Dropped,
    /// Its peer does not lead any more. It may take effect still.
    LeaderChanged,
    /// Its peer was destroyed. It may take effect still.
    PeerDestroyed,
}

/// What a store wants done, once its step is durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this.
    Message(Message),
    /// A proposal came to its end ([`Input::Request`]).
    Completed {
        /// The region that it was proposed to.
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
        /// The region: a copy as of now, for its peers the ids are.
        region: Region,
        /// Where to split, in order.
        keys: Vec<Key>,
        /// Which part keeps the region's id.
        derive: Derive,
        /// The leader that asks, to whom the answer goes.
        to: Member,
    },
    /// Ask the placement driver for the region; what it knows comes back as
    /// [`Input::ValidatePeer`], if it knows any.
    ValidatePeer {
        /// The region.
        region: RegionId,
    },
    /// Tell the placement driver what the region is now.
    RegionHeartbeat {
        /// The region.
        region: Region,
    },
    /// Tell the placement driver what has come of a plan, with the next heartbeat.
    StoreReport(StoreReport),
    /// A peer was destroyed.
    Destroyed {
        /// The region.
        region: RegionId,
        /// The peer.
        peer: PeerId,
    },
}
