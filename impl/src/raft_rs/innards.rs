//! Access to raft-rs's internals: undone rules, and entries and votes from outside of the protocol.

use std::collections::BTreeSet;

use raft::eraftpb::{self, ConfChangeSingle, ConfChangeType, ConfChangeV2, ConfState, Entry, MessageType};
use raft::{CAMPAIGN_ELECTION, CAMPAIGN_TRANSFER, RawNode, StateRole};

use super::RaftRs;
use crate::config::LOGGER;
use crate::error::ReplicaError;
use crate::proto::region::{PeerId, Region};
use crate::raft_rs::raft_storage::PeerStorage;
use crate::raft_rs::replica::Innards;
use crate::storage::engine::{PeerRecord, Persisted};

impl Innards for RaftRs {
    fn set_lead_transferee(&mut self, to: Option<PeerId>) {
        self.node.raft.lead_transferee = to;
    }

    fn forget_vote(&mut self) {
        self.node.raft.vote = raft::INVALID_ID;
    }

    fn forget_pending_change(&mut self) {
        self.node.raft.pending_conf_index = 0;
    }

    fn campaign_unapplied(&mut self, transfer: bool) {
        self.node.raft.campaign(if transfer { CAMPAIGN_TRANSFER } else { CAMPAIGN_ELECTION });
    }

    fn commit_any_term(&mut self) {
        let quorum_has = self.node.raft.mut_prs().maximal_committed_index().0;
        self.node.raft.raft_log.commit_to(quorum_has);
    }

    fn commit_by_force(&mut self, left: &[PeerId]) {
        let raft = &mut self.node.raft;
        let others = left.iter().filter(|id| **id != raft.id);
        let matched = others.map(|id| raft.prs().get(*id).map_or(0, |progress| progress.matched));
        let reached = matched.fold(raft.raft_log.persisted, u64::min);
        if raft.raft_log.term(reached).is_ok_and(|term| term >= raft.term) {
            raft.raft_log.committed = raft.raft_log.committed.max(reached);
        }
    }

    fn has_quorum(&self, ids: &[PeerId]) -> bool {
        self.node.raft.prs().has_quorum(&ids.iter().copied().collect())
    }

    fn make_up_vote(&mut self, from: PeerId) -> Result<(), ReplicaError> {
        let mut vote = eraftpb::Message::default();
        vote.set_msg_type(MessageType::MsgRequestVoteResponse);
        (vote.from, vote.to, vote.term) = (from, self.node.raft.id, self.node.raft.term);
        Ok(self.node.step(vote)?)
    }

    fn keep_behind(&mut self, behind: &[Entry]) {
        let log = &mut self.node.raft.raft_log;
        if behind.first().is_some_and(|first| log.last_index() + 1 == first.index) {
            log.append(behind);
        }
    }

    fn append_carried(&mut self, entries: &[Entry], commit: u64) -> bool {
        let raft = &mut self.node.raft;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            // Every replica has them all; otherwise the merge would carry them.
            let has_all = raft.raft_log.last_index() >= commit;
            if has_all {
                raft.raft_log.commit_to(commit);
            }
            return has_all;
        };
        let before = first.index - 1;
        let Ok(term) = raft.raft_log.term(before) else { return false };
        if before > raft.raft_log.last_index() {
            return false;
        }
        if last.term > raft.term {
            // A leader's append would have set the term.
            raft.become_follower(last.term, raft::INVALID_ID);
        }
        raft.raft_log.maybe_append(before, term, commit, entries).is_some()
    }

    /// Changes the configuration, member by member, until all voters of `target` are in it.
    fn take_union(&mut self, target: &ConfState) -> Result<(), ReplicaError> {
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
        let members: BTreeSet<u64> =
            target.get_voters().iter().chain(target.get_learners()).copied().collect();
        let known: Vec<u64> = self.node.raft.prs().iter().map(|(id, _)| *id).collect();
        known.into_iter().filter(|id| !members.contains(id)).for_each(|id| change(RemoveNode, id));
        // Only the last change may commit entries.
        let role = self.node.raft.state;
        let last = steps.len().saturating_sub(1);
        for (at, change) in steps.iter().enumerate() {
            self.node.raft.state = if at < last { StateRole::Follower } else { role };
            self.node.apply_conf_change(change)?;
        }
        Ok(())
    }

    fn begin_again(&mut self) -> Result<(), ReplicaError> {
        let storage = self.node.store();
        let record = &storage.record;
        let nobody = PeerRecord { region: Region::unknown(record.region.id), ..record.clone() };
        let (bounds_checked, both_halves) = (storage.bounds_checked, storage.both_halves);
        let nothing = PeerStorage::new(Persisted::new(nobody), bounds_checked, both_halves);
        let id = self.node.raft.id;
        let storage = std::mem::replace(self.node.mut_store(), nothing);
        let config = self.config.raft(id, storage.applied);
        self.node = RawNode::new(&config, storage, &LOGGER)?;
        self.staged = None;
        Ok(())
    }
}
