//! The dictionary in words: `Display` for step lists, errors and divergences. Machines read the
//! serde forms. These words are never parsed.

mod chinese;
mod fields;
mod language;
mod pd;
mod reasons;
mod recovery;

use std::fmt;

pub use chinese::Chinese;
pub use fields::{DifferenceWords, difference_in};
pub use language::Language;

use crate::action::Action;
use crate::command::{Change, ChangeKind, Child, Command, Derive};
use crate::history::RangeClaim;
use crate::log::LogPosition;
use crate::message::{Held, Message};
use crate::outcome::{Outcome, Reason, Returned};
use crate::peer::{PeerState, Role};
use crate::region::{KeyRange, Member, MemberRole, Region};
use crate::round::{Authority, Entries, Outgoing, Reply};
use crate::view::StoreStatus;

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Campaign { region, store } => write!(f, "Campaign region {region}: store {store}"),
            Action::Vote { region, candidate, voter, reply } => {
                write!(f, "Vote region {region}: store {candidate} asks store {voter}{reply}")
            }
            Action::Replicate { region, leader, follower, entries, reply } => {
                write!(f, "Replicate region {region}: store {leader} -> store {follower} ({entries}){reply}")
            }
            Action::Heartbeat { region, leader, follower, reply } => {
                write!(f, "Heartbeat region {region}: store {leader} -> store {follower}{reply}")
            }
            Action::CheckStalePeer { region, store, asks, reply } => {
                write!(f, "CheckStalePeer region {region}: store {store} asks {asks}{reply}")
            }
            Action::ApplySnapshot { region, store } => {
                write!(f, "ApplySnapshot region {region}: store {store}")
            }
            Action::Apply { region, store } => write!(f, "Apply region {region}: store {store}"),
            Action::Propose { region, store, command, epoch } => {
                write!(f, "Propose region {region}: store {store}, {command}")?;
                epoch.map_or(Ok(()), |epoch| write!(f, " under epoch {epoch}"))
            }
            Action::AskSplit { region, store, keys, derive, reply } => {
                let keys = joined(keys, ", ");
                write!(f, "AskSplit region {region}: store {store}, at {keys}, {derive}{reply}")
            }
            Action::Read { region, store, key } => {
                write!(f, "Read region {region}: store {store}, key {key}")
            }
            Action::AnswerRead { region, store } => write!(f, "AnswerRead region {region}: store {store}"),
            Action::TimeoutNow { region, leader } => {
                write!(f, "TimeoutNow region {region}: from store {leader}")
            }
            Action::TransferTimeout { region, store } => {
                write!(f, "TransferTimeout region {region}: store {store}")
            }
            Action::Crash { store } => write!(f, "Crash store {store}"),
            Action::Restart { store } => write!(f, "Restart store {store}"),
            Action::Persist { store } => write!(f, "Persist store {store}"),
            Action::LoseDisk { store } => write!(f, "LoseDisk store {store}"),
            Action::RegionHeartbeat { region, store, reply } => {
                write!(f, "RegionHeartbeat region {region}: store {store}{}", fate(*reply))
            }
            Action::StoreHeartbeat { store, reply } => {
                write!(f, "StoreHeartbeat store {store}{reply}")
            }
            Action::MissedHeartbeat { store } => write!(f, "MissedHeartbeat store {store}"),
            Action::Schedule { region, reply } => write!(f, "Schedule region {region}{}", fate(*reply)),
            Action::PushOperator { region, reply } => {
                write!(f, "PushOperator region {region}{}", fate(*reply))
            }
            Action::OperatorTimeout { region } => write!(f, "OperatorTimeout region {region}"),
            Action::CheckStores => f.write_str("CheckStores"),
            Action::PdRestart => f.write_str("PdRestart"),
            Action::AddStore { store } => write!(f, "AddStore store {store}"),
            Action::Decommission { store, force } => {
                write!(f, "Decommission store {store}{}", if *force { ", physically destroyed" } else { "" })
            }
            Action::CancelDecommission { store } => write!(f, "CancelDecommission store {store}"),
            Action::SetTombstone { store } => write!(f, "SetTombstone store {store}"),
            Action::RemoveTombstone { store } => write!(f, "RemoveTombstone store {store}"),
            Action::AddOperator { region, operator, reply } => {
                write!(f, "AddOperator region {region}: {operator}{}", fate(*reply))
            }
            Action::RemoveOperator { region } => write!(f, "RemoveOperator region {region}"),
            Action::TombstonePeer { region, store, force } => {
                write!(
                    f,
                    "TombstonePeer region {region}: store {store}{}",
                    if *force { ", by force" } else { "" }
                )
            }
            Action::RemoveFailedStores { stores } => {
                write!(f, "RemoveFailedStores stores {}", joined(stores, ", "))
            }
            Action::RecoveryTimeout => f.write_str("RecoveryTimeout"),
            Action::ForceLeaderTimeout { region, store } => {
                write!(f, "ForceLeaderTimeout region {region}: store {store}")
            }
            Action::Hold { region, from, message: Outgoing::RegionReport, .. } => {
                write!(f, "Hold region {region}: store {from} -> placement driver, region report")
            }
            Action::Hold { from, message: Outgoing::StoreReport, .. } => {
                write!(f, "Hold store {from} -> placement driver, store report")
            }
            Action::Hold { region, from, to, message } => {
                write!(f, "Hold region {region}: store {from} -> store {to}, {message}")
            }
            Action::Late { slot } => write!(f, "Late message {slot}"),
        }
    }
}

/// What becomes of an order; empty if it arrives.
fn fate(reply: Reply) -> &'static str {
    match reply {
        Reply::Delivered => "",
        Reply::Dropped => ", order dropped",
        Reply::Delayed => ", order delayed",
    }
}

/// Empty if delivered, as usual.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reply::Delivered => "",
            Reply::Dropped => ", reply dropped",
            Reply::Delayed => ", reply delayed",
        })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Authority::Member(store) => write!(f, "store {store}"),
            Authority::PlacementDriver => f.write_str("the placement driver"),
        }
    }
}

impl fmt::Display for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Entries::One => "one entry",
            Entries::All => "all entries",
        })
    }
}

impl fmt::Display for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outgoing::Append => "append",
            Outgoing::Heartbeat => "heartbeat",
            Outgoing::TimeoutNow => "TimeoutNow",
            Outgoing::VoteRequest => "vote request",
            Outgoing::RegionReport => "region report",
            Outgoing::StoreReport => "store report",
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Put { key, value } => write!(f, "put {key}={value}"),
            Command::Delete { key } => write!(f, "delete {key}"),
            Command::Split { children, derive } => {
                write!(f, "split ({}), {derive}", joined(children, ", "))
            }
            Command::ChangePeer(change) => write!(f, "{change}"),
            Command::EnterJoint { changes } => {
                write!(f, "enter joint ({})", joined(changes, ", "))
            }
            Command::LeaveJoint => f.write_str("leave joint"),
            Command::TransferLeader { to } => write!(f, "transfer leader to store {to}"),
            Command::CompactLog { index } => write!(f, "compact log to {index}"),
            Command::PrepareMerge { target, .. } => write!(f, "prepare merge into region {}", target.id),
            Command::CommitMerge { source, entries, .. } => {
                write!(f, "commit merge of region {}", source.id)?;
                if entries.is_empty() { Ok(()) } else { write!(f, " with {} entries", entries.len()) }
            }
            Command::RollbackMerge { .. } => f.write_str("roll merge back"),
        }
    }
}

/// `key -> region 10 {11 12 13}`.
impl fmt::Display for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Child { key, region, peers } = self;
        write!(f, "{key} -> region {region} {{{}}}", joined(peers, " "))
    }
}

impl fmt::Display for Derive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Derive::Left => "left keeps the id",
            Derive::Right => "right keeps the id",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { kind, peer, store } = self;
        match kind {
            ChangeKind::AddVoter => write!(f, "add voter {peer}@{store}"),
            ChangeKind::AddLearner => write!(f, "add learner {peer}@{store}"),
            ChangeKind::Remove => write!(f, "remove {peer}@{store}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done(Returned::Nothing) => f.write_str("done"),
            Outcome::Done(Returned::Allotted { children, refused }) => {
                write!(f, "done: allotted {}", joined(children, ", "))?;
                refused.map_or(Ok(()), |reason| write!(f, ", not proposed: {reason}"))
            }
            Outcome::Done(Returned::Entered(stage)) => write!(f, "done, PD's recovery: {stage}"),
            Outcome::Done(Returned::Ordered { order, refused }) => {
                write!(f, "done: ordered {order}")?;
                refused.map_or(Ok(()), |reason| write!(f, ", not taken: {reason}"))
            }
            Outcome::Done(Returned::Value { key, value, region }) => {
                write!(f, "done: ")?;
                match value {
                    Some(value) => write!(f, "{key}={value}")?,
                    None => write!(f, "{key} absent")?,
                }
                write!(f, " ({region})")
            }
            Outcome::Refused(reason) => write!(f, "refused: {reason}"),
        }
    }
}

/// The name in traces.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in format!("{self:?}").char_indices() {
            if letter.is_ascii_uppercase() && at > 0 {
                f.write_str("_")?;
            }
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

/// `id@store`, with `L` for a learner, `I` and `D` for incoming and demoting voters.
impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            MemberRole::Voter => "",
            MemberRole::Learner => "L",
            MemberRole::IncomingVoter => "I",
            MemberRole::DemotingVoter => "D",
        };
        write!(f, "{}@{}{role}", self.id, self.store)
    }
}

/// The range, the epoch and the members.
impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = joined(&self.peers, " ");
        write!(
            f,
            "region {} [{}, {}) epoch {} peers {{{members}}}",
            self.id, self.start, self.end, self.epoch
        )
    }
}

impl fmt::Display for RangeClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyRange { start, end } = &self.range;
        write!(f, "region {} [{start}, {end}) version {}", self.region, self.version)
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of term {}", self.index, self.term)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Follower => "follower",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
        })
    }
}

impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PeerState::Uninitialised => "uninitialised",
            PeerState::Normal => "normal",
            PeerState::Merging => "merging",
            PeerState::Tombstone => "tombstone",
        })
    }
}

impl fmt::Display for StoreStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreStatus::Up => "up",
            StoreStatus::Down => "down",
            StoreStatus::DiskLost => "without its disk",
        })
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held { region, from, to, term, message, .. } = self;
        if self.is_from_pd() {
            let epoch = self.epoch;
            return write!(f, "{message}, under epoch {epoch}, to {to} (region {region})");
        }
        if matches!(message, Message::StoreReport { .. }) {
            return write!(f, "{message}, from store {}", from.store);
        }
        if self.is_to_pd() {
            return write!(f, "{message} of term {term} from {from}");
        }
        write!(f, "{message} of term {term} from {from} to {to} (region {region})")
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::VoteRequest { last, .. } => write!(f, "vote request with log to {last}"),
            Message::VoteResponse { granted: true, .. } => f.write_str("vote granted"),
            Message::VoteResponse { granted: false, .. } => f.write_str("vote rejected"),
            Message::Append { previous, entries, commit } => {
                write!(f, "append of {} entries behind {}, commit {commit}", entries.len(), previous.index)
            }
            Message::AppendResponse { index: 0, .. } => {
                f.write_str("append response that acknowledges nothing")
            }
            Message::AppendResponse { index, .. } => write!(f, "append response {index}"),
            Message::Snapshot(snapshot) => write!(f, "snapshot at {}", snapshot.position.index),
            Message::Heartbeat { commit } => write!(f, "heartbeat, commit {commit}"),
            Message::TimeoutNow => f.write_str("TimeoutNow"),
            Message::PreTransferLeader => f.write_str("PreTransferLeader"),
            Message::AckTransferLeader { applied } => write!(f, "AckTransferLeader, applied {applied}"),
            Message::AskSplitResponse { children, .. } => {
                write!(f, "ids for a split ({})", joined(children, ", "))
            }
            Message::Order(order) => write!(f, "order to {order}"),
            Message::RecoveryPlan(plan) => write!(f, "recovery plan of step {}: {plan}", plan.step),
            Message::RegionReport { region, .. } => write!(f, "report of {region}"),
            Message::StoreReport { step, peers } => {
                write!(f, "report of step {step}, of {} peers", peers.len())
            }
            Message::GcPeer { region } => write!(f, "GcPeer, epoch {}", region.epoch),
            Message::Merged { target } => write!(f, "merged into region {}", target.id),
            Message::CheckStalePeer => f.write_str("CheckStalePeer"),
            Message::CheckStalePeerResponse { peers } => {
                write!(f, "CheckStalePeerResponse, members {{{}}}", joined(peers, " "))
            }
        }
    }
}

/// The items in words with `separator` between them.
pub(crate) fn joined<T: fmt::Display>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    words.join(separator)
}
