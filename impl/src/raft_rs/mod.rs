//! raft-rs as a [`Replica`](crate::Replica): the default implementation of the trait.
//!
//! Readies are handled synchronously. Entries are appended to the storage and the Ready is advanced
//! when it is handed over, because the store writes before it sends. A Ready with a snapshot is
//! kept until the snapshot is in the storage.
//!
//! With `Config::early_appends`, a leader's Readies are advanced asynchronously: until they are
//! persisted, raft-rs neither counts their entries nor applies them. A follower's Readies are
//! advanced synchronously, because no message of a follower leaves early. So a new leader has no
//! unpersisted Ready, as raft-rs requires (`raft.rs become_leader`).

mod copy;
mod innards;
pub(crate) mod log;
pub(crate) mod raft_storage;
pub(crate) mod replica;

use std::collections::VecDeque;

use raft::eraftpb::{Entry, Message};
use raft::{NO_LIMIT, ProgressState, RawNode, SnapshotStatus, StateRole};

use crate::config::{Config, LOGGER};
use crate::error::ReplicaError;
use crate::proto::command::RaftChange;
use crate::proto::position::Position;
use crate::proto::region::PeerId;
use crate::raft_rs::raft_storage::PeerStorage;
use crate::raft_rs::replica::{AppendLimit, Innards, Ready, Replica};

/// raft-rs's `RawNode` on a peer's storage.
pub struct RaftRs {
    node: RawNode<PeerStorage>,
    /// The Ready with a snapshot, to be advanced when the snapshot is applied.
    staged: Option<raft::Ready>,
    /// The number of the last Ready that was advanced asynchronously.
    handed_over: u64,
    /// The Readies with entries that were and are not persisted.
    under_way: VecDeque<UnderWay>,
    /// The number before the node's first Ready: a copy's node begins to count anew.
    first: u64,
    config: Config,
}

/// The entries of a Ready that are not persisted.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    number: u64,
    /// Its last entry.
    last: Position,
    /// The node has no record of it: it was another's, of which this one is a copy.
    is_copied: bool,
}

impl Replica for RaftRs {
    type Maker = ();

    const HAS_INNARDS: bool = true;

    fn open((): &(), config: &Config, id: PeerId, storage: PeerStorage) -> Result<Self, ReplicaError> {
        let mut node = RawNode::new(&config.raft(id, storage.applied), storage, &LOGGER)?;
        node.raft.set_randomized_election_timeout(config.drawn_election_tick);
        Ok(Self { node, staged: None, handed_over: 0, under_way: VecDeque::new(), first: 0, config: *config })
    }

    fn storage(&self) -> &PeerStorage {
        self.node.store()
    }

    fn storage_mut(&mut self) -> &mut PeerStorage {
        self.node.mut_store()
    }

    fn term(&self) -> u64 {
        self.node.raft.term
    }

    fn vote(&self) -> PeerId {
        self.node.raft.vote
    }

    fn role(&self) -> StateRole {
        self.node.raft.state
    }

    fn leader(&self) -> PeerId {
        self.node.raft.leader_id
    }

    fn commit(&self) -> Position {
        let (index, term) = self.node.raft.raft_log.commit_info();
        Position { index, term }
    }

    fn log_end(&self) -> Position {
        let log = &self.node.raft.raft_log;
        Position { index: log.last_index(), term: log.last_term() }
    }

    fn is_promotable(&self) -> bool {
        self.node.raft.promotable()
    }

    fn lead_transferee(&self) -> Option<PeerId> {
        self.node.raft.lead_transferee
    }

    fn pending_conf_index(&self) -> u64 {
        self.node.raft.pending_conf_index
    }

    fn votes(&self) -> impl ExactSizeIterator<Item = (PeerId, bool)> {
        self.node.raft.prs().votes().iter().map(|(id, granted)| (*id, *granted))
    }

    fn matched(&self) -> impl ExactSizeIterator<Item = (PeerId, u64)> {
        self.node.raft.prs().iter().map(|(id, progress)| (*id, progress.matched))
    }

    fn matched_by(&self, id: PeerId) -> Option<u64> {
        self.node.raft.prs().get(id).map(|progress| progress.matched)
    }

    fn known_commits(&self) -> impl ExactSizeIterator<Item = (PeerId, u64)> {
        self.node.raft.prs().iter().map(|(id, progress)| (*id, progress.committed_index))
    }

    fn forget_known_commits(&mut self) {
        let own = self.node.raft.id;
        for (id, progress) in self.node.raft.mut_prs().iter_mut() {
            if *id != own {
                progress.committed_index = 0;
            }
        }
    }

    fn read_acks(&self, context: &[u8]) -> Option<impl ExactSizeIterator<Item = PeerId>> {
        let status = self.node.raft.read_only.pending_read_index.get(context)?;
        Some(status.acks.iter().copied())
    }

    fn has_committed_in_term(&self) -> bool {
        self.node.raft.commit_to_current_term()
    }

    fn has_applied_in_term(&self) -> bool {
        self.node.raft.apply_to_current_term()
    }

    fn tick(&mut self) {
        self.node.tick();
    }

    fn set_election_tick(&mut self, ticks: usize) {
        if self.config.redraws_elections {
            self.node.raft.set_randomized_election_timeout(ticks);
        }
    }

    fn campaign(&mut self) -> Result<(), ReplicaError> {
        Ok(self.node.campaign()?)
    }

    fn step(&mut self, message: Message) -> Result<(), ReplicaError> {
        Ok(self.node.step(message)?)
    }

    fn propose(&mut self, data: Vec<u8>) -> Result<(), ReplicaError> {
        Ok(self.node.propose(Vec::new(), data)?)
    }

    fn propose_change(&mut self, data: Vec<u8>, change: RaftChange) -> Result<(), ReplicaError> {
        match change {
            RaftChange::V1(change) => self.node.propose_conf_change(data, change)?,
            RaftChange::V2(change) => self.node.propose_conf_change(data, change)?,
        }
        Ok(())
    }

    fn apply_change(&mut self, change: &RaftChange) -> Result<(), ReplicaError> {
        match change {
            RaftChange::V1(change) => self.node.apply_conf_change(change)?,
            RaftChange::V2(change) => self.node.apply_conf_change(change)?,
        };
        Ok(())
    }

    fn applied_to(&mut self, index: u64) {
        self.node.advance_apply_to(index);
    }

    fn compacted_to(&mut self, _: u64) {
        // raft-rs reads the storage itself.
    }

    fn take_snapshot(&mut self) -> Vec<Message> {
        let Some(mut ready) = self.staged.take() else { return Vec::new() };
        let messages = ready.take_persisted_messages();
        self.under_way.clear();
        let light = self.node.advance_append(ready);
        debug_assert!(light.messages().is_empty(), "a follower sends nothing before it is persisted");
        self.node.advance_apply_to(self.storage().applied);
        messages
    }

    fn transfer_leader(&mut self, to: PeerId) {
        self.node.transfer_leader(to);
    }

    fn read_index(&mut self, context: Vec<u8>) {
        self.node.read_index(context);
    }

    fn forget_read(&mut self, context: &[u8]) {
        let queue = &mut self.node.raft.read_only;
        queue.pending_read_index.remove(context);
        queue.read_index_queue.retain(|known| known != context);
    }

    fn follow(&mut self, term: u64) {
        self.node.raft.become_follower(term, raft::INVALID_ID);
    }

    fn snapshot_sent(&mut self, to: PeerId, arrived: bool) {
        let status = if arrived { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.node.report_snapshot(to, status);
    }

    fn probe(&mut self, to: PeerId, next: u64, limit: AppendLimit) {
        let raft = &mut self.node.raft;
        let progress = raft.mut_prs().get_mut(to).expect("was looked up");
        progress.state = ProgressState::Probe;
        progress.paused = false;
        progress.pending_snapshot = 0;
        progress.recent_active = true;
        progress.next_idx = next;
        progress.ins.reset();
        raft.max_msg_size = match limit {
            AppendLimit::One => 0,
            AppendLimit::All => NO_LIMIT,
        };
        raft.send_append(to);
        raft.max_msg_size = NO_LIMIT;
    }

    fn beat(&mut self, to: PeerId) {
        // raft-rs would answer this response with what the receiver lacks, for example a snapshot.
        // That belongs to a later round.
        let raft = &mut self.node.raft;
        let next = raft.raft_log.last_index() + 1;
        let progress = raft.mut_prs().get_mut(to).expect("was looked up");
        progress.state = ProgressState::Probe;
        progress.pending_snapshot = 0;
        progress.next_idx = next;
        progress.ins.reset();
        self.node.ping();
    }

    fn next_ready(&mut self) -> Option<Ready> {
        if !self.node.has_ready() {
            return None;
        }
        let mut ready = self.node.ready();
        if !ready.snapshot().is_empty() {
            let metadata = ready.snapshot().get_metadata();
            let position = Position { index: metadata.index, term: metadata.term };
            self.staged = Some(ready);
            return Some(Ready { snapshot: Some(position), ..Ready::default() });
        }
        let entries = ready.take_entries();
        if !entries.is_empty() {
            self.node.mut_store().append(&entries);
        }
        let reads = ready.take_read_states().into_iter().map(|state| state.request_ctx).collect();
        if self.config.early_appends && self.node.raft.state == StateRole::Leader {
            let (early, messages) = (ready.take_messages(), ready.take_persisted_messages());
            self.handed_over = self.first + ready.number();
            if let Some(Entry { index, term, .. }) = entries.last() {
                let last = Position { index: *index, term: *term };
                self.under_way.push_back(UnderWay { number: self.handed_over, last, is_copied: false });
            }
            self.node.advance_append_async(ready);
            return Some(Ready { snapshot: None, entries, reads, early, messages });
        }
        let mut messages = ready.take_messages();
        messages.append(&mut ready.take_persisted_messages());
        self.persist_copied(u64::MAX);
        let mut light = self.node.advance_append(ready);
        messages.append(&mut light.take_messages());
        Some(Ready { snapshot: None, entries, reads, early: Vec::new(), messages })
    }

    fn handed_over(&self) -> u64 {
        self.handed_over
    }

    fn persisted(&mut self, number: u64) {
        self.persist_copied(number);
        self.node.on_persist_ready(number.saturating_sub(self.first));
    }

    fn persisted_index(&self) -> u64 {
        if self.config.early_appends { self.node.raft.raft_log.persisted } else { u64::MAX }
    }

    fn innards(&mut self) -> Option<&mut dyn Innards> {
        Some(self)
    }
}

impl RaftRs {
    /// What is under way up to that number is persisted. The node knows that by itself of its own.
    fn persist_copied(&mut self, number: u64) {
        let mut last = None;
        while let Some(under_way) = self.under_way.pop_front_if(|under_way| under_way.number <= number) {
            last = Some(under_way.last).filter(|_| under_way.is_copied).or(last);
        }
        if let Some(Position { index, term }) = last {
            self.node.raft.on_persist_entries(index, term);
        }
    }
}
