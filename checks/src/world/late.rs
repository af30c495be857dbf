//! `Hold`, `Late`, `TimeoutNow` and `TransferTimeout`: messages that do not
//! belong to a round, and the end of a transfer.

use rollcall_impl::{Config, Guards, Input, Message, Output};
use rollcall_traces::{Entries, Outgoing, Reason, RegionId, StoreId};

use super::World;
use super::rounds::common_prefix;

impl<G: Guards> World<G> {
    pub(super) fn hold_outgoing(
        &mut self,
        region: RegionId,
        from: StoreId,
        to: StoreId,
        message: Outgoing,
    ) -> Result<(), Reason> {
        let leading = self.up(from)?;
        let member = self.other_member(leading, region, to)?;
        let message = match message {
            Outgoing::Append => {
                let receiver = self.nodes.iter().find(|node| node.id == to);
                let receiver = receiver.and_then(|node| node.store.as_ref()?.peer(region));
                let receiver = receiver.filter(|peer| peer.id() == member.id);
                let receiver = receiver.ok_or(Reason::NotInitialMessage)?;
                // Below its first index a leader sends a snapshot.
                let next = common_prefix(self.leader(leading, region)?, receiver).map_or(1, |at| at + 1);
                self.probe(leading, region, member.id, next, Entries::One)?
            }
            Outgoing::TimeoutNow => {
                let message = self.timeout_now(region, from).filter(|message| message.to.store == to);
                let message = message.cloned().ok_or(Reason::NoTimeoutNow)?;
                self.timeout_now_left(&message);
                message
            }
        };
        self.hold(message);
        Ok(())
    }

    pub(super) fn late(&mut self, slot: usize) -> Result<(), Reason> {
        let message = self.messages.get(slot).cloned().ok_or(Reason::NothingHeld)?;
        let receiver = self.up(message.to.store)?;
        let outputs = self.deliver(receiver, message, false)?;
        reached_raft(&outputs)?;
        self.messages.remove(slot);
        self.held.remove(slot);
        self.changed = true;
        Ok(())
    }

    pub(super) fn take_timeout_now(&mut self, region: RegionId, leader: StoreId) -> Result<(), Reason> {
        let leading = self.up(leader)?;
        self.leader(leading, region)?;
        let message = self.timeout_now(region, leader).cloned().ok_or(Reason::NoTimeoutNow)?;
        let target = self.up(message.to.store)?;
        let outputs = self.deliver(target, message.clone(), false)?;
        reached_raft(&outputs)?;
        self.timeout_now_left(&message);
        Ok(())
    }

    /// The message is no longer under way from its leader.
    fn timeout_now_left(&mut self, message: &Message) {
        let from = (message.region, message.from.store);
        self.timeouts.retain(|kept| (kept.region, kept.from.store) != from);
        self.changed = true;
    }

    pub(super) fn transfer_timeout(&mut self, region: RegionId, store: StoreId) -> Result<(), Reason> {
        let node = self.up(store)?;
        if self.leader(node, region)?.lead_transferee().is_none() {
            return Err(Reason::NoTransfer);
        }
        // One election timeout; a leader's own clock restarts with the transfer.
        for _ in 0..Config::SIMULATOR.election_tick {
            self.step(node, region, Input::Tick { region })?;
        }
        Ok(())
    }
}

/// A store that destroyed an older peer and creates none has not taken the message.
fn reached_raft(outputs: &[Output]) -> Result<(), Reason> {
    let replaced = outputs.iter().any(|output| matches!(output, Output::Destroyed { .. }));
    if replaced { Err(Reason::NotInitialMessage) } else { Ok(()) }
}
