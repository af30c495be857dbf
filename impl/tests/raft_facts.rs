//! What raft 0.7 does with a leader whose own change takes it out of the voters. The rules and
//! guards rely on this.

use std::panic::{AssertUnwindSafe, catch_unwind};

use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, Message, MessageType};
use raft::storage::MemStorage;
use raft::{Config, Error, GetEntriesContext, RawNode, StateRole};
use slog::{Discard, Logger, o};

/// Node 1 leads nodes 2 and 3, and all have its first entry.
fn leader() -> RawNode<MemStorage> {
    let storage = MemStorage::new_with_conf_state((vec![1, 2, 3], vec![]));
    let config = Config { id: 1, ..Config::default() };
    let mut node =
        RawNode::new(&config, storage, &Logger::root(Discard, o!())).expect("a fine configuration");
    node.campaign().expect("a voter campaigns");
    persist(&mut node);
    answer(&mut node, 2, MessageType::MsgRequestVoteResponse);
    assert_eq!(node.raft.state, StateRole::Leader);
    persist(&mut node);
    answer(&mut node, 2, MessageType::MsgAppendResponse);
    persist(&mut node);
    node
}

/// Persists and applies everything that is ready.
fn persist(node: &mut RawNode<MemStorage>) {
    while node.has_ready() {
        let ready = node.ready();
        node.mut_store().wl().append(ready.entries()).expect("what follows the log");
        if let Some(hard_state) = ready.hs() {
            node.mut_store().wl().set_hardstate(hard_state.clone());
        }
        let _ = node.advance(ready);
        node.advance_apply();
    }
}

/// The response of `from` to the last message: it grants, or has all entries.
fn answer(node: &mut RawNode<MemStorage>, from: u64, kind: MessageType) {
    let (term, index) = (node.raft.term, node.raft.raft_log.last_index());
    let mut message = Message { from, to: 1, term, index, ..Message::default() };
    message.set_msg_type(kind);
    node.step(message).expect("an answer is taken");
}

/// The leader proposes its own removal or demotion, and applies it.
fn leads_on_after(kind: ConfChangeType) -> RawNode<MemStorage> {
    let mut node = leader();
    node.propose(vec![], b"before".to_vec()).expect("a leader takes proposals");
    persist(&mut node);
    let mut change = ConfChangeSingle { node_id: 1, ..ConfChangeSingle::default() };
    change.set_change_type(kind);
    let change = ConfChangeV2 { changes: vec![change].into(), ..ConfChangeV2::default() };
    node.apply_conf_change(&change).expect("others are left");
    assert!(!node.raft.promotable());
    assert_eq!(node.raft.state, StateRole::Leader, "raft does not step down by itself");
    node
}

#[test]
fn a_leader_that_is_removed_drops_proposals_and_panics_when_it_would_commit() {
    let mut node = leads_on_after(ConfChangeType::RemoveNode);
    let refused = node.propose(vec![], b"behind".to_vec());
    assert_eq!(refused, Err(Error::ProposalDropped));
    answer(&mut node, 2, MessageType::MsgAppendResponse);
    // Both of the two remaining nodes are needed for a majority.
    let committed = catch_unwind(AssertUnwindSafe(|| answer(&mut node, 3, MessageType::MsgAppendResponse)));
    assert!(committed.is_err(), "it has no progress of its own to note the commit in");
}

#[test]
fn a_leader_that_is_demoted_takes_proposals_and_commits_them() {
    let mut node = leads_on_after(ConfChangeType::AddLearnerNode);
    node.propose(vec![], b"behind".to_vec()).expect("a demoted leader takes proposals");
    persist(&mut node);
    let last = node.raft.raft_log.last_index();
    for from in [2, 3] {
        answer(&mut node, from, MessageType::MsgAppendResponse);
    }
    assert_eq!(node.raft.raft_log.committed, last);
    assert_eq!(node.raft.state, StateRole::Leader);
}

/// A node with an empty disk: node 1 votes, node 2 learns.
fn beside_a_learner(id: u64) -> RawNode<MemStorage> {
    let storage = MemStorage::new_with_conf_state((vec![1], vec![2]));
    let config = Config { id, ..Config::default() };
    RawNode::new(&config, storage, &Logger::root(Discard, o!())).expect("a fine configuration")
}

/// The messages that may leave before the Readies that brought them are on the disk. Entries go into
/// the storage, as `advance_append_async` asks; nothing is persisted, for `on_persist_ready` is not
/// called.
fn early(node: &mut RawNode<MemStorage>) -> Vec<Message> {
    let mut early = Vec::new();
    while node.has_ready() {
        let mut ready = node.ready();
        node.mut_store().wl().append(ready.entries()).expect("what follows the log");
        early.extend(ready.take_messages());
        node.advance_append_async(ready);
    }
    early
}

/// The learner takes `messages` and persists them. Returns its responses.
fn learns(learner: &mut RawNode<MemStorage>, messages: Vec<Message>) -> Vec<Message> {
    let mut responses = Vec::new();
    for message in messages.into_iter().filter(|message| message.to == 2) {
        learner.step(message).expect("a message of the leader");
        while learner.has_ready() {
            let mut ready = learner.ready();
            learner.mut_store().wl().append(ready.entries()).expect("what follows the log");
            responses.extend(ready.take_persisted_messages());
            let _ = learner.advance(ready);
            learner.advance_apply();
        }
    }
    responses
}

/// The only voter starts on a disk with nothing on it, wins at once, and sends `write` before its
/// disk has done anything.
fn wins_and_sends(learner: &mut RawNode<MemStorage>, write: &[u8]) -> RawNode<MemStorage> {
    let mut node = beside_a_learner(1);
    node.campaign().expect("a voter campaigns");
    assert_eq!(node.raft.state, StateRole::Leader, "its own vote is a majority");
    node.propose(vec![], write.to_vec()).expect("a leader takes proposals");
    for _ in 0..3 {
        let messages = early(&mut node);
        for response in learns(learner, messages) {
            node.step(response).expect("a response of the learner");
        }
    }
    node
}

/// `ready` lets a leader's messages leave before its disk is done, because "the vote msg which makes
/// this peer become leader has been sent after persisting" (`raw_node.rs` `ready`). An only voter
/// wins without such a message, so entries of a term leave that its disk does not know. After a
/// crash it leads the same term again, and the learner keeps the first leader's entry.
#[test]
fn an_only_voter_that_sends_early_may_lead_one_term_twice() {
    let mut learner = beside_a_learner(2);
    let first = wins_and_sends(&mut learner, b"first");
    // The machine crashes before the first write: the second start finds the disk of the first.
    let second = wins_and_sends(&mut learner, b"second");
    assert_eq!(first.raft.term, second.raft.term, "one term has two leaders");
    let last = second.raft.raft_log.last_index();
    let entry = |node: &RawNode<MemStorage>| {
        let entries = node.raft.raft_log.entries(last, None, GetEntriesContext::empty(false));
        let entry = entries.expect("an entry there").remove(0);
        (entry.term, entry.data.to_vec())
    };
    assert_eq!(entry(&second), (second.raft.term, b"second".to_vec()));
    assert_eq!(entry(&learner), (second.raft.term, b"first".to_vec()));
    let matched = second.raft.prs().get(2).expect("the learner's progress").matched;
    assert_eq!(matched, last, "the leader takes the other entry for its own");
}
