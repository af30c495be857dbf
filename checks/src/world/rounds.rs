//! `Vote`, `Replicate`, and the question before a leadership transfer: a request and its reply
//! between two stores.
//!
//! Before an append round, the leader's progress of the follower is set to the common prefix of
//! both logs (`Store::probe`), because what raft-rs remembers of lost rounds is below the model's
//! grain.

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{
    Command, Epoch, Guards, Input, Member, MemberRole, Message, MessagePayload, Output, PeerStatus, Replica,
    StateRole,
};
use rollcall_traces::{Entries, Reason, RegionId, Reply, StoreId, StoreStatus};

use super::{World, convert, power};

impl<G: Guards, R: Replica> World<G, R> {
    pub(super) fn vote(
        &mut self,
        region: RegionId,
        candidate: StoreId,
        voter: StoreId,
        reply: Reply,
    ) -> Result<(), Reason> {
        let asking = self.up(candidate)?;
        let request = self.request_to(asking, region, voter)?;
        let voting = self.up(voter)?;
        let outputs = self.deliver(voting, request, reply)?;
        self.return_answer(voting, asking, outputs, MessageType::MsgRequestVoteResponse, reply)
    }

    /// The request of this candidate to the voter on `voter`.
    pub(super) fn request_to(
        &self,
        asking: usize,
        region: RegionId,
        voter: StoreId,
    ) -> Result<Message, Reason> {
        let status = self.live(asking, region)?;
        if status.role() != StateRole::Candidate {
            return Err(Reason::NotCandidate);
        }
        let to = status
            .region()
            .member_on(voter)
            .filter(|member| member.role != MemberRole::Learner && member.id != status.id())
            .ok_or(Reason::NotInConfig)?;
        let of = (region, self.nodes[asking].id, (status.id(), status.term()));
        let kept = self.requests.iter().find(|kept| (kept.region, kept.candidate, kept.campaign) == of);
        let kept = kept.ok_or(Reason::NotInConfig)?;
        self.check_durable(asking, kept.ticket)?;
        // A candidate's configuration only changes without `campaign_applies_first`. A member that
        // joined since gets the same request as the others.
        let sent = kept.messages.iter().find(|message| message.to.id == to.id);
        let mut request = sent.or(kept.messages.first()).cloned().ok_or(Reason::NotInConfig)?;
        address(&mut request, status, *to);
        Ok(request)
    }

    /// Delivers, drops or holds the one reply among `outputs`.
    fn return_answer(
        &mut self,
        answering: usize,
        asking: usize,
        outputs: Vec<Output>,
        expected: MessageType,
        reply: Reply,
    ) -> Result<(), Reason> {
        let replies = outputs.into_iter().filter_map(|output| match output {
            Output::Message(message) if message.raft_type() == Some(expected) => Some(message),
            _ => None,
        });
        for message in replies {
            // Whom a leader may hand over to promises nothing.
            if expected != MessageType::MsgTransferLeader {
                self.before_reply(answering, &message, reply);
            }
            match reply {
                Reply::Delivered => {
                    self.step(asking, message.region, Input::Message(message))?;
                }
                Reply::Delayed => self.hold(message),
                Reply::Dropped => {}
            }
        }
        Ok(())
    }

    /// Proposes a command. Before a transfer, the transferee is asked and replies within the same
    /// step.
    pub(super) fn propose(
        &mut self,
        node: usize,
        region: RegionId,
        command: Command,
        epoch: Option<Epoch>,
    ) -> Result<(), Reason> {
        self.report_inactive_members(node, region, &command)?;
        let outputs = self.step(node, region, Input::Propose { region, command, epoch })?;
        let is_question = |message: &Message| message.raft_type() == Some(MessageType::MsgTransferLeader);
        let question = outputs.into_iter().find_map(|output| match output {
            Output::Message(message) => Some(message).filter(is_question),
            _ => None,
        });
        let Some(question) = question else { return Ok(()) };
        let (transferee, to) = (self.up(question.to.store)?, question.to.id);
        let outputs = self.deliver(transferee, question, Reply::Dropped)?;
        self.reached_raft(transferee, region, to, &outputs)?;
        self.return_answer(transferee, node, outputs, MessageType::MsgTransferLeader, Reply::Delivered)
    }

    /// Tells a leader that is to change members which stores are inactive: those that are down,
    /// because heartbeats are answered between rounds.
    pub(super) fn report_inactive_members(
        &mut self,
        node: usize,
        region: RegionId,
        command: &Command,
    ) -> Result<(), Reason> {
        if !matches!(command, Command::ChangePeer(_) | Command::EnterJoint(_)) {
            return Ok(());
        }
        self.report_inactive(node, region)
    }

    /// The same for a leader that may change members by itself.
    pub(super) fn report_inactive(&mut self, node: usize, region: RegionId) -> Result<(), Reason> {
        if self.leader(node, region).is_err() {
            return Ok(());
        }
        let silent = self.nodes.iter().filter(|node| node.status != StoreStatus::Up);
        let stores = silent.map(|node| node.id).collect();
        self.step(node, region, Input::Inactive { region, stores }).map(drop)
    }

    pub(super) fn replicate(
        &mut self,
        region: RegionId,
        leader: StoreId,
        follower: StoreId,
        entries: Entries,
        reply: Reply,
    ) -> Result<(), Reason> {
        let leading = self.up(leader)?;
        let to = self.other_member(leading, region, follower)?;
        let following = self.up(follower)?;
        self.check_leads_durably(leading, region)?;
        let Some(receiver) = self.status(following, region).filter(|peer| peer.id() == to.id) else {
            return self.create_by_heartbeat(leading, following, region, to.id, reply);
        };
        let status = self.leader(leading, region)?;
        let Some(prefix) = common_prefix(status, receiver) else {
            return self.send_snapshot(leading, following, region, to.id, reply);
        };
        let given = reply == Reply::Delivered;
        if given && status.read().is_some_and(|read| !read.ready) {
            self.acknowledge_read(leading, following, region, to.id)?;
        }
        let append = self.probe(leading, region, to.id, prefix + 1, entries)?;
        let outputs = self.deliver(following, append, reply)?;
        self.return_answer(following, leading, outputs, MessageType::MsgAppendResponse, reply)
    }

    /// The member on `store` to which this leader replicates.
    pub(super) fn other_member(
        &self,
        leading: usize,
        region: RegionId,
        store: StoreId,
    ) -> Result<Member, Reason> {
        let leader = self.leader(leading, region)?;
        let other = leader.region().member_on(store).filter(|member| member.id != leader.id());
        other.copied().ok_or(Reason::NotInConfig)
    }

    fn create_by_heartbeat(
        &mut self,
        leading: usize,
        following: usize,
        region: RegionId,
        to: u64,
        reply: Reply,
    ) -> Result<(), Reason> {
        if reply != Reply::Delivered {
            return Err(Reason::NoReply);
        }
        let heartbeat = self.heartbeat(leading, region, to, false)?;
        self.deliver(following, heartbeat, Reply::Delivered).map(drop)
    }

    /// A heartbeat and its response. A delivered response also acknowledges the leader's pending
    /// read; a late one does not.
    pub(super) fn heartbeat_round(
        &mut self,
        region: RegionId,
        leader: StoreId,
        follower: StoreId,
        reply: Reply,
    ) -> Result<(), Reason> {
        let leading = self.up(leader)?;
        let to = self.other_member(leading, region, follower)?;
        let following = self.up(follower)?;
        self.check_leads_durably(leading, region)?;
        let reads = self.leader(leading, region)?.read().is_some_and(|read| !read.ready);
        let heartbeat = self.heartbeat(leading, region, to.id, reads && reply == Reply::Delivered)?;
        let outputs = self.deliver(following, heartbeat, reply)?;
        self.reached_raft(following, region, to.id, &outputs)?;
        self.return_answer(following, leading, outputs, MessageType::MsgHeartbeatResponse, reply)
    }

    fn send_snapshot(
        &mut self,
        leading: usize,
        following: usize,
        region: RegionId,
        to: u64,
        reply: Reply,
    ) -> Result<(), Reason> {
        if reply != Reply::Delivered {
            return Err(Reason::NoReply);
        }
        // Below its first index, the leader sends a snapshot.
        let snapshot = self.probe(leading, region, to, 1, Entries::All)?;
        let index = snapshot_index(&snapshot);
        self.deliver(following, snapshot, reply)?;
        self.sent_snapshot(leading, region, to, index);
        Ok(())
    }

    /// Tells raft that this leader's snapshot up to `index` was sent, if the message was one.
    pub(super) fn sent_snapshot(&mut self, leading: usize, region: RegionId, to: u64, index: Option<u64>) {
        if let Some(index) = index {
            // The receiver may not have deposed its sender, which still leads.
            let noted = self.touch(leading, region).sent_snapshot(region, to, index);
            noted.expect("a leader has just sent it");
        }
    }

    /// The heartbeat that carries the leader's pending read, and its response.
    fn acknowledge_read(
        &mut self,
        leading: usize,
        following: usize,
        region: RegionId,
        to: u64,
    ) -> Result<(), Reason> {
        let heartbeat = self.heartbeat(leading, region, to, true)?;
        let outputs = self.deliver(following, heartbeat, Reply::Delivered)?;
        self.return_answer(following, leading, outputs, MessageType::MsgHeartbeatResponse, Reply::Delivered)
    }

    pub(super) fn heartbeat(
        &mut self,
        leading: usize,
        region: RegionId,
        to: u64,
        with_read: bool,
    ) -> Result<Message, Reason> {
        let beat = self.touch(leading, region).heartbeat(region, to, with_read);
        beat.map_err(power::refused)
    }

    /// The leader's next message to a follower whose log matches up to before `next`.
    pub(super) fn probe(
        &mut self,
        leading: usize,
        region: RegionId,
        to: u64,
        next: u64,
        entries: Entries,
    ) -> Result<Message, Reason> {
        let limit = convert::to_limit(entries);
        let outputs = match self.touch(leading, region).probe(region, to, next, limit) {
            Ok(outputs) => outputs,
            Err(error) => return Err(power::refused(error)),
        };
        let sent = outputs.into_iter().find_map(|output| match output {
            Output::Message(message) if message.to.id == to => Some(message),
            _ => None,
        });
        // The only message that it may not send is a snapshot of a merging region.
        let message = sent.ok_or(Reason::Merging)?;
        debug_assert!(matches!(message.payload, MessagePayload::Raft(_)));
        Ok(message)
    }
}

/// The index of the snapshot, if the message is one.
pub(super) fn snapshot_index(message: &Message) -> Option<u64> {
    match &message.payload {
        MessagePayload::Raft(raft) if raft.get_msg_type() == MessageType::MsgSnapshot => {
            Some(raft.get_snapshot().get_metadata().index)
        }
        _ => None,
    }
}

/// The last index at which both logs have the same term. The last truncated entry counts.
pub(super) fn common_prefix<R: Replica>(
    leader: PeerStatus<'_, R>,
    follower: PeerStatus<'_, R>,
) -> Option<u64> {
    let first = leader.truncated().index.max(follower.truncated().index);
    let last = leader.last_index().min(follower.last_index());
    (first..=last).rev().find(|index| leader.log_term(*index) == follower.log_term(*index))
}

/// Rewrites a message's header as its sender would write it now: the message leaves now, and its
/// sender may have changed since raft made it.
pub(super) fn address<R: Replica>(message: &mut Message, sender: PeerStatus<'_, R>, to: Member) {
    message.from = sender.member();
    message.to = to;
    message.epoch = sender.region().epoch;
    message.range = sender.region().range();
    if let MessagePayload::Raft(raft) = &mut message.payload {
        raft.to = to.id;
    }
}
