//! A peer that leads by force: the votes and acknowledgements of those on stores
//! that were given up are made up.
//!
//! What TiKV's force leader does (`TV fsm/peer.rs on_enter_pre_force_leader,
//! check_force_leader, on_enter_force_leader, on_exit_force_leader`; `TV peer.rs
//! maybe_force_forward_commit_index`): every voter that is left has to grant, and to
//! have the log, before anything is made up. It may be a learner, and stays leader
//! though a change makes it one. Whatever makes it a follower ends it. Leaves out the
//! timers, and that a force leader serves nobody.

use std::collections::BTreeSet;

use raft::StateRole;
use raft::eraftpb::{self, MessageType};

use crate::engine::{Engine, Position};
use crate::error::{Error, Refusal};
use crate::guard::{Guard, Guards};
use crate::input::Output;
use crate::peer::Peer;
use crate::region::{Member, MemberRole, PeerId, RegionId, StoreId};
use crate::step::{Failure, Step};
use crate::store::Store;

impl<G: Guards, E: Engine> Store<G, E> {
    /// The peer of `region` campaigns in a term above `highest`, the highest that anybody
    /// who is left knows, for what is left without the `failed` stores. `committed` is
    /// the last entry that any of those, voter or not, knows to be committed.
    ///
    /// # Errors
    /// Where the peer is not here, has no region yet, has a snapshot or a committed
    /// conf change to take in, or lacks what is `committed`: it would write over what was
    /// applied elsewhere, and no vote keeps it from that.
    pub fn force_campaign(
        &mut self,
        region: RegionId,
        failed: &BTreeSet<StoreId>,
        highest: u64,
        committed: Position,
    ) -> Result<Vec<Output>, Error> {
        self.by_force(region, |peer, step| {
            let log = &peer.storage().log;
            let has =
                committed.index < log.truncated().index || log.term(committed.index) == Some(committed.term);
            if !has && step.guards.holds(Guard::ForceKeepsWhatIsCommitted) {
                return Err(Refusal::NotPromotable.into());
            }
            if peer.staged.is_some() {
                return Err(Refusal::ApplyingSnapshot.into());
            }
            if !peer.storage().is_initialised() {
                return Err(Refusal::NotPromotable.into());
            }
            if peer.has_unapplied_conf_change() && step.guards.holds(Guard::CampaignAppliesFirst) {
                return Err(Refusal::UnappliedConfChange.into());
            }
            let term = highest.max(peer.node.raft.term);
            peer.with_raft(step, None, |node| {
                node.raft.become_follower(term, raft::INVALID_ID);
                Ok(())
            })?;
            peer.failed_stores.clone_from(failed);
            peer.ask_for_votes(step)
        })
    }

    /// Whoever led `region` by force, or asked to, is a follower of its term.
    ///
    /// # Errors
    /// Where the peer is not here.
    pub fn exit_force_leader(&mut self, region: RegionId) -> Result<Vec<Output>, Error> {
        self.by_force(region, |peer, step| {
            peer.with_raft(step, None, |node| {
                let term = node.raft.term;
                node.raft.become_follower(term, raft::INVALID_ID);
                Ok(())
            })
        })
    }

    fn by_force(
        &mut self,
        region: RegionId,
        act: impl FnOnce(&mut Peer, &mut Step<'_, G>) -> Result<(), Failure>,
    ) -> Result<Vec<Output>, Error> {
        let (mut batch, mut out) = (Vec::new(), Vec::new());
        let mut step = Step { guards: self.guards, batch: &mut batch, out: &mut out };
        let result = match self.live(region) {
            Ok(peer) => act(peer, &mut step),
            Err(refusal) => Err(refusal.into()),
        };
        self.finish(region, result, batch, out)
    }
}

impl Peer {
    /// Whether it leads by force, or asks to.
    pub(crate) fn is_by_force(&self) -> bool {
        !self.failed_stores.is_empty()
    }

    /// The voters, those on failed stores apart from the others.
    fn voters_failed_and_left(&self) -> (Vec<PeerId>, Vec<PeerId>) {
        let voters = self.storage().region().peers.iter().filter(|member| member.role != MemberRole::Learner);
        let (failed, left): (Vec<&Member>, Vec<&Member>) =
            voters.partition(|member| self.failed_stores.contains(&member.store));
        let ids = |members: Vec<&Member>| members.into_iter().map(|member| member.id).collect();
        (ids(failed), ids(left))
    }

    /// Once every voter that is left has granted, the others are taken to; one that
    /// rejects, and this is a candidate like others.
    pub(crate) fn hear_of_the_lost(&mut self) -> Result<(), raft::Error> {
        if !self.is_by_force() || self.is_leader() {
            return Ok(());
        }
        if self.node.raft.state != StateRole::Candidate {
            self.failed_stores.clear();
            return Ok(());
        }
        let (failed, left) = self.voters_failed_and_left();
        let votes = self.node.raft.prs().votes();
        if left.iter().any(|id| votes.get(id) == Some(&false)) {
            self.failed_stores.clear();
            return Ok(());
        }
        if !left.iter().all(|id| votes.get(id) == Some(&true)) {
            return Ok(());
        }
        for from in failed {
            let mut vote = eraftpb::Message::default();
            vote.set_msg_type(MessageType::MsgRequestVoteResponse);
            (vote.from, vote.to, vote.term) = (from, self.id, self.node.raft.term);
            self.node.step(vote)?;
        }
        Ok(())
    }

    /// What every voter that is left has is committed, if its last entry is of this
    /// leader's own term. Learners are not waited for.
    pub(crate) fn commit_by_force(&mut self) {
        if !self.is_by_force() || !self.is_leader() {
            return;
        }
        let (_, left) = self.voters_failed_and_left();
        let raft = &mut self.node.raft;
        let others = left.iter().filter(|id| **id != self.id);
        let matched = others.map(|id| raft.prs().get(*id).map_or(0, |progress| progress.matched));
        let reached = matched.fold(raft.raft_log.persisted, u64::min);
        if raft.raft_log.term(reached).is_ok_and(|term| term >= raft.term) {
            raft.raft_log.committed = raft.raft_log.committed.max(reached);
        }
    }
}
