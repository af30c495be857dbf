//! Undoes rules that raft-rs implements, at the boundary between store and raft-rs.
//!
//! raft-rs cannot be configured to drop a rule. Each function here undoes one rule from outside, as
//! in its incident. In a sound store every check below is decided at compile time, and no code
//! remains.

pub(crate) mod innards;

use raft::StateRole;
use raft::eraftpb::{ConfChange, ConfChangeType, Entry, Message, MessageType};

use crate::error::{Refusal, ReplicaError};
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::proto::command::{Command, RaftChange};
use crate::proto::message::is_initial;
use crate::proto::region::{MemberRole, Region, RegionId};
use crate::proto::snapshot::SnapshotBody;
use crate::raft_rs::replica::Replica;
use crate::storage::engine::{PeerState, Write};
use crate::store::step::{Failure, StepContext};
use crate::unsound::innards::innards;

impl<R: Replica> Peer<R> {
    /// Changes a received message for a peer without a guard, before raft gets it.
    pub(crate) fn unsound_receive(&self, message: &Message, guards: impl Guards) -> Result<(), Refusal> {
        let kind = message.get_msg_type();
        if !guards.holds(Guard::UninitialisedPeerListens)
            && !self.storage().is_initialized()
            && !is_initial(message)
        {
            return Err(Refusal::NotPromotable);
        }
        if !guards.holds(Guard::StepDownOnHigherTerm)
            && self.is_leader()
            && kind == MessageType::MsgRequestVote
            && message.term > self.node.term()
        {
            return Err(Refusal::StaleTerm);
        }
        let compacted =
            kind == MessageType::MsgAppend && message.index < self.storage().log.truncated().index;
        if compacted && !guards.holds(Guard::AckCompactedAppend) {
            return Err(Refusal::NoEffect);
        }
        Ok(())
    }

    /// Whether a peer without a guard looks for itself only among the voters and learners of a
    /// snapshot. raft lists demoting voters elsewhere.
    pub(crate) fn misses_itself_in(&self, region: &Region, guards: impl Guards) -> bool {
        !guards.holds(Guard::DemotedTakesSnapshots)
            && region.member(self.id).is_some_and(|member| member.role == MemberRole::DemotingVoter)
    }

    /// Changes a message that a peer without a guard sends.
    pub(crate) fn unsound_send(&self, message: &mut Message, guards: impl Guards) {
        let heartbeat = message.get_msg_type() == MessageType::MsgHeartbeat;
        if heartbeat && !guards.holds(Guard::HeartbeatCommitBounded) {
            message.commit = self.node.commit().index;
        }
    }

    /// Whether a reply of this kind waits for the batch of its step.
    pub(crate) fn waits_for_batch(&self, message: &Message, guards: impl Guards) -> bool {
        match message.get_msg_type() {
            MessageType::MsgRequestVoteResponse => guards.holds(Guard::VoteDurableFirst),
            MessageType::MsgAppendResponse => guards.holds(Guard::AppendDurableFirst),
            _ => true,
        }
    }

    /// Whether the leader may send although the batch with which it became leader is not durable.
    pub(crate) fn sends_as_soon_as_it_leads(&self, guards: impl Guards) -> bool {
        !guards.holds(Guard::LeadershipDurableFirst)
    }

    /// A leader takes what it hands over for persisted.
    pub(crate) fn count_own_copy_at_once(&mut self, guards: impl Guards) {
        if !guards.holds(Guard::OwnCopyDurableFirst) {
            self.node.persisted(self.node.handed_over());
        }
    }

    /// A voter that gets a vote request in its own term forgets its vote.
    pub(crate) fn forget_vote(&mut self, message: &Message, guards: impl Guards) {
        let is_asked =
            message.get_msg_type() == MessageType::MsgRequestVote && message.term == self.node.term();
        if !guards.holds(Guard::OneVoteATerm) && is_asked && self.node.role() == StateRole::Follower {
            innards(&mut self.node).forget_vote();
        }
    }

    /// The entries after the last one of an append, for a peer that keeps them.
    pub(crate) fn entries_behind(&self, message: &Message, guards: impl Guards) -> Vec<Entry> {
        if guards.holds(Guard::ConflictTruncates) || message.get_msg_type() != MessageType::MsgAppend {
            return Vec::new();
        }
        let last = message.index + message.entries.len() as u64;
        let known = self.storage().log.iter().map(|(entry, _)| entry);
        known.filter(|entry| entry.index > last).cloned().collect()
    }

    /// Campaigns despite an unapplied conf change, which raft-rs refuses.
    pub(crate) fn campaign_unapplied(&mut self, transfer: bool) {
        innards(&mut self.node).campaign_unapplied(transfer);
    }

    /// Whether this peer campaigns on a `TimeoutNow` that raft-rs has ignored.
    pub(crate) fn campaigns_unapplied(&self, message_term: u64, guards: impl Guards) -> bool {
        !guards.holds(Guard::CampaignAppliesFirst)
            && self.node.role() == StateRole::Follower
            && self.node.term() == message_term
            && self.node.is_promotable()
            && self.has_unapplied_conf_change()
    }

    /// A new leader forgets that changes may be pending.
    pub(crate) fn forget_pending_change(&mut self, led: bool, guards: impl Guards) {
        if !guards.holds(Guard::ChangeWaitsForOwnElection) && !led && self.is_leader() {
            innards(&mut self.node).forget_pending_change();
        }
    }

    /// A leader commits what a quorum has, in any term.
    pub(crate) fn commit_any_term(&mut self, guards: impl Guards) {
        if !guards.holds(Guard::CommitOwnTerm) && self.is_leader() {
            innards(&mut self.node).commit_any_term();
        }
    }

    /// Whether a conf change beyond `applied` may be pending; without a guard, any of the leader's
    /// term. For the peer's own applied index this is raft-rs `has_pending_conf`.
    pub(crate) fn has_pending_conf(&self, applied: u64, guards: impl Guards) -> bool {
        let pending = self.node.pending_conf_index();
        if pending > applied {
            return true;
        }
        if guards.holds(Guard::PendingChangeExpires) {
            return false;
        }
        let mut own = self.storage().log.iter().filter(|(entry, _)| entry.term == self.node.term());
        pending > own.next().map_or(0, |(entry, _)| entry.index)
    }

    /// The raft form of a change to propose. If raft counts over the union of both halves, its
    /// configuration is never joint, and it would refuse to leave.
    pub(crate) fn change_to_propose(command: &Command, guards: impl Guards) -> Option<RaftChange> {
        match RaftChange::of(command)? {
            RaftChange::V2(mut change) if !guards.holds(Guard::JointNeedsBothMajorities) => {
                if change.changes.is_empty() {
                    // Node id 0 is no node.
                    change.mut_changes().push(Default::default());
                }
                Some(RaftChange::V2(change))
            }
            change => Some(change),
        }
    }

    /// Makes raft count over the union of both halves.
    pub(crate) fn take_union(&mut self, region: &Region) -> Result<(), ReplicaError> {
        innards(&mut self.node).take_union(&region.conf_state(false))
    }

    /// A leader that removed itself keeps leading. Without a progress of its own, raft-rs would
    /// drop its proposals and panic at the next commit (`raft.rs maybe_commit`). So it keeps the
    /// progress of a learner: like a demoted leader it takes proposals and commits.
    pub(crate) fn lead_on<G: Guards>(
        &mut self,
        rest: Region,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), ReplicaError> {
        let storage = self.node.storage_mut();
        storage.record.region = rest;
        storage.revision += 1;
        step.batch.push(Write::Record(storage.record.clone()));
        let mut aside = ConfChange { node_id: self.id, ..Default::default() };
        aside.set_change_type(ConfChangeType::AddLearnerNode);
        self.node.apply_change(&RaftChange::V1(aside))
    }

    /// A second snapshot overwrites the first while the first is written: the position is the
    /// second's, region and data are the first's.
    pub(crate) fn overwrite_snapshot<G: Guards>(
        &mut self,
        message: Message,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let body = SnapshotBody::decode(message.get_snapshot())?;
        if body.region.member(self.id).is_none() {
            return Err(Refusal::NotInConfig.into());
        }
        if message.term < self.node.term() {
            return Err(Refusal::StaleTerm.into());
        }
        let metadata = message.get_snapshot().get_metadata();
        let storage = self.storage();
        let restores =
            metadata.index >= storage.hard.commit && storage.log.term(metadata.index) != Some(metadata.term);
        // raft-rs has handed the first one out and waits. Only a new node takes another.
        if !restores {
            return Err(Refusal::ApplyingSnapshot.into());
        }
        let Some(first) = self.staged.take() else { return Err(Refusal::ApplyingSnapshot.into()) };
        innards(&mut self.node).begin_again()?;
        self.with_raft(step, Some(first.body), |node| node.step(message))
    }
}

/// Whether every step is one batch.
pub(crate) fn writes_as_one(guards: impl Guards) -> bool {
    guards.holds(Guard::AtomicApply)
        && guards.holds(Guard::TombstoneInOneBatch)
        && guards.holds(Guard::SnapshotInOneBatch)
        && guards.holds(Guard::SplitInOneBatch)
}

/// Splits the batch of a step on `region`: what is written first, and what is written in another
/// batch.
pub(crate) fn parted(region: RegionId, batch: Vec<Write>, guards: impl Guards) -> (Vec<Write>, Vec<Write>) {
    let clears = |write: &Write| matches!(write, Write::Clear(of) if *of == region);
    let record = batch.iter().find_map(|write| match write {
        Write::Record(record) if record.region.id == region => Some(record.state),
        _ => None,
    });
    let is_cleared = batch.iter().any(clears);
    let has_others = batch.iter().any(|write| matches!(write, Write::Record(_)) && write.region() != region);
    match record {
        Some(PeerState::Tombstone) if is_cleared && !guards.holds(Guard::TombstoneInOneBatch) => {
            batch.into_iter().partition(|write| !matches!(write, Write::Record(_)))
        }
        Some(PeerState::Normal) if is_cleared && !guards.holds(Guard::SnapshotInOneBatch) => {
            batch.into_iter().partition(clears)
        }
        Some(_) if has_others && !is_cleared && !guards.holds(Guard::SplitInOneBatch) => {
            batch.into_iter().partition(|write| write.region() == region)
        }
        _ if !guards.holds(Guard::AtomicApply) => parted_from_applied(region, batch),
        _ => (batch, Vec::new()),
    }
}

/// First what raft persists with the applied index, then the applied state.
fn parted_from_applied(region: RegionId, batch: Vec<Write>) -> (Vec<Write>, Vec<Write>) {
    let is_rafts = |write: &Write| {
        let of_raft = matches!(
            write,
            Write::HardState(..)
                | Write::Commit(..)
                | Write::ApplyState(..)
                | Write::Append(..)
                | Write::Clear(_)
        );
        of_raft && write.region() == region
    };
    let has = |kind: fn(&Write) -> bool| batch.iter().any(|write| write.region() == region && kind(write));
    let advances = has(|write| matches!(write, Write::ApplyState(..)));
    let clears = has(|write| matches!(write, Write::Clear(_)));
    if advances && !clears { batch.into_iter().partition(is_rafts) } else { (batch, Vec::new()) }
}
