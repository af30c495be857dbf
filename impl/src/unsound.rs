//! Rules that raft-rs keeps, dropped at the store's boundary with it.
//!
//! raft-rs cannot be told to err, so each function here undoes one of its
//! rules from outside, in the way the incident had it. In a sound store every
//! question below is answered at compile time and nothing of this remains.

use raft::eraftpb::{
    ConfChange, ConfChangeSingle, ConfChangeType, ConfChangeV2, Entry, Message, MessageType,
};
use raft::{CAMPAIGN_ELECTION, CAMPAIGN_TRANSFER, RawNode, StateRole};

use crate::command::{Command, RaftChange};
use crate::config::LOGGER;
use crate::engine::{PeerRecord, Persisted, Write};
use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::message::is_initial;
use crate::peer::Peer;
use crate::raft_storage::PeerStorage;
use crate::region::{MemberRole, Region};
use crate::snapshot::SnapshotBody;
use crate::step::{Failure, Step};

impl Peer {
    /// What a peer without a guard makes of a message before raft sees it.
    pub(crate) fn mishear(&self, message: &Message, guards: impl Guards) -> Result<(), Refusal> {
        let kind = message.get_msg_type();
        if !guards.holds(Guard::UninitialisedPeerListens)
            && !self.storage().is_initialised()
            && !is_initial(message)
        {
            return Err(Refusal::NotPromotable);
        }
        if !guards.holds(Guard::StepDownOnHigherTerm)
            && self.is_leader()
            && kind == MessageType::MsgRequestVote
            && message.term > self.node.raft.term
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

    /// Whether a peer without a guard looks for itself among the voters and the
    /// learners of a snapshot alone: raft keeps who is being demoted elsewhere.
    pub(crate) fn misses_itself_in(&self, region: &Region, guards: impl Guards) -> bool {
        !guards.holds(Guard::DemotedTakesSnapshots)
            && region.member(self.id).is_some_and(|member| member.role == MemberRole::DemotingVoter)
    }

    /// What a peer without a guard sends instead.
    pub(crate) fn missend(&self, message: &mut Message, guards: impl Guards) {
        let heartbeat = message.get_msg_type() == MessageType::MsgHeartbeat;
        if heartbeat && !guards.holds(Guard::HeartbeatCommitBounded) {
            message.commit = self.node.raft.raft_log.committed;
        }
    }

    /// A voter that is asked in its own term forgets whom it voted for.
    pub(crate) fn forget_vote(&mut self, message: &Message, guards: impl Guards) {
        let raft = &mut self.node.raft;
        let is_asked = message.get_msg_type() == MessageType::MsgRequestVote && message.term == raft.term;
        if !guards.holds(Guard::OneVoteATerm) && is_asked && raft.state == StateRole::Follower {
            raft.vote = raft::INVALID_ID;
        }
    }

    /// The entries behind the last that an append brings, for a peer that keeps them.
    pub(crate) fn entries_behind(&self, message: &Message, guards: impl Guards) -> Vec<Entry> {
        if guards.holds(Guard::ConflictTruncates) || message.get_msg_type() != MessageType::MsgAppend {
            return Vec::new();
        }
        let last = message.index + message.entries.len() as u64;
        let known = self.storage().log.iter().map(|(entry, _)| entry);
        known.filter(|entry| entry.index > last).cloned().collect()
    }

    /// Campaigns whatever waits to be applied, where raft-rs would not.
    pub(crate) fn campaign_unapplied(&mut self, transfer: bool) {
        self.node.raft.campaign(if transfer { CAMPAIGN_TRANSFER } else { CAMPAIGN_ELECTION });
    }

    /// Whether a `TimeoutNow` that raft-rs has taken makes this peer campaign all the same.
    pub(crate) fn campaigns_unapplied(&self, message_term: u64, guards: impl Guards) -> bool {
        !guards.holds(Guard::CampaignAppliesFirst)
            && self.node.raft.state == StateRole::Follower
            && self.node.raft.term == message_term
            && self.node.raft.promotable()
            && self.has_unapplied_conf_change()
    }

    /// A leader that was just elected forgets that changes may be under way.
    pub(crate) fn forget_pending_change(&mut self, led: bool, guards: impl Guards) {
        if !guards.holds(Guard::ChangeWaitsForOwnElection) && !led && self.is_leader() {
            self.node.raft.pending_conf_index = 0;
        }
    }

    /// A leader commits what a quorum has, of whatever term.
    pub(crate) fn commit_any_term(&mut self, guards: impl Guards) {
        if !guards.holds(Guard::CommitOwnTerm) && self.is_leader() {
            let quorum_has = self.node.raft.mut_prs().maximal_committed_index().0;
            self.node.raft.raft_log.commit_to(quorum_has);
        }
    }

    /// A conf change is under way that who has applied `applied` has not; or any
    /// of its term, for a leader that never forgets one. Of the peer's own applied
    /// index it is raft-rs `has_pending_conf`.
    pub(crate) fn has_pending_conf(&self, applied: u64, guards: impl Guards) -> bool {
        let raft = &self.node.raft;
        if raft.pending_conf_index > applied {
            return true;
        }
        if guards.holds(Guard::PendingChangeExpires) {
            return false;
        }
        let mut own = self.storage().log.iter().filter(|(entry, _)| entry.term == raft.term);
        raft.pending_conf_index > own.next().map_or(0, |(entry, _)| entry.index)
    }

    /// The raft form of a change to be proposed. Where raft counts over the
    /// union of both halves it is never joint, and would refuse to leave.
    pub(crate) fn change_to_propose(command: &Command, guards: impl Guards) -> Option<RaftChange> {
        match RaftChange::of(command)? {
            RaftChange::V2(mut change) if !guards.holds(Guard::JointNeedsBothMajorities) => {
                if change.changes.is_empty() {
                    // Node 0 is nobody.
                    change.mut_changes().push(Default::default());
                }
                Some(RaftChange::V2(change))
            }
            change => Some(change),
        }
    }

    /// Makes raft count over the union of both halves: its configuration is
    /// brought, member by member, to all voters of `region`.
    pub(crate) fn take_union(&mut self, region: &Region) -> Result<(), raft::Error> {
        let target = region.conf_state(false);
        let mut steps: Vec<ConfChangeV2> = Vec::new();
        let mut change = |kind, id| {
            let mut single = ConfChangeSingle { node_id: id, ..Default::default() };
            single.set_change_type(kind);
            let mut change = ConfChangeV2::default();
            change.mut_changes().push(single);
            steps.push(change);
        };
        use ConfChangeType::{AddLearnerNode, AddNode, RemoveNode};
        target.get_voters().iter().for_each(|id| change(AddNode, *id));
        target.get_learners().iter().for_each(|id| change(AddLearnerNode, *id));
        let known: Vec<u64> = self.node.raft.prs().iter().map(|(id, _)| *id).collect();
        known.into_iter().filter(|id| region.member(*id).is_none()).for_each(|id| change(RemoveNode, id));
        // Only the last of them may commit anything.
        let role = self.node.raft.state;
        let last = steps.len().saturating_sub(1);
        for (at, change) in steps.iter().enumerate() {
            self.node.raft.state = if at < last { StateRole::Follower } else { role };
            self.node.apply_conf_change(change)?;
        }
        Ok(())
    }

    /// A leader that removed itself leads on. raft-rs would drop its proposals and
    /// panic at the next commit if it had no progress of its own
    /// (`raft.rs maybe_commit`), so it keeps it as a learner's: as one that was
    /// demoted it takes proposals and commits.
    pub(crate) fn lead_on<G: Guards>(
        &mut self,
        rest: Region,
        step: &mut Step<'_, G>,
    ) -> Result<(), raft::Error> {
        let storage = self.node.mut_store();
        storage.record.region = rest;
        storage.revision += 1;
        step.batch.push(Write::Record(storage.record.clone()));
        let mut aside = ConfChange { node_id: self.id, ..Default::default() };
        aside.set_change_type(ConfChangeType::AddLearnerNode);
        self.node.apply_conf_change(&aside).map(drop)
    }

    /// A second snapshot takes the place of the first while that is being
    /// written: its position, and the region and data of the first.
    pub(crate) fn overwrite_snapshot<G: Guards>(
        &mut self,
        message: Message,
        step: &mut Step<'_, G>,
    ) -> Result<(), Failure> {
        let body = SnapshotBody::decode(message.get_snapshot())?;
        if body.region.member(self.id).is_none() {
            return Err(Refusal::NotInConfig.into());
        }
        if message.term < self.node.raft.term {
            return Err(Refusal::StaleTerm.into());
        }
        let metadata = message.get_snapshot().get_metadata();
        let storage = self.storage();
        let restores =
            metadata.index >= storage.hard.commit && storage.log.term(metadata.index) != Some(metadata.term);
        // raft-rs has handed the first one out and waits; only a new node
        // takes another.
        if !restores {
            return Err(Refusal::ApplyingSnapshot.into());
        }
        let nobody = PeerRecord { region: Region::unknown(self.region), ..storage.record.clone() };
        let (bounds_checked, both_halves) = (storage.bounds_checked, storage.both_halves);
        let nothing = PeerStorage::new(Persisted::new(nobody), bounds_checked, both_halves);
        let Some(first) = self.staged.take() else { return Err(Refusal::ApplyingSnapshot.into()) };
        let storage = std::mem::replace(self.node.mut_store(), nothing);
        let config = self.config.raft(self.id, storage.applied);
        self.node = RawNode::new(&config, storage, &LOGGER)?;
        self.with_raft(step, Some(first.body), |node| node.step(message))
    }
}

/// Puts back what raft cut off behind an entry that conflicted, if it did.
pub(crate) fn keep_behind(node: &mut RawNode<PeerStorage>, behind: &[Entry]) {
    let log = &mut node.raft.raft_log;
    if behind.first().is_some_and(|first| log.last_index() + 1 == first.index) {
        log.append(behind);
    }
}
