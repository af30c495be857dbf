//! Elections, replication, changes, transfers and reads.

use rollcall_traces::{
    ChangeKind, Command, Entry, Member, MemberRole, Peer, PeerId, PeerState, Reason, Region, Role, Snapshot,
};

/// Without `step_down_on_higher_term` a leader ignores a vote request of a higher term and
/// continues to serve (row 4).
pub(crate) fn go_on_leading(voter: &Peer, term: u64) -> Result<(), Reason> {
    if voter.role == Role::Leader && term > voter.term { Err(Reason::StaleTerm) } else { Ok(()) }
}

/// Without `one_vote_a_term` a follower forgets its vote (Raft paper, 5.2).
pub(crate) fn forget_vote(voter: &mut Peer) {
    if voter.role == Role::Follower {
        voter.vote = 0;
    }
}

/// Without `change_waits_for_own_election` a new leader assumes that no change is pending (Raft's
/// single-server bug of 2015).
pub(crate) fn nothing_pending_at_election() -> u64 {
    0
}

/// Without `pending_change_expires` a change stays pending for the rest of the term, except one
/// that was pending at the election (row 11).
pub(crate) fn is_pending_for_the_term(peer: &Peer, pending: u64) -> bool {
    let mut own = peer.log.iter().filter(|(_, entry)| entry.term == peer.term);
    pending > own.next().map_or(0, |(index, _)| index)
}

/// Without `joint_needs_both_majorities` a majority of the union of both halves is enough (Raft
/// dissertation, 4.3).
pub(crate) fn has_majority_of_the_union(region: &Region, acked: impl Fn(PeerId) -> bool) -> bool {
    let voters = region.peers.iter().filter(|member| region.is_voter(member.id));
    let (all, yes) = voters.fold((0, 0), |(all, yes), member| (all + 1, yes + usize::from(acked(member.id))));
    yes > all / 2
}

/// Without `commit_index_durable` only what is applied is on disk (Raft paper, Figure 2: there the
/// commit index is volatile).
pub(crate) fn synced_up_to_applied(peer: &Peer) -> Option<u64> {
    (peer.applied < peer.commit).then_some(peer.applied)
}

/// Without `commit_index_durable` a crash takes the commit index back to what is applied.
pub(crate) fn forget_commit(peer: &mut Peer) {
    peer.commit = peer.applied;
}

/// Without `leadership_durable_first` a leader's messages do not wait for its own term (raft-rs 0.7
/// `RawNode::ready`).
pub(crate) fn sends_as_soon_as_it_leads() -> bool {
    true
}

/// Without `uninitialised_vote_survives` a crash takes term and vote of an uninitialised peer
/// (TiKV `peer_storage.rs`, which writes no hard state before the first snapshot).
pub(crate) fn term_of_the_initialised(peer: &Peer) -> u64 {
    if peer.state == PeerState::Uninitialised { 0 } else { peer.term }
}

/// Without `uninitialised_peer_listens` an uninitialised peer accepts only first messages (row 9).
pub(crate) fn receive_first_messages_alone(peer: &Peer, is_first: bool) -> Result<(), Reason> {
    if peer.state == PeerState::Uninitialised && !is_first { Err(Reason::NotPromotable) } else { Ok(()) }
}

/// Without `heartbeat_commit_bounded` a heartbeat has the leader's own commit index, and is
/// never a first message (row 10).
pub(crate) fn unbounded_heartbeat_commit(leading: &Peer) -> u64 {
    leading.commit
}

/// Without `conflict_truncates` new entries overwrite only as many old ones, and the entries behind
/// those stay. Returns the end of the overwritten part of a log of `known` entries (Raft paper,
/// Figure 2).
pub(crate) fn replace_entry_by_entry(known: usize, kept: usize, new: usize) -> usize {
    known.min(kept + new)
}

/// Without `snapshot_once` a second snapshot arrives while the first is being written, and is mixed
/// with it (row 1).
pub(crate) fn overwrite_half_way(second: &mut Snapshot, pending: Snapshot) {
    second.region = pending.region;
    second.data = pending.data;
}

/// Without `demoted_takes_snapshots` a peer accepts a snapshot only if it is an incoming voter or a
/// learner in it, as etcd did until 3.5 (etcd#12631).
pub(crate) fn look_among_incoming_members(member: &Member) -> Result<(), Reason> {
    if member.role == MemberRole::DemotingVoter { Err(Reason::NotInConfig) } else { Ok(()) }
}

/// Without `no_duplicate_change` a simple change that is already in effect is accepted again (row
/// 13).
pub(crate) fn is_done_already(region: &Region, command: &Command) -> bool {
    let Command::ChangePeer(change) = command else { return false };
    let member = region.member(change.peer).filter(|member| member.store == change.store);
    match change.kind {
        ChangeKind::AddVoter => member.is_some_and(|member| member.role == MemberRole::Voter),
        ChangeKind::AddLearner => member.is_some_and(|member| member.role == MemberRole::Learner),
        ChangeKind::Remove => {
            region.member_on(change.store).is_none() && region.member(change.peer).is_none()
        }
    }
}

/// Without `lagging_leader_hands_over` a leader must apply its own change before it transfers
/// leadership, which a hanging disk prevents (tikv#17363, tikv#9041).
pub(crate) fn wait_for_own_change(is_pending: bool) -> Result<(), Reason> {
    if is_pending { Err(Reason::PendingConfChange) } else { Ok(()) }
}

/// Without `read_needs_quorum` a leader answers a read at once, although it may have been deposed
/// (row 4).
pub(crate) fn answer_without_a_quorum() -> bool {
    true
}

/// Without `answer_copies_region` an answer shows the region as it is after the next committed
/// entry (row 30).
pub(crate) fn region_behind_the_next_entry(peer: &Peer, after: impl Fn(&Entry) -> Option<Region>) -> Region {
    let next = peer.log.entry(peer.applied + 1).filter(|_| peer.applied < peer.commit);
    next.and_then(after).unwrap_or_else(|| peer.region.clone())
}
