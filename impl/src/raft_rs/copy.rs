//! A copy of a running replica, with its volatile state.
//!
//! raft-rs cannot copy a `RawNode`. So a new node is opened on a copy of the storage and is given
//! everything that the original shows. What a `RawNode` hides is how far its Readies were handled.
//! Here no Ready is left, so a copy has at most one Ready more, without entries or messages. The copy is
//! told which entries are handed over and not persisted. The
//! Ready of a staged snapshot is made again. raft shows the ticks since the last heartbeat, but
//! they cannot be set. They must be 0, as they are if each tick brings a heartbeat
//! ([`Config::SIMULATOR`]). In debug builds each thread compares everything that is shown for its
//! first copy and for one in [`COMPARED`] after it.
//!
//! [`Config::SIMULATOR`]: crate::Config::SIMULATOR

use std::cell::Cell;

use raft::RawNode;

use super::RaftRs;
use crate::config::LOGGER;
use crate::raft_rs::raft_storage::PeerStorage;
use crate::storage::engine::PeerState;

/// The words of a replica cost more than its copy.
const COMPARED: u32 = 32;

/// Whether this thread compares its next copy.
fn is_compared() -> bool {
    thread_local!(static COPIES: Cell<u32> = const { Cell::new(0) });
    COPIES.set(COPIES.get().wrapping_add(1));
    COPIES.get() % COMPARED == 1
}

impl Clone for RaftRs {
    fn clone(&self) -> Self {
        let mut node = self.copy_node();
        let staged = self.staged.as_ref().map(|ready| {
            node.raft.msgs = ready.persisted_messages().to_vec();
            node.ready()
        });
        let mut under_way = self.under_way.clone();
        under_way.iter_mut().for_each(|under_way| under_way.is_copied = true);
        // The staged snapshot's Ready has a number already; nobody waits for that.
        let first = self.handed_over;
        let copy = Self { node, staged, handed_over: first, under_way, first, config: self.config };
        if cfg!(debug_assertions) && is_compared() {
            assert_eq!(copy.innards_in_words(), self.innards_in_words());
        }
        copy
    }
}

impl RaftRs {
    /// Everything readable in raft that decides its next steps.
    fn innards_in_words(&self) -> String {
        let (raft, log) = (&self.node.raft, &self.node.raft.raft_log);
        let unstable = (&log.unstable.snapshot, &log.unstable.entries, log.unstable.entries_size);
        let mut progress: Vec<_> = raft.prs().iter().collect();
        progress.sort_by_key(|(id, _)| **id);
        let mut votes: Vec<_> = raft.prs().votes().iter().collect();
        votes.sort();
        let role = (raft.term, raft.vote, raft.state, raft.leader_id, raft.promotable());
        let leads = (raft.lead_transferee, raft.pending_conf_index, raft.pending_request_snapshot);
        let ends = (log.committed, log.persisted, log.applied, log.unstable.offset, log.last_index());
        let time = (raft.election_elapsed, raft.heartbeat_elapsed(), raft.randomized_election_timeout());
        let reads = (&raft.read_only, &raft.read_states);
        let limits = (raft.max_msg_size, raft.max_inflight, raft.priority, raft.check_quorum, raft.pre_vote);
        let ready = self.staged.as_ref().map(|ready| {
            let sent = (ready.messages(), ready.persisted_messages());
            (ready.snapshot(), ready.hs(), ready.entries(), ready.read_states(), sent)
        });
        format!(
            "{role:?} {leads:?} {ends:?} {unstable:?} {time:?} {limits:?} {reads:?} {votes:?} {:?} {:?} \
             {progress:?} {ready:?} {:?}",
            raft.prs().conf().to_conf_state(),
            raft.msgs,
            self.node.store()
        )
    }

    fn copy_node(&self) -> RawNode<PeerStorage> {
        let (raft, storage) = (&self.node.raft, self.node.store());
        // A peer without a region has no configuration in its storage, so the copy gets raft's own.
        let mut begun_on = storage.clone();
        begun_on.record.state = PeerState::Uninitialised;
        let config = self.config.raft(raft.id, storage.applied);
        let mut node = RawNode::new(&config, begun_on, &LOGGER).expect("raft takes what it has written");
        node.mut_store().record.state = storage.record.state;
        assert_eq!(raft.heartbeat_elapsed(), 0, "raft does not let it be set");
        let copy = &mut node.raft;
        *copy.mut_prs() = raft.prs().clone();
        copy.post_conf_change();
        copy.term = raft.term;
        copy.vote = raft.vote;
        copy.state = raft.state;
        copy.leader_id = raft.leader_id;
        copy.lead_transferee = raft.lead_transferee;
        copy.pending_conf_index = raft.pending_conf_index;
        copy.pending_request_snapshot = raft.pending_request_snapshot;
        copy.election_elapsed = raft.election_elapsed;
        copy.set_randomized_election_timeout(raft.randomized_election_timeout());
        copy.max_msg_size = raft.max_msg_size;
        copy.read_states = raft.read_states.clone();
        copy.read_only = raft.read_only.clone();
        copy.msgs = raft.msgs.clone();
        let (from, log) = (&raft.raft_log, &mut copy.raft_log);
        log.committed = from.committed;
        log.persisted = from.persisted;
        log.applied = from.applied;
        log.unstable.snapshot = from.unstable.snapshot.clone();
        log.unstable.entries = from.unstable.entries.clone();
        log.unstable.entries_size = from.unstable.entries_size;
        log.unstable.offset = from.unstable.offset;
        node
    }
}
