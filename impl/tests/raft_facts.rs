//! What raft 0.7 does with a leader whose own change takes it out of the voters. The rules and
//! guards rely on this.

use std::panic::{AssertUnwindSafe, catch_unwind};

use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, Message, MessageType};
use raft::storage::MemStorage;
use raft::{Config, Error, RawNode, StateRole};
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
