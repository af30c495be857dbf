//! One replica and its durable state, driven until raft is quiet.
//!
//! After every call into raft each Ready is handled: its entries and hard state go into the step's
//! one batch, messages wait until that batch is written or leave early, and ordinary entries are
//! applied at once, up to the first admin entry (`apply.rs` has both, `snapshot.rs` a restored
//! snapshot). The caller writes the batch.

pub(crate) mod force_leader;
pub(crate) mod outgoing;
pub(crate) mod proposals;
pub(crate) mod propose;
pub(crate) mod read;
pub(crate) mod size;
pub(crate) mod snapshot;
pub(crate) mod split_check;
pub(crate) mod stale;
pub(crate) mod status;
pub(crate) mod transfer;
pub(crate) mod waiting;

use std::collections::BTreeSet;

use raft::StateRole;
use raft::eraftpb::{self, MessageType};

use crate::config::Config;
use crate::error::{Refusal, ReplicaError};
use crate::guard::{Guard, Guards};
use crate::peer::size::Size;
use crate::peer::waiting::{PeerRecovery, Proposal, ReadRequest, StaleCheck};
use crate::proto::command::Payload;
use crate::proto::message::is_answer;
use crate::proto::position::Position;
use crate::proto::region::{Member, MemberRole, PeerId, RegionId, StoreId};
use crate::proto::snapshot::{SnapshotBody, Staged};
use crate::raft_rs::RaftRs;
use crate::raft_rs::raft_storage::PeerStorage;
use crate::raft_rs::replica::{Ready, Replica};
use crate::storage::engine::{ApplyState, HardState, Persisted, Write};
use crate::store::effects::{Due, HandedOver};
use crate::store::ranges::Ranges;
use crate::store::step::{Failure, StepContext};
use crate::unsound::innards;

/// One replica of one region.
#[derive(Clone)]
pub(crate) struct Peer<R: Replica = RaftRs> {
    pub(crate) id: PeerId,
    pub(crate) store: StoreId,
    pub(crate) region: RegionId,
    pub(crate) node: R,
    pub(crate) staged: Option<Staged>,
    /// The commit index and its term when it last campaigned.
    pub(crate) asked_at: Position,
    /// Where a candidate's log ended when it campaigned; a merge may add entries.
    pub(crate) asked_with: Position,
    pub(crate) read: Option<ReadRequest>,
    pub(crate) reads_begun: u64,
    pub(crate) size: Size,
    /// The sender of the current message. A reply goes back there, whether or not the region lists
    /// it.
    pub(crate) asker: Option<Member>,
    /// For a forced leader or candidate: the failed stores.
    pub(crate) failed_stores: BTreeSet<StoreId>,
    /// For a forced leader: its remaining work for its store's plan.
    pub(crate) recovery: Option<PeerRecovery>,
    /// The members that it asks whether it is still one, if a tombstone named others than it knows.
    pub(crate) stale_check: Option<StaleCheck>,
    /// For a leader: the index of the last snapshot that it sent; 0 for none, or once
    /// every member has reached it.
    pub(crate) sent_snapshot: u64,
    /// The stores that were not active recently.
    pub(crate) inactive: Vec<StoreId>,
    /// What clients proposed and wait for, in the order of their entries.
    pub(crate) proposals: Vec<Proposal>,
    /// The term and role that its election timeout was drawn in.
    pub(crate) stands: (u64, StateRole),
    /// The last term that it led in, and the ticket of the batch with which that began.
    pub(crate) led: (u64, u64),
    /// The number of the last Ready that the replica handed over.
    pub(crate) handed_over: u64,
    pub(crate) config: Config,
    /// The parts of both that are on disk or on the way there.
    pub(crate) written: (HardState, ApplyState),
}

impl<R: Replica> Peer<R> {
    /// Loads a persisted peer as a follower.
    pub(crate) fn load<G: Guards>(
        store: StoreId,
        config: &Config,
        guards: G,
        maker: &R::Maker,
        persisted: Persisted,
    ) -> Result<Self, ReplicaError> {
        let (id, region) = (persisted.record.id, persisted.record.region.id);
        let written = (persisted.hard_state, persisted.apply_state);
        let storage = PeerStorage::new(
            persisted,
            guards.holds(Guard::LogBoundsChecked),
            guards.holds(Guard::JointNeedsBothMajorities),
        );
        let node = R::open(maker, config, id, storage)?;
        let stands = (node.term(), node.role());
        Ok(Self {
            id,
            store,
            region,
            node,
            staged: None,
            asked_at: Position::default(),
            asked_with: Position::default(),
            read: None,
            reads_begun: 0,
            size: Size::default(),
            asker: None,
            failed_stores: BTreeSet::new(),
            recovery: None,
            stale_check: None,
            sent_snapshot: 0,
            inactive: Vec::new(),
            proposals: Vec::new(),
            stands,
            led: (0, 0),
            handed_over: 0,
            config: *config,
            written,
        })
    }

    pub(crate) fn storage(&self) -> &PeerStorage {
        self.node.storage()
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.node.role() == StateRole::Leader
    }

    /// The peer as a member, with its role in its own configuration.
    pub(crate) fn myself(&self) -> Member {
        self.storage().region().member(self.id).copied().unwrap_or(Member {
            id: self.id,
            store: self.store,
            role: MemberRole::Learner,
        })
    }

    /// The ids of its region's members.
    pub(crate) fn member_ids(&self) -> Vec<PeerId> {
        self.storage().region().peers.iter().map(|member| member.id).collect()
    }

    /// Whether a conf change is committed but not applied.
    pub(crate) fn has_unapplied_conf_change(&self) -> bool {
        let storage = self.storage();
        (storage.applied + 1..=storage.hard.commit)
            .any(|index| storage.log.payload(index).is_some_and(Payload::is_conf_change))
    }

    /// Campaigns.
    pub(crate) fn campaign<G: Guards>(&mut self, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        if self.staged.is_some() {
            return Err(Refusal::ApplyingSnapshot.into());
        }
        if self.is_leader() {
            return Err(Refusal::AlreadyLeader.into());
        }
        // raft-rs checks neither: a learner would become a candidate, and an empty configuration
        // panics.
        if !self.node.is_promotable() {
            return Err(Refusal::NotPromotable.into());
        }
        self.ask_for_votes(step)
    }

    /// The same for a peer that may not be a voter: raft-rs does not check.
    pub(crate) fn ask_for_votes<G: Guards>(&mut self, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        if !step.guards.holds(Guard::CampaignAppliesFirst) && self.has_unapplied_conf_change() {
            return self.campaign_unapplied_step(step, false);
        }
        let term = self.node.term();
        self.with_raft(step, None, |node| node.campaign())?;
        // raft-rs does not report a refusal. For a promotable follower there is only one reason.
        if self.node.term() == term { Err(Refusal::UnappliedConfChange.into()) } else { Ok(()) }
    }

    /// Whether a snapshot to `to` arrived.
    pub(crate) fn report_snapshot<G: Guards>(
        &mut self,
        to: PeerId,
        arrived: bool,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        self.with_raft(step, None, |node| {
            node.snapshot_sent(to, arrived);
            Ok(())
        })
    }

    /// One tick of the clock.
    pub(crate) fn tick<G: Guards>(&mut self, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        if self.staged.is_some() {
            return Ok(());
        }
        let transferee = self.node.lead_transferee();
        let gives_up = step.guards.holds(Guard::TransferTimesOut);
        self.with_raft(step, None, |node| {
            node.tick();
            if !gives_up {
                innards::hand_over_to(node, transferee);
            }
            Ok(())
        })
    }

    /// Handles a raft message. A snapshot's range may not be `taken` by another region.
    pub(crate) fn receive<G: Guards>(
        &mut self,
        from: Member,
        mut message: eraftpb::Message,
        taken: &Ranges,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let kind = message.get_msg_type();
        if self.staged.is_some() {
            if !step.guards.holds(Guard::SnapshotOnce) && kind == MessageType::MsgSnapshot {
                return self.overwrite_snapshot(message, step);
            }
            return Err(Refusal::ApplyingSnapshot.into());
        }
        self.unsound_receive(&message, step.guards)?;
        if kind == MessageType::MsgTransferLeader {
            return self.receive_transfer(from, &message, step);
        }
        if kind == MessageType::MsgHeartbeat {
            // raft-rs panics on a commit index beyond the log. A peer that was added again under
            // its old id may receive a message for its former self.
            message.commit = message.commit.min(self.storage().log.last_index());
        }
        let mut body = None;
        match kind {
            MessageType::MsgSnapshot => body = Some(self.check_snapshot(&message, taken, step)?),
            _ if is_answer(&message) => {
                if self.node.matched_by(from.id).is_none() {
                    return Err(Refusal::NotInConfig.into());
                }
            }
            MessageType::MsgAppend
            | MessageType::MsgHeartbeat
            | MessageType::MsgRequestVote
            | MessageType::MsgRequestPreVote
            | MessageType::MsgTimeoutNow => {}
            // raft-rs forwards proposals and reads from a follower; here a client asks the leader
            // itself.
            _ => return Err(Refusal::NoEffect.into()),
        }
        let stale = message.term < self.node.term();
        let sent = step.out.len() + step.early.len();
        self.asker = Some(from);
        let term = message.term;
        self.forget_vote(&message, step.guards);
        let behind = self.entries_behind(&message, step.guards);
        let mut result = self.with_raft(step, body, |node| {
            node.step(message)?;
            innards::keep_behind(node, &behind);
            Ok(())
        });
        if kind == MessageType::MsgTimeoutNow && self.campaigns_unapplied(term, step.guards) {
            result = self.campaign_unapplied_step(step, true);
        }
        self.asker = None;
        // raft-rs ignores it silently; with check_quorum or pre_vote it replies to some.
        if stale && step.out.len() + step.early.len() == sent {
            return Err(Refusal::StaleTerm.into());
        }
        result
    }

    /// Calls raft and handles the result.
    pub(crate) fn with_raft<G: Guards>(
        &mut self,
        step: &mut StepContext<'_, G>,
        body: Option<SnapshotBody>,
        call: impl FnOnce(&mut R) -> Result<(), ReplicaError>,
    ) -> Result<(), Failure> {
        let (before, led) = (self.node.term(), self.is_leader());
        call(&mut self.node)?;
        self.hear_of_the_lost()?;
        self.forget_pending_change(led, step.guards);
        if self.node.role() == StateRole::Candidate && self.node.term() != before {
            self.asked_at = self.node.commit();
            self.asked_with = self.node.log_end();
        }
        self.handle_ready(step, body);
        Ok(())
    }

    fn campaign_unapplied_step<G: Guards>(
        &mut self,
        step: &mut StepContext<'_, G>,
        transfer: bool,
    ) -> Result<(), Failure> {
        self.campaign_unapplied(transfer);
        self.asked_at = self.node.commit();
        self.asked_with = self.node.log_end();
        self.handle_ready(step, None);
        Ok(())
    }

    /// Handles Readies until there are none, or a snapshot is pending.
    pub(crate) fn handle_ready<G: Guards>(
        &mut self,
        step: &mut StepContext<'_, G>,
        mut body: Option<SnapshotBody>,
    ) {
        let stands = (self.node.term(), self.node.role());
        if self.stands != stands {
            // raft has drawn another timeout.
            self.stands = stands;
            self.node.set_election_tick(step.election_tick);
        }
        if self.is_leader() && self.led.0 != self.node.term() {
            self.led = (self.node.term(), step.ticket);
        }
        loop {
            if self.staged.is_some() {
                break;
            }
            self.commit_any_term(step.guards);
            self.commit_by_force();
            let Some(ready) = self.node.next_ready() else { break };
            let Ready { snapshot, entries, reads, early, messages } = ready;
            if let Some(position) = snapshot {
                let body = body.take().expect("raft restores only the snapshot that was just received");
                self.stage(position, body);
                break;
            }
            if !entries.is_empty() {
                step.batch.push(Write::Append(self.region, entries));
            }
            for context in reads {
                self.read_acknowledged(&context);
            }
            self.note_hard_state();
            for message in early {
                self.send_early(message, step);
            }
            for message in messages {
                if message.get_msg_type() == MessageType::MsgSnapshot {
                    self.note_sent_snapshot(message.get_snapshot().get_metadata().index);
                }
                self.send_when_durable(message, step);
            }
            self.apply_ordinary(step);
            self.count_own_copy_at_once(step.guards);
        }
        self.forget_lost_read(step);
        self.give_up_proposals(step);
        let number = self.node.handed_over();
        if number != self.handed_over {
            self.handed_over = number;
            let (region, peer, ticket) = (self.region, self.id, step.ticket);
            step.handed_over.push(HandedOver { ticket, region, peer, number });
        }
    }

    /// The Readies up to `number` are durable.
    pub(crate) fn persisted<G: Guards>(&mut self, number: u64, step: &mut StepContext<'_, G>) {
        if self.staged.is_none() {
            self.node.persisted(number);
            self.handle_ready(step, None);
            self.apply_ordinary(step);
        }
    }

    /// The last index that may be applied.
    pub(crate) fn may_apply_to(&self) -> u64 {
        self.storage().hard.commit.min(self.node.persisted_index())
    }

    /// What is due for it.
    pub(crate) fn due(&self) -> Due {
        let apply_snapshot = self.staged.is_some();
        Due {
            apply: !apply_snapshot && self.storage().applied < self.may_apply_to(),
            apply_snapshot,
            answer_read: self.owes_an_answer(),
            split_check: self.is_leader() && self.size.is_due(&self.config),
        }
    }

    /// A snapshot up to `index` was sent.
    pub(crate) fn note_sent_snapshot(&mut self, index: u64) {
        self.sent_snapshot = self.sent_snapshot.max(index);
    }

    /// Forgets others' commit indexes of an earlier term. They would still be true, and raft-rs
    /// keeps them (`Progress::reset`). But a slightly shorter wait of a merge is not worth states
    /// that differ only by them.
    fn forget_known_commits(&mut self) {
        self.node.forget_known_commits();
    }

    /// Writes the changed hard and apply state.
    pub(crate) fn flush<G: Guards>(&mut self, step: &mut StepContext<'_, G>) {
        if !self.is_leader() || self.least_matched() >= self.sent_snapshot {
            self.sent_snapshot = 0;
        }
        if self.storage().hard.term != self.written.0.term {
            self.forget_known_commits();
        }
        let storage = self.node.storage();
        let mut now = (storage.hard, storage.apply_state());
        if !step.guards.holds(Guard::CommitIndexDurable) {
            now.0.commit = storage.applied;
        }
        let promised = storage.is_initialized() || step.guards.holds(Guard::UninitialisedVoteSurvives);
        if now.0 != self.written.0 && promised {
            let raised = HardState { commit: now.0.commit, ..self.written.0 } == now.0;
            step.batch.push(if raised {
                Write::Commit(self.region, now.0.commit)
            } else {
                Write::HardState(self.region, now.0)
            });
        }
        if now.1 != self.written.1 {
            step.batch.push(Write::ApplyState(self.region, now.1));
        }
        self.written = now;
    }

    pub(crate) fn note_hard_state(&mut self) {
        let node = &self.node;
        let now = HardState { term: node.term(), vote: node.vote(), commit: node.commit().index };
        self.node.storage_mut().set_hard(now);
    }
}
