//! `Hold`, `Late`, `TimeoutNow` and `TransferTimeout`: messages outside of a round, the timeout of
//! a transfer, and late reports and orders.

use rollcall_impl::{Config, Guards, INITIAL_POSITION, Input, Message, Output, Replica};
use rollcall_traces::{Entries, Outgoing, Reason, RegionId, Reply, Returned, StoreId};

use super::rounds::{address, common_prefix, snapshot_index};
use super::{Waiting, World};

impl<G: Guards, R: Replica> World<G, R> {
    pub(super) fn hold_outgoing(
        &mut self,
        region: RegionId,
        from: StoreId,
        to: StoreId,
        message: Outgoing,
    ) -> Result<(), Reason> {
        if message == Outgoing::RegionReport {
            return self.hold_report(region, from, to);
        }
        if message == Outgoing::StoreReport {
            return self.hold_store_report(region, from, to);
        }
        let leading = self.up(from)?;
        if message == Outgoing::VoteRequest {
            let request = self.request_to(leading, region, to)?;
            self.hold(request);
            return Ok(());
        }
        let member = self.other_member(leading, region, to)?;
        let message = match message {
            Outgoing::Append => {
                let receiver = self.index_of(to).and_then(|at| self.status(at, region));
                let receiver = receiver.filter(|peer| peer.id() == member.id);
                let leader = self.leader(leading, region)?;
                let next = match receiver {
                    // Below its first index, the leader sends a snapshot.
                    Some(receiver) => common_prefix(leader, receiver).map_or(1, |at| at + 1),
                    // A peer that a split will create: its log begins at the initial position.
                    None if leader.truncated() == INITIAL_POSITION => INITIAL_POSITION.index + 1,
                    None => return Err(Reason::NotInitialMessage),
                };
                let append = self.probe(leading, region, member.id, next, Entries::One)?;
                self.sent_snapshot(leading, region, member.id, snapshot_index(&append));
                append
            }
            Outgoing::Heartbeat => self.heartbeat(leading, region, member.id, false)?,
            Outgoing::VoteRequest | Outgoing::RegionReport | Outgoing::StoreReport => {
                unreachable!("above")
            }
            Outgoing::TimeoutNow => {
                let message = self.leaving_timeout_now(leading, region)?;
                if message.to.store != to {
                    return Err(Reason::NoTimeoutNow);
                }
                self.timeout_now_left(&message);
                message
            }
        };
        self.hold(message);
        Ok(())
    }

    pub(super) fn late(&mut self, slot: usize) -> Result<Returned, Reason> {
        let message = match self.messages.get(slot).cloned().ok_or(Reason::NothingHeld)? {
            Waiting::Message(message) => message,
            Waiting::Order(dispatch) => {
                // The ids are allotted in vain and the order is used up.
                self.carry_out(*dispatch)?;
                self.arrived(slot);
                return Ok(Returned::Nothing);
            }
            Waiting::Report(report) => {
                self.take_late_report(*report)?;
                self.arrived(slot);
                return Ok(Returned::Nothing);
            }
            Waiting::StoreReport(store, report) => {
                let returned = self.take_late_store_report(store, *report)?;
                self.arrived(slot);
                return Ok(returned);
            }
            Waiting::RecoveryPlan(store, plan) => {
                let node = self.up(store)?;
                self.take_plan(node, *plan)?;
                self.arrived(slot);
                return Ok(Returned::Nothing);
            }
            Waiting::AskSplitResponse(store, reply) => {
                let leader = self.up(store)?;
                self.step(leader, self.held[slot].region, reply)?;
                self.arrived(slot);
                return Ok(Returned::Nothing);
            }
        };
        let receiver = self.up(message.to.store)?;
        let region = message.region;
        if super::is_word_of_store(&message) {
            match self.step(receiver, region, Input::Message(message)) {
                // The receiver ignores the message; it is used up.
                Ok(_) | Err(Reason::NoEffect) => {}
                Err(Reason::RegionNotFound) => return Err(Reason::NotInitialMessage),
                Err(reason) => return Err(reason),
            }
        } else {
            let to = message.to.id;
            let outputs = self.deliver(receiver, message, Reply::Dropped)?;
            self.reached_raft(receiver, region, to, &outputs)?;
        }
        self.arrived(slot);
        Ok(Returned::Nothing)
    }

    fn arrived(&mut self, slot: usize) {
        self.messages.remove(slot);
        self.held.remove(slot);
        self.changed = true;
    }

    pub(super) fn take_timeout_now(&mut self, region: RegionId, leader: StoreId) -> Result<(), Reason> {
        let leading = self.up(leader)?;
        let message = self.leaving_timeout_now(leading, region)?;
        let target = self.up(message.to.store)?;
        let outputs = self.deliver(target, message.clone(), Reply::Dropped)?;
        self.reached_raft(target, region, message.to.id, &outputs)?;
        self.timeout_now_left(&message);
        Ok(())
    }

    /// The pending `TimeoutNow` of this leader, with its header as of now.
    fn leaving_timeout_now(&self, leading: usize, region: RegionId) -> Result<Message, Reason> {
        let leader = self.leader(leading, region)?;
        let kept = self.timeout_now(region, self.nodes[leading].id).ok_or(Reason::NoTimeoutNow)?;
        let mut message = kept.clone();
        let to = leader.region().member(message.to.id).copied().unwrap_or(message.to);
        address(&mut message, leader, to);
        Ok(message)
    }

    /// Removes the message from its leader's pending ones.
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
        // One election timeout. The transfer reset the leader's clock.
        for _ in 0..Config::SIMULATOR.election_tick {
            self.step(node, region, Input::Tick { region })?;
        }
        Ok(())
    }

    /// Whether the message reached raft. It did not if the store only destroyed an older peer,
    /// created no new one and kept no first message.
    pub(super) fn reached_raft(
        &self,
        node: usize,
        region: RegionId,
        to: u64,
        outputs: &[Output],
    ) -> Result<(), Reason> {
        let destroyed = outputs.iter().any(|output| matches!(output, Output::Destroyed { .. }));
        let there = self.status(node, region).is_some_and(|peer| peer.id() == to);
        let pending_messages = self.nodes[node].store.as_ref().is_some_and(|store| {
            store.pending_messages().iter().any(|message| (message.region, message.to.id) == (region, to))
        });
        if destroyed && !there && !pending_messages { Err(Reason::NotInitialMessage) } else { Ok(()) }
    }
}
