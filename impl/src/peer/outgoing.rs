//! How raft's messages leave a peer: receiver, sender, and before or after the batch is durable.

use raft::eraftpb::{self, MessageType};

use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::proto::message::{Message, MessagePayload, cut_to, is_answer};
use crate::proto::region::Member;
use crate::raft_rs::replica::Replica;
use crate::store::input::Output;
use crate::store::step::StepContext;

impl<R: Replica> Peer<R> {
    /// Sends a message that need not wait for the step's batch. It waits only for the batch with
    /// which the peer became leader: what raft-rs took for persisted before is durable by then.
    pub(crate) fn send_early<G: Guards>(&mut self, message: eraftpb::Message, step: &mut StepContext<'_, G>) {
        if message.get_msg_type() == MessageType::MsgSnapshot {
            self.note_sent_snapshot(message.get_snapshot().get_metadata().index);
        }
        let sent = step.out.len();
        self.send(message, step);
        if self.leads_durably(step.durable, step.guards)
            && step.out.len() > sent
            && let Some(Output::Message(message)) = step.out.pop()
        {
            step.early.push(message);
        }
    }

    /// Whether the batch with which it became leader is among the first `durable` ones.
    pub(crate) fn leads_durably(&self, durable: u64, guards: impl Guards) -> bool {
        self.led.1 <= durable || self.sends_as_soon_as_it_leads(guards)
    }

    /// Sends a message that must wait for the step's batch.
    pub(crate) fn send_when_durable<G: Guards>(
        &self,
        message: eraftpb::Message,
        step: &mut StepContext<'_, G>,
    ) {
        let waits = self.waits_for_batch(&message, step.guards);
        let sent = step.out.len();
        self.send(message, step);
        if !waits
            && step.out.len() > sent
            && let Some(Output::Message(message)) = step.out.pop()
        {
            step.early.push(message);
        }
    }

    pub(crate) fn send<G: Guards>(&self, mut message: eraftpb::Message, step: &mut StepContext<'_, G>) {
        self.unsound_send(&mut message, step.guards);
        let region = self.storage().region();
        let asker = self.asker.filter(|asker| asker.id == message.to && is_answer(&message));
        let Some(to) = asker.or_else(|| region.member(message.to).copied()) else {
            // Its store is unknown.
            return;
        };
        if step.guards.holds(Guard::MessageSizeBounded) {
            cut_to(&mut message, &region.range(), self.config.max_message_size);
        }
        step.out.push(Output::Message(self.addressed(to, message)));
    }

    /// A raft message as it leaves for `to`.
    pub(crate) fn addressed(&self, to: Member, message: eraftpb::Message) -> Message {
        self.addressed_as(to, MessagePayload::Raft(Box::new(message)))
    }

    /// Any payload as it leaves for `to`.
    pub(crate) fn addressed_as(&self, to: Member, payload: MessagePayload) -> Message {
        let region = self.storage().region();
        Message {
            region: self.region,
            from: self.myself(),
            to,
            epoch: region.epoch,
            range: region.range(),
            payload,
        }
    }
}
