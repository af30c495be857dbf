//! The request before a leadership transfer, and its reply.
//!
//! Before a transfer the leader asks the transferee how far it has applied. It hands over if its
//! own log has no conf change beyond that index. The leader's own applied index does not matter,
//! because its hanging disk may be the reason for the transfer (tikv#17363).
//!
//! Follows `TiKV peer.rs pre_transfer_leader, maybe_reject_transfer_leader_msg,
//! ack_transfer_leader_msg, ready_to_transfer_leader`. As in TiKV, request and reply are raft's
//! `MsgTransferLeader`, which raft-rs never sees; a request has index 0. Left out: TiKV's other
//! checks (a snapshot in flight, a gap between the logs, a full disk), and the heartbeat that it
//! sends first. TiKV's follower does not reply to a leader of an unknown term; here it does.

use raft::eraftpb::{self, MessageType};

use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::proto::region::{Member, PeerId, StoreId};
use crate::raft_rs::replica::Replica;
use crate::store::input::Output;
use crate::store::step::{Failure, StepContext};

impl<R: Replica> Peer<R> {
    /// Asks the voter on `to` how far it has applied.
    pub(crate) fn ask_transferee<G: Guards>(
        &self,
        to: StoreId,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let member = *self.storage().region().member_on(to).ok_or(Refusal::TransfereeNotVoter)?;
        self.check_transferee(member.id)?;
        let lags = self.has_pending_conf(self.storage().applied, step.guards);
        if lags && !step.guards.holds(Guard::LaggingLeaderHandsOver) {
            return Err(Refusal::PendingConfChange.into());
        }
        self.say_of_transfer(member, self.node.term(), 0, step);
        Ok(())
    }

    /// Handles a request or a reply.
    pub(crate) fn receive_transfer<G: Guards>(
        &mut self,
        from: Member,
        message: &eraftpb::Message,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        if message.term < self.node.term() {
            return Err(Refusal::StaleTerm.into());
        }
        match message.index {
            0 => self.answer_leader(from, message.term, step),
            applied => self.transfer_leader(from.id, applied, step),
        }
    }

    /// Replies to the leader of `term` with this peer's applied index. The peer's own configuration
    /// may be newer than the leader's.
    fn answer_leader<G: Guards>(
        &self,
        leader: Member,
        term: u64,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        if !self.node.is_promotable() {
            return Err(Refusal::TransfereeNotVoter.into());
        }
        self.say_of_transfer(leader, term, self.storage().applied, step);
        Ok(())
    }

    /// The transferee has applied `applied`. Time has passed since the request, so everything is
    /// checked again.
    fn transfer_leader<G: Guards>(
        &mut self,
        to: PeerId,
        applied: u64,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        if !self.is_leader() {
            return Err(Refusal::NotLeader.into());
        }
        self.check_transferee(to)?;
        if step.guards.holds(Guard::TransferWaitsForChange) && self.has_pending_conf(applied, step.guards) {
            return Err(Refusal::PendingConfChange.into());
        }
        self.with_raft(step, None, |node| {
            node.transfer_leader(to);
            Ok(())
        })
    }

    /// Whether this leader may hand over to that peer, by its own knowledge.
    fn check_transferee(&self, to: PeerId) -> Result<(), Refusal> {
        if !self.storage().region().is_voter(to) {
            return Err(Refusal::TransfereeNotVoter);
        }
        if to == self.id || self.node.lead_transferee() == Some(to) {
            return Err(Refusal::NoEffect);
        }
        Ok(())
    }

    fn say_of_transfer<G: Guards>(&self, to: Member, term: u64, applied: u64, step: &mut StepContext<'_, G>) {
        let mut message =
            eraftpb::Message { from: self.id, to: to.id, term, index: applied, ..Default::default() };
        message.set_msg_type(MessageType::MsgTransferLeader);
        step.out.push(Output::Message(self.addressed(to, message)));
    }
}
