//! A forced leader: the votes and acknowledgements of voters on failed stores are simulated.
//!
//! Follows TiKV's force leader (`TiKV fsm/peer.rs on_enter_pre_force_leader, check_force_leader,
//! on_enter_force_leader, on_exit_force_leader`; `TiKV peer.rs maybe_force_forward_commit_index`).
//! Before anything is simulated, every remaining voter must grant its vote and have the log. The peer
//! may be a learner, and stays leader if a change makes it one. It ends when the peer becomes a
//! follower. `unsafe_recovery.rs` has its work for a plan and its end. That it serves no client is
//! checked at proposals and reads.

use std::collections::{BTreeMap, BTreeSet};

use raft::StateRole;

use crate::error::{Refusal, ReplicaError};
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::proto::position::Position;
use crate::proto::region::{Member, MemberRole, PeerId, StoreId};
use crate::raft_rs::replica::Replica;
use crate::store::step::{Failure, StepContext};

impl<R: Replica> Peer<R> {
    /// Whether it is a forced leader or candidate.
    pub(crate) fn is_by_force(&self) -> bool {
        !self.failed_stores.is_empty()
    }

    /// Campaigns in a term above `highest`, if it has `committed`.
    pub(crate) fn campaign_by_force<G: Guards>(
        &mut self,
        failed: &BTreeSet<StoreId>,
        highest: u64,
        committed: Position,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let log = &self.storage().log;
        let has =
            committed.index < log.truncated().index || log.term(committed.index) == Some(committed.term);
        if !has && step.guards.holds(Guard::ForceKeepsWhatIsCommitted) {
            return Err(Refusal::NotPromotable.into());
        }
        if self.staged.is_some() {
            return Err(Refusal::ApplyingSnapshot.into());
        }
        if !self.storage().is_initialized() {
            return Err(Refusal::NotPromotable.into());
        }
        if self.has_unapplied_conf_change() && step.guards.holds(Guard::CampaignAppliesFirst) {
            return Err(Refusal::UnappliedConfChange.into());
        }
        let term = highest.max(self.node.term());
        self.with_raft(step, None, |node| {
            node.follow(term);
            Ok(())
        })?;
        self.failed_stores.clone_from(failed);
        self.ask_for_votes(step)
    }

    /// Becomes a follower of its term.
    pub(crate) fn exit_force_leader<G: Guards>(
        &mut self,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        self.with_raft(step, None, |node| {
            node.follow(node.term());
            Ok(())
        })
    }

    /// Steps down by itself, without PD's order.
    pub(crate) fn time_out_force_leader<G: Guards>(
        &mut self,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        if self.is_by_force() { self.exit_force_leader(step) } else { Err(Refusal::NotByForce.into()) }
    }

    /// A follower is no forced leader or candidate.
    pub(crate) fn forget_force_as_follower(&mut self) {
        if self.node.role() == StateRole::Follower {
            self.forget_force();
        }
    }

    fn forget_force(&mut self) {
        self.failed_stores.clear();
        self.recovery = None;
    }

    /// The voters on failed stores, and the remaining ones.
    fn voters_failed_and_left(&self) -> (Vec<PeerId>, Vec<PeerId>) {
        let voters = self.storage().region().peers.iter().filter(|member| member.role != MemberRole::Learner);
        let (failed, left): (Vec<&Member>, Vec<&Member>) =
            voters.partition(|member| self.failed_stores.contains(&member.store));
        let ids = |members: Vec<&Member>| members.into_iter().map(|member| member.id).collect();
        (ids(failed), ids(left))
    }

    /// Once every remaining voter has granted its vote, the failed ones count as granted. One
    /// rejection makes the peer an ordinary candidate.
    pub(crate) fn hear_of_the_lost(&mut self) -> Result<(), ReplicaError> {
        if !self.is_by_force() || self.is_leader() {
            return Ok(());
        }
        if self.node.role() != StateRole::Candidate {
            self.forget_force();
            return Ok(());
        }
        let (failed, left) = self.voters_failed_and_left();
        let votes: BTreeMap<PeerId, bool> = self.node.votes().collect();
        if left.iter().any(|id| votes.get(id) == Some(&false)) {
            self.forget_force();
            return Ok(());
        }
        if !left.iter().all(|id| votes.get(id) == Some(&true)) {
            return Ok(());
        }
        let innards = self.node.innards().ok_or(ReplicaError::NoInnards("a leader by force"))?;
        failed.into_iter().try_for_each(|from| innards.make_up_vote(from))
    }

    /// Commits what every remaining voter has, if its last entry is of the leader's own term.
    /// Learners do not count.
    pub(crate) fn commit_by_force(&mut self) {
        if !self.is_by_force() || !self.is_leader() {
            return;
        }
        let (_, left) = self.voters_failed_and_left();
        if let Some(innards) = self.node.innards() {
            innards.commit_by_force(&left);
        }
    }
}
